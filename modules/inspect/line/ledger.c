/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A journal and not a database: at most a thousand short lines are open, they are read only at the
 * start, and a page cache and a write-ahead log for them would cost a station more memory and one
 * more owner of SQLite than this file has code. The accept of an item costs one sync, its close none.
 */
#include "modules/inspect/line/ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/log.h"

enum { FILE_MOST = 64 << 20, COMPACT_BYTES = 256 << 10, DIGEST_CHARS = 16 };

/* What the thread is to do next, all of it at once. */
struct batch {
	struct vd_buf text;
	struct vd_ledger_settled *settled; /* accepts in text */
	size_t count, room;
	bool replaces, syncs;
};

struct vd_ledger {
	char path[PATH_MAX];
	void (*wake)(void *argument);
	void *argument;
	cJSON *open;  /* array */
	size_t bytes; /* of the file, with what is pending */
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct batch pending, done; /* under lock, as is what follows */
	size_t taken;               /* of done */
	struct vd_ledger_counts counts;
	bool is_ending, is_failed;
	int fd; /* the thread's */
};

/* ---- lines ---- */

static int digest_of(const char *json, size_t len, char text[static DIGEST_CHARS + 1])
{
	char whole[VD_SHA256_TEXT];
	int r = vd_sha256_text(json, len, whole);

	if (r == 0)
		(void)snprintf(text, DIGEST_CHARS + 1, "%.*s", DIGEST_CHARS, whole);
	return r;
}

static int append_line(struct vd_buf *out, const char *op, const cJSON *value)
{
	VD_CLEANUP(vd_free) char *text = NULL;
	VD_CLEANUP(vd_json_free) cJSON *line = cJSON_CreateObject();
	char digest[DIGEST_CHARS + 1];
	int r;

	if (!line || !vd_json_add_copy(line, op, value))
		return -ENOMEM;
	text = vd_json_text(line);
	if (!text)
		return -ENOMEM;
	if (strlen(text) > VD_LEDGER_LINE)
		return -EINVAL;
	r = digest_of(text, strlen(text), digest);
	return r < 0 ? r : vd_buf_printf(out, "%s %s\n", digest, text);
}

static const char *id_of(const cJSON *item)
{
	return vd_json_string(item, "id", "");
}

static int find(const cJSON *open, const char *id)
{
	const cJSON *item;
	int i = 0;

	cJSON_ArrayForEach(item, open)
	{
		if (strcmp(id_of(item), id) == 0)
			return i;
		i++;
	}
	return -1;
}

/* false: not a line of ours. *ret_failed: no memory. */
static bool take_line(const char *line, size_t len, cJSON *open, bool *ret_failed)
{
	VD_CLEANUP(vd_json_free) cJSON *json = NULL;
	char digest[DIGEST_CHARS + 1];
	cJSON *item;
	const char *closed;

	if (len <= DIGEST_CHARS + 1 || line[DIGEST_CHARS] != ' ' ||
	    digest_of(line + DIGEST_CHARS + 1, len - DIGEST_CHARS - 1, digest) < 0 ||
	    memcmp(line, digest, DIGEST_CHARS) != 0 ||
	    vd_json_parse(line + DIGEST_CHARS + 1, len - DIGEST_CHARS - 1, &json, NULL) < 0)
		return false;
	closed = vd_json_string(json, "close", NULL);
	if (closed) {
		cJSON_DeleteItemFromArray(open, find(open, closed));
		return true;
	}
	item = cJSON_DetachItemFromObjectCaseSensitive(json, "accept");
	if (!cJSON_IsObject(item) || !id_of(item)[0] || strlen(id_of(item)) >= VD_UUID_TEXT ||
	    find(open, id_of(item)) >= 0) {
		(void)vd_json_free(item);
		return false;
	}
	*ret_failed = !cJSON_AddItemToArray(open, item);
	return true;
}

