/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who is looked at, and when; configuration_reach.h does it. Devices that something happened to come
 * first, then whom a changed configuration concerns, then all.
 */
#include "twin/hub/automation/configurations.h"

#include <errno.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/clock.h"
#include "base/log.h"
#include "twin/document/merge.h"
#include "twin/hub/automation/configuration_pass.h"
#include "twin/hub/automation/configuration_reach.h"
#include "twin/hub/etag.h"
#include "twin/hub/refusal.h"
#include "twin/hub/store/configurations.h"

enum { SLICE_MS = 10, PAUSE_MS = 1, DIRTY_MAX = 10000, PAGE = 64 };

struct dirty {
	TAILQ_ENTRY(dirty) link;
	char device[VD_PART_BYTES];
};

struct pass {
	TAILQ_ENTRY(pass) link;
	struct vd_configuration_pass *pass;
};

struct vd_configurations {
	struct vd_store *store;
	struct vd_reach reach;
	struct vd_configuration_list list;
	struct vd_source *soon, *periodic;
	TAILQ_HEAD(, dirty) queue;
	void *queued; /* tsearch tree of the same */
	size_t queue_len;
	TAILQ_HEAD(, pass) passes;
	bool is_sweeping;
	char swept[VD_PART_BYTES]; /* the last device that the sweep has seen */
	bool is_applying;
};

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
	if (c->list.found)
		(void)memset(c->list.found, 0, c->list.count * sizeof c->list.found[0]);
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
	if (!c->is_applying && c->list.count > 0 && strncmp(operation, "create", 6) == 0)
		enqueue(c, name->device);
}

static bool is_condition_touched(const struct vd_configurations *c, const cJSON *body)
{
	for (size_t i = 0; i < c->list.count; i++) {
		if (c->list.items[i].target &&
		    vd_query_is_touched_by(c->list.items[i].target, body))
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
	if (c->is_applying || c->list.count == 0)
		return;
	if (strcmp(operation, "replaceTwin") == 0 || is_condition_touched(c, body) ||
	    (vd_json_at(body, "/properties/desired") && is_held(c, name)))
		enqueue(c, name->device);
}

/* --- whoever is due --- */

static void look_at(struct vd_configurations *c, const char *id, bool is_sweep, int64_t now_ms)
{
	int r;

	c->is_applying = true;
	r = vd_reach_device(&c->reach, id, is_sweep, now_ms);
	c->is_applying = false;
	if (r != 0)
		vd_log(VD_ERROR, "configuration.failed", "id=%s code=%d", id, r);
}

struct look {
	struct vd_configurations *configurations;
	int64_t now_ms;
};

static void look_in_pass(const char *device, void *argument)
{
	const struct look *look = argument;

	look_at(look->configurations, device, false, look->now_ms);
}

static void drop_pass(struct vd_configurations *c, struct pass *entry)
{
	TAILQ_REMOVE(&c->passes, entry, link);
	entry->pass = vd_configuration_pass_free(entry->pass);
	free(entry);
}

/* What a pass cannot do, a look at all does. */
static void run_pass(struct vd_configurations *c, uint64_t until_ms, int64_t now_ms)
{
	struct pass *entry = TAILQ_FIRST(&c->passes);
	struct look look = { c, now_ms };
	bool is_done = false;
	int r = vd_configuration_pass_run(entry->pass, &c->list, until_ms, look_in_pass, &look,
					  &is_done);

	if (r == 0 && !is_done)
		return;
	drop_pass(c, entry);
	if (r < 0) {
		vd_log(VD_ERROR, "configuration.passFailed", "reason=\"%s\"", strerror(-r));
		start_sweep(c);
	}
}

static void end_sweep(struct vd_configurations *c)
{
	c->is_sweeping = false;
	for (size_t i = 0; i < c->list.count; i++)
		vd_configuration_set_results(c->store, &c->list.items[i], c->list.found[i]);
}

/* Another page of devices; it may end early, and go on there later. */
static void sweep(struct vd_configurations *c, uint64_t until_ms, int64_t now_ms)
{
	char ids[PAGE][VD_PART_BYTES];
	size_t count = 0;
	int r = vd_store_device_ids(c->store, c->list.count == 0, c->swept, PAGE, ids, &count);

	if (r < 0 || count == 0) {
		end_sweep(c);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		look_at(c, ids[i], true, now_ms);
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
			look_at(c, device, false, now_ms);
		else if (!TAILQ_EMPTY(&c->passes))
			run_pass(c, until_ms, now_ms);
		else if (c->is_sweeping)
			sweep(c, until_ms, now_ms);
		else
			return false;
	} while (vd_clock_mono_ms() < until_ms);
	return c->queue_len > 0 || !TAILQ_EMPTY(&c->passes) || c->is_sweeping;
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

	if (!c->is_sweeping && c->list.count > 0)
		start_sweep(c);
	(void)!vd_timer_arm(c->periodic, VD_CONFIGURATIONS_EVERY_MS);
}

/* --- REST --- */

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
	int r = vd_store_configuration_counts(c->store, configuration->id,
					      vd_content_any_module(configuration->content) != NULL,
					      &targeted, &applied);

	if (r < 0)
		return r;
	*ret_json = vd_configuration_json(configuration, targeted, applied);
	return *ret_json ? 0 : -ENOMEM;
}

