/* SPDX-License-Identifier: Apache-2.0 */
/* The loop's side: nothing here waits for the disk. */
#include "agent/store/outbox.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/store/envelope.h"
#include "agent/store/private.h"
#include "base/clock.h"
#include "base/json.h"

enum { WAITING_FILES = 128, WAITING_FILE_BYTES = 64 << 20 };

/* --- put --- */

static int check_attachment(const struct vd_attachment *a, struct vd_fault *fault)
{
	if (a->bytes > VD_IMAGE_BYTES) {
		vd_fault_set(fault, 413, "/bytes", "%llu is above %d", (unsigned long long)a->bytes,
			     VD_IMAGE_BYTES);
		return -E2BIG;
	}
	if (!a->name || strlen(a->name) >= sizeof((struct vd_enclosure *)0)->name) {
		vd_fault_set(fault, 400, "/name", "missing or too long");
		return -EINVAL;
	}
	if (!a->media_type ||
	    strlen(a->media_type) >= sizeof((struct vd_enclosure *)0)->media_type) {
		vd_fault_set(fault, 400, "/type", "missing or too long");
		return -EINVAL;
	}
	if (!a->sha256 || strlen(a->sha256) != 64 || strspn(a->sha256, "0123456789abcdef") != 64) {
		vd_fault_set(fault, 400, "/sha256", "is not 64 lower-case hexadecimal digits");
		return -EINVAL;
	}
	return 0;
}

static int check_record(const struct vd_record *record, struct vd_fault *fault)
{
	if (record->body_len > VD_RECORD_BYTES) {
		vd_fault_set(fault, 413, "/body", "%zu bytes are above %d", record->body_len,
			     VD_RECORD_BYTES);
		return -E2BIG;
	}
	if ((unsigned)record->class >= VD_CLASSES || !record->module || !record->output ||
	    strlen(record->module) + strlen(record->output) > 1024 || record->body_len == 0) {
		vd_fault_set(fault, 400, "", "a record needs class, module, output and body");
		return -EINVAL;
	}
	if (record->key && (!*record->key || strlen(record->key) > VD_KEY_BYTES)) {
		vd_fault_set(fault, 400, "/key", "is not 1 to %d bytes long", VD_KEY_BYTES);
		return -EINVAL;
	}
	if (record->attachment_count > VD_ATTACHMENTS) {
		vd_fault_set(fault, 400, "/attachments", "more than %d", VD_ATTACHMENTS);
		return -EINVAL;
	}
	for (size_t i = 0; i < record->attachment_count; i++) {
		int r = check_attachment(&record->attachments[i], fault);

		if (r < 0) {
			vd_fault_under_index(fault, (int)i);
			vd_fault_under(fault, "attachments");
			return r;
		}
	}
	return 0;
}

static int enclose(struct vd_entry *entry, const struct vd_record *record)
{
	if (record->attachment_count == 0)
		return 0;
	entry->enclosures = calloc(record->attachment_count, sizeof *entry->enclosures);
	if (!entry->enclosures)
		return -ENOMEM;
	for (size_t i = 0; i < record->attachment_count; i++) {
		const struct vd_attachment *a = &record->attachments[i];
		struct vd_enclosure *e = &entry->enclosures[i];

		(void)snprintf(e->name, sizeof e->name, "%s", a->name);
		(void)snprintf(e->media_type, sizeof e->media_type, "%s", a->media_type);
		(void)snprintf(e->sha256, sizeof e->sha256, "%s", a->sha256);
		e->bytes = a->bytes;
		e->fd = fcntl(a->fd, F_DUPFD_CLOEXEC, 4);
		if (e->fd < 0)
			return -errno;
		entry->enclosure_count = i + 1;
	}
	return 0;
}

/* OK parts' images are the first to be evicted and the last to be sent: the record's verdict tells. */
static void rate_images(struct vd_entry *entry, const struct vd_record *record)
{
	VD_CLEANUP(vd_json_free) cJSON *body = NULL;
	const char *verdict = NULL;

	if (record->attachment_count == 0)
		return;
	if (vd_json_parse(record->body, record->body_len, &body, NULL) == 0)
		verdict = vd_json_string(body, "verdict", NULL);
	entry->worth = vd_policy_image_worth(verdict);
	entry->rank = vd_policy_image_rank(record->class, verdict);
}

