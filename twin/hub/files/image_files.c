/* SPDX-License-Identifier: Apache-2.0 */
#include "twin/hub/files/image_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"

enum { DIGEST_LEN = VD_SHA256_TEXT - 1 };

static int path_of(char path[static PATH_MAX], const char *folder, const char *a, const char *b)
{
	int len = snprintf(path, PATH_MAX, "%s/%s%s%s", folder, a, b ? "/" : "", b ? b : "");

	return len < 0 || len >= PATH_MAX ? -ENAMETOOLONG : 0;
}

int vd_image_files_prepare(const char *folder, struct vd_fault *fault)
{
	static const char *const parts[] = { "incoming", "staging" };
	char path[PATH_MAX];
	int r = 0;

	for (size_t i = 0; i < VD_COUNT(parts) && r == 0; i++) {
		r = path_of(path, folder, parts[i], NULL);
		if (r == 0)
			r = vd_file_make_folders(path, 0700);
	}
	if (r < 0)
		vd_fault_set(fault, 500, "/imageFolder", "%s: %s", folder, strerror(-r));
	return r;
}

const char *vd_image_files_place(const char *digest, char place[static VD_SHA256_TEXT + 3])
{
	(void)snprintf(place, VD_SHA256_TEXT + 3, "%.2s/%s", digest, digest);
	return place;
}

static int ready_path(char path[static PATH_MAX], const char *folder, const char *digest)
{
	char name[VD_SHA256_TEXT + 8];

	(void)snprintf(name, sizeof name, "%s.ready", digest);
	return path_of(path, folder, "staging", name);
}

