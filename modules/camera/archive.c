/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/camera/archive.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"

#define UNFINISHED ".new-"

enum { DIGITS = 8, NAME_BYTES = sizeof UNFINISHED + VD_ARCHIVE_NAME };

struct item {
	char name[VD_ARCHIVE_NAME];
	uint64_t bytes;
};

struct vd_archive {
	int fd;
	pthread_mutex_t lock;
	struct vd_archive_limits limits;
	struct item *items; /* oldest first */
	size_t count, capacity;
	uint64_t next_number;
	uint64_t bytes, evicted; /* bytes: of items, and of what is being written */
};

/* "<8 digits>-<letters>" */
static bool is_name(const char *name)
{
	size_t digits = strspn(name, "0123456789");

	return digits >= DIGITS && name[digits] == '-' &&
	       strspn(name + digits + 1, "abcdefghijklmnopqrstuvwxyz") ==
		       strlen(name + digits + 1) &&
	       strlen(name) < VD_ARCHIVE_NAME;
}

/* What the archive itself writes: no path, nothing hidden. */
static bool is_file_name(const char *file)
{
	size_t len = strlen(file);

	return len > 0 && len < VD_ARCHIVE_FILE && file[0] != '.' && !strchr(file, '/');
}

static int fail(struct vd_fault *fault, const char *what, int r)
{
	vd_fault_set(fault, r == -ENOSPC || r == -EDQUOT ? 507 : 500, NULL, "%s: %s", what,
		     strerror(-r));
	return r;
}

/* --- The folder --- */

static DIR *open_folder(int parent_fd, const char *name)
{
	int fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	DIR *folder = fd < 0 ? NULL : fdopendir(fd);

	if (fd >= 0 && !folder)
		vd_close(&fd);
	return folder;
}

