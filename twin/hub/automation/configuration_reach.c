/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One device at a time, its modules with it: which configurations match, what they make together
 * (settings.h), and the patch that leads there from what the twin holds and from what
 * configurations had set before. Patch, settings and statuses are one transaction, so that
 * nothing of a configuration can be left behind.
 */
#include "twin/hub/automation/configuration_reach.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "twin/document/merge.h"
#include "twin/hub/refusal.h"
#include "twin/hub/automation/settings.h"
#include "twin/hub/store/configurations.h"

static const char author[] = "configurations";

/* --- one twin --- */

/* A twin, and what the configurations want of it. */
struct aim {
	struct vd_name name;
	cJSON *twin; /* as the service sees it */
	struct vd_settings_layer layers[VD_CONFIGURATIONS_MAX];
	size_t layer_of[VD_CONFIGURATIONS_MAX]; /* index of the configuration of each layer */
	size_t layer_count;
	bool is_targeted[VD_CONFIGURATIONS_MAX], is_applied[VD_CONFIGURATIONS_MAX];
	bool stays;                 /* settings are of a deployment */
	cJSON *settings, *statuses; /* as they will be */
};

static void aim_fini_p(struct aim *aim)
{
	aim->twin = vd_json_free(aim->twin);
	aim->settings = vd_json_free(aim->settings);
	aim->statuses = vd_json_free(aim->statuses);
}

static void aim_at(struct aim *aim, size_t configuration, const cJSON *settings)
{
	aim->is_targeted[configuration] = true;
	if (!settings)
		return;
	aim->layer_of[aim->layer_count] = configuration;
	aim->layers[aim->layer_count++].settings = settings;
}

static int write_aim(struct vd_store *store, void *argument)
{
	const struct aim *aim = argument;
	int r = aim->settings ? vd_store_settings_put(store, &aim->name, aim->settings, aim->stays)
			      : 0;

	return r == 0 ? vd_store_statuses_put(store, &aim->name, aim->statuses) : r;
}

static int make_statuses(const struct vd_reach *c, struct aim *aim)
{
	(void)vd_json_free(aim->statuses);
	aim->statuses = cJSON_CreateObject();
	for (size_t i = 0; aim->statuses && i < c->list->count; i++) {
		cJSON *status;

		if (!aim->is_targeted[i])
			continue;
		status = cJSON_AddObjectToObject(aim->statuses, c->list->items[i].id);
		if (!status || !vd_json_add_string(status, "status",
						   aim->is_applied[i] ? "Applied" : "Targeted"))
			return -ENOMEM;
	}
	return aim->statuses ? 0 : -ENOMEM;
}

static int write_alone(const struct vd_reach *c, struct aim *aim)
{
	int r = vd_store_begin(c->store);

	if (r < 0)
		return r;
	r = write_aim(c->store, aim);
	if (r == 0)
		return vd_store_commit(c->store);
	vd_store_rollback(c->store);
	return r < 0 ? r : -EIO;
}

static int write_if_different(const struct vd_reach *c, struct aim *aim, const cJSON *before)
{
	static const cJSON nothing = { .type = cJSON_Object };
	const cJSON *shown = vd_json_object(aim->twin, "configurations");
	bool is_same = vd_merge_is_equal(shown ? shown : &nothing, aim->statuses);

	if (is_same && (!aim->settings || vd_merge_is_equal(before, aim->settings)))
		return 0;
	return write_alone(c, aim);
}

/* The document without $metadata and $version. */
static cJSON *bare_desired(const cJSON *twin)
{
	cJSON *desired = cJSON_Duplicate(vd_json_at(twin, "/properties/desired"), true);

	if (desired) {
		cJSON_DeleteItemFromObjectCaseSensitive(desired, "$metadata");
		cJSON_DeleteItemFromObjectCaseSensitive(desired, "$version");
	}
	return desired;
}

