/* SPDX-License-Identifier: Apache-2.0 */
#include "vd_test.h"

#include "twin/document/merge.h"
#include "twin/hub/automation/configurations.h"
#include "twin/hub/refusal.h"
#include "unit/twin/hub/hub_fixture.h"

static int64_t now_ms = 1000;

static struct vd_configurations *open_configurations(struct fixture *f)
{
	struct vd_configurations *c = NULL;

	assert_int_equal(vd_configurations_new(NULL, f->store, f->devices, f->twins, &c), 0);
	return c;
}

static void settle(struct vd_configurations *c)
{
	while (vd_configurations_run(c, 1000, ++now_ms))
		;
}

static int put(struct vd_configurations *c, const char *id, const char *if_match, const char *body,
	       struct vd_fault *fault)
{
	cJSON *json = json_of(body), *answer = NULL;
	int r = vd_configurations_put(c, id, if_match, json, ++now_ms, &answer, fault);

	(void)vd_json_free(json);
	(void)vd_json_free(answer);
	return r;
}

static void add(struct vd_configurations *c, const char *id, const char *condition, int priority,
		const char *content)
{
	struct vd_fault fault = { 0 };
	char body[1024];

	(void)snprintf(body, sizeof body,
		       "{\"id\":\"%s\",\"targetCondition\":\"%s\",\"priority\":%d,\"content\":%s}",
		       id, condition, priority, content);
	if (put(c, id, NULL, body, &fault) != 0)
		fail_msg("%s: %s %s", id, fault.pointer, fault.text);
	settle(c);
}

static void change_twin(struct fixture *f, struct vd_configurations *c, const char *id,
			const char *body)
{
	struct vd_name name = name_of(id);
	cJSON *json = json_of(body), *twin = NULL;
	const struct vd_twin_update update = { .body = json, .author = "test", .now_ms = ++now_ms };

	assert_int_equal(vd_twins_update(f->twins, &name, &update, &twin, NULL), 0);
	vd_configurations_twin_changed(c, &name, "updateTwin", json);
	settle(c);
	(void)vd_json_free(json);
	(void)vd_json_free(twin);
}

/* What stands at the pointer of the twin, as JSON; "" if nothing does. */
static const char *at(struct fixture *f, const char *id, const char *pointer)
{
	static char text[512];
	struct vd_name name = name_of(id);
	cJSON *twin = NULL;
	const cJSON *value;
	char *printed;

	assert_int_equal(vd_twins_get(f->twins, &name, &twin, NULL), 0);
	value = vd_json_at(twin, pointer);
	printed = value ? vd_json_text(value) : strdup("");
	(void)snprintf(text, sizeof text, "%s", printed);
	free(printed);
	(void)vd_json_free(twin);
	return text;
}

#define FPS(n) "{\"deviceContent\":{\"properties.desired.camera.fps\":" #n "}}"
#define AT_FPS "/properties/desired/camera/fps"

static void
a_device_that_comes_under_a_condition_follows_and_one_that_leaves_is_restored(void **state)
{
	struct fixture *f = *state;
	struct vd_configurations *c = open_configurations(f);

	register_device(f, "d1", "{}");
	add(c, "slow", "tags.line = 1", 1, FPS(5));
	add(c, "fast", "tags.line = 1 AND tags.fast = true", 2, FPS(50));
	assert_string_equal(at(f, "d1", AT_FPS), "");
	change_twin(f, c, "d1", "{\"tags\":{\"line\":1}}");
	assert_string_equal(at(f, "d1", AT_FPS), "5");
	change_twin(f, c, "d1", "{\"tags\":{\"fast\":true}}");
	assert_string_equal(at(f, "d1", AT_FPS), "50");
	assert_string_equal(
		at(f, "d1", "/configurations"),
		"{\"fast\":{\"status\":\"Applied\"},\"slow\":{\"status\":\"Targeted\"}}");
	change_twin(f, c, "d1", "{\"tags\":{\"fast\":null}}");
	assert_string_equal(at(f, "d1", AT_FPS), "5");
	change_twin(f, c, "d1", "{\"tags\":{\"line\":2}}");
	assert_string_equal(at(f, "d1", AT_FPS), "");
	assert_string_equal(at(f, "d1", "/configurations"), "");
	(void)vd_configurations_free(c);
}

