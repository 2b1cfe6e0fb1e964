/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/inspect/recipe/step.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "modules/inspect/recipe/plan.h"

const char *vd_tool_name(enum vd_tool tool)
{
	static const char *const names[VD_TOOLS] = { "locate", "variation", "golden", "texture",
						     "image",  "caliper",   "blob",   "presence",
						     "stain",  "colour",    "focus",  "code",
						     "model",  "ocr" };

	return names[tool];
}

const char *vd_measure_name(enum vd_measure measure)
{
	static const char *const names[VD_MEASURES] = {
		[VD_MEASURE_SCORE] = "score",
		[VD_MEASURE_DEFECTS] = "defects",
		[VD_MEASURE_AREA] = "defectAreaPx",
		[VD_MEASURE_DX] = "dx",
		[VD_MEASURE_DY] = "dy",
		[VD_MEASURE_ANGLE] = "angleDeg",
		[VD_MEASURE_COUNT] = "count",
		[VD_MEASURE_POSITION_PX] = "positionPx",
		[VD_MEASURE_WIDTH_PX] = "widthPx",
		[VD_MEASURE_PITCH_PX] = "pitchPx",
		[VD_MEASURE_POSITION_MM] = "positionMm",
		[VD_MEASURE_WIDTH_MM] = "widthMm",
		[VD_MEASURE_PITCH_MM] = "pitchMm",
		[VD_MEASURE_CONTRAST] = "contrast",
		[VD_MEASURE_OBJECT_AREA] = "areaPx",
		[VD_MEASURE_MEAN] = "mean",
		[VD_MEASURE_SPREAD] = "spread",
		[VD_MEASURE_LEVEL] = "level",
		[VD_MEASURE_DELTA_E] = "deltaE",
		[VD_MEASURE_LAB_L] = "labL",
		[VD_MEASURE_LAB_A] = "labA",
		[VD_MEASURE_LAB_B] = "labB",
		[VD_MEASURE_SHARPNESS] = "sharpness",
		[VD_MEASURE_NOISE] = "noise",
		[VD_MEASURE_DARK] = "dark",
		[VD_MEASURE_BRIGHT] = "bright",
	};

	return names[measure];
}

#define MEASURE(name) (UINT64_C(1) << VD_MEASURE_##name)

bool vd_tool_measures(enum vd_tool tool, enum vd_measure measure)
{
	static const uint64_t of_defects = MEASURE(SCORE) | MEASURE(DEFECTS) | MEASURE(AREA);
	static const uint64_t of_lengths = MEASURE(POSITION_PX) | MEASURE(WIDTH_PX) |
					   MEASURE(PITCH_PX) | MEASURE(POSITION_MM) |
					   MEASURE(WIDTH_MM) | MEASURE(PITCH_MM);
	const uint64_t measures[VD_TOOLS] = {
		[VD_LOCATE] = MEASURE(SCORE) | MEASURE(DX) | MEASURE(DY) | MEASURE(ANGLE),
		[VD_VARIATION] = of_defects,
		[VD_GOLDEN] = of_defects,
		[VD_TEXTURE] = of_defects,
		[VD_CALIPER] = of_lengths | MEASURE(COUNT) | MEASURE(CONTRAST),
		[VD_BLOB] = MEASURE(COUNT) | MEASURE(OBJECT_AREA),
		[VD_PRESENCE] = MEASURE(SCORE) | MEASURE(MEAN) | MEASURE(SPREAD) | MEASURE(DX) |
				MEASURE(DY),
		[VD_STAIN] = of_defects | MEASURE(LEVEL),
		[VD_COLOUR] = MEASURE(DELTA_E) | MEASURE(LAB_L) | MEASURE(LAB_A) | MEASURE(LAB_B),
		[VD_FOCUS] = MEASURE(SHARPNESS) | MEASURE(NOISE) | MEASURE(MEAN) | MEASURE(DARK) |
			     MEASURE(BRIGHT),
		[VD_MODEL] = MEASURE(SCORE) | MEASURE(COUNT) | MEASURE(OBJECT_AREA),
		[VD_OCR] = MEASURE(SCORE),
	};

	return measures[tool] >> measure & 1;
}

