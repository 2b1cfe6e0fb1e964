/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/store/class.h"
#include "base/attr.h"

/*
 * The account: how many records of each class were accepted, are there, went, and were counted
 * out. It is what rows are held against, so it must not rot with them. It lies in two places:
 *
 * in the database, saved by every transaction that takes rows away, so that account and rows
 *   agree after a power cut; rows that came since are added at the open;
 * beside it, in two slots of a small file, written in turn after every commit and not synced:
 *   complete after a kill, behind after a power cut, and whole whatever page of the database,
 *   of its log, or of this file itself rots.
 *
 * Both carry a CRC. The one with the greater number of saves is taken; of two equal ones the
 * one beside, which knows of rows that the database may have lost since.
 */
enum { VD_TOMBSTONES = VD_CLASSES, VD_TALLIES }; /* index of the tombstones of all classes */
enum { VD_SETTLED = 32 };

struct vd_account {
	uint64_t saves; /* into the database */
	struct {
		uint64_t rows, records, bytes, delivered, evicted;
	} of[VD_TALLIES];
	uint64_t named[VD_CLASSES]; /* evicted records whose tombstone is not delivered yet */
	/*
	 * What is settled of a class, delivered or counted out, as numbers of its rows: all below
	 * low, and ranges above it, for acknowledgements come out of order. A row in there that is
	 * seen again has come back from an older state of its page. A range that finds no place
	 * is forgotten: then such a row would be sent once more.
	 */
	uint64_t low[VD_CLASSES];
	struct vd_settled {
		uint64_t class, first, last; /* first 0: free */
	} settled[VD_SETTLED];
	uint64_t images, image_bytes, images_evicted;
	uint64_t next_seq;
	/*
	 * The store's clock: milliseconds while the device runs, so that a wrong wall clock
	 * expires nothing. clock = CLOCK_BOOTTIME + clock_offset_ms.
	 */
	int64_t clock_offset_ms;
	uint64_t clock_ms;    /* when this was saved, by that clock */
	uint64_t kernel_boot; /* the start of the machine for which the offset holds; 0: unknown */
};

/* Takes count off a figure, but not more than there is; how much it was. */
VD_UNUSED static inline uint64_t vd_account_take(uint64_t *figure, uint64_t count)
{
	uint64_t taken = count < *figure ? count : *figure;

	*figure -= taken;
	return taken;
}

/* Nothing of class below low is still to come. */
void vd_account_raise_low(struct vd_account *account, enum vd_class class, uint64_t low);
/*
 * The rows of class from first to last are settled, and so is, if there is no other row between
 * them, what lies between them and the settled range before, whose end vd_account_settled_before
 * tells (0: none): joins is true then.
 */
void vd_account_settle(struct vd_account *account, enum vd_class class, uint64_t first,
		       uint64_t last, bool joins);
uint64_t vd_account_settled_before(const struct vd_account *account, enum vd_class class,
				   uint64_t first);
bool vd_account_is_settled(const struct vd_account *account, enum vd_class class, uint64_t first,
			   uint64_t last);

/* As bytes, with a CRC; for this machine only. */
enum { VD_ACCOUNT_BYTES = 16 + sizeof(struct vd_account) };
void vd_account_encode(const struct vd_account *account,
		       unsigned char out[static VD_ACCOUNT_BYTES]);
/* -EBADMSG: not what was encoded. */
VD_MUST int vd_account_decode(const void *data, size_t len, struct vd_account *ret_account);

/* The file beside the database. Errors leave it behind, which only matters if more rots. */
struct vd_account_file {
	int fd; /* -1: not open */
	unsigned next_slot;
};

/* Opens or makes it. 1: ret_account is the newest that it holds; 0: it holds none; -errno. */
VD_MUST int vd_account_open(struct vd_account_file *file, const char *path,
			    struct vd_account *ret_account);
void vd_account_write(struct vd_account_file *file, const struct vd_account *account);
void vd_account_close(struct vd_account_file *file);
