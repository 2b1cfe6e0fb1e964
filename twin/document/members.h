/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "base/json.h"

/*
 * Looking up many members of one object. cJSON walks its list for each: a document full of small
 * members would take a quarter of a second to merge, and any device may send one. Cannot fail:
 * without memory for the index it walks the list, too.
 *
 *	VD_CLEANUP(vd_members_fini) struct vd_members members = vd_members_of(object);
 *
 * The object is borrowed and must not change meanwhile; NULL, or what is no object, has no members.
 */
struct vd_members {
	const cJSON *object;
	const cJSON **sorted; /* NULL: few members, or no memory */
	size_t count;
};

struct vd_members vd_members_of(const cJSON *object);
const cJSON *vd_members_get(const struct vd_members *members, const char *key); /* NULL: absent */
void vd_members_fini(struct vd_members *members);

VD_UNUSED static inline void vd_members_fini_p(struct vd_members *members)
{
	vd_members_fini(members);
}
