/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules count how many parts are at least as good as OK, as WARN, as NO_DECISION. "min of them
 * must be OK" then is: the best level that min parts reach. Counting that way is what makes the
 * verdict monotone, and what decides early exactly when a missing result cannot matter.
 */
#include "modules/inspect/rules.h"

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
};

static struct tally tally_of(const enum vd_verdict *parts, size_t count)
{
	struct tally tally = { .parts = count };

	for (size_t i = 0; i < count; i++) {
		for (int level = (int)parts[i]; level < VD_VERDICTS; level++)
			tally.as_good_as[level]++;
	}
	return tally;
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

/* ---- cameras ---- */

static bool is_wanted(const struct vd_camera_rule *rule, const char *label)
{
	return !rule->label || strcmp(rule->label, label) == 0;
}

struct objects {
	size_t all, wanted;
	bool is_complete; /* every step had a decision, and told all labels that matter */
};

static void count_step(const struct vd_camera_rule *rule, const struct vd_step_outcome *step,
		       struct objects *objects)
{
	if (step->verdict == VD_NO_DECISION)
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

static struct objects count_objects(const struct vd_camera_rule *rule,
				    const struct vd_step_outcome *steps, size_t count)
{
	struct objects objects = { .is_complete = true };

	for (size_t i = 0; i < count; i++)
		count_step(rule, &steps[i], &objects);
	return objects;
}

/* More objects may still come from steps without a decision; fewer may not. */
static enum vd_verdict judge_objects(const struct vd_camera_rule *rule,
				     const struct objects *objects)
{
	const size_t others = objects->all - objects->wanted;
	bool too_many = false, too_few = false;

	switch (rule->kind) {
	case VD_EXPECTED_LABEL:
		too_few = objects->wanted == 0;
		too_many = rule->every && others > 0;
		break;
	case VD_UNEXPECTED_LABEL:
		too_many = objects->wanted > 0;
		break;
	case VD_OBJECTS:
		too_few = objects->wanted < (size_t)rule->min;
		too_many = rule->max >= 0 && objects->wanted > (size_t)rule->max;
		break;
	case VD_ALL_OK:
	case VD_ANY_OK:
		break;
	}
	if (too_many)
		return VD_NG;
	if (!objects->is_complete)
		return VD_NO_DECISION;
	return too_few ? VD_NG : VD_OK;
}

enum vd_verdict vd_camera_judge(const struct vd_camera_rule *rule,
				const struct vd_step_outcome *steps, size_t count)
{
	struct tally tally = { .parts = count };
	struct objects objects;

	if (count == 0)
		return VD_NO_DECISION;
	for (size_t i = 0; i < count; i++) {
		for (int level = (int)steps[i].verdict; level < VD_VERDICTS; level++)
			tally.as_good_as[level]++;
	}
	if (rule->kind == VD_ALL_OK)
		return reached_by(&tally, count);
	if (rule->kind == VD_ANY_OK)
		return reached_by(&tally, 1);
	objects = count_objects(rule, steps, count);
	return vd_verdict_worse(reached_by(&tally, count), judge_objects(rule, &objects));
}

/* ---- items ---- */

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

static enum vd_verdict judge_warnings(const struct vd_item_rule *rule, const struct tally *tally)
{
	const size_t missing = tally->as_good_as[VD_NO_DECISION] - tally->as_good_as[VD_WARNING];
	const size_t less_than_ok = tally->parts - tally->as_good_as[VD_OK];

	if (rule->max_warn < 0 || less_than_ok <= (size_t)rule->max_warn)
		return VD_OK;
	return less_than_ok - missing > (size_t)rule->max_warn ? VD_NG : VD_NO_DECISION;
}

enum vd_verdict vd_item_judge(const struct vd_item_rule *rule, const enum vd_verdict *parts,
			      size_t part_count, const enum vd_verdict *vetoes, size_t veto_count)
{
	const struct tally tally = tally_of(parts, part_count);
	enum vd_verdict verdict = VD_NO_DECISION;

	if (part_count > 0)
		verdict = vd_verdict_worse(reached_by(&tally, wanted_parts(rule, part_count)),
					   judge_warnings(rule, &tally));
	for (size_t i = 0; i < veto_count; i++)
		verdict = vd_verdict_worse(verdict, vetoes[i]);
	if (verdict == VD_NO_DECISION && rule->missing_is_ng)
		return VD_NG;
	return verdict;
}
