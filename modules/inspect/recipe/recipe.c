/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The schema has checked types and bounds and filled in defaults of what is there; this reads
 * the values, puts the same defaults where a whole object is absent, and checks what refers to
 * something else.
 */
#include "modules/inspect/recipe/recipe.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "modules/inspect/recipe/include.h"
#include "modules/inspect/tools/package.h"
#include "modules/inspect/recipe/step.h"
#include "modules/inspect/recipe/verdict.h"

int vd_recipe_refuse(struct vd_fault *fault, const char *pointer, const char *text,
		     const char *what)
{
	vd_fault_set(fault, 400, pointer, "%s%s%s%s", text, what ? " \"" : "", what ? what : "",
		     what ? "\"" : "");
	return -EINVAL;
}

static void copy_name(char to[static VD_NAME_BYTES], const char *from)
{
	const size_t n = strnlen(from, VD_NAME_BYTES - 1);

	memcpy(to, from, n);
	to[n] = '\0';
}

bool vd_name_is_plain(const char *name)
{
	const size_t n = strlen(name);

	if (n == 0 || n >= VD_NAME_BYTES || name[0] == '.')
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!isalnum((unsigned char)name[i]) && !strchr("._-", name[i]))
			return false;
	}
	return true;
}

int vd_recipe_camera(const struct vd_recipe *recipe, const char *name)
{
	for (int i = 0; i < recipe->camera_count; i++) {
		if (strcmp(recipe->cameras[i], name) == 0)
			return i;
	}
	return -1;
}

int vd_recipe_step(const struct vd_recipe *recipe, const char *id)
{
	for (int i = 0; i < recipe->step_count; i++) {
		if (strcmp(recipe->steps[i].id, id) == 0)
			return i;
	}
	return -1;
}

bool vd_recipe_learns(const struct vd_recipe *recipe)
{
	for (int i = 0; i < recipe->step_count; i++) {
		if (vd_step_learns(&recipe->steps[i]))
			return true;
	}
	return false;
}

bool vd_recipe_sees_colour(const struct vd_recipe *recipe, int camera)
{
	for (int i = 0; i < recipe->step_count; i++) {
		const struct vd_step *step = &recipe->steps[i];
		const struct vd_package *package = step->network.package;

		if (step->camera == camera &&
		    (step->tool == VD_COLOUR || (step->made.keep && !step->made.is_grey) ||
		     (package && vd_package_sees_colour(package))))
			return true;
	}
	return false;
}

/* ---- cameras ---- */

static int parse_cameras(struct vd_recipe *recipe, const cJSON *json, struct vd_fault *fault)
{
	const cJSON *camera;
	int i = 0;

	cJSON_ArrayForEach(camera, vd_json_array(json, "cameras"))
	{
		if (recipe->camera_count == VD_CAMERAS_MOST)
			return vd_recipe_refuse(fault, "/cameras", "too many cameras", NULL);
		if (vd_recipe_camera(recipe, camera->valuestring) >= 0) {
			(void)vd_recipe_refuse(fault, "",
					       "camera stands twice:", camera->valuestring);
			vd_fault_under_index(fault, i);
			vd_fault_under(fault, "cameras");
			return -EINVAL;
		}
		copy_name(recipe->cameras[recipe->camera_count++], camera->valuestring);
		i++;
	}
	return 0;
}

/* A camera nobody looks at could fail unseen. */
static int check_cameras_are_used(const struct vd_recipe *recipe, struct vd_fault *fault)
{
	for (int i = 0; i < recipe->camera_count; i++) {
		bool used = false;

		for (int k = 0; k < recipe->step_count && !used; k++)
			used = recipe->steps[k].camera == i && recipe->steps[k].tool != VD_IMAGE;
		if (used)
			continue;
		(void)vd_recipe_refuse(fault, "", "no step looks at camera", recipe->cameras[i]);
		vd_fault_under_index(fault, i);
		vd_fault_under(fault, "cameras");
		return -EINVAL;
	}
	return 0;
}

/* ---- models ---- */

static bool has_limits(const struct vd_step *step)
{
	for (int i = 0; i < VD_MEASURES; i++) {
		if (!isnan(step->limits[i].min) || !isnan(step->limits[i].max))
			return true;
	}
	return false;
}

/* Is another step run on each object of it? That one judges, then. */
static bool is_source(const struct vd_recipe *recipe, int step)
{
	for (int i = 0; i < recipe->step_count; i++) {
		const struct vd_each *each = &recipe->steps[i].turn.each;

		if (each->is_set && each->step == step)
			return true;
	}
	return false;
}