static void a_deleted_configuration_leaves_nothing_and_others_wins_stay(void **state)
{
	struct fixture *f = *state;
	struct vd_configurations *c = open_configurations(f);

	register_device(f, "d1", "{}");
	change_twin(f, c, "d1", "{\"properties\":{\"desired\":{\"mine\":1}}}");
	add(c, "a", "*", 1, FPS(5));
	add(c, "b", "*", 1, FPS(6)); /* the younger of equals */
	assert_string_equal(at(f, "d1", AT_FPS), "6");
	assert_int_equal(vd_configurations_delete(c, "b", "*", NULL), 0);
	settle(c);
	assert_string_equal(at(f, "d1", AT_FPS), "5");
	assert_int_equal(vd_configurations_delete(c, "a", NULL, NULL), 0);
	settle(c);
	assert_string_equal(at(f, "d1", AT_FPS), "");
	assert_string_equal(at(f, "d1", "/properties/desired/mine"), "1");
	assert_int_equal(vd_configurations_delete(c, "a", NULL, NULL), VD_REFUSED_NO_CONFIGURATION);
	(void)vd_configurations_free(c);
}

static void what_somebody_changes_by_hand_comes_back(void **state)
{
	struct fixture *f = *state;
	struct vd_configurations *c = open_configurations(f);
	int notices;

	register_device(f, "d1", "{}");
	add(c, "a", "*", 1, FPS(5));
	change_twin(f, c, "d1", "{\"properties\":{\"desired\":{\"camera\":{\"fps\":7,\"w\":1}}}}");
	assert_string_equal(at(f, "d1", "/properties/desired/camera"), "{\"fps\":5,\"w\":1}");
	notices = f->notices;
	change_twin(f, c, "d1", "{\"properties\":{\"desired\":{\"other\":1}}}");
	assert_int_equal(f->notices, notices + 1); /* no update without need */
	(void)vd_configurations_free(c);
}

static void a_reported_property_moves_a_device_between_targets(void **state)
{
	struct fixture *f = *state;
	struct vd_configurations *c = open_configurations(f);
	struct vd_name name = name_of("d1");
	cJSON *patch = json_of("{\"model\":\"x2\"}");
	cJSON *body = json_of("{\"properties\":{\"reported\":{\"model\":\"x2\"}}}");
	int64_t version;

	register_device(f, "d1", "{}");
	add(c, "a", "properties.reported.model = 'x2'", 1, FPS(5));
	assert_int_equal(
		vd_twins_report(f->twins, &name, patch, VD_SECTION_ANY_VERSION, 1, &version, NULL),
		0);
	vd_configurations_twin_changed(c, &name, "updateTwin", body);
	settle(c);
	assert_string_equal(at(f, "d1", AT_FPS), "5");
	(void)vd_json_free(patch);
	(void)vd_json_free(body);
	(void)vd_configurations_free(c);
}

static void module_content_goes_to_the_modules_that_match(void **state)
{
	struct fixture *f = *state;
	struct vd_configurations *c = open_configurations(f);

	register_device(f, "d1", "{}");
	register_device(f, "d1/cam", "{}");
	register_device(f, "d1/other", "{}");
	add(c, "a", "FROM devices.modules WHERE moduleId = 'cam'", 1,
	    "{\"moduleContent\":{\"properties.desired.x\":1}}");
	assert_string_equal(at(f, "d1/cam", "/properties/desired/x"), "1");
	assert_string_equal(at(f, "d1/cam", "/configurations/a/status"), "\"Applied\"");
	assert_string_equal(at(f, "d1/other", "/properties/desired/x"), "");
	assert_string_equal(at(f, "d1", "/configurations"), "");
	(void)vd_configurations_free(c);
}

