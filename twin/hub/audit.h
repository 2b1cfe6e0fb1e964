/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "twin/hub/call.h"
#include "twin/hub/store/trust.h"

/*
 * Every call that a policy signed and that may change something is in the audit log, whatever
 * it is: with the change itself in one transaction where there is one (store_trust.h), else
 * after it with its status. A direct method is written down before it is sent.
 */
struct vd_audited {
	struct vd_store *store;
	struct vd_audit_entry entry;
	char actor[96], action[96], target[VD_ID_BYTES];
	cJSON *details;
	bool is_open;
};

/* -errno: it could not be written down, so it must not be done. */
VD_MUST int vd_audited_begin(struct vd_audited *audited, struct vd_store *store,
			     const struct vd_call *call, int64_t now_ms);
/* result: 0, enum vd_refusal, VD_API_KEPT or -errno of the call. */
void vd_audited_end(struct vd_audited *audited, int result);
