/* SPDX-License-Identifier: Apache-2.0 */
#include "vd_test.h"

#include "base/sas.h"
#include "twin/hub/api/api.h"
#include "twin/hub/policies.h"
#include "unit/twin/hub/hub_fixture.h"

enum { NOW_S = 1000000 };

/* One call, signed by a policy; the answer stays in call until the next one. */
struct caller {
	struct fixture *f;
	struct vd_api api;
	struct vd_call call;
	struct vd_buf token;
};

static int set_up(void **state)
{
	struct caller *c = calloc(1, sizeof *c);
	void *fixture = NULL;

	assert_int_equal(fixture_set_up(&fixture), 0);
	c->f = fixture;
	assert_int_equal(vd_policies_seed(c->f->store), 0);
	c->api = (struct vd_api){ .host_name = "hub.example",
				  .store = c->f->store,
				  .devices = c->f->devices,
				  .twins = c->f->twins };
	*state = c;
	return 0;
}

static void forget(struct caller *c)
{
	vd_call_fini(&c->call);
	vd_buf_fini(&c->token);
	c->call = (struct vd_call){ 0 };
	c->token = (struct vd_buf){ 0 };
}

static int tear_down(void **state)
{
	struct caller *c = *state;
	void *fixture = c->f;

	forget(c);
	assert_int_equal(fixture_tear_down(&fixture), 0);
	free(c);
	return 0;
}

static void sign(struct caller *c, const char *policy, const char *resource, int64_t expires_s)
{
	struct vd_policy_row row;

	assert_int_equal(vd_store_policy_get(c->f->store, policy, &row), 0);
	assert_int_equal(vd_sas_make(resource, row.key[1], policy, expires_s, &c->token), 0);
	c->call.authorization = c->token.data;
}

static int run(struct caller *c, enum vd_verb verb, const char *target, const char *body)
{
	c->call.verb = verb;
	c->call.body = body ? body : "";
	c->call.body_len = strlen(c->call.body);
	assert_int_equal(vd_call_set_target(&c->call, target, NULL), 0);
	assert_int_equal(vd_api_handle(&c->api, &c->call, (int64_t)NOW_S * 1000), 0);
	return c->call.reply.status;
}

static int ask(struct caller *c, enum vd_verb verb, const char *target, const char *body,
	       const char *if_match)
{
	forget(c);
	sign(c, "iothubowner", "hub.example", NOW_S + 60);
	c->call.if_match = if_match;
	return run(c, verb, target, body);
}

static const char *message(struct caller *c)
{
	return vd_json_string(c->call.reply.body, "Message", "");
}

static bool says(struct caller *c, const char *text)
{
	return strstr(message(c), text) != NULL;
}

static const char *answer(struct caller *c, const char *key)
{
	return vd_json_string(c->call.reply.body, key, "");
}

static void a_device_is_created_once_and_gets_keys_of_32_bytes(void **state)
{
	struct caller *c = *state;
	const cJSON *keys;

	assert_int_equal(ask(c, VD_VERB_PUT, "/devices/d1?api-version=2021-04-12",
			     "{\"deviceId\":\"d1\",\"authentication\":{\"type\":\"sas\","
			     "\"symmetricKey\":{\"primaryKey\":\"\",\"secondaryKey\":\"\"}}}",
			     NULL),
			 200);
	keys = vd_json_at(c->call.reply.body, "/authentication/symmetricKey");
	assert_int_equal(strlen(vd_json_string(keys, "primaryKey", "")), 44);
	assert_string_equal(answer(c, "connectionState"), "Disconnected");
	assert_string_equal(answer(c, "status"), "enabled");
	assert_int_equal(ask(c, VD_VERB_PUT, "/devices/d1", "{}", NULL), 409);
	assert_int_equal(strncmp(message(c), "ErrorCode:DeviceAlreadyExists;", 30), 0);
}

static void an_error_has_azures_two_members_and_one_semicolon(void **state)
{
	struct caller *c = *state;

	assert_int_equal(ask(c, VD_VERB_GET, "/devices/d%3B9", NULL, NULL), 404);
	assert_string_equal(message(c), "ErrorCode:DeviceNotFound;there is no device d,9");
	assert_int_equal(strncmp(answer(c, "ExceptionMessage"), "Tracking ID:", 12), 0);
	assert_string_equal(c->call.reply.error_name, "DeviceNotFound");
}

