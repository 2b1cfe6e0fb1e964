/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the guard, the checks and the shaped image cost beside bare libjpeg: grey decoding of a
 * made-up 1920x1080 picture, whole, a quarter and a tenth by a tenth of it, both sides in turn;
 * without restart markers and with one a row of MCUs. Medians and ratios.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

#include "base/clock.h"
#include "modules/image/jpeg.h"

enum { WIDTH = 1920, HEIGHT = 1080, ROUNDS = 41 };

static void paint(struct vd_image *image)
{
	uint32_t noise = 1;

	for (int y = 0; y < image->height; y++) {
		for (int x = 0; x < image->width * image->channels; x++) {
			noise = noise * 1664525 + 1013904223;
			vd_image_row(image, y)[x] =
				(uint8_t)(90 + (x / 40 + y / 30) % 3 * 30 + (int)(noise >> 28));
		}
	}
}

static void decode_bare(const struct vd_buf *jpeg, uint8_t *pixels)
{
	struct jpeg_decompress_struct cinfo;
	struct jpeg_error_mgr errors;

	cinfo.err = jpeg_std_error(&errors);
	jpeg_create_decompress(&cinfo);
	jpeg_mem_src(&cinfo, (const unsigned char *)jpeg->data, jpeg->len);
	(void)jpeg_read_header(&cinfo, TRUE);
	cinfo.out_color_space = JCS_GRAYSCALE;
	(void)jpeg_start_decompress(&cinfo);
	while (cinfo.output_scanline < cinfo.output_height) {
		JSAMPROW row = pixels + (size_t)cinfo.output_scanline * WIDTH;

		(void)jpeg_read_scanlines(&cinfo, &row, 1);
	}
	(void)jpeg_finish_decompress(&cinfo);
	jpeg_destroy_decompress(&cinfo);
}

static int ascending(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static double median_ms(uint64_t *us)
{
	qsort(us, ROUNDS, sizeof *us, ascending);
	return (double)us[ROUNDS / 2] / 1000;
}

static int region_ms(const struct vd_buf *jpeg, struct vd_rect region, uint64_t *us)
{
	static struct vd_image part;
	const uint64_t start = vd_clock_mono_us();
	const int r = vd_jpeg_decode_region(jpeg->data, jpeg->len, NULL, region, &part, NULL, NULL);

	*us = vd_clock_mono_us() - start;
	return r;
}

static int measure(const char *name, const struct vd_buf *jpeg)
{
	static uint8_t pixels[WIDTH * HEIGHT];
	static const struct vd_rect quarter = { 480, 270, 960, 540 },
				    tenth = { 864, 486, 192, 108 };
	VD_CLEANUP(vd_image_fini) struct vd_image whole = { 0 };
	uint64_t bare_us[ROUNDS], ours_us[ROUNDS], quarter_us[ROUNDS], tenth_us[ROUNDS], start;
	double bare;

	for (int i = 0; i < ROUNDS; i++) {
		start = vd_clock_mono_us();
		decode_bare(jpeg, pixels);
		bare_us[i] = vd_clock_mono_us() - start;
		start = vd_clock_mono_us();
		if (vd_jpeg_decode_grey(jpeg->data, jpeg->len, NULL, &whole, NULL, NULL) != 0)
			return 1;
		ours_us[i] = vd_clock_mono_us() - start;
		if (region_ms(jpeg, quarter, &quarter_us[i]) != 0 ||
		    region_ms(jpeg, tenth, &tenth_us[i]) != 0)
			return 1;
	}
	bare = median_ms(bare_us);
	(void)printf(
		"%-10s %7zu bytes  bare libjpeg %6.2f ms  vd_jpeg_decode_grey %6.2f ms (%.3fx)  "
		"a quarter %6.2f ms (%.1fx cheaper)  1/10 x 1/10 %6.2f ms (%.1fx cheaper)\n",
		name, jpeg->len, bare, median_ms(ours_us), median_ms(ours_us) / bare,
		median_ms(quarter_us), bare / median_ms(quarter_us), median_ms(tenth_us),
		bare / median_ms(tenth_us));
	return 0;
}

/* vd_jpeg_encode writes no restart markers; cameras do. */
static void encode(const struct vd_image *image, bool has_restarts, struct vd_buf *out)
{
	struct jpeg_compress_struct cinfo;
	struct jpeg_error_mgr errors;
	unsigned char *bytes = NULL;
	unsigned long len = 0;

	cinfo.err = jpeg_std_error(&errors);
	jpeg_create_compress(&cinfo);
	jpeg_mem_dest(&cinfo, &bytes, &len);
	cinfo.image_width = WIDTH;
	cinfo.image_height = HEIGHT;
	cinfo.input_components = image->channels;
	cinfo.in_color_space = image->channels == VD_GREY ? JCS_GRAYSCALE : JCS_RGB;
	jpeg_set_defaults(&cinfo);
	jpeg_set_quality(&cinfo, 85, TRUE);
	cinfo.restart_in_rows = has_restarts;
	jpeg_start_compress(&cinfo, TRUE);
	for (int y = 0; y < HEIGHT; y++) {
		JSAMPROW row = vd_image_row(image, y);

		(void)jpeg_write_scanlines(&cinfo, &row, 1);
	}
	jpeg_finish_compress(&cinfo);
	jpeg_destroy_compress(&cinfo);
	if (vd_buf_append(out, bytes, len) < 0)
		abort();
	free(bytes);
}

int main(void)
{
	static const struct {
		const char *name;
		int channels;
		bool has_restarts;
	} kinds[] = { { "grey", VD_GREY, false },
		      { "grey RST", VD_GREY, true },
		      { "4:2:0", VD_RGB, false },
		      { "4:2:0 RST", VD_RGB, true } };
	int failed = 0;

	for (size_t i = 0; i < VD_COUNT(kinds); i++) {
		VD_CLEANUP(vd_image_fini) struct vd_image image = { 0 };
		VD_CLEANUP(vd_buf_fini) struct vd_buf jpeg = { 0 };

		if (vd_image_shape(&image, WIDTH, HEIGHT, kinds[i].channels) < 0)
			return 1;
		paint(&image);
		encode(&image, kinds[i].has_restarts, &jpeg);
		failed |= measure(kinds[i].name, &jpeg);
	}
	return failed;
}
