/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file whose pages rotted is read as far as it goes, and what was read goes into a new file.
 * SQLite refuses what lies behind a bad page of a table, so a table is read from its beginning
 * up to the bad place, then from behind it backwards to it: a bad leaf costs its own rows, a bad
 * page above the leaves those below it. What did not come along is missing in the account, and
 * counted out when all else has been sent (vd_room_settle).
 *
 * outbox.db is kept until the new file is whole:
 *	outbox.db.salvage    being filled; after a kill it is begun again
 *	outbox.db.whole      filled and synced; after a kill it is put in place
 *	outbox.db.corrupt    what outbox.db was, for whoever wants to look
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/store/private.h"
#include "base/file.h"
#include "base/log.h"

enum { PAGE = 4096, GROUP = 256 };

struct salvage {
	struct vd_store *store;
	struct vd_db *old, *new;
	uint64_t rows, gaps;
};

/* --- the files --- */

struct path {
	char text[4096];
};

static struct path with(const struct vd_store *store, const char *suffix)
{
	struct path path;

	(void)snprintf(path.text, sizeof path.text, "%s%s", store->path, suffix);
	return path;
}

static bool exists(const struct vd_store *store, const char *suffix)
{
	return access(with(store, suffix).text, F_OK) == 0;
}

static int move(const struct vd_store *store, const char *from, const char *to)
{
	return rename(with(store, from).text, with(store, to).text) < 0 && errno != ENOENT ? -errno
											   : 0;
}

static void discard(const struct vd_store *store, const char *suffix)
{
	(void)unlink(with(store, suffix).text);
}

