/* SPDX-License-Identifier: Apache-2.0 */
#include "twin/hub/twins.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "twin/document/limits.h"
#include "twin/document/merge.h"
#include "twin/hub/devices.h"
#include "twin/hub/etag.h"
#include "twin/hub/refusal.h"
#include "twin/hub/store/configurations.h"
#include "twin/hub/store/trust.h"

struct vd_twins {
	struct vd_store *store;
	struct vd_twins_events events;
};

int vd_twins_new(struct vd_store *store, const struct vd_twins_events *events,
		 struct vd_twins **ret_twins)
{
	struct vd_twins *twins = calloc(1, sizeof *twins);

	if (!twins)
		return -ENOMEM;
	*twins = (struct vd_twins){ .store = store, .events = *events };
	*ret_twins = twins;
	return 0;
}

struct vd_twins *vd_twins_free(struct vd_twins *twins)
{
	free(twins);
	return NULL;
}

static int add_history(struct vd_store *store, const struct vd_name *name,
		       const struct vd_section *desired, const struct vd_twin_update *update,
		       const char *operation)
{
	const struct vd_history entry = {
		.version = vd_section_version(desired),
		.changed_ms = update->now_ms,
		.author = update->author,
		.operation = operation,
		.comment = update->comment,
	};

	return vd_store_history_add(store, name, &entry, vd_section_data(desired));
}

int vd_twins_create(struct vd_store *store, const struct vd_name *name, int64_t now_ms)
{
	VD_CLEANUP(vd_twin_fini)
	struct vd_twin twin = { .version = 1, .etag = 1, .tags = cJSON_CreateObject() };
	const struct vd_twin_update update = { .author = "", .now_ms = now_ms };
	int r = twin.tags ? vd_section_new(VD_SECTION_DESIRED, &twin.desired) : -ENOMEM;

	if (r == 0)
		r = vd_section_new(VD_SECTION_REPORTED, &twin.reported);
	if (r == 0)
		r = vd_store_twin_put(store, name, &twin);
	if (r == 0)
		r = add_history(store, name, twin.desired, &update, "create");
	return r;
}

static int load(struct vd_twins *t, const struct vd_name *name, struct vd_twin *twin,
		struct vd_fault *fault)
{
	int r = vd_store_twin_get(t->store, name, twin);

	return r == VD_STORE_NONE ? vd_device_missing(name, fault) : r;
}

/* --- an operator's view --- */

static bool add_identity(cJSON *json, const struct vd_device *d)
{
	char time[32], etag[VD_ETAG_BYTES];
	bool is_module = d->name.module[0];

	return vd_json_add_string(json, "deviceId", d->name.device) &&
	       (!is_module || vd_json_add_string(json, "moduleId", d->name.module)) &&
	       vd_json_add_string(json, "deviceEtag", vd_etag_text(d->etag, etag)) &&
	       vd_json_add_string(json, "status", d->enabled ? "enabled" : "disabled") &&
	       vd_json_add_string(json, "statusReason",
				  d->status_reason[0] ? d->status_reason : NULL) &&
	       vd_json_add_string(json, "statusUpdateTime",
				  vd_azure_time(d->status_updated_ms, time)) &&
	       vd_json_add_string(json, "connectionState",
				  d->connected ? "Connected" : "Disconnected") &&
	       vd_json_add_string(json, "lastActivityTime",
				  vd_azure_time(d->last_activity_ms, time)) &&
	       vd_json_add_number(json, "cloudToDeviceMessageCount", d->message_count) &&
	       vd_json_add_string(json, "authenticationType", vd_identity_auth_name(d->auth));
}

static bool add_thumbprints(cJSON *json, const struct vd_device *d)
{
	VD_CLEANUP(vd_json_free) cJSON *prints = cJSON_CreateObject();
	bool has = d->auth == VD_AUTH_SELF_SIGNED;

	return prints &&
	       vd_json_add_string(prints, "primaryThumbprint", has ? d->thumbprint[0] : NULL) &&
	       vd_json_add_string(prints, "secondaryThumbprint", has ? d->thumbprint[1] : NULL) &&
	       vd_json_add_take(json, "x509Thumbprint", &prints);
}

