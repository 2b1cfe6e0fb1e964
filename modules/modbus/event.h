/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "base/attr.h"
#include "base/json.h"
#include "modules/modbus/edge.h"
#include "modules/modbus/poll.h"

/*
 * From an edge to what is published of it: its number, its times, and the serial number, which is
 * read right now, after the edge, so that it is this part's and not the last one's.
 */
enum { VD_MODBUS_EVENT_KNOWN = 1 };

/*
 * What _take said of an edge of device: its body, and the edge is told. A serial number that
 * cannot be read is null, with the reason: the part is there all the same.
 * VD_MODBUS_EVENT_KNOWN: a level found whose acknowledgement stands already; -EAGAIN: that could
 * not be read, and the level is to be found once more; -ENOMEM.
 */
VD_MUST int vd_modbus_event_make(struct vd_modbus_edge *edge, enum vd_modbus_edge_outcome outcome,
				 const struct vd_modbus_device *device,
				 const struct vd_modbus_poll_reader *reader, uint64_t now_ms,
				 cJSON **ret_body);

/* What is said when a source cannot be read any more: edges may pass unseen. NULL: no memory. */
cJSON *vd_modbus_event_outage(const struct vd_modbus_edge *edge,
			      const struct vd_modbus_device *device, const char *text);
