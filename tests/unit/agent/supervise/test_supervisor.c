/* SPDX-License-Identifier: Apache-2.0 */
/* Real processes: tests/fixtures/modules/puppet plays each way in which a module can fail. */
#include "agent/supervise/supervisor.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "vd_test.h"

enum { GUARD_MS = 30000, TRAIL = 512, DEATHS = 64 };

struct world {
	struct vd_loop *loop;
	struct vd_supervisor *supervisor;
	struct vd_source *guard, *step;
	char trail[TRAIL * 32]; /* "cam:stopped cam:waiting …" */
	unsigned deaths;
	struct vd_evidence death[DEATHS];
	char death_lines[DEATHS][64]; /* the last line of each */
	unsigned packets;
	cJSON *last;
	char last_line[128];
	int start_result;
	bool is_all_stopped;
	bool (*until)(struct world *w);
	unsigned wanted;
	const char *wanted_text;
};

static int on_hello(const char *instance, const cJSON *hello, cJSON *start, void *argument)
{
	struct world *w = argument;

	assert_string_equal(vd_json_string(hello, "name", ""), "puppet");
	assert_true(vd_json_add_string(start, "deviceId", "d1"));
	return w->start_result;
}

static void note_death(struct world *w, const struct vd_evidence *e)
{
	assert_true(w->deaths < DEATHS);
	if (e->line_count > 0)
		(void)snprintf(w->death_lines[w->deaths], sizeof w->death_lines[0], "%s",
			       e->lines[e->line_count - 1]);
	w->death[w->deaths++] = *e;
}

static void on_state(const char *instance, enum vd_state old, enum vd_state new_state,
		     const struct vd_evidence *evidence, void *argument)
{
	struct world *w = argument;
	size_t n = strlen(w->trail);

	(void)old;
	(void)snprintf(w->trail + n, sizeof w->trail - n, "%s:%s ", instance,
		       vd_state_name(new_state));
	if (evidence)
		note_death(w, evidence);
}

static void on_packet(const char *instance, struct vd_packet *packet, void *argument)
{
	struct world *w = argument;

	(void)instance;
	w->packets++;
	w->last = vd_json_free(w->last);
	w->last = VD_TAKE(packet->json);
}

static void on_line(const char *instance, const char *line, void *argument)
{
	struct world *w = argument;

	(void)instance;
	(void)snprintf(w->last_line, sizeof w->last_line, "%s", line);
}

static void on_guard(void *argument)
{
	struct world *w = argument;

	print_message("gave up waiting; trail: %s\n", w->trail);
	vd_loop_stop(w->loop, 1);
}

static void on_step(void *argument)
{
	struct world *w = argument;

	if (w->until(w))
		vd_loop_stop(w->loop, 0);
	else
		assert_int_equal(vd_timer_arm(w->step, 1), 0);
}

static void run_until(struct world *w, bool (*until)(struct world *w))
{
	w->until = until;
	assert_int_equal(vd_timer_arm(w->guard, GUARD_MS), 0);
	assert_int_equal(vd_timer_arm(w->step, 0), 0);
	assert_int_equal(vd_loop_run(w->loop), 0);
}

static bool has_wanted_deaths(struct world *w)
{
	return w->deaths >= w->wanted;
}

static void run_until_deaths(struct world *w, unsigned count)
{
	w->wanted = count;
	run_until(w, has_wanted_deaths);
}

static bool has_wanted_trail(struct world *w)
{
	return strstr(w->trail, w->wanted_text) != NULL;
}

static void run_until_trail(struct world *w, const char *text)
{
	w->wanted_text = text;
	run_until(w, has_wanted_trail);
}

static bool has_wanted_packets(struct world *w)
{
	return w->packets >= w->wanted;
}

static void run_until_packets(struct world *w, unsigned count)
{
	w->wanted = count;
	run_until(w, has_wanted_packets);
}

static int set_up(void **state)
{
	static const struct vd_supervisor_handlers handlers = { .on_hello = on_hello,
								.on_state = on_state,
								.on_packet = on_packet,
								.on_line = on_line };
	struct world *w = calloc(1, sizeof *w);

	assert_non_null(w);
	assert_int_equal(vd_loop_new(&w->loop), 0);
	assert_int_equal(vd_loop_timer(w->loop, on_guard, w, &w->guard), 0);
	assert_int_equal(vd_loop_timer(w->loop, on_step, w, &w->step), 0);
	assert_int_equal(vd_supervisor_new(w->loop, &handlers, NULL, w, &w->supervisor), 0);
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	w->supervisor = vd_supervisor_free(w->supervisor);
	w->guard = vd_source_free(w->guard);
	w->step = vd_source_free(w->step);
	w->last = vd_json_free(w->last);
	w->loop = vd_loop_free(w->loop);
	free(w);
	return 0;
}