bool vd_tool_finds_objects(enum vd_tool tool)
{
	return tool == VD_VARIATION || tool == VD_GOLDEN || tool == VD_TEXTURE || tool == VD_BLOB ||
	       tool == VD_STAIN || tool == VD_MODEL;
}

bool vd_step_learns(const struct vd_step *step)
{
	return step->tool == VD_VARIATION || step->tool == VD_TEXTURE ||
	       (step->tool == VD_LOCATE && !step->golden.path);
}

bool vd_step_locates(const struct vd_step *step)
{
	return step->tool == VD_LOCATE && step->input < 0;
}

bool vd_tool_gauges(enum vd_tool tool)
{
	return tool >= VD_CALIPER;
}

static enum vd_tool tool_of(const cJSON *json)
{
	const char *name = vd_json_string(json, "tool", "");

	for (int i = 0; i < VD_TOOLS; i++) {
		if (strcmp(vd_tool_name((enum vd_tool)i), name) == 0)
			return (enum vd_tool)i;
	}
	return VD_VARIATION;
}

/* ---- limits ---- */

int vd_limits_check(const struct vd_limits *limit, struct vd_fault *fault)
{
	if (limit->min > limit->max)
		return vd_recipe_refuse(fault, "/min", "min is above max", NULL);
	if (isnan(limit->min) && isnan(limit->max))
		return vd_recipe_refuse(fault, "", "a limit needs min or max", NULL);
	if (limit->warn > limit->max)
		return vd_recipe_refuse(fault, "/warn", "warn is above max", NULL);
	if (limit->warn < limit->min)
		return vd_recipe_refuse(fault, "/warn", "warn is below min", NULL);
	return 0;
}

static bool finds_defects(enum vd_tool tool)
{
	return tool == VD_VARIATION || tool == VD_GOLDEN || tool == VD_TEXTURE || tool == VD_STAIN;
}

static int parse_limits(struct vd_step *step, const cJSON *json, struct vd_fault *fault)
{
	const cJSON *limits = vd_json_object(json, "limits");

	for (int i = 0; i < VD_MEASURES; i++) {
		const char *name = vd_measure_name((enum vd_measure)i);
		const cJSON *limit = vd_json_object(limits, name);

		step->limits[i] = (struct vd_limits){ vd_json_number(limit, "min", NAN),
						      vd_json_number(limit, "max", NAN),
						      vd_json_number(limit, "warn", NAN) };
		if (limit && vd_limits_check(&step->limits[i], fault) < 0) {
			vd_fault_under(fault, name);
			vd_fault_under(fault, "limits");
			return -EINVAL;
		}
	}
	if (finds_defects(step->tool) && !(limits && limits->child))
		step->limits[VD_MEASURE_DEFECTS].max = 0;
	return 0;
}

/* ---- tools' parameters ---- */

static enum vd_polarity polarity_of(const cJSON *json)
{
	const char *name = vd_json_string(json, "polarity", "lightDark");

	return strcmp(name, "light") == 0  ? VD_BRIGHT
	       : strcmp(name, "dark") == 0 ? VD_DARK
					   : VD_BRIGHT_AND_DARK;
}

static void parse_blobs(struct vd_blob_options *blobs, const cJSON *json)
{
	blobs->open_px = (int)vd_json_int(json, "openPx", blobs->open_px);
	blobs->merge_px = (int)vd_json_int(json, "mergePx", blobs->merge_px);
	blobs->min_area_px = (int)vd_json_int(json, "minAreaPx", blobs->min_area_px);
	blobs->min_peak = (int)vd_json_int(json, "minPeak", blobs->min_peak);
	blobs->polarity = polarity_of(json);
}

static void parse_pair(double pair[2], const cJSON *json, const char *key)
{
	const cJSON *array = vd_json_array(json, key);

	for (int i = 0; i < 2; i++) {
		const cJSON *value = cJSON_GetArrayItem(array, i);

		pair[i] = cJSON_IsNumber(value) ? value->valuedouble : pair[i];
	}
}

