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
	     cmocka_unit_test(contradictions_are_refused_with_their_place),
	     cmocka_unit_test(only_what_the_source_sees_makes_it_another_source))
