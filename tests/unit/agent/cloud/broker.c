/* SPDX-License-Identifier: Apache-2.0 */
#include "broker.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { PATIENCE = 500, TICK_US = 10000 };

int free_port(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof address;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
	assert_int_equal(close(fd), 0);
	return ntohs(address.sin_port);
}

const char *broker_path(const struct broker *b, const char *file)
{
	static char paths[8][512];
	static unsigned next;
	char *path = paths[next++ % VD_COUNT(paths)];

	(void)snprintf(path, sizeof paths[0], "%s/%s", b->folder, file);
	return path;
}

static pid_t spawn(char *const *arguments)
{
	posix_spawn_file_actions_t actions;
	pid_t pid = -1;

	assert_int_equal(posix_spawn_file_actions_init(&actions), 0);
	(void)posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	(void)posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	assert_int_equal(posix_spawnp(&pid, arguments[0], &actions, NULL, arguments, environ), 0);
	(void)posix_spawn_file_actions_destroy(&actions);
	return pid;
}

/* Words separated by blanks. */
static void run(const char *command)
{
	char text[1024], *arguments[40], *rest = text;
	size_t count = 0;
	int status = 0;

	(void)snprintf(text, sizeof text, "%s", command);
	while (count + 1 < VD_COUNT(arguments) && (arguments[count] = strsep(&rest, " ")))
		count++;
	arguments[count] = NULL;
	assert_int_equal(waitpid(spawn(arguments), &status, 0) > 0, 1);
	if (status != 0)
		fail_msg("failed: %s", command);
}

static void make_certificates(const struct broker *b, const char *name)
{
	char command[1024];

	(void)snprintf(
		command, sizeof command,
		"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2"
		" -subj /CN=vedette-test-ca -keyout %s -out %s",
		broker_path(b, "ca.key"), broker_path(b, "ca.pem"));
	run(command);
	for (int i = 0; i < 2; i++) {
		const char *who = i == 0 ? "server" : "client";
		char key[32], pem[32];

		(void)snprintf(key, sizeof key, "%s.key", who);
		(void)snprintf(pem, sizeof pem, "%s.pem", who);
		(void)snprintf(
			command, sizeof command,
			"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes "
			"-days 2"
			" -subj /CN=%s -addext subjectAltName=DNS:%s -CA %s -CAkey %s -keyout %s"
			" -out %s",
			i == 0 ? name : "d1", i == 0 ? name : "d1", broker_path(b, "ca.pem"),
			broker_path(b, "ca.key"), broker_path(b, key), broker_path(b, pem));
		run(command);
	}
}

struct broker *broker_new(const char *certified_name)
{
	struct broker *b = calloc(1, sizeof *b);

	assert_non_null(b);
	(void)snprintf(b->folder, sizeof b->folder, "/tmp/link-test-XXXXXX");
	assert_non_null(mkdtemp(b->folder));
	b->tls_port = free_port();
	b->plain_port = free_port();
	make_certificates(b, certified_name);
	return b;
}

static void write_configuration(const struct broker *b, int flags)
{
	FILE *f = fopen(broker_path(b, "passwords"), "we");

	assert_non_null(f);
	assert_int_equal(fclose(f), 0);
	f = fopen(broker_path(b, "mosquitto.conf"), "we");
	assert_non_null(f);
	(void)fprintf(f,
		      "user root\nper_listener_settings true\nset_tcp_nodelay true\n"
		      "listener %d 127.0.0.1\nallow_anonymous true\n"
		      "listener %d 127.0.0.1\ncafile %s/ca.pem\ncertfile %s/server.pem\n"
		      "keyfile %s/server.key\n",
		      b->plain_port, b->tls_port, b->folder, b->folder, b->folder);
	if (flags & BROKER_CLIENT_CERTIFICATES)
		(void)fprintf(f, "require_certificate true\nuse_identity_as_username true\n");
	if (flags & BROKER_ANONYMOUS)
		(void)fprintf(f, "allow_anonymous true\n");
	else
		(void)fprintf(f, "allow_anonymous false\npassword_file %s/passwords\n", b->folder);
	assert_int_equal(fclose(f), 0);
}

static void answer_get(struct broker *b, const char *rid)
{
	char topic[256];

	(void)snprintf(topic, sizeof topic, "$iothub/twin/res/200/?$rid=%s", rid);
	broker_send(b, topic,
		    "{\"desired\":{\"a\":1,\"$version\":3},\"reported\":{\"$version\":1}}");
}

