/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The generation of 2022. A camera's rule speaks about its last model: the one that no other
 * depends on. A model that depends on another runs on each object that this one finds and whose
 * class it has in class_to_detect.
 */
#include <errno.h>
#include <string.h>

#include "twin/import/generation.h"

struct reader {
	struct vd_rest *rest;
	struct vd_vio_station *station;
	struct vd_fault *fault;
	struct vd_vio_labels labels[VD_VIO_STEPS]; /* of a step's objects that others run on */
};

static int read_source(struct reader *r, cJSON *json, struct vd_vio_camera *camera)
{
	const char *type = vd_rest_take_text(r->rest, json, "type", "");

	if (!strcmp(type, "fake")) {
		camera->source = VD_VIO_FOLDER;
		camera->place = vd_rest_take_text(r->rest, json, "input_images_folder", "");
	} else if (!strcmp(type, "usb_camera") || !strcmp(type, "pi_camera")) {
		camera->source = VD_VIO_VIDEO;
	} else {
		return vd_vio_refuse(r->fault, "/type", "is none of fake, usb_camera, pi_camera");
	}
	return 0;
}

static int add_step(struct reader *r, cJSON *json, int camera)
{
	struct vd_vio_step step = {
		.id = json->string,
		.camera = camera,
		.model = vd_rest_take_text(r->rest, json, "metadata", ""),
		.version = "",
		.after = -1,
		.label = "",
	};

	if (!step.model[0])
		return vd_vio_refuse(r->fault, "/metadata", "names no model");
	return vd_vio_add_step(r->station, &step, r->fault);
}

static int read_needs(struct reader *r, cJSON *json, const char *place)
{
	int self = vd_vio_step_find(r->station, json->string);
	const cJSON *needs = vd_rest_take(r->rest, json, "depends_on");
	const cJSON *first = cJSON_IsArray(needs) ? needs->child : NULL;
	int e = vd_vio_take_labels(r->rest, json, "class_to_detect", place, 1, &r->labels[self],
				   r->fault);

	if (e < 0 || !first)
		return e;
	if (!cJSON_IsString(first))
		return vd_vio_refuse(r->fault, "/depends_on/0", "is not a text");
	r->station->steps[self].after = vd_vio_step_find(r->station, first->valuestring);
	if (r->station->steps[self].after < 0 || r->station->steps[self].after == self)
		return vd_vio_refuse(r->fault, "/depends_on/0", "is no other model of the station");
	if (!first->next)
		return 0;
	return vd_rest_note(r->rest, place, "depends on several models; here on the first only");
}

/* A model may stand before those that it depends on: so all of them first. */
static int read_models(struct reader *r, cJSON *json, int camera, const char *parent)
{
	cJSON *graph = vd_vio_object(json, "models_graph"), *model;
	char place[VD_PLACE_BYTES], inner[VD_PLACE_BYTES];

	(void)vd_rest_place(place, parent, "models_graph");
	cJSON_ArrayForEach(model, graph)
	{
		int e = add_step(r, model, camera);

		if (e < 0)
			return vd_vio_under(r->fault, model->string, "models_graph", e);
	}
	cJSON_ArrayForEach(model, graph)
	{
		int e = read_needs(r, model, vd_rest_place(inner, place, model->string));

		if (e < 0)
			return vd_vio_under(r->fault, model->string, "models_graph", e);
	}
	for (int i = 0; i < r->station->step_count; i++) {
		struct vd_vio_step *step = &r->station->steps[i];

		if (step->camera == camera && step->after >= 0)
			step->label =
				r->labels[step->after].count ? r->labels[step->after].list[0] : "";
	}
	return 0;
}

static int last_model(const struct vd_vio_station *station, int camera)
{
	int last = -1;

	for (int i = 0; i < station->step_count; i++) {
		bool is_needed = false;

		for (int k = 0; k < station->step_count; k++)
			is_needed = is_needed || station->steps[k].after == i;
		if (station->steps[i].camera == camera && !is_needed)
			last = i;
	}
	return last;
}

