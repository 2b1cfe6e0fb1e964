/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "twin/query/query.h"

/*
 * vd_query_matches for twins that are still texts, as a store reads them: one pass that builds no
 * tree, passes over all but the paths of WHERE, and ends with the last of them. A twin comes in
 * parts, since a store keeps its sections apart; parts that WHERE does not read are not looked at,
 * and need not be there.
 *
 * The texts are the store's own JSON. What is skipped is not checked: a broken text is -EINVAL or
 * a wrong answer, never more.
 */
struct vd_query_part {
	const char *below; /* "" the members of the twin itself; "tags", "properties.reported" */
	const char *text;  /* one JSON object; need not end with NUL */
	size_t len;
};

struct vd_matcher;

/* query must outlive it. One matcher serves one thread, for any number of twins. -ENOMEM. */
VD_MUST int vd_matcher_new(const struct vd_query *query, struct vd_matcher **ret_matcher);
struct vd_matcher *vd_matcher_free(struct vd_matcher *matcher); /* returns NULL */
VD_DEFINE_CLEANUP(struct vd_matcher, vd_matcher_free)

/* Does WHERE read anything at, below or above this path? */
bool vd_matcher_reads(const struct vd_matcher *matcher, const char *below);

/* *ret_matches: is WHERE true? -EINVAL: a part is no JSON object. -ENOMEM. */
VD_MUST int vd_matcher_ask(struct vd_matcher *matcher, const struct vd_query_part *parts,
			   size_t count, bool *ret_matches);