static cJSON *desired_body(cJSON **patch)
{
	VD_CLEANUP(vd_json_free) cJSON *body = cJSON_CreateObject();
	cJSON *properties = body ? cJSON_AddObjectToObject(body, "properties") : NULL;

	if (!properties || !vd_json_add_take(properties, "desired", patch))
		return NULL;
	return VD_TAKE(body);
}

/* What its limits do not allow is not applied at all; the twin stays as it is. */
static int give_up(const struct vd_reach *c, struct aim *aim, const cJSON *before,
		   const struct vd_fault *fault)
{
	char id[VD_ID_BYTES];
	int r;

	(void)memset(aim->is_applied, 0, sizeof aim->is_applied);
	aim->settings = vd_json_free(aim->settings);
	r = make_statuses(c, aim);
	vd_log(VD_WARN, "configuration.notApplied", "id=%s place=\"%s\" reason=\"%s\"",
	       vd_name_text(&aim->name, id), fault->pointer, fault->text);
	return r == 0 ? write_if_different(c, aim, before) : r;
}

static int update_twin(const struct vd_reach *c, struct aim *aim, cJSON **patch,
		       const cJSON *before, int64_t now_ms)
{
	VD_CLEANUP(vd_json_free) cJSON *body = desired_body(patch);
	VD_CLEANUP(vd_json_free) cJSON *twin = NULL;
	struct vd_fault fault = { 0 };
	const struct vd_twin_update update = {
		.body = body,
		.author = author,
		.now_ms = now_ms,
		.also = write_aim,
		.argument = aim,
	};
	int r;

	if (!body)
		return -ENOMEM;
	r = vd_twins_update(c->twins, &aim->name, &update, &twin, &fault);
	if (r == VD_REFUSED_ARGUMENT || r == VD_REFUSED_TOO_LARGE)
		return give_up(c, aim, before, &fault);
	if (r == 0) {
		(void)vd_json_free(aim->twin);
		aim->twin = VD_TAKE(twin);
	}
	return r;
}

static int merge_layers(const struct vd_reach *c, struct aim *aim)
{
	int r = vd_settings_merge(aim->layers, aim->layer_count, &aim->settings);

	for (size_t i = 0; r == 0 && i < aim->layer_count; i++) {
		if (aim->layers[i].is_in_force)
			aim->is_applied[aim->layer_of[i]] = true;
	}
	return r == 0 ? make_statuses(c, aim) : r;
}

static int reach(const struct vd_reach *c, struct aim *aim, int64_t now_ms)
{
	VD_CLEANUP(vd_json_free) cJSON *before = NULL;
	VD_CLEANUP(vd_json_free) cJSON *desired = NULL;
	VD_CLEANUP(vd_json_free) cJSON *patch = NULL;
	bool stays = false;
	int r = merge_layers(c, aim);

	if (r == 0)
		r = vd_store_settings_get(c->store, &aim->name, &before, &stays);
	if (r == VD_STORE_NONE) {
		before = cJSON_CreateObject();
		r = 0;
	}
	if (r < 0)
		return r;
	if (stays && aim->layer_count == 0)
		return write_alone(c, aim); /* a deployment without a successor is only forgotten */
	desired = bare_desired(aim->twin);
	if (!before || !desired)
		return -ENOMEM;
	if (before->child || aim->settings->child) {
		r = vd_settings_patch(desired, before, aim->settings, &patch);
		if (r == 0 && patch->child)
			return update_twin(c, aim, &patch, before, now_ms);
	}
	return r == 0 ? write_if_different(c, aim, before) : r;
}

/* --- one device --- */

static bool matches(const struct vd_configuration *configuration, enum vd_query_source source,
		    const cJSON *twin)
{
	return configuration->target && vd_query_source(configuration->target) == source &&
	       vd_query_matches(configuration->target, twin);
}