static int make_entry(const struct vd_record *record, uint64_t token, struct vd_entry **ret_entry)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf tail = { 0 };
	struct vd_moment now = { vd_clock_mono_ms(), vd_clock_wall_ms(), vd_time_quality() };
	size_t module_len = strlen(record->module) + 1;
	size_t key_len = record->key ? strlen(record->key) + 1 : 0;
	int r = vd_envelope_tail(record, &now, &tail);
	struct vd_entry *entry;

	if (r < 0)
		return r;
	entry = malloc(sizeof *entry + tail.len + (key_len ? module_len + key_len : 0));
	if (!entry)
		return -ENOMEM;
	*entry = (struct vd_entry){ .class = record->class,
				    .token = token,
				    .queued_ms = now.mono_ms,
				    .wall_ms = now.wall_ms,
				    .len = tail.len };
	rate_images(entry, record);
	memcpy(entry->tail, tail.data, tail.len);
	if (key_len) {
		entry->module = memcpy(entry->tail + tail.len, record->module, module_len);
		entry->key = memcpy(entry->tail + tail.len + module_len, record->key, key_len);
		entry->body_crc = vd_crc32c(0, record->body, record->body_len);
	}
	r = enclose(entry, record);
	if (r < 0)
		vd_entry_free(entry);
	else
		*ret_entry = entry;
	return r;
}

/* The last quarter of the ring is for alarms and verdicts. With the lock held. */
static bool has_room(const struct vd_store *store, const struct vd_entry *entry,
		     uint64_t files_bytes)
{
	uint64_t ring = store->ring_max_bytes;

	if (!vd_class_is_urgent(entry->class))
		ring -= ring / 4;
	return store->waiting_bytes + entry->len <= ring &&
	       store->waiting_files + entry->enclosure_count <= WAITING_FILES &&
	       (files_bytes == 0 || store->waiting_file_bytes + files_bytes <= WAITING_FILE_BYTES);
}

static void commit_at(struct vd_store *store, uint64_t due_ms)
{
	if (due_ms >= store->due_ms)
		return;
	store->due_ms = due_ms;
	(void)pthread_cond_signal(&store->wake);
}

/* What arrived in one turn of the loop is one commit, not one for the first and one for the rest. */
void vd_outbox_turn_ends(void *argument)
{
	struct vd_store *store = argument;

	(void)pthread_mutex_lock(&store->lock);
	if (store->queued.count)
		commit_at(store, 0);
	(void)pthread_mutex_unlock(&store->lock);
}

/* How long a commit may wait for company. With the lock held. */
static void set_due(struct vd_store *store)
{
	uint64_t due_ms = vd_clock_mono_ms() + VD_GATHER_MS;

	if (store->queued.count >= VD_BATCH_RECORDS || store->queued.bytes >= VD_GATHER_BYTES ||
	    store->delivered_count >= VD_GATHER_IDS)
		due_ms = 0;
	commit_at(store, due_ms);
}

static bool queue_entry(struct vd_store *store, struct vd_entry *entry)
{
	bool is_urgent = vd_class_is_urgent(entry->class), has;
	uint64_t file_bytes = 0;

	for (size_t i = 0; i < entry->enclosure_count; i++)
		file_bytes += entry->enclosures[i].bytes;
	(void)pthread_mutex_lock(&store->lock);
	has = has_room(store, entry, file_bytes);
	if (has) {
		store->waiting_records++;
		store->waiting_bytes += entry->len;
		store->waiting_files += entry->enclosure_count;
		store->waiting_file_bytes += file_bytes;
		vd_queue_push(&store->queued, entry);
		set_due(store);
	}
	(void)pthread_mutex_unlock(&store->lock);
	if (has && is_urgent && !vd_timer_is_armed(store->turn_end) &&
	    vd_timer_arm(store->turn_end, 0) < 0)
		vd_outbox_turn_ends(store);
	return has;
}

static void explain_full(struct vd_store *store, struct vd_fault *fault)
{
	struct vd_store_stats stats;

	vd_store_stats(store, &stats);
	vd_fault_set(fault, 507, "", "the ring in memory is full: %s",
		     *stats.degraded ? stats.degraded : "the disk is too slow");
}

