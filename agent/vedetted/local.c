/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The local socket, for `vedette` on the box: packets as modules send them, `call` in and
 * `answer` out. The file's mode says who may connect (owner and group); one who sends
 * something else loses the connection, and nobody else is touched.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/ipc/channel.h"
#include "agent/vedetted/agent.h"
#include "base/file.h"

enum { CLIENTS = 32, CLIENT_QUEUE = 64 };

struct vd_local_client {
	struct vd_local_client *next;
	struct vd_local *local;
	struct vd_channel *channel;
};

struct vd_local {
	struct vd_agent *agent;
	int fd;
	char path[sizeof((struct sockaddr_un *)0)->sun_path];
	struct vd_source *source;
	struct vd_local_client *clients;
	int count;
};

static void drop_client(struct vd_local_client *client)
{
	struct vd_local *local = client->local;

	for (struct vd_local_client **p = &local->clients; *p; p = &(*p)->next) {
		if (*p == client) {
			*p = client->next;
			break;
		}
	}
	local->count--;
	vd_agent_forget_client(local->agent, client);
	vd_channel_free(client->channel);
	free(client);
}

void vd_local_answer(struct vd_reply *reply, struct vd_agent *agent, int status, const cJSON *body)
{
	VD_CLEANUP(vd_json_free) cJSON *packet = cJSON_CreateObject();
	const cJSON empty = { .type = cJSON_Object };
	int r = -ENOMEM;

	(void)agent;
	if (packet && vd_json_add_string(packet, "type", "answer") &&
	    vd_json_add_number(packet, "id", reply->id) &&
	    vd_json_add_number(packet, "status", status) &&
	    vd_json_add_copy(packet, "body", body ? body : &empty))
		r = vd_channel_send(reply->client->channel, packet, NULL, 0);
	if (r != 0)
		vd_log(VD_INFO, "local.unanswered", "id=%.0f outcome=%d", reply->id, r);
}

static void on_packet(struct vd_packet *packet, void *argument)
{
	struct vd_local_client *client = argument;
	struct vd_reply reply = {
		.send = vd_local_answer,
		.client = client,
		.id = vd_json_number(packet->json, "id", 0),
	};

	if (strcmp(vd_packet_type(packet), "call"))
		return;
	vd_agent_call(client->local->agent, vd_json_string(packet->json, "method", ""),
		      vd_json_get(packet->json, "body"), &reply);
}

static void on_closed(enum vd_channel_end end, const struct vd_fault *fault, void *argument)
{
	if (end == VD_CHANNEL_MALFORMED)
		vd_log(VD_WARN, "local.malformed", "%s", fault->text);
	drop_client(argument);
}

static void on_connect(int fd, int ready, void *argument)
{
	static const struct vd_channel_handlers handlers = { .on_packet = on_packet,
							     .on_closed = on_closed };
	struct vd_local *local = argument;
	VD_CLEANUP(vd_close) int peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct vd_local_client *client;

	(void)ready;
	if (peer < 0 || local->count >= CLIENTS)
		return;
	client = calloc(1, sizeof *client);
	if (!client)
		return;
	client->local = local;
	if (vd_channel_new(local->agent->loop, &peer, CLIENT_QUEUE, &handlers, client,
			   &client->channel) < 0) {
		free(client);
		return;
	}
	client->next = local->clients;
	local->clients = client;
	local->count++;
}

/* A socket left by a killed agent is taken away; one that answers belongs to a running agent. */
static int bind_socket(struct vd_local *local, struct vd_fault *fault)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	memcpy(address.sun_path, local->path, sizeof address.sun_path);
	local->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (local->fd < 0)
		return -errno;
	if (connect(local->fd, (struct sockaddr *)&address, sizeof address) == 0) {
		vd_fault_set(fault, 409, "", "%s: an agent runs already", local->path);
		return -EBUSY;
	}
	(void)unlink(local->path);
	if (bind(local->fd, (struct sockaddr *)&address, sizeof address) < 0 ||
	    chmod(local->path, 0660) < 0 || listen(local->fd, 16) < 0) {
		int r = -errno;

		vd_fault_set(fault, 500, "", "%s: %s", local->path, strerror(-r));
		return r;
	}
	return vd_loop_fd(local->agent->loop, local->fd, VD_READABLE, on_connect, local,
			  &local->source);
}

int vd_local_new(struct vd_agent *agent, const char *run_folder, struct vd_local **ret_local,
		 struct vd_fault *fault)
{
	struct vd_local *local = calloc(1, sizeof *local);
	int r;

	if (!local)
		return -ENOMEM;
	*local = (struct vd_local){ .agent = agent, .fd = -1 };
	r = vd_file_make_folders(run_folder, 0755);
	if (r < 0)
		vd_fault_set(fault, 500, "", "%s: %s", run_folder, strerror(-r));
	else if (snprintf(local->path, sizeof local->path, "%s/agent.sock", run_folder) >=
		 (int)sizeof local->path)
		r = -ENAMETOOLONG;
	if (r == 0)
		r = bind_socket(local, fault);
	if (r < 0) {
		if (!local->source)
			local->path[0] = '\0'; /* another agent's, or nobody's */
		vd_local_free(local);
		return r;
	}
	*ret_local = local;
	return 0;
}

struct vd_local *vd_local_free(struct vd_local *local)
{
	if (!local)
		return NULL;
	while (local->clients)
		drop_client(local->clients);
	vd_source_free(local->source);
	vd_close(&local->fd);
	if (*local->path)
		(void)unlink(local->path);
	free(local);
	return NULL;
}