static int read_parameters(struct reader *r, cJSON *parameters, const char *place,
			   struct vd_vio_rule *rule)
{
	bool is_label = rule->kind == VD_VIO_EXPECTED;
	int e = vd_vio_take_labels(r->rest, parameters,
				   is_label ? "expected_label" : "class_to_detect", place,
				   is_label ? VD_VIO_LABELS : 1, &rule->labels, r->fault);

	if (e == 0 && !is_label)
		e = vd_vio_take_count(r->rest, parameters, "min_threshold", &rule->count, r->fault);
	if (e < 0)
		vd_fault_under(r->fault, "parameters");
	return e;
}

static int read_rule(struct reader *r, cJSON *json, int camera, const char *parent)
{
	cJSON *rule = vd_vio_object(json, "camera_rule");
	struct vd_vio_rule out = { .step = last_model(r->station, camera) };
	char place[VD_PLACE_BYTES];
	int e;

	if (!rule)
		return vd_rest_note(r->rest, parent, "has no rule: its steps must be OK");
	if (out.step < 0)
		return vd_vio_refuse(r->fault, "", "there is no model that it could be about");
	e = vd_vio_rule_kind(vd_rest_take_text(r->rest, rule, "name", ""), &out.kind, r->fault);
	if (e == 0)
		e = read_parameters(r, vd_vio_object(rule, "parameters"),
				    vd_rest_place(place, parent, "camera_rule"), &out);
	return e == 0 ? vd_vio_add_rule(r->station, &out, r->fault) : e;
}

static int read_camera(struct reader *r, cJSON *json)
{
	struct vd_vio_camera camera = { .id = json->string, .place = "" };
	int number = r->station->camera_count;
	char place[VD_PLACE_BYTES];
	int e = cJSON_IsObject(json) ? read_source(r, json, &camera)
				     : vd_vio_refuse(r->fault, "", "is not an object");

	if (e == 0)
		e = vd_vio_add_camera(r->station, &camera, r->fault);
	(void)vd_rest_place(place, "/cameras", json->string);
	if (e == 0)
		e = read_models(r, json, number, place);
	if (e < 0)
		return e;
	e = read_rule(r, json, number, place);
	if (e < 0)
		vd_fault_under(r->fault, "camera_rule");
	return e;
}

static int read_item_threshold(struct reader *r, cJSON *parameters, const char *name)
{
	int count = 0, e;

	if (!strcmp(name, "threshold_ratio_rule")) {
		r->station->item = VD_VIO_MIN_RATIO;
		e = vd_vio_take_ratio(r->rest, parameters, "min_threshold", &r->station->threshold,
				      r->fault);
	} else {
		/* So many that are not OK reject the item: one less may be. */
		r->station->item = VD_VIO_MAX_NG;
		e = vd_vio_take_count(r->rest, parameters, "threshold", &count, r->fault);
		r->station->threshold = count - 1;
	}
	if (e < 0)
		vd_fault_under(r->fault, "parameters");
	return e;
}

static int read_item_rule(struct reader *r, cJSON *document)
{
	cJSON *rule = vd_vio_object(document, "item_rule");
	const char *name = vd_rest_take_text(r->rest, rule, "name", "");
	int e;

	if (!rule)
		return vd_rest_note(r->rest, "", "there is no item_rule: all cameras must be OK");
	if (strcmp(name, "threshold_ratio_rule") != 0 && strcmp(name, "min_threshold_KO_rule") != 0)
		e = vd_vio_refuse(r->fault, "/name",
				  "is neither threshold_ratio_rule nor min_threshold_KO_rule");
	else
		e = read_item_threshold(r, vd_vio_object(rule, "parameters"), name);
	if (e < 0)
		vd_fault_under(r->fault, "item_rule");
	return e;
}

int vd_vio_read_2022(cJSON *document, struct vd_rest *rest, struct vd_vio_station *station,
		     struct vd_fault *fault)
{
	struct reader r = { .rest = rest, .station = station, .fault = fault };
	cJSON *camera;

	cJSON_ArrayForEach(camera, vd_vio_object(document, "cameras"))
	{
		int e = read_camera(&r, camera);

		if (e < 0)
			return vd_vio_under(fault, camera->string, "cameras", e);
	}
	return read_item_rule(&r, document);
}
