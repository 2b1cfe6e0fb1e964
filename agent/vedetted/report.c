/* SPDX-License-Identifier: Apache-2.0 */
/* What is told of the agent: to the hub as reported state, to the box by `vedette status`. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/vedetted/agent.h"
#include "base/clock.h"
#include "base/version.h"

enum { REPORTED_LINES = 4, REPORTED_LINE_BYTES = 160, SHORTLY_MS = 100 };

static bool add_time(cJSON *object, const char *key, int64_t wall_ms)
{
	char text[VD_TIME_TEXT];

	return vd_json_add_string(object, key, vd_time_text(wall_ms, text));
}

cJSON *vd_agent_link_json(const struct vd_agent *a)
{
	VD_CLEANUP(vd_json_free) cJSON *json = cJSON_CreateObject();
	struct vd_link_status s;

	vd_link_status(a->link, &s);
	if (!json || !vd_json_add_string(json, "state", vd_link_state_name(s.state)) ||
	    !vd_json_add_string(json, "host", s.host) ||
	    !vd_json_add_number(json, "port", s.port) ||
	    !vd_json_add_number(json, "forMs", (double)(vd_clock_mono_ms() - s.since_ms)) ||
	    !vd_json_add_number(json, "connects", (double)s.connects) ||
	    !vd_json_add_number(json, "failures", s.failures) ||
	    !vd_json_add_number(json, "nextAttemptMs", (double)s.next_attempt_ms) ||
	    !vd_json_add_string(json, "lastError", s.last_error))
		return NULL;
	if (s.credential_expires_s &&
	    !add_time(json, "credentialExpires", s.credential_expires_s * 1000))
		return NULL;
	return VD_TAKE(json);
}

static bool add_class(cJSON *json, enum vd_class class, const struct vd_class_stats *s)
{
	cJSON *item = cJSON_AddObjectToObject(json, vd_class_name(class));

	return item && vd_json_add_number(item, "records", (double)s->records) &&
	       vd_json_add_number(item, "bytes", (double)s->bytes) &&
	       vd_json_add_number(item, "accepted", (double)s->accepted) &&
	       vd_json_add_number(item, "delivered", (double)s->delivered) &&
	       vd_json_add_number(item, "evicted", (double)s->evicted) &&
	       vd_json_add_number(item, "refused", (double)s->refused) &&
	       vd_json_add_number(item, "repeated", (double)s->repeated) &&
	       vd_json_add_number(item, "oldestAgeMs", (double)s->oldest_age_ms);
}

static bool add_images(const struct vd_agent *a, cJSON *json, const char *key,
		       const struct vd_store_stats *s)
{
	static const char *const names[VD_IMAGE_STATES] = {
		[VD_IMAGE_WAITING] = "waiting",
		[VD_IMAGE_UPLOADED] = "uploaded",
		[VD_IMAGE_REFUSED] = "refused",
		[VD_IMAGE_LOST] = "evicted",
	};
	cJSON *images = cJSON_AddObjectToObject(json, key);

	for (int i = 0; images && i < VD_IMAGE_STATES; i++) {
		cJSON *state = cJSON_AddObjectToObject(images, names[i]);

		if (!state || !vd_json_add_number(state, "count", (double)s->images_of[i].count) ||
		    !vd_json_add_number(state, "bytes", (double)s->images_of[i].bytes))
			return false;
	}
	return images &&
	       (!*a->last_refusal || vd_json_add_string(images, "lastRefusal", a->last_refusal));
}

static bool add_uploader(const struct vd_agent *a, cJSON *json)
{
	cJSON *upload = cJSON_AddObjectToObject(json, "upload");
	struct vd_uploader_status s;

	vd_uploader_status(a->uploader, &s);
	return upload && vd_json_add_bool(upload, "isBusy", s.is_busy) &&
	       vd_json_add_number(upload, "sentBytes", (double)s.sent_bytes) &&
	       vd_json_add_number(upload, "failures", (double)s.failures) &&
	       vd_json_add_string(upload, "lastError", s.last_error);
}

cJSON *vd_agent_store_json(const struct vd_agent *a)
{
	VD_CLEANUP(vd_json_free) cJSON *json = cJSON_CreateObject();
	struct vd_store_stats s;
	cJSON *classes;

	vd_store_stats(a->store, &s);
	if (!json || !vd_json_add_string(json, "state", *s.degraded ? "degraded" : "ok") ||
	    !vd_json_add_string(json, "degraded", s.degraded) ||
	    !vd_json_add_string(json, "notice", s.notice) ||
	    !vd_json_add_number(json, "queuedRecords", (double)s.queued_records) ||
	    !vd_json_add_number(json, "keyConflicts", (double)s.key_conflicts) ||
	    !vd_json_add_number(json, "tombstones", (double)s.tombstones_pending) ||
	    !vd_json_add_number(json, "images", (double)s.images) ||
	    !vd_json_add_number(json, "imageBytes", (double)s.image_bytes) ||
	    !vd_json_add_number(json, "imagesEvicted", (double)s.images_evicted) ||
	    !add_images(a, json, "imagesOf", &s) || !add_uploader(a, json) ||
	    !vd_json_add_number(json, "commits", (double)s.commits) ||
	    !vd_json_add_number(json, "lastCommitUs", (double)s.last_commit_us) ||
	    !vd_json_add_number(json, "slowestCommitUs", (double)s.slowest_commit_us) ||
	    !vd_json_add_number(json, "nextSeq", (double)s.next_seq))
		return NULL;
	classes = cJSON_AddObjectToObject(json, "classes");
	for (int i = 0; classes && i < VD_CLASSES; i++) {
		if (!add_class(classes, (enum vd_class)i, &s.classes[i]))
			return NULL;
	}
	return classes ? VD_TAKE(json) : NULL;
}

/* Left out in reported state where they say nothing: an empty text is no pointer. */
static bool add_reason(cJSON *json, const char *pointer, const char *text)
{
	if (*text && !vd_json_add_string(json, "text", text))
		return false;
	return !*pointer || vd_json_add_string(json, "pointer", pointer);
}

