/* SPDX-License-Identifier: Apache-2.0 */
#include "twin/import/desired.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/file.h"

enum { MANIFEST_MOST_BYTES = 1 << 20, CAMERA_ORDER = 20, INSPECT_ORDER = 10 };

static const char no_digest[] = "0000000000000000000000000000000000000000000000000000000000000000";

static const char *choice(const struct vd_import_choice *choices, int count, const char *name)
{
	for (int i = 0; i < count; i++) {
		if (!strcmp(choices[i].name, name))
			return choices[i].value;
	}
	return NULL;
}

static bool add_module(cJSON *modules, const char *name, const char *package, int order,
		       const struct vd_import_choices *choices, cJSON **parameters)
{
	VD_CLEANUP(vd_json_free) cJSON *module = cJSON_CreateObject();

	return module && vd_json_add_string(module, "type", "process") &&
	       vd_json_add_string(module, "package", package) &&
	       vd_json_add_string(module, "version", choices->package_version) &&
	       vd_json_add_string(module, "status", "running") &&
	       vd_json_add_string(module, "restartPolicy", "always") &&
	       vd_json_add_number(module, "startupOrder", order) &&
	       vd_json_add_take(module, "parameters", parameters) &&
	       vd_json_add_take(modules, name, &module);
}

int vd_desired_new(const struct vd_import_choices *choices, cJSON **ret_desired)
{
	VD_CLEANUP(vd_json_free) cJSON *desired = cJSON_CreateObject();
	VD_CLEANUP(vd_json_free) cJSON *modules = cJSON_CreateObject();
	VD_CLEANUP(vd_json_free) cJSON *routes = cJSON_CreateObject();
	VD_CLEANUP(vd_json_free) cJSON *parameters = cJSON_CreateObject();
	VD_CLEANUP(vd_json_free) cJSON *recipes = cJSON_CreateObject();
	VD_CLEANUP(vd_json_free) cJSON *verdicts = cJSON_CreateObject();
	char route[256];

	(void)snprintf(route, sizeof route, "FROM %s/verdict INTO $upstream", choices->instance);
	if (!desired || !modules || !routes || !parameters || !recipes || !verdicts ||
	    !vd_json_add_string(verdicts, "route", route) ||
	    !vd_json_add_string(verdicts, "class", "verdict") ||
	    !vd_json_add_take(routes, "verdicts", &verdicts) ||
	    !vd_json_add_take(parameters, "recipes", &recipes) ||
	    !add_module(modules, choices->instance, "inspect", INSPECT_ORDER, choices,
			&parameters) ||
	    !vd_json_add_string(desired, "schemaVersion", "1.0") ||
	    !vd_json_add_take(desired, "modules", &modules) ||
	    !vd_json_add_take(desired, "routes", &routes))
		return -ENOMEM;
	*ret_desired = VD_TAKE(desired);
	return 0;
}

/* --- cameras --- */

static const char any_video[] = "v4l2:/dev/v4l/by-id/*-video-index0";

/* The source, and in *ret_note what is to be said of it; NULL: nothing. */
static const char *source_of(const struct vd_vio_camera *camera,
			     const struct vd_import_choices *choices, char *text, size_t size,
			     const char **ret_note)
{
	const char *chosen = choice(choices->cameras, choices->camera_count, camera->id);

	*ret_note = NULL;
	if (chosen)
		return chosen;
	switch (camera->source) {
	case VD_VIO_FOLDER:
		(void)snprintf(text, size, "folder:%s/%s", choices->data_folder, camera->place);
		return text;
	case VD_VIO_GIGE:
		(void)snprintf(text, size, "aravis:%s", camera->place);
		return text;
	case VD_VIO_SERVICE:
		*ret_note = "VIO's camera service is not asked for pictures; here it is the only "
			    "video device of the box: say which with --camera";
		return any_video;
	case VD_VIO_VIDEO:
	default:
		*ret_note = "device numbers change with the order of plugging; here it is the only "
			    "video device of the box: say which with --camera";
		return any_video;
	}
}

static cJSON *camera_parameters(const struct vd_vio_camera *camera, const char *source)
{
	VD_CLEANUP(vd_json_free) cJSON *parameters = cJSON_CreateObject();

	/* A VIO box took its pictures when it was asked to inspect. */
	if (!parameters || !vd_json_add_string(parameters, "source", source) ||
	    !vd_json_add_string(parameters, "trigger", "call") ||
	    (camera->width && !vd_json_add_number(parameters, "width", camera->width)) ||
	    (camera->height && !vd_json_add_number(parameters, "height", camera->height)))
		return NULL;
	return VD_TAKE(parameters);
}

