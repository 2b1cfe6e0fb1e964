/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/vision/code.h"

#include <dmtx.h>
#include <errno.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "modules/vision/zbar.h"

static const char *const names[] = { "qr",      "code128", "code39",    "code93",
				     "ean13",   "ean8",    "upca",      "interleaved25",
				     "codabar", "databar", "datamatrix" };

const char *vd_code_kind_name(enum vd_code_kind kind)
{
	for (size_t i = 0; i < VD_COUNT(names); i++) {
		if ((int)kind == 1 << i)
			return names[i];
	}
	return "none";
}

int vd_code_kind_of(const char *name)
{
	for (size_t i = 0; i < VD_COUNT(names); i++) {
		if (strcmp(names[i], name) == 0)
			return 1 << i;
	}
	return 0;
}

struct vd_code_reader {
	struct vd_zbar *zbar;
	unsigned char *pixels; /* the image without padding */
	size_t capacity;
};

int vd_code_reader_new(struct vd_code_reader **ret_reader)
{
	*ret_reader = calloc(1, sizeof **ret_reader);
	return *ret_reader ? 0 : -ENOMEM;
}

struct vd_code_reader *vd_code_reader_free(struct vd_code_reader *reader)
{
	if (!reader)
		return NULL;
	(void)vd_zbar_free(reader->zbar);
	free(reader->pixels);
	free(reader);
	return NULL;
}

void vd_codes_add(struct vd_codes *codes, const struct vd_code *code, const char *text, size_t len)
{
	struct vd_code *to = &codes->list[codes->count];

	if (codes->count == VD_CODES_MOST || len >= VD_CODE_BYTES) {
		codes->is_cut = true;
		return;
	}
	*to = *code;
	memcpy(to->text, text, len);
	to->text[len] = '\0';
	to->len = len;
	codes->count++;
}

/* ---- Data Matrix ---- */

static struct vd_rect box_of(DmtxRegion *region, int height)
{
	double left = 1e9, right = -1e9, low = 1e9, high = -1e9;

	for (int corner = 0; corner < 4; corner++) {
		DmtxVector2 p = { corner & 1 ? 1 : 0, corner & 2 ? 1 : 0 };

		(void)dmtxMatrix3VMultiplyBy(&p, region->fit2raw);
		left = p.X < left ? p.X : left;
		right = p.X > right ? p.X : right;
		low = p.Y < low ? p.Y : low;
		high = p.Y > high ? p.Y : high;
	}
	/* libdmtx counts rows from the bottom. */
	return (struct vd_rect){ (int)left, height - 1 - (int)high, (int)(right - left) + 1,
				 (int)(high - low) + 1 };
}

static void read_region(DmtxDecode *decode, DmtxRegion *region, int height, struct vd_codes *codes)
{
	DmtxMessage *message = dmtxDecodeMatrixRegion(decode, region, DmtxUndefined);
	const struct vd_code code = { .kind = VD_CODE_DATAMATRIX, .box = box_of(region, height) };

	if (!message)
		return;
	if (message->outputIdx > 0)
		vd_codes_add(codes, &code, (const char *)message->output,
			     (size_t)message->outputIdx);
	(void)dmtxMessageDestroy(&message);
}

/* Stops at the first code: to know that there is no other takes a search of the whole image. */
static int read_matrix(unsigned char *pixels, int width, int height, int timeout_ms,
		       struct vd_codes *codes)
{
	const int before = codes->count;
	DmtxTime deadline = dmtxTimeAdd(dmtxTimeNow(), timeout_ms);
	DmtxImage *image = dmtxImageCreate(pixels, width, height, DmtxPack8bppK);
	DmtxDecode *decode = image ? dmtxDecodeCreate(image, 1) : NULL;

	while (decode && codes->count == before && !codes->is_cut) {
		DmtxRegion *region = dmtxRegionFindNext(decode, &deadline);

		if (!region)
			break;
		read_region(decode, region, height, codes);
		(void)dmtxRegionDestroy(&region);
	}
	if (!decode) {
		(void)dmtxImageDestroy(&image);
		return -ENOMEM;
	}
	(void)dmtxDecodeDestroy(&decode);
	(void)dmtxImageDestroy(&image);
	return 0;
}

/* ---- reading ---- */

static int copy_pixels(struct vd_code_reader *reader, const struct vd_image *image)
{
	const size_t width = (size_t)image->width, size = width * (size_t)image->height;

	if (size > reader->capacity) {
		unsigned char *pixels = malloc(size);

		if (!pixels)
			return -ENOMEM;
		free(reader->pixels);
		reader->pixels = pixels;
		reader->capacity = size;
	}
	for (int y = 0; y < image->height; y++)
		memcpy(reader->pixels + (size_t)y * width, vd_image_row(image, y), width);
	return 0;
}

