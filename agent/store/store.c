/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/store/store.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "agent/store/envelope.h"
#include "agent/store/private.h"
#include "base/clock.h"
#include "base/log.h"

enum { DEFAULT_MAX_BYTES = 256 << 20, DEFAULT_IMAGE_BYTES = 1 << 30, DEFAULT_RING_BYTES = 4 << 20 };

/* --- small lists --- */

void vd_queue_push(struct vd_queue *queue, struct vd_entry *entry)
{
	entry->next = NULL;
	if (queue->last)
		queue->last->next = entry;
	else
		queue->head = entry;
	queue->last = entry;
	queue->count++;
	queue->bytes += entry->len;
}

struct vd_entry *vd_queue_pop(struct vd_queue *queue)
{
	struct vd_entry *entry = queue->head;

	if (!entry)
		return NULL;
	queue->head = entry->next;
	if (!queue->head)
		queue->last = NULL;
	queue->count--;
	queue->bytes -= entry->len;
	entry->next = NULL;
	return entry;
}

void vd_queue_append(struct vd_queue *queue, struct vd_queue *more)
{
	if (more->head) {
		if (queue->last)
			queue->last->next = more->head;
		else
			queue->head = more->head;
		queue->last = more->last;
		queue->count += more->count;
		queue->bytes += more->bytes;
	}
	*more = (struct vd_queue){ 0 };
}

void vd_entry_close_enclosures(struct vd_entry *entry)
{
	for (size_t i = 0; i < entry->enclosure_count; i++)
		vd_close(&entry->enclosures[i].fd);
}

void vd_entry_free(struct vd_entry *entry)
{
	vd_entry_close_enclosures(entry);
	free(entry->enclosures);
	free(entry->fault);
	free(entry);
}

void vd_shipments_push(struct vd_shipments *shipments, struct vd_shipment *shipment)
{
	shipment->next = NULL;
	if (shipments->last)
		shipments->last->next = shipment;
	else
		shipments->head = shipment;
	shipments->last = shipment;
	shipments->count++;
	shipments->bytes += shipment->batch.len;
}

static void free_shipments(struct vd_shipments *shipments)
{
	while (shipments->head) {
		struct vd_shipment *s = shipments->head;

		shipments->head = s->next;
		free(s);
	}
}

/* --- documents --- */

struct vd_document *vd_document_new(const char *name, const char *text, size_t len, uint64_t token)
{
	struct vd_document *d = calloc(1, sizeof *d);

	if (!d)
		return NULL;
	d->token = token;
	d->len = len;
	(void)snprintf(d->name, sizeof d->name, "%s", name);
	if (text && !(d->text = malloc(len + 1))) {
		free(d);
		return NULL;
	}
	if (text) {
		memcpy(d->text, text, len);
		d->text[len] = '\0';
	}
	return d;
}

struct vd_document *vd_document_free(struct vd_document *document)
{
	struct vd_document *next = document->next;

	free(document->text);
	free(document);
	return next;
}

static struct vd_document **find_document(struct vd_store *store, const char *name)
{
	struct vd_document **link = &store->cache;

	while (*link && strcmp((*link)->name, name) != 0)
		link = &(*link)->next;
	return link;
}

/* A deleted one is remembered too, until the end: the file must not bring it back. */
void vd_store_remember(struct vd_store *store, struct vd_document *document)
{
	struct vd_document **link = find_document(store, document->name);

	document->next = *link ? vd_document_free(*link) : NULL;
	*link = document;
}

bool vd_store_remembers(const struct vd_store *store, const char *name)
{
	return *find_document((struct vd_store *)(uintptr_t)store, name) != NULL;
}

static int check_document(const char *name, size_t len)
{
	if (!name || !*name || strlen(name) > VD_DOCUMENT_NAME)
		return -EINVAL;
	return len > VD_DOCUMENT_BYTES ? -E2BIG : 0;
}

