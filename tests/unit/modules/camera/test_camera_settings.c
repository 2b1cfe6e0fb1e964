/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/camera/settings.h"

#include "parameters.h"

static void the_schema_is_one_that_is_understood_whole(void **state)
{
	VD_CLEANUP(vd_json_free) cJSON *schema = NULL;
	struct vd_fault fault = { 0 };

	assert_int_equal(vd_json_parse(vd_camera_schema_json, strlen(vd_camera_schema_json),
				       &schema, &fault),
			 0);
	if (vd_schema_verify(schema, &fault) != 0)
		fail_msg("%s: %s", fault.pointer, fault.text);
}

static void a_folder_needs_nothing_but_its_path(void **state)
{
	VD_CLEANUP(vd_camera_settings_free)
	struct vd_camera_settings *s = settings_of("{\"source\":\"folder:/srv/captures\"}");

	assert_int_equal(s->kind, VD_CAMERA_FOLDER);
	assert_string_equal(s->path, "/srv/captures");
	assert_int_equal(s->trigger, VD_TRIGGER_TIMER);
	assert_int_equal(s->period_us, 1000000);
	assert_true(s->is_looping);
	assert_true(s->wait_for_consumer);
	assert_false(s->is_resuming);
	assert_null(s->serial_pattern);
}

static void frames_a_second_become_a_period(void **state)
{
	VD_CLEANUP(vd_camera_settings_free)
	struct vd_camera_settings *s = settings_of("{\"source\":\"folder:/srv\",\"fps\":30}");

	assert_int_equal(s->period_us, 33333);
}

static void a_device_triggers_itself_unless_an_interval_is_given(void **state)
{
	VD_CLEANUP(vd_camera_settings_free)
	struct vd_camera_settings *free_running =
		settings_of("{\"source\":\"v4l2:/dev/v4l/by-id/cam\",\"fps\":30}");
	VD_CLEANUP(vd_camera_settings_free)
	struct vd_camera_settings *timed =
		settings_of("{\"source\":\"v4l2:/dev/v4l/by-path/cam\",\"intervalMs\":250}");

	assert_int_equal(free_running->trigger, VD_TRIGGER_DEVICE);
	assert_int_equal(timed->trigger, VD_TRIGGER_TIMER);
	assert_int_equal(timed->period_us, 250000);
}

static void an_address_gives_its_host_and_the_name_of_its_secret(void **state)
{
	VD_CLEANUP(vd_camera_settings_free)
	struct vd_camera_settings *s =
		settings_of("{\"source\":\"https://cam.line-3:8443/shot?n=1\",\"fps\":2,"
			    "\"credentials\":\"secretref:cam-3\",\"caFile\":\"/etc/ca.pem\"}");

	assert_int_equal(s->kind, VD_CAMERA_HTTP);
	assert_string_equal(s->path, "https://cam.line-3:8443/shot?n=1");
	assert_string_equal(s->host, "cam.line-3:8443");
	assert_string_equal(s->secret, "cam-3");
	assert_true(s->is_encrypted);
	assert_int_equal(s->trigger, VD_TRIGGER_TIMER);
	assert_int_equal(s->period_us, 500000);
}

static void a_camera_that_waits_for_a_trigger_is_triggered_by_call(void **state)
{
	VD_CLEANUP(vd_camera_settings_free)
	struct vd_camera_settings *software =
		settings_of("{\"source\":\"aravis:GV1\",\"deviceTrigger\":\"Software\"}");
	VD_CLEANUP(vd_camera_settings_free)
	struct vd_camera_settings *line =
		settings_of("{\"source\":\"aravis:GV1\",\"deviceTrigger\":\"Line1\"}");

	assert_int_equal(software->trigger, VD_TRIGGER_CALL);
	assert_int_equal(line->trigger, VD_TRIGGER_DEVICE);
}

