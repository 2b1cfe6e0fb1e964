/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "base/schema.h"

/*
 * Shared by the parts of base/schema.h alone: a walk through a schema, which ends even if the
 * schema refers to itself.
 */
struct vd_schema_walk {
	const cJSON *root; /* where "#/$defs/NAME" is looked up */
	int steps;         /* left, over the whole walk: bounds nested oneOf */
	int in_place;      /* $ref and oneOf entered without going down in the value */
};

enum { VD_SCHEMA_STEPS = 200000, VD_SCHEMA_IN_PLACE = 16 };

/* Enters schema; false: the steps are used up. */
bool vd_schema_step(struct vd_schema_walk *walk);

/* The schema behind a "$ref"; NULL: not of the form "#/$defs/NAME", or no such name. */
const cJSON *vd_schema_resolve(const struct vd_schema_walk *walk, const cJSON *reference);

/* The keyword in schema itself or, failing that, in the one it refers to. */
const cJSON *vd_schema_keyword(const struct vd_schema_walk *walk, const cJSON *schema,
			       const char *name);

/* 0, or the reason in fault, when value is not what schema says. */
VD_MUST int vd_schema_check_at(struct vd_schema_walk *walk, const cJSON *schema, const cJSON *value,
			       struct vd_fault *fault);

/* Is name one of JSON Schema's types? */
bool vd_schema_type_is_known(const char *name);
