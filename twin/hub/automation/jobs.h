/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>

#include "base/fault.h"
#include "base/loop.h"
#include "twin/hub/store/jobs.h"

/*
 * Azure's jobs: a change of twins, or a direct method, for all devices that a condition selects, at
 * a time. Who is concerned is decided when the job starts. What was done stands in the store beside
 * its effect: a twin is changed once, whatever ends the hub; a method that was under way then is
 * failed, since it may have reached its device.
 *
 * Calls return 0, an enum vd_refusal with its text in fault, or -errno.
 */
enum {
	VD_JOBS_RUNNING_MAX = 10,
	VD_JOBS_METHODS_MAX = 50, /* of a job, under way at once */
	VD_JOBS_KEPT_DAYS = 30,
};

struct vd_methods;
struct vd_twins;
struct vd_jobs;

/* What is given is borrowed for its life. loop NULL: nothing happens before vd_jobs_run. */
VD_MUST int vd_jobs_new(struct vd_loop *loop, struct vd_store *store, struct vd_twins *twins,
			struct vd_methods *methods, struct vd_jobs **ret_jobs);
/* After the methods: these answer what is under way when they end. */
struct vd_jobs *vd_jobs_free(struct vd_jobs *jobs);
VD_DEFINE_CLEANUP(struct vd_jobs, vd_jobs_free)

/* Does what is due for up to budget_ms; true: there is more at once. */
bool vd_jobs_run(struct vd_jobs *jobs, uint64_t budget_ms, int64_t now_ms);

VD_MUST int vd_jobs_create(struct vd_jobs *jobs, const char *id, const cJSON *body,
			   const char *author, int64_t now_ms, cJSON **ret_json,
			   struct vd_fault *fault);
VD_MUST int vd_jobs_get(struct vd_jobs *jobs, const char *id, cJSON **ret_json,
			struct vd_fault *fault);
/* What was not begun is not done any more. */
VD_MUST int vd_jobs_cancel(struct vd_jobs *jobs, const char *id, int64_t now_ms, cJSON **ret_json,
			   struct vd_fault *fault);
/* One page; *ret_next (owned) is the id to go on behind, NULL at the end. */
VD_MUST int vd_jobs_list(struct vd_jobs *jobs, const char *after, const char *type,
			 const char *status, int limit, cJSON **ret_list, char **ret_next);
