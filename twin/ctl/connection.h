/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "base/buf.h"
#include "base/fault.h"

/*
 * "HostName=hub.example[:8443];SharedAccessKeyName=service;SharedAccessKey=…", as Azure's tools
 * have it. Unknown fields are refused: a misspelt one must not be passed over.
 */
struct vd_connection {
	char host[256]; /* with the port, if one was given */
	char policy[128];
	char key[128];
};

/* 400 in fault and -EINVAL. The key is never in the fault. */
VD_MUST int vd_connection_parse(const char *text, struct vd_connection *ret_connection,
				struct vd_fault *fault);

/* A device's own: "HostName=…;DeviceId=…[;ModuleId=…];SharedAccessKey=…" (or x509=true without key). */
VD_MUST int vd_connection_of_device(const char *host, const char *device, const char *module,
				    const char *key, struct vd_buf *out);
