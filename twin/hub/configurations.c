/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One device at a time, its modules with it: which configurations match, what they make together
 * (settings.h), and the patch that leads there from what the twin holds and from what
 * configurations had set before. Patch, settings and statuses are one transaction, so that
 * nothing of a configuration can be left behind.
 */
#include "twin/hub/configurations.h"

#include <errno.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/clock.h"
#include "base/log.h"
#include "twin/document/merge.h"
#include "twin/hub/devices.h"
#include "twin/hub/etag.h"
#include "twin/hub/refusal.h"
#include "twin/hub/settings.h"
#include "twin/hub/store/configurations.h"
#include "twin/hub/twins.h"

enum { SLICE_MS = 10, PAUSE_MS = 1, DIRTY_MAX = 10000, PAGE = 64 };
static const char author[] = "configurations";

struct dirty {
	TAILQ_ENTRY(dirty) link;
	char device[VD_PART_BYTES];
};

struct vd_configurations {
	struct vd_store *store;
	struct vd_devices *devices;
	struct vd_twins *twins;
	struct vd_source *soon, *periodic;
	struct vd_configuration *list; /* the strongest last */
	size_t count;
	TAILQ_HEAD(, dirty) queue;
	void *queued; /* tsearch tree of the same */
	size_t queue_len;
	bool is_sweeping;
	char swept[VD_PART_BYTES];                  /* the last device that the sweep has seen */
	int64_t (*found)[VD_CONFIGURATION_METRICS]; /* by the sweep, a row a configuration */
	bool is_applying;
};

/* --- the list in memory --- */

static void drop_list(struct vd_configurations *c)
{
	for (size_t i = 0; i < c->count; i++)
		vd_configuration_fini(&c->list[i]);
	free(c->list);
	free(c->found);
	c->list = NULL;
	c->found = NULL;
	c->count = 0;
}

static int load_one(struct vd_configuration *configuration, void *argument)
{
	struct vd_configurations *c = argument;
	struct vd_configuration *list = reallocarray(c->list, c->count + 1, sizeof c->list[0]);
	struct vd_fault fault = { 0 };
	int r;

	if (!list)
		return -ENOMEM;
	c->list = list;
	if (c->count >= VD_CONFIGURATIONS_MAX)
		return -E2BIG;
	r = vd_configuration_compile(configuration, &fault);
	if (r < 0)
		return r;
	if (r > 0) /* of a hub that knew more; targets nobody */
		vd_log(VD_ERROR, "configuration.unreadable", "id=%s place=\"%s\" reason=\"%s\"",
		       configuration->id, fault.pointer, fault.text);
	list[c->count++] = *configuration;
	*configuration = (struct vd_configuration){ 0 };
	return 0;
}

static int load(struct vd_configurations *c)
{
	int r;

	drop_list(c);
	r = vd_store_configurations(c->store, load_one, c);
	if (r == 0 && c->count > 0) {
		c->found = calloc(c->count, sizeof c->found[0]);
		r = c->found ? 0 : -ENOMEM;
	}
	return r;
}

/* --- what waits --- */

static void wake(struct vd_configurations *c)
{
	if (c->soon && !vd_timer_is_armed(c->soon))
		(void)!vd_timer_arm(c->soon, PAUSE_MS);
}

static int compare_dirty(const void *a, const void *b)
{
	return strcmp(((const struct dirty *)a)->device, ((const struct dirty *)b)->device);
}

static void start_sweep(struct vd_configurations *c)
{
	c->is_sweeping = true;
	c->swept[0] = '\0';
	if (c->found)
		(void)memset(c->found, 0, c->count * sizeof c->found[0]);
	wake(c);
}

static void enqueue(struct vd_configurations *c, const char *device)
{
	struct dirty *entry = c->queue_len < DIRTY_MAX ? calloc(1, sizeof *entry) : NULL;
	struct dirty **found;

	if (!entry) {
		start_sweep(c); /* sees everybody */
		return;
	}
	(void)snprintf(entry->device, sizeof entry->device, "%s", device);
	found = tsearch(entry, &c->queued, compare_dirty);
	if (!found || *found != entry) {
		free(entry);
		if (!found)
			start_sweep(c);
		return;
	}
	TAILQ_INSERT_TAIL(&c->queue, entry, link);
	c->queue_len++;
	wake(c);
}

