/* SPDX-License-Identifier: Apache-2.0 */
#include "twin/hub/files/package_gc.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "twin/document/manifest.h"
#include "twin/hub/api/api.h"
#include "twin/hub/automation/configuration.h"
#include "twin/hub/http.h"
#include "twin/hub/store/configurations.h"

enum { STEP_ROWS = 64, DIGESTS = 3, WORD_BYTES = VD_PACKAGE_NAME_BYTES + 2 };

struct candidate {
	struct vd_package_id id;
	char name[WORD_BYTES], version[WORD_BYTES]; /* as JSON texts */
	char digests[DIGESTS][VD_SHA256_TEXT];      /* archive, manifest, model.json or "" */
	cJSON *json;
	int64_t bytes;
	bool is_named;
};

struct run {
	struct candidate *candidates;
	size_t count;
	bool is_dry, of_modules, is_begun;
	struct vd_name from; /* the last twin that was looked at */
	struct vd_exchange *exchange;
	bool is_closed;
	uint64_t until_ms;
};

struct vd_package_gc {
	struct vd_store *store;
	struct vd_packages *packages;
	struct vd_source *timer;
	struct run *run; /* NULL: none is under way */
};

static struct run *run_free(struct run *run)
{
	if (run) {
		for (size_t i = 0; i < run->count; i++)
			(void)vd_json_free(run->candidates[i].json);
		free(run->candidates);
		free(run);
	}
	return NULL;
}
VD_DEFINE_CLEANUP(struct run, run_free)

/* --- who may go --- */

static void find_model(const char *manifest_text, char digest[static VD_SHA256_TEXT])
{
	VD_CLEANUP(vd_manifest_fini) struct vd_manifest manifest = { 0 };
	const cJSON *file;

	digest[0] = '\0';
	if (vd_manifest_parse(manifest_text, strlen(manifest_text), &manifest, NULL) < 0)
		return;
	cJSON_ArrayForEach(file, manifest.files)
	{
		if (strcmp(vd_json_string(file, "path", ""), "model.json") == 0)
			(void)snprintf(digest, VD_SHA256_TEXT, "%s",
				       vd_json_string(file, "sha256", ""));
	}
}

static int add_candidate(const struct vd_package_row *row, void *argument)
{
	struct run *run = argument;
	struct candidate *c = &run->candidates[run->count];

	c->json = vd_package_json(row, false);
	if (!c->json)
		return -ENOMEM;
	c->id = row->id;
	c->bytes = row->bytes;
	(void)snprintf(c->name, sizeof c->name, "\"%s\"", row->id.name);
	(void)snprintf(c->version, sizeof c->version, "\"%s\"", row->id.version);
	(void)snprintf(c->digests[0], VD_SHA256_TEXT, "%s", row->sha256);
	(void)snprintf(c->digests[1], VD_SHA256_TEXT, "%s", row->manifest_sha256);
	find_model(row->manifest, c->digests[2]);
	run->count++;
	return 0;
}

static bool names(const char *text, size_t len, const struct candidate *c)
{
	if (memmem(text, len, c->name, strlen(c->name)) &&
	    memmem(text, len, c->version, strlen(c->version)))
		return true;
	for (size_t i = 0; i < DIGESTS; i++) {
		if (c->digests[i][0] && memmem(text, len, c->digests[i], strlen(c->digests[i])))
			return true;
	}
	return false;
}

static void look_at(struct run *run, const char *text, size_t len)
{
	for (size_t i = 0; i < run->count; i++) {
		if (!run->candidates[i].is_named)
			run->candidates[i].is_named = names(text, len, &run->candidates[i]);
	}
}

/* --- looking --- */

static int see_twin(const struct vd_twin_row *row, void *argument)
{
	struct run *run = argument;

	run->from = row->name;
	look_at(run, row->desired.text, row->desired.len);
	return vd_clock_mono_ms() >= run->until_ms ? VD_STORE_NONE : 0;
}