static void contradictions_are_refused_with_their_place(void **state)
{
	static const struct {
		const char *parameters, *pointer;
	} cases[] = {
		{ "{\"source\":\"rtsp://x/stream\"}", "/source" },
		{ "{\"source\":\"folder:relative/x\"}", "/source" },
		{ "{\"source\":\"v4l2:/dev/video0\"}", "/source" },
		{ "{\"source\":\"v4l2:/dev/v4l/by-id/../../video0\"}", "/source" },
		{ "{\"source\":\"folder:/srv\",\"intervalMs\":100,\"fps\":10}", "/intervalMs" },
		{ "{\"source\":\"folder:/srv\",\"trigger\":\"call\",\"intervalMs\":100}",
		  "/intervalMs" },
		{ "{\"source\":\"folder:/srv\",\"trigger\":\"device\"}", "/trigger" },
		{ "{\"source\":\"folder:/srv\",\"width\":640,\"height\":480}", "/width" },
		{ "{\"source\":\"folder:/srv\",\"controls\":{\"gain\":3}}", "/controls" },
		{ "{\"source\":\"folder:/srv\",\"order\":\"random\",\"startAfter\":\"a\"}",
		  "/startAfter" },
		{ "{\"source\":\"folder:/srv\",\"serialPattern\":\"([0-9\"}", "/serialPattern" },
		{ "{\"source\":\"folder:/srv\",\"serialPattern\":\"[0-9]+\"}", "/serialPattern" },
		{ "{\"source\":\"v4l2:/dev/v4l/by-id/c\",\"failEvery\":3}", "/failEvery" },
		{ "{\"source\":\"v4l2:/dev/v4l/by-id/c\",\"width\":640}", "/width" },
		{ "{\"source\":\"v4l2:/dev/v4l/by-id/c\",\"pixelFormat\":\"mjpeg\","
		  "\"output\":\"grey\"}",
		  "/output" },
		{ "{\"source\":\"v4l2:/dev/v4l/by-id/c\",\"settleMs\":2000}", "/settleMs" },
		{ "{\"source\":\"folder:/srv\",\"exposure\":1}", "/exposure" },
		{ "{\"source\":\"folder:/srv\",\"fps\":0}", "/fps" },
		{ "{\"source\":\"http:\"}", "/source" },
		{ "{\"source\":\"http:///x\"}", "/source" },
		{ "{\"source\":\"http://:80/x\"}", "/source" },
		{ "{\"source\":\"https://a b/x\"}", "/source" },
		{ "{\"source\":\"http://anna"
		  ":hush"
		  "@cam/x\"}",
		  "/source" },
		{ "{\"source\":\"http://cam/x\",\"trigger\":\"device\"}", "/trigger" },
		{ "{\"source\":\"http://cam/x\",\"caFile\":\"/etc/ca.pem\"}", "/caFile" },
		{ "{\"source\":\"https://cam/x\",\"caFile\":\"ca.pem\"}", "/caFile" },
		{ "{\"source\":\"http://cam/x\",\"credentials\":\"anna:hush-hush\"}",
		  "/credentials" },
		{ "{\"source\":\"http://cam/x\",\"credentials\":\"secretref:../key\"}",
		  "/credentials" },
		{ "{\"source\":\"http://cam/x\",\"width\":64,\"height\":48}", "/width" },
		{ "{\"source\":\"folder:/srv\",\"credentials\":\"secretref:a\"}", "/credentials" },
		{ "{\"source\":\"aravis:\"}", "/source" },
		{ "{\"source\":\"aravis:1\",\"deviceTrigger\":\"Software\",\"trigger\":\"device\"}",
		  "/trigger" },
		{ "{\"source\":\"aravis:1\",\"deviceTrigger\":\"Line1\",\"trigger\":\"call\"}",
		  "/trigger" },
		{ "{\"source\":\"v4l2:/dev/v4l/by-id/c\",\"gain\":3}", "/gain" },
		{ "{\"source\":\"v4l2:/dev/v4l/by-id/c\",\"controls\":{\"a\":\"b\"}}",
		  "/controls/a" },
		{ "{\"source\":\"v4l2:/dev/v4l/by-id/c\",\"controls\":{\"a\":1.5}}",
		  "/controls/a" },
		{ "{\"source\":\"folder:/srv\",\"rotate\":90}", "/rotate" },
		{ "{\"source\":\"folder:/srv\",\"rotate\":45,\"recode\":true}", "/rotate" },
		{ "{\"source\":\"http://cam/"
		  "x\",\"roi\":{\"x\":0,\"y\":0,\"width\":8,\"height\":8}}",
		  "/roi" },
		{ "{\"source\":\"v4l2:/dev/v4l/by-id/c\",\"pixelFormat\":\"mjpeg\",\"rotate\":180}",
		  "/rotate" },
		{ "{}", "/source" },
	};

	for (size_t i = 0; i < VD_COUNT(cases); i++) {
		struct vd_camera_settings *settings = NULL;
		struct vd_fault fault = { 0 };

		assert_int_equal(make_settings(cases[i].parameters, &settings, &fault), -EINVAL);
		assert_null(settings);
		assert_string_equal(fault.pointer, cases[i].pointer);
		assert_int_equal(fault.code, 400);
		assert_true(fault.text[0] != '\0');
	}
}

static void only_what_the_source_sees_makes_it_another_source(void **state)
{
	VD_CLEANUP(vd_camera_settings_free)
	struct vd_camera_settings *a = settings_of("{\"source\":\"folder:/srv\",\"fps\":10}");
	VD_CLEANUP(vd_camera_settings_free)
	struct vd_camera_settings *faster = settings_of("{\"source\":\"folder:/srv\","
							"\"intervalMs\":20,\"timeoutMs\":500}");
	VD_CLEANUP(vd_camera_settings_free)
	struct vd_camera_settings *failing =
		settings_of("{\"source\":\"folder:/srv\",\"fps\":10,\"failEvery\":2}");

	assert_true(vd_camera_settings_same_source(a, faster));
	assert_false(vd_camera_settings_same_source(a, failing));
}

VD_TEST_MAIN(cmocka_unit_test(the_schema_is_one_that_is_understood_whole),
	     cmocka_unit_test(a_folder_needs_nothing_but_its_path),
	     cmocka_unit_test(frames_a_second_become_a_period),
	     cmocka_unit_test(a_device_triggers_itself_unless_an_interval_is_given),
	     cmocka_unit_test(an_address_gives_its_host_and_the_name_of_its_secret),
	     cmocka_unit_test(a_camera_that_waits_for_a_trigger_is_triggered_by_call),
	     cmocka_unit_test(contradictions_are_refused_with_their_place),
	     cmocka_unit_test(only_what_the_source_sees_makes_it_another_source))
