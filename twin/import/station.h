/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stddef.h>

#include "base/attr.h"
#include "base/fault.h"
#include "base/json.h"
#include "twin/import/rest.h"

/*
 * A station of VIO (Visual Inspection Orchestrator) as both of its generations describe it: cameras
 * with models that look at their pictures, some at the objects that another found, a rule for what
 * the models say, and a rule for the item.
 *
 * Texts are borrowed from the document, which must stay.
 */
enum {
	VD_VIO_CAMERAS = 8,
	VD_VIO_STEPS = 32,
	VD_VIO_RULES = 16,
	VD_VIO_LABELS = 64,
	VD_VIO_BYTES = 1 << 20, /* of a document */
};

enum vd_vio_source { VD_VIO_FOLDER, VD_VIO_VIDEO, VD_VIO_GIGE, VD_VIO_SERVICE };

struct vd_vio_camera {
	const char *id;
	enum vd_vio_source source;
	const char *place; /* folder, device, serial number or address; "": not said */
	int width, height; /* px; 0: not said */
};

struct vd_vio_step {
	const char *id;
	int camera;
	const char *model, *version; /* version "": not said */
	int after;                   /* runs on the objects of this step; -1: on the picture */
	const char *label;           /* of those objects only; "": all */
};

struct vd_vio_labels {
	const char *list[VD_VIO_LABELS];
	int count;
};

enum vd_vio_rule_kind { VD_VIO_EXPECTED, VD_VIO_UNEXPECTED, VD_VIO_AT_LEAST, VD_VIO_AT_MOST };

struct vd_vio_rule {
	enum vd_vio_rule_kind kind;
	int step;                    /* whose answer it is about */
	struct vd_vio_labels labels; /* at least one; of VD_VIO_AT_LEAST and _AT_MOST just one */
	int count;                   /* VD_VIO_AT_LEAST, VD_VIO_AT_MOST */
};

enum vd_vio_item_kind { VD_VIO_ALL_OK, VD_VIO_MIN_OK, VD_VIO_MIN_RATIO, VD_VIO_MAX_NG };

struct vd_vio_station {
	const char *name;
	struct vd_vio_camera cameras[VD_VIO_CAMERAS];
	int camera_count;
	struct vd_vio_step steps[VD_VIO_STEPS];
	int step_count;
	struct vd_vio_rule rules[VD_VIO_RULES];
	int rule_count;
	enum vd_vio_item_kind item;
	double threshold; /* of item: a count or a ratio */
};

/*
 * Reads a document of either generation. name stands where the document has none. What the
 * station does not tell goes to rest. -EINVAL with the place in fault: what is there contradicts
 * itself, or is no station. -ENOMEM.
 */
VD_MUST int vd_vio_read(cJSON *document, const char *name, struct vd_rest *rest,
			struct vd_vio_station *ret_station, struct vd_fault *fault);

/* Number of the camera or step of that id; -1: none. */
int vd_vio_camera_find(const struct vd_vio_station *station, const char *id);
int vd_vio_step_find(const struct vd_vio_station *station, const char *id);
