/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs and what became of each device. */
#include "twin/hub/store/jobs.h"

#include <errno.h>
#include <stdlib.h>

#include "twin/hub/store/sql.h"

#define JOB_COLUMNS                                                                                \
	"id, type, request, status, reason, author, created_ms, start_ms, deadline_ms, ended_ms"

static const char add_sql[] =
	"INSERT OR IGNORE INTO jobs (" JOB_COLUMNS ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
static const char get_sql[] = "SELECT " JOB_COLUMNS " FROM jobs WHERE id = ?";
static const char status_sql[] = "UPDATE jobs SET status = ?, reason = ?, ended_ms = ?"
				 " WHERE id = ?";
static const char all_sql[] =
	"SELECT " JOB_COLUMNS " FROM jobs WHERE id > ?1 AND (?2 IS NULL OR type = ?2)"
	" AND (?3 IS NULL OR status = ?3) ORDER BY id LIMIT ?4";
static const char open_sql[] =
	"SELECT " JOB_COLUMNS " FROM jobs WHERE ended_ms = 0 ORDER BY start_ms, id LIMIT ?";
static const char counts_sql[] =
	"SELECT count(*), coalesce(sum(status = 'failed'), 0),"
	" coalesce(sum(status = 'completed'), 0), coalesce(sum(status = 'running'), 0),"
	" coalesce(sum(status = 'pending'), 0) FROM job_devices WHERE job_id = ?";
static const char expire_sql[] = "DELETE FROM jobs WHERE ended_ms > 0 AND ended_ms < ?";
static const char device_add_sql[] =
	"INSERT OR IGNORE INTO job_devices VALUES (?, ?, 'pending', ?, 0, 0, '{}')";
static const char device_set_sql[] =
	"UPDATE job_devices SET status = ?, updated_ms = ?, started_ms = coalesce(nullif(?, 0),"
	" started_ms), ended_ms = ?, outcome = ? WHERE job_id = ? AND device_id = ?";
static const char pending_sql[] = "SELECT device_id FROM job_devices WHERE job_id = ?"
				  " AND status = 'pending' LIMIT ?";
static const char end_sql[] = "UPDATE job_devices SET status = ?, outcome = ?, updated_ms = ?,"
			      " ended_ms = ? WHERE job_id = ? AND status = ?";
static const char devices_sql[] =
	"SELECT job_id, device_id, status, updated_ms, started_ms, ended_ms, outcome"
	" FROM job_devices WHERE job_id = ? AND device_id > ? ORDER BY device_id LIMIT ?";

void vd_job_fini(struct vd_job *job)
{
	job->request = vd_json_free(job->request);
}

int vd_store_job_add(struct vd_store *s, const struct vd_job *job)
{
	VD_CLEANUP(vd_free) char *request = vd_json_text(job->request);
	int r;

	if (!request)
		return -ENOMEM;
	r = vd_sql_run(s, vd_sql(s, add_sql, "ttttttiiii", job->id, job->type, request, job->status,
				 job->reason, job->author, job->created_ms, job->start_ms,
				 job->deadline_ms, job->ended_ms));
	return r == VD_STORE_NONE ? VD_STORE_DUPLICATE : r;
}

static int read_job(sqlite3_stmt *q, struct vd_job *job)
{
	const char *request = (const char *)sqlite3_column_text(q, 2);

	vd_sql_copy(q, 0, job->id, sizeof job->id);
	vd_sql_copy(q, 1, job->type, sizeof job->type);
	vd_sql_copy(q, 3, job->status, sizeof job->status);
	vd_sql_copy(q, 4, job->reason, sizeof job->reason);
	vd_sql_copy(q, 5, job->author, sizeof job->author);
	job->created_ms = sqlite3_column_int64(q, 6);
	job->start_ms = sqlite3_column_int64(q, 7);
	job->deadline_ms = sqlite3_column_int64(q, 8);
	job->ended_ms = sqlite3_column_int64(q, 9);
	job->request = cJSON_ParseWithLength(request, (size_t)sqlite3_column_bytes(q, 2));
	return job->request ? 0 : -ENOMEM;
}

int vd_store_job_get(struct vd_store *s, const char *id, struct vd_job *ret_job)
{
	VD_CLEANUP(vd_job_fini) struct vd_job job = { 0 };
	sqlite3_stmt *q = vd_sql(s, get_sql, "t", id);
	int r = vd_sql_step(s, q);

	if (r <= 0)
		return r == 0 ? VD_STORE_NONE : r;
	r = read_job(q, &job);
	vd_sql_done(q);
	if (r == 0) {
		*ret_job = job;
		job.request = NULL;
	}
	return r;
}

