/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Model packages in a temporary folder, answered for by a script. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vd_test.h"

#include "base/digest.h"
#include "base/file.h"
#include "modules/image/jpeg.h"

struct model_folder {
	char path[64];
	char sha256[VD_SHA256_TEXT]; /* of model.json */
};

static inline void model_write(const char *folder, const char *name, const void *data, size_t len,
			       char sha256[static VD_SHA256_TEXT])
{
	char path[256];

	(void)snprintf(path, sizeof path, "%s/%s", folder, name);
	assert_int_equal(vd_file_write(path, data, len, 0644), 0);
	assert_int_equal(vd_sha256_text(data, len, sha256), 0);
}

/* body: model.json without its self-test, which expects `expected`. */
static inline void model_make(struct model_folder *folder, const char *body, const char *expected)
{
	VD_CLEANUP(vd_image_fini) struct vd_image image = { 0 };
	VD_CLEANUP(vd_buf_fini) struct vd_buf jpeg = { 0 }, json = { 0 };
	char sha256[VD_SHA256_TEXT];

	(void)snprintf(folder->path, sizeof folder->path, "/tmp/model-XXXXXX");
	assert_non_null(mkdtemp(folder->path));
	assert_int_equal(vd_image_shape(&image, 40, 30, VD_RGB), 0);
	for (int y = 0; y < 30; y++)
		memset(vd_image_row(&image, y), 4 * y, 120);
	assert_int_equal(vd_jpeg_encode(&image, 90, &jpeg), 0);
	model_write(folder->path, "self.jpg", jpeg.data, jpeg.len, sha256);
	assert_int_equal(
		vd_buf_printf(&json,
			      "{\"name\":\"trial\",\"version\":\"1.0\",\"licence\":\"CC0-1.0\",%s,"
			      "\"selfTest\":{\"image\":{\"file\":\"self.jpg\",\"sha256\":\"%s\"},"
			      "\"expected\":%s}}",
			      body, sha256, expected),
		0);
	model_write(folder->path, "model.json", json.data, json.len, folder->sha256);
}

static inline void model_remove(const struct model_folder *folder)
{
	static const char *const names[] = { "model.json", "self.jpg", "symbols.txt" };
	char path[256];

	for (size_t i = 0; i < VD_COUNT(names); i++) {
		(void)snprintf(path, sizeof path, "%s/%s", folder->path, names[i]);
		(void)unlink(path);
	}
	(void)rmdir(folder->path);
}
