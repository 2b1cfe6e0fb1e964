/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "twin/import/station.h"

/*
 * The readers of the two generations, and what they share. 2022: `cameras` with a `models_graph`,
 * and rules with `parameters`. 2026: `camera_configs`, and `pipeline_steps` with a rule each.
 * Errors as vd_vio_read.
 */
VD_MUST int vd_vio_read_2022(cJSON *document, struct vd_rest *rest, struct vd_vio_station *station,
			     struct vd_fault *fault);
VD_MUST int vd_vio_read_2026(cJSON *document, struct vd_rest *rest, struct vd_vio_station *station,
			     struct vd_fault *fault);

/* 400 and -EINVAL. */
int vd_vio_refuse(struct vd_fault *fault, const char *pointer, const char *text);

/* The fault is in member key of parent. Returns error. */
int vd_vio_under(struct vd_fault *fault, const char *key, const char *parent, int error);

cJSON *vd_vio_object(cJSON *object, const char *key); /* NULL: absent or no object */

VD_MUST int vd_vio_rule_kind(const char *name, enum vd_vio_rule_kind *ret_kind,
			     struct vd_fault *fault);

/*
 * A label or a list of them; those beyond most are noted and left out, for rules that then are
 * stricter than before. -EINVAL: it is neither.
 */
VD_MUST int vd_vio_take_labels(struct vd_rest *rest, cJSON *object, const char *key,
			       const char *place, int most, struct vd_vio_labels *ret_labels,
			       struct vd_fault *fault);

/* A whole number above 0, or a share above 0 and at most 1. -EINVAL with the place. */
VD_MUST int vd_vio_take_count(struct vd_rest *rest, cJSON *object, const char *key, int *ret_count,
			      struct vd_fault *fault);
VD_MUST int vd_vio_take_ratio(struct vd_rest *rest, cJSON *object, const char *key,
			      double *ret_ratio, struct vd_fault *fault);

/* Copies; -EINVAL: too many, or another one has the id. */
VD_MUST int vd_vio_add_camera(struct vd_vio_station *station, const struct vd_vio_camera *camera,
			      struct vd_fault *fault);
VD_MUST int vd_vio_add_step(struct vd_vio_station *station, const struct vd_vio_step *step,
			    struct vd_fault *fault);
VD_MUST int vd_vio_add_rule(struct vd_vio_station *station, const struct vd_vio_rule *rule,
			    struct vd_fault *fault);
