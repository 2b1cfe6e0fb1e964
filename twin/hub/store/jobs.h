/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "twin/hub/store/store.h"

/* Jobs in the store. Results as in store.h. */
enum { VD_JOB_WORD_BYTES = 32, VD_JOB_REASON_BYTES = 257 };

struct vd_job {
	char id[VD_PART_BYTES];
	char type[VD_JOB_WORD_BYTES];   /* "scheduleUpdateTwin" or "scheduleDeviceMethod" */
	char status[VD_JOB_WORD_BYTES]; /* "scheduled" "queued" "running" "completed" … */
	char reason[VD_JOB_REASON_BYTES];
	char author[VD_POLICY_NAME_BYTES];
	cJSON *request;                                      /* owned */
	int64_t created_ms, start_ms, deadline_ms, ended_ms; /* ended_ms 0: not yet */
};
void vd_job_fini(struct vd_job *job);
VD_UNUSED static inline void vd_job_fini_p(struct vd_job *job)
{
	vd_job_fini(job);
}

/* What became of one device of a job. */
struct vd_job_device {
	const char *job, *device;
	const char *status; /* "pending" "running" "completed" "failed" "canceled" */
	int64_t updated_ms, started_ms, ended_ms;
	const char *outcome; /* JSON */
};
struct vd_job_counts {
	int64_t total, failed, succeeded, running, pending;
};
typedef int (*vd_job_fn)(struct vd_job *job, void *argument);
typedef int (*vd_job_device_fn)(const struct vd_job_device *device, void *argument);

/* VD_STORE_DUPLICATE: the id is taken. */
VD_MUST int vd_store_job_add(struct vd_store *store, const struct vd_job *job);
VD_MUST int vd_store_job_get(struct vd_store *store, const char *id, struct vd_job *ret_job);
VD_MUST int vd_store_job_set_status(struct vd_store *store, const char *id, const char *status,
				    const char *reason, int64_t ended_ms);
/* By id, behind `after`; type and status NULL: any. fn may take the request. */
VD_MUST int vd_store_jobs(struct vd_store *store, const char *after, const char *type,
			  const char *status, int limit, vd_job_fn fn, void *argument);
/* Those that have not ended, the one that starts first first. */
VD_MUST int vd_store_jobs_open(struct vd_store *store, int limit, vd_job_fn fn, void *argument);
VD_MUST int vd_store_job_counts(struct vd_store *store, const char *id,
				struct vd_job_counts *ret_counts);
/* Deletes jobs that ended before. */
VD_MUST int vd_store_jobs_expire(struct vd_store *store, int64_t before_ms);

/* Adds a device as pending; one that is there stays. */
VD_MUST int vd_store_job_device_add(struct vd_store *store, const char *job, const char *device,
				    int64_t now_ms);
/* Sets everything but the ids; started_ms 0 keeps it. */
VD_MUST int vd_store_job_device_set(struct vd_store *store, const struct vd_job_device *device);
/* Up to count pending devices; the number in ret_count. */
VD_MUST int vd_store_job_pending(struct vd_store *store, const char *job, size_t count,
				 char (*devices)[VD_PART_BYTES], size_t *ret_count);
/* All of one status become another, ended. The number of them, or -errno. */
VD_MUST int vd_store_job_devices_end(struct vd_store *store, const char *job, const char *from,
				     const char *to, const char *outcome, int64_t now_ms);
/* By device, behind `after`. */
VD_MUST int vd_store_job_devices(struct vd_store *store, const char *job, const char *after,
				 int limit, vd_job_device_fn fn, void *argument);