static int add_sections(cJSON *json, const struct vd_twin *twin, bool with_metadata)
{
	VD_CLEANUP(vd_json_free) cJSON *desired = NULL;
	VD_CLEANUP(vd_json_free) cJSON *reported = NULL;
	int r = vd_section_json(twin->desired, with_metadata, &desired);

	if (r == 0)
		r = vd_section_json(twin->reported, with_metadata, &reported);
	if (r < 0)
		return r;
	return vd_json_add_take(json, "desired", &desired) &&
			       vd_json_add_take(json, "reported", &reported)
		       ? 0
		       : -ENOMEM;
}

static int add_configurations(struct vd_store *store, const struct vd_name *name, cJSON *json)
{
	VD_CLEANUP(vd_json_free) cJSON *statuses = NULL;
	int r = vd_store_statuses_get(store, name, &statuses);

	if (r < 0 || !statuses->child)
		return r;
	return vd_json_add_take(json, "configurations", &statuses) ? 0 : -ENOMEM;
}

static int head_json(struct vd_store *store, const struct vd_device *device, int64_t version,
		     int64_t twin_etag, cJSON **ret_json)
{
	VD_CLEANUP(vd_json_free) cJSON *json = cJSON_CreateObject();
	VD_CLEANUP(vd_json_free) cJSON *capabilities = cJSON_CreateObject();
	char etag[VD_ETAG_BYTES];
	int r;

	if (!json || !capabilities || !add_identity(json, device) ||
	    !add_thumbprints(json, device) ||
	    !vd_json_add_string(json, "etag", vd_etag_text(twin_etag, etag)) ||
	    !vd_json_add_number(json, "version", (double)version) ||
	    !vd_json_add_string(json, "modelId", "") ||
	    !vd_json_add_bool(capabilities, "iotEdge", device->is_edge) ||
	    !vd_json_add_take(json, "capabilities", &capabilities))
		return -ENOMEM;
	r = add_configurations(store, &device->name, json);
	if (r == 0)
		*ret_json = VD_TAKE(json);
	return r;
}

static int twin_json(struct vd_store *store, const struct vd_device *device,
		     const struct vd_twin *twin, cJSON **ret_json)
{
	VD_CLEANUP(vd_json_free) cJSON *json = NULL;
	VD_CLEANUP(vd_json_free) cJSON *properties = cJSON_CreateObject();
	int r = head_json(store, device, twin->version, twin->etag, &json);

	if (r < 0)
		return r;
	if (!properties || add_sections(properties, twin, true) < 0 ||
	    !vd_json_add_copy(json, "tags", twin->tags) ||
	    !vd_json_add_take(json, "properties", &properties))
		return -ENOMEM;
	*ret_json = VD_TAKE(json);
	return 0;
}

static int get_both(struct vd_twins *t, const struct vd_name *name, struct vd_device *device,
		    struct vd_twin *twin, struct vd_fault *fault)
{
	int r = vd_store_device_get(t->store, name, device);

	if (r != 0)
		return r < 0 ? r : vd_device_missing(name, fault);
	return load(t, name, twin, fault);
}

int vd_twins_get(struct vd_twins *t, const struct vd_name *name, cJSON **ret_json,
		 struct vd_fault *fault)
{
	VD_CLEANUP(vd_twin_fini) struct vd_twin twin = { 0 };
	struct vd_device device;
	int r = get_both(t, name, &device, &twin, fault);

	return r != 0 ? r : twin_json(t->store, &device, &twin, ret_json);
}

int vd_twins_head(struct vd_store *store, const struct vd_name *name, int64_t version, int64_t etag,
		  cJSON **ret_json, struct vd_fault *fault)
{
	struct vd_device device;
	int r = vd_store_device_get(store, name, &device);

	if (r != 0)
		return r < 0 ? r : vd_device_missing(name, fault);
	return head_json(store, &device, version, etag, ret_json);
}