static bool dequeue(struct vd_configurations *c, char device[static VD_PART_BYTES])
{
	struct dirty *entry = TAILQ_FIRST(&c->queue);

	if (!entry)
		return false;
	(void)snprintf(device, VD_PART_BYTES, "%s", entry->device);
	TAILQ_REMOVE(&c->queue, entry, link);
	c->queue_len--;
	(void)tdelete(entry, &c->queued, compare_dirty);
	free(entry);
	return true;
}

void vd_configurations_identity_changed(struct vd_configurations *c, const struct vd_name *name,
					const char *operation)
{
	if (!c->is_applying && c->count > 0 && strncmp(operation, "create", 6) == 0)
		enqueue(c, name->device);
}

static bool is_condition_touched(const struct vd_configurations *c, const cJSON *body)
{
	for (size_t i = 0; i < c->count; i++) {
		if (c->list[i].target && vd_query_is_touched_by(c->list[i].target, body))
			return true;
	}
	return false;
}

static bool is_held(const struct vd_configurations *c, const struct vd_name *name)
{
	VD_CLEANUP(vd_json_free) cJSON *settings = NULL;
	bool stays;

	return vd_store_settings_get(c->store, name, &settings, &stays) == 0;
}

void vd_configurations_twin_changed(struct vd_configurations *c, const struct vd_name *name,
				    const char *operation, const cJSON *body)
{
	if (c->is_applying || c->count == 0)
		return;
	if (strcmp(operation, "replaceTwin") == 0 || is_condition_touched(c, body) ||
	    (vd_json_at(body, "/properties/desired") && is_held(c, name)))
		enqueue(c, name->device);
}

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

static int make_statuses(const struct vd_configurations *c, struct aim *aim)
{
	(void)vd_json_free(aim->statuses);
	aim->statuses = cJSON_CreateObject();
	for (size_t i = 0; aim->statuses && i < c->count; i++) {
		cJSON *status;

		if (!aim->is_targeted[i])
			continue;
		status = cJSON_AddObjectToObject(aim->statuses, c->list[i].id);
		if (!status || !vd_json_add_string(status, "status",
						   aim->is_applied[i] ? "Applied" : "Targeted"))
			return -ENOMEM;
	}
	return aim->statuses ? 0 : -ENOMEM;
}

static int write_alone(struct vd_configurations *c, struct aim *aim)
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

