/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "modules/sdk/module.h"

/*
 * Records that a direct method asked for: the call is answered when the agent has the record on
 * disk, with the record's own body and its number, or with why it has not. On the loop.
 */
enum { VD_RECEIPTS = 8 };

struct vd_receipt {
	int64_t call;
	cJSON *body; /* NULL: free */
};

struct vd_receipts {
	struct vd_receipt waiting[VD_RECEIPTS];
};

/* Answers the call in any case, now or later; publication's on_stored and argument are set here. */
void vd_receipts_publish(struct vd_receipts *receipts, struct vd_module *module, int64_t call,
			 struct vd_publication *publication);
void vd_receipts_fini(struct vd_receipts *receipts);
