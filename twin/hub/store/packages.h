/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "base/digest.h"
#include "twin/hub/store/store.h"

/* Delivered packages and the channels that point at them, as store.h. */
enum { VD_PACKAGE_NAME_BYTES = 65, VD_PACKAGE_ARCH_BYTES = 17, VD_COMMENT_BYTES = 257 };

struct vd_package_id {
	char name[VD_PACKAGE_NAME_BYTES];
	char version[VD_PACKAGE_NAME_BYTES];
	char arch[VD_PACKAGE_ARCH_BYTES];
};

/* Texts are borrowed for the call. */
struct vd_package_row {
	struct vd_package_id id;
	const char *kind;
	const char *sha256; /* of the archive */
	int64_t bytes;      /* of the archive */
	const char *manifest_sha256, *manifest, *signature, *key_id, *author;
	int64_t created_ms, stored_ms, deleted_ms; /* 0: not */
};
typedef int (*vd_package_fn)(const struct vd_package_row *row, void *argument);

/* In place of a row that was deleted, too. */
VD_MUST int vd_store_package_put(struct vd_store *store, const struct vd_package_row *row);
/* A deleted one as well; nothing but 0 from fn is returned. */
VD_MUST int vd_store_package_get(struct vd_store *store, const struct vd_package_id *id,
				 vd_package_fn fn, void *argument);
/* Stored ones, behind `after` (NULL: from the beginning) by name, version and arch. name NULL: all. */
VD_MUST int vd_store_package_each(struct vd_store *store, const char *name,
				  const struct vd_package_id *after, int limit, vd_package_fn fn,
				  void *argument);
/* Stored before, and no channel points at it. */
VD_MUST int vd_store_package_loose(struct vd_store *store, int64_t before_ms, int limit,
				   vd_package_fn fn, void *argument);
VD_MUST int vd_store_package_delete(struct vd_store *store, const struct vd_package_id *id,
				    int64_t now_ms);
/* Deletes rows whose archive has not come since. */
VD_MUST int vd_store_package_forget(struct vd_store *store, int64_t before_ms);

/* Its archive: how large, and is it there? VD_STORE_NONE: no package has it. */
VD_MUST int vd_store_archive_get(struct vd_store *store, const char *sha256, int64_t *ret_bytes,
				 bool *ret_is_stored);
/* It has come, for all packages that wait for it. */
VD_MUST int vd_store_archive_stored(struct vd_store *store, const char *sha256, int64_t now_ms);
/* Of all that are there or expected. */
VD_MUST int vd_store_archive_bytes(struct vd_store *store, int64_t *ret_bytes);

struct vd_channel_row {
	const char *name, *arch, *channel;
	const char *before;  /* of a move: the version until then, "" none */
	const char *version; /* "" of a move: removed */
	const char *author, *comment;
	int64_t moved_ms;
};
typedef int (*vd_channel_fn)(const struct vd_channel_row *row, void *argument);

/* Moves, makes, or (version "") removes it, and writes that down; VD_STORE_NONE: nothing changes. */
VD_MUST int vd_store_channel_move(struct vd_store *store, const struct vd_channel_row *row,
				  char ret_before[static VD_PACKAGE_NAME_BYTES]);
/* name NULL: all. */
VD_MUST int vd_store_channel_each(struct vd_store *store, const char *name, int limit,
				  vd_channel_fn fn, void *argument);
/* Newest first. */
VD_MUST int vd_store_channel_moves(struct vd_store *store, const char *name, const char *arch,
				   const char *channel, int limit, vd_channel_fn fn,
				   void *argument);
