/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "base/buf.h"
#include "twin/hub/store/store.h"

/* Cloud-to-device messages that wait, as store.h. */
struct vd_c2d_row {
	int64_t id; /* given by the store, rising */
	struct vd_name name;
	int64_t enqueued_ms, expires_ms;
	int delivery_count;
	char message_id[129], ack[9];
	struct vd_buf bag, body;
};
void vd_c2d_row_fini(struct vd_c2d_row *row);
VD_UNUSED static inline void vd_c2d_row_fini_p(struct vd_c2d_row *row)
{
	vd_c2d_row_fini(row);
}

VD_MUST int vd_store_c2d_add(struct vd_store *store, const struct vd_c2d_row *row);
/* The oldest. */
VD_MUST int vd_store_c2d_first(struct vd_store *store, const struct vd_name *name,
			       struct vd_c2d_row *ret_row);
/* One that has expired, of any device. */
VD_MUST int vd_store_c2d_expired(struct vd_store *store, int64_t now_ms,
				 struct vd_c2d_row *ret_row);
VD_MUST int vd_store_c2d_get(struct vd_store *store, int64_t id, struct vd_c2d_row *ret_row);
/* Not waiting for the disk: counted once too few is handed out once too many. */
VD_MUST int vd_store_c2d_count_delivery(struct vd_store *store, int64_t id);
VD_MUST int vd_store_c2d_remove(struct vd_store *store, int64_t id);