static int sync_folder(const struct vd_store *store)
{
	VD_CLEANUP(vd_close) int fd = open(store->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

/* The log goes first: beside another file it would be taken for that one's. */
static int exchange(const struct vd_store *store)
{
	int r = move(store, "-wal", ".corrupt-wal");

	if (r == 0)
		r = move(store, "", ".corrupt");
	if (r == 0)
		r = move(store, ".whole", "");
	return r < 0 ? r : sync_folder(store);
}

int vd_salvage_finish(const struct vd_store *store)
{
	discard(store, ".salvage");
	discard(store, ".salvage-wal");
	return exists(store, ".whole") ? exchange(store) : 0;
}

/* --- rows --- */

/* A rotten payload is counted out by the reader, in its place: its range is known. */
static int copy_row(struct salvage *s, struct vd_row *row)
{
	struct vd_writer *w = &s->store->writer;
	const char *boot, *end;
	int r;

	row->boot_id[0] = '\0';
	if (vd_batch_unpack(w->packer, row->data, row->len, &w->spare) == 0 &&
	    (boot = strstr(w->spare.data, "\"bootId\":\"")) &&
	    (end = strchr(boot += strlen("\"bootId\":\""), '"')))
		(void)snprintf(row->boot_id, sizeof row->boot_id, "%.*s", (int)(end - boot), boot);
	r = vd_db_insert(s->new, row);
	if (r < 0 || ++s->rows % GROUP)
		return r;
	r = vd_db_commit(s->new);
	return r < 0 ? r : vd_db_begin(s->new);
}

/* Rows in (after, upto], the last one first, up to one that cannot be read. */
static int copy_backwards(struct salvage *s, enum vd_class class, uint64_t after, uint64_t upto)
{
	struct vd_row row;
	int r;

	while ((r = vd_db_last(s->old, class, after, upto, &row)) == 1) {
		upto = row.first - 1;
		r = copy_row(s, &row);
		if (r < 0)
			return r;
	}
	return r == -EUCLEAN ? 0 : r;
}

/* Behind *after is a bad place: reads on beyond it, and then back to it. 0: that was all; 1. */
static int step_over(struct salvage *s, enum vd_class class, uint64_t *after)
{
	struct vd_row row;
	int r = -EUCLEAN;

	s->gaps++;
	for (uint64_t step = 1; r == -EUCLEAN && step < INT64_MAX - *after; step *= 2)
		r = vd_db_next(s->old, class, *after + step, UINT64_MAX, -1, &row);
	if (r < 0 && r != -EUCLEAN)
		return r;
	if (r != 1)
		return copy_backwards(s, class, *after, UINT64_MAX);

	uint64_t behind = row.first - 1;

	r = copy_backwards(s, class, *after, behind);
	*after = behind;
	return r < 0 ? r : 1;
}

static int copy_class(struct salvage *s, enum vd_class class)
{
	uint64_t after = 0;
	struct vd_row row;
	int r = 1;

	while (r == 1) {
		r = vd_db_next(s->old, class, after, UINT64_MAX, -1, &row);
		if (r == -EUCLEAN) {
			r = step_over(s, class, &after);
		} else if (r == 1) {
			after = row.first;
			r = copy_row(s, &row);
			r = r < 0 ? r : 1;
		}
	}
	return r;
}

/* --- what else there is --- */

static int copy_documents(struct salvage *s)
{
	int r = 0;

	if (s->old && vd_opening_load_documents(s->store, s->old) == -ENOMEM)
		return -ENOMEM;
	(void)pthread_mutex_lock(&s->store->lock);
	for (const struct vd_document *d = s->store->cache; d && r == 0; d = d->next)
		if (d->text)
			r = vd_db_document_put(s->new, d->name, d->text, d->len);
	(void)pthread_mutex_unlock(&s->store->lock);
	return r;
}

static int copy_account(struct salvage *s)
{
	struct vd_account account;

	if (s->store->writer.is_loaded)
		return vd_db_account_save(s->new, &s->store->writer.ledger.account);
	return s->old && vd_db_account_load(s->old, &account) == 1
		       ? vd_db_account_save(s->new, &account)
		       : 0;
}

static int copy_all(struct salvage *s)
{
	int r = vd_db_begin(s->new);

	for (int class = 0; s->old && r == 0 && class < VD_CLASSES; class ++)
		r = copy_class(s, (enum vd_class) class);
	if (r == 0)
		r = copy_documents(s);
	if (r == 0)
		r = copy_account(s);
	if (r == 0 && s->old)
		r = vd_db_copy_keys(s->old, s->new);
	if (r == 0 && s->old)
		r = vd_db_copy_images(s->old, s->new);
	return r < 0 ? r : vd_db_commit(s->new);
}

/*
 * The first page is the same in every file of this schema, but for the length of the file and
 * the list of free pages, which nobody needs who only reads: when it is lost, the new file's
 * stands in for it.
 */
static int lend_first_page(const struct vd_store *store)
{
	enum { LENGTH = 28, FREE = 32 };
	VD_CLEANUP(vd_close) int from = open(with(store, ".salvage").text, O_RDONLY | O_CLOEXEC);
	VD_CLEANUP(vd_close) int to = open(store->path, O_RDWR | O_CLOEXEC);
	unsigned char page[PAGE];
	struct stat st;
	uint64_t pages;

	if (from < 0 || to < 0 || fstat(to, &st) < 0 ||
	    pread(from, page, sizeof page, 0) != (ssize_t)sizeof page)
		return -EIO;
	pages = (uint64_t)st.st_size / PAGE;
	for (int i = 0; i < 4; i++)
		page[LENGTH + i] = (unsigned char)(pages >> (24 - 8 * i));
	memset(page + FREE, 0, 8);
	return pwrite(to, page, sizeof page, 0) == (ssize_t)sizeof page ? 0 : -EIO;
}

/* NULL in old: nothing of it can be read. */
static int open_old(struct salvage *s, char *error, size_t error_size)
{
	int r = vd_db_open(s->store->path, &s->old, error, error_size);

	if (r == -EUCLEAN && lend_first_page(s->store) == 0)
		r = vd_db_open(s->store->path, &s->old, error, error_size);
	return r == -EUCLEAN ? 0 : r;
}

/* An empty file, closed once so that its first page is in it and not in its log. */
static int make_new(struct salvage *s, char *error, size_t error_size)
{
	struct path path = with(s->store, ".salvage");
	int r = vd_db_open(path.text, &s->new, error, error_size);

	s->new = vd_db_close(s->new);
	return r;
}

int vd_salvage(struct vd_store *store, char *error, size_t error_size)
{
	struct salvage s = { .store = store };
	struct path path = with(store, ".salvage");
	int r;

	discard(store, ".corrupt");
	discard(store, ".corrupt-wal");
	r = make_new(&s, error, error_size);
	if (r == 0)
		r = open_old(&s, error, error_size);
	if (r == 0)
		r = vd_db_open(path.text, &s.new, error, error_size);
	if (r == 0 && (r = copy_all(&s)) < 0)
		(void)snprintf(error, error_size, "%s", vd_db_error(s.new));
	s.old = vd_db_close(s.old);
	s.new = vd_db_close(s.new);
	if (r == 0 && exists(store, ".salvage-wal"))
		r = -EIO;
	if (r == 0)
		r = move(store, ".salvage", ".whole");
	if (r == 0)
		r = exchange(store);
	vd_log(VD_WARN, "store.salvaged", "path=%s rows=%" PRIu64 " gaps=%" PRIu64 " result=%d",
	       store->path, s.rows, s.gaps, r);
	return r == -EUCLEAN ? -EIO : r;
}
