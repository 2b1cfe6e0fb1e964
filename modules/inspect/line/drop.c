/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's events say which file is complete; a listing cannot. So a listing is only made at
 * the start and when events were lost, and takes what has been left alone for a while.
 */
#include "modules/inspect/line/drop.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"

enum { SETTLE_S = 2, AGAIN_MS = 50, LIST_MS = 1000, EVENT_BYTES = 16384 };

enum stage { WAITING, TAKEN, LEFT };

struct entry {
	char name[VD_DROP_NAME_BYTES];
	enum stage stage;
};

struct vd_drop {
	char folder[PATH_MAX], done_folder[PATH_MAX];
	vd_drop_fn on_file;
	void *argument;
	int events;
	struct vd_source *readable, *again, *list;
	struct entry *entries; /* ordered by name */
	size_t count, room;
};

static void arm(struct vd_source *timer, uint64_t delay_ms)
{
	const int r = vd_timer_arm(timer, delay_ms);

	if (r < 0)
		vd_log(VD_ERROR, "drop.timer", "text=\"%s\"", strerror(-r));
}

static void path_of(const char *folder, const char *name, char path[static PATH_MAX])
{
	if (snprintf(path, PATH_MAX, "%s/%s", folder, name) >= PATH_MAX)
		path[0] = '\0';
}

static bool ends_with(const char *name, const char *end)
{
	const size_t len = strlen(name), most = strlen(end);

	return len >= most && strcmp(name + len - most, end) == 0;
}

static bool is_ours(const char *name)
{
	return name[0] && name[0] != '.' && strlen(name) < VD_DROP_NAME_BYTES &&
	       !strchr(name, '/') && !ends_with(name, ".tmp") && !ends_with(name, ".part");
}