/* A class alone is neither good nor bad: something must say which ones are. */
static int check_models_are_judged(const struct vd_recipe *recipe, struct vd_fault *fault)
{
	for (int i = 0; i < recipe->step_count; i++) {
		const struct vd_step *step = &recipe->steps[i];

		if (step->tool != VD_MODEL || step->network.expected || step->network.unexpected ||
		    has_limits(step) || vd_recipe_judges_objects(recipe, step->camera) ||
		    is_source(recipe, i))
			continue;
		(void)vd_recipe_refuse(fault, "",
				       "a model needs expected, unexpected, limits, or a rule over "
				       "its camera's labels",
				       NULL);
		vd_fault_under(fault, step->id);
		vd_fault_under(fault, "steps");
		return -EINVAL;
	}
	return 0;
}

/* ---- images, exposure, learning ---- */

/* "all", "none", "1/N" */
static int parse_every(const char *text, int *ret_every)
{
	char *end;
	long every;

	if (strcmp(text, "all") == 0 || strcmp(text, "none") == 0) {
		*ret_every = text[0] == 'a';
		return 0;
	}
	if (strncmp(text, "1/", 2) != 0 || !isdigit((unsigned char)text[2]))
		return -EINVAL;
	every = strtol(text + 2, &end, 10);
	if (*end || every < 1 || every > 100000000)
		return -EINVAL;
	*ret_every = (int)every;
	return 0;
}

/* The schema bounds areas and numbers; what lies outside the frame is clipped. */
static int parse_veils(struct vd_recipe *recipe, const cJSON *images, struct vd_fault *fault)
{
	const cJSON *areas, *area;

	cJSON_ArrayForEach(areas, vd_json_object(images, "blur"))
	{
		const int camera = vd_recipe_camera(recipe, areas->string);
		struct vd_veil_areas *veil;

		if (camera < 0) {
			(void)vd_recipe_refuse(fault, "/images/blur", "the recipe has no camera",
					       areas->string);
			return -EINVAL;
		}
		veil = &recipe->veils[camera];
		veil->is_set = true;
		cJSON_ArrayForEach(area, areas)
		{
			if (veil->count < VD_VEIL_AREAS_MOST)
				veil->list[veil->count++] = vd_step_area(area);
		}
	}
	return 0;
}

/* Images that steps keep: none stays behind, and none shows what must not be recognised. */
static int check_kept(const struct vd_recipe *recipe, struct vd_fault *fault)
{
	int room = VD_IMAGES_MOST - recipe->keep.overlay - recipe->camera_count;

	for (int i = 0; i < recipe->step_count; i++) {
		const struct vd_step *step = &recipe->steps[i];
		const bool is_veiled = recipe->veils[step->camera].count > 0;

		if (!step->made.keep || (!is_veiled && --room >= 0))
			continue;
		(void)vd_recipe_refuse(fault, "/keep",
				       is_veiled ? "what is stored of this camera is blurred"
						 : "more than 4 images with the overlay and the "
						   "cameras' frames",
				       NULL);
		vd_fault_under(fault, step->id);
		vd_fault_under(fault, "steps");
		return -EINVAL;
	}
	return 0;
}

static int parse_images(struct vd_recipe *recipe, const cJSON *json, struct vd_fault *fault)
{
	const cJSON *images = vd_json_object(json, "images");
	const cJSON *keep = vd_json_object(images, "keep");

	recipe->keep.overlay = vd_json_bool(images, "overlay", true);
	recipe->keep.quality = (int)vd_json_int(images, "quality", 80);
	for (int i = 0; i < VD_VERDICTS; i++) {
		const char *name = vd_verdict_name((enum vd_verdict)i);
		const char *text = vd_json_string(keep, name, i == VD_OK ? "1/200" : "all");

		if (parse_every(text, &recipe->keep.every[i]) == 0)
			continue;
		(void)vd_recipe_refuse(fault, "", "neither all, none nor 1/N:", text);
		vd_fault_under(fault, name);
		vd_fault_under(fault, "keep");
		vd_fault_under(fault, "images");
		return -EINVAL;
	}
	if (parse_veils(recipe, images, fault) < 0)
		return -EINVAL;
	return check_kept(recipe, fault);
}

static int parse_exposure(struct vd_recipe *recipe, const cJSON *json, struct vd_fault *fault)
{
	const cJSON *exposure = vd_json_object(json, "exposure");

	recipe->exposure = (struct vd_exposure_options){
		.mean_min = vd_json_number(exposure, "meanMin", 8),
		.mean_max = vd_json_number(exposure, "meanMax", 247),
		.spread_min = vd_json_number(exposure, "spreadMin", 2),
		.refuse_repeated =
			strcmp(vd_json_string(exposure, "repeated", "accept"), "refuse") == 0,
	};
	if (recipe->exposure.mean_min > recipe->exposure.mean_max)
		return vd_recipe_refuse(fault, "/exposure/meanMin", "meanMin is above meanMax",
					NULL);
	return 0;
}

