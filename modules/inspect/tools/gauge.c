/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a tool finds several of a kind (edges, bars), each must keep the limits: the value that
 * is closest to its limit, or furthest over it, stands for all.
 */
#include "modules/inspect/tools/gauge.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "modules/image/edit.h"
#include "modules/inspect/tools/infer.h"
#include "modules/vision/focus.h"
#include "modules/vision/presence.h"
#include "modules/vision/warp.h"

struct vd_gauge {
	struct vd_image window, coloured, turned;
	struct vd_edit_work warping;
	struct vd_answer answer;
	struct vd_count_work count;
	struct vd_stain_work stain;
	struct vd_code_reader *reader;
	struct vd_codes codes;
	struct vd_edges edges;
	struct vd_bars bars;
};

int vd_gauge_new(struct vd_gauge **ret_gauge)
{
	VD_CLEANUP(vd_gauge_free) struct vd_gauge *gauge = calloc(1, sizeof *gauge);
	int r = gauge ? vd_code_reader_new(&gauge->reader) : -ENOMEM;

	if (r == 0)
		*ret_gauge = VD_TAKE(gauge);
	return r;
}

struct vd_gauge *vd_gauge_free(struct vd_gauge *gauge)
{
	if (!gauge)
		return NULL;
	vd_image_fini(&gauge->window);
	vd_image_fini(&gauge->coloured);
	vd_image_fini(&gauge->turned);
	vd_edit_work_fini(&gauge->warping);
	vd_answer_fini(&gauge->answer);
	vd_count_work_fini(&gauge->count);
	vd_stain_work_fini(&gauge->stain);
	(void)vd_code_reader_free(gauge->reader);
	free(gauge);
	return NULL;
}

static void failed(struct vd_step_result *result, int r)
{
	vd_step_undecided(result, "internal", "%s", strerror(-r));
}

static void outside(struct vd_step_result *result)
{
	vd_step_undecided(result, "outside", "the frame does not cover the region");
}

/* ---- the region ---- */

static struct vd_rect region_of(const struct vd_step *step, const struct vd_image *frame)
{
	return step->roi.width > 0 ? step->roi
				   : (struct vd_rect){ 0, 0, frame->width, frame->height };
}

/* The region as the part lies, with a margin that may lie outside. NULL: result says why. */
static const struct vd_image *cut(struct vd_gauge *gauge, const struct vd_step *step,
				  const struct vd_image *frame, int margin,
				  struct vd_step_result *result)
{
	struct vd_rect where = region_of(step, frame);
	int r;

	if (!vd_warp_inside(frame, &result->pose, where)) {
		outside(result);
		return NULL;
	}
	if (step->roi.width == 0 && margin == 0)
		return frame; /* the whole frame follows no part */
	where = (struct vd_rect){ where.x - margin, where.y - margin, where.width + 2 * margin,
				  where.height + 2 * margin };
	r = vd_warp(frame, &result->pose, where, &gauge->window);
	if (r == 0)
		return &gauge->window;
	failed(result, r);
	return NULL;
}

/* As cut, in colours. */
static const struct vd_image *cut_colour(struct vd_gauge *gauge, const struct vd_step *step,
					 const struct vd_image *colour,
					 struct vd_step_result *result)
{
	const struct vd_pose *pose = &result->pose;
	const struct vd_rect where = region_of(step, colour);
	int r;

	if (!vd_warp_inside(colour, pose, where)) {
		outside(result);
		return NULL;
	}
	if (step->roi.width == 0)
		return colour;
	if (pose->dx == 0 && pose->dy == 0 && pose->angle_deg == 0)
		r = vd_image_crop(colour, where, &gauge->coloured);
	else
		r = vd_warp_rgb(colour, pose, where, &gauge->warping, &gauge->coloured);
	if (r == 0)
		return &gauge->coloured;
	failed(result, r);
	return NULL;
}