/* Where the name stands, or would. */
static size_t place_of(const struct vd_drop *drop, const char *name, bool *ret_is_there)
{
	size_t low = 0, high = drop->count;

	while (low < high) {
		const size_t middle = low + (high - low) / 2;

		if (strcmp(drop->entries[middle].name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	*ret_is_there = low < drop->count && strcmp(drop->entries[low].name, name) == 0;
	return low;
}

static int make_room(struct vd_drop *drop)
{
	const size_t room = drop->room ? 2 * drop->room : 16;
	struct entry *entries;

	if (drop->count < drop->room)
		return 0;
	if (drop->count == VD_DROP_MOST)
		return -ENOBUFS;
	entries = reallocarray(drop->entries, room, sizeof *entries);
	if (!entries)
		return -ENOMEM;
	drop->entries = entries;
	drop->room = room;
	return 0;
}

/* A file of a known name that was dropped again is a new one, unless the old one is in hand. */
static int put(struct vd_drop *drop, const char *name, enum stage stage)
{
	bool is_there;
	const size_t at = place_of(drop, name, &is_there);
	int r = is_there ? 0 : make_room(drop);

	if (r < 0) {
		arm(drop->list, LIST_MS);
		return r;
	}
	if (is_there && drop->entries[at].stage == TAKEN)
		return 0;
	if (!is_there) {
		memmove(&drop->entries[at + 1], &drop->entries[at],
			(drop->count - at) * sizeof *drop->entries);
		drop->count++;
		(void)snprintf(drop->entries[at].name, VD_DROP_NAME_BYTES, "%s", name);
	}
	drop->entries[at].stage = stage;
	return 0;
}

static void forget(struct vd_drop *drop, size_t at)
{
	drop->count--;
	memmove(&drop->entries[at], &drop->entries[at + 1],
		(drop->count - at) * sizeof *drop->entries);
}

static struct entry *first_waiting(struct vd_drop *drop)
{
	for (size_t i = 0; i < drop->count; i++) {
		if (drop->entries[i].stage == WAITING)
			return &drop->entries[i];
	}
	return NULL;
}

size_t vd_drop_waiting(const struct vd_drop *drop)
{
	size_t waiting = 0;

	for (size_t i = 0; i < drop->count; i++)
		waiting += drop->entries[i].stage == WAITING;
	return waiting;
}

/* One file; false: the others must wait. */
static bool offer(struct vd_drop *drop, struct entry *entry)
{
	char path[PATH_MAX], name[VD_DROP_NAME_BYTES];
	enum vd_drop_answer answer;
	struct stat status;
	bool is_there;
	size_t at;

	memcpy(name, entry->name, sizeof name);
	path_of(drop->folder, name, path);
	if (lstat(path, &status) < 0 || !S_ISREG(status.st_mode)) {
		forget(drop, (size_t)(entry - drop->entries));
		return true;
	}
	entry->stage = TAKEN; /* before it is offered: it may be consumed at once */
	answer = drop->on_file(name, path, drop->argument);
	at = place_of(drop, name, &is_there);
	if (is_there && answer != VD_DROP_TAKEN)
		drop->entries[at].stage = answer == VD_DROP_LATER ? WAITING : LEFT;
	return answer != VD_DROP_LATER;
}

static void offer_all(void *argument)
{
	struct vd_drop *drop = argument;
	struct entry *entry;

	while ((entry = first_waiting(drop))) {
		if (!offer(drop, entry)) {
			arm(drop->again, AGAIN_MS);
			return;
		}
	}
}

/* A regular file; how long ago it was last written to, in seconds. */
static bool lies_there(const struct vd_drop *drop, const char *name, time_t *ret_age_s)
{
	char path[PATH_MAX];
	struct stat status;

	path_of(drop->folder, name, path);
	if (lstat(path, &status) < 0 || !S_ISREG(status.st_mode))
		return false;
	*ret_age_s = time(NULL) - status.st_mtime;
	return true;
}

static void list_folder(void *argument)
{
	struct vd_drop *drop = argument;
	DIR *folder = opendir(drop->folder);
	const struct dirent *file;
	bool is_there, is_all = true;
	time_t age_s;

	while (folder && (file = readdir(folder))) {
		if (!is_ours(file->d_name))
			continue;
		(void)place_of(drop, file->d_name, &is_there);
		if (is_there || !lies_there(drop, file->d_name, &age_s))
			continue;
		if (age_s < SETTLE_S)
			is_all = false;
		else if (put(drop, file->d_name, WAITING) < 0)
			break;
	}
	if (folder)
		(void)closedir(folder);
	if (!is_all)
		arm(drop->list, LIST_MS);
	arm(drop->again, 0);
}

static void take_event(struct vd_drop *drop, const struct inotify_event *event)
{
	if (event->mask & IN_Q_OVERFLOW)
		arm(drop->list, 0);
	else if (event->mask & IN_IGNORED)
		vd_log(VD_ERROR, "drop.gone", "folder=%s", drop->folder);
	else if (event->len > 0 && is_ours(event->name))
		(void)put(drop, event->name, WAITING);
}

static void on_events(int fd, int ready, void *argument)
{
	struct vd_drop *drop = argument;
	_Alignas(struct inotify_event) char bytes[EVENT_BYTES];
	const ssize_t len = read(fd, bytes, sizeof bytes);

	for (ssize_t at = 0; at < len;) {
		const struct inotify_event *event = (const void *)(bytes + at);

		take_event(drop, event);
		at += (ssize_t)(sizeof *event + event->len);
	}
	arm(drop->again, 0);
}

static bool move_away(const struct vd_drop *drop, const char *path, const char *name)
{
	char target[PATH_MAX];

	if (!drop->done_folder[0])
		return unlink(path) == 0 || errno == ENOENT;
	path_of(drop->done_folder, name, target);
	return rename(path, target) == 0 || errno == ENOENT;
}

void vd_drop_consume(struct vd_drop *drop, const char *name)
{
	char path[PATH_MAX];
	bool is_there;
	const size_t at = place_of(drop, name, &is_there);

	path_of(drop->folder, name, path);
	if (!move_away(drop, path, name)) {
		vd_log(VD_ERROR, "drop.notConsumed", "path=%s text=\"%s\"", path, strerror(errno));
		return; /* it stays taken: better there for ever than inspected twice */
	}
	if (is_there)
		forget(drop, at);
}

int vd_drop_claim(struct vd_drop *drop, const char *name)
{
	return is_ours(name) ? put(drop, name, TAKEN) : 0;
}

static int watch(struct vd_drop *drop, struct vd_loop *loop, struct vd_fault *fault)
{
	int r;

	drop->events = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (drop->events < 0)
		return -errno;
	if (inotify_add_watch(drop->events, drop->folder,
			      IN_CLOSE_WRITE | IN_MOVED_TO | IN_ONLYDIR) < 0) {
		r = -errno;
		vd_fault_set(fault, 400, NULL, "%s: %s", drop->folder, strerror(-r));
		return r;
	}
	r = vd_loop_fd(loop, drop->events, VD_READABLE, on_events, drop, &drop->readable);
	if (r == 0)
		r = vd_loop_timer(loop, offer_all, drop, &drop->again);
	if (r == 0)
		r = vd_loop_timer(loop, list_folder, drop, &drop->list);
	return r == 0 ? vd_timer_arm(drop->list, 0) : r;
}

int vd_drop_new(struct vd_loop *loop, const char *folder, const char *done_folder,
		vd_drop_fn on_file, void *argument, struct vd_drop **ret_drop,
		struct vd_fault *fault)
{
	VD_CLEANUP(vd_drop_free) struct vd_drop *drop = calloc(1, sizeof *drop);
	int r;

	if (!drop)
		return -ENOMEM;
	drop->events = -1;
	drop->on_file = on_file;
	drop->argument = argument;
	if (snprintf(drop->folder, PATH_MAX, "%s", folder) >= PATH_MAX ||
	    snprintf(drop->done_folder, PATH_MAX, "%s", done_folder) >= PATH_MAX)
		return -ENAMETOOLONG;
	r = watch(drop, loop, fault);
	if (r == 0)
		*ret_drop = VD_TAKE(drop);
	return r;
}

struct vd_drop *vd_drop_free(struct vd_drop *drop)
{
	if (!drop)
		return NULL;
	(void)vd_source_free(drop->readable);
	(void)vd_source_free(drop->again);
	(void)vd_source_free(drop->list);
	vd_close(&drop->events);
	free(drop->entries);
	free(drop);
	return NULL;
}
