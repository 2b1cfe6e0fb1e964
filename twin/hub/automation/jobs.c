/* SPDX-License-Identifier: Apache-2.0 */
/*
 *	scheduled --its time--> queued --all devices listed--> running --none left--> completed
 *	    any of them --cancel--> cancelled            the condition fails --> failed
 *
 * Listing walks the twins a slice at a time; a hub that ends meanwhile lists again.
 */
#include "twin/hub/automation/jobs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/clock.h"
#include "base/log.h"
#include "twin/hub/automation/job_body.h"
#include "twin/hub/methods.h"
#include "twin/hub/refusal.h"
#include "twin/hub/store/configurations.h"
#include "twin/hub/queries/twin_walk.h"
#include "twin/hub/twins.h"
#include "twin/query/query.h"

enum { SLICE_MS = 10, IDLE_MS = 1000, PAGE = 64 };

/* A job that has begun. */
struct run {
	TAILQ_ENTRY(run) link;
	struct vd_jobs *jobs;
	struct vd_job job;
	struct vd_query *condition;
	bool is_listed;
	struct vd_twin_walk *walk; /* NULL: the listing has not begun, or is over */
	int64_t now_ms;            /* of the listing */
	int under_way;             /* methods */
	bool is_cancelled;
};

struct vd_jobs {
	struct vd_loop *loop;
	struct vd_store *store;
	struct vd_twins *twins;
	struct vd_methods *methods;
	struct vd_source *timer;
	TAILQ_HEAD(, run) runs;
	int run_count;
};

static void wake(struct vd_jobs *jobs, uint64_t delay_ms)
{
	if (jobs->timer)
		(void)!vd_timer_arm(jobs->timer, delay_ms);
}

/* --- one device --- */

/* {"code": "DeviceNotOnline", "description": "…"} */
static char *error_text(int refusal, const char *reason)
{
	VD_CLEANUP(vd_json_free) cJSON *json = cJSON_CreateObject();

	if (!json || !vd_json_add_string(json, "code", vd_refusal_info(refusal)->name) ||
	    !vd_json_add_string(json, "description", reason))
		return NULL;
	return vd_json_text(json);
}

static int write_device(struct vd_store *store, const struct run *run, const char *device,
			const char *status, const char *outcome, int64_t started_ms)
{
	int64_t now_ms = vd_clock_wall_ms();
	const struct vd_job_device row = {
		.job = run->job.id,
		.device = device,
		.status = status,
		.updated_ms = now_ms,
		.started_ms = started_ms,
		.ended_ms = strcmp(status, "running") == 0 ? 0 : now_ms,
		.outcome = outcome,
	};
	int r = vd_store_job_device_set(store, &row);

	return r == VD_STORE_NONE ? 0 : r; /* the job was deleted meanwhile */
}

static int fail_device(const struct run *run, const char *device, int refusal, const char *reason)
{
	VD_CLEANUP(vd_free) char *text = error_text(refusal, reason);

	return text ? write_device(run->jobs->store, run, device, "failed", text, 0) : -ENOMEM;
}

struct step {
	const struct run *run;
	const char *device;
};

static int write_completed(struct vd_store *store, void *argument)
{
	const struct step *step = argument;

	return write_device(store, step->run, step->device, "completed", "{}", vd_clock_wall_ms());
}

static int update_device(struct run *run, const char *device, int64_t now_ms)
{
	VD_CLEANUP(vd_json_free) cJSON *twin = NULL;
	const cJSON *patch = vd_json_object(run->job.request, "updateTwin");
	struct step step = { .run = run, .device = device };
	const struct vd_twin_update update = {
		.body = patch,
		.if_match = vd_json_string(patch, "etag", NULL),
		.author = run->job.author,
		.now_ms = now_ms,
		.also = write_completed,
		.argument = &step,
	};
	struct vd_fault fault = { 0 };
	struct vd_name name;
	int r = vd_name_make(device, NULL, &name);

	if (r == 0)
		r = vd_twins_update(run->jobs->twins, &name, &update, &twin, &fault);
	return r > 0 ? fail_device(run, device, r, fault.text) : r;
}

/* A method that is under way. */
struct call {
	struct run *run;
	char device[VD_PART_BYTES];
};