static void parse_learning(struct vd_recipe *recipe, const cJSON *json)
{
	const cJSON *learning = vd_json_object(json, "learning");

	recipe->learning_parts = (int)vd_json_int(learning, "parts", 30);
	recipe->learns_by_itself = strcmp(vd_json_string(learning, "state", "auto"), "auto") == 0;
	recipe->learning = (struct vd_learning_options){
		.false_reject_rate = vd_json_number(learning, "falseRejectRate", 0.001),
		.challenge_area_px = (int)vd_json_int(learning, "challengeAreaPx", 64),
		.challenge_levels = (int)vd_json_int(learning, "challengeLevels", 40),
		.arms_by_hand = strcmp(vd_json_string(learning, "arm", "auto"), "byHand") == 0,
	};
}

static void parse_drift(struct vd_recipe *recipe, const cJSON *json)
{
	const cJSON *drift = vd_json_object(json, "drift");

	recipe->drift = (struct vd_drift_options){
		.photometric = vd_json_number(drift, "photometricPercent", 20) / 100,
		.alarm_sigma = vd_json_number(drift, "alarmSigma", 4),
		.challenge_every = (int)vd_json_int(drift, "challengeEvery", 1000),
	};
}

/* ---- the whole ---- */

static int make_model_key(struct vd_recipe *recipe)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf text = { 0 };
	int r = vd_buf_printf(&text, "%d x %d\n", recipe->width, recipe->height);

	for (int i = 0; r == 0 && i < recipe->step_count; i++) {
		const struct vd_step *step = &recipe->steps[i];

		if (vd_tool_gauges(step->tool) || step->tool == VD_IMAGE || step->input >= 0)
			continue;
		r = vd_buf_printf(&text, "%s|%s|%s|%s|%d,%d,%d,%d|%s|%d|%.17g|%d\n", step->id,
				  vd_tool_name(step->tool), recipe->cameras[step->camera],
				  step->align_to < 0 ? "" : recipe->steps[step->align_to].id,
				  step->roi.x, step->roi.y, step->roi.width, step->roi.height,
				  step->golden.path ? step->golden.path : "",
				  step->locate.search_px, step->locate.angle_deg,
				  step->variation.window_px);
		if (r == 0 && step->tool == VD_TEXTURE)
			r = vd_buf_printf(&text, "scope %d\n", step->texture.scope);
	}
	return r < 0 ? r : vd_sha256_text(text.data, text.len, recipe->model_key);
}

static int parse_contents(struct vd_recipe *recipe, const cJSON *json, struct vd_fault *fault)
{
	const cJSON *frame = vd_json_object(json, "frame");
	int r;

	recipe->rev = (int)vd_json_int(json, "rev", 0);
	recipe->width = (int)vd_json_int(frame, "width", 0);
	recipe->height = (int)vd_json_int(frame, "height", 0);
	recipe->max_ms = (int)vd_json_int(json, "maxMs", 0);
	r = parse_cameras(recipe, json, fault);
	if (r == 0)
		r = vd_recipe_parse_steps(recipe, vd_json_object(json, "steps"), fault);
	if (r == 0)
		r = check_cameras_are_used(recipe, fault);
	if (r == 0)
		r = vd_recipe_parse_verdict(recipe, json, fault);
	if (r == 0)
		r = check_models_are_judged(recipe, fault);
	if (r == 0)
		r = parse_images(recipe, json, fault);
	if (r == 0)
		r = parse_exposure(recipe, json, fault);
	if (r < 0)
		return r;
	parse_learning(recipe, json);
	parse_drift(recipe, json);
	return make_model_key(recipe);
}

static int parse_recipe(struct vd_recipe *recipe, const cJSON *json, const cJSON *fragments,
			struct vd_fault *fault)
{
	struct vd_origins origins;
	int r;

	if (!vd_name_is_plain(json->string))
		return vd_recipe_refuse(
			fault, "",
			"a recipe's name has letters, digits, '.', '_', '-':", json->string);
	copy_name(recipe->name, json->string);
	recipe->source = cJSON_Duplicate(json, true);
	if (!recipe->source)
		return -ENOMEM;
	r = vd_include_flatten(recipe->source, fragments, &origins, fault);
	if (r == 0) {
		r = parse_contents(recipe, recipe->source, fault);
		if (r == -EINVAL)
			vd_include_explain(recipe->source, &origins, fault);
	}
	if (r == -ENOMEM)
		vd_fault_set(fault, 500, "", "out of memory");
	return r;
}

