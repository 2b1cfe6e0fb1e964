/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules count how many parts are at least as good as OK, as WARN, as NO_DECISION. "min of them
 * must be OK" then is: the best level that min parts reach. Counting that way is what makes the
 * verdict monotone, and what decides early exactly when a missing result cannot matter.
 */
#include "modules/inspect/recipe/rules.h"

#include <math.h>
#include <string.h>

const char *vd_verdict_name(enum vd_verdict verdict)
{
	static const char *const names[VD_VERDICTS] = { "OK", "WARN", "NO_DECISION", "NG" };

	return names[verdict];
}

enum vd_verdict vd_verdict_worse(enum vd_verdict a, enum vd_verdict b)
{
	return a > b ? a : b;
}

/* ---- limits ---- */

struct vd_limits vd_limits_none(void)
{
	return (struct vd_limits){ NAN, NAN, NAN };
}

enum vd_verdict vd_limits_judge(const struct vd_limits *limits, double value)
{
	if (!isfinite(value))
		return VD_NO_DECISION;
	/* A comparison with an absent bound is false. */
	if (value > limits->max || value < limits->min)
		return VD_NG;
	if (isnan(limits->max) ? value < limits->warn : value > limits->warn)
		return VD_WARNING;
	return VD_OK;
}

static double size_of(double bound)
{
	return bound == 0 ? 1 : fabs(bound);
}

double vd_limits_margin(const struct vd_limits *limits, double value)
{
	return fmin((limits->max - value) / size_of(limits->max),
		    (value - limits->min) / size_of(limits->min));
}

/* ---- counting ---- */

struct tally {
	size_t parts;
	size_t as_good_as[VD_VERDICTS]; /* parts with this verdict or a better one */
	size_t skipped;
};

static void count_part(struct tally *tally, const struct vd_part *part, enum vd_verdict skipped)
{
	const enum vd_verdict verdict = part->is_skipped ? skipped : part->verdict;

	tally->parts++;
	tally->skipped += part->is_skipped;
	for (int level = (int)verdict; level < VD_VERDICTS; level++)
		tally->as_good_as[level]++;
}

/* The best verdict that at least `wanted` parts reach. */
static enum vd_verdict reached_by(const struct tally *tally, size_t wanted)
{
	for (int level = VD_OK; level < VD_NG; level++) {
		if (tally->as_good_as[level] >= wanted)
			return (enum vd_verdict)level;
	}
	return VD_NG;
}

/* ---- objects ---- */

/* The steps whose objects a rule looks at. */
struct view {
	const struct vd_camera_rule *rule;
	const struct vd_step_outcome *steps;
	size_t count;
};

static bool is_seen(const struct view *view, const struct vd_step_outcome *step)
{
	return !step->part.is_skipped && (view->rule->step < 0 || view->rule->step == step->step);
}

static bool is_wanted(const struct vd_camera_rule *rule, const char *label)
{
	return !rule->label || strcmp(rule->label, label) == 0;
}

struct objects {
	size_t all, wanted;
	size_t steps;     /* that were looked at */
	bool is_complete; /* every step had a decision, and told all labels that matter */
};

static void count_step(const struct vd_camera_rule *rule, const struct vd_step_outcome *step,
		       struct objects *objects)
{
	objects->steps++;
	if (step->part.verdict == VD_NO_DECISION)
		objects->is_complete = false;
	if (!step->objects)
		return;
	for (size_t i = 0; i < step->objects->count; i++) {
		objects->all++;
		objects->wanted += is_wanted(rule, step->objects->list[i].label);
	}
	if (rule->kind == VD_OBJECTS && !rule->label)
		objects->wanted += step->objects->left_out;
	else if (step->objects->left_out > 0)
		objects->is_complete = false;
}

static struct objects count_objects(const struct view *view)
{
	struct objects objects = { .is_complete = true };

	for (size_t i = 0; i < view->count; i++) {
		if (is_seen(view, &view->steps[i]))
			count_step(view->rule, &view->steps[i], &objects);
	}
	return objects;
}

/* ---- rules over objects: what they say if all was seen ---- */

static enum vd_verdict judge_scores(const struct view *view)
{
	enum vd_verdict worst = VD_OK;
	bool is_any = false;

	for (size_t i = 0; i < view->count; i++) {
		const struct vd_object_list *objects = view->steps[i].objects;

		for (size_t k = 0; is_seen(view, &view->steps[i]) && objects && k < objects->count;
		     k++) {
			if (!is_wanted(view->rule, objects->list[k].label))
				continue;
			is_any = true;
			worst = vd_verdict_worse(worst, vd_limits_judge(&view->rule->limits,
									objects->list[k].score));
		}
	}
	return is_any ? worst : VD_NO_DECISION;
}

