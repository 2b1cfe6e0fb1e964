/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/inspect/pipeline.h"

#include "modules/inspect/recipe/condition.h"
#include "modules/inspect/each.h"
#include "modules/inspect/judgement.h"
#include "modules/inspect/learn/drift.h"

static const struct vd_recipe *recipe_of(const struct vd_pipeline *pipeline)
{
	return pipeline->item->recipe;
}

/* ---- what keeps a step from being run ---- */

/* The first gate before the step that is shut; NULL: all are open. */
static const struct vd_step *shut_gate(const struct vd_pipeline *pipeline,
				       const struct vd_step *step)
{
	const struct vd_recipe *recipe = recipe_of(pipeline);

	for (int n = 0; n < recipe->step_count; n++) {
		const int i = recipe->order[n];

		if ((step->turn.gates >> i & 1) && pipeline->results[i].verdict > VD_WARNING)
			return &recipe->steps[i];
	}
	return NULL;
}

/* The step that this one cannot do without, if it was skipped; NULL: none was. */
static const struct vd_step *skipped_source(const struct vd_pipeline *pipeline,
					    const struct vd_step *step)
{
	const struct vd_recipe *recipe = recipe_of(pipeline);
	const int sources[] = { step->align_to, step->input,
				step->turn.each.is_set ? step->turn.each.step : -1 };

	for (size_t i = 0; i < VD_COUNT(sources); i++) {
		if (sources[i] >= 0 && pipeline->results[sources[i]].state == VD_STEP_SKIPPED)
			return &recipe->steps[sources[i]];
	}
	return NULL;
}

static bool is_past(const struct vd_pipeline *pipeline, uint64_t from_us, int ms)
{
	return !pipeline->is_untimed && ms > 0 &&
	       pipeline->now_us() > from_us + (uint64_t)ms * 1000;
}

/* false: result says why nothing was wanted. */
static bool is_wanted(const struct vd_pipeline *pipeline, const struct vd_step *step,
		      struct vd_step_result *result)
{
	const struct vd_step *source = skipped_source(pipeline, step);
	char missing[VD_STEP_TEXT / 2];

	if (source) {
		vd_step_skipped(result, step->turn.when_skipped, "step %s was", source->id);
		return false;
	}
	if (!step->turn.condition)
		return true;
	switch (vd_condition_holds(step, pipeline->item, pipeline->results, missing,
				   sizeof missing)) {
	case VD_TRUE:
		return true;
	case VD_FALSE:
		vd_step_skipped(result, step->turn.when_skipped, "its condition is false");
		return false;
	case VD_UNKNOWN:
		break;
	}
	vd_step_undecided(result, "condition", "%s is missing", missing);
	return false;
}

static const char *excuse_of(const struct vd_course *course)
{
	return course->state == VD_UNTRAINED  ? "no_model"
	       : course->state == VD_REJECTED ? "rejected"
					      : "learning";
}

/* false: the region is lit so differently from what was learnt that a comparison says nothing. */
static bool check_light(const struct vd_pipeline *pipeline, const struct vd_step *step,
			const struct vd_step_view *view, struct vd_step_result *result)
{
	const struct vd_course *course = pipeline->course;
	const struct vd_model_step *learnt =
		course->model ? vd_model_find(course->model, step->id, VD_VARIATION) : NULL;
	const struct vd_pose identity = vd_pose_identity();
	const struct vd_pose *pose = view->located ? &view->located->pose : &identity;
	const double allowed = recipe_of(pipeline)->drift.photometric;
	struct vd_photometry photometry = { 0 };

	if (!learnt || !vd_photometry_measure(learnt, view->frame, pose, &photometry))
		return true;
	if (vd_photometry_is_within(&photometry, allowed) ||
	    (view->located && view->located->verdict == VD_NO_DECISION))
		return true;
	vd_step_undecided(
		result, "illumination",
		"gain %.2f, offset %.0f grey levels against the model; %.0f %% is allowed",
		photometry.gain, photometry.offset, 100 * allowed);
	return false;
}

/* false: there is nothing to look at; result says why. */
static bool check_sight(const struct vd_pipeline *pipeline, const struct vd_step *step,
			const struct vd_step_view *view, struct vd_step_result *result)
{
	const struct vd_recipe *recipe = recipe_of(pipeline);

	if (!pipeline->looks[step->camera].is_good)
		vd_step_undecided(result, "no_frame", "camera %s", recipe->cameras[step->camera]);
	else if (!view->frame)
		vd_step_undecided(result, "no_image", "step %s: %.80s",
				  recipe->steps[step->input].id,
				  pipeline->results[step->input].text);
	else
		return true;
	return false;
}