/* Requests to the camera, and its frames back. */
static bool add_routes(cJSON *routes, const char *camera, const char *instance)
{
	char key[160], route[320];

	(void)snprintf(key, sizeof key, "capture-%s", camera);
	(void)snprintf(route, sizeof route, "FROM %s/capture INTO %s/trigger", instance, camera);
	if (!vd_json_add_string(routes, key, route))
		return false;
	(void)snprintf(key, sizeof key, "frames-%s", camera);
	(void)snprintf(route, sizeof route, "FROM %s/frame INTO %s/frame", camera, instance);
	return vd_json_add_string(routes, key, route);
}

static int add_camera(cJSON *desired, const struct vd_vio_camera *camera,
		      const struct vd_import_choices *choices, struct vd_rest *rest,
		      struct vd_fault *fault)
{
	cJSON *modules = (cJSON *)vd_json_object(desired, "modules");
	const cJSON *there = vd_json_get(modules, camera->id);
	char text[1024];
	const char *note, *source = source_of(camera, choices, text, sizeof text, &note);
	VD_CLEANUP(vd_json_free) cJSON *parameters = camera_parameters(camera, source);
	int r = parameters ? 0 : -ENOMEM;

	if (r == 0 && there) {
		if (cJSON_Compare(vd_json_get(there, "parameters"), parameters, true))
			return 0;
		vd_fault_set(fault, 409, "", "another station has another camera %s", camera->id);
		return -EINVAL;
	}
	if (r == 0 && note)
		r = vd_rest_note(rest, "", "camera %s: %s", camera->id, note);
	if (r < 0)
		return r;
	return add_module(modules, camera->id, "camera", CAMERA_ORDER, choices, &parameters) &&
			       add_routes((cJSON *)vd_json_object(desired, "routes"), camera->id,
					  choices->instance)
		       ? 0
		       : -ENOMEM;
}

/* --- steps --- */

static int digest_of(const char *folder, char digest[static VD_SHA256_TEXT], struct vd_fault *fault)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf text = { 0 };
	char path[1024];
	int r;

	(void)snprintf(path, sizeof path, "%s/model.json", folder);
	r = vd_file_read(path, MANIFEST_MOST_BYTES, &text, fault);
	if (r < 0)
		return r == -ENOMEM ? r : -EINVAL;
	return vd_sha256_text(text.data, text.len, digest);
}

static int add_package(cJSON *json, const struct vd_vio_step *step,
		       const struct vd_import_choices *choices, struct vd_rest *rest,
		       struct vd_fault *fault)
{
	const char *folder = choice(choices->models, choices->model_count, step->model);
	char digest[VD_SHA256_TEXT];
	int r;

	(void)snprintf(digest, sizeof digest, "%s", no_digest);
	if (folder)
		r = digest_of(folder, digest, fault);
	else
		r = vd_rest_note(
			rest, "",
			"step %s: the model %s is to be delivered as a package (its network "
			"as ONNX): say where with --model",
			step->id, step->model);
	if (r < 0)
		return r;
	return vd_json_add_string(json, "package", folder ? folder : step->model) &&
			       vd_json_add_string(json, "sha256", digest)
		       ? 0
		       : -ENOMEM;
}

/* What an answer must be, the step says itself; how many objects there must be, its camera. */
static bool is_of_step(const struct vd_vio_rule *rule)
{
	return rule->kind == VD_VIO_EXPECTED || rule->kind == VD_VIO_UNEXPECTED;
}

static int add_labels(cJSON *json, const struct vd_vio_rule *rule)
{
	VD_CLEANUP(vd_json_free)
	cJSON *labels = cJSON_CreateStringArray(rule->labels.list, rule->labels.count);

	return labels && vd_json_add_take(json,
					  rule->kind == VD_VIO_EXPECTED ? "expected" : "unexpected",
					  &labels)
		       ? 0
		       : -ENOMEM;
}