int vd_code_read(struct vd_code_reader *reader, const struct vd_image *image, unsigned kinds,
		 int timeout_ms, struct vd_codes *ret_codes)
{
	const unsigned bars = kinds & ~(unsigned)VD_CODE_DATAMATRIX;
	int r = kinds ? copy_pixels(reader, image) : -EINVAL;

	ret_codes->count = 0;
	ret_codes->is_cut = false;
	if (r == 0 && bars && !reader->zbar)
		r = vd_zbar_new(&reader->zbar);
	if (r == 0 && bars)
		r = vd_zbar_read(reader->zbar, reader->pixels, image->width, image->height, bars,
				 ret_codes);
	if (r == 0 && (kinds & VD_CODE_DATAMATRIX))
		r = read_matrix(reader->pixels, image->width, image->height, timeout_ms, ret_codes);
	return r;
}

/* ---- judging ---- */

struct vd_code_expectation {
	char *literal; /* NULL: the pattern counts */
	regex_t pattern;
};

int vd_code_expectation_new(const char *literal, const char *pattern, char text[static 128],
			    struct vd_code_expectation **ret_expectation)
{
	struct vd_code_expectation *expectation = calloc(1, sizeof *expectation);
	int code = 0;

	if (!expectation)
		return -ENOMEM;
	if (literal)
		expectation->literal = strdup(literal);
	else
		code = regcomp(&expectation->pattern, pattern, REG_EXTENDED);
	if (code)
		(void)regerror(code, &expectation->pattern, text, 128);
	if (code || (literal && !expectation->literal)) {
		free(expectation);
		return code && code != REG_ESPACE ? -EINVAL : -ENOMEM;
	}
	*ret_expectation = expectation;
	return 0;
}

struct vd_code_expectation *vd_code_expectation_free(struct vd_code_expectation *expectation)
{
	if (!expectation)
		return NULL;
	if (!expectation->literal)
		regfree(&expectation->pattern);
	free(expectation->literal);
	free(expectation);
	return NULL;
}

bool vd_code_expects(const struct vd_code_expectation *expectation, const char *text, size_t len)
{
	regmatch_t match;

	if (expectation->literal)
		return strlen(expectation->literal) == len &&
		       memcmp(expectation->literal, text, len) == 0;
	if (memchr(text, '\0', len))
		return false;
	return regexec(&expectation->pattern, text, 1, &match, 0) == 0 && match.rm_so == 0 &&
	       (size_t)match.rm_eo == len;
}

static bool fits(const struct vd_code_expectation *expectation, const struct vd_code *code)
{
	return vd_code_expects(expectation, code->text, code->len);
}

static bool is_same(const struct vd_code *a, const struct vd_code *b)
{
	return a->len == b->len && memcmp(a->text, b->text, a->len) == 0;
}

enum vd_code_verdict vd_code_judge(const struct vd_code_expectation *expectation,
				   const struct vd_codes *codes, const struct vd_code **ret_code)
{
	const struct vd_code *found = NULL;

	*ret_code = codes->count ? &codes->list[0] : NULL;
	if (codes->is_cut)
		return VD_CODE_AMBIGUOUS;
	for (int i = 0; i < codes->count; i++) {
		const struct vd_code *code = &codes->list[i];

		if (!fits(expectation, code))
			continue;
		if (found && !is_same(found, code))
			return VD_CODE_AMBIGUOUS;
		found = code;
	}
	if (found)
		*ret_code = found;
	return found ? VD_CODE_FITS : codes->count ? VD_CODE_DIFFERS : VD_CODE_NONE;
}

/* ---- for people ---- */

/* Bytes of the character at s, by its first byte and those that follow; 0: not UTF-8. */
static size_t character(const unsigned char *s, size_t len)
{
	const size_t n = s[0] < 0x80   ? 1
			 : s[0] < 0xC2 ? 0
			 : s[0] < 0xE0 ? 2
			 : s[0] < 0xF0 ? 3
			 : s[0] < 0xF5 ? 4
				       : 0;

	if (n == 0 || n > len || (n == 1 && (s[0] < 0x20 || s[0] == 0x7F)))
		return 0;
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xC0) != 0x80)
			return 0;
	}
	if ((s[0] == 0xE0 && s[1] < 0xA0) || (s[0] == 0xED && s[1] > 0x9F) ||
	    (s[0] == 0xF0 && s[1] < 0x90) || (s[0] == 0xF4 && s[1] > 0x8F))
		return 0;
	return n;
}

void vd_code_print_text(const char *text, size_t len, char *out, size_t size)
{
	const unsigned char *from = (const unsigned char *)text;
	size_t at = 0;

	for (size_t i = 0; i < len;) {
		const size_t n = character(from + i, len - i), bytes = n ? n : 1;

		if (at + bytes >= size)
			break;
		if (n)
			memcpy(out + at, from + i, n);
		else
			out[at] = '?';
		at += bytes;
		i += bytes;
	}
	out[at] = '\0';
}

void vd_code_print(const struct vd_code *code, char *text, size_t size)
{
	vd_code_print_text(code->text, code->len, text, size);
}
