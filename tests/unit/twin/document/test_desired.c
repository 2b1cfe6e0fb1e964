/* SPDX-License-Identifier: Apache-2.0 */
#include "twin/document/desired.h"

#include <errno.h>

#include "base/buf.h"
#include "base/schema.h"
#include "vd_test.h"

#include "random_json.h"

static const char full[] =
	"{\"schemaVersion\":\"1.0\","
	"\"agent\":{\"logLevel\":\"debug\",\"reportIntervalMs\":5000,\"outbox\":{\"maxBytes\":"
	"1048576,\"maxAgeS\":60},"
	"\"images\":{\"upload\":false,\"bytesPerSecond\":50000}},"
	"\"modules\":{"
	"\"station-3\":{\"type\":\"process\",\"package\":\"inspect\",\"version\":\"1.2.0\","
	"\"status\":\"stopped\","
	"\"parameters\":{\"active\":\"cap-A\"}},"
	"\"cam-top\":{\"type\":\"process\",\"package\":\"camera\",\"version\":\"1.0.0\",\"status\":"
	"\"running\","
	"\"sha256\":\"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\","
	"\"restartPolicy\":\"on-failure\",\"startupOrder\":10,"
	"\"limits\":{\"memoryBytes\":67108864,\"cpuPercent\":50.5,\"processes\":8},"
	"\"env\":{\"LOG\":{\"value\":\"info\"},\"TZ\":{\"value\":\"\"}},"
	"\"readyTimeoutMs\":2000,\"stopTimeoutMs\":300,\"heartbeatMs\":250,\"workDeadlineMs\":4000,"
	"\"parameters\":{\"fps\":30}}},"
	"\"routes\":{\"verdicts\":{\"route\":\"FROM station-3/verdict INTO "
	"$upstream\",\"class\":\"verdict\"},"
	"\"frames\":\"FROM cam-top/frame INTO station-3/frame\"},"
	"\"$version\":7,\"$metadata\":{\"$lastUpdated\":\"2026-11-21T23:49:30.1230000Z\"}}";

static cJSON *parse_json(const char *text)
{
	struct vd_fault fault = { 0 };
	cJSON *json = NULL;

	if (vd_json_parse(text, strlen(text), &json, &fault) < 0)
		fail_msg("%s at %s in %s", fault.text, fault.pointer, text);
	return json;
}

static struct vd_desired *parsed(const char *text)
{
	VD_CLEANUP(vd_json_free) cJSON *json = parse_json(text);
	struct vd_fault fault = { 0 };
	struct vd_desired *desired = NULL;

	if (vd_desired_parse(json, &desired, &fault) < 0)
		fail_msg("%s %s", fault.pointer, fault.text);
	return desired;
}

static void refuses(const char *text, int code, const char *pointer, const char *reason)
{
	VD_CLEANUP(vd_json_free) cJSON *json = parse_json(text);
	VD_CLEANUP(vd_desired_free) struct vd_desired *desired = NULL;
	struct vd_fault fault = { 0 };

	assert_int_equal(vd_desired_parse(json, &desired, &fault), -EINVAL);
	assert_null(desired);
	assert_string_equal(fault.pointer, pointer);
	assert_string_equal(fault.text, reason);
	assert_int_equal(fault.code, code);
}

/* A document with one module "m" that has these members, too. */
static void refuses_module(const char *members, const char *pointer, const char *reason)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf text = { 0 };

	assert_int_equal(vd_buf_printf(&text,
				       "{\"schemaVersion\":\"1.0\",\"modules\":{\"m\":{%s}}}",
				       members),
			 0);
	refuses(text.data, 400, pointer, reason);
}

static void refuses_routes(const char *routes, const char *pointer, const char *reason)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf text = { 0 };

	assert_int_equal(vd_buf_printf(&text,
				       "{\"schemaVersion\":\"1.0\",\"modules\":{\"m\":{\"package\":"
				       "\"p\",\"version\":\"1\"}},"
				       "\"routes\":{%s}}",
				       routes),
			 0);
	refuses(text.data, 400, pointer, reason);
}

static void the_schema_is_one_that_is_understood_whole(void **state)
{
	VD_CLEANUP(vd_json_free) cJSON *schema = NULL;
	struct vd_fault fault = { 0 };

	assert_int_equal(vd_desired_schema(&schema), 0);
	if (vd_schema_verify(schema, &fault) < 0)
		fail_msg("%s %s", fault.pointer, fault.text);
}

