/* SPDX-License-Identifier: Apache-2.0 */
#include "twin/ctl/pack.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <archive.h>
#include <archive_entry.h>

#include "base/digest.h"
#include "base/file.h"
#include "base/json.h"
#include "twin/document/manifest.h"

enum { PORTION = 65536, FILES_MAX = 4096, DEPTH_MAX = 16, DESCRIPTION_BYTES = 1 << 20 };

struct work {
	const struct vd_pack *pack;
	char *paths[FILES_MAX]; /* below the folder, sorted */
	size_t count;
	struct archive *archive;
	cJSON *manifest, *files;
	const char *entry_point; /* in manifest */
	char temporary[PATH_MAX], stem[PATH_MAX];
	struct vd_fault *fault;
};

static void work_fini_p(struct work *work)
{
	for (size_t i = 0; i < work->count; i++)
		free(work->paths[i]);
	(void)archive_write_free(work->archive);
	(void)vd_json_free(work->manifest);
	if (work->temporary[0])
		(void)unlink(work->temporary);
}

static int refuse(struct work *work, const char *path, const char *text)
{
	vd_fault_set(work->fault, 400, "", "%s/%s: %s", work->pack->folder, path, text);
	return -EINVAL;
}

static int failed(struct work *work, const char *path, int error)
{
	vd_fault_set(work->fault, 500, "", "%s: %s", path, strerror(error));
	return -error;
}

/* --- which files --- */

static int join(char out[static PATH_MAX], const char *a, const char *b)
{
	int len = snprintf(out, PATH_MAX, "%s%s%s", a, a[0] && b[0] ? "/" : "", b);

	return len < 0 || len >= PATH_MAX ? -ENAMETOOLONG : 0;
}

static int list_folder(struct work *work, const char *below, int depth);

static int list_entry(struct work *work, const char *below, const char *name, int depth)
{
	char path[PATH_MAX], full[PATH_MAX];
	struct stat file;

	if (join(path, below, name) < 0 || join(full, work->pack->folder, path) < 0)
		return refuse(work, name, "the path is too long");
	if (lstat(full, &file) < 0)
		return failed(work, full, errno);
	if (S_ISDIR(file.st_mode))
		return list_folder(work, path, depth + 1);
	if (!S_ISREG(file.st_mode))
		return refuse(work, path, "is neither a file nor a folder");
	if (!vd_manifest_is_path(path))
		return refuse(work, path, "a name has letters, digits, spaces and ._+~- only");
	if (work->count == FILES_MAX)
		return refuse(work, path, "is one file too many");
	work->paths[work->count] = strdup(path);
	return work->paths[work->count++] ? 0 : -ENOMEM;
}

static int list_folder(struct work *work, const char *below, int depth)
{
	char full[PATH_MAX];
	const struct dirent *entry;
	DIR *dir;
	int r = 0;

	if (depth > DEPTH_MAX || join(full, work->pack->folder, below) < 0)
		return refuse(work, below, "is too deep");
	dir = opendir(full);
	if (!dir)
		return failed(work, full, errno);
	while (r == 0 && (entry = readdir(dir))) {
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			r = list_entry(work, below, entry->d_name, depth);
	}
	(void)closedir(dir);
	return r;
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* --- who it is --- */

static int read_description(struct work *work, const char *name, cJSON **ret_json)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf text = { 0 };
	char path[PATH_MAX];
	int r = join(path, work->pack->folder, name);

	if (r == 0)
		r = vd_file_read(path, DESCRIPTION_BYTES, &text, work->fault);
	return r == 0 ? vd_json_parse(text.data ? text.data : "", text.len, ret_json, work->fault)
		      : r;
}

static bool add_identity(struct work *work, const cJSON *description, const char *kind,
			 const char *arch)
{
	cJSON *m = work->manifest;
	const cJSON *protocol = vd_json_get(description, "protocol");

	if (!vd_json_add_number(m, "format", VD_MANIFEST_FORMAT) ||
	    !vd_json_add_string(m, "kind", kind) ||
	    !vd_json_add_string(m, "name", vd_json_string(description, "name", "")) ||
	    !vd_json_add_string(m, "version", vd_json_string(description, "version", "")) ||
	    !vd_json_add_string(m, "arch", arch) || !cJSON_AddObjectToObject(m, "archive"))
		return false;
	if (strcmp(kind, "module") == 0 &&
	    (!vd_json_add_string(m, "entryPoint", vd_json_string(description, "entryPoint", "")) ||
	     (protocol && !vd_json_add_copy(m, "protocol", protocol))))
		return false;
	work->entry_point = vd_json_string(m, "entryPoint", "");
	work->files = cJSON_AddArrayToObject(m, "files");
	return work->files;
}