static int write_if_different(struct vd_configurations *c, struct aim *aim, const cJSON *before)
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
static int give_up(struct vd_configurations *c, struct aim *aim, const cJSON *before,
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

static int update_twin(struct vd_configurations *c, struct aim *aim, cJSON **patch,
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

static int merge_layers(struct vd_configurations *c, struct aim *aim)
{
	int r = vd_settings_merge(aim->layers, aim->layer_count, &aim->settings);

	for (size_t i = 0; r == 0 && i < aim->layer_count; i++) {
		if (aim->layers[i].is_in_force)
			aim->is_applied[aim->layer_of[i]] = true;
	}
	return r == 0 ? make_statuses(c, aim) : r;
}

static int reach(struct vd_configurations *c, struct aim *aim, int64_t now_ms)
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
static void count_metrics(struct vd_configurations *c, enum vd_query_source source,
			  const cJSON *twin)
{
	for (size_t i = 0; i < c->count; i++) {
		for (size_t m = 0; m < VD_CONFIGURATION_METRICS; m++) {
			const struct vd_query *query = c->list[i].queries[m];

			if (query && vd_query_source(query) == source &&
			    vd_query_matches(query, twin))
				c->found[i][m]++;
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
static int make_module(struct vd_configurations *c, const char *device, const char *module,
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

static int make_modules(struct vd_configurations *c, const char *device, const cJSON *wanted,
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

static int look_at_module(struct vd_configurations *c, const struct vd_name *name,
			  struct aim *device, bool is_sweep, int64_t now_ms)
{
	VD_CLEANUP(aim_fini) struct aim aim = { .name = *name };
	int r = vd_twins_get(c->twins, name, &aim.twin, NULL);

	if (r != 0)
		return r;
	for (size_t i = 0; i < c->count; i++) {
		const cJSON *content = c->list[i].content;
		const cJSON *named = vd_content_module(content, name->module);

		if (named && device->is_targeted[i]) {
			aim_at(&aim, i, named);
			aim.stays = true;
		}
		if (matches(&c->list[i], VD_QUERY_MODULES, aim.twin))
			aim_at(&aim, i, vd_content_any_module(content));
	}
	r = reach(c, &aim, now_ms);
	for (size_t i = 0; i < c->count; i++)
		device->is_applied[i] |= device->is_targeted[i] && aim.is_applied[i];
	if (r == 0 && is_sweep)
		count_metrics(c, VD_QUERY_MODULES, aim.twin);
	return r;
}

static int look_at_modules(struct vd_configurations *c, struct aim *device, bool is_sweep,
			   int64_t now_ms)
{
	VD_CLEANUP(modules_fini) struct modules modules = { 0 };
	struct vd_fault fault = { 0 };
	int r = 0;

	for (size_t i = 0; r == 0 && i < c->count; i++) {
		if (device->is_targeted[i])
			r = make_modules(c, device->name.device,
					 vd_content_modules(c->list[i].content), now_ms, &fault);
	}
	if (r == 0)
		r = vd_store_modules(c->store, device->name.device, add_module, &modules);
	for (size_t i = 0; r == 0 && i < modules.count; i++)
		r = look_at_module(c, &modules.names[i], device, is_sweep, now_ms);
	return r;
}

static int look_at(struct vd_configurations *c, const char *id, bool is_sweep, int64_t now_ms)
{
	VD_CLEANUP(aim_fini) struct aim aim = { 0 };
	int r;

	(void)snprintf(aim.name.device, sizeof aim.name.device, "%s", id);
	r = vd_twins_get(c->twins, &aim.name, &aim.twin, NULL);
	if (r != 0)
		return r == VD_REFUSED_NO_DEVICE ? 0 : r; /* gone meanwhile */
	for (size_t i = 0; i < c->count; i++) {
		if (matches(&c->list[i], VD_QUERY_DEVICES, aim.twin))
			aim_at(&aim, i, vd_content_device(c->list[i].content));
	}
	r = look_at_modules(c, &aim, is_sweep, now_ms);
	if (r == 0)
		r = reach(c, &aim, now_ms);
	if (r == 0 && is_sweep)
		count_metrics(c, VD_QUERY_DEVICES, aim.twin);
	return r;
}

static void look_and_log(struct vd_configurations *c, const char *id, bool is_sweep, int64_t now_ms)
{
	int r;

	c->is_applying = true;
	r = look_at(c, id, is_sweep, now_ms);
	c->is_applying = false;
	if (r != 0)
		vd_log(VD_ERROR, "configuration.failed", "id=%s code=%d", id, r);
}

/* --- all devices --- */

static cJSON *results_of(const struct vd_configurations *c, size_t index)
{
	VD_CLEANUP(vd_json_free) cJSON *results = cJSON_CreateObject();
	size_t m = 0;

	for (const cJSON *metric = c->list[index].metrics->child; results && metric;
	     metric = metric->next, m++) {
		const struct vd_query *query = c->list[index].queries[m];
		int64_t count = c->found[index][m], top = query ? vd_query_top(query) : -1;

		if (top >= 0 && top < count)
			count = top;
		if (!vd_json_add_number(results, metric->string, (double)count))
			return NULL;
	}
	return VD_TAKE(results);
}

static void end_sweep(struct vd_configurations *c)
{
	c->is_sweeping = false;
	for (size_t i = 0; i < c->count; i++) {
		cJSON *results = results_of(c, i);

		if (results && !vd_merge_is_equal(results, c->list[i].results) &&
		    vd_store_configuration_set_results(c->store, c->list[i].id, results) == 0) {
			(void)vd_json_free(c->list[i].results);
			c->list[i].results = VD_TAKE(results);
		}
		(void)vd_json_free(results);
	}
}

/* Another page of devices; it may end early, and go on there later. */
static void sweep(struct vd_configurations *c, uint64_t until_ms, int64_t now_ms)
{
	char ids[PAGE][VD_PART_BYTES];
	size_t count = 0;
	int r = vd_store_device_ids(c->store, c->count == 0, c->swept, PAGE, ids, &count);

	if (r < 0 || count == 0) {
		end_sweep(c);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		look_and_log(c, ids[i], true, now_ms);
		memcpy(c->swept, ids[i], sizeof c->swept);
		if (vd_clock_mono_ms() >= until_ms)
			return;
	}
}

bool vd_configurations_run(struct vd_configurations *c, uint64_t budget_ms, int64_t now_ms)
{
	uint64_t until_ms = vd_clock_mono_ms() + budget_ms;
	char device[VD_PART_BYTES];

	do {
		if (dequeue(c, device))
			look_and_log(c, device, false, now_ms);
		else if (c->is_sweeping)
			sweep(c, until_ms, now_ms);
		else
			return false;
	} while (vd_clock_mono_ms() < until_ms);
	return c->queue_len > 0 || c->is_sweeping;
}

static void on_soon(void *argument)
{
	struct vd_configurations *c = argument;
	bool is_more;

	/* One sync for the slice; what devices are told waits for it. */
	vd_store_group_begin(c->store);
	is_more = vd_configurations_run(c, SLICE_MS, vd_clock_wall_ms());
	vd_store_group_end(c->store);
	if (is_more)
		wake(c);
}

static void on_periodic(void *argument)
{
	struct vd_configurations *c = argument;

	if (!c->is_sweeping && c->count > 0)
		start_sweep(c);
	(void)!vd_timer_arm(c->periodic, VD_CONFIGURATIONS_EVERY_MS);
}

/* --- REST --- */

static struct vd_configuration *find(struct vd_configurations *c, const char *id)
{
	for (size_t i = 0; i < c->count; i++) {
		if (strcmp(c->list[i].id, id) == 0)
			return &c->list[i];
	}
	return NULL;
}

static int missing(const char *id, struct vd_fault *fault)
{
	vd_fault_set(fault, 404, "", "there is no configuration %.128s", id);
	return VD_REFUSED_NO_CONFIGURATION;
}

static int refuse_etag(struct vd_fault *fault)
{
	vd_fault_set(fault, 412, "", "If-Match does not name the current etag, read it again");
	return VD_REFUSED_ETAG;
}

static int json_of(struct vd_configurations *c, const struct vd_configuration *configuration,
		   cJSON **ret_json)
{
	int64_t targeted = 0, applied = 0;
	int r = vd_store_configuration_counts(c->store, configuration->id, &targeted, &applied);

	if (r < 0)
		return r;
	*ret_json = vd_configuration_json(configuration, targeted, applied);
	return *ret_json ? 0 : -ENOMEM;
}

static int store_and_load(struct vd_configurations *c, const struct vd_configuration *changed,
			  const char *operation)
{
	int r = vd_store_configuration_put(c->store, changed);

	if (r == 0)
		r = load(c);
	if (r != 0)
		return r;
	vd_log(VD_NOTICE, "configuration.changed", "id=%s operation=%s priority=%lld", changed->id,
	       operation, (long long)changed->priority);
	start_sweep(c);
	return 0;
}

static int create(struct vd_configurations *c, const char *id, const cJSON *body, int64_t now_ms,
		  struct vd_fault *fault)
{
	VD_CLEANUP(vd_configuration_fini)
	struct vd_configuration made = { .created_ms = now_ms,
					 .updated_ms = now_ms,
					 .etag = now_ms };
	int r;

	if (c->count >= VD_CONFIGURATIONS_MAX) {
		vd_fault_set(fault, 403, "", "there are %d configurations already",
			     VD_CONFIGURATIONS_MAX);
		return VD_REFUSED_QUOTA;
	}
	(void)snprintf(made.id, sizeof made.id, "%s", id);
	made.results = cJSON_CreateObject();
	r = made.results ? vd_configuration_read(body, &made, fault) : -ENOMEM;
	return r == 0 ? store_and_load(c, &made, "create") : r;
}

/* Read into a copy, which replaces the one in the list through the store. */
static int update(struct vd_configurations *c, const struct vd_configuration *old,
		  const cJSON *body, int64_t now_ms, struct vd_fault *fault)
{
	VD_CLEANUP(vd_configuration_fini)
	struct vd_configuration changed = { .created_ms = old->created_ms,
					    .updated_ms = now_ms,
					    .etag = old->etag + 1 };
	int r;

	(void)snprintf(changed.id, sizeof changed.id, "%s", old->id);
	changed.content = cJSON_Duplicate(old->content, true);
	changed.results = cJSON_Duplicate(old->results, true);
	if (!changed.content || !changed.results)
		return -ENOMEM;
	r = vd_configuration_read(body, &changed, fault);
	if (r == 0 && !vd_merge_is_equal(changed.content, old->content)) {
		vd_fault_set(fault, 400, "/content",
			     "cannot be changed, make another configuration");
		return VD_REFUSED_IMMUTABLE;
	}
	return r == 0 ? store_and_load(c, &changed, "update") : r;
}

static int check_body_id(const cJSON *body, const char *id, struct vd_fault *fault)
{
	if (strcmp(vd_json_string(body, "id", id), id) == 0)
		return 0;
	vd_fault_set(fault, 400, "/id", "is not the id of the path");
	return VD_REFUSED_ARGUMENT;
}

int vd_configurations_put(struct vd_configurations *c, const char *id, const char *if_match,
			  const cJSON *body, int64_t now_ms, cJSON **ret_json,
			  struct vd_fault *fault)
{
	struct vd_configuration *old = find(c, id);
	int r = vd_configuration_check_id(id, fault);

	if (r == 0)
		r = check_body_id(body, id, fault);
	if (r != 0)
		return r;
	if (!old && if_match)
		return missing(id, fault);
	if (old && !if_match) {
		vd_fault_set(fault, 409, "", "it exists already, update it with If-Match");
		return VD_REFUSED_CONFIGURATION_EXISTS;
	}
	if (old && !vd_etag_matches(if_match, old->etag))
		return refuse_etag(fault);
	r = old ? update(c, old, body, now_ms, fault) : create(c, id, body, now_ms, fault);
	return r == 0 ? vd_configurations_get(c, id, ret_json, fault) : r;
}

int vd_configurations_get(struct vd_configurations *c, const char *id, cJSON **ret_json,
			  struct vd_fault *fault)
{
	const struct vd_configuration *configuration = find(c, id);

	return configuration ? json_of(c, configuration, ret_json) : missing(id, fault);
}

int vd_configurations_list(struct vd_configurations *c, int limit, cJSON **ret_list)
{
	VD_CLEANUP(vd_json_free) cJSON *list = cJSON_CreateArray();
	int r = list ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < c->count && i < (size_t)limit; i++) {
		cJSON *json = NULL;

		r = json_of(c, &c->list[i], &json);
		if (r == 0 && !cJSON_AddItemToArray(list, json)) {
			(void)vd_json_free(json);
			r = -ENOMEM;
		}
	}
	if (r == 0)
		*ret_list = VD_TAKE(list);
	return r;
}

int vd_configurations_delete(struct vd_configurations *c, const char *id, const char *if_match,
			     struct vd_fault *fault)
{
	const struct vd_configuration *old = find(c, id);
	int r;

	if (!old)
		return missing(id, fault);
	if (!vd_etag_matches(if_match, old->etag))
		return refuse_etag(fault);
	r = vd_store_configuration_delete(c->store, id);
	if (r == 0)
		r = load(c);
	if (r != 0)
		return r;
	vd_log(VD_NOTICE, "configuration.changed", "id=%s operation=delete", id);
	start_sweep(c);
	return 0;
}

static int apply_settings(struct vd_configurations *c, const struct vd_name *name,
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

static int apply_to_modules(struct vd_configurations *c, const char *device, const cJSON *modules,
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

int vd_configurations_apply(struct vd_configurations *c, const char *device, const cJSON *content,
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

/* --- life --- */

int vd_configurations_new(struct vd_loop *loop, struct vd_store *store, struct vd_devices *devices,
			  struct vd_twins *twins, struct vd_configurations **ret_configurations)
{
	VD_CLEANUP(vd_configurations_free) struct vd_configurations *c = calloc(1, sizeof *c);
	int r;

	if (!c)
		return -ENOMEM;
	c->store = store;
	c->devices = devices;
	c->twins = twins;
	TAILQ_INIT(&c->queue);
	r = load(c);
	if (r == 0 && loop)
		r = vd_loop_timer(loop, on_soon, c, &c->soon);
	if (r == 0 && loop)
		r = vd_loop_timer(loop, on_periodic, c, &c->periodic);
	if (r == 0 && loop)
		r = vd_timer_arm(c->periodic, VD_CONFIGURATIONS_EVERY_MS);
	if (r != 0)
		return r;
	start_sweep(c); /* what was not reached before the last end */
	*ret_configurations = VD_TAKE(c);
	return 0;
}

struct vd_configurations *vd_configurations_free(struct vd_configurations *c)
{
	char device[VD_PART_BYTES];

	if (c) {
		c->soon = vd_source_free(c->soon);
		c->periodic = vd_source_free(c->periodic);
		while (dequeue(c, device))
			;
		drop_list(c);
		free(c);
	}
	return NULL;
}
