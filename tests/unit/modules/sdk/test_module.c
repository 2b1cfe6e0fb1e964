/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/sdk/module.h"

#include <errno.h>
#include <fcntl.h>

#include "stage.h"

static void hello_start_applied_ready_alive_stop_is_a_modules_life(void **state)
{
	struct actor a;
	const cJSON *hello;

	act(&a, VD_MIRROR);
	hello = hear(&a, "hello");
	assert_int_equal(vd_json_int(hello, "protocol", 0), 1);
	assert_string_equal(vd_json_string(hello, "name", ""), "mirror");
	assert_string_equal(vd_json_string(hello, "version", ""), "2.1.0");
	say(a.fd, NULL, 0,
	    "{\"type\":\"start\",\"instance\":\"m\",\"heartbeatMs\":20,\"version\":3}");
	assert_string_equal(hear_report(&a), "{\"offered\":5}"); /* the default */
	assert_int_equal(vd_json_int(hear(&a, "applied"), "version", 0), 3);
	(void)hear(&a, "ready");
	for (int i = 0; i < 3; i++)
		assert_false(vd_json_bool(hear(&a, "alive"), "due", true));
	say(a.fd, NULL, 0, "{\"type\":\"stop\"}");
	assert_string_equal(hear_report(&a), "{\"stopping\":true}");
	assert_int_equal(end(&a), 0);
}

static void a_module_ends_when_the_agent_is_gone(void **state)
{
	struct actor a;

	act_until_ready(&a, VD_MIRROR, "m", "{}");
	assert_int_equal(end(&a), 0);
}

static void a_module_ends_when_the_agent_talks_nonsense(void **state)
{
	struct actor a;

	act_until_ready(&a, VD_MIRROR, "m", "{}");
	say(a.fd, NULL, 0, "nonsense");
	expect_readable(a.pidfd);
	assert_int_equal(end(&a), 1);
}

static void sigterm_is_a_stop(void **state)
{
	struct actor a;

	act_until_ready(&a, VD_MIRROR, "m", "{}");
	assert_int_equal(kill(a.pid, SIGTERM), 0);
	assert_string_equal(hear_report(&a), "{\"stopping\":true}");
	assert_int_equal(end(&a), 0);
}

static void a_stop_may_take_its_time(void **state)
{
	struct actor a;

	act_until_ready(&a, VD_MIRROR, "m", "{\"lateStop\":true}");
	say(a.fd, NULL, 0, "{\"type\":\"stop\"}");
	assert_string_equal(hear_report(&a), "{\"stopping\":true}");
	(void)hear(&a, "alive");
	assert_int_equal(call_and_hear(&a, "exit", "{\"status\":6}"), 0);
	assert_int_equal(end(&a), 6);
}

static void parameters(struct actor *a, int version, const char *json)
{
	say(a->fd, NULL, 0, "{\"type\":\"parameters\",\"version\":%d,\"parameters\":%s}", version,
	    json);
}

static void a_set_that_breaks_the_schema_never_reaches_the_author(void **state)
{
	struct actor a;
	const cJSON *refused;

	act_until_ready(&a, VD_MIRROR, "m", "{}");
	parameters(&a, 8, "{\"level\":10}");
	refused = hear(&a, "refused");
	assert_int_equal(vd_json_int(refused, "version", 0), 8);
	assert_string_equal(vd_json_string(refused, "pointer", ""), "/level");
	assert_true(strlen(vd_json_string(refused, "text", "")) > 0);
	parameters(&a, 9, "{\"unknown\":1}");
	assert_int_equal(vd_json_int(hear(&a, "refused"), "version", 0), 9);
	parameters(&a, 10, "[]");
	assert_int_equal(vd_json_int(hear(&a, "refused"), "version", 0), 10);
	parameters(&a, 11, "{\"level\":9}");
	assert_string_equal(hear_report(&a), "{\"offered\":9}");
	assert_int_equal(vd_json_int(hear(&a, "applied"), "version", 0), 11);
	assert_int_equal(end(&a), 0);
}

