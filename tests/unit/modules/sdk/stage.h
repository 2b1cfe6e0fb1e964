/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/ipc/packet.h"
#include "agent/supervise/spawn.h"
#include "vd_test.h"

/* The test plays the agent, packet by packet, for a real process: tests/fixtures/modules/mirror. */
enum { PATIENCE_MS = 20000 };

struct actor {
	pid_t pid;
	int pidfd, fd, log_fd;
	struct vd_packet packet; /* the last one received */
};

static inline void expect_readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
}

static inline void say(int fd, const int *fds, unsigned fd_count, const char *format, ...)
	VD_PRINTF(4, 5);

static inline void say(int fd, const int *fds, unsigned fd_count, const char *format, ...)
{
	char text[4096];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(text, sizeof text, format, args);
	va_end(args);
	assert_true(n > 0 && (size_t)n < sizeof text);
	assert_int_equal(vd_packet_send_text(fd, text, (size_t)n, fds, fd_count), 0);
}

/* The next packet of this type; beats of the heart are skipped, anything else is a failure. */
static inline const cJSON *hear_from(int fd, struct vd_packet *packet, const char *type)
{
	for (;;) {
		struct vd_fault fault = { 0 };

		vd_packet_fini(packet);
		expect_readable(fd);
		assert_int_equal(vd_packet_receive(fd, packet, &fault), 0);
		if (!strcmp(vd_packet_type(packet), type))
			return packet->json;
		if (strcmp(vd_packet_type(packet), "alive") != 0) {
			char *text = vd_json_text(packet->json);

			print_message("wanted %s, heard %s\n", type, text);
			free(text);
			fail();
		}
	}
}

static inline const cJSON *hear(struct actor *a, const char *type)
{
	return hear_from(a->fd, &a->packet, type);
}

/* A report's body, as text in static storage. */
static inline const char *hear_report(struct actor *a)
{
	static char text[1024];
	char *body = vd_json_text(vd_json_get(hear(a, "report"), "body"));

	(void)snprintf(text, sizeof text, "%s", body);
	free(body);
	return text;
}

static inline void call(struct actor *a, const char *method, const char *body)
{
	say(a->fd, NULL, 0, "{\"type\":\"call\",\"id\":1,\"method\":\"%s\",\"body\":%s}", method,
	    body);
}

/* Calls a method that reports nothing, and returns what it returned. */
static inline int call_and_hear(struct actor *a, const char *method, const char *body)
{
	call(a, method, body);
	return (int)vd_json_int(hear(a, "answer"), "status", 0) - 200;
}

static inline void act(struct actor *a, const char *program)
{
	int pair[2], log[2];

	memset(a, 0, sizeof *a);
	assert_int_equal(vd_packet_pair(0, pair), 0);
	assert_int_equal(pipe(log), 0);
	assert_int_equal(vd_spawn(&(struct vd_spawn){ .program = program,
						      .folder = "/",
						      .channel_fd = pair[1],
						      .log_fd = log[1] },
				  &a->pid, &a->pidfd),
			 0);
	a->fd = pair[0];
	a->log_fd = log[0];
	vd_close(&pair[1]);
	vd_close(&log[1]);
}

static inline void act_until_ready(struct actor *a, const char *program, const char *instance,
				   const char *parameters)
{
	act(a, program);
	(void)hear(a, "hello");
	say(a->fd, NULL, 0,
	    "{\"type\":\"start\",\"instance\":\"%s\",\"deviceId\":\"d1\",\"heartbeatMs\":50,"
	    "\"version\":7,\"parameters\":%s}",
	    instance, parameters);
	(void)hear_report(a);
	(void)hear(a, "applied");
	(void)hear(a, "ready");
}

/* Its exit status, or minus the signal. Whatever it still says is read and forgotten. */
static inline int end(struct actor *a)
{
	char line[4096];
	int status;

	vd_packet_fini(&a->packet);
	vd_close(&a->fd);
	expect_readable(a->pidfd);
	assert_int_equal(waitpid(a->pid, &status, 0), a->pid);
	while (read(a->log_fd, line, sizeof line) > 0)
		;
	vd_close(&a->pidfd);
	vd_close(&a->log_fd);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}