/* Metrics are counted by a sweep only: it sees each twin once. */
static void count_metrics(const struct vd_reach *c, enum vd_query_source source, const cJSON *twin)
{
	for (size_t i = 0; i < c->list->count; i++) {
		for (size_t m = 0; m < VD_CONFIGURATION_QUERIES; m++) {
			const struct vd_query *query = c->list->items[i].queries[m];

			if (query && vd_query_source(query) == source &&
			    vd_query_matches(query, twin))
				c->list->found[i][m]++;
		}
	}
}

struct modules {
	struct vd_name *names;
	size_t count;
};

static void modules_fini_p(struct modules *modules)
{
	free(modules->names);
}

static int add_module(const struct vd_device *device, void *argument)
{
	struct modules *modules = argument;
	struct vd_name *names = reallocarray(modules->names, modules->count + 1, sizeof names[0]);

	if (!names)
		return -ENOMEM;
	modules->names = names;
	names[modules->count++] = device->name;
	return 0;
}

/* Those of the registry; a module that is named and not there is made. */
static int make_module(const struct vd_reach *c, const char *device, const char *module,
		       int64_t now_ms, struct vd_fault *fault)
{
	VD_CLEANUP(vd_json_free) cJSON *body = cJSON_CreateObject();
	struct vd_device made;
	struct vd_name name;
	int r;

	if (!body || !vd_json_add_string(body, "managedBy", author))
		return -ENOMEM;
	if (vd_name_make(device, module, &name) < 0)
		return VD_REFUSED_ARGUMENT;
	r = vd_devices_put(c->devices, &name, NULL, body, now_ms, &made, fault);
	return r == VD_REFUSED_MODULE_EXISTS ? 0 : r;
}

static int make_modules(const struct vd_reach *c, const char *device, const cJSON *wanted,
			int64_t now_ms, struct vd_fault *fault)
{
	int r = 0;

	for (const cJSON *module = wanted ? wanted->child : NULL; r == 0 && module;
	     module = module->next) {
		struct vd_device found;
		struct vd_name name;

		if (vd_name_make(device, module->string, &name) < 0)
			return VD_REFUSED_ARGUMENT;
		r = vd_store_device_get(c->store, &name, &found);
		if (r == VD_STORE_NONE)
			r = make_module(c, device, module->string, now_ms, fault);
	}
	return r;
}

static int look_at_module(const struct vd_reach *c, const struct vd_name *name, struct aim *device,
			  bool is_sweep, int64_t now_ms)
{
	VD_CLEANUP(aim_fini) struct aim aim = { .name = *name };
	int r = vd_twins_get(c->twins, name, &aim.twin, NULL);

	if (r != 0)
		return r;
	for (size_t i = 0; i < c->list->count; i++) {
		const cJSON *content = c->list->items[i].content;
		const cJSON *named = vd_content_module(content, name->module);

		if (named && device->is_targeted[i]) {
			aim_at(&aim, i, named);
			aim.stays = true;
		}
		if (matches(&c->list->items[i], VD_QUERY_MODULES, aim.twin))
			aim_at(&aim, i, vd_content_any_module(content));
	}
	r = reach(c, &aim, now_ms);
	for (size_t i = 0; i < c->list->count; i++)
		device->is_applied[i] |= device->is_targeted[i] && aim.is_applied[i];
	if (r == 0 && is_sweep)
		count_metrics(c, VD_QUERY_MODULES, aim.twin);
	return r;
}

static int look_at_modules(const struct vd_reach *c, struct aim *device, bool is_sweep,
			   int64_t now_ms)
{
	VD_CLEANUP(modules_fini) struct modules modules = { 0 };
	struct vd_fault fault = { 0 };
	int r = 0;

	for (size_t i = 0; r == 0 && i < c->list->count; i++) {
		if (device->is_targeted[i])
			r = make_modules(c, device->name.device,
					 vd_content_modules(c->list->items[i].content), now_ms,
					 &fault);
	}
	if (r == 0)
		r = vd_store_modules(c->store, device->name.device, add_module, &modules);
	for (size_t i = 0; r == 0 && i < modules.count; i++)
		r = look_at_module(c, &modules.names[i], device, is_sweep, now_ms);
	return r;
}