static bool has_file(const struct work *work, const char *name)
{
	for (size_t i = 0; i < work->count; i++) {
		if (strcmp(work->paths[i], name) == 0)
			return true;
	}
	return false;
}

static int identify(struct work *work)
{
	VD_CLEANUP(vd_json_free) cJSON *description = NULL;
	bool is_module = has_file(work, "manifest.json");
	const char *arch = work->pack->arch;
	struct utsname machine = { 0 };
	int r = read_description(work, is_module ? "manifest.json" : "model.json", &description);

	if (r < 0)
		return r;
	if (!arch && is_module && uname(&machine) == 0)
		arch = machine.machine;
	work->manifest = cJSON_CreateObject();
	if (!work->manifest ||
	    !add_identity(work, description, is_module ? "module" : "model", arch ? arch : "any"))
		return -ENOMEM;
	if (!vd_manifest_is_name(vd_json_string(work->manifest, "name", "")) ||
	    !vd_manifest_is_name(vd_json_string(work->manifest, "version", "")) ||
	    !vd_manifest_is_name(vd_json_string(work->manifest, "arch", "")))
		return refuse(work, is_module ? "manifest.json" : "model.json",
			      "its name or version cannot name a package");
	return snprintf(work->stem, sizeof work->stem, "%s/%s-%s-%s", work->pack->out,
			vd_json_string(work->manifest, "name", ""),
			vd_json_string(work->manifest, "version", ""),
			vd_json_string(work->manifest, "arch", "")) < PATH_MAX - 32
		       ? 0
		       : -ENAMETOOLONG;
}

/* --- the archive --- */

static int archive_failed(struct work *work)
{
	vd_fault_set(work->fault, 500, "", "%s: %s", work->temporary,
		     archive_error_string(work->archive));
	return -EIO;
}

static int open_archive(struct work *work)
{
	(void)snprintf(work->temporary, sizeof work->temporary, "%.*s.tar.zst.new", PATH_MAX - 32,
		       work->stem);
	work->archive = archive_write_new();
	if (!work->archive)
		return -ENOMEM;
	if (archive_write_set_format_pax_restricted(work->archive) != ARCHIVE_OK ||
	    archive_write_add_filter_zstd(work->archive) != ARCHIVE_OK ||
	    archive_write_set_options(work->archive, "compression-level=12") != ARCHIVE_OK ||
	    archive_write_open_filename(work->archive, work->temporary) != ARCHIVE_OK)
		return archive_failed(work);
	return 0;
}

static int write_head(struct work *work, const char *path, int64_t size, bool is_executable)
{
	struct archive_entry *entry = archive_entry_new();
	int r = -ENOMEM;

	if (entry) {
		archive_entry_set_pathname(entry, path);
		archive_entry_set_size(entry, size);
		archive_entry_set_filetype(entry, AE_IFREG);
		archive_entry_set_perm(entry, is_executable ? 0755 : 0644);
		archive_entry_set_mtime(entry, 0, 0);
		r = archive_write_header(work->archive, entry) == ARCHIVE_OK ? 0
									     : archive_failed(work);
	}
	archive_entry_free(entry);
	return r;
}

