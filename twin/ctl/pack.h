/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "base/buf.h"
#include "base/fault.h"

/*
 * Makes of a module's or a model's folder what is delivered, vedette-package(5): the archive, and the
 * manifest with the digests of it and of all files in it. The same folder gives the same bytes:
 * names are sorted, and times and owners are left out.
 */
struct vd_pack {
	const char *folder; /* with manifest.json, or model.json */
	const char *arch;   /* NULL: this machine's; of a model any */
	const char *out;    /* folder of what is made */
};

/* ret_stem: "OUT/NAME-VERSION-ARCH", before .tar.zst and .json. -errno with the reason in fault. */
VD_MUST int vd_pack_make(const struct vd_pack *pack, struct vd_buf *ret_stem,
			 struct vd_fault *fault);