int vd_reach_device(const struct vd_reach *c, const char *id, bool is_sweep, int64_t now_ms)
{
	VD_CLEANUP(aim_fini) struct aim aim = { 0 };
	int r;

	(void)snprintf(aim.name.device, sizeof aim.name.device, "%s", id);
	r = vd_twins_get(c->twins, &aim.name, &aim.twin, NULL);
	if (r != 0)
		return r == VD_REFUSED_NO_DEVICE ? 0 : r; /* gone meanwhile */
	for (size_t i = 0; i < c->list->count; i++) {
		if (matches(&c->list->items[i], VD_QUERY_DEVICES, aim.twin))
			aim_at(&aim, i, vd_content_device(c->list->items[i].content));
	}
	r = look_at_modules(c, &aim, is_sweep, now_ms);
	if (r == 0)
		r = reach(c, &aim, now_ms);
	if (r == 0 && is_sweep)
		count_metrics(c, VD_QUERY_DEVICES, aim.twin);
	return r;
}

/* --- a content for one device, once --- */

static int apply_settings(const struct vd_reach *c, const struct vd_name *name,
			  const cJSON *settings, const char *by, int64_t now_ms,
			  struct vd_fault *fault)
{
	VD_CLEANUP(vd_json_free) cJSON *twin = NULL;
	VD_CLEANUP(vd_json_free) cJSON *desired = NULL;
	VD_CLEANUP(vd_json_free) cJSON *body = NULL;
	VD_CLEANUP(vd_json_free) cJSON *patch = NULL;
	VD_CLEANUP(vd_json_free) cJSON *after = NULL;
	int r = vd_twins_get(c->twins, name, &twin, fault);

	if (r != 0)
		return r;
	desired = bare_desired(twin);
	r = desired ? vd_settings_patch(desired, NULL, settings, &patch) : -ENOMEM;
	if (r < 0)
		return r;
	body = desired_body(&patch);
	if (!body)
		return -ENOMEM;
	return vd_twins_update(
		c->twins, name,
		&(struct vd_twin_update){ .body = body, .author = by, .now_ms = now_ms }, &after,
		fault);
}

static int apply_to_modules(const struct vd_reach *c, const char *device, const cJSON *modules,
			    const char *by, int64_t now_ms, struct vd_fault *fault)
{
	int r = make_modules(c, device, modules, now_ms, fault);

	for (const cJSON *module = modules ? modules->child : NULL; r == 0 && module;
	     module = module->next) {
		struct vd_name name;

		r = vd_name_make(device, module->string, &name) < 0
			    ? VD_REFUSED_ARGUMENT
			    : apply_settings(c, &name, module, by, now_ms, fault);
	}
	return r;
}

int vd_reach_apply(const struct vd_reach *c, const char *device, const cJSON *content,
		   const char *by, int64_t now_ms, struct vd_fault *fault)
{
	const cJSON *own = vd_content_device(content);
	struct vd_device found;
	struct vd_name name;
	int r = vd_content_check(content, fault);

	if (r == 0 && vd_content_any_module(content)) {
		vd_fault_set(fault, 400, "/moduleContent", "names no module of this device");
		r = VD_REFUSED_ARGUMENT;
	}
	if (r == 0 && vd_name_make(device, NULL, &name) < 0) {
		vd_fault_set(fault, 400, "", "is no id of a device");
		r = VD_REFUSED_ARGUMENT;
	}
	if (r == 0)
		r = vd_devices_get(c->devices, &name, &found, fault);
	if (r == 0 && own)
		r = apply_settings(c, &name, own, by, now_ms, fault);
	return r == 0 ? apply_to_modules(c, device, vd_content_modules(content), by, now_ms, fault)
		      : r;
}