static void an_update_with_empty_keys_keeps_them_and_other_keys_end_the_connection(void **state)
{
	struct caller *c = *state;
	const char *given = "{\"authentication\":{\"symmetricKey\":{\"primaryKey\":"
			    "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"}}}";

	assert_int_equal(ask(c, VD_VERB_PUT, "/devices/d1", "{}", NULL), 200);
	assert_int_equal(ask(c, VD_VERB_PUT, "/devices/d1", "{\"statusReason\":\"x\"}", "*"), 200);
	assert_int_equal(c->f->kicks, 0);
	assert_int_equal(ask(c, VD_VERB_PUT, "/devices/d1", given, "\"*\""), 200);
	assert_int_equal(c->f->kicks, 1);
	assert_int_equal(ask(c, VD_VERB_PUT, "/devices/d1", "{\"status\":\"disabled\"}", "*"), 200);
	assert_int_equal(c->f->kicks, 2);
	assert_string_equal(c->f->last_kick, "d1");
}

static void etags_guard_devices(void **state)
{
	struct caller *c = *state;
	char etag[64];

	assert_int_equal(ask(c, VD_VERB_PUT, "/devices/d1", "{}", NULL), 200);
	(void)snprintf(etag, sizeof etag, "%s", c->call.reply.etag);
	assert_int_equal(ask(c, VD_VERB_PUT, "/devices/d1", "{}", etag), 200);
	assert_int_equal(ask(c, VD_VERB_PUT, "/devices/d1", "{}", etag), 412);
	assert_int_equal(ask(c, VD_VERB_DELETE, "/devices/d1", NULL, etag), 412);
	assert_int_equal(ask(c, VD_VERB_DELETE, "/devices/d1", NULL, "*"), 204);
	assert_int_equal(ask(c, VD_VERB_PUT, "/devices/d1", "{}", "*"), 404);
}

static void a_bad_body_names_its_place(void **state)
{
	static const struct {
		const char *body, *place;
	} bad[] = {
		{ "[]", "not a JSON object" },
		{ "{", "ErrorCode:ArgumentInvalid" },
		{ "{\"deviceId\":\"other\"}", "/deviceId" },
		{ "{\"status\":\"on\"}", "/status" },
		{ "{\"capabilities\":7}", "/capabilities" },
		{ "{\"capabilities\":{\"iotEdge\":1}}", "/capabilities/iotEdge" },
		{ "{\"authentication\":7}", "/authentication" },
		{ "{\"authentication\":{\"type\":\"magic\"}}", "/authentication/type" },
		{ "{\"authentication\":{\"symmetricKey\":{\"primaryKey\":\"short\"}}}",
		  "/authentication/symmetricKey/primaryKey" },
		{ "{\"authentication\":{\"type\":\"selfSigned\"}}",
		  "/authentication/x509Thumbprint" },
		{ "{\"authentication\":{\"x509Thumbprint\":{\"primaryThumbprint\":\"zz\"}}}",
		  "/authentication/x509Thumbprint/primaryThumbprint" },
	};
	struct caller *c = *state;

	for (size_t i = 0; i < VD_COUNT(bad); i++) {
		assert_int_equal(ask(c, VD_VERB_PUT, "/devices/d1", bad[i].body, NULL), 400);
		assert_true(says(c, bad[i].place));
	}
	assert_int_equal(ask(c, VD_VERB_GET, "/devices/d1", NULL, NULL), 404);
	assert_int_equal(ask(c, VD_VERB_PUT, "/devices/a%2Bb", "{}", NULL), 400);
}