static bool add_acknowledgement(cJSON *json, const struct vd_acknowledgement *ack)
{
	cJSON *item = cJSON_AddObjectToObject(json, "acknowledged");

	return item &&
	       (ack->version < 0 || vd_json_add_number(item, "version", (double)ack->version)) &&
	       vd_json_add_number(item, "code", ack->code) &&
	       add_reason(item, ack->pointer, ack->text);
}

/* The evidence with few and short lines: reported state has 32 KiB for all modules. */
static bool add_last_exit(cJSON *json, const cJSON *evidence)
{
	cJSON *copy = cJSON_Duplicate(evidence, 1),
	      *lines = cJSON_GetObjectItemCaseSensitive(copy, "lines");
	cJSON *line;

	while (cJSON_GetArraySize(lines) > REPORTED_LINES)
		cJSON_DeleteItemFromArray(lines, 0);
	cJSON_ArrayForEach(line, lines)
	{
		if (cJSON_IsString(line) && strlen(line->valuestring) > REPORTED_LINE_BYTES) {
			size_t n = REPORTED_LINE_BYTES;

			while (n > 0 && ((unsigned char)line->valuestring[n] & 0xC0) == 0x80)
				n--;
			line->valuestring[n] = '\0';
		}
	}
	return vd_json_add_take(json, "lastExit", &copy);
}

static bool add_status(const struct vd_agent *a, cJSON *json, const struct vd_instance *instance)
{
	struct vd_module_status s;
	uint32_t restarts;

	if (vd_supervisor_status(a->supervisor, instance->id, &s) < 0)
		return vd_json_add_string(json, "state", vd_state_name(VD_STATE_ABSENT));
	restarts = s.starts > 0 ? s.starts - 1 : 0;
	return vd_json_add_string(json, "state", vd_state_name(s.state)) &&
	       (s.pid == 0 || vd_json_add_number(json, "pid", s.pid)) &&
	       vd_json_add_number(json, "restarts", restarts);
}

cJSON *vd_agent_module_json(const struct vd_agent *a, const struct vd_instance *instance)
{
	VD_CLEANUP(vd_json_free) cJSON *json = cJSON_CreateObject();
	int i = vd_set_find(a->set, instance->id);

	if (!json || !add_status(a, json, instance) ||
	    !add_acknowledgement(json, &instance->acknowledgement))
		return NULL;
	if (i >= 0 && (!vd_json_add_string(json, "package", a->set->desired->modules[i].package) ||
		       !vd_json_add_string(json, "version", a->set->desired->modules[i].version)))
		return NULL;
	if (instance->dropped_messages &&
	    !vd_json_add_number(json, "droppedMessages", (double)instance->dropped_messages))
		return NULL;
	if (instance->rejected && !vd_json_add_number(json, "rejected", (double)instance->rejected))
		return NULL;
	if (instance->last_exit && !add_last_exit(json, instance->last_exit))
		return NULL;
	if (instance->report && !vd_json_add_copy(json, "report", instance->report))
		return NULL;
	return VD_TAKE(json);
}