static void write_answer(const struct call *call, const struct vd_reply *reply)
{
	VD_CLEANUP(vd_json_free) cJSON *outcome = cJSON_CreateObject();
	VD_CLEANUP(vd_free) char *text = NULL;
	int r = -ENOMEM;

	if (reply->status == 200) {
		if (outcome && vd_json_add_copy(outcome, "deviceMethodResponse", reply->body))
			text = vd_json_text(outcome);
		if (text)
			r = write_device(call->run->jobs->store, call->run, call->device,
					 "completed", text, 0);
	} else {
		const char *message = vd_json_string(reply->body, "Message", "");
		int refusal = reply->status == 404   ? VD_REFUSED_NOT_ONLINE
			      : reply->status == 502 ? VD_REFUSED_BAD_RESPONSE
						     : VD_REFUSED_TIMEOUT;

		r = fail_device(call->run, call->device, refusal,
				strchr(message, ';') ? strchr(message, ';') + 1 : message);
	}
	if (r < 0)
		vd_log(VD_ERROR, "job.unwritten", "job=%s id=%s", call->run->job.id, call->device);
}

static void on_answer(const struct vd_reply *reply, void *argument)
{
	struct call *call = argument;
	struct run *run = call->run;

	write_answer(call, reply);
	free(call);
	run->under_way--;
	wake(run->jobs, 0);
}

static int begin_call(struct run *run, const struct vd_device *device)
{
	const cJSON *method = vd_json_object(run->job.request, "cloudToDeviceMethod");
	struct call *call = calloc(1, sizeof *call);
	struct vd_fault fault = { 0 };
	int r;

	if (!call)
		return -ENOMEM;
	call->run = run;
	(void)snprintf(call->device, sizeof call->device, "%s", device->name.device);
	run->under_way++; /* it may be answered within the call */
	r = vd_methods_call(run->jobs->methods, device, method, on_answer, call, &fault);
	if (r == 0)
		return 0;
	run->under_way--;
	free(call);
	return r > 0 ? fail_device(run, device->name.device, r, fault.text) : r;
}

static int call_device(struct run *run, const char *id, int64_t now_ms)
{
	struct vd_device device;
	struct vd_name name;
	int r = vd_name_make(id, NULL, &name);

	if (r == 0)
		r = vd_store_device_get(run->jobs->store, &name, &device);
	if (r == VD_STORE_NONE)
		return fail_device(run, id, VD_REFUSED_NO_DEVICE, "it was deleted");
	if (r == 0)
		r = write_device(run->jobs->store, run, id, "running", "{}", now_ms);
	return r == 0 ? begin_call(run, &device) : r;
}

/* --- one job --- */

static void run_free(struct run *run)
{
	TAILQ_REMOVE(&run->jobs->runs, run, link);
	run->jobs->run_count--;
	run->walk = vd_twin_walk_free(run->walk);
	run->condition = vd_query_free(run->condition);
	vd_job_fini(&run->job);
	free(run);
}

/* May free the run. */
static void end(struct run *run, const char *status, const char *reason, int64_t now_ms)
{
	if (vd_store_job_set_status(run->jobs->store, run->job.id, status, reason, now_ms) < 0)
		return; /* once more the next time */
	vd_log(VD_NOTICE, "job.ended", "id=%s status=%s", run->job.id, status);
	run_free(run);
}

static int list_one(const struct vd_twin_row *row, void *argument)
{
	const struct run *run = argument;

	return vd_store_job_device_add(run->jobs->store, run->job.id, row->name.device,
				       run->now_ms);
}

/* In a transaction. 1: that was all; 0: there is more. */
static int list_step(struct run *run, uint64_t until_ms)
{
	struct vd_store *store = run->jobs->store;
	int r = run->walk ? 0 : vd_twin_walk_new(store, run->condition, 0, NULL, &run->walk);

	if (r == 0)
		r = vd_twin_walk_run(run->walk, until_ms, list_one, run);
	if (r == VD_WALK_TIME)
		return 0;
	if (r != VD_WALK_END)
		return r < 0 ? r : -EIO;
	r = vd_store_job_set_status(store, run->job.id, "running", "", 0);
	return r == 0 ? 1 : r < 0 ? r : -EIO;
}

