/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/fault.h"
#include "base/loop.h"

/*
 * The image store's folder:
 *   incoming/                 bodies of requests, written by the front and removed by it
 *   staging/{upload}/{part}   what one upload has brought so far
 *   staging/{digest}.ready    whole and on the disk, not yet known to the database
 *   {2 digits}/{digest}       what the database knows
 * All on one file system, and the front is of the hub's user. Paths come from ids and digests that the hub made or checked itself.
 */
enum { VD_PART_NAME_BYTES = 200 };

/* Makes the folders, mode 0700. -errno. */
VD_MUST int vd_image_files_prepare(const char *folder, struct vd_fault *fault);

/* For each .ready file: is it known? Then it is put in its place, else removed. Other uploads go. */
VD_MUST int vd_image_files_recover(const char *folder,
				   bool (*is_known)(const char *digest, void *argument),
				   bool (*is_open)(const char *upload, void *argument),
				   void *argument);

/*
 * Takes a body that the front has left in incoming/ into the upload, as a part in place of one of
 * the same name. ret_bytes: the upload's size then. -EACCES: not in incoming; -ENODATA: empty.
 */
VD_MUST int vd_image_files_take(const char *folder, const char *upload, const char *part,
				const char *body_file, int64_t *ret_bytes);
/* A small body, to be read. As above; -EFBIG. */
VD_MUST int vd_image_files_read(const char *folder, const char *body_file, size_t limit,
				struct vd_buf *out);
VD_MUST int vd_image_files_size(const char *folder, const char *upload, int64_t *ret_bytes);
void vd_image_files_drop(const char *folder, const char *upload);

/* .ready -> its place; nothing if it is there already. -errno. */
VD_MUST int vd_image_files_settle(const char *folder, const char *digest);
/* A joined file that is not wanted. */
void vd_image_files_discard(const char *folder, const char *digest);
VD_MUST int vd_image_files_remove(const char *folder, const char *digest);
/* "ab/ab12…" */
const char *vd_image_files_place(const char *digest, char place[static VD_SHA256_TEXT + 3]);

/*
 * Joins parts (names, each with its NUL) of an upload into staging/{digest}.ready, a portion each
 * turn of the loop, so that a large file stops nobody. done gets 0 with digest and size, or -errno
 * (-ENOENT: no such part); the job frees itself after it.
 */
struct vd_image_job;
typedef void (*vd_image_job_fn)(int r, const char *digest, int64_t bytes, void *argument);
VD_MUST int vd_image_job_new(struct vd_loop *loop, const char *folder, const char *upload,
			     struct vd_buf *parts, vd_image_job_fn done, void *argument,
			     struct vd_image_job **ret_job);
/* Without done. */
struct vd_image_job *vd_image_job_free(struct vd_image_job *job);
