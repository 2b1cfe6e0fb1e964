/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "modules/inspect/object.h"

/*
 * From measures to the verdict on an item. Pure. Three rules hold everywhere:
 *   - What is missing is never OK: the denominator is what the recipe declares, and a step
 *     without a result is NO_DECISION.
 *   - A rule decides against NO_DECISION only where the outcome is forced whatever the missing
 *     result would have been.
 *   - Monotone: a worse result of any step never gives a better verdict. OK is better than WARN,
 *     WARN better than NO_DECISION and NG, which both reject the item.
 */
enum vd_verdict { VD_OK, VD_WARNING, VD_NO_DECISION, VD_NG };

enum { VD_VERDICTS = 4 };

const char *vd_verdict_name(enum vd_verdict verdict); /* "OK" "WARN" "NO_DECISION" "NG" */

/* The one higher in the enum: NG over NO_DECISION over WARN over OK. */
enum vd_verdict vd_verdict_worse(enum vd_verdict a, enum vd_verdict b);

/* --- A measure against its limits --- */

/* Absent bounds are NaN. warn lies inside max, or inside min if there is no max. */
struct vd_limits {
	double min, max, warn;
};

struct vd_limits vd_limits_none(void);

/* A value that is not finite: VD_NO_DECISION. */
enum vd_verdict vd_limits_judge(const struct vd_limits *limits, double value);

/*
 * How far inside: (max - value) / |max|, or (value - min) / |min|, the smaller of the two;
 * negative outside, NaN without limits. A bound of 0 counts as 1.
 */
double vd_limits_margin(const struct vd_limits *limits, double value);

/* --- Steps of a camera --- */

/* What a step says about itself; objects are borrowed, NULL: none. */
struct vd_step_outcome {
	enum vd_verdict verdict;
	const struct vd_object_list *objects;
};

enum vd_camera_rule_kind {
	VD_ALL_OK,         /* every step */
	VD_ANY_OK,         /* at least one */
	VD_EXPECTED_LABEL, /* label is among the objects; every: all objects have it, and there is one */
	VD_UNEXPECTED_LABEL, /* label is not among the objects */
	VD_OBJECTS,          /* min .. max objects, of label if one is given */
};

struct vd_camera_rule {
	enum vd_camera_rule_kind kind;
	const char *label; /* borrowed; NULL: any (VD_OBJECTS only) */
	bool every;
	int min, max; /* max -1: no upper bound */
};

/*
 * Rules over objects hold beside the steps' own verdicts: the worse one counts. Steps without a
 * decision leave a rule over objects open, unless it is broken already. No steps: VD_NO_DECISION.
 */
enum vd_verdict vd_camera_judge(const struct vd_camera_rule *rule,
				const struct vd_step_outcome *steps, size_t count);

/* --- The item --- */

enum vd_item_rule_kind { VD_ITEM_ALL_OK, VD_ITEM_MIN_OK, VD_ITEM_MIN_OK_RATIO, VD_ITEM_MAX_NG };

struct vd_item_rule {
	enum vd_item_rule_kind kind;
	int count;          /* VD_ITEM_MIN_OK, VD_ITEM_MAX_NG */
	double ratio;       /* VD_ITEM_MIN_OK_RATIO, 0 .. 1, of the declared parts */
	int max_warn;       /* more parts than these that are less than OK: NG; -1: any number */
	bool missing_is_ng; /* policy for VD_NO_DECISION: fail safe as NG */
};

/*
 * parts: the verdicts of the declared cameras or steps the rule looks at; vetoes: those that
 * reject the item by themselves, whatever the rule says. No parts at all: VD_NO_DECISION.
 */
enum vd_verdict vd_item_judge(const struct vd_item_rule *rule, const enum vd_verdict *parts,
			      size_t part_count, const enum vd_verdict *vetoes, size_t veto_count);