/* false: result says why not, or that there is no need. */
static bool can_run(const struct vd_pipeline *pipeline, const struct vd_step *step,
		    const struct vd_step_view *view, struct vd_step_result *result)
{
	const struct vd_recipe *recipe = recipe_of(pipeline);
	const struct vd_step *gate = shut_gate(pipeline, step);

	if (recipe->stops_early && vd_judge_is_forced(recipe, pipeline->results)) {
		vd_step_undecided(result, "decided", "the item is NG already");
		result->state = VD_STEP_SPARED;
		return false;
	}
	if (gate) {
		vd_step_undecided(result, "gated", "step %s", gate->id);
		return false;
	}
	if (!is_wanted(pipeline, step, result) || !check_sight(pipeline, step, view, result))
		return false;
	if (is_past(pipeline, pipeline->item->started_us, recipe->max_ms))
		vd_step_undecided(result, "deadline", "it could not begin within %d ms",
				  recipe->max_ms);
	else if (vd_step_learns(step) && !vd_course_judges(pipeline->course))
		vd_step_undecided(result, excuse_of(pipeline->course), "%s", pipeline->excuse);
	else
		return check_light(pipeline, step, view, result);
	return false;
}

/* ---- running ---- */

static void drop_late(struct vd_pipeline *pipeline, const struct vd_step *step, uint64_t start_us,
		      struct vd_step_result *result)
{
	const struct vd_recipe *recipe = recipe_of(pipeline);
	const bool took_long = is_past(pipeline, start_us, step->turn.max_ms);
	const double ms = (double)(pipeline->now_us() - start_us) / 1000;

	if (!took_long && !is_past(pipeline, pipeline->item->started_us, recipe->max_ms))
		return;
	vd_step_result_fini(result);
	vd_step_result_init(result);
	if (took_long)
		vd_step_undecided(result, "deadline", "it took %.1f ms, %d are allowed", ms,
				  step->turn.max_ms);
	else
		vd_step_undecided(result, "deadline", "it did not end within %d ms of the item",
				  recipe->max_ms);
	result->state = VD_STEP_NOT_RUN;
	(void)__atomic_add_fetch(&pipeline->late, 1, __ATOMIC_RELAXED);
}

static void run_tool(struct vd_pipeline *pipeline, int i, const struct vd_step_view *view,
		     struct vd_step_result *result)
{
	const struct vd_recipe *recipe = recipe_of(pipeline);

	if (recipe->steps[i].turn.each.is_set)
		vd_each_run(&pipeline->runner, recipe, i, view, pipeline->results, result);
	else
		pipeline->runner.run(pipeline->runner.argument, i, view, result);
}

/* The camera's frame, or the image that a step made of it; without a frame: it made none. */
static struct vd_step_view view_of(const struct vd_pipeline *pipeline, const struct vd_step *step,
				   int lane)
{
	const struct vd_look *seen = &pipeline->looks[step->camera];
	const struct vd_edited *edited =
		step->input < 0 ? NULL : pipeline->results[step->input].edited;
	struct vd_step_view view = {
		.serial = pipeline->item->serial,
		.located = step->align_to < 0 ? NULL : &pipeline->results[step->align_to],
		.lane = lane,
	};

	if (step->input < 0) {
		view.frame = &seen->image;
		view.colour = seen->has_colour ? &seen->colour : NULL;
	} else if (edited) {
		view.frame = &edited->grey;
		view.colour = edited->has_colour ? &edited->colour : NULL;
		view.place = &edited->place;
	}
	return view;
}

static void run_step(void *argument, int i, int lane)
{
	struct vd_pipeline *pipeline = argument;
	const struct vd_step *step = &recipe_of(pipeline)->steps[i];
	struct vd_step_result *result = &pipeline->results[i];
	const struct vd_step_view view = view_of(pipeline, step, lane);
	const uint64_t start_us = pipeline->now_us();

	vd_step_result_init(result);
	result->state = VD_STEP_NOT_RUN;
	if (can_run(pipeline, step, &view, result)) {
		run_tool(pipeline, i, &view, result);
		drop_late(pipeline, step, start_us, result);
	}
	result->ms = (double)(pipeline->now_us() - start_us) / 1000;
}

static uint32_t needs_of(void *argument, int i)
{
	const struct vd_pipeline *pipeline = argument;

	return recipe_of(pipeline)->steps[i].turn.needs;
}

/* Until a step has ended, it has no decision. */
static void begin(struct vd_pipeline *pipeline)
{
	for (int i = 0; i < recipe_of(pipeline)->step_count; i++) {
		vd_step_result_init(&pipeline->results[i]);
		vd_step_undecided(&pipeline->results[i], "internal", "its turn never came");
		pipeline->results[i].state = VD_STEP_NOT_RUN;
	}
}

void vd_pipeline_run(struct vd_pipeline *pipeline, struct vd_lanes *lanes)
{
	const struct vd_recipe *recipe = recipe_of(pipeline);
	const struct vd_tasks tasks = {
		.count = recipe->step_count,
		.order = recipe->order,
		.needs = needs_of,
		.run = run_step,
		.argument = pipeline,
	};

	begin(pipeline);
	/* Which steps are spared must not depend on which were faster. */
	vd_lanes_run(lanes, recipe->stops_early ? 1 : pipeline->item->set->workers, &tasks);
}
