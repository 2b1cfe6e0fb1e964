/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The standard Huffman tables (ITU-T T.81 annex K.3) come from libjpeg's own compressor, and are
 * put before the first scan of a file that has none.
 */
#include "modules/image/jpeg.h"

#include <errno.h>
#include <string.h>

#include "modules/image/libjpeg.h"

enum { M_SOI = 0xd8, M_EOI = 0xd9, M_SOS = 0xda, M_DHT = 0xc4, TABLES_BYTES = 512 };

struct tables {
	struct jpeg_compress_struct cinfo;
	struct vd_libjpeg_errors errors;
	uint8_t bytes[TABLES_BYTES];
	size_t len;
};

static void add_table(struct tables *tables, int id, const JHUFF_TBL *table)
{
	uint8_t *to = tables->bytes + tables->len;
	size_t values = 0;

	for (int i = 1; i <= 16; i++)
		values += table->bits[i];
	to[0] = (uint8_t)id;
	memcpy(to + 1, table->bits + 1, 16);
	memcpy(to + 17, table->huffval, values);
	tables->len += 17 + values;
}

static int tables_step(void *argument)
{
	struct tables *tables = argument;
	struct jpeg_compress_struct *cinfo = &tables->cinfo;
	size_t length;

	jpeg_create_compress(cinfo);
	cinfo->in_color_space = JCS_RGB;
	cinfo->input_components = 3;
	jpeg_set_defaults(cinfo);
	tables->len = 4;
	for (int i = 0; i < 2; i++) {
		add_table(tables, i, cinfo->dc_huff_tbl_ptrs[i]);
		add_table(tables, 0x10 | i, cinfo->ac_huff_tbl_ptrs[i]);
	}
	length = tables->len - 2;
	tables->bytes[0] = 0xff;
	tables->bytes[1] = M_DHT;
	tables->bytes[2] = (uint8_t)(length >> 8);
	tables->bytes[3] = (uint8_t)length;
	return 0;
}

/* Where the first scan's marker stands; *ret_tables: one of Huffman tables stood before it. */
static int find_scan(const uint8_t *bytes, size_t len, size_t *ret_at, bool *ret_tables)
{
	bool tables = false;
	size_t at = 2;

	if (len < 4 || bytes[0] != 0xff || bytes[1] != M_SOI)
		return -EBADMSG;
	while (at + 4 <= len && bytes[at] == 0xff) {
		uint8_t marker = bytes[at + 1];

		if (marker == M_SOS) {
			*ret_at = at;
			*ret_tables = tables;
			return 0;
		}
		if (marker == 0xff) { /* fill byte */
			at++;
			continue;
		}
		if (marker < 0xc0 || (marker >= 0xd0 && marker <= M_EOI))
			return -EBADMSG; /* nothing without a length belongs here */
		tables = tables || marker == M_DHT;
		at += 2 + ((size_t)bytes[at + 2] << 8 | bytes[at + 3]);
	}
	return -EBADMSG;
}

static int append_three(struct vd_buf *out, const uint8_t *bytes, size_t len, size_t at,
			const struct tables *tables)
{
	size_t start = out->len;
	int r = vd_buf_append(out, bytes, at);

	if (r == 0)
		r = vd_buf_append(out, tables->bytes, tables->len);
	if (r == 0)
		r = vd_buf_append(out, bytes + at, len - at);
	if (r < 0 && out->data) {
		out->len = start;
		out->data[start] = '\0';
	}
	return r;
}

int vd_jpeg_with_tables(const void *bytes, size_t len, struct vd_buf *out)
{
	struct tables tables = { .len = 0 };
	bool present;
	size_t at;
	int r = find_scan(bytes, len, &at, &present);

	if (r < 0)
		return r;
	if (present)
		return vd_buf_append(out, bytes, len);
	tables.cinfo.err = vd_libjpeg_errors_init(&tables.errors, -ENOMEM);
	r = vd_libjpeg_guard(&tables.errors, tables_step, &tables);
	jpeg_destroy_compress(&tables.cinfo);
	return r < 0 ? r : append_three(out, bytes, len, at, &tables);
}
