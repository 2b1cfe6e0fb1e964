/* SPDX-License-Identifier: Apache-2.0 */
#include "twin/hub/store/chunks.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "twin/hub/store/inflate.h"
#include "twin/hub/store/sql.h"

enum { BLOCK_BITS = 4096, BLOCK_BYTES = BLOCK_BITS / 8, PLAIN_MAX = 8192, DAY_MS = 86400000 };
enum { SEEN_A_RECORD = 4 }; /* rows of seen that may go with each record that expires */

static const char block_sql[] = "SELECT id, day, bits FROM seen"
				" WHERE device_id = ? AND boot_id = ? AND block = ?";
static const char block_add_sql[] =
	"INSERT INTO seen (device_id, boot_id, block, day, bits) VALUES (?, ?, ?, ?, ?)";
static const char block_set_sql[] = "UPDATE seen SET bits = ?2 WHERE id = ?1";
static const char block_set_day_sql[] = "UPDATE seen SET bits = ?2, day = ?3 WHERE id = ?1";
/* Rows of before there were chunks, or that came in another form. */
static const char stored_sql[] = "SELECT seq FROM records WHERE device_id = ? AND boot_id = ?"
				 " AND seq BETWEEN ? AND ?";
static const char ids_sql[] =
	"UPDATE sqlite_sequence SET seq = seq + ? WHERE name = 'records' RETURNING seq";
static const char add_sql[] = "INSERT INTO chunks VALUES (?, ?, ?, ?, ?, ?, ?)";
static const char expire_sql[] =
	"DELETE FROM chunks WHERE last_id = (SELECT min(last_id) FROM chunks) AND received_ms < ?"
	" RETURNING last_id - first_id + 1";
static const char expire_seen_sql[] =
	"DELETE FROM seen WHERE id IN (SELECT id FROM seen WHERE day < ? LIMIT ?)";

/* --- records of a text --- */

static int scan_all(const char *text, size_t len, struct vd_chunk *chunk)
{
	struct vd_scan scan = { .at = text, .end = text + len };
	size_t room = 0;
	int r;

	for (;;) {
		if (chunk->count == room) {
			room = room ? 2 * room : 256;
			void *more = reallocarray(chunk->records, room, sizeof *chunk->records);

			if (!more)
				return -ENOMEM;
			chunk->records = more;
		}
		r = vd_scan_next(&scan, &chunk->records[chunk->count]);
		if (r != 0)
			return r == VD_SCAN_END ? 0 : VD_STORE_NOT_PLAIN;
		if (++chunk->count > PLAIN_MAX)
			return VD_STORE_NOT_PLAIN;
	}
}

int vd_chunk_unpack(const void *frame, size_t len, struct vd_chunk *chunk)
{
	struct vd_fault fault = { 0 };
	int r;

	vd_buf_clear(&chunk->text);
	chunk->count = 0;
	r = vd_batch_inflate(frame, len, VD_BATCH_BYTES, &chunk->text, &fault);
	chunk->records = (free(chunk->records), NULL);
	if (r == 0)
		r = scan_all(chunk->text.data ? chunk->text.data : "", chunk->text.len, chunk);
	if (r == -EINVAL || r > 0) {
		vd_log(VD_ERROR, "store.chunkDamaged", "id=%lld reason=\"%s\"",
		       (long long)chunk->first_id, fault.text);
		return -EIO;
	}
	return r;
}

void vd_chunk_fini(struct vd_chunk *chunk)
{
	vd_buf_fini(&chunk->text);
	free(chunk->records);
	chunk->records = NULL;
}

static void chunk_fini_p(struct vd_chunk *chunk)
{
	vd_chunk_fini(chunk);
}

/* --- what was seen --- */

struct block {
	const char *device;
	char boot_id[VD_BOOT_ID_MAX + 1];
	int64_t number;
	int64_t id, day; /* 0: there is no row yet */
	uint8_t bits[BLOCK_BYTES];
};

static bool set_bit(struct block *block, int64_t seq)
{
	size_t at = (size_t)(seq % BLOCK_BITS);
	uint8_t bit = (uint8_t)(1U << at % 8);
	bool is_new = !(block->bits[at / 8] & bit);

	block->bits[at / 8] |= bit;
	return is_new;
}

static int load_stored(struct vd_store *s, struct block *block)
{
	int64_t first = block->number * BLOCK_BITS;
	sqlite3_stmt *q = vd_sql(s, stored_sql, "ttii", block->device, block->boot_id, first,
				 first + BLOCK_BITS - 1);
	int r;

	while ((r = vd_sql_step(s, q)) > 0)
		(void)set_bit(block, sqlite3_column_int64(q, 0));
	return r;
}

static int load_block(struct vd_store *s, struct block *block)
{
	sqlite3_stmt *q = vd_sql(s, block_sql, "tti", block->device, block->boot_id, block->number);
	int r = vd_sql_step(s, q);
	size_t len;

	if (r <= 0)
		return r < 0 ? r : load_stored(s, block);
	block->id = sqlite3_column_int64(q, 0);
	block->day = sqlite3_column_int64(q, 1);
	len = (size_t)sqlite3_column_bytes(q, 2);
	if (len > 0 && len <= BLOCK_BYTES)
		memcpy(block->bits, sqlite3_column_blob(q, 2), len);
	vd_sql_done(q);
	return 0;
}

