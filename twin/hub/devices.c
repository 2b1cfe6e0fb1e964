/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The database is the truth and the journal follows it: a change is committed first and then
 * flushed to the broker. After a flush that failed the whole journal is due (vd_devices_flush).
 */
#include "twin/hub/devices.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/log.h"
#include "twin/hub/device_body.h"
#include "twin/hub/etag.h"
#include "twin/hub/policies.h"
#include "twin/hub/refusal.h"
#include "twin/hub/store/trust.h"
#include "twin/hub/twins.h"

struct vd_devices {
	struct vd_store *store;
	struct vd_identities_writer *writer;
	struct vd_devices_events events;
	bool is_behind; /* a flush failed: the journal is to be rewritten whole */
};

int vd_devices_new(struct vd_store *store, struct vd_identities_writer *writer,
		   const struct vd_devices_events *events, struct vd_devices **ret_devices)
{
	struct vd_devices *devices = calloc(1, sizeof *devices);

	if (!devices)
		return -ENOMEM;
	*devices = (struct vd_devices){ .store = store, .writer = writer, .events = *events };
	*ret_devices = devices;
	return 0;
}

struct vd_devices *vd_devices_free(struct vd_devices *devices)
{
	free(devices);
	return NULL;
}

/* A module of a disabled device is disabled. */
static int journal_put(struct vd_identities_writer *writer, const struct vd_device *device,
		       bool is_parent_enabled)
{
	char id[VD_ID_BYTES];
	struct vd_identity identity = {
		.id = vd_name_text(&device->name, id),
		.enabled = device->enabled && is_parent_enabled,
		.auth = device->auth,
		.key = { device->key[0], device->key[1] },
		.thumbprint = { device->thumbprint[0], device->thumbprint[1] },
	};

	return vd_identities_put(writer, &identity);
}

struct journal_walk {
	struct vd_identities_writer *writer;
	bool is_parent_enabled;
};

/* Rows come by primary key: a device stands right before its modules. */
static int export_one(const struct vd_device *device, void *argument)
{
	struct journal_walk *walk = argument;

	if (!device->name.module[0])
		walk->is_parent_enabled = device->enabled;
	return journal_put(walk->writer, device, walk->is_parent_enabled);
}

static int export_policy(const struct vd_policy_row *row, void *argument)
{
	struct journal_walk *walk = argument;
	struct vd_policy policy = { .name = row->name,
				    .rights = row->rights,
				    .key = { row->key[0], row->key[1] } };

	/* The broker has no use for the keys of policies that open no connection. */
	return row->rights & VD_RIGHT_DEVICE ? vd_identities_put_policy(walk->writer, &policy) : 0;
}

int vd_devices_export(struct vd_devices *devices)
{
	struct journal_walk walk = { .writer = devices->writer };
	int r;

	vd_identities_begin_rewrite(devices->writer);
	r = vd_store_policy_each(devices->store, export_policy, &walk);
	if (r == 0)
		r = vd_store_identities(devices->store, export_one, &walk);
	if (r != 0) {
		vd_identities_abort(devices->writer);
		return r;
	}
	return vd_identities_flush(devices->writer);
}

int vd_devices_flush(struct vd_devices *devices)
{
	int r;

	if (devices->is_behind) {
		vd_identities_abort(devices->writer);
		r = vd_devices_export(devices);
	} else {
		r = vd_identities_flush(devices->writer);
	}
	if (r < 0) {
		vd_log(VD_ERROR, "identities.unwritten", "reason=\"%s\"", strerror(-r));
		vd_identities_abort(devices->writer);
	}
	devices->is_behind = r < 0;
	return r;
}

int vd_device_missing(const struct vd_name *name, struct vd_fault *fault)
{
	char id[VD_ID_BYTES];

	vd_fault_set(fault, 404, "", "there is no %s %s", name->module[0] ? "module" : "device",
		     vd_name_text(name, id));
	return name->module[0] ? VD_REFUSED_NO_MODULE : VD_REFUSED_NO_DEVICE;
}

static int refuse_etag(struct vd_fault *fault)
{
	vd_fault_set(fault, 412, "", "If-Match does not name the current etag, read it again");
	return VD_REFUSED_ETAG;
}

