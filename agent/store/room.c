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
	w->ledger.account.of[index].rows++;
	w->ledger.account.of[index].records += records;
	w->ledger.account.of[index].bytes += vd_row_cost(row);
	w->ledger.account.next_seq = row->last + 1;
	return 0;
}

int vd_room_settled(struct vd_store *store, enum vd_class class, uint64_t first, uint64_t last)
{
	struct vd_account *account = &store->writer.ledger.account;
	uint64_t before = vd_account_settled_before(account, class, first);
	struct vd_row between;
	int r = 1;

	if (before)
		r = vd_db_next(store->writer.db, class, before, first - 1, -1, &between);
	if (r < 0)
		return r;
	vd_account_settle(account, class, first, last, r == 0);
	return 0;
}

static void add_loss(struct vd_loss *loss, uint64_t first, uint64_t last, uint64_t count)
{
	if (count == 0)
		return;
	if (loss->count == 0 || first < loss->first)
		loss->first = first;
	if (loss->count == 0 || last > loss->last)
		loss->last = last;
	loss->count += count;
}

/* What a row counts: one that was settled has been counted before. */
static uint64_t row_records(const struct vd_account *account, const struct vd_row *row)
{
	if (vd_account_is_settled(account, row->class, row->first, row->last))
		return 0;
	return row->last - row->first + 1;
}

int vd_room_lose(struct vd_store *store, const struct vd_row *row, enum vd_reason reason)
{
	struct vd_ledger *ledger = &store->writer.ledger;
	struct vd_account *account = &ledger->account;
	enum vd_class class = row->class;
	int index = row->kind == VD_ROW_TOMBSTONE ? VD_TOMBSTONES : (int)class;
	uint64_t count = row_records(account, row), cost = vd_row_cost(row);
	uint64_t first = row->first, last = row->last;
	int r = vd_db_delete_one(store->writer.db, class, first); /* row's data is gone now */

	if (r < 0)
		return r;
	ledger->is_dirty = true;
	r = count ? vd_room_settled(store, class, first, last) : 0;
	if (r < 0)
		return r;
	if (count) {
		(void)vd_account_take(&account->of[index].rows, 1);
		(void)vd_account_take(&account->of[index].bytes, cost);
	}
	count = vd_account_take(&account->of[index].records, count);
	if (index == VD_TOMBSTONES)
		return 0; /* that its count is missing will show */
	account->of[class].evicted += count;
	add_loss(&ledger->losses[class][reason], first, last, count);
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

static uint64_t all_bytes(const struct vd_account *account)
{
	uint64_t sum = 0;

	for (int i = 0; i < VD_TALLIES; i++)
		sum += account->of[i].bytes;
	return sum;
}

static int make_quota(struct vd_store *store, enum vd_class class, uint64_t cost)
{
	const struct vd_account *account = &store->writer.ledger.account;
	uint64_t quota = store->class_max_bytes[class];
	int r = 1;

	while (r == 1 && quota && account->of[class].bytes + cost > quota)
		r = vd_class_is_urgent(class) ? 0 : evict_oldest(store, class, VD_REASON_QUOTA);
	return r;
}

static int make_total(struct vd_store *store, enum vd_class class, uint64_t cost)
{
	const struct vd_account *account = &store->writer.ledger.account;
	bool has_evictable[VD_CLASSES];

	for (int i = 0; i < VD_CLASSES; i++)
		has_evictable[i] = account->of[i].rows > 0;
	while (all_bytes(account) + cost > store->max_bytes) {
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
	r = vd_room_settled(store, VD_EVENT, loss->row, loss->row);
	if (r < 0)
		return r;
	(void)vd_account_take(&w->ledger.account.of[VD_TOMBSTONES].rows, 1);
	(void)vd_account_take(&w->ledger.account.of[VD_TOMBSTONES].records, 1);
	(void)vd_account_take(&w->ledger.account.of[VD_TOMBSTONES].bytes, loss->row_bytes);
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
			  store->writer.ledger.account.next_seq);
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
	uint64_t seq = w->ledger.account.next_seq;
	struct vd_row row = { .class = VD_EVENT,
			      .kind = VD_ROW_TOMBSTONE,
			      .first = seq,
			      .last = seq,
			      .clock_ms = vd_writer_clock_ms(w) };
	uint64_t count = loss->count;
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
	w->ledger.account.named[class] += count; /* what was taken in is in there already */
	w->ledger.is_dirty = true;
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

/* --- what should be there and is not --- */

static bool is_more_expected(const struct vd_account *account, const struct vd_claim *under_way)
{
	return account->of[under_way->class].records > under_way->records ||
	       (under_way->class == VD_EVENT &&
		account->of[VD_TOMBSTONES].records > under_way->tombstone_rows);
}

static void count_out_records(struct vd_ledger *ledger, const struct vd_claim *under_way)
{
	struct vd_account *account = &ledger->account;
	enum vd_class class = under_way->class;
	uint64_t had = account->of[class].records;
	uint64_t missing = had > under_way->records ? had - under_way->records : 0;

	account->of[class].rows = under_way->rows;
	account->of[class].bytes = under_way->bytes;
	account->of[class].records -= missing;
	account->of[class].evicted += missing;
	add_loss(&ledger->losses[class][VD_REASON_CORRUPT],
		 account->low[class] ? account->low[class] : 1, account->next_seq - 1, missing);
	if (missing)
		vd_log(VD_ERROR, "store.rows-missing", "class=%s records=%" PRIu64,
		       vd_class_name(class), missing);
}

/* Tombstones that are gone are said again, in one for each class that they counted. */
static void count_out_tombstones(struct vd_ledger *ledger, const struct vd_claim *under_way)
{
	struct vd_account *account = &ledger->account;

	account->of[VD_TOMBSTONES].rows = under_way->tombstone_rows;
	account->of[VD_TOMBSTONES].records = under_way->tombstone_rows;
	account->of[VD_TOMBSTONES].bytes = under_way->tombstone_bytes;
	for (int class = 0; class < VD_CLASSES; class ++) {
		uint64_t missing = account->named[class] - under_way->named[class];

		if (account->named[class] <= under_way->named[class])
			continue;
		for (int reason = 0; reason < VD_REASONS; reason++)
			ledger->losses[class][reason].row = 0;
		account->named[class] -= missing;
		add_loss(&ledger->losses[class][VD_REASON_CORRUPT], 1, account->next_seq - 1,
			 missing);
	}
}

int vd_room_settle(struct vd_store *store)
{
	struct vd_writer *w = &store->writer;

	for (int class = 0; class < VD_CLASSES; class ++) {
		struct vd_claim under_way = vd_reader_under_way(w, (enum vd_class) class);
		struct vd_row row;
		int r;

		if (!is_more_expected(&w->ledger.account, &under_way))
			continue;
		r = vd_reader_unclaimed(store, (enum vd_class) class, w->hints[class][0],
					UINT64_MAX, -1, &row);
		if (r < 0)
			return r;
		if (r == 1)
			continue;
		count_out_records(&w->ledger, &under_way);
		if (class == VD_EVENT)
			count_out_tombstones(&w->ledger, &under_way);
		w->ledger.is_dirty = true;
	}
	return 0;
}
