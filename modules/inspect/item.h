/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/json.h"
#include "modules/inspect/recipe/recipe.h"
#include "modules/inspect/recipe/rules.h"

/*
 * One part at the station: the frames of its cameras, and the parameters it was triggered under,
 * which it keeps however long it waits.
 */
enum { VD_SERIAL_BYTES = 129, VD_SHOT_TEXT = 160 };

enum vd_shot_state { VD_SHOT_AWAITED, VD_SHOT_TAKEN, VD_SHOT_FAILED };

struct vd_shot {
	enum vd_shot_state state;
	char text[VD_SHOT_TEXT]; /* failed: why */
	struct vd_buf bytes;     /* taken: the frame, as the camera sent it */
	bool is_jpeg;
	int width, height, stride;      /* of a grey frame */
	char claimed[VD_SHA256_TEXT];   /* digest that came with it; "": none */
	char captured_at[VD_TIME_TEXT]; /* RFC 3339; "": not said */
	bool is_stale;                  /* not newer than the camera's last one */
};

/*
 *              last frame, or deadline        verdict        durable
 *    awaited ────────────────────────▶ queued ───────▶ judged ───────▶ stored
 *       │                                                ▲  │ given up
 *       └──────────── refused without a look ────────────┘  └───────▶ lost
 */
enum vd_item_state {
	VD_ITEM_AWAITED, /* frames are on their way */
	VD_ITEM_QUEUED,  /* nothing more can join it; it is inspected in its turn */
	VD_ITEM_JUDGED,  /* its verdict is with the publisher */
	VD_ITEM_STORED,
	VD_ITEM_LOST, /* the agent never took its verdict */
};

const char *vd_item_state_name(enum vd_item_state state);

struct vd_item {
	char id[VD_UUID_TEXT];
	enum vd_item_state state; /* by vd_item_enter alone */
	bool is_asked;            /* the station triggered its cameras: only their answers join */
	bool is_test;             /* no part: nothing is learnt from it, watched or counted */
	bool is_kept;             /* its frames, to be looked at again */
	uint64_t triggered_ms;    /* asked: monotonic; no older frame joins */
	char supersedes[VD_UUID_TEXT];  /* the item that it looks at again; "": none */
	char serial[VD_SERIAL_BYTES];   /* "": none */
	cJSON *trigger;                 /* NULL: none came along */
	struct vd_recipe_set *set;      /* a reference */
	const struct vd_recipe *recipe; /* of set */
	uint64_t started_us;            /* when it was triggered, or its first frame came in */
	uint64_t queued_us, begun_us;   /* when it was complete; when its inspection began */
	uint64_t judged_us;             /* 0: never looked at */
	struct vd_shot shots[VD_CAMERAS_MOST];
};

/* Under set's active recipe, with a new id. Takes a reference. -ENOMEM. */
VD_MUST int vd_item_new(struct vd_recipe_set *set, uint64_t now_us, struct vd_item **ret_item);
struct vd_item *vd_item_free(struct vd_item *item);
VD_DEFINE_CLEANUP(struct vd_item, vd_item_free)

/* Asserts that the table above has the step, and logs it. */
void vd_item_enter(struct vd_item *item, enum vd_item_state state);

bool vd_item_is_complete(const struct vd_item *item); /* no camera is awaited any more */

/*
 * A second item with the same id, serial, trigger and parameters, to look at again; its frames
 * are copied, or taken from item (takes_frames). -ENOMEM.
 */
VD_MUST int vd_item_split(struct vd_item *item, bool takes_frames, struct vd_item **ret_item);

/* Taken from a JPEG file, or failed with the reason. */
void vd_shot_read(const char *path, struct vd_shot *ret_shot);

/* Appends a grey frame as PGM: a head of a line, then the rows. -EINVAL: too few bytes. */
VD_MUST int vd_shot_pgm(const struct vd_shot *shot, struct vd_buf *out);

/* Frees the frames: for items whose images are not needed. */
void vd_item_drop_frames(struct vd_item *item);
