/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdio.h>

#include "base/json.h"

/*
 * Parameters stand in one table: a JSON Schema file beside the program that reads them.
 * The check, the defaults, --explain and the manual's table all come from it.
 *
 * The subset of JSON Schema (2020-12): type (also an array of names), properties, required,
 * additionalProperties (false or a schema), propertyNames (its lengths only), items,
 * minItems, maxItems, minProperties, maxProperties, enum, const, minimum, maximum,
 * exclusiveMinimum, multipleOf, minLength, maxLength, oneOf, default, title, description;
 * "$defs" with "$ref": "#/$defs/NAME"; "$schema". Ours: "x-unit", a text. Any other keyword in a
 * schema is refused by vd_schema_verify, so that a misspelt bound is never ignored.
 * An integer is any number without a fraction.
 */

/* Is this a schema that vd_schema_check understands whole? 500 in fault and -EINVAL if not. */
VD_MUST int vd_schema_verify(const cJSON *schema, struct vd_fault *fault);

/* 0, or 400 in fault, with the pointer into value, and -EINVAL. */
VD_MUST int vd_schema_check(const cJSON *schema, const cJSON *value, struct vd_fault *fault);

/*
 * Adds every absent property that has a default, at all levels, also inside a default that was
 * added. -ENOMEM; -ELOOP: the schema fills itself for ever. Either way value may be half filled.
 */
VD_MUST int vd_schema_fill(const cJSON *schema, cJSON *value);

/* One line a property: pointer, type, bounds, default, unit, description. */
void vd_schema_explain(const cJSON *schema, FILE *out);