/* Was it there (0), or is it to be made (VD_STORE_NONE)? */
static int find_for_put(struct vd_devices *devices, const struct vd_name *name,
			const char *if_match, struct vd_device *device, struct vd_fault *fault)
{
	struct vd_name parent = { 0 };
	struct vd_device unused;
	int r = vd_store_device_get(devices->store, name, device);

	if (r < 0)
		return r;
	if (r == 0 && !if_match) {
		vd_fault_set(fault, 409, "", "it exists already, update it with If-Match");
		return name->module[0] ? VD_REFUSED_MODULE_EXISTS : VD_REFUSED_DEVICE_EXISTS;
	}
	if (r == 0)
		return vd_etag_matches(if_match, device->etag) ? 0 : refuse_etag(fault);
	if (if_match)
		return vd_device_missing(name, fault);
	if (name->module[0]) {
		(void)snprintf(parent.device, sizeof parent.device, "%s", name->device);
		r = vd_store_device_get(devices->store, &parent, &unused);
		if (r != 0)
			return r < 0 ? r : vd_device_missing(&parent, fault);
	}
	*device = (struct vd_device){ .name = *name, .enabled = true, .auth = VD_AUTH_SAS };
	return 0;
}

static int fill_keys(struct vd_device *device)
{
	for (int i = 0; i < 2 && device->auth == VD_AUTH_SAS; i++) {
		int r = device->key[i][0] ? 0 : vd_key_make(device->key[i]);

		if (r < 0)
			return r;
	}
	return 0;
}

static void make_generation(char generation[static VD_GENERATION_BYTES])
{
	uint64_t number;

	vd_random(&number, sizeof number);
	(void)snprintf(generation, VD_GENERATION_BYTES, "%" PRIu64, number >> 1);
}

static int write_device(struct vd_devices *devices, struct vd_device *device, bool is_new,
			int64_t now_ms)
{
	int r;

	device->etag++;
	if (is_new) {
		make_generation(device->generation);
		/* So that the tag of a deleted identity never fits its successor. */
		device->etag = now_ms;
	}
	r = fill_keys(device);
	if (r == 0)
		r = vd_store_device_put(devices->store, device);
	if (r == 0 && is_new)
		r = vd_twins_create(devices->store, &device->name, now_ms);
	return r;
}

static bool locks_out(const struct vd_device *before, const struct vd_device *after)
{
	return (before->enabled && !after->enabled) || before->auth != after->auth ||
	       memcmp(before->key, after->key, sizeof before->key) != 0 ||
	       memcmp(before->thumbprint, after->thumbprint, sizeof before->thumbprint) != 0;
}

static const char *put_operation(const struct vd_device *before, const struct vd_device *after)
{
	bool is_new = !before->generation[0];

	if (after->name.module[0])
		return is_new ? "createModuleIdentity" : "updateModuleIdentity";
	return is_new ? "createDeviceIdentity" : "updateDeviceIdentity";
}

/* Whose doing it was, the store knows from the call that is being answered. */
static int note(struct vd_devices *devices, const struct vd_name *name, const char *operation,
		const struct vd_device *after, int64_t now_ms)
{
	VD_CLEANUP(vd_json_free) cJSON *details = cJSON_CreateObject();
	char id[VD_ID_BYTES];
	const struct vd_audit_entry entry = { .time_ms = now_ms,
					      .action = operation,
					      .target = vd_name_text(name, id),
					      .details = details };

	if (!details ||
	    (after &&
	     (!vd_json_add_string(details, "status", after->enabled ? "enabled" : "disabled") ||
	      !vd_json_add_string(details, "authentication", vd_identity_auth_name(after->auth)))))
		return -ENOMEM;
	return vd_store_audit_add(devices->store, &entry);
}

static int found_one(const struct vd_certificate_row *row, void *argument)
{
	*(bool *)argument = true;
	return 0;
}

/* The certificates of a device that was deleted must not open its namesake. */
static int shut_out_former(struct vd_devices *devices, struct vd_device *device)
{
	bool has_certificates = false;
	int r = vd_store_certificate_each(devices->store, device->name.device, 1, found_one,
					  &has_certificates);

	if (r == 0 && has_certificates && !device->thumbprint[0][0] && !device->thumbprint[1][0])
		(void)snprintf(device->thumbprint[0], sizeof device->thumbprint[0], "%s",
			       VD_NO_CERTIFICATE);
	return r;
}

/* What a put changes beside the identity that it names. */
static const char *const edge_modules[] = { "$edgeAgent", "$edgeHub" };
struct put {
	struct vd_device before, after;
	struct vd_device made[sizeof edge_modules / sizeof edge_modules[0]];
	size_t made_count;
};