/* archive NULL: only the digest is wanted. */
static int read_through(struct work *work, const char *full, struct archive *archive,
			char digest[static VD_SHA256_TEXT], int64_t *ret_bytes)
{
	static char buffer[PORTION];
	struct vd_sha256_state *state = NULL;
	VD_CLEANUP(vd_close) int fd = open(full, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	int r = fd < 0 ? failed(work, full, errno) : vd_sha256_begin(&state);
	ssize_t n = 1;

	for (*ret_bytes = 0; r == 0 && n > 0; *ret_bytes += n) {
		n = read(fd, buffer, sizeof buffer);
		r = n < 0 ? failed(work, full, errno) : vd_sha256_add(state, buffer, (size_t)n);
		if (r == 0 && n > 0 && archive &&
		    archive_write_data(archive, buffer, (size_t)n) != n)
			r = archive_failed(work);
	}
	if (r == 0)
		return vd_sha256_end(&state, digest);
	(void)vd_sha256_free(state);
	return r;
}

static bool note_file(struct work *work, const char *path, const char *digest, int64_t bytes,
		      bool is_executable)
{
	VD_CLEANUP(vd_json_free) cJSON *file = cJSON_CreateObject();

	if (!file || !vd_json_add_string(file, "path", path) ||
	    !vd_json_add_string(file, "sha256", digest) ||
	    !vd_json_add_number(file, "bytes", (double)bytes) ||
	    (is_executable && !vd_json_add_bool(file, "executable", true)) ||
	    !cJSON_AddItemToArray(work->files, file))
		return false;
	file = NULL;
	return true;
}

static int add_file(struct work *work, const char *path)
{
	char full[PATH_MAX], digest[VD_SHA256_TEXT];
	bool is_executable;
	struct stat file;
	int64_t bytes;
	int r = join(full, work->pack->folder, path);

	if (r == 0 && stat(full, &file) < 0)
		r = failed(work, full, errno);
	if (r < 0)
		return r;
	is_executable = (file.st_mode & 0100) || strcmp(path, work->entry_point) == 0;
	r = write_head(work, path, file.st_size, is_executable);
	if (r == 0)
		r = read_through(work, full, work->archive, digest, &bytes);
	if (r == 0 && bytes != file.st_size)
		return refuse(work, path, "changed while it was read");
	if (r == 0 && !note_file(work, path, digest, bytes, is_executable))
		r = -ENOMEM;
	return r;
}

static int close_archive(struct work *work)
{
	cJSON *archive = cJSON_GetObjectItemCaseSensitive(work->manifest, "archive");
	char digest[VD_SHA256_TEXT];
	int64_t bytes;
	int r = archive_write_close(work->archive) == ARCHIVE_OK ? 0 : archive_failed(work);

	if (r == 0)
		r = read_through(work, work->temporary, NULL, digest, &bytes);
	if (r == 0 && (!vd_json_add_string(archive, "sha256", digest) ||
		       !vd_json_add_number(archive, "bytes", (double)bytes)))
		r = -ENOMEM;
	return r;
}

/* The manifest goes last: with it there is an archive. */
static int put_in_place(struct work *work, const char *text)
{
	VD_CLEANUP(vd_manifest_fini) struct vd_manifest checked = { 0 };
	char path[PATH_MAX];
	int r = vd_manifest_parse(text, strlen(text), &checked, work->fault);

	if (r < 0)
		return r;
	(void)snprintf(path, sizeof path, "%.*s.tar.zst", PATH_MAX - 32, work->stem);
	if (rename(work->temporary, path) < 0)
		return failed(work, path, errno);
	work->temporary[0] = '\0';
	(void)snprintf(path, sizeof path, "%.*s.json", PATH_MAX - 32, work->stem);
	r = vd_file_write(path, text, strlen(text), 0644);
	return r < 0 ? failed(work, path, -r) : 0;
}

int vd_pack_make(const struct vd_pack *pack, struct vd_buf *ret_stem, struct vd_fault *fault)
{
	VD_CLEANUP(work_fini) struct work work = { .pack = pack, .fault = fault };
	VD_CLEANUP(vd_free) char *text = NULL;
	int r = list_folder(&work, "", 0);

	if (r == 0) {
		qsort(work.paths, work.count, sizeof *work.paths, compare);
		r = identify(&work);
	}
	if (r == 0)
		r = open_archive(&work);
	for (size_t i = 0; r == 0 && i < work.count; i++)
		r = add_file(&work, work.paths[i]);
	if (r == 0)
		r = close_archive(&work);
	if (r == 0) {
		text = vd_json_text(work.manifest);
		r = text ? put_in_place(&work, text) : -ENOMEM;
	}
	return r == 0 ? vd_buf_printf(ret_stem, "%s", work.stem) : r;
}