static void a_full_document_is_read_whole(void **state)
{
	VD_CLEANUP(vd_desired_free) struct vd_desired *desired = parsed(full);
	const struct vd_desired_module *cam = &desired->modules[0];

	assert_int_equal(desired->version, 7);
	assert_int_equal(desired->agent.log_level, VD_DEBUG);
	assert_int_equal(desired->agent.report_interval_ms, 5000);
	assert_int_equal(desired->agent.outbox_max_bytes, 1048576);
	assert_int_equal(desired->agent.outbox_max_age_s, 60);
	assert_false(desired->agent.uploads_images);
	assert_int_equal(desired->agent.image_bytes_per_second, 50000);
	assert_int_equal(desired->module_count, 2);
	assert_string_equal(cam->id, "cam-top");
	assert_string_equal(cam->package, "camera");
	assert_string_equal(cam->version, "1.0.0");
	assert_int_equal(strlen(cam->sha256), 64);
	assert_true(cam->is_running);
	assert_string_equal(cam->restart_policy, "on-failure");
	assert_int_equal(cam->startup_order, 10);
	assert_int_equal(cam->limits.memory_bytes, 67108864);
	assert_true(cam->limits.cpu_percent > 50.4 && cam->limits.cpu_percent < 50.6);
	assert_int_equal(cam->limits.processes, 8);
	assert_int_equal(cam->env_count, 2);
	assert_string_equal(cam->env[0].name, "LOG");
	assert_string_equal(cam->env[0].value, "info");
	assert_string_equal(cam->env[1].value, "");
	assert_int_equal(cam->ready_timeout_ms, 2000);
	assert_int_equal(cam->stop_timeout_ms, 300);
	assert_int_equal(cam->heartbeat_ms, 250);
	assert_int_equal(cam->work_deadline_ms, 4000);
	assert_int_equal(vd_json_int(cam->parameters, "fps", 0), 30);
}

static void routes_are_read_in_the_order_of_their_names(void **state)
{
	VD_CLEANUP(vd_desired_free) struct vd_desired *desired = parsed(full);

	assert_int_equal(desired->route_count, 2);
	assert_string_equal(desired->routes[0].name, "frames");
	assert_string_equal(desired->routes[0].sink_module, "station-3");
	assert_null(desired->routes[0].class);
	assert_string_equal(desired->routes[1].name, "verdicts");
	assert_true(desired->routes[1].is_upstream);
	assert_string_equal(desired->routes[1].class, "verdict");
}

static void what_is_not_said_has_its_default(void **state)
{
	VD_CLEANUP(vd_desired_free)
	struct vd_desired *desired = parsed("{\"schemaVersion\":\"1.0\",\"modules\":{\"m\":{"
					    "\"package\":\"p\",\"version\":\"1\"}}}");
	const struct vd_desired_module *m = vd_desired_module(desired, "m");

	assert_int_equal(desired->version, -1);
	assert_int_equal(desired->agent.log_level, VD_INFO);
	assert_int_equal(desired->agent.report_interval_ms, 10000);
	assert_int_equal(desired->agent.outbox_max_bytes, 268435456);
	assert_int_equal(desired->agent.outbox_max_age_s, 0);
	assert_true(desired->agent.uploads_images);
	assert_int_equal(desired->agent.image_bytes_per_second, 0);
	assert_int_equal(desired->route_count, 0);
	assert_non_null(m);
	assert_null(m->sha256);
	assert_true(m->is_running);
	assert_string_equal(m->restart_policy, "always");
	assert_int_equal(m->startup_order, UINT32_MAX);
	assert_int_equal(m->limits.memory_bytes, 0);
	assert_int_equal(m->env_count, 0);
	assert_int_equal(m->ready_timeout_ms, 10000);
	assert_int_equal(m->stop_timeout_ms, 5000);
	assert_int_equal(m->heartbeat_ms, 1000);
	assert_int_equal(m->work_deadline_ms, 30000);
	assert_true(cJSON_IsObject(m->parameters));
	assert_null(vd_desired_module(desired, "n"));
}

static void modules_come_by_startup_order_then_id(void **state)
{
	VD_CLEANUP(vd_desired_free)
	struct vd_desired *desired =
		parsed("{\"schemaVersion\":\"1.0\",\"modules\":{\"z\":{\"package\":\"p\","
		       "\"version\":\"1\",\"startupOrder\":1},"
		       "\"b\":{\"package\":\"p\",\"version\":\"1\"},\"a\":{\"package\":\"p\","
		       "\"version\":\"1\"}}}");

	assert_string_equal(desired->modules[0].id, "z");
	assert_string_equal(desired->modules[1].id, "a");
	assert_string_equal(desired->modules[2].id, "b");
}

