/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "base/attr.h"
#include "base/buf.h"
#include "base/digest.h"
#include "modules/inspect/item.h"

/*
 * What is stored of a frame in which areas must not be recognised: the frame encoded anew, with
 * those areas blurred. The inspection sees the frame as it came; its bytes are not stored anywhere
 * then, only their digest.
 */
enum { VD_VEIL_QUALITY = 90, VD_VEIL_TEXT = 96 };

struct vd_veiled {
	struct vd_buf jpeg;          /* empty: there is none, and nothing may be stored */
	char sha256[VD_SHA256_TEXT]; /* of jpeg; "": none */
	char text[VD_VEIL_TEXT];     /* why there is none */
};

/* A frame that cannot be decoded cannot be blurred either, and is not stored. Starts as { 0 }. */
void vd_veil(const struct vd_veil_areas *areas, const struct vd_shot *shot,
	     struct vd_veiled *veiled);
void vd_veiled_fini(struct vd_veiled *veiled);

VD_UNUSED static inline void vd_veiled_fini_p(struct vd_veiled *veiled)
{
	vd_veiled_fini(veiled);
}