static struct vd_module_spec puppet(const char *instance, const char *const *arguments)
{
	return (struct vd_module_spec){ .instance = instance,
					.program = VD_PUPPET,
					.arguments = arguments,
					.policy = VD_RESTART_NEVER,
					.heartbeat_ms = 100,
					.stop_timeout_ms = 100,
					.back_off_first_ms = 1,
					.back_off_limit_ms = 4 };
}

static void start(struct world *w, const struct vd_module_spec *spec)
{
	struct vd_fault fault = { 0 };

	assert_int_equal(vd_supervisor_put(w->supervisor, spec, &fault), 0);
	assert_int_equal(vd_supervisor_start(w->supervisor, spec->instance), 0);
}

#define ARGUMENTS(...) ((const char *const[]){ __VA_ARGS__, NULL })

static int pid_of(struct world *w, const char *instance)
{
	struct vd_module_status status;

	assert_int_equal(vd_supervisor_status(w->supervisor, instance, &status), 0);
	return status.pid;
}

/* --- Life --- */

static void a_module_is_started_ready_stopped_and_removed(void **state)
{
	struct world *w = *state;
	struct vd_module_spec spec = puppet("a", ARGUMENTS("good"));
	struct vd_module_status status;

	start(w, &spec);
	run_until_trail(w, "a:ready");
	assert_int_equal(vd_supervisor_status(w->supervisor, "a", &status), 0);
	assert_string_equal(status.name, "puppet");
	assert_string_equal(status.version, "0.1.0");
	assert_true(status.pid > 0 && status.starts == 1);
	assert_int_equal(vd_supervisor_remove(w->supervisor, "a"), 0);
	run_until_trail(w, "a:absent");
	assert_string_equal(w->trail, "a:stopped a:waiting a:starting a:ready a:stopping a:stopped "
				      "a:absent ");
	assert_int_equal(w->death[0].cause, VD_CAUSE_STOPPED);
	assert_int_equal(w->death[0].exit_code, 0);
	assert_true(w->death[0].was_ready);
	assert_int_equal(vd_supervisor_status(w->supervisor, "a", &status), -ENOENT);
}

static void the_process_starts_clean(void **state)
{
	struct world *w = *state;
	struct vd_module_spec spec = puppet("a", ARGUMENTS("surroundings"));
	const cJSON *body;

	spec.environment = ARGUMENTS("WHO=me", "B=2");
	spec.folder = "/usr";
	(void)signal(SIGPIPE, SIG_IGN);
	start(w, &spec);
	run_until_packets(w, 2);
	body = vd_json_get(w->last, "body");
	assert_string_equal(vd_json_string(body, "who", ""), "me");
	assert_int_equal(vd_json_int(body, "env", -1), 2);
	assert_int_equal(vd_json_int(body, "fds", -1), 0);
	assert_string_equal(vd_json_string(body, "folder", ""), "/usr");
	assert_int_equal(vd_json_int(body, "leader", -1), 1);
	assert_int_equal(vd_json_int(body, "pipeDefault", -1), 1);
	assert_int_equal(vd_json_int(body, "termBlocked", -1), 0);
}

static void a_memory_limit_is_in_force(void **state)
{
	struct world *w = *state;
	struct vd_module_spec spec = puppet("a", ARGUMENTS("surroundings"));

	/* Wide enough for the sanitizers' shadow. */
	spec.limits.memory_bytes = UINT64_C(100000) << 30;
	start(w, &spec);
	run_until_packets(w, 2);
	assert_int_equal(vd_json_int(vd_json_get(w->last, "body"), "dataGiB", -1), 100000);
}

static void what_is_sent_reaches_the_module_with_its_descriptor(void **state)
{
	struct world *w = *state;
	struct vd_module_spec spec = puppet("a", ARGUMENTS("good"));
	VD_CLEANUP(vd_json_free) cJSON *packet = cJSON_Parse("{\"type\":\"message\"}");
	int fd = STDIN_FILENO;

	start(w, &spec);
	assert_int_equal(vd_supervisor_send(w->supervisor, "a", packet, NULL, 0),
			 VD_SUPERVISOR_DOWN);
	assert_int_equal(vd_supervisor_send(w->supervisor, "b", packet, NULL, 0), -ENOENT);
	run_until_trail(w, "a:ready");
	assert_int_equal(vd_supervisor_send(w->supervisor, "a", packet, &fd, 1), 0);
	run_until_packets(w, 2);
	assert_string_equal(vd_json_string(vd_json_get(w->last, "body"), "got", ""), "message");
	assert_int_equal(vd_json_int(vd_json_get(w->last, "body"), "fds", 0), 1);
}

/* --- Ends --- */

