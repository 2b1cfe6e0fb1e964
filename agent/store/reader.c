/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Turns rows into batches to send, ahead of the sender. Small rows that follow each other in
 * one class are joined, so that a backlog of single verdicts does not leave as single messages.
 * A row that is large enough leaves as it lies on the disk, without being unpacked and packed.
 * A row that is in a batch is claimed: it is neither loaded again nor evicted until the hub
 * has it and its deletion is committed.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/store/private.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"

enum { LARGE = VD_BATCH_RECORDS / 4 };

static const struct vd_claim *find_claim(const struct vd_writer *w, enum vd_class class,
					 uint64_t first)
{
	for (const struct vd_claim *c = w->claims; c; c = c->next)
		if (c->class == class && first >= c->first && first <= c->last)
			return c;
	return NULL;
}

int vd_reader_unclaimed(struct vd_store *store, enum vd_class class, uint64_t after, uint64_t upto,
			int kind, struct vd_row *ret_row)
{
	for (;;) {
		int r = vd_db_next(store->writer.db, class, after, upto, kind, ret_row);
		const struct vd_claim *claim;

		if (r != 1)
			return r;
		claim = find_claim(&store->writer, class, ret_row->first);
		if (!claim)
			return 1;
		after = claim->last;
	}
}

/* Where the rows of a class lie that a stream takes: (after, upto]. */
static void stream_range(const struct vd_writer *w, enum vd_stream stream, enum vd_class class,
			 uint64_t *after, uint64_t *upto)
{
	*after = w->hints[class][stream == VD_STREAM_LIVE];
	*upto = stream == VD_STREAM_BACKLOG ? w->boundary : UINT64_MAX;
	if (stream == VD_STREAM_LIVE && *after < w->boundary)
		*after = w->boundary;
}

/* It was delivered or counted out, and has come back. */
static bool is_stale(const struct vd_store *store, const struct vd_row *row)
{
	return vd_account_is_settled(&store->writer.ledger.account, row->class, row->first,
				     row->last);
}

/* Whether a row is worth a message of its own; tombstones are read. */
static bool is_large(const struct vd_store *store, const struct vd_row *row)
{
	return row->kind == VD_ROW_RECORDS && row->last - row->first + 1 >= LARGE &&
	       !store->send_plain;
}

static bool is_sound(struct vd_store *store, const struct vd_row *row)
{
	return vd_row_crc(row) == row->crc && !is_stale(store, row) &&
	       (is_large(store, row) || vd_batch_unpack(store->writer.packer, row->data, row->len,
							&store->writer.spare) == 0);
}

/* A rotten row ends as a tombstone, in a transaction of its own. */
static int drop_rotten(struct vd_store *store, const struct vd_row *row)
{
	struct vd_writer *w = &store->writer;
	struct vd_ledger before = w->ledger;
	int r;

	vd_log(VD_ERROR, is_stale(store, row) ? "store.row-stale" : "store.row-rotten",
	       "class=%s firstSeq=%" PRIu64 " lastSeq=%" PRIu64, vd_class_name(row->class),
	       row->first, row->last);
	r = vd_db_begin(w->db);
	if (r == 0)
		r = vd_room_lose(store, row, VD_REASON_CORRUPT);
	if (r == 0)
		r = vd_room_settle(store);
	if (r == 0)
		r = vd_room_write_tombstones(store);
	if (r == 0)
		r = vd_writer_commit(store);
	if (r < 0) {
		vd_db_rollback(w->db);
		w->ledger = before;
	}
	return r;
}

/* As vd_reader_unclaimed, but what it finds is sound; what is not large is in writer.spare. */
static int next_sound(struct vd_store *store, enum vd_class class, uint64_t after, uint64_t upto,
		      struct vd_row *ret_row)
{
	for (;;) {
		int r = vd_reader_unclaimed(store, class, after, upto, -1, ret_row);

		if (r != 1 || is_sound(store, ret_row))
			return r;
		r = drop_rotten(store, ret_row);
		if (r < 0)
			return r;
	}
}

