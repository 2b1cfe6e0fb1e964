/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "modules/camera/backroom.h"
#include "modules/camera/receipts.h"

/*
 * A picture for whoever asked, not for inspection: published with the image beside the record.
 * On the loop; the sideline encodes.
 */
enum { VD_PHOTOS = 4 }; /* encoded at once; a call beyond is answered 429 */

struct vd_photos {
	const struct vd_backroom *room;
	struct vd_receipts *receipts;
	unsigned taken;
};

/* The call is answered when the record is stored. */
void vd_photo_shot(struct vd_photos *photos, int64_t call, struct vd_shot *shot);
