/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdint.h>

#include "agent/store/outbox.h"
#include "base/attr.h"
#include "base/buf.h"

/*
 * A record as text, in two parts with the sequence number between them, because that is
 * known only at the commit:  {"deviceId":"d1","bootId":"…","seq":   17   ,"tMono":…}
 */
struct vd_moment {
	uint64_t mono_ms;
	int64_t wall_ms;
	const char *quality;
};

/* Both append; -ENOMEM, or -E2BIG if out has a limit. */
VD_MUST int vd_envelope_head(const char *device_id, const char *boot_id, struct vd_buf *out);
VD_MUST int vd_envelope_tail(const struct vd_record *record, const struct vd_moment *moment,
			     struct vd_buf *out);