/* Rows from the last one on, itself again: so the end is where nothing but it comes. */
static int walk_some(struct vd_package_gc *gc, bool *ret_is_end)
{
	struct run *run = gc->run;
	const struct vd_name from = run->from;
	bool was_begun = run->is_begun;
	int r;

	run->is_begun = true;
	r = vd_store_twins_each(gc->store, run->of_modules, &from, VD_TWIN_DESIRED, STEP_ROWS,
				see_twin, run);
	*ret_is_end = r == 0 && (was_begun || !run->from.device[0]) &&
		      strcmp(from.device, run->from.device) == 0 &&
		      strcmp(from.module, run->from.module) == 0;
	return r;
}

static int walk(struct vd_package_gc *gc, bool *ret_is_done)
{
	struct run *run = gc->run;
	bool is_end = false;
	int r = 0;

	run->until_ms = vd_clock_mono_ms() + VD_PACKAGE_GC_SLICE_MS;
	*ret_is_done = run->count == 0;
	while (r == 0 && !*ret_is_done) {
		r = walk_some(gc, &is_end);
		if (is_end && run->of_modules) {
			*ret_is_done = true;
		} else if (is_end) {
			run->of_modules = true;
			run->is_begun = false;
			run->from = (struct vd_name){ 0 };
		}
	}
	return r == VD_STORE_NONE ? 0 : r;
}

static int see_configuration(struct vd_configuration *configuration, void *argument)
{
	VD_CLEANUP(vd_free) char *text = vd_json_text(configuration->content);

	if (!text)
		return -ENOMEM;
	look_at(argument, text, strlen(text));
	return 0;
}

static int see_channel(const struct vd_channel_row *row, void *argument)
{
	struct run *run = argument;

	for (size_t i = 0; i < run->count; i++) {
		struct candidate *c = &run->candidates[i];

		if (strcmp(c->id.name, row->name) == 0 && strcmp(c->id.arch, row->arch) == 0 &&
		    strcmp(c->id.version, row->version) == 0)
			c->is_named = true;
	}
	return 0;
}

/* --- the end --- */

/* In one turn of the loop: what is looked at here cannot change before the deletion. */
static int finish(struct vd_package_gc *gc, struct vd_reply *reply)
{
	struct run *run = gc->run;
	VD_CLEANUP(vd_json_free) cJSON *body = cJSON_CreateObject();
	cJSON *items = body ? cJSON_AddArrayToObject(body, "items") : NULL;
	double bytes = 0;
	int r = items ? vd_store_configurations(gc->store, see_configuration, run) : -ENOMEM;

	if (r == 0)
		r = vd_store_channel_each(gc->store, NULL, INT32_MAX, see_channel, run);
	for (size_t i = 0; r == 0 && i < run->count; i++) {
		struct candidate *c = &run->candidates[i];

		if (c->is_named)
			continue;
		if (!run->is_dry)
			r = vd_packages_delete(gc->packages, &c->id, c->digests[0],
					       vd_clock_wall_ms());
		if (r == 0 && !cJSON_AddItemToArray(items, c->json))
			r = -ENOMEM;
		c->json = r == 0 ? NULL : c->json;
		bytes += (double)c->bytes;
	}
	if (r == 0 && (!vd_json_add_number(body, "bytes", bytes) ||
		       !vd_json_add_bool(body, "deleted", !run->is_dry)))
		r = -ENOMEM;
	if (r == 0)
		vd_reply_json(reply, 200, &body);
	return r;
}

static void answer(struct vd_package_gc *gc, int r)
{
	VD_CLEANUP(vd_call_fini) struct vd_call call = { 0 };
	struct run *run = VD_TAKE(gc->run);

	if (r == 0) {
		gc->run = run;
		r = finish(gc, &call.reply);
		gc->run = NULL;
	}
	if (r != 0)
		vd_reply_refuse(&call.reply, r, NULL);
	vd_exchange_reply(run->exchange, &call.reply);
	(void)run_free(run);
}