/* What a tombstone of ours counts; text is its row: [{…,"body":{"class":"raw","count":7,…}}] */
static void add_named(struct vd_claim *claim, const struct vd_buf *text)
{
	VD_CLEANUP(vd_json_free) cJSON *array = NULL;
	const cJSON *body;
	enum vd_class class;

	if (vd_json_parse(text->data, text->len, &array, NULL) < 0)
		return;
	body = vd_json_object(cJSON_GetArrayItem(array, 0), "body");
	if (body && vd_class_parse(vd_json_string(body, "class", ""), &class) == 0)
		claim->named[class] += (uint64_t)vd_json_int(body, "count", 0);
}

static void add_to_claim(struct vd_claim *claim, const struct vd_row *row,
			 const struct vd_buf *text)
{
	claim->last = row->last;
	if (row->kind == VD_ROW_TOMBSTONE) {
		claim->tombstone_rows++;
		claim->tombstone_bytes += vd_row_cost(row);
		add_named(claim, text);
		return;
	}
	claim->rows++;
	claim->bytes += vd_row_cost(row);
	claim->records += row->last - row->first + 1;
}

/* The end of what may be joined to a batch of class without passing an urgent row of the other. */
static int urgent_limit(struct vd_store *store, enum vd_class class, uint64_t *upto)
{
	enum vd_class other = class == VD_ALARM ? VD_VERDICT : VD_ALARM;
	struct vd_row row;
	int r = vd_reader_unclaimed(store, other, store->writer.hints[other][0], *upto, -1, &row);

	if (r == 1)
		*upto = row.first - 1;
	return r < 0 ? r : 0;
}

static uint64_t claim_count(const struct vd_claim *claim)
{
	return claim->records + claim->tombstone_rows;
}

/* A batch is a range of numbers: it must not reach across another one's. */
static bool has_claim_between(const struct vd_writer *w, enum vd_class class, uint64_t after,
			      uint64_t before)
{
	for (const struct vd_claim *c = w->claims; c; c = c->next)
		if (c->class == class && c->first > after && c->first < before)
			return true;
	return false;
}

/* Joins the row in spare, and those that follow it, in writer.raw; a large one stays alone. */
static int gather(struct vd_store *store, struct vd_row *row, uint64_t upto, struct vd_claim *claim)
{
	struct vd_writer *w = &store->writer;
	char boot_id[sizeof row->boot_id];
	int r = 1;

	memcpy(boot_id, row->boot_id, sizeof boot_id);
	vd_buf_clear(&w->raw);
	vd_buf_clear(&w->stored);
	if (vd_buf_append(&w->stored, row->data, row->len) < 0)
		return -ENOMEM;
	if (is_large(store, row)) {
		add_to_claim(claim, row, &w->spare);
		return 0;
	}
	while (r == 1) {
		uint64_t after = row->last;

		if (vd_batch_join(&w->raw, w->spare.data, w->spare.len) < 0)
			return -ENOMEM;
		add_to_claim(claim, row, &w->spare);
		vd_room_claimed(store, row);
		r = next_sound(store, claim->class, after, upto, row);
		if (r == 1 &&
		    (is_large(store, row) || w->raw.len + w->spare.len > VD_BATCH_BYTES ||
		     claim_count(claim) + (row->last - row->first + 1) > VD_BATCH_RECORDS ||
		     has_claim_between(w, claim->class, after, row->first) ||
		     strcmp(boot_id, row->boot_id) != 0))
			break;
	}
	memcpy(row->boot_id, boot_id, sizeof boot_id);
	return r < 0 ? r : 0;
}

static struct vd_shipment *make_shipment(struct vd_store *store, const struct vd_claim *claim,
					 const char *boot_id, const struct vd_buf *payload)
{
	struct vd_shipment *s = malloc(sizeof *s + payload->len);

	if (!s)
		return NULL;
	*s = (struct vd_shipment){ .batch = { .id = claim->id,
					      .class = claim->class,
					      .first_seq = claim->first,
					      .last_seq = claim->last,
					      .count = (uint32_t)claim_count(claim),
					      .bag = s->bag,
					      .payload = s->payload,
					      .len = payload->len } };
	memcpy(s->payload, payload->data, payload->len);
	(void)snprintf(s->bag, sizeof s->bag,
		       "%%24.mid=%s%%3A%" PRIu64 "-%" PRIu64 "&%%24.ct=application%%2Fjson"
		       "&%%24.ce=%s&vd-batch=1&class=%s",
		       boot_id, claim->first, claim->last, store->send_plain ? "utf-8" : "zstd",
		       vd_class_name(claim->class));
	return s;
}