int vd_ledger_parse(const char *text, size_t len, cJSON **ret_open, uint64_t *ret_damaged)
{
	VD_CLEANUP(vd_json_free) cJSON *open = cJSON_CreateArray();
	uint64_t damaged = 0;
	bool failed = !open;

	while (len > 0 && !failed) {
		const char *end = memchr(text, '\n', len);
		const size_t line = end ? (size_t)(end - text) : len;

		damaged += !end || !take_line(text, line, open, &failed);
		text += end ? line + 1 : line;
		len -= end ? line + 1 : line;
	}
	if (failed)
		return -ENOMEM;
	*ret_open = VD_TAKE(open);
	*ret_damaged = damaged;
	return 0;
}

/* ---- the writer's thread ---- */

static int write_all(int fd, const char *text, size_t len)
{
	while (len > 0) {
		const ssize_t n = write(fd, text, len);

		if (n < 0 && errno != EINTR)
			return -errno;
		text += n > 0 ? n : 0;
		len -= n > 0 ? (size_t)n : 0;
	}
	return 0;
}

static int open_file(struct vd_ledger *ledger)
{
	vd_close(&ledger->fd);
	ledger->fd = open(ledger->path, O_WRONLY | O_APPEND | O_CLOEXEC);
	return ledger->fd < 0 ? -errno : 0;
}

static int write_batch(struct vd_ledger *ledger, const struct batch *batch)
{
	int r;

	if (batch->replaces) {
		r = vd_file_write(ledger->path, batch->text.data ? batch->text.data : "",
				  batch->text.len, 0600);
		return r < 0 ? r : open_file(ledger);
	}
	r = write_all(ledger->fd, batch->text.data, batch->text.len);
	if (r == 0 && batch->syncs && fdatasync(ledger->fd) < 0)
		r = -errno;
	return r;
}

static void batch_fini(struct batch *batch)
{
	vd_buf_fini(&batch->text);
	free(batch->settled);
	*batch = (struct batch){ 0 };
}

/* A batch that went wrong leaves a tail of which nobody knows: the next one writes the file anew. */
static void conclude(struct vd_ledger *ledger, struct batch *batch, int r)
{
	ledger->counts.syncs += r == 0 && (batch->syncs || batch->replaces);
	ledger->counts.replaced += r == 0 && batch->replaces;
	ledger->counts.failures += r < 0;
	if ((r < 0) != ledger->is_failed)
		vd_log(r < 0 ? VD_ERROR : VD_NOTICE,
		       r < 0 ? "triggers.notDurable" : "triggers.durable", "path=%s text=\"%s\"",
		       ledger->path, strerror(-r));
	ledger->is_failed = r < 0;
	for (size_t i = 0; i < batch->count; i++)
		batch->settled[i].status = r;
}

/* What was settled before and not yet taken comes first. NULL memory: told as if it had failed. */
static void hand_over(struct vd_ledger *ledger, struct batch *batch)
{
	const size_t left = ledger->done.count - ledger->taken;
	struct vd_ledger_settled *settled;

	if (left == 0) {
		free(ledger->done.settled);
		ledger->done.settled = VD_TAKE(batch->settled);
		ledger->done.count = batch->count;
		ledger->taken = 0;
		return;
	}
	settled = reallocarray(ledger->done.settled, ledger->done.count + batch->count,
			       sizeof *settled);
	if (!settled) {
		vd_log(VD_ERROR, "triggers.unanswered", "count=%zu text=\"out of memory\"",
		       batch->count);
		return;
	}
	memcpy(settled + ledger->done.count, batch->settled, batch->count * sizeof *settled);
	ledger->done.settled = settled;
	ledger->done.count += batch->count;
}

static bool has_work(const struct vd_ledger *ledger)
{
	return ledger->pending.text.len > 0 || ledger->pending.replaces;
}

