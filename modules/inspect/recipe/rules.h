/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "modules/inspect/object.h"
#include "modules/inspect/tools/placement.h"
#include "modules/vision/warp.h"

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

/* --- What was not looked at --- */

/*
 * A verdict that counts among others. is_skipped: nothing was looked at, and nothing was to be.
 * That is never against the part, and never for it: a rule that wants everything good passes over
 * it, a rule that wants so many good does not count it, and where all are skipped there is no
 * decision.
 */
struct vd_part {
	enum vd_verdict verdict;
	bool is_skipped; /* then verdict means nothing */
};

/* --- Steps of a camera --- */

/*
 * What a step says; objects, pose and place are borrowed, NULL: none, the part where it was taught,
 * and the camera's frame.
 */
struct vd_step_outcome {
	struct vd_part part;
	const struct vd_object_list *objects;
	const struct vd_pose *pose;   /* in the image that the step looked at */
	const struct vd_place *place; /* of that image */
	int step;                     /* what rules call it */
};

enum vd_camera_rule_kind {
	VD_ALL_OK,         /* every step */
	VD_ANY_OK,         /* at least one */
	VD_EXPECTED_LABEL, /* label is among the objects; every: all objects have it, and there is one */
	VD_UNEXPECTED_LABEL, /* label is not among the objects */
	VD_OBJECTS,          /* min .. max objects, of label if one is given */
	VD_SCORE,    /* each object within limits; none, or one without a score: no decision */
	VD_POSITION, /* the object nearest to a place is not too far off */
	VD_ORDER,    /* their labels, along x or y, are these and no others */
};

enum { VD_CAMERA_RULES = VD_ORDER + 1 };

const char *vd_camera_rule_name(enum vd_camera_rule_kind kind); /* as in the schema */

struct vd_camera_rule {
	enum vd_camera_rule_kind kind;
	int step;          /* whose objects; -1: those of all steps */
	const char *label; /* borrowed; NULL: any */
	bool every;
	int min, max;            /* max -1: no upper bound */
	struct vd_limits limits; /* VD_SCORE; VD_POSITION: of the distance, px */
	double x, y;         /* VD_POSITION: px, moves with the pose of the step that found it */
	bool along_y;        /* VD_ORDER */
	const char **labels; /* VD_ORDER; the strings are borrowed */
	size_t label_count;
};

/*
 * All rules must hold: the worst one counts. Where none of them is about the steps' own verdicts
 * (VD_ALL_OK, VD_ANY_OK), every step must be OK besides. Steps without a decision leave a rule over
 * objects open, unless it is broken already; it passes over steps that were skipped, and is not
 * asked if all it looks at were. No steps: VD_NO_DECISION. All skipped: so is the camera.
 */
struct vd_part vd_camera_judge(const struct vd_camera_rule *rules, size_t rule_count,
			       const struct vd_step_outcome *steps, size_t count);

/* What one rule over objects says, without the steps' own verdicts. */
enum vd_verdict vd_objects_judge(const struct vd_camera_rule *rule,
				 const struct vd_step_outcome *steps, size_t count);

/* --- The item --- */

enum vd_item_rule_kind { VD_ITEM_ALL_OK, VD_ITEM_MIN_OK, VD_ITEM_MIN_OK_RATIO, VD_ITEM_MAX_NG };

enum { VD_ITEM_RULES = VD_ITEM_MAX_NG + 1 };

const char *vd_item_rule_name(enum vd_item_rule_kind kind); /* as in the schema */

struct vd_item_rule {
	enum vd_item_rule_kind kind;
	int count;          /* VD_ITEM_MIN_OK, VD_ITEM_MAX_NG */
	double ratio;       /* VD_ITEM_MIN_OK_RATIO, 0 .. 1, of the declared parts */
	int max_warn;       /* more parts than these that are less than OK: NG; -1: any number */
	bool missing_is_ng; /* policy for VD_NO_DECISION: fail safe as NG */
};

/*
 * parts: the declared cameras or steps the rule looks at; vetoes: those that reject the item by
 * themselves, whatever the rule says. No parts at all, or all skipped: VD_NO_DECISION.
 */
enum vd_verdict vd_item_judge(const struct vd_item_rule *rule, const struct vd_part *parts,
			      size_t part_count, const struct vd_part *vetoes, size_t veto_count);
