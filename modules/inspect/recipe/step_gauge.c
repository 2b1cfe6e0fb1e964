/* SPDX-License-Identifier: Apache-2.0 */
/* Parameters of the tools that measure a frame directly (gauge.h). */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "modules/inspect/recipe/step.h"

/* The index of the text in names, which the schema allows; 0: absent. */
static int choice(const cJSON *json, const char *key, const char *const *names, int count)
{
	const char *name = vd_json_string(json, key, names[0]);

	for (int i = 0; i < count; i++) {
		if (strcmp(names[i], name) == 0)
			return i;
	}
	return 0;
}

#define CHOICE(json, key, ...)                                                                     \
	choice(json, key, (const char *const[]){ __VA_ARGS__ },                                    \
	       (int)VD_COUNT(((const char *const[]){ __VA_ARGS__ })))

static double number_at(const cJSON *array, int i)
{
	const cJSON *value = cJSON_GetArrayItem(array, i);

	return cJSON_IsNumber(value) ? value->valuedouble : 0;
}

static bool has_limit(const struct vd_step *step, enum vd_measure measure)
{
	const struct vd_limits *limit = &step->limits[measure];

	return !isnan(limit->min) || !isnan(limit->max);
}

/* ---- caliper ---- */

static int check_lengths(const struct vd_step *step, struct vd_fault *fault)
{
	static const enum vd_measure of_bars[] = { VD_MEASURE_WIDTH_PX, VD_MEASURE_PITCH_PX,
						   VD_MEASURE_WIDTH_MM, VD_MEASURE_PITCH_MM };
	static const enum vd_measure in_mm[] = { VD_MEASURE_POSITION_MM, VD_MEASURE_WIDTH_MM,
						 VD_MEASURE_PITCH_MM };

	for (size_t i = 0; i < VD_COUNT(of_bars) && !step->caliper.is_bar; i++) {
		if (has_limit(step, of_bars[i]))
			return vd_recipe_refuse(fault, "/limits", "only bars have",
						vd_measure_name(of_bars[i]));
	}
	for (size_t i = 0; i < VD_COUNT(in_mm) && step->caliper.px_per_mm == 0; i++) {
		if (has_limit(step, in_mm[i]))
			return vd_recipe_refuse(fault, "/limits",
						"needs pxPerMm:", vd_measure_name(in_mm[i]));
	}
	if (step->caliper.options.select == VD_SELECT_ALL ||
	    (!has_limit(step, VD_MEASURE_PITCH_PX) && !has_limit(step, VD_MEASURE_PITCH_MM)))
		return 0;
	return vd_recipe_refuse(fault, "/select", "a pitch is measured over all bars, not",
				"first, last or strongest");
}

/* The region that the line runs through: it is drawn, checked, and moves with the part. */
static int take_line(struct vd_step *step, const cJSON *array, struct vd_fault *fault)
{
	struct vd_line *line = &step->caliper.line;
	double half, left, top, right, low;

	*line = (struct vd_line){ number_at(array, 0), number_at(array, 1), number_at(array, 2),
				  number_at(array, 3), (int)number_at(array, 4) };
	step->caliper.has_line = true;
	if (line->width < 1)
		return vd_recipe_refuse(fault, "/line/4", "the width is at least 1", NULL);
	if (hypot(line->x1 - line->x0, line->y1 - line->y0) < 3)
		return vd_recipe_refuse(fault, "/line", "shorter than 3 px", NULL);
	half = (line->width - 1) / 2.0;
	left = floor(fmax(fmin(line->x0, line->x1) - half, 0));
	top = floor(fmax(fmin(line->y0, line->y1) - half, 0));
	right = ceil(fmax(line->x0, line->x1));
	low = ceil(fmax(line->y0, line->y1));
	step->roi = (struct vd_rect){ (int)left, (int)top, (int)(right + half - left) + 1,
				      (int)(low + half - top) + 1 };
	return 0;
}

static int parse_caliper(struct vd_step *step, const cJSON *json, struct vd_fault *fault)
{
	const struct vd_caliper_options defaults = vd_caliper_defaults();
	struct vd_caliper_step *caliper = &step->caliper;
	const cJSON *line = vd_json_array(json, "line");
	int r = 0;

	caliper->options = (struct vd_caliper_options){
		.sigma = vd_json_number(json, "sigma", defaults.sigma),
		.threshold = vd_json_number(json, "threshold", defaults.threshold),
		.transition =
			(enum vd_transition)CHOICE(json, "transition", "any", "toLight", "toDark"),
		.select =
			(enum vd_select)CHOICE(json, "select", "all", "first", "last", "strongest"),
	};
	caliper->is_bar = CHOICE(json, "measure", "edge", "bar") == 1;
	caliper->along_y = CHOICE(json, "along", "x", "y") == 1;
	caliper->px_per_mm = vd_json_number(json, "pxPerMm", 0);
	if (step->turn.each.is_set && line)
		return vd_recipe_refuse(fault, "/line", "the objects of foreach say where", NULL);
	if (!step->turn.each.is_set && !line == !(step->roi.width > 0))
		return vd_recipe_refuse(fault, "", "a caliper has either a line or a roi", NULL);
	if (line)
		r = take_line(step, line, fault);
	else if (!step->turn.each.is_set &&
		 (caliper->along_y ? step->roi.height : step->roi.width) < 3)
		r = vd_recipe_refuse(fault, "/roi", "shorter than 3 px", NULL);
	return r < 0 ? r : check_lengths(step, fault);
}