static int add_foreach(cJSON *json, const struct vd_vio_station *station,
		       const struct vd_vio_step *step)
{
	VD_CLEANUP(vd_json_free) cJSON *foreach = cJSON_CreateObject();

	if (step->after < 0)
		return 0;
	return foreach && vd_json_add_string(foreach, "step", station->steps[step->after].id) &&
			       (!step->label[0] ||
				vd_json_add_string(foreach, "label", step->label)) &&
			       vd_json_add_take(json, "foreach", &foreach)
		       ? 0
		       : -ENOMEM;
}

static int add_steps(cJSON *recipe, const struct vd_vio_station *station,
		     const struct vd_import_choices *choices, struct vd_rest *rest,
		     struct vd_fault *fault)
{
	VD_CLEANUP(vd_json_free) cJSON *steps = cJSON_CreateObject();
	int r = steps ? 0 : -ENOMEM;

	for (int i = 0; r == 0 && i < station->step_count; i++) {
		const struct vd_vio_step *step = &station->steps[i];
		VD_CLEANUP(vd_json_free) cJSON *json = cJSON_CreateObject();

		if (!json ||
		    !vd_json_add_string(json, "camera", station->cameras[step->camera].id) ||
		    !vd_json_add_string(json, "tool", "model"))
			return -ENOMEM;
		r = add_package(json, step, choices, rest, fault);
		if (r == 0)
			r = add_foreach(json, station, step);
		for (int k = 0; r == 0 && k < station->rule_count; k++) {
			if (station->rules[k].step == i && is_of_step(&station->rules[k]))
				r = add_labels(json, &station->rules[k]);
		}
		if (r == 0 && !vd_json_add_take(steps, step->id, &json))
			r = -ENOMEM;
	}
	return r == 0 && !vd_json_add_take(recipe, "steps", &steps) ? -ENOMEM : r;
}

/* --- rules --- */

static cJSON *count_rule(const struct vd_vio_station *station, const struct vd_vio_rule *rule)
{
	VD_CLEANUP(vd_json_free) cJSON *json = cJSON_CreateObject();

	if (!json || !vd_json_add_string(json, "rule", "objects") ||
	    !vd_json_add_string(json, "label", rule->labels.list[0]) ||
	    !vd_json_add_string(json, "step", station->steps[rule->step].id) ||
	    !vd_json_add_number(json, rule->kind == VD_VIO_AT_LEAST ? "min" : "max", rule->count))
		return NULL;
	return VD_TAKE(json);
}

/* A camera with rules of its own asks its steps as well: allOk, which is the rule of others. */
static int add_camera_rule(cJSON *cameras, const struct vd_vio_station *station, int camera)
{
	VD_CLEANUP(vd_json_free) cJSON *rules = cJSON_CreateArray();
	VD_CLEANUP(vd_json_free) cJSON *all = cJSON_CreateObject();
	VD_CLEANUP(vd_json_free) cJSON *steps = cJSON_CreateObject();

	if (!rules || !all || !steps || !vd_json_add_string(steps, "rule", "allOk") ||
	    !vd_json_add_string(all, "rule", "all"))
		return -ENOMEM;
	(void)cJSON_AddItemToArray(rules, VD_TAKE(steps));
	for (int i = 0; i < station->rule_count; i++) {
		const struct vd_vio_rule *rule = &station->rules[i];
		cJSON *json;

		if (station->steps[rule->step].camera != camera || is_of_step(rule))
			continue;
		json = count_rule(station, rule);
		if (!json)
			return -ENOMEM;
		(void)cJSON_AddItemToArray(rules, json);
	}
	if (cJSON_GetArraySize(rules) == 1)
		return 0;
	return vd_json_add_take(all, "rules", &rules) &&
			       vd_json_add_take(cameras, station->cameras[camera].id, &all)
		       ? 0
		       : -ENOMEM;
}

static bool add_item_rule(cJSON *verdict, const struct vd_vio_station *station)
{
	static const struct {
		const char *rule, *limit;
	} names[] = {
		[VD_VIO_ALL_OK] = { "allOk", NULL },
		[VD_VIO_MIN_OK] = { "minOk", "min" },
		[VD_VIO_MIN_RATIO] = { "minOkRatio", "ratio" },
		[VD_VIO_MAX_NG] = { "maxNg", "max" },
	};
	VD_CLEANUP(vd_json_free) cJSON *item = cJSON_CreateObject();

	return item && vd_json_add_string(item, "rule", names[station->item].rule) &&
	       (!names[station->item].limit ||
		vd_json_add_number(item, names[station->item].limit, station->threshold)) &&
	       vd_json_add_take(verdict, "item", &item);
}