static bool is_dots(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static void remove_folder(struct vd_archive *a, const char *name)
{
	DIR *folder = open_folder(a->fd, name);
	const struct dirent *entry;

	while (folder && (entry = readdir(folder))) {
		if (!is_dots(entry->d_name))
			(void)unlinkat(dirfd(folder), entry->d_name, 0);
	}
	if (folder)
		(void)closedir(folder);
	if (unlinkat(a->fd, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		vd_log(VD_WARN, "camera.kept_not_removed", "name=%s text=\"%s\"", name,
		       strerror(errno));
}

static uint64_t folder_bytes(struct vd_archive *a, const char *name)
{
	DIR *folder = open_folder(a->fd, name);
	const struct dirent *entry;
	uint64_t bytes = 0;
	struct stat status;

	while (folder && (entry = readdir(folder))) {
		if (fstatat(dirfd(folder), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISREG(status.st_mode))
			bytes += (uint64_t)status.st_size;
	}
	if (folder)
		(void)closedir(folder);
	return bytes;
}

static int add_item(struct vd_archive *a, const char *name, uint64_t bytes)
{
	struct item *item;

	if (a->count == a->capacity) {
		size_t capacity = a->capacity ? 2 * a->capacity : 32;
		struct item *items = reallocarray(a->items, capacity, sizeof *items);

		if (!items)
			return -ENOMEM;
		a->items = items;
		a->capacity = capacity;
	}
	item = &a->items[a->count++];
	(void)snprintf(item->name, sizeof item->name, "%s", name);
	item->bytes = bytes;
	return 0;
}

static int compare(const void *left, const void *right)
{
	const struct item *a = left, *b = right;
	unsigned long long m = strtoull(a->name, NULL, 10), n = strtoull(b->name, NULL, 10);

	return m < n ? -1 : m > n;
}

static int scan_one(struct vd_archive *a, const char *name)
{
	uint64_t bytes;

	if (strncmp(name, UNFINISHED, strlen(UNFINISHED)) == 0) {
		vd_log(VD_NOTICE, "camera.kept_unfinished", "name=%s", name);
		remove_folder(a, name);
		return 0;
	}
	if (!is_name(name))
		return 0;
	bytes = folder_bytes(a, name);
	a->bytes += bytes;
	return add_item(a, name, bytes);
}

static int scan(struct vd_archive *a)
{
	DIR *folder = open_folder(a->fd, ".");
	const struct dirent *entry;
	int r = folder ? 0 : -errno;

	while (r == 0 && (entry = readdir(folder)))
		r = scan_one(a, entry->d_name);
	if (folder)
		(void)closedir(folder);
	if (a->count > 0) {
		qsort(a->items, a->count, sizeof *a->items, compare);
		a->next_number = strtoull(a->items[a->count - 1].name, NULL, 10);
	}
	return r;
}

int vd_archive_open(const char *folder, struct vd_archive **ret_archive, struct vd_fault *fault)
{
	VD_CLEANUP(vd_archive_free) struct vd_archive *a = calloc(1, sizeof *a);
	int r;

	if (!a)
		return fail(fault, folder, -ENOMEM);
	a->fd = -1;
	(void)pthread_mutex_init(&a->lock, NULL);
	r = vd_file_make_folders(folder, 0750);
	if (r == 0) {
		a->fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		r = a->fd < 0 ? -errno : scan(a);
	}
	if (r < 0)
		return fail(fault, folder, r);
	*ret_archive = VD_TAKE(a);
	return 0;
}

struct vd_archive *vd_archive_free(struct vd_archive *a)
{
	if (!a)
		return NULL;
	vd_close(&a->fd);
	(void)pthread_mutex_destroy(&a->lock);
	free(a->items);
	free(a);
	return NULL;
}

void vd_archive_limit(struct vd_archive *a, const struct vd_archive_limits *limits)
{
	(void)pthread_mutex_lock(&a->lock);
	a->limits = *limits;
	(void)pthread_mutex_unlock(&a->lock);
}

void vd_archive_name(struct vd_archive *a, const char *kind, char name[static VD_ARCHIVE_NAME])
{
	(void)pthread_mutex_lock(&a->lock);
	(void)snprintf(name, VD_ARCHIVE_NAME, "%0*llu-%s", DIGITS,
		       (unsigned long long)++a->next_number, kind);
	(void)pthread_mutex_unlock(&a->lock);
}

void vd_archive_counts(struct vd_archive *a, struct vd_archive_counts *ret_counts)
{
	(void)pthread_mutex_lock(&a->lock);
	*ret_counts = (struct vd_archive_counts){ a->count, a->bytes, a->evicted };
	(void)pthread_mutex_unlock(&a->lock);
}

/* --- Reading --- */

static bool add_listed(cJSON *list, const struct item *item)
{
	cJSON *object = cJSON_CreateObject();

	if (!object || !cJSON_AddItemToArray(list, object)) {
		(void)vd_json_free(object);
		return false;
	}
	return vd_json_add_string(object, "name", item->name) &&
	       vd_json_add_number(object, "bytes", (double)item->bytes);
}

cJSON *vd_archive_list(struct vd_archive *a, size_t most)
{
	VD_CLEANUP(vd_json_free) cJSON *list = cJSON_CreateArray();
	bool ok = list != NULL;

	(void)pthread_mutex_lock(&a->lock);
	for (size_t i = 0; ok && i < a->count && i < most; i++)
		ok = add_listed(list, &a->items[a->count - 1 - i]);
	(void)pthread_mutex_unlock(&a->lock);
	return ok ? VD_TAKE(list) : NULL;
}

int vd_archive_read(struct vd_archive *a, const char *name, const char *file, int *ret_fd,
		    uint64_t *ret_bytes)
{
	char path[VD_ARCHIVE_NAME + VD_ARCHIVE_FILE];
	VD_CLEANUP(vd_close) int fd = -1;
	struct stat status;

	if (!is_name(name) || !is_file_name(file))
		return -ENOENT;
	(void)snprintf(path, sizeof path, "%s/%s", name, file);
	fd = openat(a->fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &status) < 0)
		return -errno;
	if (!S_ISREG(status.st_mode))
		return -ENOENT;
	*ret_bytes = (uint64_t)status.st_size;
	*ret_fd = fd;
	fd = -1;
	return 0;
}

int vd_archive_digest(int fd, char sha256[static VD_SHA256_TEXT])
{
	struct vd_sha256_state *state = NULL;
	char block[65536];
	off_t offset = 0;
	ssize_t n = 0;
	int r = vd_sha256_begin(&state);

	while (r == 0 && (n = pread(fd, block, sizeof block, offset)) > 0) {
		r = vd_sha256_add(state, block, (size_t)n);
		offset += n;
	}
	if (r == 0 && n < 0)
		r = -errno;
	if (r == 0)
		return vd_sha256_end(&state, sha256);
	(void)vd_sha256_free(state);
	return r;
}

/* --- Writing --- */

static void unfinished_name(const struct vd_archive_entry *entry, char path[static NAME_BYTES])
{
	(void)snprintf(path, NAME_BYTES, "%s%s", UNFINISHED, entry->name);
}

int vd_archive_begin(struct vd_archive *a, const char *name, struct vd_archive_entry *ret_entry,
		     struct vd_fault *fault)
{
	struct vd_archive_entry entry = { .archive = a };
	char path[NAME_BYTES];

	(void)snprintf(entry.name, sizeof entry.name, "%s", name);
	unfinished_name(&entry, path);
	if (mkdirat(a->fd, path, 0750) < 0)
		return fail(fault, name, -errno);
	entry.folder_fd = openat(a->fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (entry.folder_fd < 0) {
		int r = -errno;

		remove_folder(a, path);
		return fail(fault, name, r);
	}
	*ret_entry = entry;
	return 0;
}

/* How many bytes the file system has too few, when so many more are written. */
static uint64_t lacking(const struct vd_archive *a, size_t bytes)
{
	struct statvfs status;
	uint64_t is_free, wanted = a->limits.free_bytes + bytes;

	if (fstatvfs(a->fd, &status) < 0)
		return 0;
	is_free = (uint64_t)status.f_bavail * status.f_frsize;
	return wanted > is_free ? wanted - is_free : 0;
}

static uint64_t evictable(const struct vd_archive *a)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < a->count; i++)
		bytes += a->items[i].bytes;
	return bytes;
}

enum { HAS_TO_EVICT = 1 };

/* Under the lock. Takes the room, or says what is in the way. Nothing is thrown away in vain. */
static int take_room(struct vd_archive_entry *entry, size_t bytes)
{
	struct vd_archive *a = entry->archive;
	uint64_t sum = a->bytes + bytes, lack = lacking(a, bytes), gain = evictable(a);

	if (sum > a->limits.bytes + gain)
		return -EDQUOT;
	if (lack > gain)
		return -ENOSPC;
	if (sum > a->limits.bytes || lack > 0)
		return HAS_TO_EVICT;
	a->bytes += bytes;
	entry->bytes += bytes;
	return 0;
}

/* Files are removed without the lock, which the loop may want. */
static void evict(struct vd_archive *a, const struct item *item)
{
	vd_log(VD_NOTICE, "camera.kept_evicted", "name=%s bytes=%llu", item->name,
	       (unsigned long long)item->bytes);
	remove_folder(a, item->name);
	(void)pthread_mutex_lock(&a->lock);
	a->bytes -= item->bytes < a->bytes ? item->bytes : a->bytes;
	a->evicted++;
	(void)pthread_mutex_unlock(&a->lock);
}

int vd_archive_room(struct vd_archive_entry *entry, size_t bytes, struct vd_fault *fault)
{
	struct vd_archive *a = entry->archive;
	struct item oldest;
	int r;

	do {
		(void)pthread_mutex_lock(&a->lock);
		r = take_room(entry, bytes);
		if (r == HAS_TO_EVICT) {
			oldest = a->items[0];
			memmove(a->items, a->items + 1, --a->count * sizeof *a->items);
		}
		(void)pthread_mutex_unlock(&a->lock);
		if (r == HAS_TO_EVICT)
			evict(a, &oldest);
	} while (r == HAS_TO_EVICT);
	if (r == -EDQUOT)
		vd_fault_set(fault, 507, NULL, "%s: no room for it within kept.maxBytes",
			     entry->name);
	else if (r == -ENOSPC)
		vd_fault_set(fault, 507, NULL, "%s: less than kept.minFreeBytes are free",
			     entry->name);
	return r;
}

void vd_archive_give_back(struct vd_archive_entry *entry, size_t bytes)
{
	struct vd_archive *a = entry->archive;

	(void)pthread_mutex_lock(&a->lock);
	a->bytes -= bytes;
	entry->bytes -= bytes;
	(void)pthread_mutex_unlock(&a->lock);
}

static int write_all(int fd, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno != EINTR)
			return -errno;
		data += n > 0 ? n : 0;
		len -= n > 0 ? (size_t)n : 0;
	}
	return fsync(fd) < 0 ? -errno : 0;
}

