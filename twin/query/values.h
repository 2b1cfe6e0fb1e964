/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "base/attr.h"
#include "twin/query/value.h"

/*
 * Every scalar of a twin with its path, spelled as vd_query_hints and vd_query_paths spell it:
 * what a store's index table holds. $metadata is left out, and so is what stands in arrays, since
 * no path leads there. fn's pointers live for its call only; fn returning other than 0 ends the
 * walk, which then returns that. -ENOMEM.
 */
typedef int (*vd_values_fn)(const char *path, const struct vd_query_value *value, void *argument);

VD_MUST int vd_values_each(const cJSON *twin, vd_values_fn fn, void *argument);