/* A sweep that is under way begins again, since what it counts has changed; it sees all. */
static int load(struct vd_configurations *c)
{
	int r = vd_configuration_list_load(&c->list, c->store);

	if (c->is_sweeping)
		start_sweep(c);
	return r;
}

/* Whom the change concerns is to be asked before it is stored. */
static int prepare(struct vd_configurations *c, const struct vd_configuration *former,
		   const struct vd_configuration *changed, struct vd_configuration_pass **ret_pass)
{
	return c->is_sweeping ? 0 : vd_configuration_pass_new(c->store, former, changed, ret_pass);
}

/* Takes the pass. */
static void begin_pass(struct vd_configurations *c, struct vd_configuration_pass **pass)
{
	struct pass *entry = *pass ? calloc(1, sizeof *entry) : NULL;

	if (entry) {
		entry->pass = VD_TAKE(*pass);
		TAILQ_INSERT_TAIL(&c->passes, entry, link);
		wake(c);
	} else {
		start_sweep(c);
	}
}

static int store_and_load(struct vd_configurations *c, const struct vd_configuration *former,
			  const struct vd_configuration *changed)
{
	VD_CLEANUP(vd_configuration_pass_free) struct vd_configuration_pass *pass = NULL;
	int r = prepare(c, former, changed, &pass);

	if (r == 0)
		r = vd_store_configuration_put(c->store, changed);
	if (r == 0)
		r = load(c);
	if (r != 0)
		return r;
	vd_log(VD_NOTICE, "configuration.changed", "id=%s operation=%s priority=%lld", changed->id,
	       former ? "update" : "create", (long long)changed->priority);
	begin_pass(c, &pass);
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

	if (c->list.count >= VD_CONFIGURATIONS_MAX) {
		vd_fault_set(fault, 403, "", "there are %d configurations already",
			     VD_CONFIGURATIONS_MAX);
		return VD_REFUSED_QUOTA;
	}
	(void)snprintf(made.id, sizeof made.id, "%s", id);
	made.results = cJSON_CreateObject();
	r = made.results ? vd_configuration_read(body, &made, fault) : -ENOMEM;
	return r == 0 ? store_and_load(c, NULL, &made) : r;
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
	return r == 0 ? store_and_load(c, old, &changed) : r;
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
	struct vd_configuration *old = vd_configuration_list_find(&c->list, id);
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
	const struct vd_configuration *configuration = vd_configuration_list_find(&c->list, id);

	return configuration ? json_of(c, configuration, ret_json) : missing(id, fault);
}

int vd_configurations_list(struct vd_configurations *c, int limit, cJSON **ret_list)
{
	VD_CLEANUP(vd_json_free) cJSON *list = cJSON_CreateArray();
	int r = list ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < c->list.count && i < (size_t)limit; i++) {
		cJSON *json = NULL;

		r = json_of(c, &c->list.items[i], &json);
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
	VD_CLEANUP(vd_configuration_pass_free) struct vd_configuration_pass *pass = NULL;
	const struct vd_configuration *old = vd_configuration_list_find(&c->list, id);
	int r;

	if (!old)
		return missing(id, fault);
	if (!vd_etag_matches(if_match, old->etag))
		return refuse_etag(fault);
	r = prepare(c, old, NULL, &pass);
	if (r == 0)
		r = vd_store_configuration_delete(c->store, id);
	if (r == 0)
		r = load(c);
	if (r != 0)
		return r;
	vd_log(VD_NOTICE, "configuration.changed", "id=%s operation=delete", id);
	begin_pass(c, &pass);
	return 0;
}

int vd_configurations_apply(struct vd_configurations *c, const char *device, const cJSON *content,
			    const char *by, int64_t now_ms, struct vd_fault *fault)
{
	return vd_reach_apply(&c->reach, device, content, by, now_ms, fault);
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
	c->reach = (struct vd_reach){ store, devices, twins, &c->list };
	TAILQ_INIT(&c->queue);
	TAILQ_INIT(&c->passes);
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
		while (!TAILQ_EMPTY(&c->passes))
			drop_pass(c, TAILQ_FIRST(&c->passes));
		vd_configuration_list_fini(&c->list);
		free(c);
	}
	return NULL;
}
