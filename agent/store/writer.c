/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The thread that writes. A group is whatever was queued when the last commit ended; documents
 * start one at once, alarms and verdicts when the turn of the loop ends that brought them, the
 * others wait up to VD_GATHER_MS for company.
 * When a transaction fails everything in it is kept and tried again every second, so the
 * recovery needs no case of its own.
 */
#include "agent/store/private.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

enum { RETRY_MS = 1000, EXPIRY_MIN_MS = 20, EXPIRY_MAX_MS = 5000 };

uint64_t vd_writer_clock_ms(const struct vd_writer *w)
{
	return vd_clock_mono_ms() + (uint64_t)w->ledger.account.clock_offset_ms;
}

static void set_degraded(struct vd_store *store, const char *reason)
{
	(void)pthread_mutex_lock(&store->lock);
	if (strcmp(store->degraded, reason) != 0) {
		(void)snprintf(store->degraded, sizeof store->degraded, "%s", reason);
		store->is_state_new = true;
		vd_store_news(store);
		if (*reason)
			vd_log(VD_ERROR, "store.degraded", "reason=\"%s\"", reason);
		else
			vd_log(VD_NOTICE, "store.sound", "path=%s", store->path);
	}
	(void)pthread_mutex_unlock(&store->lock);
}

int vd_writer_open(struct vd_store *store, struct vd_fault *fault)
{
	struct vd_writer *w = &store->writer;
	char error[256] = "";
	int r;

	w->documents_end = &w->documents;
	w->beside.fd = -1;
	w->ledger.account.next_seq = 1;
	w->packer = vd_packer_new();
	if (!w->packer) {
		vd_fault_set(fault, 500, "", "%s: out of memory", store->path);
		return -ENOMEM;
	}
	r = vd_opening_open(store, error, sizeof error);
	if (r == -EBUSY || r == -ENOMEM) {
		vd_fault_set(fault, 500, "", "%s: %s", store->path,
			     r == -EBUSY ? "another process has it open" : "out of memory");
		return r;
	}
	if (r < 0) {
		set_degraded(store, error);
		w->retry_ms = vd_clock_mono_ms() + RETRY_MS;
	}
	return 0;
}

/* --- one group, one transaction --- */

static int put_documents(struct vd_writer *w)
{
	int r = 0;

	for (struct vd_document *d = w->documents; d && r == 0; d = d->next)
		r = vd_db_document_put(w->db, d->name, d->text, d->len);
	return r;
}

static int append_record(struct vd_store *store, const struct vd_entry *e)
{
	struct vd_buf *raw = &store->writer.raw;
	int r = vd_buf_append(raw, raw->len ? "," : "[", 1);

	if (r == 0)
		r = vd_buf_append(raw, store->head.data, store->head.len);
	if (r == 0)
		r = vd_buf_printf(raw, "%" PRIu64, e->seq);
	return r < 0 ? r : vd_buf_append(raw, e->tail, e->len);
}

/*
 * Takes entries from *from on into one row, until it is full; *from is then the next one. 0: all
 * of them repeat stored ones, there is no row.
 */
static int build_row(struct vd_store *store, struct vd_entry **from, struct vd_row *row)
{
	struct vd_writer *w = &store->writer;
	uint64_t seq = row->first;
	struct vd_entry *e = *from;
	int r = 0;

	vd_buf_clear(&w->raw);
	for (; r >= 0 && e && seq - row->first < VD_BATCH_RECORDS && w->raw.len < VD_BATCH_BYTES;
	     e = e->next) {
		r = vd_key_find(store, *from, e);
		if (r != 0)
			continue;
		e->seq = seq++;
		r = append_record(store, e);
	}
	*from = e;
	if (r < 0 || seq == row->first)
		return r < 0 ? r : 0;
	r = vd_buf_append(&w->raw, "]", 1);
	if (r == 0)
		r = vd_batch_pack(w->packer, w->raw.data, w->raw.len, &w->packed);
	row->last = seq - 1;
	row->data = w->packed.data;
	row->len = w->packed.len;
	row->crc = vd_row_crc(row);
	return r < 0 ? r : 1;
}

static int refuse_row(struct vd_entry *from, const struct vd_entry *end)
{
	for (; from != end; from = from->next) {
		if (from->repeat == VD_REPEAT_OF_STORED)
			continue;
		from->fault = calloc(1, sizeof *from->fault);
		if (!from->fault)
			return -ENOMEM;
		vd_fault_set(from->fault, 507, "", "the outbox is full");
	}
	return 0;
}