static void the_author_may_refuse_with_a_pointer(void **state)
{
	struct actor a;
	const cJSON *refused;

	act_until_ready(&a, VD_MIRROR, "m", "{}");
	parameters(&a, 8, "{\"refuse\":true}");
	(void)hear_report(&a);
	refused = hear(&a, "refused");
	assert_string_equal(vd_json_string(refused, "pointer", ""), "/refuse");
	assert_string_equal(vd_json_string(refused, "text", ""), "as asked");
	assert_int_equal(end(&a), 0);
}

static void a_refused_start_waits_for_better_parameters(void **state)
{
	struct actor a;

	act(&a, VD_MIRROR);
	(void)hear(&a, "hello");
	say(a.fd, NULL, 0,
	    "{\"type\":\"start\",\"instance\":\"m\",\"heartbeatMs\":50,\"version\":1,"
	    "\"parameters\":{\"level\":-1}}");
	assert_string_equal(vd_json_string(hear(&a, "refused"), "pointer", ""), "/level");
	parameters(&a, 2, "{\"refuse\":true}");
	(void)hear_report(&a);
	(void)hear(&a, "refused");
	parameters(&a, 3, "{}");
	(void)hear_report(&a);
	assert_int_equal(vd_json_int(hear(&a, "applied"), "version", 0), 3);
	(void)hear(&a, "ready");
	assert_int_equal(end(&a), 0);
}

static void while_an_answer_is_due_only_the_newest_set_waits(void **state)
{
	struct actor a;

	act_until_ready(&a, VD_MIRROR, "m", "{}");
	parameters(&a, 8, "{\"later\":true}");
	(void)hear_report(&a);
	parameters(&a, 9, "{\"level\":1}");
	parameters(&a, 10, "{\"level\":2,\"later\":true}");
	call(&a, "apply", "{}");
	assert_int_equal(vd_json_int(hear(&a, "applied"), "version", 0), 8);
	(void)hear(&a, "answer");
	assert_string_equal(hear_report(&a), "{\"offered\":2}");
	call(&a, "refuse", "{}");
	assert_int_equal(vd_json_int(hear(&a, "refused"), "version", 0), 10);
	(void)hear(&a, "answer");
	/* An answer that nobody waits for is nothing. */
	assert_int_equal(call_and_hear(&a, "apply", "{}"), 0);
	assert_int_equal(end(&a), 0);
}

static void a_publication_is_answered_stored_or_rejected(void **state)
{
	struct actor a;
	const cJSON *p;

	act_until_ready(&a, VD_MIRROR, "m", "{}");
	for (int id = 1; id <= 2; id++) {
		call(&a, "publish", "{\"n\":4}");
		p = hear(&a, "publish");
		assert_int_equal(vd_json_int(p, "id", 0), id);
		assert_string_equal(vd_json_string(p, "class", ""), "verdict");
		assert_string_equal(vd_json_string(p, "output", ""), "verdict");
		assert_int_equal(vd_json_int(vd_json_get(p, "body"), "n", 0), 4);
		(void)hear(&a, "answer");
	}
	say(a.fd, NULL, 0, "{\"type\":\"rejected\",\"id\":2,\"text\":\"disk full\"}");
	assert_string_equal(hear_report(&a), "{\"id\":2,\"seq\":-1,\"text\":\"disk full\"}");
	say(a.fd, NULL, 0, "{\"type\":\"stored\",\"id\":1,\"seq\":991}");
	assert_string_equal(hear_report(&a), "{\"id\":1,\"seq\":991,\"text\":\"stored\"}");
	say(a.fd, NULL, 0, "{\"type\":\"stored\",\"id\":1,\"seq\":992}"); /* twice: ignored */
	call(&a, "publish", "{\"silent\":true}");
	assert_null(vd_json_get(hear(&a, "publish"), "id"));
	assert_null(vd_json_get(a.packet.json, "key"));
	(void)hear(&a, "answer");
	assert_int_equal(end(&a), 0);
}