int vd_store_document_put(struct vd_store *store, const char *name, const char *text, size_t len,
			  uint64_t token)
{
	int r = check_document(name, len);
	struct vd_document *kept, *written;

	if (r < 0)
		return r;
	kept = vd_document_new(name, text, len, 0);
	written = vd_document_new(name, text, len, token);
	if (!kept || !written) {
		if (kept)
			(void)vd_document_free(kept);
		if (written)
			(void)vd_document_free(written);
		return -ENOMEM;
	}
	(void)pthread_mutex_lock(&store->lock);
	vd_store_remember(store, kept);
	*store->documents_end = written;
	store->documents_end = &written->next;
	store->due_ms = 0;
	(void)pthread_cond_signal(&store->wake);
	(void)pthread_mutex_unlock(&store->lock);
	return 0;
}

int vd_store_document_get(const struct vd_store *store, const char *name, struct vd_buf *out)
{
	struct vd_store *s = (struct vd_store *)(uintptr_t)store;
	const struct vd_document *d;
	int r = -ENOENT;

	(void)pthread_mutex_lock(&s->lock);
	d = *find_document(s, name);
	if (d && d->text)
		r = vd_buf_append(out, d->text, d->len);
	(void)pthread_mutex_unlock(&s->lock);
	return r;
}

/* --- news from the writer --- */

void vd_store_news(struct vd_store *store)
{
	uint64_t one = 1;

	/* Full is as good: the loop will wake. */
	(void)!write(store->wake_fd, &one, sizeof one);
}

struct news {
	struct vd_queue done;
	struct vd_document *documents;
	bool is_ready, is_state, is_image;
	char degraded[256];
};

static void take_news(struct vd_store *store, struct news *news)
{
	(void)pthread_mutex_lock(&store->lock);
	vd_queue_append(&news->done, &store->done);
	news->documents = store->documents_done;
	store->documents_done = NULL;
	store->documents_done_end = &store->documents_done;
	news->is_ready = store->is_ready_new;
	news->is_state = store->is_state_new;
	news->is_image = store->uploads.is_new;
	store->uploads.is_new = false;
	store->is_ready_new = store->is_state_new = false;
	memcpy(news->degraded, store->degraded, sizeof news->degraded);
	(void)pthread_mutex_unlock(&store->lock);
}

static void note_repeat(struct vd_store *store, const struct vd_entry *entry)
{
	store->repeated[entry->class]++;
	store->key_conflicts += entry->is_conflict;
	vd_log(entry->is_conflict ? VD_WARN : VD_DEBUG,
	       entry->is_conflict ? "store.key-conflict" : "store.key-known",
	       "module=%s key=%s seq=%" PRIu64, entry->module, entry->key, entry->seq);
}

static void answer_entry(struct vd_store *store, const struct vd_entry *entry)
{
	if (!entry->fault && entry->repeat)
		note_repeat(store, entry);
	if (entry->fault) {
		store->refused[entry->class]++;
		if (store->handlers.on_refused)
			store->handlers.on_refused(store->argument, entry->token, entry->fault);
	} else if (store->handlers.on_stored) {
		store->handlers.on_stored(store->argument, entry->token, entry->seq);
	}
}

static void on_news(int fd, int ready, void *argument)
{
	struct vd_store *store = argument;
	struct news news = { 0 };
	struct vd_entry *entry;
	uint64_t count;

	(void)ready;
	(void)!read(fd, &count, sizeof count);
	take_news(store, &news);
	if (news.is_state && store->handlers.on_state)
		store->handlers.on_state(store->argument, *news.degraded ? news.degraded : NULL);
	while ((entry = vd_queue_pop(&news.done))) {
		answer_entry(store, entry);
		vd_entry_free(entry);
	}
	while (news.documents) {
		if (store->handlers.on_document_stored)
			store->handlers.on_document_stored(store->argument, news.documents->token,
							   NULL);
		news.documents = vd_document_free(news.documents);
	}
	if (news.is_ready && store->handlers.on_ready)
		store->handlers.on_ready(store->argument);
	if (news.is_image && store->handlers.on_image)
		store->handlers.on_image(store->argument);
}