/* --- an operator's change --- */

/* What one update is made of, and what came of it. */
struct change {
	const struct vd_twin_update *update;
	const cJSON *tags, *desired; /* NULL: the body has none */
	struct vd_device device;
	struct vd_twin twin;
	cJSON *desired_patch; /* owned; what the device is told */
};

static void change_fini_p(struct change *change)
{
	vd_twin_fini(&change->twin);
	change->desired_patch = vd_json_free(change->desired_patch);
}

static int refuse_shape(struct vd_fault *fault, const char *pointer)
{
	vd_fault_set(fault, 400, pointer, "is not an object");
	return VD_REFUSED_ARGUMENT;
}

static int read_section(const cJSON *parent, const char *key, const char *pointer,
			const cJSON **ret_object, struct vd_fault *fault)
{
	const cJSON *value = vd_json_get(parent, key);

	*ret_object = NULL;
	if (!value || cJSON_IsNull(value))
		return 0;
	if (!cJSON_IsObject(value))
		return refuse_shape(fault, pointer);
	*ret_object = value;
	return 0;
}

static int read_body(struct change *change, struct vd_fault *fault)
{
	const cJSON *body = change->update->body, *properties;
	int r = read_section(body, "tags", "/tags", &change->tags, fault);

	if (r == 0)
		r = read_section(body, "properties", "/properties", &properties, fault);
	if (r == 0)
		r = read_section(properties, "desired", "/properties/desired", &change->desired,
				 fault);
	return r;
}

static int refused_or_errno(int r, const struct vd_fault *fault)
{
	if (r != -EINVAL)
		return r;
	return fault->code == 413 ? VD_REFUSED_TOO_LARGE : VD_REFUSED_ARGUMENT;
}

static int change_tags(struct change *change, struct vd_fault *fault)
{
	static const cJSON nothing = { .type = cJSON_Object };
	VD_CLEANUP(vd_json_free) cJSON *tags = NULL;
	int r = vd_limits_check(change->tags, VD_LIMITS_TAGS_BYTES, fault);

	if (r == 0)
		r = vd_merge_apply(change->update->is_replace ? &nothing : change->twin.tags,
				   change->tags, &tags);
	if (r == 0)
		r = vd_limits_check(tags, VD_LIMITS_TAGS_BYTES, fault);
	if (r < 0) {
		vd_fault_under(fault, "tags");
		return refused_or_errno(r, fault);
	}
	(void)vd_json_free(change->twin.tags);
	change->twin.tags = VD_TAKE(tags);
	return 0;
}

static int change_desired(struct change *change, struct vd_fault *fault)
{
	struct vd_section *section = change->twin.desired;
	int64_t now_ms = change->update->now_ms;
	int r;

	if (change->update->is_replace) {
		r = vd_section_replace(section, change->desired, VD_SECTION_ANY_VERSION, now_ms,
				       &change->desired_patch, fault);
	} else {
		change->desired_patch = cJSON_Duplicate(change->desired, true);
		r = !change->desired_patch
			    ? -ENOMEM
			    : vd_section_patch(section, change->desired, VD_SECTION_ANY_VERSION,
					       now_ms, fault);
	}
	if (r < 0) {
		vd_fault_under(fault, "desired");
		vd_fault_under(fault, "properties");
		return refused_or_errno(r, fault);
	}
	return r;
}

/* The document itself stands in the history, by its version. */
static int note_change(struct vd_twins *t, const struct vd_name *name, const struct change *change)
{
	const struct vd_twin_update *update = change->update;
	VD_CLEANUP(vd_json_free) cJSON *details = cJSON_CreateObject();
	double version = (double)vd_section_version(change->twin.desired);
	char id[VD_ID_BYTES];
	const struct vd_audit_entry entry = {
		.time_ms = update->now_ms,
		.action = update->is_replace ? "replaceTwin" : "updateTwin",
		.target = vd_name_text(name, id),
		.details = details,
	};

	if (!details || !vd_json_add_string(details, "author", update->author) ||
	    (change->desired && !vd_json_add_number(details, "desiredVersion", version)) ||
	    (change->tags && !vd_json_add_copy(details, "tags", change->tags)))
		return -ENOMEM;
	return vd_store_audit_add(t->store, &entry);
}