static void an_exit_status_is_evidence_and_never_means_never(void **state)
{
	struct world *w = *state;
	struct vd_module_spec spec = puppet("a", ARGUMENTS("exit", "7"));

	start(w, &spec);
	run_until_trail(w, "a:failed");
	assert_int_equal(w->death[0].cause, VD_CAUSE_EXITED);
	assert_int_equal(w->death[0].exit_code, 7);
	assert_string_equal(w->death[0].text, "exit status 7");
}

static void a_clean_exit_under_on_failure_is_stopped_not_failed(void **state)
{
	struct world *w = *state;
	struct vd_module_spec spec = puppet("a", ARGUMENTS("exit", "0"));

	spec.policy = VD_RESTART_ON_FAILURE;
	start(w, &spec);
	run_until_trail(w, "a:ready a:stopped");
	assert_int_equal(w->death[0].exit_code, 0);
}

static void a_crash_leaves_signal_last_words_and_use_and_runs_again(void **state)
{
	struct world *w = *state;
	struct vd_module_spec spec = puppet("a", ARGUMENTS("crash"));

	spec.policy = VD_RESTART_ALWAYS;
	start(w, &spec);
	run_until_deaths(w, 3);
	assert_non_null(strstr(w->trail, "a:ready a:backoff a:starting a:ready a:backoff"));
	assert_int_equal(w->death[0].cause, VD_CAUSE_KILLED);
	assert_int_equal(w->death[0].signal, SIGABRT);
	assert_int_equal(w->death[0].exit_code, -1);
	assert_int_equal(w->death[0].line_count, 2);
	assert_string_equal(w->death_lines[0], "no line end");
	assert_int_equal(w->death[2].line_count, 2); /* of this run only */
	assert_int_equal(w->death[2].restarts, 2);
	assert_true(w->death[0].max_rss_bytes > 0);
}

static void evidence_becomes_json_for_reported_state(void **state)
{
	struct vd_evidence e = { .cause = VD_CAUSE_KILLED,
				 .exit_code = -1,
				 .signal = 11,
				 .text = "signal 11",
				 .ran_ms = 5,
				 .line_count = 1,
				 .lines = { "bye" } };
	VD_CLEANUP(vd_json_free) cJSON *json = vd_evidence_json(&e);
	VD_CLEANUP(vd_free) char *text = vd_json_text(json);

	assert_string_equal(text, "{\"cause\":\"killed\",\"text\":\"signal 11\",\"signal\":11,"
				  "\"coreDumped\":false,\"at\":\"1970-01-01T00:00:00.000Z\","
				  "\"wasReady\":false,\"ranMs\":5,\"restarts\":0,\"userMs\":0,"
				  "\"systemMs\":0,\"maxRssBytes\":0,\"lines\":[\"bye\"]}");
}

static void always_keeps_trying_a_module_that_dies_at_once(void **state)
{
	struct world *w = *state;
	struct vd_module_spec spec = puppet("a", ARGUMENTS("exit-at-once", "1"));
	struct vd_module_status status;

	spec.policy = VD_RESTART_ALWAYS;
	start(w, &spec);
	run_until_deaths(w, 12);
	assert_int_equal(vd_supervisor_status(w->supervisor, "a", &status), 0);
	assert_true(status.failures >= 12);
	assert_null(strstr(w->trail, "failed"));
}

static void a_program_that_is_not_there_backs_off_and_starts_once_it_is(void **state)
{
	struct world *w = *state;
	struct vd_module_spec spec = puppet("a", ARGUMENTS("good"));
	struct vd_fault fault = { 0 };

	spec.program = "/nonexistent/vedette-nothing";
	spec.policy = VD_RESTART_ALWAYS;
	start(w, &spec);
	run_until_deaths(w, 3);
	assert_int_equal(w->death[0].cause, VD_CAUSE_NOT_STARTED);
	assert_string_equal(w->death[0].text,
			    "/nonexistent/vedette-nothing: No such file or directory");
	spec.program = VD_PUPPET;
	assert_int_equal(vd_supervisor_replace(w->supervisor, &spec, &fault), 0);
	run_until_trail(w, "a:ready");
}

/* --- Stopping --- */

static void one_that_ignores_stop_gets_sigterm(void **state)
{
	struct world *w = *state;
	struct vd_module_spec spec = puppet("a", ARGUMENTS("term-only"));

	start(w, &spec);
	run_until_trail(w, "a:ready");
	assert_int_equal(vd_supervisor_stop(w->supervisor, "a"), 0);
	run_until_deaths(w, 1);
	assert_int_equal(w->death[0].cause, VD_CAUSE_STOPPED);
	assert_int_equal(w->death[0].signal, SIGTERM);
	assert_non_null(strstr(w->trail, "a:stopping a:stopped"));
}

