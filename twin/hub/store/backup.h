/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdint.h>

#include "base/attr.h"
#include "base/fault.h"

/* Copies of the database as files. -errno with the reason in fault. */

/*
 * A consistent copy of the database, which may be in use, as it stood at one moment; checked, on
 * the disk and under its name only when it is whole. Mode 0600.
 */
VD_MUST int vd_store_backup(const char *database, const char *copy, struct vd_fault *fault);

/*
 * Puts a copy in the place of the database, which nobody may be using; the former one stays
 * beside it as DATABASE.replaced. What the copy would wrongly bring back is taken out:
 * enrolment tokens that are open in it, which may have been used since. The audit log says so.
 */
VD_MUST int vd_store_restore(const char *copy, const char *database, int64_t now_ms,
			     struct vd_fault *fault);