static void parse_tool(struct vd_step *step, const cJSON *json)
{
	switch (step->tool) {
	case VD_LOCATE:
		step->locate = (struct vd_locate_options){
			.search_px = (int)vd_json_int(json, "searchPx", 16),
			.angle_deg = vd_json_number(json, "angleDeg", 0),
			.min_score = vd_json_number(json, "minScore", 0.7),
		};
		return;
	case VD_VARIATION:
		step->variation = vd_variation_defaults();
		parse_pair(step->variation.abs_threshold, json, "absThreshold");
		parse_pair(step->variation.var_threshold, json, "varThreshold");
		step->variation.edge_tolerance_px =
			vd_json_number(json, "edgeTolerancePx", step->variation.edge_tolerance_px);
		step->variation.window_px =
			(int)vd_json_int(json, "normPx", step->variation.window_px);
		parse_blobs(&step->variation.blobs, json);
		return;
	case VD_GOLDEN:
		step->band = vd_golden_defaults();
		step->band.tolerance_px =
			(int)vd_json_int(json, "tolerancePx", step->band.tolerance_px);
		step->band.threshold = (int)vd_json_int(json, "threshold", step->band.threshold);
		step->band.window_px = (int)vd_json_int(json, "normPx", step->band.window_px);
		step->band.tiles.tile_px =
			(int)vd_json_int(json, "tilePx", step->band.tiles.tile_px);
		step->band.tiles.search_px =
			(int)vd_json_int(json, "searchPx", step->band.tiles.search_px);
		parse_blobs(&step->band.blobs, json);
		return;
	case VD_TEXTURE:
		step->variation =
			vd_variation_defaults(); /* of challenge defects: both polarities */
		step->texture.scope = strcmp(vd_json_string(json, "scope", ""), "global") == 0
					      ? VD_TEXTURE_GLOBAL
					      : VD_TEXTURE_POSITION;
		step->texture.threshold = vd_json_number(json, "threshold", 0);
		return;
	default:
		return; /* vd_step_parse_gauge */
	}
}

static int parse_golden(struct vd_step *step, const cJSON *json, struct vd_fault *fault)
{
	const cJSON *golden = vd_json_object(json, "golden");
	const char *file = vd_json_string(golden, "file", NULL);
	const char *name = vd_json_string(golden, "name", "");

	if (!golden)
		return 0;
	if (!file && strchr(name, '/'))
		return vd_recipe_refuse(fault, "/golden/name", "a file name, not a path:", name);
	if (file)
		step->golden.path = strdup(file);
	else if (asprintf(&step->golden.path, "%s/%s", vd_json_string(golden, "folder", ""), name) <
		 0)
		step->golden.path = NULL;
	return step->golden.path ? 0 : -ENOMEM;
}

/* ---- regions ---- */

struct vd_rect vd_step_area(const cJSON *array)
{
	int sides[4] = { 0 };

	for (int i = 0; i < 4; i++) {
		const cJSON *value = cJSON_GetArrayItem(array, i);

		sides[i] = cJSON_IsNumber(value) ? (int)value->valuedouble : 0;
	}
	return (struct vd_rect){ sides[0], sides[1], sides[2], sides[3] };
}

static int side_least(const struct vd_step *step)
{
	const bool is_tiled = step->tool == VD_GOLDEN && step->band.tiles.search_px > 0;

	if (step->tool == VD_TEXTURE)
		return 32;
	return step->tool == VD_LOCATE || is_tiled ? 16 : 1;
}

static int parse_roi(struct vd_step *step, const cJSON *json, struct vd_fault *fault)
{
	const cJSON *roi = vd_json_array(json, "roi");
	const int least = side_least(step);

	if (!roi)
		return 0;
	step->roi = vd_step_area(roi);
	if (step->roi.width < 1 || step->roi.height < 1)
		return vd_recipe_refuse(fault, "/roi", "the region is empty", NULL);
	if (step->roi.width < least || step->roi.height < least)
		return vd_recipe_refuse(
			fault, "/roi",
			least == 32 ? "smaller than 32 x 32" : "smaller than 16 x 16", NULL);
	return 0;
}

/* ---- the whole ---- */

static int parse_step(struct vd_recipe *recipe, struct vd_step *step, const cJSON *json,
		      struct vd_fault *fault)
{
	const char *camera = vd_json_string(json, "camera", "");
	int r;