static int sync_folder(const char *path)
{
	VD_CLEANUP(vd_close) int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

int vd_image_files_settle(const char *folder, const char *digest)
{
	char from[PATH_MAX], to[PATH_MAX], shelf[PATH_MAX], place[VD_SHA256_TEXT + 3];
	char two[3] = { digest[0], digest[1], '\0' };
	int r = ready_path(from, folder, digest);

	if (r == 0)
		r = path_of(to, folder, vd_image_files_place(digest, place), NULL);
	if (r == 0)
		r = path_of(shelf, folder, two, NULL);
	if (r == 0)
		r = vd_file_make_folders(shelf, 0700);
	if (r == 0 && rename(from, to) < 0)
		r = errno == ENOENT && access(to, F_OK) == 0 ? 0 : -errno;
	return r == 0 ? sync_folder(shelf) : r;
}

void vd_image_files_discard(const char *folder, const char *digest)
{
	char path[PATH_MAX];

	if (ready_path(path, folder, digest) == 0)
		(void)unlink(path);
}

int vd_image_files_remove(const char *folder, const char *digest)
{
	char path[PATH_MAX], place[VD_SHA256_TEXT + 3];
	int r = path_of(path, folder, vd_image_files_place(digest, place), NULL);

	return r == 0 && unlink(path) < 0 && errno != ENOENT ? -errno : r;
}

/* Calls fn for each entry's name but . and ..; its failures are not waited for. */
static int each_entry(const char *path, void (*fn)(const char *name, void *argument),
		      void *argument)
{
	DIR *dir = opendir(path);
	const struct dirent *entry;

	if (!dir)
		return -errno;
	while ((entry = readdir(dir))) {
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			fn(entry->d_name, argument);
	}
	(void)closedir(dir);
	return 0;
}

struct in_folder {
	const char *path;
	int64_t bytes;
};

static void remove_entry(const char *name, void *argument)
{
	const struct in_folder *in = argument;
	char path[PATH_MAX];

	if (path_of(path, in->path, name, NULL) == 0)
		(void)unlink(path);
}

static void add_size(const char *name, void *argument)
{
	struct in_folder *in = argument;
	char path[PATH_MAX];
	struct stat file;

	if (path_of(path, in->path, name, NULL) == 0 && stat(path, &file) == 0)
		in->bytes += file.st_size;
}

void vd_image_files_drop(const char *folder, const char *upload)
{
	char path[PATH_MAX];
	struct in_folder in = { .path = path };

	if (path_of(path, folder, "staging", upload) < 0)
		return;
	if (each_entry(path, remove_entry, &in) == 0)
		(void)rmdir(path);
}

int vd_image_files_size(const char *folder, const char *upload, int64_t *ret_bytes)
{
	char path[PATH_MAX];
	struct in_folder in = { .path = path };
	int r = path_of(path, folder, "staging", upload);

	if (r == 0)
		r = each_entry(path, add_size, &in);
	if (r < 0 && r != -ENOENT)
		return r;
	*ret_bytes = in.bytes;
	return 0;
}

struct recovery {
	const char *folder;
	bool (*is_known)(const char *digest, void *argument);
	bool (*is_open)(const char *upload, void *argument);
	void *argument;
};

static void recover_ready(const struct recovery *recovery, const char *digest)
{
	char path[PATH_MAX];

	if (recovery->is_known(digest, recovery->argument))
		(void)!vd_image_files_settle(recovery->folder, digest);
	else if (ready_path(path, recovery->folder, digest) == 0)
		(void)unlink(path);
}

static void recover_entry(const char *name, void *argument)
{
	const struct recovery *recovery = argument;
	char digest[VD_SHA256_TEXT], path[PATH_MAX];

	if (strlen(name) == DIGEST_LEN + strlen(".ready") &&
	    strcmp(name + DIGEST_LEN, ".ready") == 0) {
		(void)snprintf(digest, sizeof digest, "%.*s", DIGEST_LEN, name);
		recover_ready(recovery, digest);
	} else if (!recovery->is_open(name, recovery->argument)) {
		vd_image_files_drop(recovery->folder, name);
		if (path_of(path, recovery->folder, "staging", name) == 0)
			(void)unlink(path); /* a join that was not finished */
	}
}

int vd_image_files_recover(const char *folder, bool (*is_known)(const char *digest, void *argument),
			   bool (*is_open)(const char *upload, void *argument), void *argument)
{
	struct recovery recovery = { folder, is_known, is_open, argument };
	char path[PATH_MAX];
	int r = path_of(path, folder, "staging", NULL);

	return r == 0 ? each_entry(path, recover_entry, &recovery) : r;
}

/* A regular file that the front wrote, and no other. */
static int check_body(const char *folder, const char *body_file, struct stat *ret_file)
{
	char incoming[PATH_MAX];
	int r = path_of(incoming, folder, "incoming/", NULL);

	if (r < 0)
		return r;
	if (!body_file || strncmp(body_file, incoming, strlen(incoming)) != 0 ||
	    strstr(body_file, "/../"))
		return !body_file || !body_file[0] ? -ENODATA : -EACCES;
	if (lstat(body_file, ret_file) < 0)
		return -errno;
	if (!S_ISREG(ret_file->st_mode))
		return -EACCES;
	return ret_file->st_size == 0 ? -ENODATA : 0;
}

int vd_image_files_take(const char *folder, const char *upload, const char *part,
			const char *body_file, int64_t *ret_bytes)
{
	char staging[PATH_MAX], path[PATH_MAX];
	struct stat file;
	int r = check_body(folder, body_file, &file);

	if (r == 0)
		r = path_of(staging, folder, "staging", upload);
	if (r == 0)
		r = path_of(path, staging, part, NULL);
	if (r == 0)
		r = vd_file_make_folders(staging, 0700);
	if (r < 0)
		return r;
	(void)unlink(path);
	if (link(body_file, path) < 0)
		return -errno;
	return vd_image_files_size(folder, upload, ret_bytes);
}

int vd_image_files_read(const char *folder, const char *body_file, size_t limit, struct vd_buf *out)
{
	struct stat file;
	int r = check_body(folder, body_file, &file);

	return r == 0 ? vd_file_read(body_file, limit, out, NULL) : r;
}
