/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/fault.h"

/* Whole files. */

/* Appends the file to out; one larger than limit is -EFBIG. Else -errno. 404, 413 or 500 in fault. */
VD_MUST int vd_file_read(const char *path, size_t limit, struct vd_buf *out,
			 struct vd_fault *fault);

/*
 * Writes path so that after a power cut there is either the old file or the new one:
 * temporary file beside it, fsync, rename, fsync of the folder. -errno.
 */
VD_MUST int vd_file_write(const char *path, const void *data, size_t len, mode_t mode);

/* mkdir -p. -errno. */
VD_MUST int vd_file_make_folders(const char *path, mode_t mode);
