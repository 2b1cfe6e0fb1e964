/* SPDX-License-Identifier: Apache-2.0 */
#include "twin/hub/link.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include <mosquitto.h>

#include "base/log.h"

enum {
	KEEP_ALIVE_S = 30,
	TICK_MS = 1000,
	RETRY_MIN_MS = 100,
	RETRY_MAX_MS = 500,
	INFLIGHT = 1000,
	READS_A_TURN = 64,
};

struct vd_link {
	struct vd_loop *loop;
	struct vd_link_events events;
	const char *path;
	struct mosquitto *mosquitto;
	struct vd_source *socket, *tick, *retry;
	enum vd_link_state state;
	int wanted;
	unsigned retry_ms;
};

static void set_state(struct vd_link *link, enum vd_link_state state)
{
	static const char *const names[] = { "away", "connecting", "up" };
	bool was_up = link->state == VD_LINK_UP;

	if (link->state == state)
		return;
	vd_log(was_up || state == VD_LINK_UP ? VD_NOTICE : VD_DEBUG, "broker.link", "from=%s to=%s",
	       names[link->state], names[state]);
	link->state = state;
	if (was_up != (state == VD_LINK_UP))
		link->events.changed(state == VD_LINK_UP, link->events.argument);
}

static void go_away(struct vd_link *link)
{
	link->socket = vd_source_free(link->socket);
	vd_timer_disarm(link->tick);
	if (link->state == VD_LINK_AWAY && vd_timer_is_armed(link->retry))
		return;
	set_state(link, VD_LINK_AWAY);
	(void)!vd_timer_arm(link->retry, link->retry_ms);
	link->retry_ms = link->retry_ms * 2 > RETRY_MAX_MS ? RETRY_MAX_MS : link->retry_ms * 2;
}

static void update_wanted(struct vd_link *link)
{
	int wanted = VD_READABLE;

	if (!link->socket)
		return;
	if (mosquitto_want_write(link->mosquitto))
		wanted |= VD_WRITABLE;
	if (wanted != link->wanted && vd_source_want(link->socket, wanted) == 0)
		link->wanted = wanted;
}

static void check(struct vd_link *link, int code)
{
	if (code != MOSQ_ERR_SUCCESS) {
		if (link->state != VD_LINK_AWAY)
			vd_log(VD_DEBUG, "broker.lost", "reason=\"%s\"", mosquitto_strerror(code));
		go_away(link);
		return;
	}
	/* What a message's handler answered was only queued while we were inside the library. */
	if (mosquitto_want_write(link->mosquitto) && link->socket)
		code = mosquitto_loop_write(link->mosquitto, 1);
	if (code != MOSQ_ERR_SUCCESS)
		go_away(link);
	update_wanted(link);
}

static bool is_more(int fd)
{
	int waiting = 0;

	return ioctl(fd, FIONREAD, &waiting) == 0 && waiting > 0;
}

/* One call reads one packet. */
static int read_turn(struct vd_link *link, int fd)
{
	int code = MOSQ_ERR_SUCCESS;

	link->events.turn(true, link->events.argument);
	for (int i = 0; code == MOSQ_ERR_SUCCESS && link->socket && i < READS_A_TURN; i++) {
		code = mosquitto_loop_read(link->mosquitto, 1);
		if (!is_more(fd))
			break;
	}
	link->events.turn(false, link->events.argument);
	return code;
}

static void on_socket(int fd, int ready, void *argument)
{
	struct vd_link *link = argument;
	int code = MOSQ_ERR_SUCCESS;

	if (ready & VD_READABLE)
		code = read_turn(link, fd);
	if (code == MOSQ_ERR_SUCCESS && link->socket && ready & VD_WRITABLE)
		code = mosquitto_loop_write(link->mosquitto, 1);
	check(link, code);
}

static void on_tick(void *argument)
{
	struct vd_link *link = argument;

	(void)!vd_timer_arm(link->tick, TICK_MS);
	check(link, mosquitto_loop_misc(link->mosquitto));
}

