/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stddef.h>

#include "base/attr.h"
#include "modules/image/image.h"

/*
 * Something that a step found in the frame: a defect, a piece, what a model detected, the class
 * of a whole region. Rules count objects by label; foreach runs a step on the box of each.
 */
enum { VD_LABEL_BYTES = 65, VD_OBJECTS_MOST = 1024 };

struct vd_object {
	char label[VD_LABEL_BYTES]; /* class; never "" */
	double score;               /* 0 to 1; NaN: the tool has none */
	struct vd_rect box;         /* px of the whole frame, whatever region the step ran on */
	double area;                /* px; of a class or a detection: its box's */
};

/* At most VD_OBJECTS_MOST; those beyond are counted, so that nobody takes them for absent. */
struct vd_object_list {
	struct vd_object *list;
	size_t count, room, left_out;
};

/* A longer label is cut; "" becomes "unnamed". One beyond the most is counted: no error. -ENOMEM. */
VD_MUST int vd_object_add(struct vd_object_list *objects, const char *label,
			  const struct vd_object *object);
void vd_object_list_fini(struct vd_object_list *objects);