/* After a failure it begins again, as after the hub's end. */
static int list_some(struct run *run, uint64_t until_ms, int64_t now_ms)
{
	struct vd_store *store = run->jobs->store;
	bool is_last;
	int r = vd_store_begin(store);

	if (r < 0)
		return r;
	run->now_ms = now_ms;
	r = list_step(run, until_ms);
	is_last = r == 1;
	if (r >= 0)
		r = vd_store_commit(store);
	else
		vd_store_rollback(store);
	if (r < 0 || is_last)
		run->walk = vd_twin_walk_free(run->walk);
	run->is_listed = r == 0 && is_last;
	return r;
}

static int expire(struct run *run, int64_t now_ms)
{
	VD_CLEANUP(vd_free)
	char *text = error_text(VD_REFUSED_TIMEOUT, "the job's execution time is over");
	int count = text ? vd_store_job_devices_end(run->jobs->store, run->job.id, "pending",
						    "failed", text, now_ms)
			 : -ENOMEM;

	return count < 0 ? count : 0;
}

/* How many devices may be begun now. */
static size_t room(const struct run *run)
{
	bool is_method = strcmp(run->job.type, VD_JOB_METHOD) == 0;

	return is_method ? (size_t)(VD_JOBS_METHODS_MAX - run->under_way) : PAGE;
}

static int do_devices(struct run *run, uint64_t until_ms, int64_t now_ms, bool *ret_is_busy)
{
	bool is_method = strcmp(run->job.type, VD_JOB_METHOD) == 0;
	char ids[PAGE][VD_PART_BYTES];
	size_t count = 0, wanted = room(run);
	int r = vd_store_job_pending(run->jobs->store, run->job.id, wanted > PAGE ? PAGE : wanted,
				     ids, &count);

	*ret_is_busy = count > 0;
	for (size_t i = 0; r == 0 && i < count && vd_clock_mono_ms() < until_ms; i++)
		r = is_method ? call_device(run, ids[i], now_ms)
			      : update_device(run, ids[i], now_ms);
	return r;
}

/* May free the run. True: there is more to do at once. */
static bool advance(struct run *run, uint64_t until_ms, int64_t now_ms)
{
	bool is_busy = false;
	int r = 0;

	if (run->is_cancelled) {
		if (run->under_way == 0)
			run_free(run);
		return false;
	}
	if (!run->is_listed)
		r = list_some(run, until_ms, now_ms);
	if (r == 0 && !run->is_listed)
		return true;
	if (r == 0 && now_ms >= run->job.deadline_ms)
		r = expire(run, now_ms);
	if (r == 0 && room(run) > 0)
		r = do_devices(run, until_ms, now_ms, &is_busy);
	else if (r == 0)
		is_busy = false;
	if (r == 0 && !is_busy && run->under_way == 0)
		end(run, "completed", "", now_ms);
	if (r < 0 && r != -EBUSY)
		vd_log(VD_ERROR, "job.failed", "id=%s reason=\"%s\"", run->job.id, strerror(-r));
	return r == 0 && is_busy && run->under_way < VD_JOBS_METHODS_MAX;
}

/* --- all jobs --- */

static struct run *find(struct vd_jobs *jobs, const char *id)
{
	struct run *run;

	TAILQ_FOREACH(run, &jobs->runs, link)
	{
		if (strcmp(run->job.id, id) == 0)
			return run;
	}
	return NULL;
}

static int begin_run(struct vd_jobs *jobs, struct vd_job *job, int64_t now_ms)
{
	struct run *run = calloc(1, sizeof *run);
	struct vd_fault fault = { 0 };
	int r;

	if (!run)
		return -ENOMEM;
	run->jobs = jobs;
	run->job = *job;
	job->request = NULL;
	run->is_listed = strcmp(job->status, "running") == 0;
	TAILQ_INSERT_TAIL(&jobs->runs, run, link);
	jobs->run_count++;
	r = vd_job_condition(run->job.request, &run->condition, &fault);
	if (r != 0)
		end(run, "failed", fault.text, now_ms);
	return r < 0 ? r : 0;
}

struct opening {
	struct vd_jobs *jobs;
	int64_t now_ms, next_ms;
};

