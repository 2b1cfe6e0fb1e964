/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stddef.h>

#include "base/attr.h"

/* Who is meant: a device ("dev", "") or one of its modules ("dev", "mod"). */
enum { VD_PART_BYTES = 129, VD_ID_BYTES = 258 };
struct vd_name {
	char device[VD_PART_BYTES];
	char module[VD_PART_BYTES];
};

/* From "dev" or "dev/mod"; -EINVAL: not a valid id. */
VD_MUST int vd_name_parse(const char *id, struct vd_name *ret_name);

/* From its parts, module NULL or "" for the device itself; -EINVAL. */
VD_MUST int vd_name_make(const char *device, const char *module, struct vd_name *ret_name);

/* "dev" or "dev/mod"; returns text. */
const char *vd_name_text(const struct vd_name *name, char text[static VD_ID_BYTES]);

/*
 * Decodes %XX in place and returns the new length; -EINVAL: a broken escape or a NUL. '+' stays.
 */
VD_MUST int vd_percent_decode(char *text);
