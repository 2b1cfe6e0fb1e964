/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "base/fault.h"
#include "base/json.h"

/*
 * The manifest of a delivered package, vedette-package(5): who it is, the digest of its archive, and
 * the digest of each file in it. What is signed are the bytes of this text. manifest.json is its
 * table; here is also what no table says: names that become names of files, and paths that stay
 * inside the folder.
 */
enum { VD_MANIFEST_BYTES = 1 << 20, VD_MANIFEST_FORMAT = 1 };

struct vd_manifest {
	cJSON *json; /* owns the texts below */
	const char *kind, *name, *version, *arch;
	const char *sha256; /* of the archive */
	int64_t bytes;      /* of the archive */
	const cJSON *files; /* an array of {"path","sha256","bytes","executable"} */
};

/* 400 or 413 in fault and -EINVAL; -ENOMEM. */
VD_MUST int vd_manifest_parse(const char *text, size_t len, struct vd_manifest *ret_manifest,
			      struct vd_fault *fault);
void vd_manifest_fini(struct vd_manifest *manifest);
VD_UNUSED static inline void vd_manifest_fini_p(struct vd_manifest *manifest)
{
	vd_manifest_fini(manifest);
}

/* May it be a name, version, arch or channel: [A-Za-z0-9] and then also . _ + ~ -, at most 64. */
bool vd_manifest_is_name(const char *text);
/* Lower-case hexadecimal of a SHA-256. */
bool vd_manifest_is_digest(const char *text);
/* Relative, without . or .. or an empty part, of characters that no file system minds. */
bool vd_manifest_is_path(const char *path);