static void report(struct fixture *f, const char *id, const char *body)
{
	struct vd_name name = name_of(id);
	cJSON *patch = json_of(body);
	int64_t version;

	assert_int_equal(vd_twins_report(f->twins, &name, patch, VD_SECTION_ANY_VERSION, ++now_ms,
					 &version, NULL),
			 0);
	(void)vd_json_free(patch);
}

static double system_metric(struct vd_configurations *c, const char *id, const char *name)
{
	cJSON *json = NULL;
	char pointer[80];
	double value;

	assert_int_equal(vd_configurations_get(c, id, &json, NULL), 0);
	(void)snprintf(pointer, sizeof pointer, "/systemMetrics/results/%s", name);
	value = vd_json_at(json, pointer) ? vd_json_at(json, pointer)->valuedouble : -1;
	assert_int_equal(cJSON_GetArraySize(vd_json_at(json, "/metrics/results")), 0);
	(void)vd_json_free(json);
	return value;
}

static void an_edge_deployment_counts_who_says_that_it_has_done_it(void **state)
{
	struct fixture *f = *state;
	struct vd_configurations *c = open_configurations(f);

	register_device(f, "d1", "{}");
	register_device(f, "d2", "{}");
	register_device(f, "d3", "{}");
	add(c, "edge", "*", 1,
	    "{\"modulesContent\":{\"$edgeAgent\":{\"properties.desired\":{\"modules\":{}}}}}");
	report(f, "d1/$edgeAgent",
	       "{\"lastDesiredVersion\":2,\"lastDesiredStatus\":{\"code\":200}}");
	report(f, "d2/$edgeAgent",
	       "{\"lastDesiredVersion\":2,\"lastDesiredStatus\":{\"code\":412}}");
	report(f, "d3/$edgeAgent",
	       "{\"lastDesiredVersion\":1,\"lastDesiredStatus\":{\"code\":200}}");
	(void)vd_configurations_free(c);
	c = open_configurations(f); /* which looks at all twins */
	settle(c);
	assert_true(system_metric(c, "edge", "targetedCount") == 3);
	assert_true(system_metric(c, "edge", "appliedCount") == 3);
	assert_true(system_metric(c, "edge", "reportedSuccessfulCount") == 1);
	assert_true(system_metric(c, "edge", "reportedFailedCount") == 1);
	add(c, "plain", "*", 1, FPS(5));
	assert_true(system_metric(c, "plain", "reportedFailedCount") == -1);
	(void)vd_configurations_free(c);
}

static void deployments_lie_in_layers_and_stay_when_the_last_goes(void **state)
{
	struct fixture *f = *state;
	struct vd_configurations *c = open_configurations(f);

	register_device(f, "d1", "{}");
	add(c, "base", "*", 1,
	    "{\"modulesContent\":{\"$edgeAgent\":{\"properties.desired\":{\"modules\":{\"a\":1}}}}"
	    "}");
	assert_string_equal(at(f, "d1/$edgeAgent", "/properties/desired/modules"), "{\"a\":1}");
	add(c, "layer", "*", 2,
	    "{\"modulesContent\":{\"$edgeAgent\":{\"properties.desired.modules.b\":2},"
	    "\"m\":{\"properties.desired.x\":3}}}");
	assert_string_equal(at(f, "d1/$edgeAgent", "/properties/desired/modules"),
			    "{\"a\":1,\"b\":2}");
	assert_string_equal(at(f, "d1/m", "/properties/desired/x"), "3");
	assert_string_equal(
		at(f, "d1/$edgeAgent", "/configurations"),
		"{\"base\":{\"status\":\"Applied\"},\"layer\":{\"status\":\"Applied\"}}");
	assert_int_equal(vd_configurations_delete(c, "layer", "*", NULL), 0);
	settle(c);
	assert_string_equal(at(f, "d1/$edgeAgent", "/properties/desired/modules"), "{\"a\":1}");
	assert_string_equal(at(f, "d1/m", "/properties/desired/x"), "3");
	assert_int_equal(vd_configurations_delete(c, "base", "*", NULL), 0);
	settle(c);
	assert_string_equal(at(f, "d1/$edgeAgent", "/properties/desired/modules"), "{\"a\":1}");
	assert_string_equal(at(f, "d1/$edgeAgent", "/configurations"), "");
	(void)vd_configurations_free(c);
}