static double distance(const struct view *view, const struct vd_step_outcome *step,
		       const struct vd_object *object)
{
	double x = view->rule->x, y = view->rule->y;

	if (step->place) {
		const struct vd_placement back = vd_placement_back(&step->place->as_taught);

		vd_placement_map(&back, x, y, &x, &y);
	}
	if (step->pose)
		vd_pose_map(step->pose, x, y, &x, &y);
	if (step->place)
		vd_placement_map(&step->place->in_frame, x, y, &x, &y);
	return hypot(object->box.x + object->box.width / 2.0 - x,
		     object->box.y + object->box.height / 2.0 - y);
}

static enum vd_verdict judge_position(const struct view *view)
{
	double nearest = INFINITY;

	for (size_t i = 0; i < view->count; i++) {
		const struct vd_object_list *objects = view->steps[i].objects;

		for (size_t k = 0; is_seen(view, &view->steps[i]) && objects && k < objects->count;
		     k++) {
			if (is_wanted(view->rule, objects->list[k].label))
				nearest = fmin(nearest,
					       distance(view, &view->steps[i], &objects->list[k]));
		}
	}
	return isfinite(nearest) ? vd_limits_judge(&view->rule->limits, nearest) : VD_NG;
}

static double middle(const struct vd_object *object, bool along_y)
{
	return along_y ? object->box.y + object->box.height / 2.0
		       : object->box.x + object->box.width / 2.0;
}

/* The object that comes after `last`; NULL: none. Ties in the order in which they were found. */
static const struct vd_object *next_object(const struct view *view, const struct vd_object *last)
{
	const double from = last ? middle(last, view->rule->along_y) : -INFINITY;
	const struct vd_object *next = NULL;
	bool passed_last = !last;

	for (size_t i = 0; i < view->count; i++) {
		const struct vd_object_list *objects = view->steps[i].objects;

		for (size_t k = 0; is_seen(view, &view->steps[i]) && objects && k < objects->count;
		     k++) {
			const struct vd_object *object = &objects->list[k];
			const double at = middle(object, view->rule->along_y);

			if (object == last)
				passed_last = true;
			else if ((at > from || (at == from && passed_last)) &&
				 (!next || at < middle(next, view->rule->along_y)))
				next = object;
		}
	}
	return next;
}

static enum vd_verdict judge_order(const struct view *view, const struct objects *objects)
{
	const struct vd_object *object = NULL;

	if (objects->all != view->rule->label_count)
		return VD_NG;
	for (size_t i = 0; i < objects->all; i++) {
		object = next_object(view, object);
		if (!object || strcmp(object->label, view->rule->labels[i]) != 0)
			return VD_NG;
	}
	return VD_OK;
}

static bool is_broken_by_what_is_there(const struct vd_camera_rule *rule,
				       const struct objects *objects)
{
	switch (rule->kind) {
	case VD_EXPECTED_LABEL:
		return rule->every && objects->all > objects->wanted;
	case VD_UNEXPECTED_LABEL:
		return objects->wanted > 0;
	case VD_OBJECTS:
		return rule->max >= 0 && objects->wanted > (size_t)rule->max;
	case VD_ORDER:
		return objects->all > rule->label_count;
	default:
		return false;
	}
}

static enum vd_verdict judge_seen(const struct view *view, const struct objects *objects)
{
	const struct vd_camera_rule *rule = view->rule;

	switch (rule->kind) {
	case VD_EXPECTED_LABEL:
		return objects->wanted > 0 ? VD_OK : VD_NG;
	case VD_OBJECTS:
		return objects->wanted < (size_t)rule->min ? VD_NG : VD_OK;
	case VD_SCORE:
		return judge_scores(view);
	case VD_POSITION:
		return judge_position(view);
	case VD_ORDER:
		return judge_order(view, objects);
	default:
		return VD_OK;
	}
}

/* More objects may still come from steps without a decision; fewer may not. */
enum vd_verdict vd_objects_judge(const struct vd_camera_rule *rule,
				 const struct vd_step_outcome *steps, size_t count)
{
	const struct view view = { rule, steps, count };
	const struct objects objects = count_objects(&view);
	enum vd_verdict seen;

	if (objects.steps == 0)
		return VD_OK;
	if (is_broken_by_what_is_there(rule, &objects))
		return VD_NG;
	seen = judge_seen(&view, &objects);
	if (objects.is_complete)
		return seen;
	return rule->kind == VD_SCORE && seen == VD_NG ? VD_NG : VD_NO_DECISION;
}

/* ---- cameras ---- */

const char *vd_camera_rule_name(enum vd_camera_rule_kind kind)
{
	static const char *const names[VD_CAMERA_RULES] = {
		"allOk",   "anyOk", "expectedLabel", "unexpectedLabel",
		"objects", "score", "position",      "order",
	};

	return names[kind];
}