static int index_images(struct vd_store *store, struct vd_entry *from, const struct vd_entry *end)
{
	int r = 0;

	for (; r == 0 && from != end; from = from->next)
		if (!from->repeat)
			r = vd_image_index(store, from);
	return r;
}

static int insert_row(struct vd_store *store, const struct vd_row *row, struct vd_entry *from,
		      const struct vd_entry *end)
{
	int r = vd_room_make(store, row->class, vd_row_cost(row));

	if (r != 1)
		return r < 0 ? r : refuse_row(from, end);
	r = vd_room_insert(store, row, row->last - row->first + 1);
	if (r == 0)
		r = vd_key_keep(store, from, end);
	return r < 0 ? r : index_images(store, from, end);
}

static int insert_class(struct vd_store *store, enum vd_class class)
{
	struct vd_writer *w = &store->writer;
	struct vd_entry *next = w->held[class].head;

	while (next) {
		struct vd_entry *from = next;
		struct vd_row row = { .class = class,
				      .first = w->ledger.account.next_seq,
				      .clock_ms = vd_writer_clock_ms(w) };
		int r;

		memcpy(row.boot_id, store->boot_id, sizeof row.boot_id);
		r = build_row(store, &next, &row);
		if (r == 1)
			r = insert_row(store, &row, from, next);
		if (r < 0)
			return r;
	}
	return 0;
}

static int insert_all(struct vd_store *store)
{
	int r = 0;

	for (int class = 0; class < VD_CLASSES && r == 0; class ++)
		r = insert_class(store, (enum vd_class) class);
	return r;
}

/* Rows that went are taken from the account in the same transaction; the copy beside follows it. */
int vd_writer_commit(struct vd_store *store)
{
	struct vd_writer *w = &store->writer;
	struct vd_account *account = &w->ledger.account;
	int r = 0;

	account->clock_ms = vd_writer_clock_ms(w);
	account->kernel_boot = w->kernel_boot;
	if (w->ledger.is_dirty) {
		account->saves++;
		r = vd_db_account_save(w->db, account);
	}
	if (r == 0)
		r = vd_db_commit(w->db);
	if (r < 0)
		return r;
	w->ledger.is_dirty = false;
	vd_account_write(&w->beside, account);
	return 0;
}

static int write_group(struct vd_store *store)
{
	struct vd_writer *w = &store->writer;
	int r = vd_db_begin(w->db);

	if (r == 0)
		r = vd_reader_delete_done(store);
	if (r == 0)
		r = put_documents(w);
	if (r == 0)
		r = vd_upload_end_all(store);
	if (r == 0 && w->needs_adoption)
		r = vd_image_adopt(store);
	if (r == 0)
		r = vd_room_expire(store);
	if (r == 0)
		r = insert_all(store);
	if (r == 0)
		r = vd_image_make_room(store);
	if (r == 0)
		r = vd_room_settle(store);
	if (r == 0)
		r = vd_room_write_tombstones(store);
	return r < 0 ? r : vd_writer_commit(store);
}

static void forget_outcomes(struct vd_writer *w)
{
	for (int class = 0; class < VD_CLASSES; class ++) {
		for (struct vd_entry *e = w->held[class].head; e; e = e->next) {
			free(e->fault);
			e->fault = NULL;
			e->repeat = VD_REPEAT_NONE;
		}
	}
}

static int try_group(struct vd_store *store)
{
	struct vd_writer *w = &store->writer;
	struct vd_ledger before = w->ledger;
	int r = write_group(store);

	if (r < 0) {
		vd_db_rollback(w->db);
		w->ledger = before;
		w->dead_count = 0;
		forget_outcomes(w);
		return r;
	}
	w->needs_adoption = false;
	return 0;
}

/* --- images: before the transaction --- */

static int write_enclosures(struct vd_store *store, struct vd_entry *entry)
{
	for (size_t i = 0; i < entry->enclosure_count; i++) {
		struct vd_fault fault = { 0 };
		int r = entry->enclosures[i].is_written
				? 0
				: vd_image_write(store->images, &entry->enclosures[i], &fault);

		if (r == -EBADMSG) {
			entry->fault = calloc(1, sizeof fault);
			if (!entry->fault)
				return -ENOMEM;
			vd_fault_prefix(&fault, "attachment %s", entry->enclosures[i].name);
			vd_fault_under_index(&fault, (int)i);
			vd_fault_under(&fault, "attachments");
			*entry->fault = fault;
			return 0;
		}
		if (r < 0)
			return r;
		vd_close(&entry->enclosures[i].fd);
	}
	return 0;
}