static void a_publication_may_have_a_key_of_64_bytes(void **state)
{
	struct actor a;

	act_until_ready(&a, VD_MIRROR, "m", "{}");
	call(&a, "publish", "{\"key\":\"part-00041007\"}");
	assert_string_equal(vd_json_string(hear(&a, "publish"), "key", ""), "part-00041007");
	(void)hear(&a, "answer");
	assert_int_equal(call_and_hear(&a, "publish", "{\"key\":\"\"}"), -EINVAL);
	assert_int_equal(call_and_hear(&a, "publish",
				       "{\"key\":\"0123456789abcdef0123456789abcdef"
				       "0123456789abcdef0123456789abcdef0\"}"),
			 -EINVAL);
	assert_int_equal(end(&a), 0);
}

static void an_attachment_travels_as_a_sealed_descriptor_with_its_digest(void **state)
{
	struct actor a;
	const cJSON *item;
	char text[16] = "";
	int fd;

	act_until_ready(&a, VD_MIRROR, "m", "{}");
	call(&a, "publish", "{\"attach\":true}");
	item = cJSON_GetArrayItem(vd_json_array(hear(&a, "publish"), "attachments"), 0);
	assert_string_equal(vd_json_string(item, "name", ""), "overlay");
	assert_int_equal(vd_json_int(item, "bytes", 0), 7);
	assert_string_equal(vd_json_string(item, "sha256", ""),
			    "2cea274d0bedc39ec4ab6ba9e59ec889e3ed6fb56a1cf088a64d9b383378dc97");
	fd = vd_packet_take_fd(&a.packet, 0);
	assert_int_equal(read(fd, text, sizeof text), 7);
	assert_string_equal(text, "picture");
	assert_true(fcntl(fd, F_GET_SEALS) & F_SEAL_WRITE);
	vd_close(&fd);
	assert_int_equal(end(&a), 0);
}

static void a_slow_agent_is_an_outcome_for_the_author_and_no_end_of_heartbeats(void **state)
{
	struct actor a;
	int heard = 0;
	bool is_alive = false;

	act_until_ready(&a, VD_MIRROR, "m", "{}");
	call(&a, "flood", "{}");
	/* Nothing is read until its queue is full; the answer finds no room either. */
	(void)usleep(300000);
	while (heard < 900 || !is_alive) {
		struct vd_fault fault = { 0 };

		vd_packet_fini(&a.packet);
		expect_readable(a.fd);
		assert_int_equal(vd_packet_receive(a.fd, &a.packet, &fault), 0);
		heard += !strcmp(vd_packet_type(&a.packet), "publish");
		is_alive = heard > 0 && !strcmp(vd_packet_type(&a.packet), "alive");
	}
	assert_true(heard < 100000);
	assert_int_equal(end(&a), 0);
}

static void messages_and_calls_reach_the_author(void **state)
{
	struct actor a;
	const cJSON *answer;

	act_until_ready(&a, VD_MIRROR, "m", "{}");
	say(a.fd, NULL, 0,
	    "{\"type\":\"message\",\"input\":\"write\",\"from\":\"s/v\",\"body\":{\"n\":3}}");
	assert_string_equal(hear_report(&a), "{\"input\":\"write\",\"from\":\"s/v\",\"n\":3}");
	say(a.fd, NULL, 0,
	    "{\"type\":\"call\",\"id\":9,\"method\":\"nothing\",\"body\":{\"x\":1}}");
	answer = hear(&a, "answer");
	assert_int_equal(vd_json_int(answer, "id", 0), 9);
	assert_int_equal(vd_json_int(answer, "status", 0), 404);
	assert_int_equal(vd_json_int(vd_json_get(answer, "body"), "x", 0), 1);
	say(a.fd, NULL, 0, "{\"type\":\"call\",\"id\":10,\"method\":\"nothing\"}");
	assert_int_equal(vd_json_int(hear(&a, "answer"), "id", 0), 10);
	assert_int_equal(end(&a), 0);
}

static void unknown_packets_and_missing_members_harm_nobody(void **state)
{
	static const char *const odd[] = {
		"{\"type\":\"tomorrow\",\"x\":{}}",
		"{\"type\":\"stored\"}",
		"{\"type\":\"message\"}",
		"{\"type\":\"channel\"}",
		"{\"type\":\"channel\",\"role\":\"producer\",\"port\":\"out\"}",
		"{\"type\":\"start\",\"instance\":\"again\"}",
		"{\"type\":\"rejected\",\"id\":\"x\"}",
	};
	struct actor a;

	act_until_ready(&a, VD_MIRROR, "m", "{}");
	for (size_t i = 0; i < VD_COUNT(odd); i++)
		say(a.fd, NULL, 0, "%s", odd[i]);
	assert_int_equal(call_and_hear(&a, "apply", "{}"), 0);
	assert_int_equal(end(&a), 0);
}

