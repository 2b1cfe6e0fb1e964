/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Codes are made by other hands than those that read them: zint and qrencode. Without these
 * programs, or without libzbar, the tests that need them are skipped and say so.
 */
#include "modules/vision/code.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "modules/vision/warp.h"
#include "tests/unit/modules/vision/qr.h"
#include "tests/unit/modules/vision/scene.h"
#include "vd_test.h"

/* ---- making codes ---- */

static uint32_t word(const struct vd_buf *bytes, size_t at)
{
	uint32_t v = 0;

	assert_true(at + 4 <= bytes->len);
	for (int i = 3; i >= 0; i--)
		v = v << 8 | (uint8_t)bytes->data[at + (size_t)i];
	return v;
}

/* A BMP of one bit a pixel, bottom row first; black is 0 or 1 by its palette. */
static void read_bmp(const struct vd_buf *bmp, struct vd_image *out)
{
	const uint32_t start = word(bmp, 10), first = word(bmp, 14 + word(bmp, 14));
	const int width = (int)word(bmp, 18), height = (int)word(bmp, 22);
	const size_t stride = (size_t)(width + 31) / 32 * 4;

	assert_int_equal(word(bmp, 26) >> 16, 1);
	assert_true(start + stride * (size_t)height <= bmp->len);
	if (vd_image_shape(out, width, height, VD_GREY) < 0)
		abort();
	for (int y = 0; y < height; y++) {
		const char *row = bmp->data + start + stride * (size_t)(height - 1 - y);

		for (int x = 0; x < width; x++) {
			const int bit = (uint8_t)row[x / 8] >> (7 - x % 8) & 1;
			const bool is_black = (bit == 0) == ((first & 0xffffff) == 0);

			vd_image_row(out, y)[x] = is_black ? 30 : 220;
		}
	}
}

static bool make(const char *type, const char *text, struct vd_image *out)
{
	char *const argv[] = { (char *)"zint",
			       (char *)"--direct",
			       (char *)"--filetype=BMP",
			       (char *)"--scale=2",
			       (char *)"--notext",
			       (char *)"--quietzones",
			       (char *)"-b",
			       (char *)type,
			       (char *)"-d",
			       (char *)text,
			       NULL };
	VD_CLEANUP(vd_buf_fini) struct vd_buf bmp = { 0 };

	if (!program_run(argv, &bmp)) {
		print_message("zint is not installed: skipped\n");
		return false;
	}
	read_bmp(&bmp, out);
	return true;
}

/* The code on a larger, lighter ground, as a camera may see it: turned, noisy. */
static void photograph(const struct vd_image *code, double angle_deg, double noise,
		       struct vd_image *out)
{
	const int side = 2 * (code->width > code->height ? code->width : code->height);
	const struct vd_pose pose = { .cx = code->width / 2.0,
				      .cy = code->height / 2.0,
				      .angle_deg = angle_deg,
				      .score = 1 };
	const struct vd_rect where = { -(side - code->width) / 2, -(side - code->height) / 2, side,
				       side };
	uint32_t seed = 5;

	if (vd_warp(code, &pose, where, out) < 0)
		abort();
	for (int y = 0; y < side; y++) {
		for (int x = 0; x < side; x++) {
			uint8_t *pixel = vd_image_row(out, y) + x;

			*pixel = (uint8_t)fmin(fmax(*pixel + noise * scene_noise(&seed), 0), 255);
		}
	}
}

/* ---- reading ---- */

static bool is_installed(struct vd_code_reader *reader)
{
	VD_CLEANUP(vd_image_fini) struct vd_image image = { 0 };
	VD_CLEANUP(vd_free) struct vd_codes *codes = malloc(sizeof *codes);

	if (!codes || vd_image_shape(&image, 16, 16, VD_GREY) < 0)
		abort();
	memset(image.pixels, 200, image.stride * 16);
	if (vd_code_read(reader, &image, VD_CODE_QR, 10, codes) == 0)
		return true;
	print_message("libzbar is not installed: skipped\n");
	return false;
}