/* ---- caliper ---- */

static void take(const struct vd_step *step, enum vd_measure measure, double value,
		 struct vd_step_result *result)
{
	const struct vd_limits *limits = &step->limits[measure];
	double *stands = &result->values[measure];

	if (isnan(*stands) || vd_limits_margin(limits, value) < vd_limits_margin(limits, *stands))
		*stands = value;
}

static void take_length(const struct vd_step *step, enum vd_measure px, enum vd_measure mm,
			double value, struct vd_step_result *result)
{
	if (isnan(value))
		return;
	take(step, px, value, result);
	if (step->caliper.px_per_mm > 0)
		take(step, mm, value / step->caliper.px_per_mm, result);
}

static void take_edges(const struct vd_step *step, const struct vd_edges *edges,
		       struct vd_step_result *result)
{
	result->values[VD_MEASURE_COUNT] = edges->count;
	for (int i = 0; i < edges->count; i++) {
		take_length(step, VD_MEASURE_POSITION_PX, VD_MEASURE_POSITION_MM,
			    edges->list[i].at_px, result);
		take(step, VD_MEASURE_CONTRAST, fabs(edges->list[i].amplitude), result);
	}
}

static void take_bars(const struct vd_step *step, const struct vd_bars *bars,
		      struct vd_step_result *result)
{
	result->values[VD_MEASURE_COUNT] = bars->count;
	for (int i = 0; i < bars->count; i++) {
		const struct vd_bar *bar = &bars->list[i];

		take_length(step, VD_MEASURE_POSITION_PX, VD_MEASURE_POSITION_MM, bar->centre_px,
			    result);
		take_length(step, VD_MEASURE_WIDTH_PX, VD_MEASURE_WIDTH_MM, bar->width_px, result);
		take_length(step, VD_MEASURE_PITCH_PX, VD_MEASURE_PITCH_MM, bar->pitch_px, result);
		take(step, VD_MEASURE_CONTRAST,
		     fmin(fabs(bar->first.amplitude), fabs(bar->second.amplitude)), result);
	}
}

/* The line as the part lies. */
static struct vd_line line_of(const struct vd_step *step, const struct vd_image *frame,
			      const struct vd_pose *pose)
{
	const struct vd_caliper_step *caliper = &step->caliper;
	struct vd_line line = caliper->has_line
				      ? caliper->line
				      : vd_line_through(region_of(step, frame), caliper->along_y);

	vd_pose_map(pose, line.x0, line.y0, &line.x0, &line.y0);
	vd_pose_map(pose, line.x1, line.y1, &line.x1, &line.y1);
	return line;
}

static void run_caliper(struct vd_gauge *gauge, const struct vd_step *step,
			const struct vd_gauge_view *view, struct vd_step_result *result)
{
	const struct vd_line line = line_of(step, view->frame, &result->pose);
	const struct vd_caliper_options *options = &step->caliper.options;
	const int r = step->caliper.is_bar
			      ? vd_caliper_bars(view->frame, &line, options, &gauge->bars)
			      : vd_caliper_edges(view->frame, &line, options, &gauge->edges);

	if (r == -ERANGE) {
		outside(result);
		return;
	}
	if (r == -E2BIG) {
		vd_step_undecided(result, "crowded", "more than %d edges", VD_EDGES_MOST);
		return;
	}
	if (r < 0) {
		failed(result, r);
		return;
	}
	if (step->caliper.is_bar)
		take_bars(step, &gauge->bars, result);
	else
		take_edges(step, &gauge->edges, result);
	vd_step_judge(step, result);
	if (result->verdict == VD_NO_DECISION)
		vd_step_undecided(result, "not_found", "%s %g of contrast %g",
				  step->caliper.is_bar ? "bars" : "edges",
				  result->values[VD_MEASURE_COUNT], options->threshold);
}

/* ---- blob ---- */

