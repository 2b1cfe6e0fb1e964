/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/fault.h"
#include "modules/modbus/parameters.h"

/*
 * One connection to one or several units, on libmodbus; used by one thread. Requests block up to
 * their time limit. Its own part is what libmodbus leaves open: connecting with a limit and a
 * way out, RTU frames over TCP, and getting back into step after a late or a bad reply.
 *
 * A request on a connection that the device had closed is tried once more, at once, on a new one:
 * _connections then has gone on.
 * A request returns 0; a Modbus exception code > 0; -ETIMEDOUT: no answer; -EPROTO: what came is
 * no answer to the request (tried twice; the connection is then closed); any other -errno: the connection
 * is lost. The reason as text stays in vd_modbus_client_text until the next request.
 */
struct vd_modbus_client;

/* transport is borrowed; wake_fd, readable, ends an attempt to connect (-1: none); borrowed. */
VD_MUST int vd_modbus_client_new(const struct vd_modbus_transport *transport, int wake_fd,
				 struct vd_modbus_client **ret_client);
struct vd_modbus_client *vd_modbus_client_free(struct vd_modbus_client *client);
VD_DEFINE_CLEANUP(struct vd_modbus_client, vd_modbus_client_free)

/* Looking a name up may take longer than timeout_ms: it is the resolver's time. -errno. */
VD_MUST int vd_modbus_client_connect(struct vd_modbus_client *client, uint32_t timeout_ms);
void vd_modbus_client_disconnect(struct vd_modbus_client *client);
uint64_t vd_modbus_client_connections(const struct vd_modbus_client *client); /* made so far */
bool vd_modbus_client_is_connected(const struct vd_modbus_client *client);
const char *vd_modbus_client_text(const struct vd_modbus_client *client);

struct vd_modbus_request {
	int unit;
	uint32_t timeout_ms;
	enum vd_modbus_area area;
	uint16_t address, count;
};

/* Bits come one a word, 0 or 1. words holds request->count, at most 125 registers or 2000 bits. */
VD_MUST int vd_modbus_client_read(struct vd_modbus_client *client,
				  const struct vd_modbus_request *request, uint16_t *words);

/* A coil (one) or holding registers (1 to 4). */
VD_MUST int vd_modbus_client_write(struct vd_modbus_client *client,
				   const struct vd_modbus_request *request, const uint16_t *words);