static int save_block(struct vd_store *s, const struct block *block, int64_t day)
{
	size_t len = BLOCK_BYTES;

	while (len > 0 && block->bits[len - 1] == 0)
		len--;
	if (!block->id)
		return vd_sql_run(s, vd_sql(s, block_add_sql, "ttiib", block->device,
					    block->boot_id, block->number, day, block->bits, len));
	if (block->day == day)
		return vd_sql_run(s, vd_sql(s, block_set_sql, "ib", block->id, block->bits, len));
	return vd_sql_run(s, vd_sql(s, block_set_day_sql, "ibi", block->id, block->bits, len, day));
}

static bool is_same_block(const struct vd_scanned *a, const struct vd_scanned *b)
{
	return a->seq / BLOCK_BITS == b->seq / BLOCK_BITS && a->boot_id.len == b->boot_id.len &&
	       !memcmp(a->boot_id.text, b->boot_id.text, a->boot_id.len);
}

/* Marks records of one block; moves the new ones to out. */
static int see_block(struct vd_store *s, const struct vd_batch_text *batch,
		     const struct vd_scanned *records, size_t count, struct vd_scanned *out,
		     size_t *kept)
{
	struct block block = { .device = batch->device, .number = records->seq / BLOCK_BITS };
	size_t before = *kept;
	int r;

	(void)snprintf(block.boot_id, sizeof block.boot_id, "%.*s", (int)records->boot_id.len,
		       records->boot_id.text);
	r = load_block(s, &block);
	for (size_t i = 0; r == 0 && i < count; i++) {
		if (set_bit(&block, records[i].seq))
			out[(*kept)++] = records[i];
	}
	if (r == 0 && *kept > before)
		r = save_block(s, &block, batch->received_ms / DAY_MS);
	return r;
}

/* Leaves those of the records that are new. */
static int keep_new(struct vd_store *s, const struct vd_batch_text *batch,
		    struct vd_scanned *records, size_t *count)
{
	size_t kept = 0;
	int r = 0;

	for (size_t i = 0, stop; r == 0 && i < *count; i = stop) {
		for (stop = i + 1; stop < *count && is_same_block(&records[i], &records[stop]);)
			stop++;
		r = see_block(s, batch, records + i, stop - i, records, &kept);
	}
	*count = kept;
	return r;
}

/* --- storing --- */

static int join(const struct vd_scanned *records, size_t count, struct vd_buf *out)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < count; i++) {
		r = vd_buf_append(out, i ? "," : "[", 1);
		if (r == 0)
			r = vd_buf_append(out, records[i].text.text, records[i].text.len);
	}
	return r < 0 ? r : vd_buf_append(out, "]", 1);
}

/* NULL if they are not all of one. */
static const char *common_module(const struct vd_scanned *records, size_t count,
				 char module[static VD_RECORD_MODULE_MAX + 1])
{
	const struct vd_slice *first = &records->module;

	for (size_t i = 1; i < count; i++) {
		if (records[i].module.len != first->len ||
		    (first->len && memcmp(records[i].module.text, first->text, first->len) != 0))
			return NULL;
	}
	(void)snprintf(module, VD_RECORD_MODULE_MAX + 1, "%.*s", (int)first->len,
		       first->text ? first->text : "");
	return module;
}

static int take_ids(struct vd_store *s, size_t count, int64_t *ret_last)
{
	sqlite3_stmt *q = vd_sql(s, ids_sql, "i", (int64_t)count);
	int r = vd_sql_step(s, q);

	if (r <= 0)
		return r < 0 ? r : -EIO;
	*ret_last = sqlite3_column_int64(q, 0);
	vd_sql_done(q);
	return 0;
}

static int put_chunk(struct vd_store *s, const struct vd_batch_text *batch,
		     const struct vd_scanned *records, size_t count, const void *frame, size_t len)
{
	char module[VD_RECORD_MODULE_MAX + 1];
	const char *class_name = vd_slice_is(records->class_name, "raw") ? "raw" : "telemetry";
	int64_t last;
	int r = take_ids(s, count, &last);

	if (r == 0)
		r = vd_sql_run(s, vd_sql(s, add_sql, "iitittb", last, last - (int64_t)count + 1,
					 batch->device, batch->received_ms, class_name,
					 common_module(records, count, module), frame, len));
	return r != 0 ? r : vd_record_count(s, batch->device, class_name, NULL, (int64_t)count);
}

