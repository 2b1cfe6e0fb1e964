/* SPDX-License-Identifier: Apache-2.0 */
#include "twin/hub/automation/configuration_pass.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "twin/hub/store/configurations.h"
#include "twin/hub/queries/twin_walk.h"

enum { NAMES_AT_ONCE = 64 };

struct vd_configuration_pass {
	struct vd_store *store;
	struct vd_configuration changed; /* a copy; of a deletion empty */
	struct vd_buf names;             /* devices to be looked at, each with its NUL */
	size_t at;                       /* the next of them */
	struct vd_twin_walk *walk;       /* over its target, or over a metric's twins */
	int found;                       /* by this step of the walk */
	bool is_counting;
	size_t metric;
	int64_t counts[VD_CONFIGURATION_QUERIES];
};

struct vd_configuration_pass *vd_configuration_pass_free(struct vd_configuration_pass *pass)
{
	if (pass) {
		pass->walk = vd_twin_walk_free(pass->walk);
		vd_configuration_fini(&pass->changed);
		vd_buf_fini(&pass->names);
		free(pass);
	}
	return NULL;
}

static int add_name(const struct vd_name *name, void *argument)
{
	struct vd_configuration_pass *pass = argument;

	return vd_buf_append(&pass->names, name->device, strlen(name->device) + 1);
}

/* Does the change move nobody, so that only metrics are to be counted? */
static bool is_same_aim(const struct vd_configuration *former,
			const struct vd_configuration *changed)
{
	return former && changed && former->priority == changed->priority &&
	       strcmp(former->target_text, changed->target_text) == 0;
}

static int begin(struct vd_configuration_pass *pass, const struct vd_configuration *former,
		 const struct vd_configuration *changed)
{
	bool is_same = is_same_aim(former, changed);
	int r = changed ? vd_configuration_copy(changed, &pass->changed) : 0;

	if (r == 0 && former && !is_same)
		r = vd_store_configuration_targets(pass->store, former->id, add_name, pass);
	if (r == 0 && pass->changed.target && !is_same)
		r = vd_twin_walk_new(pass->store, pass->changed.target, 0, NULL, &pass->walk);
	return r;
}

int vd_configuration_pass_new(struct vd_store *store, const struct vd_configuration *former,
			      const struct vd_configuration *changed,
			      struct vd_configuration_pass **ret_pass)
{
	VD_CLEANUP(vd_configuration_pass_free)
	struct vd_configuration_pass *pass = calloc(1, sizeof *pass);
	int r;

	if (!pass)
		return -ENOMEM;
	pass->store = store;
	r = begin(pass, former, changed);
	if (r == 0)
		*ret_pass = VD_TAKE(pass);
	return r;
}

/* A device with several modules comes once for each of them: that is rare, and does no harm. */
static int collect(const struct vd_twin_row *row, void *argument)
{
	struct vd_configuration_pass *pass = argument;
	int r = add_name(&row->name, pass);

	return r == 0 && ++pass->found == NAMES_AT_ONCE ? VD_WALK_LAST : r;
}

static int count(const struct vd_twin_row *row, void *argument)
{
	struct vd_configuration_pass *pass = argument;

	pass->counts[pass->metric]++;
	return 0;
}

static void look_at_names(struct vd_configuration_pass *pass, uint64_t until_ms,
			  vd_device_look_fn look, void *argument)
{
	while (pass->at < pass->names.len) {
		const char *device = pass->names.data + pass->at;

		pass->at += strlen(device) + 1;
		look(device, argument);
		if (vd_clock_mono_ms() >= until_ms)
			return;
	}
	vd_buf_clear(&pass->names);
	pass->at = 0;
}

/* As vd_twin_walk_run; VD_WALK_END takes the walk along. */
static int step(struct vd_configuration_pass *pass, uint64_t until_ms, vd_twin_fn fn)
{
	int r;

	pass->found = 0;
	r = vd_twin_walk_run(pass->walk, until_ms, fn, pass);
	if (r == VD_WALK_END)
		pass->walk = vd_twin_walk_free(pass->walk);
	return r >= VD_WALK_END ? 0 : r < 0 ? r : -EIO;
}

static void finish(struct vd_configuration_pass *pass, struct vd_configuration_list *list)
{
	struct vd_configuration *now = vd_configuration_list_find(list, pass->changed.id);

	if (now && now->etag == pass->changed.etag)
		vd_configuration_set_results(pass->store, now, pass->counts);
}

/* The next metric that there is. 1: none is left. */
static int next_metric(struct vd_configuration_pass *pass)
{
	pass->metric += pass->is_counting;
	pass->is_counting = true;
	if (pass->metric == VD_CONFIGURATION_QUERIES || !pass->changed.queries[pass->metric])
		return 1;
	return vd_twin_walk_new(pass->store, pass->changed.queries[pass->metric], 0, NULL,
				&pass->walk);
}

int vd_configuration_pass_run(struct vd_configuration_pass *pass,
			      struct vd_configuration_list *list, uint64_t until_ms,
			      vd_device_look_fn look, void *argument, bool *ret_is_done)
{
	int r = 0;

	*ret_is_done = false;
	while (r == 0) {
		if (pass->names.len)
			look_at_names(pass, until_ms, look, argument);
		else if (pass->walk)
			r = step(pass, until_ms, pass->is_counting ? count : collect);
		else
			r = next_metric(pass);
		if (vd_clock_mono_ms() >= until_ms)
			break;
	}
	if (r > 0) {
		finish(pass, list);
		*ret_is_done = true;
	}
	return r < 0 ? r : 0;
}
