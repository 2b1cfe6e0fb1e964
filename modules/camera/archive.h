/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/digest.h"
#include "base/fault.h"
#include "base/json.h"

/*
 * What was kept on demand, on disk: a folder of entries, each a folder of its own that appears
 * whole or not at all (written as .new-NAME, then renamed) and never changes again.
 *
 *	kept/00000007-keep/index.json, 0001.jpg, …
 *	kept/00000008-clip/index.json, clip.avi
 *
 * Names begin with a number that only grows, so the oldest entry is the first by name, whatever
 * the clock did. When an entry needs room, the oldest go. Any thread.
 */
struct vd_archive;

struct vd_archive_limits {
	uint64_t bytes;      /* of all entries together */
	uint64_t free_bytes; /* that must stay free on the file system */
};

enum { VD_ARCHIVE_NAME = 32, VD_ARCHIVE_FILE = 64 };

/* Makes the folder when absent, removes what was half written. -errno with fault. */
VD_MUST int vd_archive_open(const char *folder, struct vd_archive **ret_archive,
			    struct vd_fault *fault);
struct vd_archive *vd_archive_free(struct vd_archive *archive);
VD_DEFINE_CLEANUP(struct vd_archive, vd_archive_free)

/* In force with the next byte that is written. */
void vd_archive_limit(struct vd_archive *archive, const struct vd_archive_limits *limits);

/* The next free name; kind: a word for people. */
void vd_archive_name(struct vd_archive *archive, const char *kind,
		     char name[static VD_ARCHIVE_NAME]);

struct vd_archive_counts {
	uint64_t entries, bytes;
	uint64_t evicted; /* entries that made room, since the start */
};
void vd_archive_counts(struct vd_archive *archive, struct vd_archive_counts *ret_counts);

/* The newest entries first: [{"name","bytes"}]; NULL: no memory. */
cJSON *vd_archive_list(struct vd_archive *archive, size_t most);

/* Opens a file of an entry to read. -ENOENT (also for a name that is none), -errno. */
VD_MUST int vd_archive_read(struct vd_archive *archive, const char *name, const char *file,
			    int *ret_fd, uint64_t *ret_bytes);

/* Of the whole file, which need not fit into memory. -errno. */
VD_MUST int vd_archive_digest(int fd, char sha256[static VD_SHA256_TEXT]);

/* An entry that is being written, by one thread. */
struct vd_archive_entry {
	struct vd_archive *archive; /* NULL: none */
	char name[VD_ARCHIVE_NAME];
	int folder_fd;
	uint64_t bytes;
};

VD_MUST int vd_archive_begin(struct vd_archive *archive, const char *name,
			     struct vd_archive_entry *ret_entry, struct vd_fault *fault);

/*
 * Before so many bytes more are written: lets the oldest entries go until there is room.
 * -EDQUOT: above the bound by itself; -ENOSPC: the file system has no room. 507 in fault.
 */
VD_MUST int vd_archive_room(struct vd_archive_entry *entry, size_t bytes, struct vd_fault *fault);

/* What was asked for and is not needed. */
void vd_archive_give_back(struct vd_archive_entry *entry, size_t bytes);

/* A whole file, on disk when it returns, within room that was found before. -errno with fault. */
VD_MUST int vd_archive_put(struct vd_archive_entry *entry, const char *file, const void *data,
			   size_t len, struct vd_fault *fault);

/* vd_archive_room, then vd_archive_put. */
VD_MUST int vd_archive_write(struct vd_archive_entry *entry, const char *file, const void *data,
			     size_t len, struct vd_fault *fault);

/* From here on others see it. On failure it is discarded. Either way the entry is done with. */
VD_MUST int vd_archive_commit(struct vd_archive_entry *entry, struct vd_fault *fault);
void vd_archive_discard(struct vd_archive_entry *entry);