/* Entries whose attachments are not what they say leave the group. */
static int write_all_enclosures(struct vd_store *store, char *error, size_t error_size)
{
	struct vd_writer *w = &store->writer;
	int r = 0;

	for (int class = 0; class < VD_CLASSES; class ++) {
		struct vd_queue all = w->held[class], good = { 0 };
		struct vd_entry *e;

		while ((e = vd_queue_pop(&all))) {
			if (r == 0)
				r = write_enclosures(store, e);
			vd_queue_push(e->fault ? &w->finished : &good, e);
		}
		w->held[class] = good;
	}
	if (r < 0)
		(void)snprintf(error, error_size, "%s: %s", store->images, strerrordesc_np(-r));
	return r;
}

/* --- taking work, posting results --- */

static void take_ids(struct vd_store *store)
{
	struct vd_writer *w = &store->writer;
	size_t count = w->done_count + store->delivered_count;

	if (count > w->done_capacity) {
		uint64_t *ids = reallocarray(w->done_ids, 2 * count, sizeof *ids);

		if (!ids)
			return; /* they stay where they are, for the next group */
		w->done_ids = ids;
		w->done_capacity = 2 * count;
	}
	if (store->delivered_count)
		memcpy(w->done_ids + w->done_count, store->delivered,
		       store->delivered_count * sizeof *w->done_ids);
	w->done_count = count;
	store->delivered_count = 0;
}

/* How often to look for what is too old: four times in the shortest time to live. */
static uint64_t expiry_period_ms(const struct vd_store *store)
{
	uint64_t period_ms = EXPIRY_MAX_MS;

	for (int class = 0; class < VD_CLASSES; class ++) {
		uint64_t ttl_ms = store->ttl_ms[class];

		if (ttl_ms && ttl_ms / 4 < period_ms)
			period_ms = ttl_ms / 4;
	}
	return period_ms < EXPIRY_MIN_MS ? EXPIRY_MIN_MS : period_ms;
}

static void take_records(struct vd_store *store)
{
	struct vd_entry *e;

	while ((e = vd_queue_pop(&store->queued)))
		vd_queue_push(&store->writer.held[e->class], e);
}

static void take_documents(struct vd_store *store)
{
	struct vd_writer *w = &store->writer;

	if (!store->documents)
		return;
	*w->documents_end = store->documents;
	w->documents_end = store->documents_end;
	store->documents = NULL;
	store->documents_end = &store->documents;
}

/* With the lock held. What is not on the disk when sending resumes is live. */
static void take(struct vd_store *store, bool commits)
{
	struct vd_writer *w = &store->writer;

	if (store->wants_boundary)
		w->boundary = w->ledger.account.next_seq - 1;
	store->wants_boundary = store->wants_load = false;
	store->uploads.is_sought_anew = false;
	if (!commits)
		return;
	take_records(store);
	take_documents(store);
	take_ids(store);
	vd_upload_take(store);
	store->due_ms = UINT64_MAX;
	w->next_expiry_ms = vd_clock_mono_ms() + expiry_period_ms(store);
}

static void post_documents(struct vd_store *store)
{
	struct vd_writer *w = &store->writer;

	while (w->documents) {
		struct vd_document *d = w->documents;

		w->documents = d->next;
		d->next = NULL;
		if (d->is_silent) {
			(void)vd_document_free(d);
			continue;
		}
		*store->documents_done_end = d;
		store->documents_done_end = &d->next;
	}
	w->documents_end = &w->documents;
}

static void post(struct vd_store *store)
{
	struct vd_writer *w = &store->writer;
	bool has_answers = w->finished.head;

	(void)pthread_mutex_lock(&store->lock);
	for (struct vd_entry *e = w->finished.head; e; e = e->next) {
		store->waiting_records--;
		store->waiting_bytes -= e->len;
		store->waiting_files -= e->enclosure_count;
		for (size_t i = 0; i < e->enclosure_count; i++)
			store->waiting_file_bytes -= e->enclosures[i].bytes;
	}
	vd_queue_append(&store->done, &w->finished);
	store->account = w->ledger.account;
	memcpy(store->images_of, w->ledger.images, sizeof store->images_of);
	memcpy(store->oldest_clock, w->oldest_clock, sizeof store->oldest_clock);
	if (has_answers || store->documents_done)
		vd_store_news(store);
	(void)pthread_mutex_unlock(&store->lock);
}

