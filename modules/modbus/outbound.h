/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/json.h"
#include "modules/modbus/parameters.h"

/*
 * What the connections' threads have to say, on its way to the loop: bounded, in order, alarms
 * and events before telemetry. When the agent is slow the oldest telemetry gives way, counted.
 */
struct vd_modbus_outbound;

/* Whom to tell that the agent has it: an edge of the connections of one generation. */
struct vd_modbus_receipt {
	const struct vd_modbus_event *event; /* NULL: nobody */
	size_t bus;
	uint32_t generation;
	uint64_t seq;
};

struct vd_modbus_message {
	const char *output, *record_class; /* constants; output NULL: a report */
	cJSON *body;
	struct vd_modbus_receipt receipt;
};

VD_MUST int vd_modbus_outbound_new(struct vd_modbus_outbound **ret_outbound);
struct vd_modbus_outbound *vd_modbus_outbound_free(struct vd_modbus_outbound *outbound);
VD_DEFINE_CLEANUP(struct vd_modbus_outbound, vd_modbus_outbound_free)

/* Any thread. Takes the body. true: it was empty before, so that the loop must be woken. */
bool vd_modbus_outbound_put(struct vd_modbus_outbound *outbound, struct vd_modbus_message *message);

/* The next message without taking it away; false: none. It stays until _drop; one thread only. */
bool vd_modbus_outbound_peek(struct vd_modbus_outbound *outbound,
			     struct vd_modbus_message *ret_message);
void vd_modbus_outbound_drop(struct vd_modbus_outbound *outbound);

uint64_t vd_modbus_outbound_lost(struct vd_modbus_outbound *outbound);
