/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "twin/hub/store/store.h"
#include "twin/query/query.h"

/*
 * The twins of which a query's WHERE is true, in the order of their names, in as many steps as its
 * owner likes. Where to look is what the index says (twin_index.h) if one of the query's hints
 * selects few, else everywhere; each twin itself decides, as it is when the walk comes by. Who
 * comes under the condition meanwhile may be found or not.
 */
struct vd_twin_walk;

/*
 * query is of devices or modules and must outlive the walk; parts: VD_TWIN_… that the rows shall
 * have. Behind `from`, or from the first one on if that is NULL. 0 or -errno.
 */
VD_MUST int vd_twin_walk_new(struct vd_store *store, const struct vd_query *query, unsigned parts,
			     const struct vd_name *from, struct vd_twin_walk **ret_walk);
struct vd_twin_walk *vd_twin_walk_free(struct vd_twin_walk *walk);
VD_DEFINE_CLEANUP(struct vd_twin_walk, vd_twin_walk_free)

/* The last twin that is done with; "" at first. */
const struct vd_name *vd_twin_walk_at(const struct vd_twin_walk *walk);

/*
 * Goes on until until_ms (monotonic). fn, for each match, must not write twins; it says 0,
 * VD_WALK_KEEP: stop, this one comes again, VD_WALK_LAST: stop, this one is done with, or what else
 * ends the walk and is returned. Returns those, VD_WALK_END, VD_WALK_TIME or -errno.
 */
enum { VD_WALK_END = 1000, VD_WALK_TIME, VD_WALK_KEEP, VD_WALK_LAST };
VD_MUST int vd_twin_walk_run(struct vd_twin_walk *walk, uint64_t until_ms, vd_twin_fn fn,
			     void *argument);

/* What of a twin a path of a query lies in. */
enum { VD_PART_NAME = 16, VD_PART_HEAD = 32 }; /* beside VD_TWIN_… */
unsigned vd_twin_part_of(const char *path);

/*
 * What parts need of a twin beside tags and properties, as the text of an object: its name at least,
 * and all of it with VD_PART_HEAD. Appends to out.
 */
VD_MUST int vd_twin_head_text(struct vd_store *store, const struct vd_twin_row *row, unsigned parts,
			      struct vd_buf *out);
