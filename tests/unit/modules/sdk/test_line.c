/* SPDX-License-Identifier: Apache-2.0 */
/* A camera and a station as the agent runs them: supervised, joined by a route, killed in turn. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "agent/supervise/supervisor.h"
#include "vd_test.h"

enum { GUARD_MS = 30000 };

struct line {
	struct vd_loop *loop;
	struct vd_supervisor *supervisor;
	struct vd_source *guard;
	unsigned ready;
	int64_t frame;     /* seq of the last one that the station got */
	bool is_joined;    /* the station said so, since the last kill */
	const char *until; /* "joined" or "frame" */
};

static int on_hello(const char *instance, const cJSON *hello, cJSON *start, void *argument)
{
	assert_string_equal(vd_json_string(hello, "name", ""), "mirror");
	assert_true(vd_json_add_number(start, "version", 1));
	return 0;
}

static void on_state(const char *instance, enum vd_state old, enum vd_state new_state,
		     const struct vd_evidence *evidence, void *argument)
{
	struct line *l = argument;

	l->ready += new_state == VD_STATE_READY;
}

static void note_report(struct line *l, const cJSON *body)
{
	if (vd_json_bool(body, "connected", false))
		l->is_joined = true;
	l->frame = vd_json_int(body, "frame", l->frame);
	if ((!strcmp(l->until, "joined") && l->is_joined) ||
	    (!strcmp(l->until, "frame") && vd_json_get(body, "frame")))
		vd_loop_stop(l->loop, 0);
}

static void on_packet(const char *instance, struct vd_packet *packet, void *argument)
{
	if (!strcmp(instance, "station") && !strcmp(vd_packet_type(packet), "report"))
		note_report(argument, vd_json_get(packet->json, "body"));
}

static void on_guard(void *argument)
{
	vd_loop_stop(((struct line *)argument)->loop, 1);
}

static void run_until(struct line *l, const char *what)
{
	l->until = what;
	assert_int_equal(vd_timer_arm(l->guard, GUARD_MS), 0);
	assert_int_equal(vd_loop_run(l->loop), 0);
}

static void start(struct line *l, const char *instance)
{
	const struct vd_module_spec spec = { .instance = instance,
					     .program = VD_MIRROR,
					     .policy = VD_RESTART_ALWAYS,
					     .back_off_first_ms = 1,
					     .back_off_limit_ms = 10 };
	struct vd_fault fault = { 0 };

	assert_int_equal(vd_supervisor_put(l->supervisor, &spec, &fault), 0);
	assert_int_equal(vd_supervisor_start(l->supervisor, instance), 0);
}

static void offer(struct line *l, int seq)
{
	char text[128];
	cJSON *packet;

	(void)snprintf(text, sizeof text,
		       "{\"type\":\"call\",\"id\":1,\"method\":\"offer\",\"body\":{\"seq\":%d}}",
		       seq);
	packet = cJSON_Parse(text);
	assert_non_null(packet);
	assert_int_equal(vd_supervisor_send(l->supervisor, "camera", packet, NULL, 0), 0);
	packet = vd_json_free(packet);
}

static void kill_one(struct line *l, const char *instance)
{
	struct vd_module_status status;

	assert_int_equal(vd_supervisor_status(l->supervisor, instance, &status), 0);
	l->is_joined = false;
	assert_int_equal(kill(status.pid, SIGKILL), 0);
}

static void frames_flow_again_whichever_side_was_killed(void **state)
{
	static const struct vd_supervisor_handlers handlers = { .on_hello = on_hello,
								.on_state = on_state,
								.on_packet = on_packet };
	static const char *const victims[] = { "camera", "station", "station", "camera" };
	struct line l = { .until = "" };

	assert_int_equal(vd_loop_new(&l.loop), 0);
	assert_int_equal(vd_loop_timer(l.loop, on_guard, &l, &l.guard), 0);
	assert_int_equal(vd_supervisor_new(l.loop, &handlers, NULL, &l, &l.supervisor), 0);
	assert_int_equal(vd_supervisor_connect(l.supervisor, "camera", "out", "station", "in"), 0);
	start(&l, "camera");
	start(&l, "station");
	run_until(&l, "joined");
	for (int i = 0; i < (int)VD_COUNT(victims); i++) {
		offer(&l, 10 + i);
		run_until(&l, "frame");
		assert_int_equal(l.frame, 10 + i);
		kill_one(&l, victims[i]);
		run_until(&l, "joined");
	}
	assert_int_equal(l.ready, 2 + VD_COUNT(victims));
	l.supervisor = vd_supervisor_free(l.supervisor);
	l.guard = vd_source_free(l.guard);
	l.loop = vd_loop_free(l.loop);
}

VD_TEST_MAIN(cmocka_unit_test(frames_flow_again_whichever_side_was_killed))
