/* SPDX-License-Identifier: Apache-2.0 */
/* /deadletters and /drift: what an operator looks after */
#include "twin/hub/api/api.h"

#include <errno.h>
#include <stdlib.h>

#include "twin/hub/drift.h"
#include "twin/hub/telemetry/letters.h"

enum { LIST_DEFAULT = 100, LIST_MAX = 1000, BEHIND_DEFAULT_S = 300, BEHIND_MAX_S = 31536000 };

int vd_api_drift_list(struct vd_api *api, struct vd_call *call, int64_t now_ms,
		      struct vd_fault *fault)
{
	int64_t behind_s = 0, limit = 0;
	int r = vd_call_number(call, "olderThanS", 0, BEHIND_MAX_S, BEHIND_DEFAULT_S, &behind_s,
			       fault);

	if (r == 0)
		r = vd_call_number(call, "limit", 1, VD_DRIFT_MAX, VD_DRIFT_MAX, &limit, fault);
	if (r == 0)
		r = vd_drift_list(api->slices, api->store, call, now_ms - behind_s * 1000 + 1,
				  vd_call_argument(call, "after"), (int)limit, fault);
	return r == VD_SLICES_LATER ? VD_API_KEPT : r;
}

/* --- dead letters --- */

static int add_letter(int64_t id, const struct vd_dead_letter *letter, void *argument)
{
	cJSON *json = vd_letter_json(id, letter, false);

	if (json && cJSON_AddItemToArray(argument, json))
		return 0;
	(void)vd_json_free(json);
	return -ENOMEM;
}

int vd_api_letters_list(struct vd_api *api, struct vd_call *call, int64_t now_ms,
			struct vd_fault *fault)
{
	VD_CLEANUP(vd_json_free) cJSON *list = cJSON_CreateArray();
	int64_t limit = 0, after = 0;
	int r = list ? vd_call_number(call, "limit", 1, LIST_MAX, LIST_DEFAULT, &limit, fault)
		     : -ENOMEM;

	if (r == 0)
		r = vd_call_number(call, "after", 0, INT64_MAX, 0, &after, fault);
	if (r == 0)
		r = vd_store_letter_each(api->store, vd_call_argument(call, "deviceId"), after,
					 (int)limit, add_letter, list);
	if (r == 0)
		vd_reply_json(&call->reply, 200, &list);
	return r;
}

static int no_letter(struct vd_fault *fault)
{
	vd_fault_set(fault, 404, "", "there is no such dead letter");
	return VD_REFUSED_NO_SUCH;
}

static int give_letter(int64_t id, const struct vd_dead_letter *letter, void *argument)
{
	VD_CLEANUP(vd_json_free) cJSON *json = vd_letter_json(id, letter, true);
	struct vd_call *call = argument;

	vd_reply_json(&call->reply, 200, &json);
	return 0;
}

int vd_api_letter_get(struct vd_api *api, struct vd_call *call, int64_t now_ms,
		      struct vd_fault *fault)
{
	int r = vd_store_letter_get(api->store, strtoll(call->segments[1], NULL, 10), give_letter,
				    call);

	return r == VD_STORE_NONE ? no_letter(fault) : r;
}

int vd_api_letter_delete(struct vd_api *api, struct vd_call *call, int64_t now_ms,
			 struct vd_fault *fault)
{
	int r = vd_store_letter_remove(api->store, strtoll(call->segments[1], NULL, 10));

	if (r == 0)
		call->reply.status = 204;
	return r == VD_STORE_NONE ? no_letter(fault) : r;
}

static int replay_all(struct vd_api *api, const cJSON *ids, int64_t *taken, int64_t *again)
{
	const cJSON *id;
	int r = 0;

	cJSON_ArrayForEach(id, ids)
	{
		r = cJSON_IsNumber(id) ? vd_letter_replay(api->store, (int64_t)id->valuedouble)
				       : VD_STORE_NONE;
		if (r < 0)
			return r;
		*taken += r == 0;
		*again += r == VD_LETTERS_AGAIN;
	}
	return 0;
}

/* {"ids":[…]}, few enough for one turn; whoever has more calls again. */
int vd_api_letters_replay(struct vd_api *api, struct vd_call *call, int64_t now_ms,
			  struct vd_fault *fault)
{
	VD_CLEANUP(vd_json_free) cJSON *body = NULL;
	VD_CLEANUP(vd_json_free) cJSON *answer = cJSON_CreateObject();
	int64_t taken = 0, again = 0;
	int r = vd_call_object(call, &body, fault);
	const cJSON *ids = body ? vd_json_array(body, "ids") : NULL;

	if (r != 0)
		return r;
	if (!ids || cJSON_GetArraySize(ids) > VD_LETTERS_A_CALL) {
		vd_fault_set(fault, 400, "/ids", "is no array of at most %d", VD_LETTERS_A_CALL);
		return VD_REFUSED_ARGUMENT;
	}
	r = replay_all(api, ids, &taken, &again);
	if (r == 0 && (!answer || !vd_json_add_number(answer, "taken", (double)taken) ||
		       !vd_json_add_number(answer, "unreadable", (double)again)))
		r = -ENOMEM;
	if (r == 0)
		vd_reply_json(&call->reply, 200, &answer);
	return r;
}