static void answer_patch(struct broker *b, const char *rid)
{
	char topic[256];

	(void)snprintf(topic, sizeof topic, "$iothub/twin/res/204/?$rid=%s&$version=2", rid);
	broker_send(b, topic, "");
}

static void on_message(struct mosquitto *hub, void *argument, const struct mosquitto_message *m)
{
	struct broker *b = argument;
	const char *rid = strstr(m->topic, "?$rid=");

	(void)hub;
	if (strncmp(m->topic, "devices/", 8) == 0) {
		(void)snprintf(b->events_topic, sizeof b->events_topic, "%s", m->topic);
		(void)snprintf(b->events_payload, sizeof b->events_payload, "%.*s", m->payloadlen,
			       (const char *)m->payload);
		b->events++;
	} else if (strncmp(m->topic, "$iothub/methods/res/", 20) == 0) {
		(void)snprintf(b->answer_topic, sizeof b->answer_topic, "%s", m->topic);
		(void)snprintf(b->answer_payload, sizeof b->answer_payload, "%.*s", m->payloadlen,
			       (const char *)m->payload);
		b->answers++;
	} else if (rid && !b->is_mute) {
		(strstr(m->topic, "/GET/") ? answer_get : answer_patch)(b, rid + 6);
	}
}

static void connect_hub(struct broker *b)
{
	static const char *const filters[] = { "devices/#", "$iothub/twin/GET/#",
					       "$iothub/twin/PATCH/properties/reported/#",
					       "$iothub/methods/res/#" };
	int tries = 0;

	b->hub = mosquitto_new("hub", true, b);
	assert_non_null(b->hub);
	mosquitto_message_callback_set(b->hub, on_message);
	while (mosquitto_connect(b->hub, "127.0.0.1", b->plain_port, 60) != MOSQ_ERR_SUCCESS) {
		assert_true(++tries < PATIENCE);
		(void)usleep(TICK_US);
	}
	for (size_t i = 0; i < VD_COUNT(filters); i++)
		assert_int_equal(mosquitto_subscribe(b->hub, NULL, filters[i], 1), 0);
	assert_int_equal(mosquitto_loop_start(b->hub), 0);
}

void broker_start(struct broker *b, int flags)
{
	char path[256];
	char *arguments[] = { (char *)(uintptr_t) "mosquitto", (char *)(uintptr_t) "-c", path,
			      NULL };

	write_configuration(b, flags);
	(void)snprintf(path, sizeof path, "%s/mosquitto.conf", b->folder);
	b->pid = spawn(arguments);
	connect_hub(b);
}

void broker_start_tls(struct broker *b, const char *version)
{
	char port[16], pem[256], key[256], option[16];
	const char *words[] = { "openssl",         "s_server", "-www", "-accept", port,
				"-cert",           pem,        "-key", key,       "-cipher",
				"ALL:@SECLEVEL=0", option,     NULL };
	char *arguments[VD_COUNT(words)];

	(void)snprintf(port, sizeof port, "%d", b->tls_port);
	(void)snprintf(pem, sizeof pem, "%s/server.pem", b->folder);
	(void)snprintf(key, sizeof key, "%s/server.key", b->folder);
	(void)snprintf(option, sizeof option, "%s", version);
	memcpy(arguments, words, sizeof arguments);
	b->pid = spawn(arguments);
}

void broker_stop(struct broker *b)
{
	if (b->hub) {
		(void)mosquitto_disconnect(b->hub);
		(void)mosquitto_loop_stop(b->hub, true);
		mosquitto_destroy(b->hub);
		b->hub = NULL;
	}
	if (b->pid > 0) {
		(void)kill(b->pid, SIGKILL);
		(void)waitpid(b->pid, NULL, 0);
		b->pid = 0;
	}
}

void broker_free(struct broker *b)
{
	DIR *folder;
	struct dirent *entry;

	broker_stop(b);
	folder = opendir(b->folder);
	while (folder && (entry = readdir(folder)))
		(void)unlink(broker_path(b, entry->d_name));
	if (folder)
		(void)closedir(folder);
	(void)rmdir(b->folder);
	free(b);
}

void broker_send(struct broker *b, const char *topic, const char *payload)
{
	assert_int_equal(
		mosquitto_publish(b->hub, NULL, topic, (int)strlen(payload), payload, 1, false), 0);
}
