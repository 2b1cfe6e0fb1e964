/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records that come again. The table is read and written in the writer's transaction, so a key is
 * there exactly when its record was committed; it is ordered by module and key, which for
 * counted items is the order of their making, so a commit writes one more page.
 */
#include "agent/store/private.h"

#include <string.h>

/* A prime: of modules that publish in turns, none always misses its own. */
enum { TRIM_PERIOD = 257 };

/* An entry of the same row with this key; NULL: none. A row has at most VD_BATCH_RECORDS. */
static const struct vd_entry *find_in_row(const struct vd_entry *from, const struct vd_entry *entry)
{
	for (; from != entry; from = from->next)
		if (from->key && !from->repeat && strcmp(from->key, entry->key) == 0 &&
		    strcmp(from->module, entry->module) == 0)
			return from;
	return NULL;
}

int vd_key_find(struct vd_store *store, const struct vd_entry *from, struct vd_entry *entry)
{
	const struct vd_entry *first;
	uint32_t crc = 0;
	int r;

	if (!entry->key)
		return 0;
	first = find_in_row(from, entry);
	if (first) {
		entry->repeat = VD_REPEAT_IN_ROW;
		entry->seq = first->seq;
		entry->is_conflict = first->body_crc != entry->body_crc;
		return 1;
	}
	r = vd_db_key_find(store->writer.db, entry->module, entry->key, &entry->seq, &crc);
	if (r == 1) {
		entry->repeat = VD_REPEAT_OF_STORED;
		entry->is_conflict = crc != entry->body_crc;
	}
	return r;
}

static int keep_one(struct vd_writer *w, const struct vd_entry *entry)
{
	int r = vd_db_key_keep(w->db, entry->module, entry->key, entry->seq, entry->body_crc);

	if (r < 0 || ++w->keys_kept % TRIM_PERIOD)
		return r;
	return vd_db_key_trim(w->db, entry->module, VD_KEYS);
}

int vd_key_keep(struct vd_store *store, const struct vd_entry *from, const struct vd_entry *end)
{
	int r = 0;

	for (; r == 0 && from != end; from = from->next)
		if (from->key && !from->repeat)
			r = keep_one(&store->writer, from);
	return r;
}