/* As Azure does: an edge device has its system modules from the start. */
static int make_edge_modules(struct vd_devices *devices, struct put *put, int64_t now_ms)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof edge_modules / sizeof edge_modules[0]; i++) {
		struct vd_device module = { .name = put->after.name,
					    .enabled = true,
					    .status_updated_ms = now_ms,
					    .auth = VD_AUTH_SAS,
					    .managed_by = "iotEdge" };
		struct vd_device there;

		(void)snprintf(module.name.module, sizeof module.name.module, "%s",
			       edge_modules[i]);
		r = vd_store_device_get(devices->store, &module.name, &there);
		if (r != VD_STORE_NONE)
			continue;
		r = write_device(devices, &module, true, now_ms);
		if (r == 0)
			r = note(devices, &module.name, "createModuleIdentity", &module, now_ms);
		put->made[put->made_count++] = module;
	}
	return r;
}

static int put_in_transaction(struct vd_devices *devices, const struct vd_name *name,
			      const char *if_match, const cJSON *body, int64_t now_ms,
			      struct put *put, struct vd_fault *fault)
{
	struct vd_device *before = &put->before, *after = &put->after;
	int r = find_for_put(devices, name, if_match, before, fault);

	if (r != 0)
		return r;
	*after = *before;
	r = vd_device_body_read(body, after, fault);
	if (r != 0)
		return r;
	if (!before->generation[0] || before->enabled != after->enabled)
		after->status_updated_ms = now_ms;
	if (!before->generation[0] && after->auth == VD_AUTH_CA)
		r = shut_out_former(devices, after);
	if (r == 0)
		r = write_device(devices, after, !before->generation[0], now_ms);
	if (r == 0)
		r = note(devices, name, put_operation(before, after), after, now_ms);
	return r == 0 && after->is_edge ? make_edge_modules(devices, put, now_ms) : r;
}

static int kick_module(const struct vd_device *module, void *argument)
{
	struct vd_devices *devices = argument;

	devices->events.kick(&module->name, devices->events.argument);
	return 0;
}

static void kick(struct vd_devices *devices, const struct vd_name *name)
{
	devices->events.kick(name, devices->events.argument);
	if (!name->module[0])
		(void)!vd_store_modules(devices->store, name->device, kick_module, devices);
}

static int publish_put(struct vd_devices *devices, const struct vd_device *device)
{
	struct vd_device parent = *device;
	struct journal_walk walk = { .writer = devices->writer };
	int r = 0;

	if (device->name.module[0]) {
		parent.name.module[0] = '\0';
		r = vd_store_device_get(devices->store, &parent.name, &parent);
	}
	walk.is_parent_enabled = parent.enabled;
	if (r == 0)
		r = export_one(device, &walk);
	if (r == 0 && !device->name.module[0])
		r = vd_store_modules(devices->store, device->name.device, export_one, &walk);
	return r != 0 ? r : vd_devices_flush(devices);
}

static void announce_put(struct vd_devices *devices, const struct vd_device *before,
			 const struct vd_device *after)
{
	const char *operation = put_operation(before, after);
	bool is_new = !before->generation[0];
	char id[VD_ID_BYTES];

	vd_log(VD_NOTICE, "registry.changed", "id=%s operation=%s enabled=%d",
	       vd_name_text(&after->name, id), operation, after->enabled);
	if (!is_new && locks_out(before, after))
		kick(devices, &after->name);
	devices->events.changed(&after->name, operation, devices->events.argument);
}

int vd_devices_put(struct vd_devices *devices, const struct vd_name *name, const char *if_match,
		   const cJSON *body, int64_t now_ms, struct vd_device *ret_device,
		   struct vd_fault *fault)
{
	struct put put = { 0 };
	const struct vd_device nobody = { 0 };
	int r = vd_store_begin(devices->store);

	if (r < 0)
		return r;
	r = put_in_transaction(devices, name, if_match, body, now_ms, &put, fault);
	if (r != 0) {
		vd_store_rollback(devices->store);
		return r;
	}
	r = vd_store_commit(devices->store);
	if (r < 0)
		return r;
	(void)publish_put(devices, &put.after); /* logged and tried again */
	announce_put(devices, &put.before, &put.after);
	for (size_t i = 0; i < put.made_count; i++)
		announce_put(devices, &nobody, &put.made[i]);
	*ret_device = put.after;
	return 0;
}

