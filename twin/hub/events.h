/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "base/buf.h"
#include "base/fault.h"
#include "base/json.h"
#include "base/loop.h"
#include "twin/hub/call.h"
#include "twin/hub/store/name.h"
#include "twin/hub/store/store.h"

/*
 * GET /events: what happens in the hub, as server-sent events, live.
 *   record      a telemetry record; its id is the event's id, so that a client that comes back
 *               with Last-Event-ID misses none
 *   twin        updateTwin, replaceTwin
 *   connection  deviceConnected, deviceDisconnected
 *   identity    createDeviceIdentity, …
 *   feedback    what became of a cloud-to-device message that asked for it
 *   file        fileUploaded, fileUploadFailed
 *   quota       quotaWarning, quotaExceeded
 * The data of all but the first: {"type","operation","deviceId","moduleId"?,"time","body"}.
 * A client that reads slowly is given records later, from the database; one that leaves a
 * megabyte of other events unread is let go.
 */
struct vd_events;

VD_MUST int vd_events_new(struct vd_loop *loop, struct vd_store *store,
			  struct vd_events **ret_events);
struct vd_events *vd_events_free(struct vd_events *events);
VD_DEFINE_CLEANUP(struct vd_events, vd_events_free)

/* Keeps call->exchange. Arguments: deviceId; class, module, verdict, serial (of records); type. VD_REFUSED_… */
VD_MUST int vd_events_add_client(struct vd_events *events, struct vd_call *call,
				 struct vd_fault *fault);

void vd_events_publish(struct vd_events *events, const char *type, const char *operation,
		       const struct vd_name *name, const cJSON *body);

/* New records are in the database. */
void vd_events_records(struct vd_events *events);

/* Appends the record with "id" and "receivedTime" before its members: as GET /telemetry has it too. */
VD_MUST int vd_record_text(const struct vd_record_row *row, struct vd_buf *out);
