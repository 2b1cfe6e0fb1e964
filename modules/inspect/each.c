/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/inspect/each.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_meant(const struct vd_each *each, const struct vd_object *object)
{
	return !each->label[0] || strcmp(each->label, object->label) == 0;
}

static size_t count_meant(const struct vd_each *each, const struct vd_object_list *objects)
{
	size_t count = 0;

	for (size_t i = 0; i < objects->count; i++)
		count += is_meant(each, &objects->list[i]);
	return count;
}

static void tell_empty(const struct vd_each *each, const char *name, struct vd_step_result *result)
{
	const char *of = each->label[0] ? each->label : "any";

	if (each->when_empty == VD_STEAD_NG) {
		result->verdict = VD_NG;
		(void)snprintf(result->text, sizeof result->text, "step %s found no object (%s)",
			       name, of);
		return;
	}
	vd_step_skipped(result, each->when_empty, "step %s found no object (%s)", name, of);
}

static double margin_of(const struct vd_step *step, const struct vd_step_result *result)
{
	return vd_limits_margin(&step->limits[result->deciding], result->values[result->deciding]);
}

/* Does one stand for all, rather than what stands so far? */
static bool is_worse(const struct vd_step *step, const struct vd_step_result *one,
		     const struct vd_step_result *all)
{
	return all->run_count == 0 || one->verdict > all->verdict ||
	       (one->verdict == all->verdict && margin_of(step, one) < margin_of(step, all));
}

static void stand_for_all(const struct vd_step_result *one, const struct vd_object *object,
			  struct vd_step_result *all)
{
	all->verdict = one->verdict;
	memcpy(all->values, one->values, sizeof all->values);
	all->deciding = one->deciding;
	memcpy(all->read, one->read, sizeof all->read);
	all->read_kind = one->read_kind;
	all->text[0] = '\0';
	if (one->text[0])
		(void)snprintf(all->text, sizeof all->text, "%.*s (%s at %d, %d)",
			       (int)sizeof all->text - 100, one->text, object->label, object->box.x,
			       object->box.y);
}

static int collect(const struct vd_step *step, const struct vd_step_result *one,
		   const struct vd_object *object, struct vd_step_result *all)
{
	struct vd_step_run *run = &all->runs[all->run_count];
	int r = 0;

	if (is_worse(step, one, all))
		stand_for_all(one, object, all);
	*run = (struct vd_step_run){ .object = *object,
				     .verdict = one->verdict,
				     .value = one->values[one->deciding] };
	memcpy(run->text, one->text, sizeof run->text);
	all->run_count++;
	for (size_t i = 0; r == 0 && i < one->objects.count; i++)
		r = vd_object_add(&all->objects, one->objects.list[i].label, &one->objects.list[i]);
	all->objects.left_out += one->objects.left_out;
	return r;
}

static int run_on(const struct vd_runner *runner, int index, const struct vd_step *step,
		  const struct vd_step_view *view, const struct vd_object *object,
		  struct vd_step_result *all)
{
	struct vd_step_view here = *view;
	struct vd_step_result one;
	int r;

	here.region = &object->box;
	runner->run(runner->argument, index, &here, &one);
	r = collect(step, &one, object, all);
	vd_step_result_fini(&one);
	return r;
}

/* Those beyond the most, and those that the other step could not even tell. */
static void tell_crowd(const struct vd_each *each, size_t count,
		       const struct vd_object_list *objects, struct vd_step_result *result)
{
	if ((count <= (size_t)each->max && objects->left_out == 0) || result->verdict == VD_NG)
		return;
	vd_step_undecided(result, "crowded", "%zu objects, %zu were looked at",
			  count + objects->left_out, result->run_count);
}

static int run_all(const struct vd_runner *runner, int index, const struct vd_step *step,
		   const struct vd_step_view *view, const struct vd_object_list *objects,
		   struct vd_step_result *result)
{
	const struct vd_each *each = &step->turn.each;
	int r = 0;

	result->runs = calloc((size_t)each->max, sizeof *result->runs);
	if (!result->runs)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < objects->count; i++) {
		if (result->run_count < (size_t)each->max && is_meant(each, &objects->list[i]))
			r = run_on(runner, index, step, view, &objects->list[i], result);
	}
	return r;
}

void vd_each_run(const struct vd_runner *runner, const struct vd_recipe *recipe, int index,
		 const struct vd_step_view *view, const struct vd_step_result *results,
		 struct vd_step_result *ret_result)
{
	const struct vd_step *step = &recipe->steps[index];
	const struct vd_each *each = &step->turn.each;
	const struct vd_step_result *source = &results[each->step];
	const char *name = recipe->steps[each->step].id;
	const size_t count = count_meant(each, &source->objects);

	vd_step_result_init(ret_result);
	if (source->verdict == VD_NO_DECISION) {
		vd_step_undecided(ret_result, "no_objects", "step %s has no decision", name);
		ret_result->state = VD_STEP_NOT_RUN;
	} else if (count == 0 && source->objects.left_out == 0) {
		tell_empty(each, name, ret_result);
	} else if (run_all(runner, index, step, view, &source->objects, ret_result) < 0) {
		vd_step_undecided(ret_result, "internal", "out of memory");
	} else {
		tell_crowd(each, count, &source->objects, ret_result);
	}
}
