/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/store/private.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/log.h"

static const struct {
	const char *media_type, *extension;
} known[] = {
	{ "image/jpeg", "jpg" },
	{ "image/png", "png" },
	{ "image/x-portable-graymap", "pgm" },
	{ "video/x-msvideo", "avi" },
	{ "application/json", "json" },
};

static const char *extension(const char *media_type)
{
	for (size_t i = 0; i < VD_COUNT(known); i++)
		if (strcmp(media_type, known[i].media_type) == 0)
			return known[i].extension;
	return "bin";
}

const char *vd_image_media_type(const char *file)
{
	const char *dot = strrchr(file, '.');

	for (size_t i = 0; dot && i < VD_COUNT(known); i++)
		if (strcmp(dot + 1, known[i].extension) == 0)
			return known[i].media_type;
	return "application/octet-stream";
}

void vd_image_file(const struct vd_enclosure *enclosure, char file[static 80])
{
	(void)snprintf(file, 80, "%s.%s", enclosure->sha256, extension(enclosure->media_type));
}

static int read_all(const struct vd_enclosure *enclosure, char **ret_data, struct vd_fault *fault)
{
	VD_CLEANUP(vd_free) char *data = malloc(enclosure->bytes + 1);
	size_t len = 0;
	ssize_t n = 1;

	if (!data)
		return -ENOMEM;
	/* One byte more than promised, so that a longer file shows. */
	while (n > 0 && len <= enclosure->bytes) {
		n = pread(enclosure->fd, data + len, enclosure->bytes + 1 - len, (off_t)len);
		if (n < 0 && errno != EINTR) {
			vd_fault_set(fault, 400, "", "cannot be read: %s", strerrordesc_np(errno));
			return -EBADMSG;
		}
		len += n > 0 ? (size_t)n : 0;
	}
	if (len != enclosure->bytes) {
		vd_fault_set(fault, 400, "/bytes", "the file is %s than the %llu bytes stated",
			     len < enclosure->bytes ? "shorter" : "longer",
			     (unsigned long long)enclosure->bytes);
		return -EBADMSG;
	}
	*ret_data = VD_TAKE(data);
	return 0;
}

int vd_image_write(const char *folder, struct vd_enclosure *enclosure, struct vd_fault *fault)
{
	VD_CLEANUP(vd_free) char *data = NULL;
	VD_CLEANUP(vd_buf_fini) struct vd_buf path = { 0 };
	char sha256[VD_SHA256_TEXT], file[80];
	int r = read_all(enclosure, &data, fault);

	if (r < 0)
		return r;
	r = vd_sha256_text(data, enclosure->bytes, sha256);
	if (r < 0)
		return r;
	if (strcmp(sha256, enclosure->sha256) != 0) {
		vd_fault_set(fault, 400, "/sha256", "the content's is %s", sha256);
		return -EBADMSG;
	}
	vd_image_file(enclosure, file);
	r = vd_buf_printf(&path, "%s/%s", folder, file);
	if (r == 0)
		r = vd_file_write(path.data, data, enclosure->bytes, 0640);
	enclosure->is_written = r == 0;
	return r;
}

/* From the record alone, so that it leads there: the same again is the same name. */
static void name_blob(const struct vd_store *store, const struct vd_entry *entry,
		      const struct vd_enclosure *enclosure, char out[static VD_BLOB_BYTES])
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789_-";
	const char *suffix = extension(enclosure->media_type);
	char time[VD_TIME_TEXT], name[sizeof enclosure->name], *dot;

	(void)snprintf(name, sizeof name, "%s", enclosure->name);
	dot = strrchr(name, '.');
	if (dot && strcmp(dot + 1, suffix) == 0)
		*dot = '\0';
	for (char *c = name; *c; c++)
		*c = strchr(plain, *c) ? *c : '_';
	(void)snprintf(out, VD_BLOB_BYTES, "%.10s/%s-%" PRIu64 "-%s-%.8s.%s",
		       vd_time_text(entry->wall_ms, time), store->boot_id, entry->seq, name,
		       enclosure->sha256, suffix);
}

static int add_image(struct vd_writer *w, const struct vd_image *image, const char *name,
		     const char *media_type)
{
	int r = vd_db_image_put(w->db, image, name, media_type);

	if (r != 1)
		return r;
	w->ledger.account.images++;
	w->ledger.account.image_bytes += image->bytes;
	w->ledger.images[VD_IMAGE_WAITING].count++;
	w->ledger.images[VD_IMAGE_WAITING].bytes += image->bytes;
	return 0;
}

