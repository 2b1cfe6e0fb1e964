/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Parameters as the SDK hands them over: checked by schema.json and filled with its defaults. */
#include <errno.h>
#include <string.h>

#include "vd_test.h"

#include "base/schema.h"
#include "modules/camera/settings.h"

extern const char vd_camera_schema_json[];

VD_UNUSED static int make_settings(const char *text, struct vd_camera_settings **ret_settings,
				   struct vd_fault *fault)
{
	VD_CLEANUP(vd_json_free) cJSON *schema = NULL;
	VD_CLEANUP(vd_json_free) cJSON *parameters = NULL;
	int r;

	assert_int_equal(
		vd_json_parse(vd_camera_schema_json, strlen(vd_camera_schema_json), &schema, NULL),
		0);
	assert_int_equal(vd_json_parse(text, strlen(text), &parameters, fault), 0);
	assert_int_equal(vd_schema_fill(schema, parameters), 0);
	r = vd_schema_check(schema, parameters, fault);
	return r < 0 ? r : vd_camera_settings_new(parameters, ret_settings, fault);
}

VD_UNUSED static struct vd_camera_settings *settings_of(const char *text)
{
	struct vd_camera_settings *settings = NULL;
	struct vd_fault fault = { 0 };

	if (make_settings(text, &settings, &fault) != 0)
		fail_msg("%s: %s", fault.pointer, fault.text);
	return settings;
}
