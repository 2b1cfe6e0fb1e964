/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "twin/query/query.h"

/*
 * Counts and sums over the twins that match, a group for each combination of what the paths of
 * GROUP BY lead to (undefined is a group of its own), or one group for all without it.
 *
 * COUNT() counts rows. SUM and AVG take the numbers and pass over everything else; MIN and MAX take
 * scalars, and rank types as value.h does. Of no number at all the sum is 0, and AVG, MIN and MAX
 * are left out of the row.
 */
enum { VD_AGGREGATE_GROUPS = 10000 };

struct vd_aggregate;

/* query must be an aggregate and outlive it. -ENOMEM. */
VD_MUST int vd_aggregate_new(const struct vd_query *query, struct vd_aggregate **ret_aggregate);
struct vd_aggregate *vd_aggregate_free(struct vd_aggregate *aggregate); /* returns NULL */
VD_DEFINE_CLEANUP(struct vd_aggregate, vd_aggregate_free)

/*
 * Takes a twin that matches; keeps nothing of it but copies. 413 in fault and -EINVAL for more
 * than VD_AGGREGATE_GROUPS groups; -ENOMEM. After a failure only _free is left.
 */
VD_MUST int vd_aggregate_add(struct vd_aggregate *aggregate, const cJSON *twin,
			     struct vd_fault *fault);

/* An array of rows, groups in the order in which they came, no more than TOP. -ENOMEM. */
VD_MUST int vd_aggregate_finish(const struct vd_aggregate *aggregate, cJSON **ret_rows);

/* Is its only row made of COUNT alone, so that the number of matches is all it needs? */
bool vd_aggregate_is_count(const struct vd_query *query);

/* That many more matches, of such a query. */
void vd_aggregate_add_count(struct vd_aggregate *aggregate, int64_t count);
