/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>

#include "base/attr.h"
#include "modules/image/image.h"
#include "modules/inspect/item.h"

/*
 * From a camera's frame to an image that may be judged. Everything that makes a frame no evidence
 * ends here: capture failed, missing, stale, repeated, digest that does not fit, damaged, of the
 * wrong size, black, saturated or covered.
 */
struct vd_look {
	bool is_good;
	char text[VD_SHOT_TEXT + 64]; /* "code: why" unless good */
	struct vd_image image;        /* grey; its memory serves the next frame */
	struct vd_image colour;       /* RGB, if vd_look_in_colour gave it one */
	bool has_colour;
	int width, height;           /* 0: not known */
	int orientation;             /* by EXIF; 0: not said. Pixels are judged as they stand */
	char sha256[VD_SHA256_TEXT]; /* of the frame as it came; "": there was none */
	double mean, spread;         /* grey levels */
};

/* last: the digest of this camera's last frame, "" if there was none. */
void vd_look_at(struct vd_look *look, const struct vd_shot *shot, const struct vd_recipe *recipe,
		const char *last);

/* After vd_look_at, for steps that want colours: a colour JPEG has them, grey frames do not. */
void vd_look_in_colour(struct vd_look *look, const struct vd_shot *shot);

void vd_look_fini(struct vd_look *look);