int vd_store_job_set_status(struct vd_store *s, const char *id, const char *status,
			    const char *reason, int64_t ended_ms)
{
	return vd_sql_run(s, vd_sql(s, status_sql, "ttit", status, reason, ended_ms, id));
}

static int walk(struct vd_store *s, sqlite3_stmt *q, vd_job_fn fn, void *argument)
{
	int r;

	while ((r = vd_sql_step(s, q)) > 0) {
		VD_CLEANUP(vd_job_fini) struct vd_job job = { 0 };

		r = read_job(q, &job);
		if (r == 0)
			r = fn(&job, argument);
		if (r != 0) {
			vd_sql_done(q);
			return r;
		}
	}
	return r;
}

int vd_store_jobs(struct vd_store *s, const char *after, const char *type, const char *status,
		  int limit, vd_job_fn fn, void *argument)
{
	return walk(s, vd_sql(s, all_sql, "ttti", after, type, status, (int64_t)limit), fn,
		    argument);
}

int vd_store_jobs_open(struct vd_store *s, int limit, vd_job_fn fn, void *argument)
{
	return walk(s, vd_sql(s, open_sql, "i", (int64_t)limit), fn, argument);
}

int vd_store_job_counts(struct vd_store *s, const char *id, struct vd_job_counts *ret_counts)
{
	sqlite3_stmt *q = vd_sql(s, counts_sql, "t", id);
	int r = vd_sql_step(s, q);

	if (r <= 0)
		return r < 0 ? r : -EIO;
	ret_counts->total = sqlite3_column_int64(q, 0);
	ret_counts->failed = sqlite3_column_int64(q, 1);
	ret_counts->succeeded = sqlite3_column_int64(q, 2);
	ret_counts->running = sqlite3_column_int64(q, 3);
	ret_counts->pending = sqlite3_column_int64(q, 4);
	vd_sql_done(q);
	return 0;
}

int vd_store_jobs_expire(struct vd_store *s, int64_t before_ms)
{
	int r = vd_sql_run(s, vd_sql(s, expire_sql, "i", before_ms));

	return r == VD_STORE_NONE ? 0 : r;
}

int vd_store_job_device_add(struct vd_store *s, const char *job, const char *device, int64_t now_ms)
{
	int r = vd_sql_run(s, vd_sql(s, device_add_sql, "tti", job, device, now_ms));

	return r == VD_STORE_NONE ? 0 : r;
}

int vd_store_job_device_set(struct vd_store *s, const struct vd_job_device *d)
{
	return vd_sql_run(s, vd_sql(s, device_set_sql, "tiiittt", d->status, d->updated_ms,
				    d->started_ms, d->ended_ms, d->outcome, d->job, d->device));
}

int vd_store_job_pending(struct vd_store *s, const char *job, size_t count,
			 char (*devices)[VD_PART_BYTES], size_t *ret_count)
{
	sqlite3_stmt *q = vd_sql(s, pending_sql, "ti", job, (int64_t)count);
	size_t i = 0;
	int r;

	while ((r = vd_sql_step(s, q)) > 0)
		vd_sql_copy(q, 0, devices[i++], VD_PART_BYTES);
	*ret_count = i;
	return r;
}

int vd_store_job_devices_end(struct vd_store *s, const char *job, const char *from, const char *to,
			     const char *outcome, int64_t now_ms)
{
	int r = vd_sql_run(s, vd_sql(s, end_sql, "ttiitt", to, outcome, now_ms, now_ms, job, from));

	if (r < 0)
		return r;
	return r == VD_STORE_NONE ? 0 : vd_sql_changes(s);
}

int vd_store_job_devices(struct vd_store *s, const char *job, const char *after, int limit,
			 vd_job_device_fn fn, void *argument)
{
	sqlite3_stmt *q = vd_sql(s, devices_sql, "tti", job, after, (int64_t)limit);
	int r;

	while ((r = vd_sql_step(s, q)) > 0) {
		const struct vd_job_device device = {
			.job = (const char *)sqlite3_column_text(q, 0),
			.device = (const char *)sqlite3_column_text(q, 1),
			.status = (const char *)sqlite3_column_text(q, 2),
			.updated_ms = sqlite3_column_int64(q, 3),
			.started_ms = sqlite3_column_int64(q, 4),
			.ended_ms = sqlite3_column_int64(q, 5),
			.outcome = (const char *)sqlite3_column_text(q, 6),
		};

		r = fn(&device, argument);
		if (r != 0) {
			vd_sql_done(q);
			return r;
		}
	}
	return r;
}
