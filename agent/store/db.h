/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/store/account.h"
#include "agent/store/class.h"
#include "agent/store/upload.h"
#include "base/attr.h"

/*
 * The store's SQL; nothing else in the agent includes sqlite3.h. Used by one thread at a
 * time. Errors: -ENOSPC full, -EIO, -EROFS, -ENOMEM, -EUCLEAN the file is no sound database,
 * -EBUSY another process has it; vd_db_error says which and why in words.
 */
struct vd_db;

/* Opens or begins the file, locked for as long as it is open. error gets the reason. */
VD_MUST int vd_db_open(const char *path, struct vd_db **ret_db, char *error, size_t error_size);
struct vd_db *vd_db_close(struct vd_db *db); /* returns NULL */
VD_DEFINE_CLEANUP(struct vd_db, vd_db_close)
const char *vd_db_error(const struct vd_db *db);
bool vd_db_is_readonly(const struct vd_db *db);
bool vd_db_is_new(const struct vd_db *db); /* there was no such file, or it was empty */

VD_MUST int vd_db_begin(struct vd_db *db);
VD_MUST int vd_db_commit(struct vd_db *db);
void vd_db_rollback(struct vd_db *db);

/* A row: records with the numbers first to last, none missing. */
enum vd_row_kind { VD_ROW_RECORDS, VD_ROW_TOMBSTONE };
struct vd_row {
	enum vd_class class;
	enum vd_row_kind kind;
	uint64_t first, last;
	uint64_t clock_ms; /* the store's clock (see struct vd_account) at the commit */
	char boot_id[64];
	uint64_t crc; /* vd_row_crc */
	const void *data;
	size_t len;
};

/* Of class, kind and range in the upper half, of these and the data in the lower. */
uint64_t vd_row_crc(const struct vd_row *row);

/* What a row is counted with: its data and what the file needs around them. */
VD_UNUSED static inline uint64_t vd_row_cost(const struct vd_row *row)
{
	return row->len + 48;
}

VD_MUST int vd_db_insert(struct vd_db *db, const struct vd_row *row);

/*
 * The first row of class with after < first <= upto, of this kind only if kind >= 0. 1: found;
 * ret_row->data is borrowed until the next call, and may have rotted; the rest has not, for
 * what is no row there, or not in its place, is -EUCLEAN. 0: none.
 */
VD_MUST int vd_db_next(struct vd_db *db, enum vd_class class, uint64_t after, uint64_t upto,
		       int kind, struct vd_row *ret_row);

/* The last one, of any kind, and without its boot_id: salvage reads with it. */
VD_MUST int vd_db_last(struct vd_db *db, enum vd_class class, uint64_t after, uint64_t upto,
		       struct vd_row *ret_row);

/* Deletes the rows of class with from <= first <= to. */
VD_MUST int vd_db_delete(struct vd_db *db, enum vd_class class, uint64_t from, uint64_t to);
VD_MUST int vd_db_delete_one(struct vd_db *db, enum vd_class class, uint64_t first);

/* The record that a module stored under key, and its body's CRC. 1: found, 0: none. */
VD_MUST int vd_db_key_find(struct vd_db *db, const char *module, const char *key, uint64_t *ret_seq,
			   uint32_t *ret_crc);
VD_MUST int vd_db_key_keep(struct vd_db *db, const char *module, const char *key, uint64_t seq,
			   uint32_t crc);
VD_MUST int vd_db_key_trim(struct vd_db *db, const char *module, unsigned keep); /* the newest */

/* The account that was saved last. 1; 0: none, or it rotted. */
VD_MUST int vd_db_account_load(struct vd_db *db, struct vd_account *ret_account);
VD_MUST int vd_db_account_save(struct vd_db *db, const struct vd_account *account);
/* Adds the rows from next_seq on to account, whose next_seq and clock_ms then are behind them. */
VD_MUST int vd_db_account_extend(struct vd_db *db, struct vd_account *account);
VD_MUST int vd_db_count_images(struct vd_db *db, struct vd_account *account);

/* text NULL deletes. */
VD_MUST int vd_db_document_put(struct vd_db *db, const char *name, const char *text, size_t len);
typedef int (*vd_db_document_fn)(void *argument, const char *name, const char *text, size_t len);
VD_MUST int vd_db_each_document(struct vd_db *db, vd_db_document_fn fn, void *argument);

/* Copies what can be read of the keys. */
VD_MUST int vd_db_copy_keys(struct vd_db *from, struct vd_db *to);
VD_MUST int vd_db_copy_images(struct vd_db *from, struct vd_db *to);

/* The index of images. A file that is there already keeps its row, dearer if worth or rank is more. */
struct vd_image {
	int64_t id;
	char file[80]; /* <sha256>.<ext> */
	uint64_t bytes, seq;
	int worth, rank;
	enum vd_image_state state;
	char blob[VD_BLOB_BYTES]; /* its name in the hub; "": not known */
};
VD_MUST int vd_db_image_put(struct vd_db *db, const struct vd_image *image, const char *name,
			    const char *media_type); /* 1: new, 0: was there */
/* What the hub has goes first, then the least worth, then the oldest. 1, 0: none. */
VD_MUST int vd_db_image_cheapest(struct vd_db *db, struct vd_image *ret_image);
/* Of those that wait the dearest by rank, then the oldest, skip of them passed over. 1, 0: none. */
VD_MUST int vd_db_image_next(struct vd_db *db, unsigned skip, struct vd_image *ret_image);
/* It waits no more. 1: its bytes in ret_bytes; 0: it did not wait, or is not there. */
VD_MUST int vd_db_image_end(struct vd_db *db, int64_t id, enum vd_image_state state,
			    uint64_t *ret_bytes);
/* Counts one into what became of images; WAITING is summed up from the rows. */
VD_MUST int vd_db_image_total(struct vd_db *db, enum vd_image_state state, uint64_t bytes);
VD_MUST int vd_db_image_totals(struct vd_db *db,
			       struct vd_image_count ret_counts[static VD_IMAGE_STATES]);
VD_MUST int vd_db_image_delete(struct vd_db *db, int64_t id);
VD_MUST int vd_db_has_image(struct vd_db *db, const char *file); /* 1, 0 */
