/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/inspect/line/trigger.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static void copy(char *to, size_t bytes, const cJSON *json, const char *key)
{
	(void)snprintf(to, bytes, "%s", vd_json_string(json, key, ""));
}

static void take_limits(const cJSON *json, enum vd_trigger_source source,
			struct vd_trigger_options *options)
{
	options->is_on[source] = json && vd_json_bool(json, "enabled", true);
	options->limits[source] = (struct vd_admission_limits){
		.min_interval_ms = (uint64_t)vd_json_int(json, "minIntervalMs", 0),
		.per_second = vd_json_number(json, "perSecond", 0),
	};
}

void vd_trigger_condition_parse(const cJSON *json, struct vd_trigger_condition *condition)
{
	condition->is_set = json != NULL;
	copy(condition->pointer, sizeof condition->pointer, json, "pointer");
	copy(condition->equals, sizeof condition->equals, json, "equals");
}

static void take_message(const cJSON *json, struct vd_trigger_options *options)
{
	copy(options->serial_pointer, sizeof options->serial_pointer, json, "serialPointer");
	vd_trigger_condition_parse(vd_json_object(json, "when"), &options->when);
}

static int take_file(const cJSON *json, struct vd_trigger_options *options, struct vd_fault *fault)
{
	copy(options->folder, sizeof options->folder, json, "folder");
	copy(options->done_folder, sizeof options->done_folder, json, "doneFolder");
	options->file_is_frame = strcmp(vd_json_string(json, "frame", "file"), "file") == 0;
	if (json && strcmp(options->folder, options->done_folder) == 0) {
		vd_fault_set(fault, 400, "/trigger/file/doneFolder",
			     "is the folder that is watched");
		return -EINVAL;
	}
	return 0;
}

static bool names(const cJSON *list, const char *name)
{
	const cJSON *each;

	cJSON_ArrayForEach(each, list)
	{
		if (cJSON_IsString(each) && strcmp(each->valuestring, name) == 0)
			return true;
	}
	return false;
}

static int check_values(const cJSON *values, const cJSON *recipes, struct vd_fault *fault)
{
	const cJSON *value;

	cJSON_ArrayForEach(value, values)
	{
		if (vd_json_get(recipes, value->valuestring))
			continue;
		vd_fault_set(fault, 400, NULL, "there is no recipe \"%s\"", value->valuestring);
		vd_fault_under(fault, value->string);
		vd_fault_under(fault, "values");
		vd_fault_under(fault, "select");
		return -EINVAL;
	}
	return 0;
}

static int take_selection(const cJSON *json, const cJSON *recipes,
			  struct vd_trigger_options *options, struct vd_fault *fault)
{
	const cJSON *by = vd_json_array(json, "by"), *values = vd_json_object(json, "values");
	int r = check_values(values, recipes, fault);

	if (r < 0)
		return r;
	options->selects_by_call = names(by, "call");
	options->selects_by_message = names(by, "message");
	vd_trigger_condition_parse(vd_json_object(json, "when"), &options->select_when);
	copy(options->select_pointer, sizeof options->select_pointer, json, "pointer");
	options->select_values = values ? cJSON_Duplicate(values, true) : NULL;
	return values && !options->select_values ? -ENOMEM : 0;
}

int vd_trigger_options_parse(const cJSON *parameters, struct vd_trigger_options *ret_options,
			     struct vd_fault *fault)
{
	const cJSON *json = vd_json_object(parameters, "trigger");
	const cJSON *timer = vd_json_object(json, "timer"), *file = vd_json_object(json, "file");
	struct vd_trigger_options options = {
		.is_on = { [VD_BY_REINSPECT] = true },
		.kept_items = (int)vd_json_int(parameters, "keepItems", 0),
		.interval_ms = (uint64_t)vd_json_int(timer, "intervalMs", 0),
		.pressure = { .share = vd_json_number(json, "pressurePercent", 0) / 100,
			      .for_ms = (uint64_t)vd_json_int(json, "pressureMs", 0) },
	};
	int r;

	take_limits(vd_json_object(json, "call"), VD_BY_CALL, &options);
	take_limits(vd_json_object(json, "message"), VD_BY_MESSAGE, &options);
	take_limits(timer, VD_BY_TIMER, &options);
	take_limits(file, VD_BY_FILE, &options);
	take_limits(vd_json_object(json, "camera"), VD_BY_CAMERA, &options);
	options.camera_is_durable = vd_json_bool(vd_json_object(json, "camera"), "durable", false);
	take_message(vd_json_object(json, "message"), &options);
	r = take_file(file, &options, fault);
	if (r == 0)
		r = take_selection(vd_json_object(parameters, "select"),
				   vd_json_object(parameters, "recipes"), &options, fault);
	if (r == 0)
		*ret_options = options;
	return r;
}

void vd_trigger_options_fini(struct vd_trigger_options *options)
{
	options->select_values = vd_json_free(options->select_values);
}

bool vd_trigger_text_at(const cJSON *body, const char *pointer, char *text, size_t bytes)
{
	const cJSON *value = vd_json_at(body, pointer);
	int len = -1;

	if (cJSON_IsString(value))
		len = snprintf(text, bytes, "%s", value->valuestring);
	else if (cJSON_IsNumber(value))
		len = snprintf(text, bytes, "%.15g", value->valuedouble);
	else if (cJSON_IsBool(value))
		len = snprintf(text, bytes, "%s", cJSON_IsTrue(value) ? "true" : "false");
	return len > 0 && (size_t)len < bytes;
}

bool vd_trigger_holds(const struct vd_trigger_condition *condition, const cJSON *body)
{
	char text[VD_TRIGGER_TEXT_BYTES];

	return !condition->is_set ||
	       (vd_trigger_text_at(body, condition->pointer, text, sizeof text) &&
		strcmp(text, condition->equals) == 0);
}

bool vd_trigger_recipe(const struct vd_trigger_options *options, const cJSON *body, char *recipe,
		       size_t bytes)
{
	char text[VD_TRIGGER_TEXT_BYTES];
	const char *name = text;

	if (!vd_trigger_text_at(body, options->select_pointer, text, sizeof text))
		return false;
	if (options->select_values)
		name = vd_json_string(options->select_values, text, "");
	return name[0] && snprintf(recipe, bytes, "%s", name) < (int)bytes;
}

void vd_trigger_file_serial(const char *name, char *serial, size_t bytes)
{
	const char *dot = strrchr(name, '.');
	const size_t len = dot && dot != name ? (size_t)(dot - name) : strlen(name);

	(void)snprintf(serial, bytes, "%.*s", (int)(len < 4096 ? len : 4096), name);
}
