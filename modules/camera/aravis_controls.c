/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/camera/aravis_controls.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "modules/camera/aravis_camera.h"

/* A camera rounds a float to what it can do; that much is as wanted. */
static const double float_tolerance = 0.01;

enum kind { BOOLEAN, STRING, INTEGER, FLOAT };

struct access {
	const struct vd_aravis *arv;
	struct _ArvCamera *camera;
	const cJSON *wanted; /* with the feature's name */
	enum kind kind;
	struct _GError *error;
	char text[128]; /* why it is not as wanted; "": it is */
};

static bool is_ok(struct access *a)
{
	return vd_aravis_ok(a->arv, &a->error, a->text, sizeof a->text);
}

/* A number may be an integer or a float: the camera says which. */
static enum kind kind_of(struct access *a)
{
	if (cJSON_IsBool(a->wanted))
		return BOOLEAN;
	if (cJSON_IsString(a->wanted))
		return STRING;
	(void)a->arv->camera_get_integer(a->camera, a->wanted->string, &a->error);
	if (is_ok(a))
		return INTEGER;
	a->text[0] = '\0';
	return FLOAT;
}

static void set(struct access *a)
{
	const char *name = a->wanted->string;
	double number = a->wanted->valuedouble;

	if (a->kind == BOOLEAN)
		a->arv->camera_set_boolean(a->camera, name, cJSON_IsTrue(a->wanted), &a->error);
	else if (a->kind == STRING)
		a->arv->camera_set_string(a->camera, name, a->wanted->valuestring, &a->error);
	else if (a->kind == INTEGER)
		a->arv->camera_set_integer(a->camera, name, (int64_t)number, &a->error);
	else
		a->arv->camera_set_float(a->camera, name, number, &a->error);
	(void)is_ok(a);
}

static cJSON *get(struct access *a)
{
	const char *name = a->wanted->string, *text;

	if (a->kind == BOOLEAN)
		return cJSON_CreateBool(a->arv->camera_get_boolean(a->camera, name, &a->error));
	if (a->kind == STRING) {
		text = a->arv->camera_get_string(a->camera, name, &a->error);
		return cJSON_CreateString(text ? text : "");
	}
	if (a->kind == INTEGER)
		return cJSON_CreateNumber(
			(double)a->arv->camera_get_integer(a->camera, name, &a->error));
	return cJSON_CreateNumber(a->arv->camera_get_float(a->camera, name, &a->error));
}

static bool is_as_wanted(const struct access *a, const cJSON *actual)
{
	if (a->kind != FLOAT)
		return cJSON_Compare(a->wanted, actual, true);
	return fabs(actual->valuedouble - a->wanted->valuedouble) <=
	       fabs(a->wanted->valuedouble) * float_tolerance;
}

/* 1: as wanted; 0: not; -ENOMEM. */
static int apply_one(struct access *a, cJSON *report)
{
	VD_CLEANUP(vd_json_free) cJSON *entry = cJSON_CreateObject();
	VD_CLEANUP(vd_json_free) cJSON *actual = NULL;
	char refused[sizeof a->text];
	bool ok = entry != NULL, is_read;

	a->kind = kind_of(a);
	set(a);
	(void)snprintf(refused, sizeof refused, "%s", a->text);
	actual = get(a);
	is_read = is_ok(a);
	if (refused[0])
		(void)snprintf(a->text, sizeof a->text, "%s", refused);
	else if (actual && is_read && !is_as_wanted(a, actual))
		(void)snprintf(a->text, sizeof a->text, "the camera chose another value");
	ok = ok && actual && vd_json_add_copy(entry, "wanted", a->wanted);
	if (is_read)
		ok = ok && vd_json_add_copy(entry, "actual", actual);
	if (a->text[0])
		ok = ok && vd_json_add_string(entry, "text", a->text);
	return ok && vd_json_add_take(report, a->wanted->string, &entry) ? !a->text[0] : -ENOMEM;
}

int vd_aravis_controls_apply(const struct vd_aravis *arv, struct _ArvCamera *camera,
			     const cJSON *wanted, cJSON *report)
{
	const cJSON *control;
	int deviating = 0;

	cJSON_ArrayForEach(control, wanted)
	{
		struct access a = { .arv = arv, .camera = camera, .wanted = control };
		int r = apply_one(&a, report);

		if (r < 0)
			return r;
		deviating += r == 0;
	}
	return deviating;
}
