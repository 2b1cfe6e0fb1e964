/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "agent/vedetted/packages.h"
#include "base/json.h"
#include "twin/document/desired.h"

/*
 * A set: one desired document, checked whole against what this box has, together with the
 * installed package of each of its modules.
 */
struct vd_set {
	int64_t version;
	cJSON *document;              /* without $version */
	struct vd_desired *desired;   /* borrows from document */
	struct vd_package **packages; /* one a module of desired, in its order */
};

/*
 * Checks document: its form, each module's package and parameters, the ports of each route.
 * Takes *document on success. -EINVAL or -ENOENT with the place in fault; -ENOMEM.
 */
VD_MUST int vd_set_new(cJSON **document, int64_t version, const cJSON *package_folders,
		       struct vd_set **ret_set, struct vd_fault *fault);
struct vd_set *vd_set_free(struct vd_set *set);
VD_DEFINE_CLEANUP(struct vd_set, vd_set_free)

/* Index into desired and packages; -1: no such module. set may be NULL. */
int vd_set_find(const struct vd_set *set, const char *module);

/*
 * What must happen to a module on the way from one set to another (either may be NULL).
 * Pure.
 */
enum vd_change {
	VD_CHANGE_NONE,
	VD_CHANGE_PARAMETERS, /* runs on, with other parameters */
	VD_CHANGE_START,      /* is new, or was stopped */
	VD_CHANGE_REPLACE,    /* another program, environment, limit: a new process */
	VD_CHANGE_STOP,       /* stays in the document with status stopped */
	VD_CHANGE_REMOVE,
};
enum vd_change vd_set_change(const struct vd_set *from, const struct vd_set *to,
			     const char *module);
const char *vd_change_name(enum vd_change change);
