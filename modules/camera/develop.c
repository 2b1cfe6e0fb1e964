/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The common case, a whole frame of a format that JPEG encodes directly, takes no detour. All
 * others become an image first, row by row: luminance if that is what is wanted, else RGB.
 */
#include "modules/camera/develop.h"

#include <errno.h>
#include <string.h>

#include "modules/image/jpeg.h"

enum { CHROMA_ZERO = 128 };

static size_t row_bytes(const struct vd_sensor_frame *raw)
{
	if (raw->format == VD_SENSOR_RGB)
		return (size_t)raw->width * 3;
	if (raw->format == VD_SENSOR_YUYV)
		return ((size_t)raw->width + 1) / 2 * 4;
	return raw->width;
}

static size_t frame_bytes(const struct vd_sensor_frame *raw)
{
	size_t rows = raw->height;

	if (raw->format == VD_SENSOR_NV12)
		rows += (raw->height + 1) / 2;
	return raw->stride * (rows - 1) + row_bytes(raw);
}

/* --- One row as RGB --- */

static uint8_t level(int value)
{
	if (value < 0)
		return 0;
	return value > 255 ? 255 : (uint8_t)value;
}

/* As JPEG has it (JFIF), in units of 1/65536. */
static void rgb_of_yuv(int y, int u, int v, uint8_t *out)
{
	u -= CHROMA_ZERO;
	v -= CHROMA_ZERO;
	out[0] = level(y + (91881 * v + 32768) / 65536);
	out[1] = level(y - (22554 * u + 46802 * v + 32768) / 65536);
	out[2] = level(y + (116130 * u + 32768) / 65536);
}

static void row_of_grey(const struct vd_sensor_frame *raw, uint32_t y, uint8_t *out)
{
	const uint8_t *row = raw->bytes + y * raw->stride;

	for (uint32_t x = 0; x < raw->width; x++)
		out[3 * x] = out[3 * x + 1] = out[3 * x + 2] = row[x];
}

static void row_of_yuyv(const struct vd_sensor_frame *raw, uint32_t y, uint8_t *out)
{
	const uint8_t *row = raw->bytes + y * raw->stride;

	for (uint32_t x = 0; x < raw->width; x++) {
		const uint8_t *pair = row + (size_t)(x / 2) * 4;

		rgb_of_yuv(row[(size_t)2 * x], pair[1], pair[3], out + (size_t)3 * x);
	}
}

static void row_of_nv12(const struct vd_sensor_frame *raw, uint32_t y, uint8_t *out)
{
	const uint8_t *row = raw->bytes + y * raw->stride;
	const uint8_t *chroma = raw->bytes + (raw->height + y / 2) * raw->stride;

	for (uint32_t x = 0; x < raw->width; x++)
		rgb_of_yuv(row[x], chroma[x / 2 * 2], chroma[x / 2 * 2 + 1], out + (size_t)3 * x);
}

static void row_of_rgb(const struct vd_sensor_frame *raw, uint32_t y, uint8_t *out)
{
	memcpy(out, raw->bytes + y * raw->stride, (size_t)raw->width * 3);
}

/* Red 0, green 1, blue 2: the colour that the sensor sees at x, y. */
static int colour_at(enum vd_sensor_format format, uint32_t x, uint32_t y)
{
	bool is_odd_row = format == VD_SENSOR_BAYER_GB || format == VD_SENSOR_BAYER_BG;
	bool is_odd_column = format == VD_SENSOR_BAYER_GR || format == VD_SENSOR_BAYER_BG;
	unsigned row = (y + is_odd_row) & 1, column = (x + is_odd_column) & 1;

	return (int)(row + column);
}

/* Bilinear: a colour that the pixel does not see is the mean of those that touch it and do. */
static void bayer_pixel(const struct vd_sensor_frame *raw, uint32_t x, uint32_t y, uint8_t *out)
{
	int own = colour_at(raw->format, x, y), sums[3] = { 0 }, counts[3] = { 0 };
	uint32_t left = x > 0 ? x - 1 : 0, right = x + 1 < raw->width ? x + 1 : x;
	uint32_t top = y > 0 ? y - 1 : 0, bottom = y + 1 < raw->height ? y + 1 : y;

	for (uint32_t v = top; v <= bottom; v++) {
		for (uint32_t u = left; u <= right; u++) {
			int colour = colour_at(raw->format, u, v);

			sums[colour] += raw->bytes[v * raw->stride + u];
			counts[colour]++;
		}
	}
	for (int colour = 0; colour < 3; colour++)
		out[colour] = (uint8_t)(counts[colour] ? sums[colour] / counts[colour] : 0);
	out[own] = raw->bytes[y * raw->stride + x];
}

