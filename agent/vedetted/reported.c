/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/vedetted/reported.h"

#include <errno.h>
#include <stdlib.h>

#include "twin/document/limits.h"
#include "twin/document/merge.h"

enum { CREDIT_LIMIT_MS = VD_REPORTED_BURST * VD_REPORTED_GAP_MS };

struct vd_reported {
	cJSON *known;                     /* NULL: unknown */
	cJSON *under_way;                 /* what known becomes when the patch is confirmed */
	uint64_t id;                      /* of the patch under way, or the last one */
	uint64_t credit_ms, credit_at_ms; /* a patch costs VD_REPORTED_GAP_MS, time gives it back */
};

int vd_reported_new(struct vd_reported **ret_reported)
{
	*ret_reported = calloc(1, sizeof **ret_reported);
	if (!*ret_reported)
		return -ENOMEM;
	(*ret_reported)->credit_ms = CREDIT_LIMIT_MS;
	return 0;
}

struct vd_reported *vd_reported_free(struct vd_reported *r)
{
	if (r) {
		vd_reported_forget(r);
		free(r);
	}
	return NULL;
}

int vd_reported_learn(struct vd_reported *r, const cJSON *hub_reported)
{
	cJSON *known = cJSON_IsObject(hub_reported) ? cJSON_Duplicate(hub_reported, 1)
						    : cJSON_CreateObject();

	if (!known)
		return -ENOMEM;
	cJSON_DeleteItemFromObjectCaseSensitive(known, "$version");
	cJSON_DeleteItemFromObjectCaseSensitive(known, "$metadata");
	vd_reported_forget(r);
	r->known = known;
	return 0;
}

void vd_reported_forget(struct vd_reported *r)
{
	r->known = vd_json_free(r->known);
	r->under_way = vd_json_free(r->under_way);
}

bool vd_reported_is_known(const struct vd_reported *r)
{
	return r->known != NULL;
}

static void earn(struct vd_reported *r, uint64_t now_ms)
{
	uint64_t earned = r->credit_ms + (now_ms - r->credit_at_ms);

	r->credit_ms = earned < CREDIT_LIMIT_MS ? earned : CREDIT_LIMIT_MS;
	r->credit_at_ms = now_ms;
}

static int cut_patch(const cJSON *known, const cJSON *wanted, char **ret_patch)
{
	VD_CLEANUP(vd_json_free) cJSON *patch = NULL;
	int r = vd_merge_diff(known, wanted, &patch);

	if (r < 0)
		return r;
	if (!patch || !patch->child)
		return VD_REPORTED_NOTHING;
	*ret_patch = vd_json_text(patch);
	return *ret_patch ? 0 : -ENOMEM;
}

int vd_reported_next(struct vd_reported *r, uint64_t now_ms, const cJSON *wanted, char **ret_patch,
		     uint64_t *ret_id, uint64_t *ret_wait_ms)
{
	VD_CLEANUP(vd_json_free) cJSON *copy = NULL;
	int result;

	*ret_wait_ms = 0;
	if (!r->known || r->under_way)
		return VD_REPORTED_WAIT;
	earn(r, now_ms);
	if (r->credit_ms < VD_REPORTED_GAP_MS) {
		*ret_wait_ms = VD_REPORTED_GAP_MS - r->credit_ms;
		return VD_REPORTED_WAIT;
	}
	copy = cJSON_Duplicate(wanted, 1);
	if (!copy)
		return -ENOMEM;
	result = cut_patch(r->known, wanted, ret_patch);
	if (result != 0)
		return result;
	r->under_way = VD_TAKE(copy);
	r->credit_ms -= VD_REPORTED_GAP_MS;
	*ret_id = ++r->id;
	return 0;
}

int vd_reported_answered(struct vd_reported *r, uint64_t id, int status)
{
	if (!r->under_way || id != r->id)
		return 0;
	if (status < 200 || status > 299) {
		vd_reported_forget(r);
		return VD_REPORTED_UNKNOWN;
	}
	vd_json_free(r->known);
	r->known = VD_TAKE(r->under_way);
	return 0;
}

static int leave_out(cJSON *document, const char *key)
{
	cJSON *modules = cJSON_GetObjectItemCaseSensitive(document, "modules"), *module;

	cJSON_ArrayForEach(module, modules) cJSON_DeleteItemFromObjectCaseSensitive(module, key);
	cJSON_DeleteItemFromObjectCaseSensitive(document, "leftOut");
	return vd_json_add_string(document, "leftOut", key) ? 0 : -ENOMEM;
}

int vd_reported_fit(cJSON *document)
{
	static const char *const spare[] = { "report", "lastExit" };
	int r = 0;

	for (size_t i = 0; r == 0 && i < VD_COUNT(spare); i++) {
		if (vd_limits_size(document) <= VD_LIMITS_SECTION_BYTES)
			return 0;
		r = leave_out(document, spare[i]);
	}
	return r;
}
