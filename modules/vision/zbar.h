/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "modules/vision/code.h"

/* The part of code.h that zbar does. */
struct vd_zbar;

/* -ENOSYS: not installed, or not one of interface 0; -ENOMEM. */
VD_MUST int vd_zbar_new(struct vd_zbar **ret_zbar);
struct vd_zbar *vd_zbar_free(struct vd_zbar *zbar);

/* pixels: width * height, no padding. Adds to codes. -ENOMEM, -EIO. */
VD_MUST int vd_zbar_read(struct vd_zbar *zbar, const unsigned char *pixels, int width, int height,
			 unsigned kinds, struct vd_codes *codes);

/* Adds a code, or says that it is too much. */
void vd_codes_add(struct vd_codes *codes, const struct vd_code *code, const char *text, size_t len);