static void run_blob(struct vd_gauge *gauge, const struct vd_step *step,
		     const struct vd_gauge_view *view, struct vd_step_result *result)
{
	const struct vd_image *image = cut(gauge, step, view->frame, 0, result);
	struct vd_objects objects;
	int r;

	if (!image)
		return;
	r = vd_count_find(image, &step->count, &gauge->count, &objects);
	if (r == -EOVERFLOW) {
		vd_step_undecided(result, "crowded", "too many pieces to tell apart");
		return;
	}
	if (r < 0) {
		failed(result, r);
		return;
	}
	result->blobs = objects.blobs;
	vd_step_move_boxes(result, region_of(step, view->frame));
	result->values[VD_MEASURE_COUNT] = (double)objects.blobs.count;
	result->values[VD_MEASURE_OBJECT_AREA] = (double)objects.blobs.area_px;
	vd_step_judge(step, result);
}

/* ---- presence ---- */

static void run_presence(struct vd_gauge *gauge, const struct vd_step *step,
			 const struct vd_gauge_view *view, struct vd_step_result *result)
{
	const int margin = view->patch ? step->search_px : 0;
	const struct vd_image *image = cut(gauge, step, view->frame, margin, result);
	struct vd_presence presence;
	int r;

	if (!image)
		return;
	r = vd_presence_measure(image, margin, view->patch, &presence);
	if (r < 0) {
		failed(result, r);
		return;
	}
	result->values[VD_MEASURE_SCORE] = presence.score;
	result->values[VD_MEASURE_MEAN] = presence.mean;
	result->values[VD_MEASURE_SPREAD] = presence.spread;
	if (view->patch) {
		result->values[VD_MEASURE_DX] = presence.dx;
		result->values[VD_MEASURE_DY] = presence.dy;
	}
	vd_step_judge(step, result);
}

/* ---- stain ---- */

static void run_stain(struct vd_gauge *gauge, const struct vd_step *step,
		      const struct vd_gauge_view *view, struct vd_step_result *result)
{
	const struct vd_image *image = cut(gauge, step, view->frame, 0, result);
	struct vd_stains stains;
	int r;

	if (!image)
		return;
	r = vd_stain_find(image, &step->stain, &gauge->stain, &stains);
	if (r < 0) {
		failed(result, r);
		return;
	}
	result->blobs = stains.blobs;
	vd_step_move_boxes(result, region_of(step, view->frame));
	result->values[VD_MEASURE_SCORE] = stains.blobs.score;
	result->values[VD_MEASURE_LEVEL] = stains.level;
	result->values[VD_MEASURE_DEFECTS] = (double)stains.blobs.count;
	result->values[VD_MEASURE_AREA] = (double)stains.blobs.area_px;
	vd_step_judge(step, result);
}

/* ---- colour ---- */

static void run_colour(struct vd_gauge *gauge, const struct vd_step *step,
		       const struct vd_gauge_view *view, struct vd_step_result *result)
{
	struct vd_lab lab;
	int r;

	(void)gauge;
	if (!view->colour) {
		vd_step_undecided(result, "no_colour", "the frame has no colours");
		return;
	}
	r = vd_colour_measure(view->colour, &result->pose, region_of(step, view->colour), &lab);
	if (r == -ERANGE) {
		outside(result);
		return;
	}
	if (r < 0) {
		failed(result, r);
		return;
	}
	result->values[VD_MEASURE_LAB_L] = lab.l;
	result->values[VD_MEASURE_LAB_A] = lab.a;
	result->values[VD_MEASURE_LAB_B] = lab.b;
	result->values[VD_MEASURE_DELTA_E] = vd_lab_difference(&step->reference, &lab);
	vd_step_judge(step, result);
}

/* ---- focus ---- */

