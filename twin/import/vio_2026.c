/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The generation of 2026: each step has a camera, a model and a rule of its own; no step runs on
 * what another found. Its samples have camera types that its own program no longer takes, and
 * they are read too.
 */
#include <errno.h>
#include <string.h>

#include "twin/import/generation.h"

struct reader {
	struct vd_rest *rest;
	struct vd_vio_station *station;
	struct vd_fault *fault;
};

static const struct source {
	const char *type, *place; /* place: the member that says where */
	enum vd_vio_source source;
} sources[] = {
	{ "fake", "source_directory", VD_VIO_FOLDER },
	{ "usb", "source_directory", VD_VIO_VIDEO },
	{ "raspberry", "source_directory", VD_VIO_VIDEO },
	{ "basler", "camera_serial", VD_VIO_GIGE },
	{ "http", "service_url", VD_VIO_SERVICE },
};

static int read_size(struct reader *r, cJSON *json, struct vd_vio_camera *camera)
{
	cJSON *size = vd_vio_object(json, "camera_resolution");
	int e = 0;

	if (cJSON_GetObjectItemCaseSensitive(size, "width"))
		e = vd_vio_take_count(r->rest, size, "width", &camera->width, r->fault);
	if (e == 0 && cJSON_GetObjectItemCaseSensitive(size, "height"))
		e = vd_vio_take_count(r->rest, size, "height", &camera->height, r->fault);
	if (e < 0)
		vd_fault_under(r->fault, "camera_resolution");
	return e;
}

static int read_camera(struct reader *r, cJSON *json)
{
	struct vd_vio_camera camera = { .id = json->string, .place = "" };
	const char *type = vd_rest_take_text(r->rest, json, "camera_type", "");
	size_t i = 0;
	int e;

	if (!cJSON_IsObject(json))
		return vd_vio_refuse(r->fault, "", "is not an object");
	if (strcmp(vd_rest_take_text(r->rest, json, "camera_id", camera.id), camera.id) != 0)
		return vd_vio_refuse(r->fault, "/camera_id", "is not the key it stands under");
	while (i < VD_COUNT(sources) && strcmp(sources[i].type, type) != 0)
		i++;
	if (i == VD_COUNT(sources))
		return vd_vio_refuse(r->fault, "/camera_type",
				     "is none of fake, usb, raspberry, basler, http");
	camera.source = sources[i].source;
	camera.place = vd_rest_take_text(r->rest, json, sources[i].place, "");
	e = read_size(r, json, &camera);
	return e == 0 ? vd_vio_add_camera(r->station, &camera, r->fault) : e;
}

/* The member that names the label; those of the other kinds of rules are not for this one. */
static const char *label_key(enum vd_vio_rule_kind kind)
{
	if (kind == VD_VIO_EXPECTED)
		return "expected_class";
	return kind == VD_VIO_UNEXPECTED ? "unexpected_class" : "class_to_detect";
}

static int read_rule(struct reader *r, cJSON *json, const char *parent)
{
	cJSON *rule = vd_vio_object(json, "camera_rule_config");
	struct vd_vio_rule out = { .step = r->station->step_count - 1 };
	char place[VD_PLACE_BYTES];
	int e;

	if (!rule)
		return vd_rest_note(r->rest, parent,
				    "has no rule: before, it did not decide; here it must be OK");
	e = vd_vio_rule_kind(vd_rest_take_text(r->rest, rule, "camera_rule_type", ""), &out.kind,
			     r->fault);
	if (e == 0)
		e = vd_vio_take_labels(r->rest, rule, label_key(out.kind),
				       vd_rest_place(place, parent, "camera_rule_config"), 1,
				       &out.labels, r->fault);
	if (e == 0 && (out.kind == VD_VIO_AT_LEAST || out.kind == VD_VIO_AT_MOST))
		e = vd_vio_take_count(r->rest, rule, "threshold", &out.count, r->fault);
	if (e == 0)
		e = vd_vio_add_rule(r->station, &out, r->fault);
	if (e < 0)
		vd_fault_under(r->fault, "camera_rule_config");
	return e;
}

static int read_step(struct reader *r, cJSON *json)
{
	cJSON *model = vd_vio_object(json, "model_forwarder_config");
	const char *camera = vd_rest_take_text(r->rest, json, "camera_id", "");
	struct vd_vio_step step = {
		.id = json->string,
		.camera = vd_vio_camera_find(r->station, camera),
		.model = vd_rest_take_text(r->rest, model, "model_name", ""),
		.version = vd_rest_take_text(r->rest, model, "model_version", ""),
		.after = -1,
		.label = "",
	};
	char place[VD_PLACE_BYTES];
	int e;

	if (step.camera < 0)
		return vd_vio_refuse(r->fault, "/camera_id", "is no camera of the station");
	if (!step.model[0])
		return vd_vio_refuse(r->fault, "/model_forwarder_config/model_name",
				     "names no model");
	e = vd_vio_add_step(r->station, &step, r->fault);
	return e == 0 ? read_rule(r, json, vd_rest_place(place, "/pipeline_steps", json->string))
		      : e;
}

static int read_item_rule(struct reader *r, cJSON *document)
{
	cJSON *rule = vd_vio_object(document, "item_rule_config");
	const char *type = vd_rest_take_text(r->rest, rule, "item_rule_type", "");
	const char *decision = vd_json_string(rule, "expected_decision", "OK");
	int least = 0, e = 0;

	if (!rule)
		return vd_rest_note(r->rest, "",
				    "there is no item_rule_config: all cameras must be OK");
	if (strcmp(decision, "OK") != 0)
		return vd_rest_note(r->rest, "/item_rule_config",
				    "made an item good for what is wrong with it "
				    "(expected_decision %s): all cameras must be OK instead",
				    decision);
	(void)vd_rest_take(r->rest, rule, "expected_decision");
	if (!strcmp(type, "min_threshold_ratio_rule")) {
		r->station->item = VD_VIO_MIN_RATIO;
		e = vd_vio_take_ratio(r->rest, rule, "threshold", &r->station->threshold, r->fault);
	} else if (!strcmp(type, "min_threshold_rule")) {
		r->station->item = VD_VIO_MIN_OK;
		e = vd_vio_take_count(r->rest, rule, "threshold", &least, r->fault);
		r->station->threshold = least;
	} else {
		e = vd_vio_refuse(r->fault, "/item_rule_type",
				  "is neither min_threshold_ratio_rule nor min_threshold_rule");
	}
	if (e < 0)
		vd_fault_under(r->fault, "item_rule_config");
	return e;
}

int vd_vio_read_2026(cJSON *document, struct vd_rest *rest, struct vd_vio_station *station,
		     struct vd_fault *fault)
{
	struct reader r = { .rest = rest, .station = station, .fault = fault };
	cJSON *json;

	station->name = vd_rest_take_text(rest, document, "station_name", station->name);
	cJSON_ArrayForEach(json, vd_vio_object(document, "camera_configs"))
	{
		int e = read_camera(&r, json);

		if (e < 0)
			return vd_vio_under(fault, json->string, "camera_configs", e);
	}
	cJSON_ArrayForEach(json, vd_vio_object(document, "pipeline_steps"))
	{
		int e = read_step(&r, json);

		if (e < 0)
			return vd_vio_under(fault, json->string, "pipeline_steps", e);
	}
	return read_item_rule(&r, document);
}