static void assert_reads(struct vd_code_reader *reader, const struct vd_image *image,
			 unsigned kinds, enum vd_code_kind kind, const char *text)
{
	VD_CLEANUP(vd_free) struct vd_codes *codes = malloc(sizeof *codes);

	assert_non_null(codes);
	assert_int_equal(vd_code_read(reader, image, kinds, 2000, codes), 0);
	if (codes->count != 1)
		print_error("%s: %d codes were read\n", vd_code_kind_name(kind), codes->count);
	assert_int_equal(codes->count, 1);
	assert_false(codes->is_cut);
	assert_string_equal(codes->list[0].text, text);
	assert_int_equal(codes->list[0].len, strlen(text));
	assert_string_equal(vd_code_kind_name(codes->list[0].kind), vd_code_kind_name(kind));
}

static void what_zint_draws_is_read(void **state)
{
	static const struct {
		enum vd_code_kind kind;
		const char *type, *text, *read;
	} cases[] = {
		{ VD_CODE_128, "CODE128", "LOT004711-b", "LOT004711-b" },
		{ VD_CODE_39, "CODE39", "VEDETTE 39", "VEDETTE 39" },
		{ VD_CODE_93, "CODE93", "PART-93", "PART-93" },
		{ VD_CODE_EAN13, "EANX", "400638133393", "4006381333931" },
		{ VD_CODE_EAN8, "EANX", "9638507", "96385074" },
		{ VD_CODE_INTERLEAVED25, "C25INTER", "0156237894", "0156237894" },
		{ VD_CODE_CODABAR, "CODABAR", "A40156B", "A40156B" },
		{ VD_CODE_DATAMATRIX, "DATAMATRIX", "SN=00041007;rev C", "SN=00041007;rev C" },
		{ VD_CODE_QR, "QRCODE", "https://example.com/p/41007",
		  "https://example.com/p/41007" },
	};
	VD_CLEANUP(vd_code_reader_free) struct vd_code_reader *reader = NULL;

	assert_int_equal(vd_code_reader_new(&reader), 0);
	if (!is_installed(reader))
		skip();
	for (size_t i = 0; i < VD_COUNT(cases); i++) {
		VD_CLEANUP(vd_image_fini) struct vd_image code = { 0 }, seen = { 0 };

		if (!make(cases[i].type, cases[i].text, &code))
			skip();
		photograph(&code, 0, 4, &seen);
		assert_reads(reader, &seen, cases[i].kind, cases[i].kind, cases[i].read);
	}
}

static void what_qrencode_draws_is_read_turned_and_noisy(void **state)
{
	VD_CLEANUP(vd_code_reader_free) struct vd_code_reader *reader = NULL;
	VD_CLEANUP(vd_image_fini) struct vd_image code = { 0 }, seen = { 0 };

	assert_int_equal(vd_code_reader_new(&reader), 0);
	if (!is_installed(reader) || !qr_make("LOT004711", 5, &code))
		skip();
	for (int angle = 0; angle < 360; angle += 40) {
		photograph(&code, angle, 10, &seen);
		assert_reads(reader, &seen, VD_CODE_QR, VD_CODE_QR, "LOT004711");
	}
}

static void a_turned_data_matrix_is_read_where_it_is(void **state)
{
	VD_CLEANUP(vd_code_reader_free) struct vd_code_reader *reader = NULL;
	VD_CLEANUP(vd_image_fini) struct vd_image code = { 0 }, seen = { 0 };
	VD_CLEANUP(vd_free) struct vd_codes *codes = malloc(sizeof *codes);

	assert_non_null(codes);
	assert_int_equal(vd_code_reader_new(&reader), 0);
	if (!make("DATAMATRIX", "00041007", &code))
		skip();
	for (int angle = 0; angle < 360; angle += 45) {
		const struct vd_rect *box = &codes->list[0].box;

		photograph(&code, angle, 5, &seen);
		assert_int_equal(vd_code_read(reader, &seen, VD_CODE_DATAMATRIX, 2000, codes), 0);
		assert_int_equal(codes->count, 1);
		assert_string_equal(codes->list[0].text, "00041007");
		assert_in_range(box->x + box->width / 2, seen.width / 2 - 6, seen.width / 2 + 6);
		assert_in_range(box->y + box->height / 2, seen.height / 2 - 6, seen.height / 2 + 6);
	}
}

