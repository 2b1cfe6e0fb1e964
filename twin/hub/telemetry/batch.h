/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/fault.h"
#include "base/json.h"
#include "twin/hub/store/inflate.h"
#include "twin/hub/store/store.h"

/*
 * Telemetry messages taken apart into rows, with no database in sight: bytes from devices.
 * What is wrong is said in fault; -ENOMEM and what fn returned pass through.
 */
enum {
	VD_RECORD_DEPTH = 24, /* of one record: pages of them must stay below VD_JSON_DEPTH */
};

/* What a message's property bag says. The texts live in buf. */
struct vd_message_properties {
	struct vd_buf buf;
	bool is_batch;          /* vd-batch=1 */
	bool is_zstd;           /* $.ce=zstd */
	const char *message_id; /* $.mid; NULL: none */
	cJSON *all;             /* {"$.mid":"…",…} */
};
VD_MUST int vd_message_properties_read(const char *bag,
				       struct vd_message_properties *ret_properties,
				       struct vd_fault *fault);
void vd_message_properties_fini(struct vd_message_properties *properties);
VD_UNUSED static inline void vd_message_properties_fini_p(struct vd_message_properties *properties)
{
	vd_message_properties_fini(properties);
}

/*
 * A batch of the agent: calls fn for each good record. ret_bad: how many were not; the first
 * reason in fault, with the pointer into the array. -EINVAL: no batch at all.
 */
VD_MUST int vd_batch_read(const char *device, int64_t received_ms, const char *payload, size_t len,
			  vd_record_fn fn, void *argument, int *ret_bad, struct vd_fault *fault);

/* Anybody's message as one record of class "message"; calls fn once. */
VD_MUST int vd_message_read(const struct vd_name *name, int64_t received_ms,
			    const struct vd_message_properties *properties, const void *payload,
			    size_t len, vd_record_fn fn, void *argument);
