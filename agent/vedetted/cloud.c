/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between the store and the link: batches out, acknowledgements in; and between the link and
 * the settling of documents. A GET at every connect makes up for whatever passed meanwhile.
 */
#include <errno.h>
#include <string.h>

#include "agent/vedetted/agent.h"

void vd_agent_pump(struct vd_agent *a)
{
	struct vd_outbox_batch batch;

	while (vd_outbox_out(a->store) < (size_t)a->config.window) {
		struct vd_link_status status;
		int r;

		vd_link_status(a->link, &status);
		if (status.state != VD_LINK_UP || vd_outbox_next(a->store, &batch) != 1)
			return;
		r = vd_link_publish(a->link, batch.id, batch.bag, batch.payload, batch.len);
		if (r < 0) {
			vd_log(VD_INFO, "outbox.wait", "error=%s", strerror(-r));
			vd_outbox_return_all(a->store);
			return;
		}
	}
}

static void get_twin(struct vd_agent *a)
{
	int r = vd_link_get_twin(a->link);

	if (r < 0 && r != -ENOTCONN)
		vd_log(VD_WARN, "twin.get", "error=%s", strerror(-r));
}

static void on_up(void *argument, bool session_present)
{
	struct vd_agent *a = argument;

	(void)session_present; /* whatever passed meanwhile, the GET tells */
	a->is_twin_fresh = false;
	get_twin(a);
	vd_agent_pump(a);
	vd_agent_images(a);
}

static void on_down(void *argument, const char *reason)
{
	struct vd_agent *a = argument;

	(void)reason; /* the link has logged it */
	a->is_twin_fresh = false;
	vd_reported_forget(a->reported);
	vd_outbox_return_all(a->store);
	vd_agent_images(a);
}

static void on_twin(void *argument, int status, const cJSON *twin)
{
	struct vd_agent *a = argument;
	const cJSON *desired = vd_json_object(twin, "desired");
	cJSON *document = status == 200 && desired ? cJSON_Duplicate(desired, 1) : NULL;

	if (!document) {
		vd_log(VD_WARN, "twin.get", "status=%d", status);
		if (vd_timer_arm(a->report_timer, 2000) <
		    0) /* asks again: see vd_agent_report_now */
			get_twin(a);
		return;
	}
	if (vd_reported_learn(a->reported, vd_json_object(twin, "reported")) == 0)
		a->is_twin_fresh = true;
	vd_agent_take_document(a, &document, vd_json_int(desired, "$version", 0));
	vd_json_free(document);
	vd_agent_report(a, VD_REPORT_SOON);
}

static void on_desired(void *argument, int64_t version, const cJSON *patch)
{
	vd_agent_take_patch(argument, version, patch);
}

static void on_reported(void *argument, uint64_t id, int status, int64_t version)
{
	struct vd_agent *a = argument;

	(void)version;
	if (vd_reported_answered(a->reported, id, status) == VD_REPORTED_UNKNOWN) {
		vd_log(VD_WARN, "reported.refused", "status=%d", status);
		a->is_twin_fresh = false;
		if (vd_timer_arm(a->report_timer, 2000) < 0)
			get_twin(a);
		return;
	}
	vd_agent_report(a, VD_REPORT_SOON);
}

static void on_published(void *argument, uint64_t id, int result)
{
	struct vd_agent *a = argument;
	int r = result == 0 ? vd_outbox_delivered(a->store, id) : result;

	if (r < 0) {
		vd_log(VD_WARN, "outbox.return", "error=%s", strerror(-r));
		vd_outbox_return_all(a->store);
	}
	vd_agent_pump(a);
	vd_agent_images(a);
}

/* A direct method's answer goes back under its rid. */
static void answer_method(struct vd_reply *reply, struct vd_agent *a, int status, const cJSON *body)
{
	VD_CLEANUP(vd_free) char *text = body ? vd_json_text(body) : NULL;
	int r = vd_link_answer(a->link, reply->rid, status, text);

	if (r < 0)
		vd_log(VD_WARN, "method.unanswered", "rid=%s error=%s", reply->rid, strerror(-r));
}

static void on_method(void *argument, const char *rid, const char *name, const cJSON *payload)
{
	struct vd_reply reply = { .send = answer_method };

	vd_log(VD_NOTICE, "method.call", "name=%s", name);
	if (strlen(rid) >= sizeof reply.rid)
		return;
	(void)snprintf(reply.rid, sizeof reply.rid, "%s", rid);
	vd_agent_call(argument, name, payload, &reply);
}

const struct vd_link_handlers vd_agent_link_handlers = {
	.on_up = on_up,
	.on_down = on_down,
	.on_twin = on_twin,
	.on_desired = on_desired,
	.on_reported = on_reported,
	.on_published = on_published,
	.on_method = on_method,
};

static void on_stored(void *argument, uint64_t token, uint64_t seq)
{
	vd_agent_stored(argument, token, seq, NULL);
}

static void on_refused(void *argument, uint64_t token, const struct vd_fault *fault)
{
	vd_agent_stored(argument, token, 0, fault);
}

static void on_ready(void *argument)
{
	vd_agent_pump(argument);
}

static void on_image(void *argument)
{
	vd_agent_images(argument);
}

static void on_document_stored(void *argument, uint64_t token, const struct vd_fault *fault)
{
	vd_agent_document_stored(argument, token, fault);
}

static void on_store_state(void *argument, const char *degraded)
{
	vd_log(degraded ? VD_ERROR : VD_NOTICE, "store.state", "%s",
	       degraded ? degraded : "sound again");
	vd_agent_report(argument, VD_REPORT_SOON);
}

const struct vd_store_handlers vd_agent_store_handlers = {
	.on_stored = on_stored,
	.on_refused = on_refused,
	.on_ready = on_ready,
	.on_document_stored = on_document_stored,
	.on_state = on_store_state,
	.on_image = on_image,
};
