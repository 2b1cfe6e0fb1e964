/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file: opened, held against the account, replaced when it is not sound. After the first
 * open, memory knows the account and the documents, and no file can change what it knows.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/store/private.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"

static void note(struct vd_store *store, const char *event, const char *what, const char *reason)
{
	(void)pthread_mutex_lock(&store->lock);
	(void)snprintf(store->notice, sizeof store->notice, "%s: %.120s", what, reason);
	(void)pthread_mutex_unlock(&store->lock);
	vd_log(VD_ERROR, event, "path=%s reason=\"%s\"", store->path, reason);
}

static int remember_one(void *argument, const char *name, const char *text, size_t len)
{
	struct vd_store *store = argument;
	struct vd_document *d;

	if (vd_store_remembers(store, name))
		return 0;
	d = vd_document_new(name, text, len, 0);
	if (!d)
		return -ENOMEM;
	vd_store_remember(store, d);
	return 0;
}

int vd_opening_load_documents(struct vd_store *store, struct vd_db *db)
{
	int r;

	(void)pthread_mutex_lock(&store->lock);
	r = vd_db_each_document(db, remember_one, store);
	(void)pthread_mutex_unlock(&store->lock);
	return r;
}

/* A number for this start of the machine, from the kernel's random one; 0: not known. */
static uint64_t read_kernel_boot(void)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf text = { 0 };

	if (vd_file_read("/proc/sys/kernel/random/boot_id", 128, &text, NULL) < 0)
		return 0;
	return vd_crc32c(0, text.data, text.len);
}

/* After a restart of the machine the clock goes on from where it was last seen. */
static void set_clock(struct vd_writer *w, struct vd_account *account)
{
	w->kernel_boot = read_kernel_boot();
	if (account->kernel_boot != w->kernel_boot || w->kernel_boot == 0)
		account->clock_offset_ms = (int64_t)(account->clock_ms - vd_clock_mono_ms());
}

/* The account to go by: see agent/store/account.h. 1: account is it; 0: both are lost, or new. */
static int choose_account(struct vd_store *store, struct vd_account *account)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf path = { 0 };
	struct vd_writer *w = &store->writer;
	struct vd_account beside;
	int inside = vd_db_account_load(w->db, account), r;

	if (inside < 0 || (r = vd_buf_printf(&path, "%s/outbox.account", store->folder)) < 0)
		return inside < 0 ? inside : r;
	vd_account_close(&w->beside);
	r = vd_account_open(&w->beside, path.data, &beside);
	if (r < 0)
		vd_log(VD_WARN, "store.account", "path=%s error=\"%s\"", path.data,
		       strerrordesc_np(-r));
	if (r != 1 || (inside && beside.saves < account->saves))
		return inside;
	if (inside && beside.saves > account->saves)
		vd_log(VD_ERROR, "store.commits-missing", "path=%s count=%" PRIu64, store->path,
		       beside.saves - account->saves);
	*account = beside;
	return 1;
}

static int load_account(struct vd_store *store)
{
	struct vd_writer *w = &store->writer;
	struct vd_account account = { .next_seq = 1 };
	int known = choose_account(store, &account), r;

	if (known < 0)
		return known;
	if (!known)
		account = (struct vd_account){ .next_seq = 1 };
	r = vd_db_account_extend(w->db, &account);
	if (r < 0)
		return r;
	set_clock(w, &account);
	w->ledger.account = account;
	w->ledger.is_dirty = true; /* the clock's offset may be new */
	if (!known && !vd_db_is_new(w->db)) {
		char range[64] = "nothing was left";

		if (account.next_seq > 1)
			(void)snprintf(range, sizeof range, "records 1 to %" PRIu64,
				       account.next_seq - 1);
		note(store, "store.unaccounted", "the account is lost, what is gone is not known",
		     range);
	}
	return 0;
}

static int load(struct vd_store *store)
{
	struct vd_writer *w = &store->writer;
	int r = vd_opening_load_documents(store, w->db);

	if (r == 0 && !w->is_loaded)
		r = load_account(store);
	if (r == 0)
		r = vd_db_count_images(w->db, &w->ledger.account);
	return r == 0 ? vd_db_image_totals(w->db, w->ledger.images) : r;
}

static int open_once(struct vd_store *store, char *error, size_t error_size)
{
	struct vd_writer *w = &store->writer;
	int r = vd_file_make_folders(store->images, 0750);

	if (r < 0) {
		(void)snprintf(error, error_size, "%s: %s", store->images, strerrordesc_np(-r));
		return r == -ENOMEM ? r : -EIO;
	}
	r = vd_salvage_finish(store);
	if (r == 0)
		r = vd_db_open(store->path, &w->db, error, error_size);
	if (r < 0)
		return r;
	r = load(store);
	if (r < 0)
		(void)snprintf(error, error_size, "%s", vd_db_error(w->db));
	else if (vd_db_is_readonly(w->db)) {
		/* Its documents are known now: enough to start from. */
		(void)snprintf(error, error_size, "%s: read-only", store->path);
		r = -EROFS;
	}
	if (r < 0)
		w->db = vd_db_close(w->db);
	else
		w->is_loaded = true;
	w->needs_adoption = r == 0;
	return r;
}

/* Rows that tombstones were to be joined with may not have come along. */
static void forget_tombstones(struct vd_writer *w)
{
	for (int class = 0; class < VD_CLASSES; class ++)
		for (int reason = 0; reason < VD_REASONS; reason++)
			w->ledger.losses[class][reason].row = 0;
	w->ledger.is_dirty = true;
}

int vd_opening_replace(struct vd_store *store, char *error, size_t error_size)
{
	struct vd_writer *w = &store->writer;
	int r;

	note(store, "store.set-aside",
	     "the store was not sound and was begun anew with what could be read", error);
	w->db = vd_db_close(w->db);
	forget_tombstones(w);
	r = vd_salvage(store, error, error_size);
	return r < 0 ? r : open_once(store, error, error_size);
}

int vd_opening_open(struct vd_store *store, char *error, size_t error_size)
{
	int r = open_once(store, error, error_size);

	return r == -EUCLEAN ? vd_opening_replace(store, error, error_size) : r;
}
