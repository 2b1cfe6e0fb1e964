/* SPDX-License-Identifier: Apache-2.0 */
#include "twin/hub/telemetry/letters.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/digest.h"
#include "twin/hub/telemetry/ingest.h"

cJSON *vd_letter_json(int64_t id, const struct vd_dead_letter *letter, bool with_payload)
{
	VD_CLEANUP(vd_json_free) cJSON *json = cJSON_CreateObject();
	VD_CLEANUP(vd_buf_fini) struct vd_buf payload = { 0 };
	char time[VD_TIME_TEXT];

	if (!json || !vd_json_add_number(json, "id", (double)id) ||
	    !vd_json_add_string(json, "deviceId", letter->name.device) ||
	    (letter->name.module[0] &&
	     !vd_json_add_string(json, "moduleId", letter->name.module)) ||
	    !vd_json_add_string(json, "receivedTime", vd_time_text(letter->received_ms, time)) ||
	    !vd_json_add_string(json, "reason", letter->reason) ||
	    !vd_json_add_string(json, "properties", letter->properties) ||
	    !vd_json_add_number(json, "bytes", (double)letter->payload_len))
		return NULL;
	if (with_payload &&
	    (vd_base64_encode(letter->payload, letter->payload_len, &payload) < 0 ||
	     !vd_json_add_string(json, "payloadBase64", payload.data ? payload.data : "")))
		return NULL;
	return VD_TAKE(json);
}

/* A letter's own copy: it is removed before it is taken. */
struct copy {
	struct vd_dead_letter letter;
	struct vd_buf properties, payload;
};

static void copy_fini_p(struct copy *copy)
{
	vd_buf_fini(&copy->properties);
	vd_buf_fini(&copy->payload);
}

static int make_copy(int64_t id, const struct vd_dead_letter *letter, void *argument)
{
	struct copy *copy = argument;
	int r = vd_buf_printf(&copy->properties, "%s", letter->properties);

	copy->letter = *letter;
	if (r == 0 && letter->payload_len)
		r = vd_buf_append(&copy->payload, letter->payload, letter->payload_len);
	copy->letter.properties = copy->properties.data ? copy->properties.data : "";
	copy->letter.payload = copy->payload.data;
	return r;
}

static int replay(struct vd_store *store, int64_t id, const struct vd_dead_letter *letter)
{
	int64_t before = 0, after = 0;
	int r = vd_store_letter_remove(store, id);

	if (r == 0)
		r = vd_store_dead_letter_count(store, &before);
	if (r == 0)
		r = vd_ingest_again(store, letter);
	if (r == 0)
		r = vd_store_dead_letter_count(store, &after);
	return r == 0 && after > before ? VD_LETTERS_AGAIN : r;
}

int vd_letter_replay(struct vd_store *store, int64_t id)
{
	VD_CLEANUP(copy_fini) struct copy copy = { 0 };
	int r = vd_store_letter_get(store, id, make_copy, &copy), done;

	if (r == 0)
		r = vd_store_begin(store);
	if (r != 0)
		return r;
	done = replay(store, id, &copy.letter);
	if (done != 0 && done != VD_LETTERS_AGAIN) {
		vd_store_rollback(store);
		return done;
	}
	r = vd_store_commit(store);
	return r < 0 ? r : done;
}
