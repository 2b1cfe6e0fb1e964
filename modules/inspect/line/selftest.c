/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/inspect/line/selftest.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int vd_selftest_options_parse(const cJSON *parameters, struct vd_selftest_options *ret_options)
{
	const cJSON *json = vd_json_object(parameters, "selfTest");
	struct vd_selftest_options options = { .every_ms = 0 };

	if (json) {
		options.every_ms = (uint64_t)vd_json_int(json, "everyS", 0) * 1000;
		options.frames = cJSON_Duplicate(vd_json_object(json, "frames"), true);
		(void)snprintf(options.expected, sizeof options.expected, "%s",
			       vd_json_string(json, "expect", ""));
		if (!options.frames)
			return -ENOMEM;
	}
	*ret_options = options;
	return 0;
}

void vd_selftest_options_fini(struct vd_selftest_options *options)
{
	options->frames = vd_json_free(options->frames);
}

bool vd_selftest_start(struct vd_selftest *test, const struct vd_selftest_options *options,
		       uint64_t now_ms)
{
	if (options->every_ms == 0 || test->is_running || now_ms < test->due_ms)
		return false;
	test->is_running = true;
	test->due_ms = now_ms + options->every_ms;
	return true;
}

bool vd_selftest_end(struct vd_selftest *test, const struct vd_selftest_options *options,
		     const char *verdict)
{
	const bool was_failing = test->is_failing;

	test->is_running = false;
	test->is_failing = strcmp(verdict, options->expected) != 0;
	(void)snprintf(test->last, sizeof test->last, "%s", verdict);
	test->passed += !test->is_failing;
	test->failed += test->is_failing;
	return was_failing != test->is_failing;
}

bool vd_selftest_add(const struct vd_selftest *test, const struct vd_selftest_options *options,
		     cJSON *json)
{
	cJSON *part;

	if (options->every_ms == 0)
		return vd_json_add_string(json, "selfTest", NULL);
	part = cJSON_AddObjectToObject(json, "selfTest");
	return part && vd_json_add_number(part, "passed", (double)test->passed) &&
	       vd_json_add_number(part, "failed", (double)test->failed) &&
	       vd_json_add_string(part, "last", test->last[0] ? test->last : NULL) &&
	       vd_json_add_string(part, "expected", options->expected);
}
