/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/fault.h"
#include "base/loop.h"

/*
 * A folder into which files are dropped; each is offered once, in the order of their names. A file
 * is complete when it was renamed into the folder or closed by its writer; those that lie there at
 * the start, when nothing was written to them for two seconds. Names that begin with '.' or end
 * with ".tmp" or ".part" are never taken. On the loop.
 */
struct vd_drop;

enum { VD_DROP_NAME_BYTES = 256, VD_DROP_MOST = 4096 }; /* files known at once; others wait */

enum vd_drop_answer {
	VD_DROP_TAKEN, /* stays in the folder until vd_drop_consume */
	VD_DROP_LATER, /* offered again, soon, and before those behind it */
	VD_DROP_NEVER  /* left alone as long as it lies there */
};

typedef enum vd_drop_answer (*vd_drop_fn)(const char *name, const char *path, void *argument);

/* done_folder: where consumed files go; "": they are deleted. -errno with fault. */
VD_MUST int vd_drop_new(struct vd_loop *loop, const char *folder, const char *done_folder,
			vd_drop_fn on_file, void *argument, struct vd_drop **ret_drop,
			struct vd_fault *fault);
struct vd_drop *vd_drop_free(struct vd_drop *drop);
VD_DEFINE_CLEANUP(struct vd_drop, vd_drop_free)

/* Moves or deletes a file that was taken, or that was when the process ended before. */
void vd_drop_consume(struct vd_drop *drop, const char *name);

/* Takes a file as taken that will be consumed later: it is not offered. -ENOMEM. */
VD_MUST int vd_drop_claim(struct vd_drop *drop, const char *name);

size_t vd_drop_waiting(const struct vd_drop *drop); /* complete, not yet taken */