/* ---- blob ---- */

static int parse_blob(struct vd_step *step, const cJSON *json, struct vd_fault *fault)
{
	struct vd_count_options *count = &step->count;

	*count = vd_count_defaults();
	count->threshold = (enum vd_threshold)CHOICE(json, "threshold", "fixed", "otsu", "local");
	if (!vd_json_get(json, "threshold"))
		count->threshold = VD_THRESHOLD_OTSU;
	count->level = (int)vd_json_int(json, "level", count->level);
	count->window_px = (int)vd_json_int(json, "windowPx", count->window_px);
	count->polarity = CHOICE(json, "polarity", "light", "dark") == 1 ? VD_DARK : VD_BRIGHT;
	count->open_px = (int)vd_json_int(json, "openPx", count->open_px);
	count->area_min = vd_json_number(json, "minAreaPx", count->area_min);
	count->area_max = vd_json_number(json, "maxAreaPx", count->area_max);
	count->circularity_min = vd_json_number(json, "minCircularity", count->circularity_min);
	count->aspect_max = vd_json_number(json, "maxAspect", count->aspect_max);
	if (count->area_min > count->area_max)
		return vd_recipe_refuse(fault, "/minAreaPx", "minAreaPx is above maxAreaPx", NULL);
	return 0;
}

/* ---- presence ---- */

static int parse_presence(struct vd_step *step, const cJSON *json, struct vd_fault *fault)
{
	struct vd_limits *score = &step->limits[VD_MEASURE_SCORE];
	const bool has_levels =
		has_limit(step, VD_MEASURE_MEAN) || has_limit(step, VD_MEASURE_SPREAD);

	step->search_px = (int)vd_json_int(json, "searchPx", 4);
	if (step->golden.path && !has_limit(step, VD_MEASURE_SCORE))
		score->min = 0.8;
	if (!step->golden.path && has_limit(step, VD_MEASURE_SCORE))
		return vd_recipe_refuse(fault, "/limits/score", "needs golden", NULL);
	if (!step->golden.path && !has_levels)
		return vd_recipe_refuse(fault, "", "needs golden, or limits of mean or spread",
					NULL);
	return 0;
}

/* ---- stain, colour ---- */

static int parse_stain(struct vd_step *step, const cJSON *json, struct vd_fault *fault)
{
	struct vd_stain_options *stain = &step->stain;
	int least;

	*stain = vd_stain_defaults();
	stain->segment_px = (int)vd_json_int(json, "segmentPx", stain->segment_px);
	stain->travel = (int)vd_json_int(json, "travel", stain->travel);
	stain->level = (int)vd_json_int(json, "level", stain->level);
	stain->min_area_px = (int)vd_json_int(json, "minAreaPx", stain->min_area_px);
	stain->merge_px = (int)vd_json_int(json, "mergePx", stain->merge_px);
	stain->direction = (enum vd_stain_direction)(3 - CHOICE(json, "direction", "xy", "y", "x"));
	least = stain->segment_px * (stain->travel + 3) / 4 + stain->travel;
	if (step->roi.width > 0 && (step->roi.width < least || step->roi.height < least))
		return vd_recipe_refuse(fault, "/roi", "smaller than the segments compared", NULL);
	return 0;
}

static int parse_colour(struct vd_step *step, const cJSON *json)
{
	const cJSON *lab = vd_json_array(json, "reference");

	step->reference =
		(struct vd_lab){ number_at(lab, 0), number_at(lab, 1), number_at(lab, 2) };
	return 0;
}

/* ---- code ---- */

static int parse_code(struct vd_step *step, const cJSON *json, struct vd_fault *fault)
{
	const char *expected = vd_json_string(json, "expected", NULL);
	const char *pattern = vd_json_string(json, "pattern", NULL);
	const cJSON *kind;
	char text[128] = "";
	int r;

	cJSON_ArrayForEach(kind, vd_json_array(json, "kinds"))
	{
		step->code.kinds |= (unsigned)vd_code_kind_of(kind->valuestring);
	}
	step->code.timeout_ms = (int)vd_json_int(json, "timeoutMs", 200);
	if (!expected == !pattern)
		return vd_recipe_refuse(fault, "", "a code needs either expected or pattern", NULL);
	r = vd_code_expectation_new(expected, pattern, text, &step->code.expectation);
	return r == -EINVAL ? vd_recipe_refuse(fault, "/pattern", "no regular expression:", text)
			    : r;
}

int vd_step_parse_gauge(struct vd_step *step, const cJSON *json, struct vd_fault *fault)
{
	switch (step->tool) {
	case VD_CALIPER:
		return parse_caliper(step, json, fault);
	case VD_BLOB:
		return parse_blob(step, json, fault);
	case VD_PRESENCE:
		return parse_presence(step, json, fault);
	case VD_STAIN:
		return parse_stain(step, json, fault);
	case VD_COLOUR:
		return parse_colour(step, json);
	case VD_CODE:
		return parse_code(step, json, fault);
	case VD_MODEL:
	case VD_OCR:
		return vd_step_parse_model(step, json, fault);
	default:
		return 0;
	}
}