static int change_in_transaction(struct vd_twins *t, const struct vd_name *name,
				 struct change *change, struct vd_fault *fault)
{
	const struct vd_twin_update *update = change->update;
	int r = get_both(t, name, &change->device, &change->twin, fault);

	if (r != 0)
		return r;
	if (!vd_etag_matches(update->if_match, change->twin.etag)) {
		vd_fault_set(fault, 412, "", "If-Match does not name the current etag, read again");
		return VD_REFUSED_ETAG;
	}
	if (change->tags)
		r = change_tags(change, fault);
	if (r == 0 && change->desired)
		r = change_desired(change, fault);
	if (r != 0)
		return r;
	change->twin.version++;
	change->twin.etag++;
	r = vd_store_twin_put(t->store, name, &change->twin);
	if (r == 0 && change->desired)
		r = add_history(t->store, name, change->twin.desired, update,
				update->is_replace ? "replace" : "update");
	if (r == 0 && update->also)
		r = update->also(t->store, update->argument);
	return r == 0 ? note_change(t, name, change) : r;
}

static cJSON *change_event(const struct change *change, const cJSON *notice)
{
	VD_CLEANUP(vd_json_free) cJSON *body = cJSON_CreateObject();
	VD_CLEANUP(vd_json_free) cJSON *properties = cJSON_CreateObject();

	if (!body || !properties ||
	    !vd_json_add_number(body, "version", (double)change->twin.version) ||
	    !vd_json_add_string(body, "author", change->update->author) ||
	    (change->tags && !vd_json_add_copy(body, "tags", change->tags)) ||
	    (notice && !vd_json_add_copy(properties, "desired", notice)) ||
	    (notice && !vd_json_add_take(body, "properties", &properties)))
		return NULL;
	return VD_TAKE(body);
}

/* The change is stored: what cannot be told now, a later GET tells. */
static void announce_change(struct vd_twins *t, const struct vd_name *name,
			    const struct change *change)
{
	VD_CLEANUP(vd_json_free) cJSON *notice = NULL;
	VD_CLEANUP(vd_json_free) cJSON *body = NULL;
	int64_t version = vd_section_version(change->twin.desired);
	char id[VD_ID_BYTES];

	if (change->desired &&
	    vd_section_notice(change->twin.desired, change->desired_patch, &notice) == 0)
		t->events.desired(name, notice, version, t->events.argument);
	vd_log(VD_INFO, "twin.changed", "id=%s desiredVersion=%lld author=%s",
	       vd_name_text(name, id), (long long)version, change->update->author);
	body = change_event(change, notice);
	if (body)
		t->events.changed(name, change->update->is_replace ? "replaceTwin" : "updateTwin",
				  body, t->events.argument);
}

int vd_twins_update(struct vd_twins *t, const struct vd_name *name,
		    const struct vd_twin_update *update, cJSON **ret_json, struct vd_fault *fault)
{
	VD_CLEANUP(change_fini) struct change change = { .update = update };
	int r = read_body(&change, fault);

	if (r == 0)
		r = vd_store_begin(t->store);
	if (r != 0)
		return r;
	r = change_in_transaction(t, name, &change, fault);
	if (r != 0) {
		vd_store_rollback(t->store);
		return r;
	}
	r = vd_store_commit(t->store);
	if (r < 0)
		return r;
	announce_change(t, name, &change);
	return twin_json(t->store, &change.device, &change.twin, ret_json);
}

/* --- the device's side --- */

