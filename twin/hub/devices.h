/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdint.h>

#include "base/fault.h"
#include "base/json.h"
#include "twin/broker/identities.h"
#include "twin/hub/store/store.h"

/*
 * The registry: devices, modules, their keys, and the broker's journal of them. Calls return
 * 0, an enum vd_refusal with its text in fault, or -errno.
 */
struct vd_devices;

/* What the registry tells the rest of the hub, after the database has it. */
struct vd_devices_events {
	/* Its connection must end: it was disabled, deleted or given other keys. */
	void (*kick)(const struct vd_name *name, void *argument);
	/* operation: "createDeviceIdentity", "updateDeviceIdentity", "deleteModuleIdentity" … */
	void (*changed)(const struct vd_name *name, const char *operation, void *argument);
	void *argument;
};

/* store and writer are borrowed for the registry's life. */
VD_MUST int vd_devices_new(struct vd_store *store, struct vd_identities_writer *writer,
			   const struct vd_devices_events *events, struct vd_devices **ret_devices);
struct vd_devices *vd_devices_free(struct vd_devices *devices);
VD_DEFINE_CLEANUP(struct vd_devices, vd_devices_free)

/* Rewrites the journal from the database: at start. */
VD_MUST int vd_devices_export(struct vd_devices *devices);

/* Tries again what of the journal could not be written. 0: it is all there. */
VD_MUST int vd_devices_flush(struct vd_devices *devices);

/* Azure's PUT: without if_match it creates, with it updates. ret_device: as it is now. */
VD_MUST int vd_devices_put(struct vd_devices *devices, const struct vd_name *name,
			   const char *if_match, const cJSON *body, int64_t now_ms,
			   struct vd_device *ret_device, struct vd_fault *fault);
/*
 * A change from within the hub: edit() gets the device as it is (with an empty generation when it
 * is to be made) and written() sees it with its twin, both in one transaction. What they return
 * other than 0 ends it without a trace and is the result.
 */
struct vd_device_change {
	int (*edit)(struct vd_device *device, void *argument, struct vd_fault *fault);
	int (*written)(const struct vd_device *device, void *argument); /* NULL: not wanted */
	void *argument;
	bool may_create;
};
/* A thumbprint that no certificate has: nobody comes in with it. */
#define VD_NO_CERTIFICATE "0000000000000000000000000000000000000000000000000000000000000000"
VD_MUST int vd_devices_change(struct vd_devices *devices, const struct vd_name *name,
			      const struct vd_device_change *change, int64_t now_ms,
			      struct vd_device *ret_device, struct vd_fault *fault);

VD_MUST int vd_devices_get(struct vd_devices *devices, const struct vd_name *name,
			   struct vd_device *ret_device, struct vd_fault *fault);
VD_MUST int vd_devices_delete(struct vd_devices *devices, const struct vd_name *name,
			      const char *if_match, struct vd_fault *fault);

/* Azure's shape of a device or module; NULL: no memory. */
cJSON *vd_device_json(const struct vd_device *device);

/* Not there: VD_REFUSED_NO_DEVICE or _NO_MODULE, with the text in fault. */
int vd_device_missing(const struct vd_name *name, struct vd_fault *fault);

/* RFC 3339, or Azure's "0001-01-01T00:00:00Z" for 0; returns text. */
const char *vd_azure_time(int64_t wall_ms, char text[static 32]);
