/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who goes when room is needed, and the tombstones they leave. A tombstone that was not loaded
 * for sending yet takes later losses of its kind into itself, so that a long outage with a
 * full outbox leaves a handful of them. One from before a restart is never touched: the hub
 * may have it already.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "agent/store/envelope.h"
#include "agent/store/private.h"
#include "base/clock.h"
#include "base/log.h"

static const char *const reasons[VD_REASONS] = {
	[VD_REASON_QUOTA] = "quota",
	[VD_REASON_FULL] = "full",
	[VD_REASON_EXPIRED] = "expired",
	[VD_REASON_CORRUPT] = "corrupt",
};

int vd_room_insert(struct vd_store *store, const struct vd_row *row, uint64_t records)
{
	struct vd_writer *w = &store->writer;
	int index = row->kind == VD_ROW_TOMBSTONE ? VD_TOMBSTONES : (int)row->class;
	int r = vd_db_insert(w->db, row);

	if (r < 0)
		return r;
	w->ledger.tally.of[index].rows++;
	w->ledger.tally.of[index].records += records;
	w->ledger.tally.of[index].bytes += vd_row_cost(row);
	w->ledger.tally.next_seq = row->last + 1;
	return 0;
}

/* A rotten row may claim anything. */
static uint64_t row_records(const struct vd_row *row)
{
	uint64_t count = row->last >= row->first ? row->last - row->first + 1 : 1;

	return count > VD_BATCH_RECORDS ? VD_BATCH_RECORDS : count;
}

int vd_room_lose(struct vd_store *store, const struct vd_row *row, enum vd_reason reason)
{
	struct vd_writer *w = &store->writer;
	struct vd_loss *loss = &w->ledger.losses[row->class][reason];
	uint64_t count = row_records(row);
	uint64_t first = row->first, last = row->last, cost = vd_row_cost(row);
	enum vd_class class = row->class;
	int r = vd_db_delete(w->db, class, first, first); /* row's data is gone from here on */

	if (r < 0)
		return r;
	w->ledger.tally.of[class].rows--;
	w->ledger.tally.of[class].records -= count;
	w->ledger.tally.of[class].bytes -= cost;
	w->ledger.tally.of[class].evicted += count;
	w->ledger.is_dirty = true;
	if (loss->count == 0 || first < loss->first)
		loss->first = first;
	if (loss->count == 0 || last > loss->last)
		loss->last = last;
	loss->count += count;
	return 0;
}

static int evict_oldest(struct vd_store *store, enum vd_class class, enum vd_reason reason)
{
	struct vd_row row;
	int r = vd_reader_unclaimed(store, class, store->writer.hints[class][0], UINT64_MAX,
				    VD_ROW_RECORDS, &row);

	if (r != 1)
		return r;
	r = vd_room_lose(store, &row, reason);
	return r < 0 ? r : 1;
}

int vd_room_expire(struct vd_store *store)
{
	uint64_t now_ms = vd_writer_clock_ms(&store->writer);

	for (int class = 0; class < VD_CLASSES; class ++) {
		uint64_t ttl_ms = store->ttl_ms[class];
		struct vd_row row;
		int r = ttl_ms ? 1 : 0;

		while (r == 1) {
			r = vd_reader_unclaimed(store, (enum vd_class) class,
						store->writer.hints[class][0], UINT64_MAX,
						VD_ROW_RECORDS, &row);
			if (r == 1 && row.clock_ms + ttl_ms > now_ms)
				break;
			if (r == 1 && (r = vd_room_lose(store, &row, VD_REASON_EXPIRED)) == 0)
				r = 1;
		}
		if (r < 0)
			return r;
	}
	return 0;
}

static uint64_t all_bytes(const struct vd_tally *tally)
{
	uint64_t sum = 0;

	for (int i = 0; i < VD_TALLIES; i++)
		sum += tally->of[i].bytes;
	return sum;
}

static int make_quota(struct vd_store *store, enum vd_class class, uint64_t cost)
{
	const struct vd_tally *tally = &store->writer.ledger.tally;
	uint64_t quota = store->class_max_bytes[class];
	int r = 1;

	while (r == 1 && quota && tally->of[class].bytes + cost > quota)
		r = vd_class_is_urgent(class) ? 0 : evict_oldest(store, class, VD_REASON_QUOTA);
	return r;
}

static int make_total(struct vd_store *store, enum vd_class class, uint64_t cost)
{
	const struct vd_tally *tally = &store->writer.ledger.tally;
	bool has_evictable[VD_CLASSES];

	for (int i = 0; i < VD_CLASSES; i++)
		has_evictable[i] = tally->of[i].rows > 0;
	while (all_bytes(tally) + cost > store->max_bytes) {
		int victim = vd_policy_victim(class, has_evictable);
		int r = victim < 0 ? 0 : evict_oldest(store, (enum vd_class)victim, VD_REASON_FULL);

		if (victim < 0 || r < 0)
			return r;
		if (r == 0) /* all that it has is on its way to the hub */
			has_evictable[victim] = false;
	}
	return 1;
}