static int pack_shipment(struct vd_store *store, const struct vd_claim *claim, const char *boot_id,
			 struct vd_shipment **ret_shipment)
{
	struct vd_writer *w = &store->writer;
	const struct vd_buf *payload = &w->raw;

	if (!store->send_plain && claim->rows + claim->tombstone_rows == 1) {
		payload = &w->stored; /* as it lies on the disk */
	} else if (!store->send_plain) {
		if (vd_batch_pack(w->packer, w->raw.data, w->raw.len, &w->packed) < 0)
			return -ENOMEM;
		payload = &w->packed;
	}
	*ret_shipment = make_shipment(store, claim, boot_id, payload);
	return *ret_shipment ? 1 : -ENOMEM;
}

/* The class that a stream sends from next, and where. 1, 0: none, < 0. */
static int pick_row(struct vd_store *store, enum vd_stream stream, struct vd_row *ret_row,
		    uint64_t *ret_upto)
{
	int from = stream == VD_STREAM_URGENT ? VD_ALARM : VD_EVENT;
	int to = stream == VD_STREAM_URGENT ? VD_VERDICT : VD_RAW;
	int found = 0;

	/* Urgent: the smaller number of the two; else the more valuable class. */
	for (int class = from; class <= to && (!found || stream == VD_STREAM_URGENT); class ++) {
		uint64_t after, upto;
		struct vd_row row;
		int r;

		stream_range(&store->writer, stream, (enum vd_class) class, &after, &upto);
		r = vd_reader_unclaimed(store, (enum vd_class) class, after, upto, -1, &row);
		if (r < 0)
			return r;
		if (r == 1 && (!found || row.first < ret_row->first)) {
			*ret_row = row;
			*ret_upto = upto;
			found = 1;
		}
	}
	return found;
}

static void set_hint(struct vd_writer *w, enum vd_stream stream, const struct vd_claim *claim)
{
	w->hints[claim->class][stream == VD_STREAM_LIVE] = claim->last;
}

static int build_shipment(struct vd_store *store, enum vd_stream stream, uint64_t upto,
			  struct vd_row *row, struct vd_claim *claim,
			  struct vd_shipment **ret_shipment)
{
	int r = stream == VD_STREAM_URGENT ? urgent_limit(store, claim->class, &upto) : 0;

	if (r == 0)
		r = next_sound(store, claim->class, claim->first - 1, claim->first, row);
	if (r != 1)
		return r;
	r = gather(store, row, upto, claim);
	return r < 0 ? r : pack_shipment(store, claim, row->boot_id, ret_shipment);
}

/* 1: a batch was loaded; 0: the stream has none; SKIPPED: its next row was rotten, try again. */
enum { SKIPPED = 2 };
static int load_one(struct vd_store *store, enum vd_stream stream,
		    struct vd_shipment **ret_shipment)
{
	struct vd_writer *w = &store->writer;
	uint64_t upto = UINT64_MAX;
	struct vd_row row = { 0 };
	struct vd_claim *claim;
	int r = pick_row(store, stream, &row, &upto);

	if (r != 1)
		return r;
	claim = calloc(1, sizeof *claim);
	if (!claim)
		return -ENOMEM;
	*claim = (struct vd_claim){ .id = ++w->next_id, .class = row.class, .first = row.first };
	r = build_shipment(store, stream, upto, &row, claim, ret_shipment);
	if (r != 1) {
		free(claim);
		return r < 0 ? r : SKIPPED;
	}
	claim->next = w->claims;
	w->claims = claim;
	set_hint(w, stream, claim);
	return 1;
}