	if (strlen(json->string) == 0 || strlen(json->string) >= VD_NAME_BYTES)
		return vd_recipe_refuse(fault, "", "a step's name has 1 to 64 bytes", NULL);
	(void)snprintf(step->id, sizeof step->id, "%s", json->string);
	step->tool = tool_of(json);
	step->input = -1;
	step->align_to = -1;
	step->gate = vd_json_bool(json, "gate", false);
	step->turn.each.is_set = vd_json_object(json, "foreach") != NULL;
	step->camera = vd_recipe_camera(recipe, camera);
	if (step->camera < 0)
		return vd_recipe_refuse(fault, "/camera", "the recipe has no camera", camera);
	parse_tool(step, json);
	r = parse_limits(step, json, fault);
	if (r == 0)
		r = parse_roi(step, json, fault);
	if (r == 0)
		r = parse_golden(step, json, fault);
	if (r == 0 && step->tool == VD_IMAGE)
		return vd_step_parse_image(step, json, fault);
	return r < 0 ? r : vd_step_parse_gauge(step, json, fault);
}

static int resolve_align(struct vd_recipe *recipe, struct vd_step *step, const cJSON *json,
			 struct vd_fault *fault)
{
	const char *id = vd_json_string(json, "alignTo", NULL);
	int target;

	if (!id)
		return 0;
	target = vd_recipe_step(recipe, id);
	if (target < 0)
		return vd_recipe_refuse(fault, "/alignTo", "the recipe has no step", id);
	if (recipe->steps[target].tool != VD_LOCATE)
		return vd_recipe_refuse(fault, "/alignTo", "not a locate step:", id);
	if (recipe->steps[target].camera != step->camera)
		return vd_recipe_refuse(fault, "/alignTo", "another camera's step:", id);
	if (recipe->steps[target].input != step->input)
		return vd_recipe_refuse(fault, "/alignTo", "finds the part in another image: step",
					id);
	if (step->tool == VD_IMAGE && step->made.edits[0].kind != VD_EDIT_CROP)
		return vd_recipe_refuse(fault, "/alignTo", "needs a crop first, that can move",
					NULL);
	if (step->tool != VD_IMAGE && step->roi.width == 0)
		return vd_recipe_refuse(fault, "/alignTo", "needs a roi that can move", NULL);
	step->align_to = target;
	return 0;
}

static int resolve_aligns(struct vd_recipe *recipe, const cJSON *steps, struct vd_fault *fault)
{
	const cJSON *json;
	int i = 0, r = 0;

	cJSON_ArrayForEach(json, steps)
	{
		r = resolve_align(recipe, &recipe->steps[i++], json, fault);
		if (r < 0) {
			vd_fault_under(fault, json->string);
			break;
		}
	}
	return r;
}

static int parse_all(struct vd_recipe *recipe, const cJSON *steps, struct vd_fault *fault)
{
	const cJSON *json;
	int r = 0;

	cJSON_ArrayForEach(json, steps)
	{
		if (recipe->step_count == VD_STEPS_MOST)
			return vd_recipe_refuse(fault, "", "too many steps", NULL);
		r = parse_step(recipe, &recipe->steps[recipe->step_count++], json, fault);
		if (r < 0) {
			vd_fault_under(fault, json->string);
			break;
		}
	}
	return r;
}

int vd_recipe_parse_steps(struct vd_recipe *recipe, const cJSON *steps, struct vd_fault *fault)
{
	int r;

	recipe->steps = calloc((size_t)cJSON_GetArraySize(steps) + 1, sizeof *recipe->steps);
	if (!recipe->steps)
		return -ENOMEM;
	r = parse_all(recipe, steps, fault);
	if (r == 0)
		r = vd_recipe_resolve_inputs(recipe, steps, fault);
	if (r == 0)
		r = resolve_aligns(recipe, steps, fault);
	if (r == 0)
		r = vd_recipe_check_regions(recipe, fault);
	if (r == 0)
		r = vd_plan_make(recipe, steps, fault);
	if (r < 0)
		vd_fault_under(fault, "steps");
	return r;
}
