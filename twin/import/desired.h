/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "twin/import/station.h"

/*
 * The desired document that stands for stations of VIO: a module for each camera, and one of the
 * package inspect whose recipes are the stations, as one VIO box had one of several active.
 */
struct vd_import_choice { /* what only the importer can know: "cam-top" is "v4l2:/dev/…" */
	const char *name, *value;
};

struct vd_import_choices {
	const char *instance;                   /* the inspecting module */
	const char *package_version;            /* of camera and inspect */
	const char *data_folder;                /* where pictures of fake cameras are now */
	const struct vd_import_choice *cameras; /* sources by camera */
	int camera_count;
	const struct vd_import_choice *models; /* folders of model packages by VIO's name */
	int model_count;
};

/* An empty one; then a station after the other. What was left open or is stricter goes to rest. */
VD_MUST int vd_desired_new(const struct vd_import_choices *choices, cJSON **ret_desired);

/*
 * -EINVAL with the place in the station's document: a model package cannot be read; another
 * station has the name, or another camera under the same one. -ENOMEM.
 */
VD_MUST int vd_desired_add(cJSON *desired, const struct vd_vio_station *station,
			   const struct vd_import_choices *choices, struct vd_rest *rest,
			   struct vd_fault *fault);

/* Nothing inspects if no station had a model. */
void vd_desired_finish(cJSON *desired, const struct vd_import_choices *choices);
