/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "base/fault.h"
#include "base/loop.h"
#include "twin/hub/call.h"
#include "twin/hub/files/packages.h"

/*
 * The collection of packages that nobody names any more: older than an age, no channel points there,
 * and no twin's desired document and no configuration has the name and the version, or a digest of
 * it. Documents are searched as texts: one that has both words somewhere keeps the package, since
 * keeping one too many costs disk, and the other mistake a line. All twins are looked at, a few
 * milliseconds at a time; documents that change meanwhile are looked at again.
 */
enum { VD_PACKAGE_GC_SLICE_MS = 2, VD_PACKAGE_GC_MAX = 1000 /* candidates of one run */ };

struct vd_package_gc;
VD_MUST int vd_package_gc_new(struct vd_loop *loop, struct vd_store *store,
			      struct vd_packages *packages, struct vd_package_gc **ret_gc);
/* Answers what is under way with 503. */
struct vd_package_gc *vd_package_gc_free(struct vd_package_gc *gc);
VD_DEFINE_CLEANUP(struct vd_package_gc, vd_package_gc_free)

/*
 * Answers {"items":[…],"bytes":n,"deleted":bool}. 0: call->reply is filled in (a call without an
 * exchange); VD_API_KEPT; VD_REFUSED_TOO_MANY: one is under way; -errno. is_dry: deletes nothing.
 */
VD_MUST int vd_package_gc_run(struct vd_package_gc *gc, struct vd_call *call, int64_t before_ms,
			      bool is_dry, struct vd_fault *fault);

/* Somebody changed this twin's desired document. */
void vd_package_gc_changed(struct vd_package_gc *gc, const struct vd_name *name);