static int index_one(struct vd_store *store, const struct vd_entry *entry,
		     const struct vd_enclosure *enclosure)
{
	struct vd_image image = { .bytes = enclosure->bytes,
				  .seq = entry->seq,
				  .worth = entry->worth,
				  .rank = entry->rank };

	vd_image_file(enclosure, image.file);
	name_blob(store, entry, enclosure, image.blob);
	return add_image(&store->writer, &image, enclosure->name, enclosure->media_type);
}

int vd_image_index(struct vd_store *store, struct vd_entry *entry)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < entry->enclosure_count; i++)
		r = index_one(store, entry, &entry->enclosures[i]);
	return r;
}

static int add_dead(struct vd_writer *w, const struct vd_image *image)
{
	if (w->dead_count == w->dead_capacity) {
		size_t capacity = w->dead_capacity ? 2 * w->dead_capacity : 16;
		struct vd_image *dead = reallocarray(w->dead, capacity, sizeof *dead);

		if (!dead)
			return -ENOMEM;
		w->dead = dead;
		w->dead_capacity = capacity;
	}
	w->dead[w->dead_count++] = *image;
	return 0;
}

/* What the hub has is no loss. */
static int count_lost(struct vd_writer *w, const struct vd_image *image)
{
	struct vd_image_count *counts = w->ledger.images;

	if (image->state == VD_IMAGE_UPLOADED)
		return 0;
	if (image->state == VD_IMAGE_WAITING) {
		counts[VD_IMAGE_WAITING].count--;
		counts[VD_IMAGE_WAITING].bytes -= image->bytes;
	}
	counts[VD_IMAGE_LOST].count++;
	counts[VD_IMAGE_LOST].bytes += image->bytes;
	return vd_db_image_total(w->db, VD_IMAGE_LOST, image->bytes);
}

static int evict_one(struct vd_writer *w, struct vd_image *ret_image)
{
	int r = vd_db_image_cheapest(w->db, ret_image);

	if (r != 1)
		return r;
	r = vd_db_image_delete(w->db, ret_image->id);
	if (r == 0)
		r = count_lost(w, ret_image);
	if (r == 0)
		r = add_dead(w, ret_image);
	return r < 0 ? r : 1;
}

int vd_image_make_room(struct vd_store *store)
{
	struct vd_writer *w = &store->writer;
	struct vd_account *account = &w->ledger.account;

	while (account->image_bytes > store->image_max_bytes) {
		struct vd_image image;
		int r = evict_one(w, &image);

		if (r != 1)
			return r;
		account->images--;
		account->image_bytes -= image.bytes;
		account->images_evicted++;
		w->ledger.is_dirty = true;
	}
	return 0;
}

static void unlink_file(const struct vd_store *store, const char *file)
{
	char path[4096];

	(void)snprintf(path, sizeof path, "%s/%s", store->images, file);
	if (unlink(path) < 0 && errno != ENOENT)
		vd_log(VD_WARN, "store.image-not-removed", "file=%s error=\"%s\"", file,
		       strerrordesc_np(errno));
}

void vd_image_unlink_dead(struct vd_store *store)
{
	for (size_t i = 0; i < store->writer.dead_count; i++)
		unlink_file(store, store->writer.dead[i].file);
	store->writer.dead_count = 0;
}

void vd_image_discard(struct vd_store *store, const struct vd_entry *entry)
{
	for (size_t i = 0; i < entry->enclosure_count; i++) {
		char file[80];

		vd_image_file(&entry->enclosures[i], file);
		if (entry->enclosures[i].is_written && vd_db_has_image(store->writer.db, file) == 0)
			unlink_file(store, file);
	}
}

/* "<64 hexadecimal digits>.<ext>", and small enough for the index. */
static bool is_image_name(const char *name)
{
	return strspn(name, "0123456789abcdef") == 64 && name[64] == '.' && strlen(name) < 72;
}

static int adopt_one(struct vd_store *store, int folder_fd, const char *name)
{
	struct vd_image image = { .worth = 1 };
	struct stat st;
	int r = vd_db_has_image(store->writer.db, name);

	if (r != 0 || fstatat(folder_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    !S_ISREG(st.st_mode))
		return r < 0 ? r : 0;
	(void)snprintf(image.file, sizeof image.file, "%.79s", name);
	image.bytes = (uint64_t)st.st_size;
	return add_image(&store->writer, &image, "", "");
}

int vd_image_adopt(struct vd_store *store)
{
	DIR *folder = opendir(store->images);
	struct dirent *entry;
	int r = 0;

	if (!folder)
		return errno == ENOENT ? 0 : -errno;
	while (r == 0 && (entry = readdir(folder))) {
		if (is_image_name(entry->d_name))
			r = adopt_one(store, dirfd(folder), entry->d_name);
		else if (entry->d_name[0] != '.' || strlen(entry->d_name) > 2)
			unlink_file(store, entry->d_name); /* half-written */
	}
	(void)closedir(folder);
	return r;
}
