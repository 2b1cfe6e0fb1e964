/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "base/loop.h"
#include "twin/hub/call.h"

/*
 * Small copies of images, for lists that people look at. Each is made once, by a thread of its own,
 * since the hub's does not wait for a decoder, and lies beside its image for as long as that is kept:
 * at most one of each of the widths. A bounded number of calls waits.
 */
struct vd_thumbnails;

/* folder (of the images) is borrowed. */
VD_MUST int vd_thumbnails_new(struct vd_loop *loop, const char *folder,
			      struct vd_thumbnails **ret_thumbnails);
struct vd_thumbnails *vd_thumbnails_free(struct vd_thumbnails *thumbnails);
VD_DEFINE_CLEANUP(struct vd_thumbnails, vd_thumbnails_free)

/* The width that is made of a wanted one: the next of 160, 320 and 640. Pure. */
int vd_thumbnail_width(int64_t wanted);

/*
 * Answers with the small copy of the image with this digest: 0, and the reply is filled in;
 * VD_API_KEPT; an enum vd_refusal with its text in fault; -errno.
 */
VD_MUST int vd_thumbnails_answer(struct vd_thumbnails *thumbnails, const char *digest, int width,
				 struct vd_call *call, struct vd_fault *fault);

/* Before its image is removed. */
void vd_thumbnails_remove(const char *folder, const char *digest);