int vd_twins_device_get(struct vd_twins *t, const struct vd_name *name, cJSON **ret_json,
			int64_t *ret_desired_version, struct vd_fault *fault)
{
	VD_CLEANUP(vd_twin_fini) struct vd_twin twin = { 0 };
	VD_CLEANUP(vd_json_free) cJSON *json = NULL;
	int r = load(t, name, &twin, fault);

	if (r != 0)
		return r;
	json = cJSON_CreateObject();
	r = json ? add_sections(json, &twin, false) : -ENOMEM;
	if (r < 0)
		return r;
	*ret_desired_version = vd_section_version(twin.desired);
	*ret_json = VD_TAKE(json);
	return 0;
}

static int report_in_transaction(struct vd_twins *t, const struct vd_name *name, const cJSON *patch,
				 int64_t base_version, int64_t now_ms, struct vd_twin *twin,
				 struct vd_fault *fault)
{
	int r = load(t, name, twin, fault);

	if (r != 0)
		return r;
	r = vd_section_patch(twin->reported, patch, base_version, now_ms, fault);
	if (r == VD_SECTION_CONFLICT) {
		vd_fault_set(fault, 412, "", "the reported properties are at version %lld",
			     (long long)vd_section_version(twin->reported));
		return VD_REFUSED_ETAG;
	}
	if (r < 0)
		return refused_or_errno(r, fault);
	r = vd_store_twin_put(t->store, name, twin);
	return r != 0 ? r : vd_store_touch(t->store, name, now_ms);
}

static void announce_report(struct vd_twins *t, const struct vd_name *name,
			    const struct vd_twin *twin, const cJSON *patch)
{
	VD_CLEANUP(vd_json_free) cJSON *body = cJSON_CreateObject();
	VD_CLEANUP(vd_json_free) cJSON *properties = cJSON_CreateObject();
	VD_CLEANUP(vd_json_free) cJSON *notice = NULL;

	if (body && properties && vd_section_notice(twin->reported, patch, &notice) == 0 &&
	    vd_json_add_number(body, "version", (double)twin->version) &&
	    vd_json_add_take(properties, "reported", &notice) &&
	    vd_json_add_take(body, "properties", &properties))
		t->events.changed(name, "updateTwin", body, t->events.argument);
}

int vd_twins_report(struct vd_twins *t, const struct vd_name *name, const cJSON *patch,
		    int64_t base_version, int64_t now_ms, int64_t *ret_version,
		    struct vd_fault *fault)
{
	VD_CLEANUP(vd_twin_fini) struct vd_twin twin = { 0 };
	int r = vd_store_begin(t->store);

	if (r < 0)
		return r;
	r = report_in_transaction(t, name, patch, base_version, now_ms, &twin, fault);
	if (r != 0) {
		vd_store_rollback(t->store);
		return r;
	}
	r = vd_store_commit(t->store);
	if (r < 0)
		return r;
	*ret_version = vd_section_version(twin.reported);
	announce_report(t, name, &twin, patch);
	return 0;
}

int vd_twins_missed(struct vd_twins *t, const struct vd_name *name, int64_t version,
		    cJSON **ret_notice, int64_t *ret_version)
{
	VD_CLEANUP(vd_twin_fini) struct vd_twin twin = { 0 };
	VD_CLEANUP(vd_json_free) cJSON *seen = NULL;
	VD_CLEANUP(vd_json_free) cJSON *patch = NULL;
	int r = vd_store_twin_get(t->store, name, &twin);

	if (r != 0)
		return r;
	*ret_version = vd_section_version(twin.desired);
	if (*ret_version == version)
		return VD_STORE_NONE;
	r = vd_store_history_get(t->store, name, version, &seen);
	if (r == VD_STORE_NONE) {
		seen = cJSON_CreateObject();
		r = seen ? 0 : -ENOMEM;
	}
	if (r == 0)
		r = vd_merge_diff(seen, vd_section_data(twin.desired), &patch);
	return r != 0 ? r : vd_section_notice(twin.desired, patch, ret_notice);
}
