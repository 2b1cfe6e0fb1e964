/* SPDX-License-Identifier: Apache-2.0 */
/* vedette: what a technician asks the agent of this box, over its local socket. */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/ipc/packet.h"
#include "agent/vedette/metrics.h"
#include "agent/vedette/show.h"
#include "base/version.h"

enum { EXIT_USAGE = 2, EXIT_ABSENT = 3, EXIT_UNREACHABLE = 5 };

struct request {
	const char *socket_path;
	bool as_json;
	int timeout_ms;
	const char *method;
	cJSON *body;
	void (*show)(const cJSON *answer, FILE *out);
};

typedef int (*build_fn)(struct request *request, int argc, char **argv, struct vd_fault *fault);

static int no_arguments(struct request *request, int argc, char **argv, struct vd_fault *fault)
{
	(void)request;
	if (argc == 0)
		return 0;
	vd_fault_set(fault, 400, "", "does not know what to do with '%.60s'", argv[0]);
	return -EINVAL;
}

static int metrics_arguments(struct request *request, int argc, char **argv, struct vd_fault *fault)
{
	request->method = "status";
	return no_arguments(request, argc, argv, fault);
}

static int twin_arguments(struct request *request, int argc, char **argv, struct vd_fault *fault)
{
	if (argc > 1)
		return no_arguments(request, argc - 1, argv + 1, fault);
	return vd_json_add_string(request->body, "section", argc ? argv[0] : "desired") ? 0
											: -ENOMEM;
}

static int module_arguments(struct request *request, int argc, char **argv, struct vd_fault *fault)
{
	if (argc != 1) {
		vd_fault_set(fault, 400, "", "wants the name of one module");
		return -EINVAL;
	}
	return vd_json_add_string(request->body, "module", argv[0]) ? 0 : -ENOMEM;
}

static int logs_arguments(struct request *request, int argc, char **argv, struct vd_fault *fault)
{
	char *end = NULL;
	long lines = argc == 2 ? strtol(argv[1], &end, 10) : 50;

	if (argc == 2 && (!*argv[1] || *end)) {
		vd_fault_set(fault, 400, "", "'%.60s' is no number of lines", argv[1]);
		return -EINVAL;
	}
	if (!vd_json_add_number(request->body, "lines", (double)lines))
		return -ENOMEM;
	return module_arguments(request, argc == 2 ? 1 : argc, argv, fault);
}

static int call_arguments(struct request *request, int argc, char **argv, struct vd_fault *fault)
{
	cJSON *body = NULL;
	int r = 0;

	if (argc < 2 || argc > 3) {
		vd_fault_set(fault, 400, "", "wants MODULE METHOD [JSON]");
		return -EINVAL;
	}
	if (argc == 3)
		r = vd_json_parse(argv[2], strlen(argv[2]), &body, fault);
	if (r == 0 && body && !vd_json_add_take(request->body, "body", &body))
		r = -ENOMEM;
	if (r == 0 && (!vd_json_add_string(request->body, "module", argv[0]) ||
		       !vd_json_add_string(request->body, "method", argv[1]) ||
		       !vd_json_add_number(request->body, "timeoutMs", request->timeout_ms)))
		r = -ENOMEM;
	return r;
}

static const struct {
	const char *name, *arguments, *text;
	build_fn build;
	void (*show)(const cJSON *answer, FILE *out);
} commands[] = {
	{ "status", "", "link, desired document, outbox and modules at a glance", no_arguments,
	  vd_show_status },
	{ "metrics", "", "the same numbers as Prometheus reads them", metrics_arguments,
	  vd_show_metrics },
	{ "modules", "", "each module, and how it last ended", no_arguments, vd_show_modules },
	{ "twin", "[desired|latest|reported]",
	  "the document in force, the last one received, reported state", twin_arguments,
	  vd_show_twin },
	{ "logs", "MODULE [LINES]", "the newest lines a module wrote", logs_arguments,
	  vd_show_logs },
	{ "outbox", "", "what waits for the hub, by class", no_arguments, vd_show_outbox },
	{ "packages", "", "module versions installed on this box", no_arguments, vd_show_packages },
	{ "restart", "MODULE", "stop a module and start it again", module_arguments, NULL },
	{ "call", "MODULE METHOD [JSON]", "call a method of a module", call_arguments,
	  vd_show_any },
};

static int usage(FILE *out)
{
	(void)fputs("usage: vedette [-o json] [--socket PATH] [--timeout SECONDS] COMMAND\n\n",
		    out);
	for (size_t i = 0; i < VD_COUNT(commands); i++)
		(void)fprintf(out, "  %-8s %-26s %s\n", commands[i].name, commands[i].arguments,
			      commands[i].text);
	(void)fputs(
		"\nexit status: 0 done, 1 failed, 2 usage, 3 not found, 5 agent not reachable\n",
		out);
	return out == stdout ? EXIT_SUCCESS : EXIT_USAGE;
}