static void run_focus(struct vd_gauge *gauge, const struct vd_step *step,
		      const struct vd_gauge_view *view, struct vd_step_result *result)
{
	const struct vd_image *image = cut(gauge, step, view->frame, 0, result);
	struct vd_focus focus;
	int r;

	if (!image)
		return;
	r = vd_focus_measure(image, &focus);
	if (r < 0) {
		failed(result, r);
		return;
	}
	result->values[VD_MEASURE_SHARPNESS] = focus.sharpness;
	result->values[VD_MEASURE_NOISE] = focus.noise;
	result->values[VD_MEASURE_MEAN] = focus.mean;
	result->values[VD_MEASURE_DARK] = focus.dark;
	result->values[VD_MEASURE_BRIGHT] = focus.bright;
	vd_step_judge(step, result);
}

/* ---- code ---- */

static void take_code(const struct vd_code *code, struct vd_step_result *result)
{
	if (!code)
		return;
	vd_code_print(code, result->read, sizeof result->read);
	result->read_kind = vd_code_kind_name(code->kind);
}

static void judge_code(const struct vd_step *step, const struct vd_codes *codes,
		       struct vd_step_result *result)
{
	const struct vd_code *code;
	char shown[64] = "";

	switch (vd_code_judge(step->code.expectation, codes, &code)) {
	case VD_CODE_FITS:
		result->verdict = VD_OK;
		break;
	case VD_CODE_DIFFERS:
		result->verdict = VD_NG;
		vd_code_print(code, shown, sizeof shown);
		(void)snprintf(result->text, sizeof result->text,
			       "read \"%s\", which is not what is expected", shown);
		break;
	case VD_CODE_NONE:
		vd_step_undecided(result, "not_read", "no code was read");
		break;
	case VD_CODE_AMBIGUOUS:
		vd_step_undecided(result, "ambiguous", "more than one code could be meant");
		break;
	}
	take_code(code, result);
}

static void run_code(struct vd_gauge *gauge, const struct vd_step *step,
		     const struct vd_gauge_view *view, struct vd_step_result *result)
{
	const struct vd_image *image = cut(gauge, step, view->frame, 0, result);
	int r;

	if (!image)
		return;
	r = vd_code_read(gauge->reader, image, step->code.kinds, step->code.timeout_ms,
			 &gauge->codes);
	if (r == -ENOSYS)
		vd_step_undecided(result, "no_reader", "libzbar is not installed");
	else if (r < 0)
		failed(result, r);
	else
		judge_code(step, &gauge->codes, result);
}

/* ---- models ---- */

static void run_model(struct vd_gauge *gauge, const struct vd_step *step,
		      const struct vd_gauge_view *view, struct vd_step_result *result)
{
	const bool in_colour = view->colour && step->network.package &&
			       vd_package_sees_colour(step->network.package);
	const struct vd_image *image = in_colour ? cut_colour(gauge, step, view->colour, result)
						 : cut(gauge, step, view->frame, 0, result);

	if (image && step->network.quarters > 0) {
		const int r = vd_image_turn(image, step->network.quarters, &gauge->turned);

		if (r < 0) {
			failed(result, r);
			return;
		}
		image = &gauge->turned;
	}
	if (image)
		vd_infer(&gauge->answer, step, image, region_of(step, view->frame), result);
}

void vd_gauge_run(struct vd_gauge *gauge, const struct vd_step *step,
		  const struct vd_gauge_view *view, struct vd_step_result *result)
{
	static void (*const tools[VD_TOOLS])(struct vd_gauge *, const struct vd_step *,
					     const struct vd_gauge_view *,
					     struct vd_step_result *) = {
		[VD_CALIPER] = run_caliper, [VD_BLOB] = run_blob,     [VD_PRESENCE] = run_presence,
		[VD_STAIN] = run_stain,     [VD_COLOUR] = run_colour, [VD_FOCUS] = run_focus,
		[VD_CODE] = run_code,       [VD_MODEL] = run_model,   [VD_OCR] = run_model,
	};

	tools[step->tool](gauge, step, view, result);
}
