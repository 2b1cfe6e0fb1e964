/* SPDX-License-Identifier: Apache-2.0 */
#include "vd_test.h"

#include "twin/broker/topics.h"
#include "twin/hub/automation/jobs.h"
#include "twin/hub/methods.h"
#include "twin/hub/refusal.h"
#include "unit/twin/hub/hub_fixture.h"

enum { NOW_MS = 1000000 };

/* The hub's end of a method call: it is sent, and answered when the test says so. */
struct broker {
	int sent;
	char rid[32];
};

static bool send_method(const struct vd_name *name, const char *method, const char *rid,
			const char *payload, void *argument)
{
	struct broker *broker = argument;

	broker->sent++;
	(void)snprintf(broker->rid, sizeof broker->rid, "%s", rid);
	return true;
}

static struct vd_jobs *open_jobs(struct fixture *f, struct vd_methods *methods)
{
	struct vd_jobs *jobs = NULL;

	assert_int_equal(vd_jobs_new(NULL, f->store, f->twins, methods, &jobs), 0);
	return jobs;
}

static int create(struct vd_jobs *jobs, const char *id, const char *body)
{
	cJSON *json = json_of(body), *answer = NULL;
	int r = vd_jobs_create(jobs, id, json, "test", NOW_MS, &answer, NULL);

	(void)vd_json_free(json);
	(void)vd_json_free(answer);
	return r;
}

static void run(struct vd_jobs *jobs, int64_t now_ms)
{
	for (int i = 0; i < 5; i++)
		(void)vd_jobs_run(jobs, 1000, now_ms);
}

/* "completed 2/1" is the status, how many succeeded and how many failed. */
static const char *state_of(struct vd_jobs *jobs, const char *id)
{
	static char text[64];
	const cJSON *counts;
	cJSON *json = NULL;

	assert_int_equal(vd_jobs_get(jobs, id, &json, NULL), 0);
	counts = vd_json_object(json, "deviceJobStatistics");
	(void)snprintf(text, sizeof text, "%s %d/%d", vd_json_string(json, "status", ""),
		       (int)vd_json_int(counts, "succeededCount", -1),
		       (int)vd_json_int(counts, "failedCount", -1));
	(void)vd_json_free(json);
	return text;
}

#define UPDATE                                                                                     \
	"{\"type\":\"scheduleUpdateTwin\",\"updateTwin\":{\"properties\":{\"desired\":{\"a\":1}}}"
#define METHOD "{\"type\":\"scheduleDeviceMethod\",\"cloudToDeviceMethod\":{\"methodName\":\"m\"}"

static void a_job_waits_for_its_time_and_changes_whom_its_condition_selects(void **state)
{
	struct fixture *f = *state;
	struct vd_jobs *jobs = open_jobs(f, NULL);

	register_device(f, "d1", "{}");
	register_device(f, "d2", "{}");
	assert_int_equal(create(jobs, "j",
				UPDATE ",\"queryCondition\":\"deviceId = 'd2'\",\"startTime\":"
				       "\"1970-01-01T00:20:00Z\"}"),
			 0);
	run(jobs, NOW_MS);
	assert_string_equal(state_of(jobs, "j"), "scheduled 0/0");
	run(jobs, 1200000);
	assert_string_equal(state_of(jobs, "j"), "completed 1/0");
	assert_int_equal(f->notices, 1);
	(void)vd_jobs_free(jobs);
}

static void what_was_not_begun_in_time_has_failed(void **state)
{
	struct fixture *f = *state;
	struct vd_jobs *jobs = open_jobs(f, NULL);

	register_device(f, "d1", "{}");
	assert_int_equal(create(jobs, "j", UPDATE ",\"maxExecutionTimeInSeconds\":1}"), 0);
	assert_int_equal(create(jobs, "j", UPDATE "}"), VD_REFUSED_JOB_EXISTS);
	run(jobs, NOW_MS + 60000);
	assert_string_equal(state_of(jobs, "j"), "completed 0/1");
	assert_int_equal(f->notices, 0);
	(void)vd_jobs_free(jobs);
}

static void a_method_under_way_when_the_hub_ends_is_not_called_again(void **state)
{
	struct fixture *f = *state;
	struct vd_name name = name_of("d1");
	struct vd_methods *methods = NULL;
	struct vd_loop *loop = NULL;
	struct broker broker = { 0 };
	struct vd_jobs *jobs;

	register_device(f, "d1", "{}");
	assert_int_equal(vd_store_set_connected(f->store, &name, true, 1), 0);
	assert_int_equal(vd_store_set_subscriptions(f->store, &name, VD_FLAG_METHODS), 0);
	assert_int_equal(vd_loop_new(&loop), 0);
	assert_int_equal(vd_methods_new(loop, send_method, &broker, &methods), 0);
	jobs = open_jobs(f, methods);
	assert_int_equal(create(jobs, "j1", METHOD "}"), 0);
	run(jobs, NOW_MS);
	vd_methods_answer(methods, &name, broker.rid, 200, "7", 1);
	run(jobs, NOW_MS);
	assert_string_equal(state_of(jobs, "j1"), "completed 1/0");
	assert_int_equal(create(jobs, "j2", METHOD "}"), 0);
	run(jobs, NOW_MS);
	assert_string_equal(state_of(jobs, "j2"), "running 0/0");
	methods = vd_methods_free(methods);
	(void)vd_jobs_free(jobs);
	jobs = open_jobs(f, NULL);
	run(jobs, NOW_MS);
	assert_string_equal(state_of(jobs, "j2"), "completed 0/1");
	assert_int_equal(broker.sent, 2);
	(void)vd_jobs_free(jobs);
	(void)vd_loop_free(loop);
}

static void a_cancelled_job_does_nothing_more(void **state)
{
	struct fixture *f = *state;
	struct vd_jobs *jobs = open_jobs(f, NULL);
	cJSON *json = NULL;

	register_device(f, "d1", "{}");
	assert_int_equal(create(jobs, "j", UPDATE "}"), 0);
	assert_int_equal(vd_jobs_cancel(jobs, "j", NOW_MS, &json, NULL), 0);
	json = vd_json_free(json);
	run(jobs, NOW_MS);
	assert_string_equal(state_of(jobs, "j"), "cancelled 0/0");
	assert_int_equal(f->notices, 0);
	assert_int_equal(vd_jobs_cancel(jobs, "j", NOW_MS, &json, NULL), VD_REFUSED_ARGUMENT);
	assert_int_equal(vd_jobs_cancel(jobs, "k", NOW_MS, &json, NULL), VD_REFUSED_NO_JOB);
	(void)vd_jobs_free(jobs);
}

#define T(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_job_waits_for_its_time_and_changes_whom_its_condition_selects),
		T(what_was_not_begun_in_time_has_failed),
		T(a_method_under_way_when_the_hub_ends_is_not_called_again),
		T(a_cancelled_job_does_nothing_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