static void on_turn(void *argument)
{
	struct vd_package_gc *gc = argument;
	bool is_done = false;
	int r;

	if (!gc->run)
		return;
	r = gc->run->is_closed || vd_exchange_is_gone(gc->run->exchange) ? VD_REFUSED_UNAVAILABLE
									 : walk(gc, &is_done);
	if (r != 0 || is_done)
		answer(gc, r);
	else
		(void)!vd_timer_arm(gc->timer, 0);
}

/* The next turn ends it, and nothing is deleted. */
static void on_closed(void *argument)
{
	struct run *run = argument;

	run->is_closed = true;
}

/* --- life --- */

int vd_package_gc_new(struct vd_loop *loop, struct vd_store *store, struct vd_packages *packages,
		      struct vd_package_gc **ret_gc)
{
	struct vd_package_gc *gc = calloc(1, sizeof *gc);
	int r;

	if (!gc)
		return -ENOMEM;
	*gc = (struct vd_package_gc){ .store = store, .packages = packages };
	r = vd_loop_timer(loop, on_turn, gc, &gc->timer);
	if (r < 0) {
		free(gc);
		return r;
	}
	*ret_gc = gc;
	return 0;
}

struct vd_package_gc *vd_package_gc_free(struct vd_package_gc *gc)
{
	if (gc) {
		if (gc->run)
			answer(gc, VD_REFUSED_UNAVAILABLE);
		gc->timer = vd_source_free(gc->timer);
		free(gc);
	}
	return NULL;
}

static int make_run(struct vd_package_gc *gc, int64_t before_ms, bool is_dry, struct run **ret_run)
{
	VD_CLEANUP(run_free) struct run *run = calloc(1, sizeof *run);
	int r;

	if (!run)
		return -ENOMEM;
	run->is_dry = is_dry;
	run->candidates = calloc(VD_PACKAGE_GC_MAX, sizeof *run->candidates);
	if (!run->candidates)
		return -ENOMEM;
	r = vd_store_package_loose(gc->store, before_ms, VD_PACKAGE_GC_MAX, add_candidate, run);
	if (r == 0)
		*ret_run = VD_TAKE(run);
	return r;
}

static int run_at_once(struct vd_package_gc *gc, struct vd_reply *reply)
{
	bool is_done = false;
	int r = 0;

	while (r == 0 && !is_done)
		r = walk(gc, &is_done);
	if (r == 0)
		r = finish(gc, reply);
	gc->run = run_free(gc->run);
	return r;
}

int vd_package_gc_run(struct vd_package_gc *gc, struct vd_call *call, int64_t before_ms,
		      bool is_dry, struct vd_fault *fault)
{
	int r;

	if (gc->run) {
		vd_fault_set(fault, 429, "", "a collection is under way already");
		return VD_REFUSED_TOO_MANY;
	}
	r = make_run(gc, before_ms, is_dry, &gc->run);
	if (r != 0)
		return r;
	if (!call->exchange)
		return run_at_once(gc, &call->reply);
	r = vd_timer_arm(gc->timer, 0);
	if (r < 0) {
		gc->run = run_free(gc->run);
		return r;
	}
	gc->run->exchange = call->exchange;
	vd_exchange_on_closed(call->exchange, on_closed, gc->run);
	return VD_API_KEPT;
}

static int look_again(const struct vd_twin_row *row, void *argument)
{
	look_at(argument, row->desired.text, row->desired.len);
	return 0;
}

void vd_package_gc_changed(struct vd_package_gc *gc, const struct vd_name *name)
{
	if (gc->run && vd_store_twin_row(gc->store, name, VD_TWIN_DESIRED, look_again, gc->run) < 0)
		gc->run->is_closed = true; /* what cannot be seen may name anything */
}