static void an_edge_device_has_its_system_modules_from_the_start(void **state)
{
	struct caller *c = *state;
	const char *edge = "{\"capabilities\":{\"iotEdge\":true}}";

	assert_int_equal(ask(c, VD_VERB_PUT, "/devices/e1", edge, NULL), 200);
	assert_true(cJSON_IsTrue(vd_json_at(c->call.reply.body, "/capabilities/iotEdge")));
	assert_int_equal(ask(c, VD_VERB_GET, "/devices/e1/modules/%24edgeHub", NULL, NULL), 200);
	assert_string_equal(answer(c, "managedBy"), "iotEdge");
	assert_int_equal(ask(c, VD_VERB_GET, "/twins/e1/modules/%24edgeAgent", NULL, NULL), 200);
	assert_int_equal(ask(c, VD_VERB_GET, "/twins/e1", NULL, NULL), 200);
	assert_true(cJSON_IsTrue(vd_json_at(c->call.reply.body, "/capabilities/iotEdge")));
	/* An update without a word of it leaves it; one may become an edge device later. */
	assert_int_equal(ask(c, VD_VERB_PUT, "/devices/e1", "{}", "*"), 200);
	assert_true(cJSON_IsTrue(vd_json_at(c->call.reply.body, "/capabilities/iotEdge")));
	assert_int_equal(ask(c, VD_VERB_PUT, "/devices/d1", "{}", NULL), 200);
	assert_int_equal(ask(c, VD_VERB_GET, "/devices/d1/modules/%24edgeHub", NULL, NULL), 404);
	assert_int_equal(ask(c, VD_VERB_PUT, "/devices/d1", edge, "*"), 200);
	assert_int_equal(ask(c, VD_VERB_GET, "/devices/d1/modules/%24edgeHub", NULL, NULL), 200);
	assert_int_equal(ask(c, VD_VERB_DELETE, "/devices/e1", NULL, "*"), 204);
	assert_int_equal(ask(c, VD_VERB_GET, "/devices/e1/modules/%24edgeHub", NULL, NULL), 404);
}

static void modules_live_and_die_with_their_device(void **state)
{
	struct caller *c = *state;

	assert_int_equal(ask(c, VD_VERB_PUT, "/devices/d1/modules/m", "{}", NULL), 404);
	assert_true(says(c, "DeviceNotFound"));
	assert_int_equal(ask(c, VD_VERB_PUT, "/devices/d1", "{}", NULL), 200);
	assert_int_equal(ask(c, VD_VERB_PUT, "/devices/d1/modules/m", "{\"moduleId\":\"m\"}", NULL),
			 200);
	assert_string_equal(answer(c, "moduleId"), "m");
	assert_int_equal(ask(c, VD_VERB_PUT, "/devices/d1/modules/m", "{}", NULL), 409);
	assert_true(says(c, "ModuleAlreadyExistsOnDevice"));
	assert_int_equal(ask(c, VD_VERB_GET, "/devices/d1/modules", NULL, NULL), 200);
	assert_int_equal(cJSON_GetArraySize(c->call.reply.body), 1);
	assert_int_equal(ask(c, VD_VERB_GET, "/twins/d1/modules/m", NULL, NULL), 200);
	assert_int_equal(ask(c, VD_VERB_DELETE, "/devices/d1", NULL, "*"), 204);
	assert_int_equal(c->f->kicks, 2);
	assert_int_equal(ask(c, VD_VERB_GET, "/twins/d1/modules/m", NULL, NULL), 404);
}

static void a_twin_is_read_patched_and_replaced(void **state)
{
	struct caller *c = *state;

	assert_int_equal(ask(c, VD_VERB_PUT, "/devices/d1", "{}", NULL), 200);
	assert_int_equal(ask(c, VD_VERB_PATCH, "/twins/d1",
			     "{\"tags\":{\"line\":\"7\"},\"properties\":{\"desired\":{\"a\":1}}}",
			     "*"),
			 200);
	assert_string_equal(c->call.reply.etag, "\"AAAAAAAAAAI=\"");
	assert_int_equal(
		vd_json_int(vd_json_at(c->call.reply.body, "/properties/desired"), "$version", 0),
		2);
	assert_non_null(vd_json_at(c->call.reply.body, "/properties/desired/$metadata/a"));
	assert_int_equal(
		ask(c, VD_VERB_PUT, "/twins/d1", "{\"properties\":{\"desired\":{\"b\":1}}}", NULL),
		200);
	assert_null(vd_json_at(c->call.reply.body, "/properties/desired/a"));
	assert_string_equal(vd_json_string(vd_json_get(c->call.reply.body, "tags"), "line", ""),
			    "7");
	assert_int_equal(ask(c, VD_VERB_GET, "/twins/d1/history", NULL, NULL), 200);
	assert_int_equal(cJSON_GetArraySize(c->call.reply.body), 3);
	assert_int_equal(ask(c, VD_VERB_GET, "/twins/d1/history/2", NULL, NULL), 200);
	assert_int_equal(vd_json_int(c->call.reply.body, "a", 0), 1);
	assert_int_equal(ask(c, VD_VERB_GET, "/twins/d1/history/77", NULL, NULL), 404);
}