static void raise_low(struct vd_writer *w, enum vd_class class)
{
	struct vd_account *account = &w->ledger.account;
	bool is_empty = account->of[class].records == 0 &&
			(class != VD_EVENT || account->of[VD_TOMBSTONES].records == 0);
	struct vd_row row;

	if (is_empty)
		vd_account_raise_low(account, class, account->next_seq);
	else if (vd_db_next(w->db, class, account->low[class] ? account->low[class] - 1 : 0,
			    UINT64_MAX, -1, &row) == 1)
		vd_account_raise_low(account, class, row.first);
}

/* Looked up only when the oldest may have gone, or the first has come. */
static void find_oldest(struct vd_store *store)
{
	struct vd_writer *w = &store->writer;

	for (int class = 0; class < VD_CLASSES; class ++) {
		const struct vd_account *account = &w->ledger.account;
		uint64_t gone = account->of[class].delivered + account->of[class].evicted;
		bool has_records = account->of[class].records > 0;
		struct vd_row row;

		if (has_records && w->oldest_clock[class] && gone == w->gone[class])
			continue;
		w->gone[class] = gone;
		w->oldest_clock[class] = 0;
		if (has_records && vd_db_next(w->db, (enum vd_class) class, 0, UINT64_MAX,
					      VD_ROW_RECORDS, &row) == 1)
			w->oldest_clock[class] = row.clock_ms;
		raise_low(w, (enum vd_class) class);
	}
}

static void finish(struct vd_store *store, uint64_t started_us)
{
	struct vd_writer *w = &store->writer;
	uint64_t took_us = vd_clock_mono_us() - started_us;

	for (int class = 0; class < VD_CLASSES; class ++) {
		for (struct vd_entry *e = w->held[class].head; e; e = e->next)
			if (e->fault || e->repeat)
				vd_image_discard(store, e);
		vd_queue_append(&w->finished, &w->held[class]);
	}
	vd_image_unlink_dead(store);
	vd_reader_forget_done(store);
	w->endings.count = 0;
	find_oldest(store);
	(void)pthread_mutex_lock(&store->lock);
	post_documents(store);
	store->commits++;
	store->last_commit_us = took_us;
	if (took_us > store->slowest_commit_us)
		store->slowest_commit_us = took_us;
	(void)pthread_mutex_unlock(&store->lock);
}

static bool has_work(const struct vd_writer *w)
{
	bool has = w->documents || w->done_count || w->endings.count || w->needs_adoption ||
		   w->ledger.is_dirty;

	for (int class = 0; class < VD_CLASSES; class ++)
		has = has || w->held[class].head;
	return has;
}

static bool has_ttl(const struct vd_store *store)
{
	for (int class = 0; class < VD_CLASSES; class ++)
		if (store->ttl_ms[class] && store->writer.ledger.account.of[class].rows)
			return true;
	return false;
}

/* Everything that waits goes to the disk, or waits for the next second. */
static int commit_group(struct vd_store *store, char *error, size_t error_size)
{
	struct vd_writer *w = &store->writer;
	uint64_t started_us = vd_clock_mono_us();
	int r = w->db ? 0 : vd_opening_open(store, error, error_size);

	if (r == 0)
		r = write_all_enclosures(store, error, error_size);
	if (r < 0 || (!has_work(w) && !has_ttl(store)))
		return r;
	r = try_group(store);
	if (r < 0)
		(void)snprintf(error, error_size, "%s", vd_db_error(w->db));
	if (r == 0)
		finish(store, started_us);
	return r;
}

static int commit_and_load(struct vd_store *store, bool commits, char *error, size_t error_size)
{
	struct vd_writer *w = &store->writer;
	int r = commits || !w->db ? commit_group(store, error, error_size) : 0;

	post(store); /* nobody waits for the loading below */
	if (r < 0)
		return r;
	r = vd_reader_fill(store);
	if (r == 0)
		r = vd_upload_look(store);
	if (r < 0)
		(void)snprintf(error, error_size, "%s",
			       r == -ENOMEM ? "out of memory" : vd_db_error(w->db));
	return r;
}