int vd_room_make(struct vd_store *store, enum vd_class class, uint64_t cost)
{
	int r = make_quota(store, class, cost);

	return r == 1 ? make_total(store, class, cost) : r;
}

/* Takes an unsent tombstone of the same kind into loss and deletes its row. */
static int take_in(struct vd_store *store, struct vd_loss *loss)
{
	struct vd_writer *w = &store->writer;
	int r;

	if (!loss->row)
		return 0;
	r = vd_db_delete(w->db, VD_EVENT, loss->row, loss->row);
	if (r < 0)
		return r;
	w->ledger.tally.of[VD_TOMBSTONES].rows--;
	w->ledger.tally.of[VD_TOMBSTONES].records--;
	w->ledger.tally.of[VD_TOMBSTONES].bytes -= loss->row_bytes;
	loss->first = loss->row_first < loss->first ? loss->row_first : loss->first;
	loss->last = loss->row_last > loss->last ? loss->row_last : loss->last;
	loss->count += loss->row_count;
	loss->row = 0;
	return 0;
}

/* In memory of its own: the reader may be in the midst of a batch when it meets a rotten row. */
static int build_tombstone(struct vd_store *store, const char *class, const char *reason,
			   const struct vd_loss *loss, struct vd_buf *packed)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf raw = { 0 };
	char body[256];
	int len = snprintf(body, sizeof body,
			   "{\"class\":\"%s\",\"firstSeq\":%" PRIu64 ",\"lastSeq\":%" PRIu64
			   ",\"count\":%" PRIu64 ",\"reason\":\"%s\"}",
			   class, loss->first, loss->last, loss->count, reason);
	struct vd_record record = { .class = VD_EVENT,
				    .module = "agent",
				    .output = "tombstone",
				    .desired_version = -1,
				    .body = body,
				    .body_len = (size_t)len };
	struct vd_moment now = { vd_clock_mono_ms(), vd_clock_wall_ms(), vd_time_quality() };
	int r;

	r = vd_buf_printf(&raw, "[%s%" PRIu64, store->head.data,
			  store->writer.ledger.tally.next_seq);
	if (r == 0)
		r = vd_envelope_tail(&record, &now, &raw);
	if (r == 0)
		r = vd_buf_append(&raw, "]", 1);
	return r < 0 ? r : vd_batch_pack(store->writer.packer, raw.data, raw.len, packed);
}

static int write_tombstone(struct vd_store *store, int class, int reason, struct vd_loss *loss)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf packed = { 0 };
	struct vd_writer *w = &store->writer;
	uint64_t seq = w->ledger.tally.next_seq;
	struct vd_row row = { .class = VD_EVENT,
			      .kind = VD_ROW_TOMBSTONE,
			      .first = seq,
			      .last = seq,
			      .clock_ms = vd_writer_clock_ms(w) };
	int r = take_in(store, loss);

	if (r == 0)
		r = build_tombstone(store, vd_class_name((enum vd_class) class), reasons[reason],
				    loss, &packed);
	if (r < 0)
		return r;
	(void)snprintf(row.boot_id, sizeof row.boot_id, "%s", store->boot_id);
	row.data = packed.data;
	row.len = packed.len;
	row.crc = vd_row_crc(&row);
	r = vd_room_insert(store, &row, 1);
	if (r < 0)
		return r;
	*loss = (struct vd_loss){ .row = seq,
				  .row_first = loss->first,
				  .row_last = loss->last,
				  .row_count = loss->count,
				  .row_bytes = vd_row_cost(&row) };
	return 0;
}

int vd_room_write_tombstones(struct vd_store *store)
{
	for (int class = 0; class < VD_CLASSES; class ++) {
		for (int reason = 0; reason < VD_REASONS; reason++) {
			struct vd_loss *loss = &store->writer.ledger.losses[class][reason];
			int r = loss->count ? write_tombstone(store, class, reason, loss) : 0;

			if (r < 0)
				return r;
		}
	}
	return 0;
}

void vd_room_claimed(struct vd_store *store, const struct vd_row *row)
{
	for (int class = 0; row->kind == VD_ROW_TOMBSTONE && class < VD_CLASSES; class ++)
		for (int reason = 0; reason < VD_REASONS; reason++)
			if (store->writer.ledger.losses[class][reason].row == row->first)
				store->writer.ledger.losses[class][reason].row = 0;
}