static int open_one(struct vd_job *job, void *argument)
{
	struct opening *opening = argument;

	if (find(opening->jobs, job->id) || opening->jobs->run_count >= VD_JOBS_RUNNING_MAX)
		return 0;
	if (job->start_ms > opening->now_ms) {
		if (opening->next_ms == 0)
			opening->next_ms = job->start_ms;
		return 0;
	}
	return begin_run(opening->jobs, job, opening->now_ms);
}

/* Begins what is due; how long until the next is, at most IDLE_MS. */
static uint64_t open_due(struct vd_jobs *jobs, int64_t now_ms)
{
	struct opening opening = { .jobs = jobs, .now_ms = now_ms };
	int64_t wait;

	if (vd_store_jobs_open(jobs->store, 2 * VD_JOBS_RUNNING_MAX, open_one, &opening) < 0)
		return IDLE_MS;
	wait = opening.next_ms ? opening.next_ms - now_ms : IDLE_MS;
	return wait < IDLE_MS ? (uint64_t)wait : IDLE_MS;
}

static bool advance_all(struct vd_jobs *jobs, uint64_t until_ms, int64_t now_ms)
{
	struct run *next;
	bool is_more = false;

	for (struct run *run = TAILQ_FIRST(&jobs->runs); run; run = next) {
		next = TAILQ_NEXT(run, link);
		is_more |= advance(run, until_ms, now_ms);
	}
	return is_more;
}

bool vd_jobs_run(struct vd_jobs *jobs, uint64_t budget_ms, int64_t now_ms)
{
	uint64_t until_ms = vd_clock_mono_ms() + budget_ms;
	bool is_more;

	(void)open_due(jobs, now_ms);
	do
		is_more = advance_all(jobs, until_ms, now_ms);
	while (is_more && vd_clock_mono_ms() < until_ms);
	return is_more;
}

static void on_timer(void *argument)
{
	struct vd_jobs *jobs = argument;
	int64_t now_ms = vd_clock_wall_ms();
	uint64_t wait_ms = open_due(jobs, now_ms);

	if (advance_all(jobs, vd_clock_mono_ms() + SLICE_MS, now_ms))
		wait_ms = 1;
	else if (jobs->run_count == 0)
		(void)!vd_store_jobs_expire(jobs->store, now_ms - VD_JOBS_KEPT_DAYS * 86400000LL);
	wake(jobs, wait_ms);
}

/* --- REST --- */

static int missing(const char *id, struct vd_fault *fault)
{
	vd_fault_set(fault, 404, "", "there is no job %.128s", id);
	return VD_REFUSED_NO_JOB;
}

int vd_jobs_create(struct vd_jobs *jobs, const char *id, const cJSON *body, const char *author,
		   int64_t now_ms, cJSON **ret_json, struct vd_fault *fault)
{
	VD_CLEANUP(vd_job_fini) struct vd_job job = { 0 };
	int r = vd_job_read(id, body, now_ms, &job, fault);

	if (r != 0)
		return r;
	(void)snprintf(job.author, sizeof job.author, "%s", author);
	r = vd_store_job_add(jobs->store, &job);
	if (r == VD_STORE_DUPLICATE) {
		vd_fault_set(fault, 409, "", "there is a job of this id already");
		return VD_REFUSED_JOB_EXISTS;
	}
	if (r < 0)
		return r;
	vd_log(VD_NOTICE, "job.created", "id=%s type=%s author=%s", id, job.type, author);
	wake(jobs, 0);
	return vd_job_json(jobs->store, &job, ret_json);
}

int vd_jobs_get(struct vd_jobs *jobs, const char *id, cJSON **ret_json, struct vd_fault *fault)
{
	VD_CLEANUP(vd_job_fini) struct vd_job job = { 0 };
	int r = vd_store_job_get(jobs->store, id, &job);

	if (r == VD_STORE_NONE)
		return missing(id, fault);
	return r == 0 ? vd_job_json(jobs->store, &job, ret_json) : r;
}

static int cancel_in_transaction(struct vd_jobs *jobs, const char *id, int64_t now_ms)
{
	int r = vd_store_job_devices_end(jobs->store, id, "pending", "canceled", "{}", now_ms);

	return r < 0 ? r : vd_store_job_set_status(jobs->store, id, "cancelled", "", now_ms);
}