static int change_in_transaction(struct vd_devices *devices, const struct vd_name *name,
				 const struct vd_device_change *change, int64_t now_ms,
				 struct vd_device *before, struct vd_device *after,
				 struct vd_fault *fault)
{
	int r = vd_store_device_get(devices->store, name, before);

	if (r == VD_STORE_NONE && !change->may_create)
		return vd_device_missing(name, fault);
	if (r == VD_STORE_NONE)
		*before = (struct vd_device){ .name = *name, .enabled = true };
	else if (r != 0)
		return r;
	*after = *before;
	r = change->edit(after, change->argument, fault);
	if (!before->generation[0] || before->enabled != after->enabled)
		after->status_updated_ms = now_ms;
	if (r == 0)
		r = write_device(devices, after, !before->generation[0], now_ms);
	if (r == 0 && change->written)
		r = change->written(after, change->argument);
	return r;
}

int vd_devices_change(struct vd_devices *devices, const struct vd_name *name,
		      const struct vd_device_change *change, int64_t now_ms,
		      struct vd_device *ret_device, struct vd_fault *fault)
{
	struct vd_device before = { 0 }, after = { 0 };
	int r = vd_store_begin(devices->store);

	if (r < 0)
		return r;
	r = change_in_transaction(devices, name, change, now_ms, &before, &after, fault);
	if (r != 0) {
		vd_store_rollback(devices->store);
		return r;
	}
	r = vd_store_commit(devices->store);
	if (r < 0)
		return r;
	(void)publish_put(devices, &after); /* logged and tried again */
	announce_put(devices, &before, &after);
	*ret_device = after;
	return 0;
}

int vd_devices_get(struct vd_devices *devices, const struct vd_name *name,
		   struct vd_device *ret_device, struct vd_fault *fault)
{
	int r = vd_store_device_get(devices->store, name, ret_device);

	return r == VD_STORE_NONE ? vd_device_missing(name, fault) : r;
}

/* Whom a deletion concerns, read before the rows are gone. */
struct name_list {
	struct vd_name *names;
	size_t count;
};

static void name_list_fini_p(struct name_list *list)
{
	free(list->names);
}

static int name_list_add(const struct vd_device *device, void *argument)
{
	struct name_list *list = argument;
	struct vd_name *names = reallocarray(list->names, list->count + 1, sizeof list->names[0]);

	if (!names)
		return -ENOMEM;
	list->names = names;
	names[list->count++] = device->name;
	return 0;
}

static int delete_in_transaction(struct vd_devices *devices, const struct vd_name *name)
{
	int64_t now_ms = vd_clock_wall_ms();
	bool is_module = name->module[0];
	int r = vd_store_device_delete(devices->store, name);

	if (r == 0 && !is_module)
		r = vd_store_certificate_revoke(devices->store, name->device, NULL, "deleted",
						now_ms);
	if (r < 0 || (r != 0 && is_module))
		return r;
	return note(devices, name, is_module ? "deleteModuleIdentity" : "deleteDeviceIdentity",
		    NULL, now_ms);
}

static int delete_rows(struct vd_devices *devices, const struct vd_name *name)
{
	int r = vd_store_begin(devices->store);

	if (r < 0)
		return r;
	r = delete_in_transaction(devices, name);
	if (r == 0)
		return vd_store_commit(devices->store);
	vd_store_rollback(devices->store);
	return r;
}

static int delete_names(struct vd_devices *devices, const struct name_list *list)
{
	char id[VD_ID_BYTES];
	int r = 0;

	for (size_t i = 0; r == 0 && i < list->count; i++)
		r = vd_identities_delete(devices->writer, vd_name_text(&list->names[i], id));
	if (r == 0)
		r = delete_rows(devices, &list->names[0]);
	if (r != 0) {
		vd_identities_abort(devices->writer);
		return r;
	}
	(void)!vd_devices_flush(devices); /* logged and tried again */
	for (size_t i = 0; i < list->count; i++)
		devices->events.kick(&list->names[i], devices->events.argument);
	return 0;
}

int vd_devices_delete(struct vd_devices *devices, const struct vd_name *name, const char *if_match,
		      struct vd_fault *fault)
{
	VD_CLEANUP(name_list_fini) struct name_list list = { 0 };
	struct vd_device device;
	char id[VD_ID_BYTES];
	int r = vd_devices_get(devices, name, &device, fault);