static void row_of_bayer(const struct vd_sensor_frame *raw, uint32_t y, uint8_t *out)
{
	for (uint32_t x = 0; x < raw->width; x++)
		bayer_pixel(raw, x, y, out + (size_t)3 * x);
}

static void rgb_row(const struct vd_sensor_frame *raw, uint32_t y, uint8_t *out)
{
	static void (*const rows[])(const struct vd_sensor_frame *, uint32_t, uint8_t *) = {
		[VD_SENSOR_GREY] = row_of_grey,      [VD_SENSOR_YUYV] = row_of_yuyv,
		[VD_SENSOR_NV12] = row_of_nv12,      [VD_SENSOR_RGB] = row_of_rgb,
		[VD_SENSOR_BAYER_RG] = row_of_bayer, [VD_SENSOR_BAYER_GR] = row_of_bayer,
		[VD_SENSOR_BAYER_GB] = row_of_bayer, [VD_SENSOR_BAYER_BG] = row_of_bayer,
	};

	rows[raw->format](raw, y, out);
}

/* --- One row as luminance --- */

static void grey_row(const struct vd_sensor_frame *raw, uint32_t y, uint8_t *out)
{
	const uint8_t *row = raw->bytes + y * raw->stride;
	uint8_t rgb[3];

	if (raw->format == VD_SENSOR_GREY || raw->format == VD_SENSOR_NV12) {
		memcpy(out, row, raw->width);
		return;
	}
	for (uint32_t x = 0; x < raw->width; x++) {
		if (raw->format == VD_SENSOR_YUYV) {
			out[x] = row[(size_t)2 * x];
			continue;
		}
		if (raw->format == VD_SENSOR_RGB)
			memcpy(rgb, row + (size_t)3 * x, 3);
		else
			bayer_pixel(raw, x, y, rgb);
		out[x] = (uint8_t)((77 * rgb[0] + 150 * rgb[1] + 29 * rgb[2] + 128) >> 8);
	}
}

static int image_of(const struct vd_sensor_frame *raw, bool is_grey, struct vd_image *image)
{
	int r = vd_image_shape(image, (int)raw->width, (int)raw->height,
			       is_grey ? VD_GREY : VD_RGB);

	for (uint32_t y = 0; r == 0 && y < raw->height; y++) {
		if (is_grey)
			grey_row(raw, y, vd_image_row(image, (int)y));
		else
			rgb_row(raw, y, vd_image_row(image, (int)y));
	}
	return r;
}

/* --- Cut and turn --- */

static int check_roi(const struct vd_camera_roi *roi, uint32_t width, uint32_t height,
		     struct vd_fault *fault)
{
	if (roi->x <= width && roi->width <= width - roi->x && roi->y <= height &&
	    roi->height <= height - roi->y)
		return 0;
	vd_fault_set(fault, 409, NULL, "roi %u,%u %ux%u reaches beyond the picture of %ux%u",
		     roi->x, roi->y, roi->width, roi->height, width, height);
	return VD_SOURCE_FAILED;
}

/* Where the pixel of the result at x, y comes from; width, height: of the part that is cut out. */
static void origin_of(unsigned rotation, int width, int height, int x, int y, int *ret_x,
		      int *ret_y)
{
	switch (rotation) {
	case 90:
		*ret_x = y;
		*ret_y = height - 1 - x;
		return;
	case 180:
		*ret_x = width - 1 - x;
		*ret_y = height - 1 - y;
		return;
	case 270:
		*ret_x = width - 1 - y;
		*ret_y = x;
		return;
	default:
		*ret_x = x;
		*ret_y = y;
	}
}

static int cut_and_turn(const struct vd_image *image, const struct vd_camera_settings *settings,
			struct vd_image *out)
{
	const struct vd_camera_roi *roi = &settings->roi;
	int width = roi->width ? (int)roi->width : image->width;
	int height = roi->width ? (int)roi->height : image->height;
	bool is_upright = settings->rotation % 180 == 0;
	size_t bytes = (size_t)image->channels;
	int r = vd_image_shape(out, is_upright ? width : height, is_upright ? height : width,
			       image->channels);

	for (int y = 0; r == 0 && y < out->height; y++) {
		uint8_t *to = vd_image_row(out, y);

		for (int x = 0; x < out->width; x++, to += bytes) {
			int u, v;

			origin_of(settings->rotation, width, height, x, y, &u, &v);
			memcpy(to,
			       vd_image_row(image, v + (int)roi->y) +
				       (size_t)(u + (int)roi->x) * bytes,
			       bytes);
		}
	}
	return r;
}

/* --- What is handed over --- */