/* VIO of 2026 counted steps, Vedette counts cameras: the same unless a camera has several. */
static int note_parts(const struct vd_vio_station *station, struct vd_rest *rest)
{
	bool is_all = station->item == VD_VIO_ALL_OK ||
		      (station->item == VD_VIO_MIN_RATIO && station->threshold == 1);

	if (is_all || station->rule_count <= station->camera_count)
		return 0;
	return vd_rest_note(
		rest, "", "the item's rule counted steps and counts cameras here, which are fewer");
}

static int add_verdict(cJSON *recipe, const struct vd_vio_station *station, struct vd_rest *rest)
{
	VD_CLEANUP(vd_json_free) cJSON *verdict = cJSON_CreateObject();
	VD_CLEANUP(vd_json_free) cJSON *cameras = cJSON_CreateObject();
	int r = verdict && cameras ? note_parts(station, rest) : -ENOMEM;

	for (int i = 0; r == 0 && i < station->camera_count; i++)
		r = add_camera_rule(cameras, station, i);
	if (r < 0)
		return r;
	return vd_json_add_take(verdict, "cameras", &cameras) && add_item_rule(verdict, station) &&
			       vd_json_add_take(recipe, "verdict", &verdict)
		       ? 0
		       : -ENOMEM;
}

/* --- the station --- */

static int add_recipe(cJSON *parameters, const struct vd_vio_station *station,
		      const struct vd_import_choices *choices, struct vd_rest *rest,
		      struct vd_fault *fault)
{
	VD_CLEANUP(vd_json_free) cJSON *recipe = cJSON_CreateObject();
	VD_CLEANUP(vd_json_free) cJSON *cameras = cJSON_CreateArray();
	cJSON *recipes = (cJSON *)vd_json_object(parameters, "recipes");
	int r;

	for (int i = 0; i < station->camera_count; i++) {
		cJSON *name = cJSON_CreateString(station->cameras[i].id);

		if (!cameras || !name)
			return -ENOMEM;
		(void)cJSON_AddItemToArray(cameras, name);
	}
	if (!recipe || !vd_json_add_number(recipe, "rev", 1) ||
	    !vd_json_add_take(recipe, "cameras", &cameras))
		return -ENOMEM;
	r = add_steps(recipe, station, choices, rest, fault);
	if (r == 0)
		r = add_verdict(recipe, station, rest);
	if (r == 0 && !vd_json_get(parameters, "active") &&
	    !vd_json_add_string(parameters, "active", station->name))
		r = -ENOMEM;
	return r == 0 && !vd_json_add_take(recipes, station->name, &recipe) ? -ENOMEM : r;
}

int vd_desired_add(cJSON *desired, const struct vd_vio_station *station,
		   const struct vd_import_choices *choices, struct vd_rest *rest,
		   struct vd_fault *fault)
{
	cJSON *modules = (cJSON *)vd_json_object(desired, "modules");
	cJSON *inspect = (cJSON *)vd_json_object(modules, choices->instance);
	cJSON *parameters = (cJSON *)vd_json_object(inspect, "parameters");

	if (vd_json_at(parameters, "/recipes") &&
	    vd_json_get(vd_json_object(parameters, "recipes"), station->name)) {
		vd_fault_set(fault, 409, "", "another station is called %s too", station->name);
		return -EINVAL;
	}
	for (int i = 0; i < station->camera_count; i++) {
		int r = add_camera(desired, &station->cameras[i], choices, rest, fault);

		if (r < 0)
			return r;
	}
	if (station->step_count == 0)
		return vd_rest_note(rest, "",
				    "has no model: only its cameras are carried over; "
				    "vedette-inspect(8) gathers pictures with gather");
	return add_recipe(parameters, station, choices, rest, fault);
}

void vd_desired_finish(cJSON *desired, const struct vd_import_choices *choices)
{
	cJSON *modules = (cJSON *)vd_json_object(desired, "modules");
	char pointer[256];

	(void)snprintf(pointer, sizeof pointer, "/%s/parameters/recipes", choices->instance);
	if (cJSON_GetArraySize(vd_json_at(modules, pointer)) > 0)
		return;
	cJSON_DeleteItemFromObjectCaseSensitive(modules, choices->instance);
	cJSON_DeleteItemFromObjectCaseSensitive(desired, "routes");
}