	if (r != 0)
		return r;
	if (!vd_etag_matches(if_match, device.etag))
		return refuse_etag(fault);
	r = name_list_add(&device, &list);
	if (r == 0 && !name->module[0])
		r = vd_store_modules(devices->store, name->device, name_list_add, &list);
	if (r == 0)
		r = delete_names(devices, &list);
	if (r != 0)
		return r;
	vd_log(VD_NOTICE, "registry.deleted", "id=%s", vd_name_text(name, id));
	devices->events.changed(name,
				name->module[0] ? "deleteModuleIdentity" : "deleteDeviceIdentity",
				devices->events.argument);
	return 0;
}

const char *vd_azure_time(int64_t wall_ms, char text[static 32])
{
	if (wall_ms == 0)
		(void)snprintf(text, 32, "0001-01-01T00:00:00Z");
	else
		(void)vd_time_text(wall_ms, text);
	return text;
}

static cJSON *authentication_json(const struct vd_device *d)
{
	VD_CLEANUP(vd_json_free) cJSON *json = cJSON_CreateObject();
	VD_CLEANUP(vd_json_free) cJSON *keys = cJSON_CreateObject();
	VD_CLEANUP(vd_json_free) cJSON *prints = cJSON_CreateObject();
	bool has_keys = d->auth == VD_AUTH_SAS, has_prints = d->auth == VD_AUTH_SELF_SIGNED;

	if (!json || !keys || !prints ||
	    !vd_json_add_string(keys, "primaryKey", has_keys ? d->key[0] : NULL) ||
	    !vd_json_add_string(keys, "secondaryKey", has_keys ? d->key[1] : NULL) ||
	    !vd_json_add_string(prints, "primaryThumbprint",
				has_prints ? d->thumbprint[0] : NULL) ||
	    !vd_json_add_string(prints, "secondaryThumbprint",
				has_prints ? d->thumbprint[1] : NULL) ||
	    !vd_json_add_take(json, "symmetricKey", &keys) ||
	    !vd_json_add_take(json, "x509Thumbprint", &prints) ||
	    !vd_json_add_string(json, "type", vd_identity_auth_name(d->auth)))
		return NULL;
	return VD_TAKE(json);
}

static bool add_times(cJSON *json, const struct vd_device *d)
{
	char time[32];

	return vd_json_add_string(json, "connectionState",
				  d->connected ? "Connected" : "Disconnected") &&
	       vd_json_add_string(json, "connectionStateUpdatedTime",
				  vd_azure_time(d->connection_updated_ms, time)) &&
	       vd_json_add_string(json, "lastActivityTime",
				  vd_azure_time(d->last_activity_ms, time)) &&
	       vd_json_add_number(json, "cloudToDeviceMessageCount", d->message_count);
}

static bool add_own(cJSON *json, const struct vd_device *d)
{
	char time[32];

	if (d->name.module[0])
		return vd_json_add_string(json, "moduleId", d->name.module) &&
		       vd_json_add_string(json, "managedBy", d->managed_by);
	return vd_json_add_string(json, "status", d->enabled ? "enabled" : "disabled") &&
	       vd_json_add_string(json, "statusReason",
				  d->status_reason[0] ? d->status_reason : NULL) &&
	       vd_json_add_string(json, "statusUpdatedTime",
				  vd_azure_time(d->status_updated_ms, time));
}

cJSON *vd_device_json(const struct vd_device *d)
{
	VD_CLEANUP(vd_json_free) cJSON *json = cJSON_CreateObject();
	VD_CLEANUP(vd_json_free) cJSON *authentication = authentication_json(d);
	VD_CLEANUP(vd_json_free) cJSON *capabilities = cJSON_CreateObject();
	char etag[VD_ETAG_BYTES];

	if (!json || !authentication || !capabilities ||
	    !vd_json_add_string(json, "deviceId", d->name.device) ||
	    !vd_json_add_string(json, "generationId", d->generation) ||
	    !vd_json_add_string(json, "etag", vd_etag_text(d->etag, etag)) || !add_own(json, d) ||
	    !add_times(json, d) || !vd_json_add_take(json, "authentication", &authentication) ||
	    !vd_json_add_bool(capabilities, "iotEdge", d->is_edge) ||
	    (!d->name.module[0] && !vd_json_add_take(json, "capabilities", &capabilities)))
		return NULL;
	return VD_TAKE(json);
}
