/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "base/attr.h"

/*
 * A thread of the lowest priority for work that must never hold up captures: jobs one after the
 * other. A finished job comes back to the loop. How many jobs may wait is for those to bound who
 * put them.
 */
struct vd_sideline;

/* The beginning of each job. It is the sideline's from put to done. */
struct vd_job {
	void (*run)(struct vd_job *job);  /* in the thread */
	void (*done)(struct vd_job *job); /* on the loop; frees it */
	void (*drop)(struct vd_job *job); /* instead of done, at the end: frees it */
	struct vd_job *next;
};

/* wake: in the thread; vd_sideline_settle is to be called on the loop. -errno. */
VD_MUST int vd_sideline_new(void (*wake)(void *argument), void *argument,
			    struct vd_sideline **ret_sideline);

/* Runs what waits, then ends; jobs that were not settled are dropped. */
struct vd_sideline *vd_sideline_free(struct vd_sideline *sideline);

void vd_sideline_put(struct vd_sideline *sideline, struct vd_job *job);

/* Calls done for what has finished. */
void vd_sideline_settle(struct vd_sideline *sideline);