static bool is_about_steps(const struct vd_camera_rule *rule)
{
	return rule->kind == VD_ALL_OK || rule->kind == VD_ANY_OK;
}

static enum vd_verdict judge_steps(enum vd_camera_rule_kind kind,
				   const struct vd_step_outcome *steps, size_t count)
{
	struct tally tally = { 0 };

	for (size_t i = 0; i < count; i++)
		count_part(&tally, &steps[i].part, kind == VD_ALL_OK ? VD_OK : VD_NO_DECISION);
	return reached_by(&tally, kind == VD_ALL_OK ? count : 1);
}

static bool are_all_skipped(const struct vd_step_outcome *steps, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (!steps[i].part.is_skipped)
			return false;
	}
	return count > 0;
}

struct vd_part vd_camera_judge(const struct vd_camera_rule *rules, size_t rule_count,
			       const struct vd_step_outcome *steps, size_t count)
{
	struct vd_part part = { .verdict = VD_NO_DECISION };
	bool says_steps = false;

	part.is_skipped = are_all_skipped(steps, count);
	if (count == 0 || part.is_skipped)
		return part;
	part.verdict = VD_OK;
	for (size_t i = 0; i < rule_count; i++) {
		const bool is_about = is_about_steps(&rules[i]);

		says_steps |= is_about;
		part.verdict = vd_verdict_worse(
			part.verdict, is_about ? judge_steps(rules[i].kind, steps, count)
					       : vd_objects_judge(&rules[i], steps, count));
	}
	if (!says_steps)
		part.verdict = vd_verdict_worse(part.verdict, judge_steps(VD_ALL_OK, steps, count));
	return part;
}

/* ---- items ---- */

const char *vd_item_rule_name(enum vd_item_rule_kind kind)
{
	static const char *const names[VD_ITEM_RULES] = { "allOk", "minOk", "minOkRatio", "maxNg" };

	return names[kind];
}

static size_t wanted_parts(const struct vd_item_rule *rule, size_t parts)
{
	const size_t count = rule->count < 0 ? 0 : (size_t)rule->count;

	switch (rule->kind) {
	case VD_ITEM_ALL_OK:
		return parts;
	case VD_ITEM_MIN_OK:
		return count;
	case VD_ITEM_MIN_OK_RATIO:
		/* 0.7 of 10 is 7, though 0.7 * 10 is a little more in binary. */
		return (size_t)ceil(rule->ratio * (double)parts - 1e-9);
	case VD_ITEM_MAX_NG:
		return parts > count ? parts - count : 0;
	}
	return parts;
}

static bool wants_proof(const struct vd_item_rule *rule)
{
	return rule->kind == VD_ITEM_MIN_OK || rule->kind == VD_ITEM_MIN_OK_RATIO;
}

static enum vd_verdict judge_warnings(const struct vd_item_rule *rule, const struct vd_part *parts,
				      size_t count)
{
	struct tally tally = { 0 };
	size_t missing, less_than_ok;

	for (size_t i = 0; i < count; i++)
		count_part(&tally, &parts[i], VD_OK);
	missing = tally.as_good_as[VD_NO_DECISION] - tally.as_good_as[VD_WARNING];
	less_than_ok = tally.parts - tally.as_good_as[VD_OK];
	if (rule->max_warn < 0 || less_than_ok <= (size_t)rule->max_warn)
		return VD_OK;
	return less_than_ok - missing > (size_t)rule->max_warn ? VD_NG : VD_NO_DECISION;
}

static enum vd_verdict judge_parts(const struct vd_item_rule *rule, const struct vd_part *parts,
				   size_t count)
{
	struct tally tally = { 0 };

	for (size_t i = 0; i < count; i++)
		count_part(&tally, &parts[i], wants_proof(rule) ? VD_NO_DECISION : VD_OK);
	if (tally.skipped == tally.parts)
		return VD_NO_DECISION;
	return vd_verdict_worse(reached_by(&tally, wanted_parts(rule, count)),
				judge_warnings(rule, parts, count));
}

enum vd_verdict vd_item_judge(const struct vd_item_rule *rule, const struct vd_part *parts,
			      size_t part_count, const struct vd_part *vetoes, size_t veto_count)
{
	enum vd_verdict verdict = judge_parts(rule, parts, part_count);

	for (size_t i = 0; i < veto_count; i++) {
		if (!vetoes[i].is_skipped)
			verdict = vd_verdict_worse(verdict, vetoes[i].verdict);
	}
	if (verdict == VD_NO_DECISION && rule->missing_is_ng)
		return VD_NG;
	return verdict;
}