static void what_was_due_when_the_hub_died_is_done_at_its_start(void **state)
{
	struct fixture *f = *state;
	struct vd_configurations *c = open_configurations(f);

	register_device(f, "d1", "{}");
	assert_int_equal(
		put(c, "a", NULL, "{\"targetCondition\":\"*\",\"content\":" FPS(5) "}", NULL), 0);
	(void)vd_configurations_free(c);
	assert_string_equal(at(f, "d1", AT_FPS), "");
	c = open_configurations(f);
	settle(c);
	assert_string_equal(at(f, "d1", AT_FPS), "5");
	assert_int_equal(vd_configurations_delete(c, "a", NULL, NULL), 0);
	(void)vd_configurations_free(c);
	c = open_configurations(f); /* none is left, but what they set is */
	settle(c);
	assert_string_equal(at(f, "d1", AT_FPS), "");
	(void)vd_configurations_free(c);
}

static void what_a_twin_cannot_hold_is_targeted_and_not_applied(void **state)
{
	struct fixture *f = *state;
	struct vd_configurations *c = open_configurations(f);
	char big[4001], body[4100];

	register_device(f, "d1", "{}");
	for (int i = 0; i < 8; i++) {
		(void)memset(big, 'x', sizeof big - 1);
		big[sizeof big - 1] = '\0';
		(void)snprintf(body, sizeof body, "{\"properties\":{\"desired\":{\"k%d\":\"%s\"}}}",
			       i, big);
		change_twin(f, c, "d1", body);
	}
	(void)snprintf(body, sizeof body,
		       "{\"targetCondition\":\"*\",\"content\":{\"deviceContent\":"
		       "{\"properties.desired.k\":\"%s\"}}}",
		       big);
	assert_int_equal(put(c, "a", NULL, body, NULL), 0);
	settle(c);
	assert_string_equal(at(f, "d1", "/configurations"), "{\"a\":{\"status\":\"Targeted\"}}");
	assert_string_equal(at(f, "d1", "/properties/desired/k"), "");
	(void)vd_configurations_free(c);
}

static void metrics_are_counted_over_the_twins_as_they_are_after(void **state)
{
	struct fixture *f = *state;
	struct vd_configurations *c = open_configurations(f);
	cJSON *json = NULL;

	register_device(f, "d1", "{}");
	register_device(f, "d2", "{}");
	register_device(f, "d3", "{}");
	change_twin(f, c, "d1", "{\"tags\":{\"line\":1}}");
	change_twin(f, c, "d2", "{\"tags\":{\"line\":1}}");
	assert_int_equal(
		put(c, "a", NULL,
		    "{\"targetCondition\":\"tags.line = 1\",\"content\":" FPS(
			    5) ",\"metrics\":{"
			       "\"queries\":{\"done\":\"SELECT deviceId FROM devices WHERE "
			       "configurations.[[a]].status = 'Applied'\",\"top\":\"SELECT TOP 2 * "
			       "FROM "
			       "devices\"}}}",
		    NULL),
		0);
	settle(c);
	assert_int_equal(vd_configurations_get(c, "a", &json, NULL), 0);
	assert_int_equal(vd_json_int(vd_json_at(json, "/metrics/results"), "done", 0), 2);
	assert_int_equal(vd_json_int(vd_json_at(json, "/metrics/results"), "top", 0), 2);
	assert_int_equal(
		vd_json_int(vd_json_at(json, "/systemMetrics/results"), "targetedCount", 0), 2);
	assert_int_equal(vd_json_int(vd_json_at(json, "/systemMetrics/results"), "appliedCount", 0),
			 2);
	(void)vd_json_free(json);
	(void)vd_configurations_free(c);
}

