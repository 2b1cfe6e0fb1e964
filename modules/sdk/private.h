/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <pthread.h>
#include <stdatomic.h>

#include "agent/ipc/channel.h"
#include "modules/sdk/module.h"

/* Inside the SDK only: what module.c, publish.c, post.c and the frame ports share. */

/* Calls from other threads, in order, brought to the loop by an eventfd. */
struct vd_post_queue {
	pthread_mutex_t lock;
	struct vd_post *first, **last;
	bool is_closed;
	int fd;
	struct vd_source *source;
};

VD_MUST int vd_post_init(struct vd_post_queue *queue, struct vd_loop *loop);
VD_MUST int vd_post_put(struct vd_post_queue *queue, vd_fn fn, void *argument);
void vd_post_close(struct vd_post_queue *queue); /* refuses more, drops what waits */
void vd_post_fini(struct vd_post_queue *queue);

/* A port of kind frames, inside struct vd_frame_out or vd_frame_in. */
struct vd_port {
	struct vd_module *module; /* NULL: the module has ended */
	struct vd_port *next;
	const char *role; /* "producer" or "consumer" */
	char *name;
	/* Takes *fd; *fd is -1: the agent says that the peer is no more. */
	void (*on_channel)(struct vd_port *port, const char *peer, int *fd);
	void (*close)(struct vd_port *port); /* all peers, without callbacks */
};

VD_MUST int vd_port_init(struct vd_port *port, struct vd_module *module, const char *name);
void vd_port_fini(struct vd_port *port);

/* A set of parameters on its way: handed to the author, or waiting for the answer before it. */
struct vd_parameter_set {
	cJSON *json; /* NULL: there is none */
	int64_t version;
};

struct vd_module {
	const struct vd_module_program *program;
	void *argument;
	struct vd_loop *loop;
	struct vd_channel *channel;
	cJSON *schema; /* NULL: the program has none */

	char *instance, *device_id, *state_folder; /* NULL before start */
	struct vd_parameter_set in_force, on_trial, waiting;
	bool is_started; /* the author's on_start has accepted parameters */
	bool is_ready, is_stopping;

	struct vd_source *heartbeat, *linger, *terminate;
	uint32_t heartbeat_ms;
	uint64_t linger_until_ms;
	int status;
	_Atomic uint64_t work;
	atomic_bool is_due;

	struct vd_post_queue posts;
	struct vd_port *ports;
	struct vd_pending *first_pending, **last_pending; /* publications without an answer */
	unsigned pending_count;
	uint64_t next_id;

	uint64_t ignored_packets; /* of unknown type, or for something that is not there */
};

/*
 * Takes *packet. Ordinary packets leave room in the queue for those of life and death.
 * VD_MODULE_FULL, VD_MODULE_GONE, -E2BIG, -ENOMEM.
 */
VD_MUST int vd_module_send(struct vd_module *module, cJSON **packet, const int *fds,
			   unsigned fd_count);

/* A new packet of this type; NULL: no memory. */
cJSON *vd_module_packet(const char *type);

void vd_module_settle(struct vd_module *module, const cJSON *packet); /* stored, rejected */
void vd_module_forget_pending(struct vd_module *module);
