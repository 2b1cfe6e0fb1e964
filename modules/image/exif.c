/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/image/exif.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/attr.h"

static bool begins(const void *bytes, size_t len, const char *with, size_t with_len)
{
	return len >= with_len && memcmp(bytes, with, with_len) == 0;
}

const char *vd_image_mime(const void *bytes, size_t len)
{
	static const struct {
		const char *begin;
		size_t len;
		const char *mime;
	} kinds[] = {
		{ "\xff\xd8\xff", 3, "image/jpeg" },
		{ "\x89PNG\r\n\x1a\n", 8, "image/png" },
		{ "GIF8", 4, "image/gif" },
		{ "BM", 2, "image/bmp" },
		{ "II*\0", 4, "image/tiff" },
		{ "MM\0*", 4, "image/tiff" },
		{ "P5", 2, "image/x-portable-anymap" },
		{ "P6", 2, "image/x-portable-anymap" },
	};

	for (size_t i = 0; i < VD_COUNT(kinds); i++) {
		if (begins(bytes, len, kinds[i].begin, kinds[i].len))
			return kinds[i].mime;
	}
	if (begins(bytes, len, "RIFF", 4) && len >= 12 &&
	    memcmp((const char *)bytes + 8, "WEBP", 4) == 0)
		return "image/webp";
	return NULL;
}

/* ---- EXIF ---- */

enum { ENTRY_BYTES = 12, TAG_ORIENTATION = 0x0112, TYPE_SHORT = 3 };

struct tiff {
	const uint8_t *p;
	size_t len;
	bool is_little;
};

/* 0 beyond the end: no number that is looked for. */
static uint32_t number(const struct tiff *tiff, size_t at, size_t size)
{
	uint32_t value = 0;

	if (at > tiff->len || size > tiff->len - at)
		return 0;
	for (size_t i = 0; i < size; i++)
		value = value << 8 | tiff->p[at + (tiff->is_little ? size - 1 - i : i)];
	return value;
}

static int orientation_in(const struct tiff *tiff)
{
	const size_t directory = number(tiff, 4, 4);
	const size_t entries = number(tiff, directory, 2);

	for (size_t i = 0; i < entries; i++) {
		const size_t at = directory + 2 + i * ENTRY_BYTES;
		uint32_t value;

		if (at + ENTRY_BYTES > tiff->len)
			return 0;
		if (number(tiff, at, 2) != TAG_ORIENTATION)
			continue;
		value = number(tiff, at + 8, 2);
		return number(tiff, at + 2, 2) == TYPE_SHORT && value <= 8 ? (int)value : 0;
	}
	return 0;
}

int vd_exif_orientation(const void *bytes, size_t len)
{
	static const char mark[6] = "Exif\0";
	struct tiff tiff;

	if (!begins(bytes, len, mark, sizeof mark))
		return 0;
	tiff = (struct tiff){ (const uint8_t *)bytes + sizeof mark, len - sizeof mark, false };
	if (begins(tiff.p, tiff.len, "II*\0", 4))
		tiff.is_little = true;
	else if (!begins(tiff.p, tiff.len, "MM\0*", 4))
		return 0;
	return orientation_in(&tiff);
}
