/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdio.h>

#include "base/attr.h"

/*
 * A table for people: columns as wide as their cells, cut so that a line fits into 80. Collected
 * first, printed once.
 */
struct vd_table;

/* headings ends with NULL, at most 8 and borrowed. */
VD_MUST int vd_table_new(const char *const *headings, struct vd_table **ret_table);
struct vd_table *vd_table_free(struct vd_table *table);
VD_DEFINE_CLEANUP(struct vd_table, vd_table_free)

/* One text a column, copied; NULL is "-". -ENOMEM. */
VD_MUST int vd_table_add(struct vd_table *table, const char *const *cells);
void vd_table_print(const struct vd_table *table, FILE *out);