static void *work(void *argument)
{
	struct vd_ledger *ledger = argument;
	struct batch batch;
	int r;

	(void)pthread_mutex_lock(&ledger->lock);
	for (;;) {
		while (!has_work(ledger) && !ledger->is_ending)
			(void)pthread_cond_wait(&ledger->changed, &ledger->lock);
		if (!has_work(ledger))
			break;
		batch = ledger->pending;
		ledger->pending = (struct batch){ 0 };
		(void)pthread_mutex_unlock(&ledger->lock);
		r = write_batch(ledger, &batch);
		(void)pthread_mutex_lock(&ledger->lock);
		conclude(ledger, &batch, r);
		if (batch.count > 0) {
			hand_over(ledger, &batch);
			(void)pthread_mutex_unlock(&ledger->lock);
			ledger->wake(ledger->argument);
			(void)pthread_mutex_lock(&ledger->lock);
		}
		batch_fini(&batch);
	}
	(void)pthread_mutex_unlock(&ledger->lock);
	return NULL;
}

/* ---- the loop's side ---- */

/* The whole file as it should be. Under lock. */
static int write_anew(struct vd_ledger *ledger)
{
	struct batch *pending = &ledger->pending;
	const cJSON *item;
	int r = 0;

	vd_buf_clear(&pending->text);
	cJSON_ArrayForEach(item, ledger->open)
	{
		if (r == 0)
			r = append_line(&pending->text, "accept", item);
	}
	pending->replaces = r == 0;
	ledger->bytes = pending->text.len;
	return r;
}

static int add_settled(struct batch *batch, const char *id)
{
	if (batch->count == batch->room) {
		const size_t room = batch->room ? 2 * batch->room : 8;
		struct vd_ledger_settled *settled =
			reallocarray(batch->settled, room, sizeof *settled);

		if (!settled)
			return -ENOMEM;
		batch->settled = settled;
		batch->room = room;
	}
	batch->settled[batch->count] = (struct vd_ledger_settled){ .status = 0 };
	(void)snprintf(batch->settled[batch->count].id, VD_UUID_TEXT, "%s", id);
	batch->count++;
	return 0;
}

/* A pending replacement is of all that is open: it takes further lines like the file does. */
static int put_line(struct vd_ledger *ledger, const char *op, const cJSON *value)
{
	struct batch *pending = &ledger->pending;
	const size_t before = pending->text.len;
	int r;

	if ((ledger->is_failed || ledger->bytes > COMPACT_BYTES) && !pending->replaces)
		return write_anew(ledger);
	r = append_line(&pending->text, op, value);
	ledger->bytes += pending->text.len - before;
	return r;
}

static int add_open(struct vd_ledger *ledger, cJSON **body)
{
	const char *id = id_of(*body);

	if (!id[0] || strlen(id) >= VD_UUID_TEXT || find(ledger->open, id) >= 0)
		return -EINVAL;
	if (vd_ledger_count(ledger) >= VD_LEDGER_MOST)
		return -ENOBUFS;
	if (!cJSON_AddItemToArray(ledger->open, *body))
		return -ENOMEM;
	*body = NULL;
	return 0;
}

int vd_ledger_accept(struct vd_ledger *ledger, cJSON **body)
{
	VD_CLEANUP(vd_json_free) cJSON *own = VD_TAKE(*body);
	const cJSON *item = own;
	int r = add_open(ledger, &own);

	if (r < 0)
		return r;
	(void)pthread_mutex_lock(&ledger->lock);
	r = put_line(ledger, "accept", item);
	if (r == 0)
		r = add_settled(&ledger->pending, id_of(item));
	ledger->pending.syncs = true;
	(void)pthread_cond_signal(&ledger->changed);
	(void)pthread_mutex_unlock(&ledger->lock);
	if (r < 0)
		cJSON_DeleteItemFromArray(ledger->open, cJSON_GetArraySize(ledger->open) - 1);
	return r;
}

void vd_ledger_close(struct vd_ledger *ledger, const char *id)
{
	VD_CLEANUP(vd_json_free) cJSON *value = NULL;
	const int i = find(ledger->open, id);

	if (i < 0)
		return;
	value = cJSON_CreateString(id);
	cJSON_DeleteItemFromArray(ledger->open, i);
	(void)pthread_mutex_lock(&ledger->lock);
	if (!value || put_line(ledger, "close", value) < 0)
		vd_log(VD_WARN, "triggers.notClosed", "itemId=%s", id);
	(void)pthread_cond_signal(&ledger->changed);
	(void)pthread_mutex_unlock(&ledger->lock);
}