static void check_put(struct vd_configurations *c, const char *id, const char *if_match,
		      const char *body, int expected, const char *pointer)
{
	struct vd_fault fault = { 0 };
	int r = put(c, id, if_match, body, &fault);

	if (r != expected || strcmp(fault.pointer, pointer) != 0)
		fail_msg("%s: %d at \"%s\": %s", body, r, fault.pointer, fault.text);
}

static void bad_ones_are_refused_with_their_place(void **state)
{
	struct fixture *f = *state;
	struct vd_configurations *c = open_configurations(f);
	enum { BAD = VD_REFUSED_ARGUMENT };

	check_put(c, "Upper", NULL, "{\"content\":" FPS(1) "}", BAD, "/id");
	check_put(c, "a<b", NULL, "{\"content\":" FPS(1) "}", BAD, "/id");
	check_put(c, "a", NULL, "{\"id\":\"b\",\"content\":" FPS(1) "}", BAD, "/id");
	check_put(c, "a", NULL, "{}", BAD, "/content");
	check_put(c, "a", NULL, "{\"content\":{\"deviceContent\":{\"tags.a\":1}}}", BAD,
		  "/content/deviceContent/tags.a");
	check_put(c, "a", NULL, "{\"content\":{\"other\":{}}}", BAD, "/content/other");
	check_put(c, "a", NULL, "{\"content\":" FPS(1) ",\"labels\":{\"a b\":\"c\"}}", BAD,
		  "/labels/a b");
	check_put(c, "a", NULL, "{\"content\":" FPS(1) ",\"priority\":-1}", BAD, "/priority");
	check_put(c, "a", NULL, "{\"content\":" FPS(1) ",\"targetCondition\":\"tags.a =\"}", BAD,
		  "/targetCondition");
	check_put(c, "a", NULL,
		  "{\"content\":" FPS(1) ",\"targetCondition\":\"FROM devices.modules WHERE "
					 "tags.a = 1\"}",
		  BAD, "/targetCondition");
	check_put(c, "a", NULL,
		  "{\"content\":" FPS(1) ",\"metrics\":{\"queries\":{\"m\":\"SELECT COUNT() AS n "
					 "FROM devices\"}}}",
		  BAD, "/metrics/queries/m");
	check_put(c, "a", "*", "{\"content\":" FPS(1) "}", VD_REFUSED_NO_CONFIGURATION, "");
	check_put(c, "a", NULL, "{\"content\":" FPS(1) "}", 0, "");
	check_put(c, "a", NULL, "{\"content\":" FPS(1) "}", VD_REFUSED_CONFIGURATION_EXISTS, "");
	check_put(c, "a", "*", "{\"content\":" FPS(2) "}", VD_REFUSED_IMMUTABLE, "/content");
	check_put(c, "a", "\"AAAA\"", "{\"priority\":2}", VD_REFUSED_ETAG, "");
	check_put(c, "a", "*", "{\"priority\":2}", 0, "");
	(void)vd_configurations_free(c);
}

static void a_content_is_applied_once_to_device_and_modules(void **state)
{
	struct fixture *f = *state;
	struct vd_configurations *c = open_configurations(f);
	cJSON *modules = json_of("{\"modulesContent\":{\"m\":{\"properties.desired\":{\"x\":1}}}}");
	cJSON *device = json_of(FPS(9));

	register_device(f, "d1", "{}");
	assert_int_equal(vd_configurations_apply(c, "d1", modules, "me", ++now_ms, NULL), 0);
	assert_int_equal(vd_configurations_apply(c, "d1", device, "me", ++now_ms, NULL), 0);
	assert_int_equal(vd_configurations_apply(c, "d2", device, "me", ++now_ms, NULL),
			 VD_REFUSED_NO_DEVICE);
	settle(c);
	assert_string_equal(at(f, "d1/m", "/properties/desired/x"), "1");
	assert_string_equal(at(f, "d1", AT_FPS), "9");
	(void)vd_json_free(modules);
	(void)vd_json_free(device);
	(void)vd_configurations_free(c);
}

