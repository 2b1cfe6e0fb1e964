/* SPDX-License-Identifier: Apache-2.0 */
/* Nothing fires late: a method that was given up is gone, whatever comes back afterwards. */
#include "vd_test.h"

#include <event2/event.h>

#include "base/clock.h"
#include "base/loop.h"
#include "twin/broker/topics.h"
#include "twin/hub/methods.h"
#include "unit/twin/hub/hub_fixture.h"

struct line {
	struct vd_loop *loop;
	struct vd_methods *methods;
	struct vd_device device;
	bool is_away; /* the broker */
	int sent, done, status;
	char rid[32];
};

static bool send_method(const struct vd_name *name, const char *method, const char *rid,
			const char *payload, void *argument)
{
	struct line *line = argument;

	if (line->is_away)
		return false;
	line->sent++;
	(void)snprintf(line->rid, sizeof line->rid, "%s", rid);
	return true;
}

static void note_done(const struct vd_reply *reply, void *argument)
{
	struct line *line = argument;

	line->done++;
	line->status = reply->status;
}

static int set_up(void **state)
{
	struct line *line = calloc(1, sizeof *line);

	assert_int_equal(vd_loop_new(&line->loop), 0);
	assert_int_equal(vd_methods_new(line->loop, send_method, line, &line->methods), 0);
	line->device.name = name_of("press");
	line->device.subscriptions = VD_FLAG_METHODS;
	*state = line;
	return 0;
}

static int tear_down(void **state)
{
	struct line *line = *state;

	line->methods = vd_methods_free(line->methods);
	line->loop = vd_loop_free(line->loop);
	free(line);
	return 0;
}

static int call(struct line *line, const char *text)
{
	VD_CLEANUP(vd_json_free) cJSON *body = json_of(text);

	return vd_methods_call(line->methods, &line->device, body, note_done, line, NULL);
}

static void wait_for_the_end(struct line *line)
{
	uint64_t end_ms = vd_clock_mono_ms() + 20000;

	while (line->done == 0 && vd_clock_mono_ms() < end_ms)
		(void)event_base_loop(vd_loop_base(line->loop), EVLOOP_ONCE);
	assert_int_equal(line->done, 1);
}

static void come_online(struct line *line)
{
	line->device.connected = true;
	vd_methods_online(line->methods, &line->device.name);
}

static void a_device_that_comes_in_time_gets_the_method_once(void **state)
{
	struct line *line = *state;

	assert_int_equal(call(line, "{\"methodName\":\"eject\",\"connectTimeoutInSeconds\":300}"),
			 0);
	assert_int_equal(line->sent, 0);
	come_online(line);
	come_online(line);
	assert_int_equal(line->sent, 1);
	vd_methods_answer(line->methods, &line->device.name, line->rid, 200, "1", 1);
	assert_int_equal(line->status, 200);
}

static void a_device_that_comes_too_late_gets_nothing(void **state)
{
	struct line *line = *state;

	assert_int_equal(call(line, "{\"methodName\":\"eject\",\"connectTimeoutInSeconds\":1}"), 0);
	wait_for_the_end(line);
	assert_int_equal(line->status, 404);
	come_online(line);
	assert_int_equal(line->sent, 0);
}

static void a_method_without_an_answer_is_not_sent_again(void **state)
{
	struct line *line = *state;

	line->device.connected = true;
	assert_int_equal(call(line, "{\"methodName\":\"eject\",\"responseTimeoutInSeconds\":1}"),
			 0);
	assert_int_equal(line->sent, 1);
	wait_for_the_end(line);
	assert_int_equal(line->status, 504);
	come_online(line);
	assert_int_equal(line->sent, 1);
	vd_methods_answer(line->methods, &line->device.name, line->rid, 200, "1", 1);
	assert_int_equal(line->done, 1); /* an answer that is late is no second end */
}

static void what_the_broker_did_not_take_does_not_wait_for_it(void **state)
{
	struct line *line = *state;

	line->device.connected = line->is_away = true;
	assert_int_equal(call(line, "{\"methodName\":\"eject\",\"connectTimeoutInSeconds\":300}"),
			 0);
	assert_int_equal(line->done, 1);
	assert_int_equal(line->status, 404);
	line->is_away = false;
	come_online(line);
	assert_int_equal(line->sent, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_device_that_comes_in_time_gets_the_method_once,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_device_that_comes_too_late_gets_nothing, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_method_without_an_answer_is_not_sent_again,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_the_broker_did_not_take_does_not_wait_for_it,
						set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