static int reach(const char *path, int *ret_fd)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	VD_CLEANUP(vd_close) int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (strlen(path) >= sizeof address.sun_path)
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, strlen(path));
	if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
		return -errno;
	*ret_fd = fd;
	fd = -1;
	return 0;
}

static int exchange(int fd, const struct request *request, struct vd_packet *ret_answer,
		    struct vd_fault *fault)
{
	VD_CLEANUP(vd_json_free) cJSON *packet = cJSON_CreateObject();
	struct pollfd wait = { .fd = fd, .events = POLLIN };
	int r;

	if (!packet || !vd_json_add_string(packet, "type", "call") ||
	    !vd_json_add_number(packet, "id", 1) ||
	    !vd_json_add_string(packet, "method", request->method) ||
	    !vd_json_add_copy(packet, "body", request->body))
		return -ENOMEM;
	r = vd_packet_send(fd, packet, NULL, 0);
	if (r == 0 && poll(&wait, 1, request->timeout_ms + 2000) == 0)
		return -ETIMEDOUT;
	return r ? r : vd_packet_receive(fd, ret_answer, fault);
}

static int show_answer(const struct request *request, const cJSON *packet)
{
	int status = (int)vd_json_int(packet, "status", 500);
	const cJSON *body = vd_json_get(packet, "body");

	if (status < 200 || status > 299) {
		const char *pointer = vd_json_string(body, "pointer", "");

		(void)fprintf(stderr, "vedette: %s: %s%s%s (%d)\n", request->method,
			      vd_json_string(body, "text", "failed without a reason"),
			      *pointer ? " at " : "", pointer, status);
		return status == 404 ? EXIT_ABSENT : EXIT_FAILURE;
	}
	if (request->as_json)
		vd_show_any(body, stdout);
	else if (request->show)
		request->show(body, stdout);
	return EXIT_SUCCESS;
}

static int ask(const struct request *request)
{
	VD_CLEANUP(vd_close) int fd = -1;
	VD_CLEANUP(vd_packet_fini) struct vd_packet answer = { 0 };
	struct vd_fault fault = { 0 };
	int r = reach(request->socket_path, &fd);

	if (r == 0)
		r = exchange(fd, request, &answer, &fault);
	if (r != 0) {
		(void)fprintf(stderr, "vedette: the agent at %s does not answer: %s\n",
			      request->socket_path,
			      r < 0         ? strerror(-r)
			      : *fault.text ? fault.text
					    : "it closed the connection");
		return EXIT_UNREACHABLE;
	}
	return show_answer(request, answer.json);
}

static int run_command(struct request *request, int argc, char **argv)
{
	struct vd_fault fault = { 0 };
	int r;

	for (size_t i = 0; i < VD_COUNT(commands); i++) {
		if (strcmp(commands[i].name, argv[0]))
			continue;
		request->method = commands[i].name;
		request->show = commands[i].show;
		request->body = cJSON_CreateObject();
		r = request->body ? commands[i].build(request, argc - 1, argv + 1, &fault)
				  : -ENOMEM;
		if (r < 0)
			(void)fprintf(stderr, "vedette: %s %s\n", argv[0],
				      r == -ENOMEM ? "ran out of memory" : fault.text);
		r = r < 0 ? EXIT_USAGE : ask(request);
		vd_json_free(request->body);
		return r;
	}
	(void)fprintf(stderr, "vedette: there is no command '%s'\n", argv[0]);
	return usage(stderr);
}

int main(int argc, char **argv)
{
	static const struct option known[] = {
		{ "socket", 1, NULL, 's' },  { "output", 1, NULL, 'o' },
		{ "timeout", 1, NULL, 't' }, { "version", 0, NULL, 'v' },
		{ "help", 0, NULL, 'h' },    { 0 }
	};
	const char *environment = getenv("VEDETTE_SOCKET");
	struct request request = { .socket_path =
					   environment ? environment : "/run/vedette/agent.sock",
				   .timeout_ms = 30000 };

	for (int c; (c = getopt_long(argc, argv, "+o:h", known, NULL)) != -1;) {
		switch (c) {
		case 's':
			request.socket_path = optarg;
			break;
		case 'o':
			request.as_json = !strcmp(optarg, "json");
			break;
		case 't':
			request.timeout_ms = (int)(strtod(optarg, NULL) * 1000);
			break;
		case 'v':
			(void)puts("vedette " VD_VERSION);
			return EXIT_SUCCESS;
		case 'h':
			return usage(stdout);
		default:
			return usage(stderr);
		}
	}
	if (optind == argc)
		return usage(stderr);
	return run_command(&request, argc - optind, argv + optind);
}
