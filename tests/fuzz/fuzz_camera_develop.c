/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A raw frame as a driver or a camera claims it to be: format, size, padding, what is cut out and
 * turned, then its bytes, which may be fewer than they should.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "modules/camera/develop.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { HEAD = 10, FORMATS = VD_SENSOR_BAYER_BG + 1 };

static void check(const struct vd_camera_frame *frame, const struct vd_camera_settings *settings)
{
	assert(frame->is_encoded_here && frame->width && frame->height && frame->bytes.len);
	if (settings->is_grey)
		assert(frame->bytes.len == (size_t)frame->width * frame->height);
	if (settings->roi.width)
		assert(frame->width * frame->height == settings->roi.width * settings->roi.height);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vd_camera_settings settings = { .quality = 80 };
	struct vd_camera_frame frame = { 0 };
	struct vd_darkroom room = { 0 };
	struct vd_sensor_frame raw;
	uint8_t *bytes;

	if (size < HEAD)
		return 0;
	bytes = malloc(size - HEAD + 1); /* of its exact size: nothing behind it may be read */
	if (!bytes)
		return 0;
	memcpy(bytes, data + HEAD, size - HEAD);
	raw = (struct vd_sensor_frame){ .format = (enum vd_sensor_format)(data[0] % FORMATS),
					.width = data[1] % 64 + 1U,
					.height = data[2] % 64 + 1U,
					.stride = data[3],
					.bytes = bytes,
					.len = size - HEAD };
	settings.is_grey = data[4] & 1;
	settings.rotation = data[4] / 2 % 4 * 90U;
	settings.roi = (struct vd_camera_roi){ data[5], data[6], data[7], data[8] };
	if (!settings.roi.width || !settings.roi.height)
		settings.roi = (struct vd_camera_roi){ 0 };
	settings.is_shaped = settings.rotation || settings.roi.width;
	if (vd_camera_develop(&room, &raw, &settings, &frame, NULL) == 0)
		check(&frame, &settings);
	vd_camera_frame_fini(&frame);
	vd_darkroom_fini(&room);
	free(bytes);
	return 0;
}
