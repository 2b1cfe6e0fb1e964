/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdio.h>

#include "base/attr.h"

/*
 * Stored items once more, under other parameters: what would be judged differently? Items are
 * what lies in a folder and the folders in it:
 *   - X.json with a verdict's body or a whole record, or a list of them, or one a line. Its
 *     frames are the files that "files" names, or those whose SHA-256 stands in "cameras";
 *   - images that no such file speaks of: one item each, its serial number the name.
 * Models are read, never written; a recipe without one learns from the items it is shown.
 */
struct vd_replay_options {
	const char *folder;
	const char *parameters; /* file */
	const char *against;    /* file; NULL: the stored verdicts */
	const char *models;     /* folder; NULL: none */
	const char *schema;     /* text */
};

enum vd_replay_outcome {
	VD_REPLAY_SAME = 0,
	VD_REPLAY_CHANGED = 1,
	VD_REPLAY_REFUSED = 2, /* parameters that cannot be read or are refused; text in errors */
	VD_REPLAY_PARTLY = 3   /* no item, or items whose frames are not there or unreadable */
};

/* The diff goes to out, a line a changed item and a summary; trouble to errors. The exit status. */
VD_MUST int vd_replay(const struct vd_replay_options *options, FILE *out, FILE *errors);
