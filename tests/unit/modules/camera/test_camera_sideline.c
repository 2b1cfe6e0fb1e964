/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/camera/sideline.h"

#include <semaphore.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "vd_test.h"

enum { JOBS = 20 };

struct fixture {
	struct vd_sideline *sideline;
	sem_t finished, gate; /* a job that waits at the gate holds up the others */
	int ran[JOBS], settled[JOBS], dropped[JOBS];
	int run_count, settled_count, dropped_count;
	int priority;
};

struct work {
	struct vd_job job;
	struct fixture *fixture;
	int number;
	bool is_gated;
};

static struct work *work_of(struct vd_job *job)
{
	return VD_CONTAINER(job, struct work, job);
}

static void run(struct vd_job *job)
{
	struct work *work = work_of(job);
	struct fixture *f = work->fixture;

	if (work->is_gated)
		(void)sem_wait(&f->gate);
	f->priority = getpriority(PRIO_PROCESS, (id_t)gettid());
	f->ran[f->run_count++] = work->number;
}

static void done(struct vd_job *job)
{
	struct fixture *f = work_of(job)->fixture;

	f->settled[f->settled_count++] = work_of(job)->number;
	free(work_of(job));
}

static void drop(struct vd_job *job)
{
	struct fixture *f = work_of(job)->fixture;

	f->dropped[f->dropped_count++] = work_of(job)->number;
	free(work_of(job));
}

static void wake(void *argument)
{
	struct fixture *f = argument;

	(void)sem_post(&f->finished);
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	assert_non_null(f);
	assert_int_equal(sem_init(&f->finished, 0, 0), 0);
	assert_int_equal(sem_init(&f->gate, 0, 0), 0);
	assert_int_equal(vd_sideline_new(wake, f, &f->sideline), 0);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	f->sideline = vd_sideline_free(f->sideline);
	(void)sem_destroy(&f->finished);
	(void)sem_destroy(&f->gate);
	free(f);
	return 0;
}

static void put(struct fixture *f, int number, bool is_gated)
{
	struct work *work = calloc(1, sizeof *work);

	assert_non_null(work);
	*work = (struct work){ .job = { .run = run, .done = done, .drop = drop },
			       .fixture = f,
			       .number = number,
			       .is_gated = is_gated };
	vd_sideline_put(f->sideline, &work->job);
}

static void wait_for(struct fixture *f, int count)
{
	struct timespec until;

	(void)clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 10;
	while (count-- > 0)
		assert_int_equal(sem_timedwait(&f->finished, &until), 0);
}

static void jobs_run_in_order_and_come_back_in_order(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < JOBS; i++)
		put(f, i, false);
	wait_for(f, JOBS);
	vd_sideline_settle(f->sideline);
	assert_int_equal(f->settled_count, JOBS);
	for (int i = 0; i < JOBS; i++) {
		assert_int_equal(f->ran[i], i);
		assert_int_equal(f->settled[i], i);
	}
	assert_int_equal(f->dropped_count, 0);
}

static void jobs_run_at_the_lowest_priority_and_the_caller_keeps_its_own(void **state)
{
	struct fixture *f = *state;
	int before = getpriority(PRIO_PROCESS, (id_t)gettid());

	put(f, 0, false);
	wait_for(f, 1);
	vd_sideline_settle(f->sideline);
	assert_int_equal(f->priority, 19);
	assert_int_equal(getpriority(PRIO_PROCESS, (id_t)gettid()), before);
}

static void putting_never_waits_for_a_job_that_takes_long(void **state)
{
	struct fixture *f = *state;

	put(f, 0, true);
	for (int i = 1; i < JOBS; i++)
		put(f, i, false);
	vd_sideline_settle(f->sideline);
	assert_int_equal(f->settled_count, 0);
	(void)sem_post(&f->gate);
	wait_for(f, JOBS);
	vd_sideline_settle(f->sideline);
	assert_int_equal(f->settled_count, JOBS);
}

static void the_end_runs_what_waits_and_drops_what_nobody_settled(void **state)
{
	struct fixture *f = *state;

	put(f, 0, true);
	put(f, 1, false);
	put(f, 2, false);
	(void)sem_post(&f->gate);
	f->sideline = vd_sideline_free(f->sideline);
	assert_int_equal(f->run_count, 3);
	assert_int_equal(f->dropped_count, 3);
	assert_int_equal(f->settled_count, 0);
	assert_int_equal(f->dropped[0], 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
VD_TEST_MAIN(TEST(jobs_run_in_order_and_come_back_in_order),
	     TEST(jobs_run_at_the_lowest_priority_and_the_caller_keeps_its_own),
	     TEST(putting_never_waits_for_a_job_that_takes_long),
	     TEST(the_end_runs_what_waits_and_drops_what_nobody_settled))
