/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/json.h"
#include "modules/modbus/parameters.h"
#include "modules/modbus/verdict.h"

/*
 * A connection and its thread: polls the devices behind it and writes verdicts, which go
 * before every poll, between two requests; so do polls of events' sources. A dead device thus delays only its own connection.
 * The thread ends by vd_modbus_bus_stop, having brought the outputs to their safe values.
 */
struct vd_modbus_bus;

/* Called on the bus' thread. publish and report take the body. */
struct vd_modbus_bus_events {
	void (*publish)(const char *output, const char *record_class, cJSON **body, void *argument);
	/* An edge. Its body is taken; _handed_over is called once the agent has it. */
	void (*edge)(size_t bus, const struct vd_modbus_event *event, uint64_t seq, cJSON **body,
		     void *argument);
	void (*report)(const char *device, cJSON **body, void *argument);
	void (*ended)(void *argument); /* the last call */
	void *argument;
};

/* parameters and events are borrowed for the bus' life. Starts the thread. -errno. */
VD_MUST int vd_modbus_bus_new(const struct vd_modbus_parameters *parameters, size_t index,
			      const struct vd_modbus_bus_events *events,
			      struct vd_modbus_bus **ret_bus);

/* Stops, waits for the thread to end, frees. */
struct vd_modbus_bus *vd_modbus_bus_free(struct vd_modbus_bus *bus);

/* Any thread; returns at once. */
void vd_modbus_bus_stop(struct vd_modbus_bus *bus);

/* Any thread. What becomes of it is told by an alarm if it fails. -ENOSPC: too many wait. */
VD_MUST int vd_modbus_bus_write(struct vd_modbus_bus *bus, const struct vd_modbus_verdict *verdict);

/* Any thread: the agent has this edge, which is acknowledged to the PLC if it still waits. */
void vd_modbus_bus_handed_over(struct vd_modbus_bus *bus, const struct vd_modbus_event *event,
			       uint64_t seq);

/* Any thread: polls and writes done; whether something is overdue since longer than grace_ms. */
uint64_t vd_modbus_bus_work(const struct vd_modbus_bus *bus);
bool vd_modbus_bus_is_overdue(const struct vd_modbus_bus *bus, uint64_t now_ms, uint64_t grace_ms);