static void kinds_that_are_not_asked_for_are_not_read(void **state)
{
	VD_CLEANUP(vd_code_reader_free) struct vd_code_reader *reader = NULL;
	VD_CLEANUP(vd_image_fini) struct vd_image code = { 0 };
	VD_CLEANUP(vd_free) struct vd_codes *codes = malloc(sizeof *codes);

	assert_non_null(codes);
	assert_int_equal(vd_code_reader_new(&reader), 0);
	if (!is_installed(reader) || !qr_make("x", 4, &code))
		skip();
	assert_int_equal(vd_code_read(reader, &code, VD_CODE_128 | VD_CODE_EAN13, 50, codes), 0);
	assert_int_equal(codes->count, 0);
	assert_int_equal(vd_code_read(reader, &code, 0, 50, codes), -EINVAL);
}

static void noise_holds_no_code_and_the_search_ends_in_time(void **state)
{
	VD_CLEANUP(vd_code_reader_free) struct vd_code_reader *reader = NULL;
	VD_CLEANUP(vd_image_fini) struct vd_image image = { 0 };
	VD_CLEANUP(vd_free) struct vd_codes *codes = malloc(sizeof *codes);
	uint32_t seed = 3;

	assert_non_null(codes);
	assert_int_equal(vd_code_reader_new(&reader), 0);
	if (vd_image_shape(&image, 600, 400, VD_GREY) < 0)
		abort();
	for (int y = 0; y < 400; y++) {
		for (int x = 0; x < 600; x++)
			vd_image_row(&image, y)[x] = (uint8_t)(128 + 60 * scene_noise(&seed));
	}
	assert_int_equal(vd_code_read(reader, &image, VD_CODE_DATAMATRIX, 200, codes), 0);
	assert_int_equal(codes->count, 0);
}

/* ---- judging ---- */

static struct vd_codes *codes_of(const char *const *texts)
{
	static struct vd_codes codes;

	codes = (struct vd_codes){ 0 };
	for (; *texts; texts++) {
		struct vd_code *code = &codes.list[codes.count++];

		code->kind = VD_CODE_QR;
		code->len = strlen(*texts);
		memcpy(code->text, *texts, code->len);
	}
	return &codes;
}

static enum vd_code_verdict judge(const char *literal, const char *pattern,
				  const char *const *texts)
{
	VD_CLEANUP(vd_code_expectation_free) struct vd_code_expectation *expectation = NULL;
	const struct vd_code *code;
	char text[128];

	assert_int_equal(vd_code_expectation_new(literal, pattern, text, &expectation), 0);
	return vd_code_judge(expectation, codes_of(texts), &code);
}

#define TEXTS(...)                                                                                 \
	(const char *const[])                                                                      \
	{                                                                                          \
		__VA_ARGS__, NULL                                                                  \
	}

static void a_code_is_judged_by_all_of_its_text(void **state)
{
	assert_int_equal(judge("LOT1", NULL, TEXTS("LOT1")), VD_CODE_FITS);
	assert_int_equal(judge("LOT1", NULL, TEXTS("LOT12")), VD_CODE_DIFFERS);
	assert_int_equal(judge("LOT.", NULL, TEXTS("LOT1")), VD_CODE_DIFFERS);
	assert_int_equal(judge(NULL, "LOT[0-9]{3}", TEXTS("LOT123")), VD_CODE_FITS);
	assert_int_equal(judge(NULL, "^LOT[0-9]{3}$", TEXTS("LOT123")), VD_CODE_FITS);
	assert_int_equal(judge(NULL, "LOT[0-9]{3}", TEXTS("LOT1234")), VD_CODE_DIFFERS);
	assert_int_equal(judge(NULL, "LOT[0-9]{3}", TEXTS("xLOT123")), VD_CODE_DIFFERS);
	assert_int_equal(judge(NULL, "a|ab", TEXTS("ab")), VD_CODE_FITS);
}

