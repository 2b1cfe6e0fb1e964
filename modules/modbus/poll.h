/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/json.h"
#include "modules/modbus/edge.h"
#include "modules/modbus/parameters.h"
#include "modules/modbus/plan.h"
#include "modules/modbus/sample.h"
#include "modules/modbus/schedule.h"

/*
 * One device as it is polled: its tags grouped by period, each group with a read plan an area, the
 * samples, the addresses it refused, its status and its counts. The reads themselves are
 * the caller's, by a function, so that all of this is tested without a line.
 */
struct vd_modbus_poll_device;

struct vd_modbus_poll_reader {
	/* As vd_modbus_client_read; -ENOTCONN for a connection that is not there. */
	int (*read)(const struct vd_modbus_device *device, enum vd_modbus_area area,
		    struct vd_modbus_range range, uint16_t *words, void *argument);
	/* The reason of the last failure. */
	const char *(*text)(void *argument);
	bool (*is_stopped)(void *argument);
	void *argument;
};

/* Publishes one body, which it takes; and says what a status became. */
struct vd_modbus_poll_events {
	void (*publish)(const char *output, const char *record_class, cJSON **body, void *argument);
	/* An edge and its number, on its way to the agent; body is taken. */
	void (*edge)(const struct vd_modbus_event *event, uint64_t seq, cJSON **body,
		     void *argument);
	/* After each good read of an event's source that brought no edge. */
	void (*level)(const struct vd_modbus_event *event, enum vd_modbus_level level,
		      void *argument);
	void *argument;
};

/* device is borrowed. The first poll of each group is at start_us. */
VD_MUST int vd_modbus_poll_device_new(const struct vd_modbus_device *device,
				      const struct vd_modbus_transport *transport,
				      uint64_t start_us, struct vd_modbus_poll_device **ret_device);
struct vd_modbus_poll_device *vd_modbus_poll_device_free(struct vd_modbus_poll_device *device);

/* When the next group is due, in monotonic microseconds; UINT64_MAX: nothing to poll. */
uint64_t vd_modbus_poll_due_us(const struct vd_modbus_poll_device *device);

/*
 * Polls one group that is due and publishes its news. A device that gave no answer at all is
 * left alone by back-off; its ticks pass meanwhile. true: it was polled (work was done).
 */
bool vd_modbus_poll_once(struct vd_modbus_poll_device *device,
			 const struct vd_modbus_poll_reader *reader,
			 const struct vd_modbus_poll_events *events, uint64_t now_us);

/*
 * As vd_modbus_poll_once, but only a group with sources of events: to be called also between two
 * requests of another poll, which thus delays no edge for longer than one request; not of itself.
 */
bool vd_modbus_poll_events_once(struct vd_modbus_poll_device *device,
				const struct vd_modbus_poll_reader *reader,
				const struct vd_modbus_poll_events *events, uint64_t now_us);

/* Its connection is a new one, made just now, maybe within a read: edges may have passed unseen. */
void vd_modbus_poll_reconnected(struct vd_modbus_poll_device *device,
				const struct vd_modbus_poll_events *events);

enum vd_modbus_status vd_modbus_poll_status(const struct vd_modbus_poll_device *device);

/* True once after the status changed. */
bool vd_modbus_poll_take_change(struct vd_modbus_poll_device *device);

/* {"status","polls",…} of the device for reported state; counts of latency start anew. NULL: no memory. */
cJSON *vd_modbus_poll_report(struct vd_modbus_poll_device *device);
const char *vd_modbus_poll_name(const struct vd_modbus_poll_device *device);