/* --- open, close --- */

static int copy_config(struct vd_store *store, const struct vd_store_config *c)
{
	if (asprintf(&store->folder, "%s", c->folder) < 0 ||
	    asprintf(&store->images, "%s/images", c->folder) < 0 ||
	    asprintf(&store->path, "%s/outbox.db", c->folder) < 0)
		return -ENOMEM;
	(void)snprintf(store->device_id, sizeof store->device_id, "%s", c->device_id);
	(void)snprintf(store->boot_id, sizeof store->boot_id, "%s", c->boot_id);
	store->max_bytes = c->max_bytes ? c->max_bytes : DEFAULT_MAX_BYTES;
	store->image_max_bytes = c->image_max_bytes ? c->image_max_bytes : DEFAULT_IMAGE_BYTES;
	store->ring_max_bytes = c->ring_max_bytes ? c->ring_max_bytes : DEFAULT_RING_BYTES;
	for (int class = 0; class < VD_CLASSES; class ++) {
		store->class_max_bytes[class] = c->classes[class].max_bytes;
		store->ttl_ms[class] = c->classes[class].ttl_ms;
	}
	store->send_plain = c->send_plain;
	return vd_envelope_head(store->device_id, store->boot_id, &store->head);
}

static int make_parts(struct vd_store *store)
{
	pthread_condattr_t attributes;
	int r;

	store->documents_end = &store->documents;
	store->documents_done_end = &store->documents_done;
	store->due_ms = UINT64_MAX;
	store->is_hungry = true;
	(void)pthread_mutex_init(&store->lock, NULL);
	(void)pthread_condattr_init(&attributes);
	(void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&store->wake, &attributes);
	(void)pthread_condattr_destroy(&attributes);
	store->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (store->wake_fd < 0)
		return -errno;
	r = vd_loop_fd(store->loop, store->wake_fd, VD_READABLE, on_news, store, &store->source);
	return r < 0 ? r : vd_loop_timer(store->loop, vd_outbox_turn_ends, store, &store->turn_end);
}

static int start_thread(struct vd_store *store)
{
	int r = pthread_create(&store->thread, NULL, vd_writer_main, store);

	store->has_thread = r == 0;
	return -r;
}

int vd_store_open(struct vd_loop *loop, const struct vd_store_config *config,
		  const struct vd_store_handlers *handlers, void *argument,
		  struct vd_store **ret_store, struct vd_fault *fault)
{
	VD_CLEANUP(vd_store_close) struct vd_store *store = calloc(1, sizeof *store);
	struct vd_fault reason = { 0 };
	int r;

	if (!store) {
		vd_fault_set(fault, 500, "", "out of memory");
		return -ENOMEM;
	}
	store->loop = loop;
	store->handlers = *handlers;
	store->argument = argument;
	r = make_parts(store);
	if (r == 0)
		r = copy_config(store, config);
	if (r == 0)
		r = vd_writer_open(store, &reason);
	if (r == 0) {
		store->account = store->writer.ledger.account;
		memcpy(store->images_of, store->writer.ledger.images, sizeof store->images_of);
		r = start_thread(store);
	}
	if (r < 0) {
		vd_fault_set(fault, 500, "", "%s", reason.code ? reason.text : strerrordesc_np(-r));
		return r;
	}
	*ret_store = VD_TAKE(store);
	return 0;
}

static void stop_thread(struct vd_store *store)
{
	(void)pthread_mutex_lock(&store->lock);
	store->is_closing = true;
	(void)pthread_cond_signal(&store->wake);
	(void)pthread_mutex_unlock(&store->lock);
	if (store->has_thread)
		(void)pthread_join(store->thread, NULL);
}