/*
 * Whether the stream has room for one more, and hands over the last one loaded. A commit that is
 * due goes first; what is missing then is loaded after it.
 */
static bool wants_more(struct vd_store *store, enum vd_stream stream, struct vd_shipment *loaded)
{
	bool wants;

	(void)pthread_mutex_lock(&store->lock);
	if (loaded) {
		loaded->stream = stream;
		vd_shipments_push(&store->ready[stream], loaded);
		if (store->is_hungry) {
			store->is_hungry = false;
			store->is_ready_new = true;
			vd_store_news(store);
		}
	}
	wants = store->ready[stream].count < (store->is_sending ? VD_READY_MAX : VD_READY_IDLE) &&
		store->ready[stream].bytes < VD_READY_BYTES && store->due_ms > vd_clock_mono_ms();
	(void)pthread_mutex_unlock(&store->lock);
	return wants;
}

int vd_reader_fill(struct vd_store *store)
{
	for (int stream = 0; stream < VD_STREAMS; stream++) {
		struct vd_shipment *loaded = NULL;

		while (wants_more(store, (enum vd_stream)stream, loaded)) {
			int r;

			loaded = NULL;
			r = load_one(store, (enum vd_stream)stream, &loaded);

			if (r < 0)
				return r;
			if (r == 0)
				break;
		}
	}
	return 0;
}

static void take_claim_off(struct vd_account *account, const struct vd_claim *claim)
{
	int class = (int)claim->class;

	(void)vd_account_take(&account->of[class].rows, claim->rows);
	(void)vd_account_take(&account->of[class].bytes, claim->bytes);
	account->of[class].delivered +=
		vd_account_take(&account->of[class].records, claim->records);
	(void)vd_account_take(&account->of[VD_TOMBSTONES].rows, claim->tombstone_rows);
	(void)vd_account_take(&account->of[VD_TOMBSTONES].bytes, claim->tombstone_bytes);
	account->of[VD_TOMBSTONES].delivered +=
		vd_account_take(&account->of[VD_TOMBSTONES].records, claim->tombstone_rows);
	for (int i = 0; i < VD_CLASSES; i++)
		(void)vd_account_take(&account->named[i], claim->named[i]);
}

static int delete_claim(struct vd_store *store, const struct vd_claim *claim)
{
	struct vd_ledger *ledger = &store->writer.ledger;
	int r = vd_db_delete(store->writer.db, claim->class, claim->first, claim->last);

	if (r < 0)
		return r;
	take_claim_off(&ledger->account, claim);
	ledger->is_dirty = true;
	return vd_room_settled(store, claim->class, claim->first, claim->last);
}

static bool is_done(const struct vd_writer *w, uint64_t id)
{
	for (size_t i = 0; i < w->done_count; i++)
		if (w->done_ids[i] == id)
			return true;
	return false;
}

struct vd_claim vd_reader_under_way(const struct vd_writer *w, enum vd_class class)
{
	struct vd_claim sum = { .class = class };

	for (const struct vd_claim *c = w->claims; c; c = c->next) {
		if (c->class != class || is_done(w, c->id))
			continue;
		sum.rows += c->rows;
		sum.bytes += c->bytes;
		sum.records += c->records;
		sum.tombstone_rows += c->tombstone_rows;
		sum.tombstone_bytes += c->tombstone_bytes;
		for (int i = 0; i < VD_CLASSES; i++)
			sum.named[i] += c->named[i];
	}
	return sum;
}

int vd_reader_delete_done(struct vd_store *store)
{
	int r = 0;

	for (const struct vd_claim *c = store->writer.claims; c && r == 0; c = c->next)
		if (is_done(&store->writer, c->id))
			r = delete_claim(store, c);
	return r;
}

void vd_reader_forget_done(struct vd_store *store)
{
	struct vd_writer *w = &store->writer;
	struct vd_claim **link = &w->claims;

	while (*link) {
		struct vd_claim *claim = *link;

		if (!is_done(w, claim->id)) {
			link = &claim->next;
			continue;
		}
		*link = claim->next;
		free(claim);
	}
	w->done_count = 0;
}