static bool add_agent(const struct vd_agent *a, cJSON *json)
{
	cJSON *agent = cJSON_AddObjectToObject(json, "agent");
	struct vd_store_stats s;

	vd_store_stats(a->store, &s);
	return agent && vd_json_add_string(agent, "version", VD_VERSION) &&
	       vd_json_add_string(agent, "bootId", a->boot_id) &&
	       add_time(agent, "startedAt", a->started_wall_ms) &&
	       vd_json_add_string(agent, "timeQuality", vd_time_quality()) &&
	       vd_json_add_string(agent, "store", *s.degraded ? s.degraded : "ok") &&
	       add_images(a, agent, "images", &s) &&
	       (!*s.notice || vd_json_add_string(agent, "storeNotice", s.notice));
}

static bool add_outcome(const struct vd_agent *a, cJSON *json)
{
	cJSON *desired = cJSON_AddObjectToObject(json, "desired");

	return desired &&
	       (a->outcome.version < 0 ||
		(vd_json_add_number(desired, "version", (double)a->outcome.version) &&
		 vd_json_add_number(desired, "code", a->outcome.code) &&
		 add_reason(desired, a->outcome.pointer, a->outcome.text))) &&
	       (!a->set || vd_json_add_number(desired, "inForce", (double)a->set->version));
}

cJSON *vd_agent_reported_document(struct vd_agent *a)
{
	VD_CLEANUP(vd_json_free) cJSON *json = cJSON_CreateObject();
	cJSON *modules;

	if (!json || !vd_json_add_string(json, "schemaVersion", "1.0") || !add_agent(a, json) ||
	    !add_outcome(a, json))
		return NULL;
	modules = cJSON_AddObjectToObject(json, "modules");
	if (!modules)
		return NULL;
	for (const struct vd_instance *i = a->instances; i; i = i->next) {
		cJSON *module = vd_agent_module_json(a, i);

		if (!vd_json_add_take(modules, i->id, &module))
			return NULL;
	}
	if (vd_reported_fit(json) < 0)
		return NULL;
	return VD_TAKE(json);
}

static void arm(struct vd_agent *a, uint64_t delay_ms)
{
	if (vd_timer_arm(a->report_timer, delay_ms) < 0)
		vd_log(VD_ERROR, "report.timer", "error=cannot be armed");
}

static uint64_t interval_ms(const struct vd_agent *a)
{
	return a->set ? a->set->desired->agent.report_interval_ms : 10000;
}

void vd_agent_report(struct vd_agent *a, enum vd_urgency urgency)
{
	if (a->is_stopping || !a->link)
		return;
	/* From the loop, so that all that one event changes goes in one patch. */
	if (urgency == VD_REPORT_SOON)
		arm(a, 0);
	else if (!vd_timer_is_armed(a->report_timer))
		arm(a, urgency == VD_REPORT_SHORTLY ? SHORTLY_MS : interval_ms(a));
}

void vd_agent_report_now(void *agent)
{
	struct vd_agent *a = agent;
	VD_CLEANUP(vd_json_free) cJSON *wanted = NULL;
	VD_CLEANUP(vd_free) char *patch = NULL;
	struct vd_link_status status;
	uint64_t id = 0, wait_ms = 0;
	int r;

	vd_link_status(a->link, &status);
	if (status.state != VD_LINK_UP)
		return;
	if (!a->is_twin_fresh || !vd_reported_is_known(a->reported)) {
		if (vd_link_get_twin(a->link) < 0)
			arm(a, 2000);
		return;
	}
	wanted = vd_agent_reported_document(a);
	r = wanted ? vd_reported_next(a->reported, vd_clock_mono_ms(), wanted, &patch, &id,
				      &wait_ms)
		   : -ENOMEM;
	if (r == VD_REPORTED_WAIT && wait_ms)
		arm(a, wait_ms);
	else if (r == 0)
		r = vd_link_report(a->link, id, patch, strlen(patch));
	if (r < 0) {
		vd_log(VD_WARN, "report.send", "error=%s", strerror(-r));
		vd_reported_forget(a->reported);
		arm(a, 2000);
	}
}