static void attempt(struct vd_store *store, bool commits)
{
	struct vd_writer *w = &store->writer;
	char error[256] = "";
	int r = commit_and_load(store, commits, error, sizeof error);

	if (r == -EUCLEAN && w->db) {
		r = vd_opening_replace(store, error, sizeof error);
		if (r == 0)
			r = commit_and_load(store, true, error, sizeof error);
	}
	w->retry_ms = r < 0 ? vd_clock_mono_ms() + RETRY_MS : 0;
	if (r < 0 && !*error)
		(void)snprintf(error, sizeof error, "%s", strerrordesc_np(-r));
	set_degraded(store, r < 0 ? error : "");
}

/* --- the thread --- */

static void wait_until(struct vd_store *store, uint64_t when_ms)
{
	uint64_t now_ms = vd_clock_mono_ms();
	uint64_t delay_ms = when_ms > now_ms ? when_ms - now_ms : 0;
	struct timespec t;

	if (when_ms == UINT64_MAX) {
		(void)pthread_cond_wait(&store->wake, &store->lock);
		return;
	}
	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += (time_t)(delay_ms / 1000);
	t.tv_nsec += (long)(delay_ms % 1000 * 1000000);
	if (t.tv_nsec >= 1000000000) {
		t.tv_nsec -= 1000000000;
		t.tv_sec++;
	}
	(void)pthread_cond_timedwait(&store->wake, &store->lock, &t);
}

/* With the lock held: when there is something to do; UINT64_MAX: not before somebody wakes us. */
static uint64_t next_deadline(const struct vd_store *store)
{
	const struct vd_writer *w = &store->writer;
	uint64_t when_ms = store->due_ms;

	if (store->wants_load || store->wants_boundary || store->uploads.is_sought_anew)
		when_ms = 0;
	if (store->has_new_bounds)
		when_ms = 0;
	if (has_ttl(store) && w->next_expiry_ms < when_ms)
		when_ms = w->next_expiry_ms;
	if (w->retry_ms)
		when_ms = w->retry_ms; /* not earlier, and by itself */
	return when_ms;
}

/* Waits for work and takes it. False: there is none left and the store is closing. */
static bool wait_for_work(struct vd_store *store, bool *ret_commits)
{
	struct vd_writer *w = &store->writer;
	bool is_closing;

	(void)pthread_mutex_lock(&store->lock);
	while (!store->is_closing && next_deadline(store) > vd_clock_mono_ms())
		wait_until(store, next_deadline(store));
	is_closing = store->is_closing;
	if (store->has_new_bounds)
		w->next_expiry_ms = 0;
	store->has_new_bounds = false;
	*ret_commits = is_closing || w->retry_ms || store->due_ms <= vd_clock_mono_ms() ||
		       w->next_expiry_ms <= vd_clock_mono_ms();
	take(store, *ret_commits);
	(void)pthread_mutex_unlock(&store->lock);
	return !is_closing;
}

void *vd_writer_main(void *argument)
{
	struct vd_store *store = argument;
	bool commits = true;

	(void)pthread_setname_np(pthread_self(), "vd-store");
	(void)pthread_mutex_lock(&store->lock);
	take(store, true);
	(void)pthread_mutex_unlock(&store->lock);
	do
		attempt(store, commits);
	while (wait_for_work(store, &commits));
	if (has_work(&store->writer))
		attempt(store, true);
	return NULL;
}

void vd_writer_fini(struct vd_store *store)
{
	struct vd_writer *w = &store->writer;
	struct vd_entry *e;

	w->db = vd_db_close(w->db);
	vd_account_close(&w->beside);
	w->packer = vd_packer_free(w->packer);
	vd_buf_fini(&w->raw);
	vd_buf_fini(&w->packed);
	vd_buf_fini(&w->spare);
	vd_buf_fini(&w->stored);
	for (int class = 0; class < VD_CLASSES; class ++)
		while ((e = vd_queue_pop(&w->held[class])))
			vd_entry_free(e);
	while ((e = vd_queue_pop(&w->finished)))
		vd_entry_free(e);
	while (w->documents)
		w->documents = vd_document_free(w->documents);
	while (w->claims) {
		struct vd_claim *claim = w->claims;

		w->claims = claim->next;
		free(claim);
	}
	free(w->done_ids);
	free(w->dead);
}