int vd_outbox_put(struct vd_store *store, const struct vd_record *record, uint64_t token,
		  struct vd_fault *fault)
{
	struct vd_entry *entry = NULL;
	int r = check_record(record, fault);

	if (r == 0) {
		r = make_entry(record, token, &entry);
		if (r < 0)
			vd_fault_set(fault, 500, "", "%s", strerrordesc_np(-r));
	}
	if (r == 0 && !queue_entry(store, entry)) {
		vd_entry_free(entry);
		explain_full(store, fault);
		r = -ENOSPC;
	}
	if (r < 0 && (unsigned)record->class < VD_CLASSES)
		store->refused[record->class]++;
	return r;
}

/* --- sending --- */

static struct vd_shipment *shift(struct vd_shipments *shipments)
{
	struct vd_shipment *s = shipments->head;

	if (!s)
		return NULL;
	shipments->head = s->next;
	if (!shipments->head)
		shipments->last = NULL;
	shipments->count--;
	shipments->bytes -= s->batch.len;
	return s;
}

/* With the lock held. */
static struct vd_shipment *choose(struct vd_store *store)
{
	bool has[VD_STREAMS];
	int stream;

	for (int i = 0; i < VD_STREAMS; i++)
		has[i] = store->ready[i].head;
	stream = vd_policy_stream(store->turn, has);
	if (stream < 0)
		return NULL;
	store->turn++;
	return shift(&store->ready[stream]);
}

int vd_outbox_next(struct vd_store *store, struct vd_outbox_batch *ret_batch)
{
	struct vd_shipment *s;

	(void)pthread_mutex_lock(&store->lock);
	if (!store->is_sending) {
		store->is_sending = true;
		store->wants_boundary = true;
		(void)pthread_cond_signal(&store->wake);
	}
	s = choose(store);
	store->is_hungry = !s;
	if (s && store->ready[s->stream].count < VD_READY_MAX / 2) {
		store->wants_load = true;
		(void)pthread_cond_signal(&store->wake);
	}
	(void)pthread_mutex_unlock(&store->lock);
	if (!s)
		return 0;
	vd_shipments_push(&store->out, s);
	*ret_batch = s->batch;
	return 1;
}

static struct vd_shipment *take_out(struct vd_shipments *out, uint64_t id)
{
	struct vd_shipment **link = &out->head, *previous = NULL;

	for (; *link; previous = *link, link = &(*link)->next) {
		struct vd_shipment *s = *link;

		if (s->batch.id != id)
			continue;
		*link = s->next;
		if (out->last == s)
			out->last = previous;
		out->count--;
		out->bytes -= s->batch.len;
		return s;
	}
	return NULL;
}

/* With the lock held. */
static int add_delivered(struct vd_store *store, uint64_t id)
{
	if (store->delivered_count == store->delivered_capacity) {
		size_t capacity = store->delivered_capacity ? 2 * store->delivered_capacity : 64;
		uint64_t *ids = reallocarray(store->delivered, capacity, sizeof *ids);

		if (!ids)
			return -ENOMEM;
		store->delivered = ids;
		store->delivered_capacity = capacity;
	}
	store->delivered[store->delivered_count++] = id;
	set_due(store);
	return 0;
}

int vd_outbox_delivered(struct vd_store *store, uint64_t id)
{
	struct vd_shipment *s = take_out(&store->out, id);
	int r;

	if (!s)
		return -ENOENT;
	(void)pthread_mutex_lock(&store->lock);
	r = add_delivered(store, id);
	(void)pthread_mutex_unlock(&store->lock);
	if (r < 0)
		vd_shipments_push(&store->out, s); /* it will be sent once more */
	else
		free(s);
	return r;
}

void vd_outbox_return_all(struct vd_store *store)
{
	struct vd_shipments back[VD_STREAMS] = { 0 };
	struct vd_shipment *s;

	while ((s = shift(&store->out)))
		vd_shipments_push(&back[s->stream], s);
	(void)pthread_mutex_lock(&store->lock);
	for (int i = 0; i < VD_STREAMS; i++) {
		while ((s = shift(&store->ready[i])))
			vd_shipments_push(&back[i], s);
		store->ready[i] = back[i];
	}
	store->is_sending = false;
	(void)pthread_mutex_unlock(&store->lock);
	store->turn = 0;
}

size_t vd_outbox_out(const struct vd_store *store)
{
	return store->out.count;
}
