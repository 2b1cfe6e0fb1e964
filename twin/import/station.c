/* SPDX-License-Identifier: Apache-2.0 */
#include "twin/import/station.h"

#include <errno.h>
#include <string.h>

#include "twin/import/generation.h"

int vd_vio_camera_find(const struct vd_vio_station *station, const char *id)
{
	for (int i = 0; i < station->camera_count; i++) {
		if (!strcmp(station->cameras[i].id, id))
			return i;
	}
	return -1;
}

int vd_vio_step_find(const struct vd_vio_station *station, const char *id)
{
	for (int i = 0; i < station->step_count; i++) {
		if (!strcmp(station->steps[i].id, id))
			return i;
	}
	return -1;
}

int vd_vio_refuse(struct vd_fault *fault, const char *pointer, const char *text)
{
	vd_fault_set(fault, 400, pointer, "%s", text);
	return -EINVAL;
}

static int refuse_member(struct vd_fault *fault, const char *key, const char *text)
{
	vd_fault_set(fault, 400, "", "%s", text);
	vd_fault_under(fault, key);
	return -EINVAL;
}

static const struct rule_name {
	const char *name;
	enum vd_vio_rule_kind kind;
} rule_names[] = {
	{ "expected_label_rule", VD_VIO_EXPECTED },
	{ "unexpected_label_rule", VD_VIO_UNEXPECTED },
	{ "min_nb_objects_rule", VD_VIO_AT_LEAST },
	{ "max_nb_objects_rule", VD_VIO_AT_MOST },
};

int vd_vio_rule_kind(const char *name, enum vd_vio_rule_kind *ret_kind, struct vd_fault *fault)
{
	for (size_t i = 0; i < VD_COUNT(rule_names); i++) {
		if (!strcmp(rule_names[i].name, name)) {
			*ret_kind = rule_names[i].kind;
			return 0;
		}
	}
	vd_fault_set(fault, 400, "", "'%s' is no rule of VIO", name);
	return -EINVAL;
}

int vd_vio_take_labels(struct vd_rest *rest, cJSON *object, const char *key, const char *place,
		       int most, struct vd_vio_labels *ret_labels, struct vd_fault *fault)
{
	const cJSON *labels = vd_rest_take(rest, object, key);
	const cJSON *label = cJSON_IsArray(labels) ? labels->child : labels;

	*ret_labels = (struct vd_vio_labels){ 0 };
	for (; label && ret_labels->count < most; label = label->next) {
		if (!cJSON_IsString(label) || !label->valuestring[0])
			return refuse_member(fault, key, "is neither a label nor a list of them");
		ret_labels->list[ret_labels->count++] = label->valuestring;
		if (!cJSON_IsArray(labels))
			return 0;
	}
	return label ? vd_rest_note(rest, place, "%s names several; the first, %s, counts alone",
				    key, ret_labels->list[0])
		     : 0;
}

int vd_vio_under(struct vd_fault *fault, const char *key, const char *parent, int error)
{
	vd_fault_under(fault, key);
	vd_fault_under(fault, parent);
	return error;
}

cJSON *vd_vio_object(cJSON *object, const char *key)
{
	cJSON *member = cJSON_GetObjectItemCaseSensitive(object, key);

	return cJSON_IsObject(member) ? member : NULL;
}

int vd_vio_take_count(struct vd_rest *rest, cJSON *object, const char *key, int *ret_count,
		      struct vd_fault *fault)
{
	const cJSON *count = vd_rest_take(rest, object, key);

	if (!cJSON_IsNumber(count) || count->valuedouble < 1 || count->valuedouble > 16384 ||
	    count->valuedouble != count->valueint)
		return refuse_member(fault, key, "is no whole number from 1 to 16384");
	*ret_count = count->valueint;
	return 0;
}

int vd_vio_take_ratio(struct vd_rest *rest, cJSON *object, const char *key, double *ret_ratio,
		      struct vd_fault *fault)
{
	const cJSON *ratio = vd_rest_take(rest, object, key);

	if (!cJSON_IsNumber(ratio) || !(ratio->valuedouble > 0 && ratio->valuedouble <= 1))
		return refuse_member(fault, key, "is no share above 0 and at most 1");
	*ret_ratio = ratio->valuedouble;
	return 0;
}

int vd_vio_add_camera(struct vd_vio_station *station, const struct vd_vio_camera *camera,
		      struct vd_fault *fault)
{
	if (station->camera_count == VD_VIO_CAMERAS)
		return vd_vio_refuse(fault, "", "there are more cameras than a station may have");
	station->cameras[station->camera_count++] = *camera;
	return 0;
}

int vd_vio_add_step(struct vd_vio_station *station, const struct vd_vio_step *step,
		    struct vd_fault *fault)
{
	if (station->step_count == VD_VIO_STEPS)
		return vd_vio_refuse(fault, "", "there are more models than a station may have");
	if (vd_vio_step_find(station, step->id) >= 0)
		return vd_vio_refuse(fault, "", "another model of the station has this id");
	station->steps[station->step_count++] = *step;
	return 0;
}

int vd_vio_add_rule(struct vd_vio_station *station, const struct vd_vio_rule *rule,
		    struct vd_fault *fault)
{
	if (station->rule_count == VD_VIO_RULES)
		return vd_vio_refuse(fault, "", "there are more rules than a station may have");
	if (rule->labels.count == 0)
		return vd_vio_refuse(fault, "", "the rule names no label");
	station->rules[station->rule_count++] = *rule;
	return 0;
}

int vd_vio_read(cJSON *document, const char *name, struct vd_rest *rest,
		struct vd_vio_station *ret_station, struct vd_fault *fault)
{
	struct vd_vio_station station = { .name = name, .threshold = 1 };
	int r;

	if (vd_json_object(document, "camera_configs"))
		r = vd_vio_read_2026(document, rest, &station, fault);
	else if (vd_json_object(document, "cameras"))
		r = vd_vio_read_2022(document, rest, &station, fault);
	else
		r = vd_vio_refuse(
			fault, "",
			"is no station of VIO: it has neither cameras nor camera_configs");
	if (r == 0 && station.camera_count == 0)
		r = vd_vio_refuse(fault, "", "the station has no camera");
	if (r == 0)
		*ret_station = station;
	return r;
}
