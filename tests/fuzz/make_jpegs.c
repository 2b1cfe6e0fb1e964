/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small JPEGs, made anew by each build because no binary stands in the tree.
 *   make_jpegs FOLDER corpus      one of each kind, to be mutated
 *   make_jpegs FOLDER COUNT       frame-0001.jpg …, each with pixels of its own
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

#include "base/file.h"
#include "modules/image/jpeg.h"

static void paint(struct vd_image *image, int seed)
{
	for (int y = 0; y < image->height; y++) {
		for (int x = 0; x < image->width * image->channels; x++)
			vd_image_row(image, y)[x] = (uint8_t)(x * (3 + seed % 5) + y * 5 +
							      seed * 11 + (x / 7 % 2) * 60);
	}
}

static int write_file(const char *folder, const char *name, const void *data, size_t len)
{
	char path[4096];

	(void)snprintf(path, sizeof path, "%s/%s", folder, name);
	return vd_file_write(path, data, len, 0644);
}

static int make(int width, int height, int channels, int seed, struct vd_buf *out)
{
	VD_CLEANUP(vd_image_fini) struct vd_image image = { 0 };
	int r = vd_image_shape(&image, width, height, channels);

	if (r < 0)
		return r;
	paint(&image, seed);
	vd_buf_clear(out);
	return vd_jpeg_encode(&image, 60, out);
}

/* Huffman tables left out, as cameras do. */
static int write_bare(const char *folder, const struct vd_buf *jpeg)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf bare = { 0 };
	const uint8_t *p = (const uint8_t *)jpeg->data;
	size_t at = 2;
	int r = vd_buf_append(&bare, p, 2);

	while (r == 0 && at + 4 < jpeg->len && p[at + 1] != 0xda) {
		size_t len = 2 + ((size_t)p[at + 2] << 8 | p[at + 3]);

		if (p[at + 1] != 0xc4)
			r = vd_buf_append(&bare, p + at, len);
		at += len;
	}
	if (r == 0)
		r = vd_buf_append(&bare, p + at, jpeg->len - at);
	return r < 0 ? r : write_file(folder, "bare.jpg", bare.data, bare.len);
}

/* With a restart marker after every interval MCUs, as cameras do. */
static int write_restarts(const char *folder, const char *name, unsigned interval)
{
	struct jpeg_compress_struct cinfo;
	struct jpeg_error_mgr errors;
	unsigned char *bytes = NULL;
	unsigned long len = 0;
	uint8_t row[48 * 3];
	JSAMPROW rows[1] = { row };
	int r;

	cinfo.err = jpeg_std_error(&errors);
	jpeg_create_compress(&cinfo);
	jpeg_mem_dest(&cinfo, &bytes, &len);
	cinfo.image_width = cinfo.image_height = 48;
	cinfo.input_components = 3;
	cinfo.in_color_space = JCS_RGB;
	jpeg_set_defaults(&cinfo);
	cinfo.restart_interval = interval;
	jpeg_start_compress(&cinfo, TRUE);
	for (int y = 0; y < 48; y++) {
		for (int x = 0; x < 48 * 3; x++)
			row[x] = (uint8_t)(x * 3 + y * 5 + (x / 7 % 2) * 60);
		(void)jpeg_write_scanlines(&cinfo, rows, 1);
	}
	jpeg_finish_compress(&cinfo);
	jpeg_destroy_compress(&cinfo);
	r = write_file(folder, name, bytes, len);
	free(bytes);
	return r;
}

static int make_corpus(const char *folder)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf jpeg = { 0 };
	int r = make(17, 9, VD_GREY, 1, &jpeg);

	if (r == 0)
		r = write_file(folder, "grey.jpg", jpeg.data, jpeg.len);
	if (r == 0)
		r = make(33, 19, VD_RGB, 2, &jpeg);
	if (r == 0)
		r = write_file(folder, "rgb.jpg", jpeg.data, jpeg.len);
	if (r == 0)
		r = write_file(folder, "cut.jpg", jpeg.data, jpeg.len - 20);
	if (r == 0)
		r = write_restarts(folder, "restart-rows.jpg", 3);
	if (r == 0)
		r = write_restarts(folder, "restart-blocks.jpg", 1);
	return r < 0 ? r : write_bare(folder, &jpeg);
}

static int make_frames(const char *folder, int count)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf jpeg = { 0 };
	int r = 0;

	for (int i = 1; r == 0 && i <= count; i++) {
		char name[32];

		(void)snprintf(name, sizeof name, "frame-%04d.jpg", i);
		r = make(64, 48, VD_GREY, i, &jpeg);
		if (r == 0)
			r = write_file(folder, name, jpeg.data, jpeg.len);
	}
	return r;
}

int main(int argc, char **argv)
{
	int r;

	if (argc != 3) {
		(void)fprintf(stderr, "usage: make_jpegs FOLDER corpus|COUNT\n");
		return 2;
	}
	r = vd_file_make_folders(argv[1], 0755);
	if (r == 0 && strcmp(argv[2], "corpus") == 0)
		r = make_corpus(argv[1]);
	else if (r == 0)
		r = make_frames(argv[1], (int)strtol(argv[2], NULL, 10));
	if (r < 0)
		(void)fprintf(stderr, "make_jpegs: %s: %s\n", argv[1], strerror(-r));
	return r < 0;
}