static void one_that_ignores_sigterm_too_gets_sigkill(void **state)
{
	struct world *w = *state;
	struct vd_module_spec spec = puppet("a", ARGUMENTS("ignore-stop"));

	start(w, &spec);
	run_until_trail(w, "a:ready");
	assert_int_equal(vd_supervisor_stop(w->supervisor, "a"), 0);
	run_until_deaths(w, 1);
	assert_int_equal(w->death[0].cause, VD_CAUSE_STOPPED);
	assert_int_equal(w->death[0].signal, SIGKILL);
}

static void a_stopped_process_can_be_stopped_for_good(void **state)
{
	struct world *w = *state;
	struct vd_module_spec spec = puppet("a", ARGUMENTS("good"));

	start(w, &spec);
	run_until_trail(w, "a:ready");
	assert_int_equal(kill(pid_of(w, "a"), SIGSTOP), 0);
	assert_int_equal(vd_supervisor_stop(w->supervisor, "a"), 0);
	run_until_deaths(w, 1);
	assert_int_equal(w->death[0].cause, VD_CAUSE_STOPPED);
}

static void a_restart_takes_place_at_once_and_owes_nothing(void **state)
{
	struct world *w = *state;
	struct vd_module_spec spec = puppet("a", ARGUMENTS("good"));
	int pid;

	start(w, &spec);
	run_until_trail(w, "a:ready");
	pid = pid_of(w, "a");
	assert_int_equal(vd_supervisor_restart(w->supervisor, "a"), 0);
	run_until_trail(w, "a:ready a:stopping a:stopped a:waiting a:starting a:ready");
	assert_int_not_equal(pid, pid_of(w, "a"));
}

static void start_while_stopping_starts_again(void **state)
{
	struct world *w = *state;
	struct vd_module_spec spec = puppet("a", ARGUMENTS("good"));

	start(w, &spec);
	run_until_trail(w, "a:ready");
	assert_int_equal(vd_supervisor_stop(w->supervisor, "a"), 0);
	assert_int_equal(vd_supervisor_start(w->supervisor, "a"), 0);
	run_until_trail(w, "a:stopping a:stopped a:waiting a:starting a:ready");
}

static void replacing_restarts_only_when_the_process_would_differ(void **state)
{
	struct world *w = *state;
	struct vd_module_spec spec = puppet("a", ARGUMENTS("good"));
	struct vd_fault fault = { 0 };

	start(w, &spec);
	run_until_trail(w, "a:ready");
	spec.policy = VD_RESTART_ALWAYS;
	assert_int_equal(vd_supervisor_put(w->supervisor, &spec, &fault), 0);
	spec.environment = ARGUMENTS("NEW=1");
	assert_int_equal(vd_supervisor_put(w->supervisor, &spec, &fault), VD_SUPERVISOR_DIFFERS);
	assert_int_equal(vd_supervisor_replace(w->supervisor, &spec, &fault), 0);
	run_until_trail(w, "a:ready a:stopping a:stopped a:waiting a:starting a:ready");
	assert_int_equal(vd_supervisor_put(w->supervisor, &spec, &fault), 0);
}

static void bad_specs_are_refused_with_a_reason(void **state)
{
	struct world *w = *state;
	static const struct {
		const char *instance, *program;
		uint32_t first_ms, limit_ms;
	} cases[] = {
		{ "", "/bin/true", 0, 0 },      { "a/b", "/bin/true", 0, 0 },
		{ "..", "/bin/true", 0, 0 },    { "a b", "/bin/true", 0, 0 },
		{ "a", "relative", 0, 0 },      { "a", NULL, 0, 0 },
		{ "a", "/bin/true", 500, 100 },
	};
	for (size_t i = 0; i < VD_COUNT(cases); i++) {
		struct vd_module_spec spec = { .instance = cases[i].instance,
					       .program = cases[i].program,
					       .back_off_first_ms = cases[i].first_ms,
					       .back_off_limit_ms = cases[i].limit_ms };
		struct vd_fault fault = { 0 };

		assert_int_equal(vd_supervisor_put(w->supervisor, &spec, &fault), -EINVAL);
		assert_int_equal(fault.code, 400);
	}
}

static void back_off_ends_by_stop_restart_and_remove(void **state)
{
	struct world *w = *state;
	struct vd_module_spec spec = puppet("a", ARGUMENTS("exit-at-once", "1"));
	struct vd_module_status status;

	spec.policy = VD_RESTART_ALWAYS;
	spec.back_off_first_ms = 3600000;
	spec.back_off_limit_ms = 3600000;
	start(w, &spec);
	run_until_deaths(w, 2);
	assert_int_equal(vd_supervisor_status(w->supervisor, "a", &status), 0);
	assert_int_equal(status.state, VD_STATE_BACKOFF);
	assert_true(status.retry_in_ms > 3000000);
	assert_int_equal(vd_supervisor_restart(w->supervisor, "a"), 0);
	run_until_deaths(w, 4);
	assert_int_equal(vd_supervisor_stop(w->supervisor, "a"), 0);
	assert_int_equal(vd_supervisor_status(w->supervisor, "a", &status), 0);
	assert_int_equal(status.state, VD_STATE_STOPPED);
	assert_int_equal(vd_supervisor_start(w->supervisor, "a"), 0);
	run_until_deaths(w, 6);
	assert_int_equal(vd_supervisor_remove(w->supervisor, "a"), 0);
	run_until_trail(w, "a:absent");
}