bool vd_ledger_take(struct vd_ledger *ledger, struct vd_ledger_settled *ret_settled)
{
	bool is_there;

	(void)pthread_mutex_lock(&ledger->lock);
	is_there = ledger->taken < ledger->done.count;
	if (is_there)
		*ret_settled = ledger->done.settled[ledger->taken++];
	(void)pthread_mutex_unlock(&ledger->lock);
	return is_there;
}

size_t vd_ledger_count(const struct vd_ledger *ledger)
{
	return (size_t)cJSON_GetArraySize(ledger->open);
}

const cJSON *vd_ledger_find(const struct vd_ledger *ledger, const char *id)
{
	const int i = find(ledger->open, id);

	return i < 0 ? NULL : cJSON_GetArrayItem(ledger->open, i);
}

void vd_ledger_counts(struct vd_ledger *ledger, struct vd_ledger_counts *ret_counts)
{
	(void)pthread_mutex_lock(&ledger->lock);
	*ret_counts = ledger->counts;
	(void)pthread_mutex_unlock(&ledger->lock);
}

cJSON *vd_ledger_open_items(const struct vd_ledger *ledger)
{
	return cJSON_Duplicate(ledger->open, true);
}

static int read_file(struct vd_ledger *ledger, struct vd_fault *fault)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf text = { 0 };
	struct vd_fault reason = { 0 };
	int r = vd_file_read(ledger->path, FILE_MOST, &text, &reason);

	if (r < 0 && r != -ENOENT) {
		char aside[PATH_MAX + 8];

		*fault = reason;
		(void)snprintf(aside, sizeof aside, "%s.unread", ledger->path);
		(void)rename(ledger->path, aside); /* it is about to be written anew */
	}
	return vd_ledger_parse(text.data, text.len, &ledger->open, &ledger->counts.damaged);
}

static int start(struct vd_ledger *ledger, struct vd_fault *fault)
{
	int r = read_file(ledger, fault);

	if (r == 0)
		r = write_anew(ledger);
	if (r == 0)
		r = -pthread_create(&ledger->thread, NULL, work, ledger);
	return r;
}

int vd_ledger_new(const char *path, void (*wake)(void *argument), void *argument,
		  struct vd_ledger **ret_ledger, struct vd_fault *fault)
{
	struct vd_ledger *ledger;
	int r;

	if (strlen(path) >= PATH_MAX)
		return -ENAMETOOLONG;
	ledger = calloc(1, sizeof *ledger);
	if (!ledger)
		return -ENOMEM;
	(void)snprintf(ledger->path, sizeof ledger->path, "%s", path);
	ledger->wake = wake;
	ledger->argument = argument;
	ledger->fd = -1;
	(void)pthread_mutex_init(&ledger->lock, NULL);
	(void)pthread_cond_init(&ledger->changed, NULL);
	r = start(ledger, fault);
	if (r < 0) {
		batch_fini(&ledger->pending);
		(void)vd_json_free(ledger->open);
		free(ledger);
		return r;
	}
	*ret_ledger = ledger;
	return 0;
}

struct vd_ledger *vd_ledger_free(struct vd_ledger *ledger)
{
	if (!ledger)
		return NULL;
	(void)pthread_mutex_lock(&ledger->lock);
	ledger->is_ending = true;
	(void)pthread_cond_signal(&ledger->changed);
	(void)pthread_mutex_unlock(&ledger->lock);
	(void)pthread_join(ledger->thread, NULL);
	batch_fini(&ledger->pending);
	batch_fini(&ledger->done);
	vd_close(&ledger->fd);
	(void)pthread_cond_destroy(&ledger->changed);
	(void)pthread_mutex_destroy(&ledger->lock);
	(void)vd_json_free(ledger->open);
	free(ledger);
	return NULL;
}