/* is_all: the records are the whole batch, so that its frame serves if none of them is left out. */
static int add_chunk(struct vd_store *s, const struct vd_batch_text *batch,
		     struct vd_scanned *records, size_t count, bool is_all)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf text = { 0 };
	VD_CLEANUP(vd_buf_fini) struct vd_buf frame = { 0 };
	size_t kept = count;
	int r = keep_new(s, batch, records, &kept);

	if (r != 0 || kept == 0)
		return r;
	if (is_all && kept == count && batch->frame)
		return put_chunk(s, batch, records, kept, batch->frame, batch->frame_len);
	r = join(records, kept, &text);
	if (r == 0)
		r = vd_batch_deflate(text.data, text.len, &frame);
	return r < 0 ? r : put_chunk(s, batch, records, kept, frame.data, frame.len);
}

static const char *copy(struct vd_slice slice, char **at)
{
	char *text = *at;

	if (!slice.text)
		return NULL;
	memcpy(text, slice.text, slice.len);
	text[slice.len] = '\0';
	*at += slice.len + 1;
	return text;
}

static char *make_row(const struct vd_scanned *in, struct vd_record_row *row)
{
	bool is_verdict = vd_slice_is(in->class_name, "verdict");
	size_t size = in->text.len + in->boot_id.len + in->class_name.len + in->module.len +
		      in->verdict.len + in->serial.len + in->wall.len + 7;
	char *texts = malloc(size), *at = texts;
	const char *wall;

	if (!texts)
		return NULL;
	row->boot_id = copy(in->boot_id, &at);
	row->seq = in->seq;
	row->class_name = copy(in->class_name, &at);
	row->module = in->module.text ? copy(in->module, &at) : "";
	row->verdict = is_verdict ? copy(in->verdict, &at) : NULL;
	row->serial = copy(in->serial, &at);
	row->text = copy(in->text, &at);
	wall = copy(in->wall, &at);
	if (!wall || vd_time_parse(wall, &row->wall_ms) < 0)
		row->wall_ms = row->received_ms;
	return texts;
}

static int add_row(struct vd_store *s, const struct vd_batch_text *batch,
		   const struct vd_scanned *record)
{
	struct vd_record_row row = { .device = batch->device, .received_ms = batch->received_ms };
	VD_CLEANUP(vd_free) char *texts = make_row(record, &row);
	int r = texts ? vd_store_record_add(s, &row) : -ENOMEM;

	return r == VD_STORE_DUPLICATE ? 0 : r;
}

int vd_chunk_row(const struct vd_chunk *chunk, size_t index, const char *device, vd_record_fn fn,
		 void *argument)
{
	struct vd_record_row row = { .id = chunk->first_id + (int64_t)index,
				     .device = device,
				     .received_ms = chunk->received_ms };
	VD_CLEANUP(vd_free) char *texts = make_row(&chunk->records[index], &row);

	return texts ? fn(&row, argument) : -ENOMEM;
}

static bool is_packed(const struct vd_scanned *record)
{
	return !record->serial.text && (vd_slice_is(record->class_name, "telemetry") ||
					vd_slice_is(record->class_name, "raw"));
}

static size_t run_length(const struct vd_scanned *records, size_t count)
{
	size_t n = 1;

	while (n < count && is_packed(&records[n]) &&
	       records[n].class_name.len == records->class_name.len)
		n++;
	return n;
}

static int read_batch(const struct vd_batch_text *batch, struct vd_chunk *list)
{
	int r = scan_all(batch->text, batch->len, list);

	for (size_t i = 0; r == 0 && i < list->count; i++) {
		if (!vd_scanned_is_good(&list->records[i], batch->device))
			r = VD_STORE_NOT_PLAIN;
	}
	return r;
}

int vd_store_batch_add(struct vd_store *s, const struct vd_batch_text *batch)
{
	VD_CLEANUP(chunk_fini) struct vd_chunk list = { 0 };
	int r = read_batch(batch, &list);

	for (size_t i = 0, n; r == 0 && i < list.count; i += n) {
		n = is_packed(&list.records[i]) ? run_length(list.records + i, list.count - i) : 1;
		r = is_packed(&list.records[i])
			    ? add_chunk(s, batch, list.records + i, n, n == list.count)
			    : add_row(s, batch, &list.records[i]);
	}
	return r;
}

/* --- retention --- */

static int expire_oldest(struct vd_store *s, int64_t before_ms)
{
	sqlite3_stmt *q = vd_sql(s, expire_sql, "i", before_ms);
	int r = vd_sql_step(s, q);
	int count = r > 0 ? sqlite3_column_int(q, 0) : r;

	if (r > 0) {
		/* The row is given before the statement has ended. */
		r = vd_sql_step(s, q);
		if (r > 0)
			vd_sql_done(q);
	}
	return r < 0 ? r : count;
}

int vd_chunks_expire(struct vd_store *s, int64_t before_ms, int limit)
{
	int count = 0, n = 1, r;

	while (n > 0 && count < limit) {
		n = expire_oldest(s, before_ms);
		if (n < 0)
			return n;
		count += n;
	}
	r = vd_sql_run(s, vd_sql(s, expire_seen_sql, "ii", before_ms / DAY_MS,
				 (int64_t)limit * SEEN_A_RECORD));
	return r < 0 ? r : count;
}