static void nobody_gets_in_without_a_good_token(void **state)
{
	struct caller *c = *state;

	assert_int_equal(run(c, VD_VERB_GET, "/devices/", NULL), 401);
	forget(c);
	sign(c, "iothubowner", "hub.example", NOW_S - 1);
	assert_int_equal(run(c, VD_VERB_GET, "/devices/", NULL), 401);
	forget(c);
	sign(c, "iothubowner", "other.example", NOW_S + 60);
	assert_int_equal(run(c, VD_VERB_GET, "/devices/", NULL), 401);
	forget(c);
	sign(c, "iothubowner", "hub.example/devices/d1", NOW_S + 60);
	assert_int_equal(run(c, VD_VERB_GET, "/devices/d2", NULL), 401);
	forget(c);
	c->call.authorization = "Bearer abc";
	assert_int_equal(run(c, VD_VERB_GET, "/devices/", NULL), 401);
	assert_true(says(c, "IotHubUnauthorizedAccess"));
}

static void a_policy_opens_what_it_has_the_right_for_and_no_more(void **state)
{
	static const struct {
		const char *policy;
		enum vd_verb verb;
		const char *target;
		int status;
	} cases[] = {
		{ "service", VD_VERB_GET, "/devices/", 401 },
		{ "service", VD_VERB_GET, "/twins/d1", 404 },
		{ "registryRead", VD_VERB_GET, "/devices/", 200 },
		{ "registryRead", VD_VERB_PUT, "/devices/d1", 401 },
		{ "registryRead", VD_VERB_GET, "/twins/d1", 401 },
		{ "registryReadWrite", VD_VERB_PUT, "/devices/d5", 200 },
		{ "device", VD_VERB_GET, "/devices/", 401 },
		{ "device", VD_VERB_GET, "/telemetry", 401 },
		{ "service", VD_VERB_GET, "/telemetry", 200 },
	};
	struct caller *c = *state;

	for (size_t i = 0; i < VD_COUNT(cases); i++) {
		forget(c);
		sign(c, cases[i].policy, "hub.example", NOW_S + 60);
		assert_int_equal(run(c, cases[i].verb, cases[i].target, "{}"), cases[i].status);
	}
}

static void what_is_not_there_is_404_or_405_or_501(void **state)
{
	struct caller *c = *state;

	assert_int_equal(ask(c, VD_VERB_GET, "/nothing", NULL, NULL), 404);
	assert_int_equal(ask(c, VD_VERB_GET, "/", NULL, NULL), 404);
	assert_int_equal(ask(c, VD_VERB_PATCH, "/devices/d1", "{}", NULL), 405);
	assert_int_equal(ask(c, VD_VERB_POST, "/jobs/create", "{}", NULL), 501);
	assert_true(says(c, "/jobs/create"));
}

static void statistics_count_devices(void **state)
{
	struct caller *c = *state;

	assert_int_equal(ask(c, VD_VERB_PUT, "/devices/d1", "{}", NULL), 200);
	assert_int_equal(ask(c, VD_VERB_PUT, "/devices/d2", "{\"status\":\"disabled\"}", NULL),
			 200);
	assert_int_equal(ask(c, VD_VERB_GET, "/statistics/devices", NULL, NULL), 200);
	assert_int_equal(vd_json_int(c->call.reply.body, "totalDeviceCount", 0), 2);
	assert_int_equal(vd_json_int(c->call.reply.body, "disabledDeviceCount", 0), 1);
	assert_int_equal(ask(c, VD_VERB_GET, "/statistics/service", NULL, NULL), 200);
	assert_int_equal(vd_json_int(c->call.reply.body, "connectedDeviceCount", 9), 0);
}