static void on_connect(struct mosquitto *mosquitto, void *argument, int code)
{
	struct vd_link *link = argument;

	if (code != 0) {
		vd_log(VD_WARN, "broker.refused", "code=%d reason=\"%s\"", code,
		       mosquitto_connack_string(code));
		return;
	}
	(void)mosquitto_subscribe(mosquitto, NULL, "hub/#", 1);
	link->retry_ms = RETRY_MIN_MS;
	set_state(link, VD_LINK_UP);
}

static void on_message(struct mosquitto *mosquitto, void *argument,
		       const struct mosquitto_message *message)
{
	struct vd_link *link = argument;

	link->events.message(message->topic, message->payload ? message->payload : "",
			     (size_t)message->payloadlen, link->events.argument);
}

static void try_connect(void *argument)
{
	struct vd_link *link = argument;
	/* Port 0: the host is the path of a Unix socket. */
	int code = mosquitto_connect_bind(link->mosquitto, link->path, 0, KEEP_ALIVE_S, NULL);

	set_state(link, VD_LINK_CONNECTING);
	link->wanted = VD_READABLE;
	if (code == MOSQ_ERR_SUCCESS &&
	    vd_loop_fd(link->loop, mosquitto_socket(link->mosquitto), link->wanted, on_socket, link,
		       &link->socket) < 0)
		code = MOSQ_ERR_NOMEM;
	if (code == MOSQ_ERR_SUCCESS)
		(void)!vd_timer_arm(link->tick, TICK_MS);
	check(link, code);
}

static int make_sources(struct vd_link *link)
{
	int r = vd_loop_timer(link->loop, on_tick, link, &link->tick);

	if (r == 0)
		r = vd_loop_timer(link->loop, try_connect, link, &link->retry);
	return r == 0 ? vd_timer_arm(link->retry, 0) : r;
}

int vd_link_new(struct vd_loop *loop, const char *socket_path, const struct vd_link_events *events,
		struct vd_link **ret_link)
{
	VD_CLEANUP(vd_link_free) struct vd_link *link = calloc(1, sizeof *link);
	int r;

	if (!link)
		return -ENOMEM;
	*link = (struct vd_link){
		.loop = loop, .events = *events, .path = socket_path, .retry_ms = RETRY_MIN_MS
	};
	(void)mosquitto_lib_init();
	/* '#': no device can have this id. Nothing is kept for us: the broker tells all at hub/start. */
	link->mosquitto = mosquitto_new("vedette-hub#", true, link);
	if (!link->mosquitto)
		return -ENOMEM;
	mosquitto_connect_callback_set(link->mosquitto, on_connect);
	mosquitto_message_callback_set(link->mosquitto, on_message);
	(void)mosquitto_max_inflight_messages_set(link->mosquitto, INFLIGHT);
	r = make_sources(link);
	if (r == 0)
		*ret_link = VD_TAKE(link);
	return r;
}

struct vd_link *vd_link_free(struct vd_link *link)
{
	if (link) {
		if (link->state == VD_LINK_UP)
			(void)mosquitto_disconnect(link->mosquitto);
		link->socket = vd_source_free(link->socket);
		link->tick = vd_source_free(link->tick);
		link->retry = vd_source_free(link->retry);
		mosquitto_destroy(link->mosquitto);
		(void)mosquitto_lib_cleanup();
		free(link);
	}
	return NULL;
}

void vd_link_reset(struct vd_link *link)
{
	go_away(link);
}

bool vd_link_is_up(const struct vd_link *link)
{
	return link->state == VD_LINK_UP;
}

bool vd_link_publish(struct vd_link *link, const char *topic, const void *payload, size_t len,
		     int qos)
{
	int code;

	if (link->state != VD_LINK_UP)
		return false;
	code = mosquitto_publish(link->mosquitto, NULL, topic, (int)len, payload, qos, false);
	if (code == MOSQ_ERR_SUCCESS)
		update_wanted(link);
	else
		vd_log(VD_WARN, "broker.unsent", "reason=\"%s\"", mosquitto_strerror(code));
	return code == MOSQ_ERR_SUCCESS;
}