static void one_put_again_while_it_is_being_removed_stays(void **state)
{
	struct world *w = *state;
	struct vd_module_spec spec = puppet("a", ARGUMENTS("good"));

	start(w, &spec);
	run_until_trail(w, "a:ready");
	assert_int_equal(vd_supervisor_remove(w->supervisor, "a"), 0);
	start(w, &spec);
	run_until_trail(w, "a:stopping a:stopped a:waiting a:starting a:ready");
	assert_null(strstr(w->trail, "absent"));
}

static void one_that_does_not_read_fills_its_queue_and_nothing_else(void **state)
{
	struct world *w = *state;
	struct vd_module_spec spec = puppet("a", ARGUMENTS("silent"));
	VD_CLEANUP(vd_json_free) cJSON *packet = cJSON_Parse("{\"type\":\"message\"}");
	struct vd_module_status status;
	int r = 0;

	start(w, &spec);
	run_until_trail(w, "a:ready");
	for (int i = 0; i < 100000 && r == 0; i++)
		r = vd_supervisor_send(w->supervisor, "a", packet, NULL, 0);
	assert_int_equal(r, VD_SUPERVISOR_FULL);
	assert_int_equal(vd_supervisor_status(w->supervisor, "a", &status), 0);
	assert_int_equal(status.refused_sends, 1);
	run_until_deaths(w, 1);
	assert_int_equal(w->death[0].cause, VD_CAUSE_HUNG);
}

/* --- Hung --- */

static void one_that_is_never_ready_is_killed_at_its_deadline(void **state)
{
	struct world *w = *state;
	struct vd_module_spec spec = puppet("a", ARGUMENTS("never-ready"));

	spec.ready_timeout_ms = 150;
	spec.policy = VD_RESTART_ON_UNHEALTHY;
	start(w, &spec);
	run_until_deaths(w, 2);
	assert_int_equal(w->death[0].cause, VD_CAUSE_NOT_READY);
	assert_false(w->death[0].was_ready);
	assert_string_equal(w->death[0].text, "not ready after 150 ms");
}

static void one_that_falls_silent_is_killed_and_restarted(void **state)
{
	struct world *w = *state;
	struct vd_module_spec spec = puppet("a", ARGUMENTS("silent"));

	spec.policy = VD_RESTART_ALWAYS;
	start(w, &spec);
	run_until_deaths(w, 2);
	assert_int_equal(w->death[0].cause, VD_CAUSE_HUNG);
	assert_int_equal(w->death[0].signal, SIGKILL);
	assert_memory_equal(w->death[0].text, "no alive for ", 13);
}

static void one_that_is_frozen_by_sigstop_is_restarted(void **state)
{
	struct world *w = *state;
	struct vd_module_spec spec = puppet("a", ARGUMENTS("good"));

	spec.policy = VD_RESTART_ALWAYS;
	start(w, &spec);
	run_until_trail(w, "a:ready");
	assert_int_equal(kill(pid_of(w, "a"), SIGSTOP), 0);
	run_until_trail(w, "a:ready a:backoff a:starting a:ready");
	assert_int_equal(w->death[0].cause, VD_CAUSE_HUNG);
}

static void one_that_does_no_due_work_is_hung_though_alive(void **state)
{
	struct world *w = *state;
	struct vd_module_spec spec = puppet("a", ARGUMENTS("stuck"));

	spec.work_deadline_ms = 250;
	start(w, &spec);
	run_until_trail(w, "a:failed");
	assert_int_equal(w->death[0].cause, VD_CAUSE_HUNG);
	assert_non_null(strstr(w->death[0].text, "work is due"));
}

static bool has_beaten_again(struct world *w)
{
	struct vd_module_status status;

	assert_int_equal(vd_supervisor_status(w->supervisor, "a", &status), 0);
	return status.packets_in >= w->wanted;
}

static void an_agent_that_was_late_itself_blames_nobody(void **state)
{
	/* Just past the deadline, when only listening first helps; and far past it. */
	static const useconds_t late_us[] = { 350000, 700000 };
	struct world *w = *state;
	struct vd_module_spec spec = puppet("a", ARGUMENTS("good"));
	struct vd_module_status status;

	start(w, &spec);
	run_until_trail(w, "a:ready");
	for (size_t i = 0; i < VD_COUNT(late_us); i++) {
		(void)usleep(late_us[i]);
		assert_int_equal(vd_supervisor_status(w->supervisor, "a", &status), 0);
		w->wanted = (unsigned)status.packets_in + 12;
		run_until(w, has_beaten_again);
	}
	assert_int_equal(w->deaths, 0);
}