int vd_archive_put(struct vd_archive_entry *entry, const char *file, const void *data, size_t len,
		   struct vd_fault *fault)
{
	VD_CLEANUP(vd_close)
	int fd = openat(entry->folder_fd, file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	int r = fd < 0 ? -errno : write_all(fd, data, len);

	return r < 0 ? fail(fault, file, r) : 0;
}

int vd_archive_write(struct vd_archive_entry *entry, const char *file, const void *data, size_t len,
		     struct vd_fault *fault)
{
	int r = vd_archive_room(entry, len, fault);

	return r < 0 ? r : vd_archive_put(entry, file, data, len, fault);
}

void vd_archive_discard(struct vd_archive_entry *entry)
{
	struct vd_archive *a = entry->archive;
	char path[NAME_BYTES];

	if (!a)
		return;
	unfinished_name(entry, path);
	remove_folder(a, path);
	(void)pthread_mutex_lock(&a->lock);
	a->bytes -= entry->bytes;
	(void)pthread_mutex_unlock(&a->lock);
	vd_close(&entry->folder_fd);
	entry->archive = NULL;
}

/* An entry that could not be listed for want of memory is there all the same, after a restart too. */
static void list_entry(const struct vd_archive_entry *entry)
{
	struct vd_archive *a = entry->archive;
	int r;

	(void)pthread_mutex_lock(&a->lock);
	r = add_item(a, entry->name, entry->bytes);
	(void)pthread_mutex_unlock(&a->lock);
	if (r < 0)
		vd_log(VD_ERROR, "camera.no_memory", "name=%s", entry->name);
}

int vd_archive_commit(struct vd_archive_entry *entry, struct vd_fault *fault)
{
	struct vd_archive *a = entry->archive;
	char path[NAME_BYTES];

	unfinished_name(entry, path);
	if (fsync(entry->folder_fd) < 0 || renameat(a->fd, path, a->fd, entry->name) < 0) {
		int r = fail(fault, entry->name, -errno);

		vd_archive_discard(entry);
		return r;
	}
	if (fsync(a->fd) < 0)
		vd_log(VD_WARN, "camera.kept_not_synced", "name=%s text=\"%s\"", entry->name,
		       strerror(errno));
	list_entry(entry);
	vd_close(&entry->folder_fd);
	entry->archive = NULL;
	return 0;
}