static int64_t versions(struct fixture *f)
{
	int64_t sum = 0;

	for (int i = 0; i < 12; i++) {
		struct vd_name name;
		cJSON *twin = NULL;
		char id[16];

		(void)snprintf(id, sizeof id, "d%d", i);
		name = name_of(id);
		assert_int_equal(vd_twins_get(f->twins, &name, &twin, NULL), 0);
		sum += vd_json_int(twin, "version", 0);
		sum += 1000 * cJSON_GetArraySize(vd_json_get(twin, "configurations"));
		(void)vd_json_free(twin);
	}
	return sum;
}

/* Passes look at few; whoever looks at all must find that nobody was left out. */
static void whom_a_change_does_not_concern_has_nothing_to_change(void **state)
{
	static const char *const conditions[] = { "tags.n = 1", "tags.n < 2", "*",
						  "deviceId IN ['d1', 'd4']", "NOT tags.n = 0" };
	struct fixture *f = *state;
	struct vd_configurations *c = open_configurations(f);
	unsigned dice = 7;
	char body[300], id[16];

	settle(c);
	for (int i = 0; i < 12; i++) {
		(void)snprintf(id, sizeof id, "d%d", i);
		register_device(f, id, "{}");
	}
	for (int round = 0; round < 60; round++) {
		struct vd_configurations *other;
		const char *condition;
		int64_t before;

		dice = dice * 1103515245U + 12345U;
		(void)snprintf(id, sizeof id, "d%u", dice >> 16 & 7);
		(void)snprintf(body, sizeof body, "{\"tags\":{\"n\":%u}}", dice >> 20 & 3);
		change_twin(f, c, id, body);
		condition = conditions[(dice >> 8) % 5];
		(void)snprintf(id, sizeof id, "c%u", dice >> 24 & 3);
		(void)!vd_configurations_delete(c, id, "*", &(struct vd_fault){ 0 });
		if (round % 3)
			settle(c);
		(void)snprintf(body, sizeof body,
			       "{\"targetCondition\":\"%s\",\"priority\":%u,\"content\":"
			       "{\"deviceContent\":{\"properties.desired.%s\":%u}}}",
			       condition, dice >> 28 & 3, round % 2 ? "x" : "y", dice >> 16 & 255);
		assert_int_equal(put(c, id, NULL, body, NULL), 0);
		settle(c);
		before = versions(f);
		other = open_configurations(f);
		settle(other);
		assert_int_equal(versions(f), before);
		(void)vd_configurations_free(other);
	}
	(void)vd_configurations_free(c);
}

#define T(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_device_that_comes_under_a_condition_follows_and_one_that_leaves_is_restored),
		T(a_deleted_configuration_leaves_nothing_and_others_wins_stay),
		T(what_somebody_changes_by_hand_comes_back),
		T(a_reported_property_moves_a_device_between_targets),
		T(module_content_goes_to_the_modules_that_match),
		T(deployments_lie_in_layers_and_stay_when_the_last_goes),
		T(an_edge_deployment_counts_who_says_that_it_has_done_it),
		T(what_was_due_when_the_hub_died_is_done_at_its_start),
		T(what_a_twin_cannot_hold_is_targeted_and_not_applied),
		T(metrics_are_counted_over_the_twins_as_they_are_after),
		T(bad_ones_are_refused_with_their_place),
		T(a_content_is_applied_once_to_device_and_modules),
		T(whom_a_change_does_not_concern_has_nothing_to_change),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