/* --- Protocol --- */

static void a_malformed_packet_ends_the_module_and_nothing_else(void **state)
{
	static const char *const bad[] = { "not json", "[]", "{}", "{\"type\":7}", "\"x\"" };
	struct world *w = *state;
	struct vd_module_spec other = puppet("b", ARGUMENTS("good"));

	start(w, &other);
	for (unsigned i = 0; i < VD_COUNT(bad); i++) {
		struct vd_module_spec spec = puppet("a", ARGUMENTS("raw", bad[i]));

		start(w, &spec);
		run_until_deaths(w, i + 1);
		assert_int_equal(w->death[i].cause, VD_CAUSE_PROTOCOL);
		assert_non_null(strstr(w->death[i].text, "malformed packet"));
		assert_int_equal(vd_supervisor_remove(w->supervisor, "a"), 0);
		w->trail[0] = '\0';
		run_until_trail(w, "a:absent");
	}
	assert_true(pid_of(w, "b") > 0);
}

static void another_protocol_is_refused_by_name(void **state)
{
	struct world *w = *state;
	struct vd_module_spec spec =
		puppet("a", ARGUMENTS("before-hello", "{\"type\":\"hello\",\"protocol\":2}"));

	start(w, &spec);
	run_until_deaths(w, 1);
	assert_int_equal(w->death[0].cause, VD_CAUSE_PROTOCOL);
	assert_string_equal(w->death[0].text, "speaks protocol 2, this agent speaks 1");
}

static void talk_before_hello_is_refused(void **state)
{
	struct world *w = *state;
	struct vd_module_spec spec = puppet("a", ARGUMENTS("before-hello", "{\"type\":\"ready\"}"));

	start(w, &spec);
	run_until_deaths(w, 1);
	assert_string_equal(w->death[0].text, "said \"ready\" before hello");
}

static void a_module_that_closes_its_channel_does_not_live_on(void **state)
{
	struct world *w = *state;
	struct vd_module_spec spec = puppet("a", ARGUMENTS("close"));

	start(w, &spec);
	run_until_deaths(w, 1);
	assert_int_equal(w->death[0].cause, VD_CAUSE_PROTOCOL);
	assert_non_null(strstr(w->death[0].text, "descriptor 3"));
}

static void unknown_packets_are_counted_and_passed_on(void **state)
{
	struct world *w = *state;
	struct vd_module_spec spec = puppet("a", ARGUMENTS("raw", "{\"type\":\"later-protocol\"}"));
	struct vd_module_status status;

	start(w, &spec);
	run_until_packets(w, 1001);
	assert_int_equal(vd_supervisor_status(w->supervisor, "a", &status), 0);
	assert_int_equal(status.unknown_packets, 1000);
	assert_int_equal(status.state, VD_STATE_READY);
}

static void every_packet_of_a_module_that_is_already_dead_is_heard(void **state)
{
	struct world *w = *state;
	struct vd_module_spec spec = puppet("a", ARGUMENTS("chatter", "500"));

	start(w, &spec);
	run_until_deaths(w, 1);
	assert_int_equal(w->packets, 501); /* applied, and 500 publications */
	assert_int_equal(vd_json_int(w->last, "body", -1), 499);
}

static void a_refused_start_is_no_missed_deadline(void **state)
{
	struct world *w = *state;
	struct vd_module_spec spec = puppet("a", ARGUMENTS("refuse"));
	struct vd_module_spec later = puppet("b", ARGUMENTS("good"));
	VD_CLEANUP(vd_json_free) cJSON *packet = cJSON_Parse("{\"type\":\"parameters\"}");

	spec.ready_timeout_ms = 200;
	later.startup_order = 5;
	start(w, &spec);
	start(w, &later);
	run_until_trail(w, "b:ready"); /* it does not hold back the others either */
	(void)usleep(250000);
	assert_int_equal(vd_supervisor_send(w->supervisor, "a", packet, NULL, 0), 0);
	run_until_trail(w, "a:ready");
	assert_int_equal(w->deaths, 0);
}

static void a_start_that_its_owner_cannot_fill_in_ends_the_module(void **state)
{
	struct world *w = *state;
	struct vd_module_spec spec = puppet("a", ARGUMENTS("good"));

	w->start_result = -ENOENT;
	start(w, &spec);
	run_until_deaths(w, 1);
	assert_int_equal(w->death[0].cause, VD_CAUSE_PROTOCOL);
}

/* --- Descendants --- */

