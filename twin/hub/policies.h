/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdint.h>

#include "base/buf.h"
#include "base/fault.h"
#include "twin/hub/call.h"
#include "twin/hub/store/store.h"

/*
 * Shared access policies: who may call the REST API. Azure's five names with Azure's rights;
 * their keys are made at the first start and never leave the database except by
 * vd_policies_show, for somebody who may read the database anyway.
 */
VD_MUST int vd_policies_seed(struct vd_store *store);

/*
 * Checks the token of the call against its policy, for the resource host_name + path, and
 * notes the policy as the call's author. VD_REFUSED_UNAUTHORIZED or VD_REFUSED_FORBIDDEN.
 */
VD_MUST int vd_policies_authorize(struct vd_store *store, const char *host_name,
				  unsigned needed_rights, int64_t now_ms, struct vd_call *call,
				  struct vd_fault *fault);

/* Appends "HostName=…;SharedAccessKeyName=…;SharedAccessKey=…". VD_STORE_NONE: no such policy. */
VD_MUST int vd_policies_show(struct vd_store *store, const char *host_name, const char *name,
			     struct vd_buf *out);

/* 32 random bytes in base64. */
VD_MUST int vd_key_make(char key[static VD_KEY_BYTES]);
