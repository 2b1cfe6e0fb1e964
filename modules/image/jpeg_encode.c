/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Encoding row by row into a vd_buf. Raw colour rows go to libjpeg as packed YCbCr, so that a
 * camera's chroma is neither converted nor averaged with a neighbour's.
 */
#include "modules/image/jpeg.h"

#include <errno.h>
#include <string.h>

#include "modules/image/libjpeg.h"

enum { BLOCK_BYTES = 16384 };

struct encoder {
	struct jpeg_compress_struct cinfo;
	struct vd_libjpeg_errors errors;
	struct jpeg_destination_mgr destination;
	JOCTET block[BLOCK_BYTES];
	struct vd_buf *out;
	const struct vd_raw_frame *raw; /* one of these two */
	const struct vd_image *image;
	int quality;
	uint8_t *line; /* libjpeg's memory */
};

static void init_destination(j_compress_ptr cinfo)
{
	struct encoder *encoder = VD_CONTAINER(cinfo, struct encoder, cinfo);

	encoder->destination.next_output_byte = encoder->block;
	encoder->destination.free_in_buffer = BLOCK_BYTES;
}

static void append(struct encoder *encoder, size_t len)
{
	int r = vd_buf_append(encoder->out, encoder->block, len);

	if (r < 0)
		vd_libjpeg_escape(&encoder->errors, r);
}

/* Called when the block is full; libjpeg wants all of it written. */
static boolean empty_output_buffer(j_compress_ptr cinfo)
{
	append(VD_CONTAINER(cinfo, struct encoder, cinfo), BLOCK_BYTES);
	init_destination(cinfo);
	return TRUE;
}

static void term_destination(j_compress_ptr cinfo)
{
	struct encoder *encoder = VD_CONTAINER(cinfo, struct encoder, cinfo);

	append(encoder, BLOCK_BYTES - encoder->destination.free_in_buffer);
}

static void yuyv_line(const uint8_t *row, int width, uint8_t *line)
{
	for (int x = 0; x < width; x += 2, row += 4, line += 6) {
		line[0] = row[0];
		line[3] = row[2];
		line[1] = line[4] = row[1];
		line[2] = line[5] = row[3];
	}
}

static void nv12_line(const uint8_t *luma, const uint8_t *chroma, int width, uint8_t *line)
{
	for (int x = 0; x < width; x++, line += 3) {
		line[0] = luma[x];
		line[1] = chroma[x & ~1];
		line[2] = chroma[x | 1];
	}
}

static const uint8_t *row_at(struct encoder *encoder, int y)
{
	const struct vd_raw_frame *raw = encoder->raw;
	const uint8_t *row;

	if (!raw)
		return vd_image_row(encoder->image, y);
	row = raw->bytes + (size_t)y * raw->stride;
	if (raw->format == VD_RAW_GREY)
		return row;
	if (raw->format == VD_RAW_YUYV)
		yuyv_line(row, raw->width, encoder->line);
	else
		nv12_line(row, raw->bytes + (size_t)(raw->height + y / 2) * raw->stride, raw->width,
			  encoder->line);
	return encoder->line;
}

static J_COLOR_SPACE space_of(const struct encoder *encoder)
{
	if (encoder->raw)
		return encoder->raw->format == VD_RAW_GREY ? JCS_GRAYSCALE : JCS_YCbCr;
	return encoder->image->channels == VD_GREY ? JCS_GRAYSCALE : JCS_RGB;
}

static void set_up(struct encoder *encoder)
{
	struct jpeg_compress_struct *cinfo = &encoder->cinfo;
	const struct vd_raw_frame *raw = encoder->raw;

	jpeg_create_compress(cinfo);
	encoder->destination.init_destination = init_destination;
	encoder->destination.empty_output_buffer = empty_output_buffer;
	encoder->destination.term_destination = term_destination;
	cinfo->dest = &encoder->destination;
	cinfo->image_width = (JDIMENSION)(raw ? raw->width : encoder->image->width);
	cinfo->image_height = (JDIMENSION)(raw ? raw->height : encoder->image->height);
	cinfo->in_color_space = space_of(encoder);
	cinfo->input_components = cinfo->in_color_space == JCS_GRAYSCALE ? 1 : 3;
	jpeg_set_defaults(cinfo);
	jpeg_set_quality(cinfo, encoder->quality, TRUE);
	if (raw && raw->format == VD_RAW_YUYV)
		cinfo->comp_info[0].v_samp_factor = 1;
	encoder->line = cinfo->mem->alloc_large((j_common_ptr)cinfo, JPOOL_IMAGE,
						(size_t)cinfo->image_width * 3);
}

static int encode_step(void *argument)
{
	struct encoder *encoder = argument;
	struct jpeg_compress_struct *cinfo = &encoder->cinfo;

	set_up(encoder);
	jpeg_start_compress(cinfo, TRUE);
	while (cinfo->next_scanline < cinfo->image_height) {
		union {
			const uint8_t *from;
			JSAMPROW to;
		} row = { .from = row_at(encoder, (int)cinfo->next_scanline) };

		(void)jpeg_write_scanlines(cinfo, &row.to, 1); /* reads only */
	}
	jpeg_finish_compress(cinfo);
	return 0;
}

static int encode(struct encoder *encoder)
{
	size_t start = encoder->out->len;
	int r;

	if (encoder->quality < 1 || encoder->quality > 100)
		return -EINVAL;
	encoder->cinfo.err = vd_libjpeg_errors_init(&encoder->errors, -EINVAL);
	r = vd_libjpeg_guard(&encoder->errors, encode_step, encoder);
	jpeg_destroy_compress(&encoder->cinfo);
	if (r < 0 && encoder->out->data) {
		encoder->out->len = start;
		encoder->out->data[start] = '\0';
	}
	return r;
}

int vd_jpeg_encode(const struct vd_image *image, int quality, struct vd_buf *out)
{
	struct encoder encoder = { .out = out, .image = image, .quality = quality };

	return image->pixels ? encode(&encoder) : -EINVAL;
}

size_t vd_raw_frame_bytes(const struct vd_raw_frame *raw)
{
	size_t line = (size_t)raw->width, rows = (size_t)raw->height, bytes;

	if (raw->width < 1 || raw->height < 1)
		return 0;
	if (raw->format != VD_RAW_GREY && raw->width % 2)
		return 0;
	if (raw->format == VD_RAW_YUYV)
		line *= 2;
	if (raw->format == VD_RAW_NV12)
		rows += (rows + 1) / 2;
	if (raw->stride < line || __builtin_mul_overflow(raw->stride, rows - 1, &bytes) ||
	    __builtin_add_overflow(bytes, line, &bytes))
		return 0;
	return bytes;
}

int vd_jpeg_encode_raw(const struct vd_raw_frame *frame, int quality, struct vd_buf *out)
{
	struct encoder encoder = { .out = out, .raw = frame, .quality = quality };
	size_t needed = vd_raw_frame_bytes(frame);

	return needed && frame->len >= needed ? encode(&encoder) : -EINVAL;
}