int vd_jobs_cancel(struct vd_jobs *jobs, const char *id, int64_t now_ms, cJSON **ret_json,
		   struct vd_fault *fault)
{
	VD_CLEANUP(vd_job_fini) struct vd_job job = { 0 };
	struct run *run = find(jobs, id);
	int r = vd_store_job_get(jobs->store, id, &job);

	if (r == VD_STORE_NONE)
		return missing(id, fault);
	if (r == 0 && job.ended_ms) {
		vd_fault_set(fault, 400, "", "the job has ended");
		return VD_REFUSED_ARGUMENT;
	}
	if (r == 0)
		r = vd_store_begin(jobs->store);
	if (r < 0)
		return r;
	r = cancel_in_transaction(jobs, id, now_ms);
	if (r != 0) {
		vd_store_rollback(jobs->store);
		return r;
	}
	r = vd_store_commit(jobs->store);
	if (r == 0 && run)
		run->is_cancelled = true;
	return r == 0 ? vd_jobs_get(jobs, id, ret_json, fault) : r;
}

struct page {
	struct vd_store *store;
	cJSON *list;
	int count, limit;
	char *next;
	char last[VD_PART_BYTES];
};

static int add_to_page(struct vd_job *job, void *argument)
{
	struct page *page = argument;
	cJSON *json = NULL;
	int r;

	if (page->count++ == page->limit) { /* one more than asked for: there is a next page */
		page->next = strdup(page->last);
		return page->next ? 0 : -ENOMEM;
	}
	r = vd_job_json(page->store, job, &json);
	if (r == 0 && !cJSON_AddItemToArray(page->list, json)) {
		(void)vd_json_free(json);
		r = -ENOMEM;
	}
	(void)snprintf(page->last, sizeof page->last, "%s", job->id);
	return r;
}

int vd_jobs_list(struct vd_jobs *jobs, const char *after, const char *type, const char *status,
		 int limit, cJSON **ret_list, char **ret_next)
{
	VD_CLEANUP(vd_json_free) cJSON *list = cJSON_CreateArray();
	struct page page = { .store = jobs->store, .list = list, .limit = limit };
	int r = list ? vd_store_jobs(jobs->store, after, type, status, limit + 1, add_to_page,
				     &page)
		     : -ENOMEM;

	if (r != 0) {
		free(page.next);
		return r;
	}
	*ret_list = VD_TAKE(list);
	*ret_next = page.next;
	return 0;
}

/* --- life --- */

static int settle_one(struct vd_job *job, void *argument)
{
	struct vd_jobs *jobs = argument;
	VD_CLEANUP(vd_free)
	char *text = error_text(VD_REFUSED_TIMEOUT, "the hub ended before the device answered");
	int count = text ? vd_store_job_devices_end(jobs->store, job->id, "running", "failed", text,
						    vd_clock_wall_ms())
			 : -ENOMEM;

	return count < 0 ? count : 0;
}

int vd_jobs_new(struct vd_loop *loop, struct vd_store *store, struct vd_twins *twins,
		struct vd_methods *methods, struct vd_jobs **ret_jobs)
{
	VD_CLEANUP(vd_jobs_free) struct vd_jobs *jobs = calloc(1, sizeof *jobs);
	int r;

	if (!jobs)
		return -ENOMEM;
	jobs->store = store;
	jobs->twins = twins;
	jobs->methods = methods;
	TAILQ_INIT(&jobs->runs);
	r = vd_store_jobs_open(store, -1, settle_one, jobs);
	if (r == 0 && loop)
		r = vd_loop_timer(loop, on_timer, jobs, &jobs->timer);
	if (r != 0)
		return r;
	wake(jobs, 0);
	*ret_jobs = VD_TAKE(jobs);
	return 0;
}

struct vd_jobs *vd_jobs_free(struct vd_jobs *jobs)
{
	if (jobs) {
		jobs->timer = vd_source_free(jobs->timer);
		while (!TAILQ_EMPTY(&jobs->runs))
			run_free(TAILQ_FIRST(&jobs->runs));
		free(jobs);
	}
	return NULL;
}
