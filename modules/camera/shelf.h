/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "modules/camera/backroom.h"
#include "modules/camera/keep.h"
#include "modules/camera/receipts.h"

/* What was kept, for those who ask for it later. On the loop; the sideline looks into the files. */
enum { VD_SHELF_JOBS = 4 }; /* at once; a call beyond is answered 429 */

struct vd_shelf {
	const struct vd_backroom *room;
	struct vd_receipts *receipts;
	const struct vd_keep *keep;
	unsigned taken;
};

/* Answers {"entries":[{"name","bytes"}],"count","bytes","evicted","ring":{…}}, the newest first. */
void vd_shelf_list(struct vd_shelf *shelf, int64_t call, size_t limit);

/* Publishes files of an entry as attachments; answered when they are stored. files: 1 to 4. */
void vd_shelf_fetch(struct vd_shelf *shelf, int64_t call, const char *name, const cJSON *files);