static int put_luma(const struct vd_image *image, struct vd_camera_frame *frame)
{
	int r = 0;

	for (int y = 0; r == 0 && y < image->height; y++)
		r = vd_buf_append(&frame->bytes, vd_image_row(image, y), (size_t)image->width);
	frame->format = VD_FRAME_GREY;
	frame->stride = frame->width;
	return r;
}

static int put(const struct vd_image *image, const struct vd_camera_settings *settings,
	       struct vd_camera_frame *frame, struct vd_fault *fault)
{
	int r;

	frame->is_encoded_here = true;
	frame->width = (uint32_t)image->width;
	frame->height = (uint32_t)image->height;
	frame->stride = 0;
	frame->format = VD_FRAME_JPEG;
	r = settings->is_grey ? put_luma(image, frame)
			      : vd_jpeg_encode(image, settings->quality, &frame->bytes);
	if (r == 0 || r == -ENOMEM)
		return r;
	vd_fault_set(fault, 500, NULL, "the frame cannot be encoded");
	return VD_SOURCE_FAILED;
}

static int put_turned(struct vd_darkroom *room, const struct vd_camera_settings *settings,
		      struct vd_camera_frame *frame, struct vd_fault *fault)
{
	const struct vd_image *whole = &room->whole;
	int r;

	if (!settings->is_shaped)
		return put(whole, settings, frame, fault);
	r = check_roi(&settings->roi, (uint32_t)whole->width, (uint32_t)whole->height, fault);
	if (r == 0)
		r = cut_and_turn(whole, settings, &room->turned);
	return r == 0 ? put(&room->turned, settings, frame, fault) : r;
}

static int put_raw(const struct vd_sensor_frame *raw, const struct vd_camera_settings *settings,
		   struct vd_camera_frame *frame, struct vd_fault *fault)
{
	static const enum vd_raw_format formats[] = { [VD_SENSOR_GREY] = VD_RAW_GREY,
						      [VD_SENSOR_YUYV] = VD_RAW_YUYV,
						      [VD_SENSOR_NV12] = VD_RAW_NV12 };
	const struct vd_raw_frame plain = { .format = formats[raw->format],
					    .width = (int)raw->width,
					    .height = (int)raw->height,
					    .stride = raw->stride,
					    .bytes = raw->bytes,
					    .len = raw->len };
	int r = vd_jpeg_encode_raw(&plain, settings->quality, &frame->bytes);

	frame->is_encoded_here = true;
	frame->width = raw->width;
	frame->height = raw->height;
	frame->stride = 0;
	frame->format = VD_FRAME_JPEG;
	if (r == 0 || r == -ENOMEM)
		return r;
	vd_fault_set(fault, 500, NULL, "the frame cannot be encoded");
	return VD_SOURCE_FAILED;
}

int vd_camera_develop(struct vd_darkroom *room, const struct vd_sensor_frame *raw,
		      const struct vd_camera_settings *settings, struct vd_camera_frame *frame,
		      struct vd_fault *fault)
{
	bool is_grey = settings->is_grey || raw->format == VD_SENSOR_GREY;
	int r;

	if (raw->stride < row_bytes(raw) || raw->len < frame_bytes(raw)) {
		vd_fault_set(fault, 500, NULL, "a frame of %zu bytes is too short for %ux%u",
			     raw->len, raw->width, raw->height);
		return VD_SOURCE_FAILED;
	}
	if (!settings->is_shaped && !settings->is_grey && raw->format <= VD_SENSOR_NV12)
		return put_raw(raw, settings, frame, fault);
	r = image_of(raw, is_grey, &room->whole);
	return r == 0 ? put_turned(room, settings, frame, fault) : r;
}

int vd_camera_recode(struct vd_darkroom *room, const struct vd_camera_settings *settings,
		     struct vd_camera_frame *frame, struct vd_fault *fault)
{
	const struct vd_jpeg_limits limits = { .pixels = settings->max_pixels };
	struct vd_jpeg_info info = { 0 };
	int r = vd_jpeg_head(frame->bytes.data, frame->bytes.len, &limits, &info, fault);

	if (r == 0)
		r = (info.components == 1 ? vd_jpeg_decode_grey : vd_jpeg_decode_rgb)(
			frame->bytes.data, frame->bytes.len, &limits, &room->whole, &info, fault);
	if (r == -ENOMEM)
		return r;
	if (r == VD_JPEG_DAMAGED)
		vd_fault_set(fault, 502, NULL, "the JPEG is damaged: %s", info.warning);
	if (r != 0)
		return VD_SOURCE_FAILED;
	vd_buf_clear(&frame->bytes);
	return put_turned(room, settings, frame, fault);
}

void vd_darkroom_fini(struct vd_darkroom *room)
{
	vd_image_fini(&room->whole);
	vd_image_fini(&room->turned);
}
