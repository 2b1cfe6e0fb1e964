/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/json.h"

/*
 * What the line decides for itself and a restart must not forget: which recipe is active, and
 * whether the line is held. A small file in the state folder, written anew at each change.
 */
enum { VD_PANEL_NAME_BYTES = 65, VD_PANEL_BY_BYTES = 129, VD_PANEL_REASON_BYTES = 513 };

struct vd_panel_word {
	char by[VD_PANEL_BY_BYTES]; /* "": nobody said so */
	char reason[VD_PANEL_REASON_BYTES];
	char at[VD_TIME_TEXT];
};

struct vd_panel {
	bool is_held;
	struct vd_panel_word hold;
	char recipe[VD_PANEL_NAME_BYTES];  /* "": the document's */
	char instead[VD_PANEL_NAME_BYTES]; /* what the document said when it was selected */
	struct vd_panel_word selection;
};

/* {"by","reason"} of a call. 400 in fault, -EINVAL: by is missing, or one is too long. */
VD_MUST int vd_panel_word_parse(const cJSON *call, int64_t now_wall_ms,
				struct vd_panel_word *ret_word, struct vd_fault *fault);

/*
 * The recipe to use where the document says active: the selected one, as long as the document
 * still names the one that it was selected instead of. Else the selection is forgotten: the last
 * word counts, and a document with another active recipe is one.
 */
const char *vd_panel_recipe(struct vd_panel *panel, const char *active);

/* The file's content, and back; what does not fit is left out. NULL: no memory. */
cJSON *vd_panel_json(const struct vd_panel *panel);
void vd_panel_parse(const cJSON *json, struct vd_panel *ret_panel);

/* Reads path; a file that is not there or not ours is an empty panel, with a word in the log. */
void vd_panel_read(const char *path, struct vd_panel *ret_panel);
/* Durable when it returns 0; -errno. Waits for the disk: for what a person does. */
VD_MUST int vd_panel_write(const struct vd_panel *panel, const char *path);