static void one_of_several_codes_must_fit_and_no_two(void **state)
{
	assert_int_equal(judge(NULL, "LOT[0-9]+", TEXTS("EAN", "LOT7")), VD_CODE_FITS);
	assert_int_equal(judge(NULL, "LOT[0-9]+", TEXTS("LOT7", "LOT7")), VD_CODE_FITS);
	assert_int_equal(judge(NULL, "LOT[0-9]+", TEXTS("LOT7", "LOT8")), VD_CODE_AMBIGUOUS);
	assert_int_equal(judge("LOT7", NULL, (const char *const[]){ NULL }), VD_CODE_NONE);
}

static void a_list_that_was_cut_decides_nothing(void **state)
{
	VD_CLEANUP(vd_code_expectation_free) struct vd_code_expectation *expectation = NULL;
	struct vd_codes *codes = codes_of(TEXTS("LOT7"));
	const struct vd_code *code;
	char text[128];

	codes->is_cut = true;
	assert_int_equal(vd_code_expectation_new("LOT7", NULL, text, &expectation), 0);
	assert_int_equal(vd_code_judge(expectation, codes, &code), VD_CODE_AMBIGUOUS);
}

static void a_nul_in_a_code_never_shortens_it(void **state)
{
	VD_CLEANUP(vd_code_expectation_free) struct vd_code_expectation *expectation = NULL;
	struct vd_codes *codes = codes_of(TEXTS("LOT7xx"));
	const struct vd_code *code;
	char text[128];

	codes->list[0].text[4] = '\0';
	assert_int_equal(vd_code_expectation_new(NULL, "LOT7", text, &expectation), 0);
	assert_int_equal(vd_code_judge(expectation, codes, &code), VD_CODE_DIFFERS);
}

static void a_wrong_pattern_is_refused_with_its_reason(void **state)
{
	struct vd_code_expectation *expectation = NULL;
	char text[128] = "";

	assert_int_equal(vd_code_expectation_new(NULL, "LOT[0-9", text, &expectation), -EINVAL);
	assert_string_not_equal(text, "");
}

static void what_is_printed_is_utf8_without_controls(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		const char *wanted;
	} cases[] = {
		{ "plain", 5, "plain" },       { "\xc3\xa9t\xc3\xa9", 5, "\xc3\xa9t\xc3\xa9" },
		{ "a\x1d\xff z", 5, "a?? z" }, { "\xed\xa0\x80", 3, "???" },
		{ "a\0b", 3, "a?b" },          { "\xe2\x82", 2, "??" },
	};

	for (size_t i = 0; i < VD_COUNT(cases); i++) {
		struct vd_code code = { .len = cases[i].len };
		char text[16], small[3];

		memcpy(code.text, cases[i].bytes, code.len);
		vd_code_print(&code, text, sizeof text);
		assert_string_equal(text, cases[i].wanted);
		vd_code_print(&code, small, sizeof small);
		assert_true(strlen(small) < sizeof small);
	}
}

static void kinds_have_names_both_ways(void **state)
{
	for (int kind = 1; kind <= VD_CODE_DATAMATRIX; kind *= 2)
		assert_int_equal(vd_code_kind_of(vd_code_kind_name((enum vd_code_kind)kind)), kind);
	assert_int_equal(vd_code_kind_of("pharmacode"), 0);
}

VD_TEST_MAIN(cmocka_unit_test(what_zint_draws_is_read),
	     cmocka_unit_test(what_qrencode_draws_is_read_turned_and_noisy),
	     cmocka_unit_test(a_turned_data_matrix_is_read_where_it_is),
	     cmocka_unit_test(kinds_that_are_not_asked_for_are_not_read),
	     cmocka_unit_test(noise_holds_no_code_and_the_search_ends_in_time),
	     cmocka_unit_test(a_code_is_judged_by_all_of_its_text),
	     cmocka_unit_test(one_of_several_codes_must_fit_and_no_two),
	     cmocka_unit_test(a_list_that_was_cut_decides_nothing),
	     cmocka_unit_test(a_nul_in_a_code_never_shortens_it),
	     cmocka_unit_test(a_wrong_pattern_is_refused_with_its_reason),
	     cmocka_unit_test(what_is_printed_is_utf8_without_controls),
	     cmocka_unit_test(kinds_have_names_both_ways))