void vd_store_set_bounds(struct vd_store *store, uint64_t max_bytes, uint64_t ttl_ms)
{
	store->max_bytes = max_bytes ? max_bytes : DEFAULT_MAX_BYTES;
	for (int class = 0; class < VD_CLASSES; class ++)
		if (!vd_class_is_urgent((enum vd_class) class))
			store->ttl_ms[class] = ttl_ms;
	(void)pthread_mutex_lock(&store->lock);
	store->has_new_bounds = true;
	(void)pthread_cond_signal(&store->wake);
	(void)pthread_mutex_unlock(&store->lock);
}

struct vd_store *vd_store_close(struct vd_store *store)
{
	struct vd_entry *entry;

	if (!store)
		return NULL;
	stop_thread(store);
	vd_writer_fini(store);
	store->source = vd_source_free(store->source);
	store->turn_end = vd_source_free(store->turn_end);
	vd_close(&store->wake_fd);
	while ((entry = vd_queue_pop(&store->queued)))
		vd_entry_free(entry);
	while ((entry = vd_queue_pop(&store->done)))
		vd_entry_free(entry);
	while (store->documents)
		store->documents = vd_document_free(store->documents);
	while (store->documents_done)
		store->documents_done = vd_document_free(store->documents_done);
	while (store->cache)
		store->cache = vd_document_free(store->cache);
	for (int i = 0; i < VD_STREAMS; i++)
		free_shipments(&store->ready[i]);
	free_shipments(&store->out);
	vd_buf_fini(&store->head);
	(void)pthread_cond_destroy(&store->wake);
	(void)pthread_mutex_destroy(&store->lock);
	free(store->delivered);
	free(store->folder);
	free(store->images);
	free(store->path);
	free(store);
	return NULL;
}

/* --- figures --- */

static void class_stats(const struct vd_store *store, int class, uint64_t now_ms,
			struct vd_class_stats *stats)
{
	*stats = (struct vd_class_stats){
		.rows = store->account.of[class].rows,
		.records = store->account.of[class].records,
		.bytes = store->account.of[class].bytes,
		.delivered = store->account.of[class].delivered,
		.evicted = store->account.of[class].evicted,
		.refused = store->refused[class],
		.repeated = store->repeated[class],
	};
	stats->accepted = stats->records + stats->delivered + stats->evicted;
	if (store->oldest_clock[class] && now_ms > store->oldest_clock[class])
		stats->oldest_age_ms = now_ms - store->oldest_clock[class];
}

void vd_store_stats(struct vd_store *store, struct vd_store_stats *ret_stats)
{
	struct vd_store_stats s = { 0 };
	uint64_t now_ms;

	(void)pthread_mutex_lock(&store->lock);
	now_ms = vd_clock_mono_ms() + (uint64_t)store->account.clock_offset_ms;
	for (int class = 0; class < VD_CLASSES; class ++)
		class_stats(store, class, now_ms, &s.classes[class]);
	s.tombstones_pending = store->account.of[VD_TOMBSTONES].records;
	s.tombstones_delivered = store->account.of[VD_TOMBSTONES].delivered;
	s.queued_records = store->waiting_records;
	s.queued_bytes = store->waiting_bytes;
	s.images = store->account.images;
	s.image_bytes = store->account.image_bytes;
	s.images_evicted = store->account.images_evicted;
	memcpy(s.images_of, store->images_of, sizeof s.images_of);
	s.commits = store->commits;
	s.last_commit_us = store->last_commit_us;
	s.slowest_commit_us = store->slowest_commit_us;
	s.next_seq = store->account.next_seq;
	s.key_conflicts = store->key_conflicts;
	memcpy(s.degraded, store->degraded, sizeof s.degraded);
	memcpy(s.notice, store->notice, sizeof s.notice);
	(void)pthread_mutex_unlock(&store->lock);
	*ret_stats = s;
}