static bool is_gone(struct world *w)
{
	return kill((pid_t)w->wanted, 0) < 0 && errno == ESRCH;
}

static void what_a_dead_module_left_in_its_group_dies_with_it(void **state)
{
	struct world *w = *state;
	struct vd_module_spec spec = puppet("a", ARGUMENTS("grandchildren", "group"));
	int64_t pid;

	start(w, &spec);
	run_until_deaths(w, 1);
	assert_int_equal(w->death[0].exit_code, 3);
	pid = vd_json_int(w->last, "body", -1);
	assert_true(pid > 0);
	w->wanted = (unsigned)pid;
	run_until(w, is_gone);
}

static void an_orphan_is_reaped(void **state)
{
	struct world *w = *state;
	struct vd_module_spec spec = puppet("a", ARGUMENTS("grandchildren", "orphan"));

	start(w, &spec);
	run_until_deaths(w, 1);
	w->wanted = (unsigned)vd_json_int(w->last, "body", -1);
	run_until(w, is_gone);
}

/* --- Order --- */

static void a_higher_order_waits_until_the_lower_one_is_ready(void **state)
{
	struct world *w = *state;
	struct vd_module_spec late = puppet("late", ARGUMENTS("good"));
	struct vd_module_spec early = puppet("early", ARGUMENTS("good"));

	late.startup_order = 20;
	early.startup_order = 10;
	start(w, &late);
	start(w, &early);
	run_until_trail(w, "late:ready");
	assert_non_null(strstr(w->trail, "early:ready late:starting"));
}

static void one_that_cannot_start_holds_nobody_back_for_ever(void **state)
{
	static const char *const ways[] = { "never-ready", "exit-at-once", "missing" };
	struct world *w = *state;

	for (size_t i = 0; i < VD_COUNT(ways); i++) {
		struct vd_module_spec first = puppet("first", ARGUMENTS(ways[i], "1"));
		struct vd_module_spec second = puppet("second", ARGUMENTS("good"));

		first.policy = VD_RESTART_ALWAYS;
		first.ready_timeout_ms = 150;
		if (!strcmp(ways[i], "missing"))
			first.program = "/nonexistent/vedette-nothing";
		second.startup_order = 1;
		w->trail[0] = '\0';
		start(w, &first);
		start(w, &second);
		run_until_trail(w, "second:ready");
		assert_null(strstr(w->trail, "first:ready"));
		assert_int_equal(vd_supervisor_remove(w->supervisor, "first"), 0);
		assert_int_equal(vd_supervisor_remove(w->supervisor, "second"), 0);
		run_until_trail(w, "second:absent");
		run_until_trail(w, "first:absent");
		w->deaths = 0;
	}
}

static void on_all_stopped(void *argument)
{
	struct world *w = argument;

	w->is_all_stopped = true;
}

static bool all_stopped(struct world *w)
{
	return w->is_all_stopped;
}

static void stopping_all_goes_backwards_through_the_orders(void **state)
{
	struct world *w = *state;
	struct vd_module_spec one = puppet("one", ARGUMENTS("good"));
	struct vd_module_spec two = puppet("two", ARGUMENTS("ignore-stop"));

	two.startup_order = 2;
	start(w, &one);
	start(w, &two);
	run_until_trail(w, "two:ready");
	vd_supervisor_stop_all(w->supervisor, on_all_stopped);
	run_until(w, all_stopped);
	assert_non_null(strstr(w->trail, "two:stopping two:stopped one:stopping one:stopped"));
}

static void stopping_all_of_nothing_is_done_at_once(void **state)
{
	struct world *w = *state;

	vd_supervisor_stop_all(w->supervisor, on_all_stopped);
	run_until(w, all_stopped);
}

/* --- Routes --- */

static bool heard_channel_twice(struct world *w)
{
	return w->packets >= w->wanted;
}

static void both_ends_of_a_route_get_a_channel_and_again_after_a_restart(void **state)
{
	struct world *w = *state;
	struct vd_module_spec cam = puppet("cam", ARGUMENTS("good"));
	struct vd_module_spec look = puppet("look", ARGUMENTS("good"));

	cam.policy = VD_RESTART_ALWAYS;
	assert_int_equal(vd_supervisor_connect(w->supervisor, "cam", "frame", "look", "frame"), 0);
	assert_int_equal(vd_supervisor_connect(w->supervisor, "cam", "frame", "look", "frame"), 0);
	start(w, &cam);
	start(w, &look);
	w->wanted = 4; /* two times applied, two times what the puppet got */
	run_until(w, heard_channel_twice);
	assert_string_equal(vd_json_string(vd_json_get(w->last, "body"), "got", ""), "channel");
	assert_int_equal(vd_json_int(vd_json_get(w->last, "body"), "fds", -1), 1);
	assert_int_equal(kill(pid_of(w, "cam"), SIGKILL), 0);
	w->wanted = 7; /* applied, channel, channel */
	run_until(w, heard_channel_twice);
	vd_supervisor_disconnect(w->supervisor, "cam", "frame", "look", "frame");
	w->wanted = 9;
	run_until(w, heard_channel_twice);
	assert_int_equal(vd_json_int(vd_json_get(w->last, "body"), "fds", -1), 0);
}

