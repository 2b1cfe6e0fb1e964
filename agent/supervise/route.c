/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames never pass through the agent: it makes the pair and hands an end to each side. Both
 * must be ready, and a side that was restarted has lost its end, so both get new ones.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/supervise/child.h"
#include "base/log.h"

struct vd_route *vd_route_free(struct vd_route *r)
{
	if (r) {
		free(r->source);
		free(r->output);
		free(r->sink);
		free(r->input);
		free(r);
	}
	return NULL;
}

VD_DEFINE_CLEANUP(struct vd_route, vd_route_free)

/* fd -1: the peer is no more. */
static int send_end(struct vd_child *c, const char *role, const char *port, const char *peer,
		    int fd)
{
	VD_CLEANUP(vd_json_free) cJSON *packet = cJSON_CreateObject();

	if (!packet || !vd_json_add_string(packet, "type", "channel") ||
	    !vd_json_add_string(packet, "role", role) ||
	    !vd_json_add_string(packet, "port", port) || !vd_json_add_string(packet, "peer", peer))
		return -ENOMEM;
	return vd_child_send(c, packet, &fd, fd < 0 ? 0 : 1);
}

static void send_ends(struct vd_supervisor *s, const struct vd_route *r, const int fds[2])
{
	struct vd_child *source = vd_supervisor_find(s, r->source);
	struct vd_child *sink = vd_supervisor_find(s, r->sink);
	int sent = 0;

	/* The consumer first: it is there when the first frame comes. */
	if (sink && sink->state == VD_STATE_READY)
		sent = send_end(sink, "consumer", r->input, r->source, fds[1]);
	if (sent == 0 && source && source->state == VD_STATE_READY)
		sent = send_end(source, "producer", r->output, r->sink, fds[0]);
	if (sent != 0)
		vd_log(VD_ERROR, "route.notJoined", "from=%s/%s into=%s/%s outcome=%d", r->source,
		       r->output, r->sink, r->input, sent);
}

void vd_route_join(struct vd_supervisor *s, const struct vd_route *r)
{
	const struct vd_child *source = vd_supervisor_find(s, r->source);
	const struct vd_child *sink = vd_supervisor_find(s, r->sink);
	int fds[2];

	if (!source || source->state != VD_STATE_READY || !sink || sink->state != VD_STATE_READY)
		return;
	if (vd_packet_pair(0, fds) < 0) {
		vd_log(VD_ERROR, "route.noPair", "from=%s/%s into=%s/%s", r->source, r->output,
		       r->sink, r->input);
		return;
	}
	send_ends(s, r, fds);
	vd_close(&fds[0]);
	vd_close(&fds[1]);
}

void vd_route_join_all_of(struct vd_supervisor *s, const char *instance)
{
	for (struct vd_route *r = s->routes; r; r = r->next) {
		if (!strcmp(r->source, instance) || !strcmp(r->sink, instance))
			vd_route_join(s, r);
	}
}

static struct vd_route **find(struct vd_supervisor *s, const char *source, const char *output,
			      const char *sink, const char *input)
{
	struct vd_route **at = &s->routes;

	while (*at && (strcmp((*at)->source, source) != 0 || strcmp((*at)->output, output) != 0 ||
		       strcmp((*at)->sink, sink) != 0 || strcmp((*at)->input, input) != 0))
		at = &(*at)->next;
	return at;
}

int vd_supervisor_connect(struct vd_supervisor *s, const char *source, const char *output,
			  const char *sink, const char *input)
{
	VD_CLEANUP(vd_route_free) struct vd_route *r = NULL;

	if (*find(s, source, output, sink, input))
		return 0;
	r = calloc(1, sizeof *r);
	if (!r)
		return -ENOMEM;
	r->source = strdup(source);
	r->output = strdup(output);
	r->sink = strdup(sink);
	r->input = strdup(input);
	if (!r->source || !r->output || !r->sink || !r->input)
		return -ENOMEM;
	r->next = s->routes;
	s->routes = r;
	vd_route_join(s, VD_TAKE(r));
	return 0;
}

void vd_supervisor_disconnect(struct vd_supervisor *s, const char *source, const char *output,
			      const char *sink, const char *input)
{
	static const int none[2] = { -1, -1 };
	struct vd_route **at = find(s, source, output, sink, input), *r = *at;

	if (!r)
		return;
	*at = r->next;
	send_ends(s, r, none);
	(void)vd_route_free(r);
}