static void telemetry_comes_in_pages(void **state)
{
	struct caller *c = *state;
	const struct vd_record_row row = { .device = "d1",
					   .class_name = "event",
					   .module = "m",
					   .text = "{\"class\":\"event\"}" };

	for (int i = 0; i < 3; i++)
		assert_int_equal(vd_store_record_add(c->f->store, &row), 0);
	assert_int_equal(ask(c, VD_VERB_GET, "/telemetry?deviceId=d1&limit=2", NULL, NULL), 200);
	assert_int_equal(vd_json_int(c->call.reply.body, "continuation", 0), 2);
	assert_int_equal(ask(c, VD_VERB_GET, "/telemetry?deviceId=d1&after=2", NULL, NULL), 200);
	assert_int_equal(cJSON_GetArraySize(vd_json_array(c->call.reply.body, "items")), 1);
	assert_int_equal(vd_json_int(c->call.reply.body, "continuation", 0), 3);
	assert_int_equal(ask(c, VD_VERB_GET, "/telemetry?limit=0", NULL, NULL), 400);
	assert_int_equal(ask(c, VD_VERB_GET, "/telemetry?order=up", NULL, NULL), 400);
	assert_int_equal(ask(c, VD_VERB_GET, "/telemetry/statistics?deviceId=d1", NULL, NULL), 200);
	assert_int_equal(vd_json_int(vd_json_at(c->call.reply.body, "/classes/event"), "total", 0),
			 3);
}

static void the_broker_is_told_of_identities_after_each_change(void **state)
{
	struct caller *c = *state;
	struct vd_identities *table = NULL;

	assert_int_equal(ask(c, VD_VERB_PUT, "/devices/d1", "{}", NULL), 200);
	assert_int_equal(ask(c, VD_VERB_PUT, "/devices/d1/modules/m", "{}", NULL), 200);
	assert_int_equal(vd_identities_new(c->f->journal, &table), 0);
	assert_true(vd_identities_find(table, "d1/m")->enabled);
	assert_int_equal(ask(c, VD_VERB_PUT, "/devices/d1", "{\"status\":\"disabled\"}", "*"), 200);
	assert_int_equal(vd_identities_reload(table), VD_IDENTITIES_CHANGED);
	assert_false(vd_identities_find(table, "d1")->enabled);
	assert_false(vd_identities_find(table, "d1/m")->enabled);
	assert_int_equal(ask(c, VD_VERB_DELETE, "/devices/d1", NULL, "*"), 204);
	assert_int_equal(vd_identities_reload(table), VD_IDENTITIES_CHANGED);
	assert_null(vd_identities_find(table, "d1"));
	assert_null(vd_identities_find(table, "d1/m"));
	assert_int_equal(vd_devices_export(c->f->devices), 0);
	assert_int_equal(vd_identities_reload(table), VD_IDENTITIES_CHANGED);
	assert_non_null(vd_identities_policy(table, "device"));
	assert_null(vd_identities_policy(table, "service"));
	(void)vd_identities_free(table);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

VD_TEST_MAIN(T(a_device_is_created_once_and_gets_keys_of_32_bytes),
	     T(an_error_has_azures_two_members_and_one_semicolon),
	     T(an_update_with_empty_keys_keeps_them_and_other_keys_end_the_connection),
	     T(etags_guard_devices), T(a_bad_body_names_its_place),
	     T(an_edge_device_has_its_system_modules_from_the_start),
	     T(modules_live_and_die_with_their_device), T(a_twin_is_read_patched_and_replaced),
	     T(nobody_gets_in_without_a_good_token),
	     T(a_policy_opens_what_it_has_the_right_for_and_no_more),
	     T(what_is_not_there_is_404_or_405_or_501), T(statistics_count_devices),
	     T(telemetry_comes_in_pages), T(the_broker_is_told_of_identities_after_each_change))