/* --- Lines --- */

static bool has_last_line(struct world *w)
{
	return !strcmp(w->last_line, "line 499");
}

static void count_line(int64_t wall_ms, const char *line, void *argument)
{
	unsigned *count = argument;

	(void)wall_ms;
	(void)line;
	++*count;
}

static void a_flood_of_lines_is_kept_within_bounds(void **state)
{
	struct world *w = *state;
	struct vd_module_spec spec = puppet("a", ARGUMENTS("lines", "500"));
	struct vd_module_status status;
	unsigned count = 0;

	start(w, &spec);
	run_until(w, has_last_line);
	assert_int_equal(vd_supervisor_lines(w->supervisor, "a", count_line, &count), 0);
	assert_int_equal(count, 200);
	assert_int_equal(vd_supervisor_status(w->supervisor, "a", &status), 0);
	assert_true(status.lines_suppressed > 0);
}

#define IN_A_WORLD(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

VD_TEST_MAIN(IN_A_WORLD(a_module_is_started_ready_stopped_and_removed),
	     IN_A_WORLD(the_process_starts_clean), IN_A_WORLD(a_memory_limit_is_in_force),
	     IN_A_WORLD(what_is_sent_reaches_the_module_with_its_descriptor),
	     IN_A_WORLD(an_exit_status_is_evidence_and_never_means_never),
	     IN_A_WORLD(a_clean_exit_under_on_failure_is_stopped_not_failed),
	     IN_A_WORLD(a_crash_leaves_signal_last_words_and_use_and_runs_again),
	     cmocka_unit_test(evidence_becomes_json_for_reported_state),
	     IN_A_WORLD(always_keeps_trying_a_module_that_dies_at_once),
	     IN_A_WORLD(a_program_that_is_not_there_backs_off_and_starts_once_it_is),
	     IN_A_WORLD(one_that_ignores_stop_gets_sigterm),
	     IN_A_WORLD(one_that_ignores_sigterm_too_gets_sigkill),
	     IN_A_WORLD(a_stopped_process_can_be_stopped_for_good),
	     IN_A_WORLD(a_restart_takes_place_at_once_and_owes_nothing),
	     IN_A_WORLD(start_while_stopping_starts_again),
	     IN_A_WORLD(replacing_restarts_only_when_the_process_would_differ),
	     IN_A_WORLD(bad_specs_are_refused_with_a_reason),
	     IN_A_WORLD(back_off_ends_by_stop_restart_and_remove),
	     IN_A_WORLD(one_put_again_while_it_is_being_removed_stays),
	     IN_A_WORLD(one_that_does_not_read_fills_its_queue_and_nothing_else),
	     IN_A_WORLD(an_agent_that_was_late_itself_blames_nobody),
	     IN_A_WORLD(one_that_is_never_ready_is_killed_at_its_deadline),
	     IN_A_WORLD(one_that_falls_silent_is_killed_and_restarted),
	     IN_A_WORLD(one_that_is_frozen_by_sigstop_is_restarted),
	     IN_A_WORLD(one_that_does_no_due_work_is_hung_though_alive),
	     IN_A_WORLD(a_malformed_packet_ends_the_module_and_nothing_else),
	     IN_A_WORLD(another_protocol_is_refused_by_name),
	     IN_A_WORLD(talk_before_hello_is_refused),
	     IN_A_WORLD(a_module_that_closes_its_channel_does_not_live_on),
	     IN_A_WORLD(unknown_packets_are_counted_and_passed_on),
	     IN_A_WORLD(every_packet_of_a_module_that_is_already_dead_is_heard),
	     IN_A_WORLD(a_refused_start_is_no_missed_deadline),
	     IN_A_WORLD(a_start_that_its_owner_cannot_fill_in_ends_the_module),
	     IN_A_WORLD(what_a_dead_module_left_in_its_group_dies_with_it),
	     IN_A_WORLD(an_orphan_is_reaped),
	     IN_A_WORLD(a_higher_order_waits_until_the_lower_one_is_ready),
	     IN_A_WORLD(one_that_cannot_start_holds_nobody_back_for_ever),
	     IN_A_WORLD(stopping_all_goes_backwards_through_the_orders),
	     IN_A_WORLD(stopping_all_of_nothing_is_done_at_once),
	     IN_A_WORLD(both_ends_of_a_route_get_a_channel_and_again_after_a_restart),
	     IN_A_WORLD(a_flood_of_lines_is_kept_within_bounds))