static void an_empty_document_is_told_from_a_bad_one(void **state)
{
	refuses("{}", 417, "", "the document is empty: nothing is desired of this device yet");
	refuses("{\"$version\":1}", 417, "",
		"the document is empty: nothing is desired of this device yet");
	refuses("{\"modules\":{}}", 400, "/schemaVersion", "is required");
	refuses("[]", 400, "", "must be an object");
}

static void a_schema_version_of_another_time_is_412(void **state)
{
	refuses("{\"schemaVersion\":\"2.0\"}", 412, "/schemaVersion",
		"\"2.0\" is not known here, 1.0 is");
	refuses("{\"schemaVersion\":2}", 400, "/schemaVersion", "must be a text, is a number");
}

static void over_the_limits_of_a_twin_is_413(void **state)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf text = { 0 };
	int r = vd_buf_printf(&text, "{\"schemaVersion\":\"1.0\",\"modules\":{");

	for (int i = 0; i < 20; i++)
		r |= vd_buf_printf(&text,
				   "%s\"m%d\":{\"package\":\"p\",\"version\":\"1\",\"parameters\":{"
				   "\"x\":\"%02000d\"}}",
				   i ? "," : "", i, 0);
	r |= vd_buf_printf(&text, "}}");
	assert_int_equal(r, 0);
	VD_CLEANUP(vd_json_free) cJSON *json = parse_json(text.data);
	VD_CLEANUP(vd_desired_free) struct vd_desired *desired = NULL;
	struct vd_fault fault = { 0 };
	assert_int_equal(vd_desired_parse(json, &desired, &fault), -EINVAL);
	assert_int_equal(fault.code, 413);
}

static void misspelt_members_are_refused_at_every_level(void **state)
{
	refuses("{\"schemaVersion\":\"1.0\",\"module\":{}}", 400, "/module", "is not known here");
	refuses("{\"schemaVersion\":\"1.0\",\"agent\":{\"outbox\":{\"maxbytes\":1}}}", 400,
		"/agent/outbox/maxbytes", "is not known here");
	refuses_module("\"package\":\"p\",\"version\":\"1\",\"statuss\":\"running\"",
		       "/modules/m/statuss", "is not known here");
	refuses_module("\"package\":\"p\"", "/modules/m/version", "is required");
}

static void values_out_of_bounds_name_their_place(void **state)
{
	refuses_module(
		"\"package\":\"p\",\"version\":\"1\",\"restartPolicy\":\"sometimes\"",
		"/modules/m/restartPolicy",
		"\"sometimes\" is none of \"never\", \"on-failure\", \"on-unhealthy\", \"always\"");
	refuses_module("\"package\":\"p\",\"version\":\"1\",\"status\":\"Running\"",
		       "/modules/m/status", "\"Running\" is none of \"running\", \"stopped\"");
	refuses_module("\"package\":\"p\",\"version\":\"1\",\"startupOrder\":4294967296",
		       "/modules/m/startupOrder", "4294967296 is above 4294967295");
	refuses_module("\"package\":\"p\",\"version\":\"1\",\"limits\":{\"memoryBytes\":-1}",
		       "/modules/m/limits/memoryBytes", "-1 is below 0");
	refuses_module("\"package\":\"p\",\"version\":\"1\",\"parameters\":[]",
		       "/modules/m/parameters", "must be an object, is an array");
}

static void versions_are_exact(void **state)
{
	static const char latest[] =
		"must be an exact version: \"latest\" changes under one's feet";

	refuses_module("\"package\":\"p\",\"version\":\"latest\"", "/modules/m/version", latest);
	refuses_module("\"package\":\"p\",\"version\":\"Latest\"", "/modules/m/version", latest);
	refuses_module("\"package\":\"p\",\"version\":\"\"", "/modules/m/version",
		       "0 characters, at least 1 are needed");
}