static void a_thread_counts_work_and_comes_back_to_the_loop(void **state)
{
	struct actor a;
	const cJSON *alive;

	act_until_ready(&a, VD_MIRROR, "m", "{}");
	call(&a, "thread", "{}");
	/* The thread may be quicker than the answer, or not. */
	for (int heard = 0; heard < 2;) {
		struct vd_fault fault = { 0 };

		vd_packet_fini(&a.packet);
		expect_readable(a.fd);
		assert_int_equal(vd_packet_receive(a.fd, &a.packet, &fault), 0);
		heard += strcmp(vd_packet_type(&a.packet), "alive") != 0;
	}
	alive = hear(&a, "alive");
	assert_int_equal(vd_json_int(alive, "work", 0), 100);
	assert_true(vd_json_bool(alive, "due", false));
	assert_int_equal(end(&a), 0);
}

static int run(const char *command, char *out, size_t size)
{
	FILE *f = NULL;
	int ends[2], status;
	size_t n;
	pid_t pid;

	assert_int_equal(pipe(ends), 0);
	pid = fork();
	if (pid == 0) {
		(void)dup2(ends[1], 1);
		(void)dup2(ends[1], 2);
		(void)close(3);
		(void)execl(VD_MIRROR, VD_MIRROR, command, (char *)NULL);
		_exit(99);
	}
	(void)close(ends[1]);
	f = fdopen(ends[0], "r");
	n = fread(out, 1, size - 1, f);
	out[n] = '\0';
	(void)fclose(f);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WEXITSTATUS(status);
}

static void it_explains_itself_on_the_command_line(void **state)
{
	char out[4096];

	assert_int_equal(run("--version", out, sizeof out), 0);
	assert_string_equal(out, "mirror 2.1.0\n");
	assert_int_equal(run("--schema", out, sizeof out), 0);
	assert_memory_equal(out, "{\"type\":\"object\"", 16);
	assert_int_equal(run("--explain", out, sizeof out), 0);
	assert_non_null(strstr(out, "/level"));
	assert_int_equal(run("--help", out, sizeof out), 2);
	assert_non_null(strstr(out, "usage: mirror"));
	assert_int_equal(run(NULL, out, sizeof out), 2);
	assert_non_null(strstr(out, "vedette-module(7)"));
}

VD_TEST_MAIN(cmocka_unit_test(hello_start_applied_ready_alive_stop_is_a_modules_life),
	     cmocka_unit_test(a_module_ends_when_the_agent_is_gone),
	     cmocka_unit_test(a_module_ends_when_the_agent_talks_nonsense),
	     cmocka_unit_test(sigterm_is_a_stop), cmocka_unit_test(a_stop_may_take_its_time),
	     cmocka_unit_test(a_set_that_breaks_the_schema_never_reaches_the_author),
	     cmocka_unit_test(the_author_may_refuse_with_a_pointer),
	     cmocka_unit_test(a_refused_start_waits_for_better_parameters),
	     cmocka_unit_test(while_an_answer_is_due_only_the_newest_set_waits),
	     cmocka_unit_test(a_publication_is_answered_stored_or_rejected),
	     cmocka_unit_test(a_publication_may_have_a_key_of_64_bytes),
	     cmocka_unit_test(an_attachment_travels_as_a_sealed_descriptor_with_its_digest),
	     cmocka_unit_test(a_slow_agent_is_an_outcome_for_the_author_and_no_end_of_heartbeats),
	     cmocka_unit_test(messages_and_calls_reach_the_author),
	     cmocka_unit_test(unknown_packets_and_missing_members_harm_nobody),
	     cmocka_unit_test(a_thread_counts_work_and_comes_back_to_the_loop),
	     cmocka_unit_test(it_explains_itself_on_the_command_line))