static int parse_recipes(struct vd_recipe_set *set, const cJSON *parameters, struct vd_fault *fault)
{
	const cJSON *recipes = vd_json_object(parameters, "recipes"), *json;
	const char *active = vd_json_string(parameters, "active", "");

	set->recipes = calloc((size_t)cJSON_GetArraySize(recipes) + 1, sizeof *set->recipes);
	if (!set->recipes)
		return -ENOMEM;
	set->active = -1;
	cJSON_ArrayForEach(json, recipes)
	{
		int r = parse_recipe(&set->recipes[set->count++], json,
				     vd_json_object(parameters, "fragments"), fault);

		if (r < 0) {
			vd_fault_under(fault, json->string);
			vd_fault_under(fault, "recipes");
			return r;
		}
		if (strcmp(json->string, active) == 0)
			set->active = set->count - 1;
	}
	if (set->active < 0)
		return vd_recipe_refuse(fault, "/active", "there is no recipe", active);
	return 0;
}

/* The shadow sees the frames of the active recipe's cameras, and no others. */
static int parse_shadow(struct vd_recipe_set *set, const cJSON *parameters, struct vd_fault *fault)
{
	const char *name = vd_json_string(parameters, "shadow", NULL);
	const struct vd_recipe *active = &set->recipes[set->active];

	set->shadow = -1;
	for (int i = 0; name && i < set->count; i++) {
		if (strcmp(set->recipes[i].name, name) == 0)
			set->shadow = i;
	}
	if (!name)
		return 0;
	if (set->shadow < 0)
		return vd_recipe_refuse(fault, "/shadow", "there is no recipe", name);
	if (set->shadow == set->active)
		return vd_recipe_refuse(fault, "/shadow", "it is the active recipe:", name);
	for (int i = 0; i < set->recipes[set->shadow].camera_count; i++) {
		const char *camera = set->recipes[set->shadow].cameras[i];

		if (vd_recipe_camera(active, camera) < 0)
			return vd_recipe_refuse(fault, "/shadow", "the active recipe has no camera",
						camera);
	}
	return 0;
}

static int parse_gather(struct vd_recipe_set *set, const cJSON *parameters, struct vd_fault *fault)
{
	const cJSON *json = vd_json_object(parameters, "gather");
	const char *label = vd_json_string(json, "label", "");
	const char *until = vd_json_string(json, "until", "");

	if (!json)
		return 0;
	if (!vd_name_is_plain(label))
		return vd_recipe_refuse(fault, "/gather/label",
					"a label has letters, digits, '.', '_', '-':", label);
	if (vd_time_parse(until, &set->gather.until_wall_ms) < 0)
		return vd_recipe_refuse(fault, "/gather/until", "not a time:", until);
	copy_name(set->gather.label, label);
	set->gather.count = (int)vd_json_int(json, "count", 0);
	set->gather.bytes_most = vd_json_int(json, "maxBytes", INT64_C(1) << 30);
	return 0;
}

int vd_recipe_set_parse(const cJSON *parameters, struct vd_recipe_set **ret_set,
			struct vd_fault *fault)
{
	VD_CLEANUP(vd_recipe_set_unref) struct vd_recipe_set *set = calloc(1, sizeof *set);
	int r;

	if (!set)
		return -ENOMEM;
	set->references = 1;
	copy_name(set->station, vd_json_string(parameters, "station", ""));
	set->queue_max = (int)vd_json_int(parameters, "queueMax", 8);
	set->workers = (int)vd_json_int(parameters, "workers", 1);
	set->deadline_ms = (int)vd_json_int(parameters, "deadlineMs", 1000);
	r = parse_recipes(set, parameters, fault);
	if (r == 0)
		r = parse_shadow(set, parameters, fault);
	if (r == 0)
		r = parse_gather(set, parameters, fault);
	if (r < 0)
		return r;
	*ret_set = VD_TAKE(set);
	return 0;
}

struct vd_recipe_set *vd_recipe_set_ref(struct vd_recipe_set *set)
{
	(void)__atomic_add_fetch(&set->references, 1, __ATOMIC_RELAXED);
	return set;
}

static void free_recipe(struct vd_recipe *recipe)
{
	for (int i = 0; i < recipe->step_count; i++) {
		free(recipe->steps[i].golden.path);
		(void)vd_expression_free(recipe->steps[i].turn.condition);
		(void)vd_code_expectation_free(recipe->steps[i].code.expectation);
		(void)vd_package_unref(recipe->steps[i].network.package);
		free(recipe->steps[i].network.folder);
		free(recipe->steps[i].made.edits);
	}
	free(recipe->steps);
	vd_recipe_free_verdict(recipe);
	(void)vd_json_free(recipe->source);
}

struct vd_recipe_set *vd_recipe_set_unref(struct vd_recipe_set *set)
{
	if (!set || __atomic_sub_fetch(&set->references, 1, __ATOMIC_ACQ_REL) > 0)
		return NULL;
	for (int i = 0; i < set->count; i++)
		free_recipe(&set->recipes[i]);
	free(set->recipes);
	free(set);
	return NULL;
}