static void names_that_become_folders_cannot_lead_out_of_theirs(void **state)
{
	static const char name[] = "must be letters, digits and . _ + ~ -, not '.' or '-' first";

	refuses_module("\"package\":\"../p\",\"version\":\"1\"", "/modules/m/package", name);
	refuses_module("\"package\":\"a/b\",\"version\":\"1\"", "/modules/m/package", name);
	refuses_module("\"package\":\"p\",\"version\":\"..\"", "/modules/m/version", name);
	refuses_module("\"package\":\"p\",\"version\":\"1/../2\"", "/modules/m/version", name);
	refuses_module("\"package\":\"-rf\",\"version\":\"1\"", "/modules/m/package", name);
	refuses("{\"schemaVersion\":\"1.0\",\"modules\":{\"a/"
		"b\":{\"package\":\"p\",\"version\":\"1\"}}}",
		400, "/modules/a~1b",
		"a module's id is 1 to 128 letters, digits, '_' and '-', not '-' first");
	refuses("{\"schemaVersion\":\"1.0\",\"modules\":{\"..\":{\"package\":\"p\",\"version\":"
		"\"1\"}}}",
		400, "/modules/..", "'.' is not allowed in a key");
	refuses_module("\"package\":\"p\",\"version\":\"1\",\"sha256\":"
		       "\"0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef\"",
		       "/modules/m/sha256", "must be 64 hexadecimal digits in lower case");
	refuses_module("\"package\":\"p\",\"version\":\"1\",\"env\":{\"A=B\":{\"value\":\"\"}}",
		       "/modules/m/env/A=B", "not a name of an environment variable");
}

static void both_ends_of_a_route_are_modules_of_the_document(void **state)
{
	refuses_routes("\"r\":\"FROM x/o INTO $upstream\"", "/routes/r",
		       "the document has no module \"x\"");
	refuses_routes("\"r\":\"FROM m/o INTO x/i\"", "/routes/r",
		       "the document has no module \"x\"");
	refuses_routes("\"r\":{\"route\":\"FROM m INTO $upstream\"}", "/routes/r/route",
		       "\"m\" must be <module>/<output>");
	refuses_routes("\"r\":{\"rout\":\"FROM m/o INTO $upstream\"}", "/routes/r/route",
		       "is required");
	refuses_routes("\"r\":{\"route\":\"FROM m/o INTO m/i\",\"class\":\"alarm\"}",
		       "/routes/r/class", "a class is for routes INTO $upstream");
	refuses_routes("\"r\":7", "/routes/r", "must be a text or an object, is a number");
}

static void two_routes_may_not_go_the_same_way(void **state)
{
	refuses_routes(
		"\"a\":\"FROM m/o INTO $upstream\",\"b\":{\"route\":\"from m/o into $upstream\"}",
		"/routes/b", "goes the same way as the route \"a\"");
}

static void the_document_itself_is_not_needed_afterwards_nor_changed(void **state)
{
	VD_CLEANUP(vd_json_free) cJSON *json = parse_json(full);
	VD_CLEANUP(vd_free) char *before = vd_json_text(json);
	VD_CLEANUP(vd_desired_free) struct vd_desired *desired = NULL;

	assert_int_equal(vd_desired_parse(json, &desired, NULL), 0);
	VD_CLEANUP(vd_free) char *after = vd_json_text(json);
	assert_string_equal(before, after);
	json = vd_json_free(json);
	assert_string_equal(desired->modules[0].id, "cam-top");
}

static void a_failed_allocation_gives_no_document(void **state)
{
	VD_CLEANUP(vd_json_free) cJSON *json = parse_json(full);
	VD_CLEANUP(vd_desired_free) struct vd_desired *desired = NULL;
	int r = -ENOMEM, count = 0;

	for (; r == -ENOMEM; count++) {
		assert_true(count < 10000);
		limit_allocations(count);
		r = vd_desired_parse(json, &desired, NULL);
		unlimit_allocations();
		assert_true((r == 0) == (desired != NULL));
	}
	assert_int_equal(r, 0);
	assert_true(count > 100);
}

VD_TEST_MAIN(cmocka_unit_test(the_schema_is_one_that_is_understood_whole),
	     cmocka_unit_test(a_full_document_is_read_whole),
	     cmocka_unit_test(routes_are_read_in_the_order_of_their_names),
	     cmocka_unit_test(what_is_not_said_has_its_default),
	     cmocka_unit_test(modules_come_by_startup_order_then_id),
	     cmocka_unit_test(an_empty_document_is_told_from_a_bad_one),
	     cmocka_unit_test(a_schema_version_of_another_time_is_412),
	     cmocka_unit_test(over_the_limits_of_a_twin_is_413),
	     cmocka_unit_test(misspelt_members_are_refused_at_every_level),
	     cmocka_unit_test(values_out_of_bounds_name_their_place),
	     cmocka_unit_test(versions_are_exact),
	     cmocka_unit_test(names_that_become_folders_cannot_lead_out_of_theirs),
	     cmocka_unit_test(both_ends_of_a_route_are_modules_of_the_document),
	     cmocka_unit_test(two_routes_may_not_go_the_same_way),
	     cmocka_unit_test(the_document_itself_is_not_needed_afterwards_nor_changed),
	     cmocka_unit_test(a_failed_allocation_gives_no_document))
