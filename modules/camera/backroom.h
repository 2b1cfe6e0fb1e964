/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "modules/camera/archive.h"
#include "modules/camera/shot.h"
#include "modules/camera/sideline.h"
#include "modules/sdk/module.h"

enum { VD_ATTACHED_BYTES = 32 << 20 }; /* a larger attachment the agent does not take */

/* What the commands beside inspection share. Borrowed. */
struct vd_backroom {
	struct vd_module *module;
	char instance[128];
	struct vd_archive *archive;   /* NULL: no state folder, or it cannot be used */
	struct vd_sideline *disk;     /* writes what is kept */
	struct vd_sideline *pictures; /* encodes */
	char archive_text[256];       /* why there is no archive */
};

/* What stands about a frame in an index and in records; false: no memory. */
bool vd_shot_describe(const struct vd_shot *shot, cJSON *object);

/* {"kind","name","state":"ok"} or "failed" with text; NULL: no memory. */
cJSON *vd_kept_body(const char *kind, const char *name, const struct vd_fault *fault);

/* The record of something kept, as the output says it; what the agent does not take is logged. */
void vd_kept_publish(struct vd_module *module, const cJSON *body,
		     const struct vd_attachment *attachment);
