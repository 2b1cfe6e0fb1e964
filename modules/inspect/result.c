/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/inspect/result.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "modules/vision/warp.h"

const char *vd_step_state_name(enum vd_step_state state)
{
	static const char *const names[] = { "ran", "skipped", "notRun", "spared" };

	return names[state];
}

void vd_step_result_init(struct vd_step_result *result)
{
	const struct vd_placement identity = vd_placement_identity();

	*result =
		(struct vd_step_result){ .pose = vd_pose_identity(),
					 .place = { .in_frame = identity, .as_taught = identity } };
	for (int i = 0; i < VD_MEASURES; i++)
		result->values[i] = NAN;
}

void vd_step_result_fini(struct vd_step_result *result)
{
	vd_blobs_fini(&result->blobs);
	vd_object_list_fini(&result->objects);
	free(result->runs);
	result->runs = NULL;
	result->run_count = 0;
}

static void write_text(struct vd_step_result *result, const char *code, const char *format,
		       va_list args) VD_PRINTF(3, 0);

static void write_text(struct vd_step_result *result, const char *code, const char *format,
		       va_list args)
{
	const int n = snprintf(result->text, sizeof result->text, "%s: ", code);

	if (n > 0 && (size_t)n < sizeof result->text)
		(void)vsnprintf(result->text + n, sizeof result->text - (size_t)n, format, args);
}

void vd_step_undecided(struct vd_step_result *result, const char *code, const char *format, ...)
{
	va_list args;

	result->verdict = VD_NO_DECISION;
	va_start(args, format);
	write_text(result, code, format, args);
	va_end(args);
}

void vd_step_skipped(struct vd_step_result *result, enum vd_stead stead, const char *format, ...)
{
	va_list args;

	result->state = VD_STEP_SKIPPED;
	result->verdict = stead == VD_STEAD_OK   ? VD_OK
			  : stead == VD_STEAD_NG ? VD_NG
						 : VD_NO_DECISION;
	va_start(args, format);
	write_text(result, "skipped", format, args);
	va_end(args);
}

int vd_step_add_blobs(struct vd_step_result *result)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < result->blobs.count; i++) {
		const struct vd_defect *defect = &result->blobs.defects[i];
		const struct vd_object object = { .score = NAN,
						  .box = defect->box,
						  .area = defect->area_px };

		r = vd_object_add(&result->objects, vd_polarity_name(defect->polarity), &object);
	}
	return r;
}

void vd_step_move_boxes(struct vd_step_result *result, struct vd_rect where)
{
	for (size_t i = 0; i < result->blobs.count; i++) {
		struct vd_rect *box = &result->blobs.defects[i].box;
		double x, y;

		vd_pose_map(&result->pose, where.x + box->x + box->width / 2.0,
			    where.y + box->y + box->height / 2.0, &x, &y);
		box->x = (int)lrint(x - box->width / 2.0);
		box->y = (int)lrint(y - box->height / 2.0);
	}
}

void vd_step_place_boxes(struct vd_step_result *result)
{
	const struct vd_placement *in_frame = &result->place.in_frame;

	for (size_t i = 0; i < result->blobs.count; i++) {
		struct vd_rect *box = &result->blobs.defects[i].box;

		*box = vd_placement_box(in_frame, *box);
	}
	for (size_t i = 0; i < result->objects.count; i++) {
		struct vd_rect *box = &result->objects.list[i].box;

		*box = vd_placement_box(in_frame, *box);
	}
}

/* ---- judging ---- */

static void explain(const struct vd_step *step, struct vd_step_result *result)
{
	const struct vd_limits *limit = &step->limits[result->deciding];
	const double value = result->values[result->deciding];
	const char *name = vd_measure_name(result->deciding);

	if (value > limit->max)
		(void)snprintf(result->text, sizeof result->text, "%s %.4g is above %.4g", name,
			       value, limit->max);
	else if (value < limit->min)
		(void)snprintf(result->text, sizeof result->text, "%s %.4g is below %.4g", name,
			       value, limit->min);
	else
		(void)snprintf(result->text, sizeof result->text, "%s %.4g is beyond %.4g", name,
			       value, limit->warn);
}

static bool has_limits(const struct vd_limits *limit)
{
	return !isnan(limit->min) || !isnan(limit->max) || !isnan(limit->warn);
}

void vd_step_judge(const struct vd_step *step, struct vd_step_result *result)
{
	double least = INFINITY;

	result->verdict = VD_OK;
	result->deciding = VD_MEASURE_SCORE;
	for (int i = 0; i < VD_MEASURES; i++) {
		const struct vd_limits *limit = &step->limits[i];
		enum vd_verdict verdict;
		double margin;

		if (!has_limits(limit))
			continue;
		verdict = vd_limits_judge(limit, result->values[i]);
		margin = vd_limits_margin(limit, result->values[i]);
		if (verdict > result->verdict || (verdict == result->verdict && margin < least)) {
			result->deciding = (enum vd_measure)i;
			least = margin;
		}
		result->verdict = vd_verdict_worse(result->verdict, verdict);
	}
	if (result->verdict == VD_NO_DECISION)
		vd_step_undecided(result, "not_finite", "%s is not a number",
				  vd_measure_name(result->deciding));
	else if (result->verdict != VD_OK)
		explain(step, result);
}
