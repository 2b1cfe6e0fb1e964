/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

/*
 * A batch of records read in one pass and without a tree: what the hub keeps beside a record's
 * text. The scanner takes only what it can vouch for byte by byte (JSON as RFC 8259 has it, on one
 * line, members of the envelope without escapes, few members an object); for all else, good or bad,
 * it says VD_SCAN_OTHER, and the reader with a tree (batch.h) decides. What it takes, that
 * reader takes, with the same values: fuzz_hub_batch compares the two.
 */
enum {
	VD_SCAN_END = 1,
	VD_SCAN_OTHER = 2,
	VD_SCAN_DEPTH = 24,   /* of one record; as VD_RECORD_DEPTH */
	VD_SCAN_MEMBERS = 64, /* of one object */
};

struct vd_slice {
	const char *text; /* NULL: absent, or no string */
	size_t len;
};

/* Slices of the batch's text. */
struct vd_scanned {
	struct vd_slice text; /* the record itself */
	struct vd_slice device, boot_id, class_name, module, wall;
	struct vd_slice verdict, serial; /* of its body */
	int64_t seq;                     /* -1: absent, or none from 0 to 2^53 - 1 */
};

struct vd_scan {
	const char *at, *end; /* from the '[' on */
	bool is_begun;
};

/* 0: a record; VD_SCAN_END: the array is over, and nothing but space follows. */
VD_MUST int vd_scan_next(struct vd_scan *scan, struct vd_scanned *ret_record);

enum { VD_BOOT_ID_MAX = 64, VD_RECORD_MODULE_MAX = 128 };
bool vd_boot_id_is_good(struct vd_slice boot_id);
bool vd_record_class_is_good(struct vd_slice class_name);

/* Is it a record that this device may send? */
bool vd_scanned_is_good(const struct vd_scanned *record, const char *device);

/* Does the slice say word? NULL and "" are different. */
bool vd_slice_is(struct vd_slice slice, const char *word);
