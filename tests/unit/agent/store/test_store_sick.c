/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A disk that fails. RLIMIT_FSIZE makes every write to a file fail (EFBIG, reported by SQLite as an
 * I/O error) until it is lifted; a small tmpfs is a disk that is really full, where one may mount.
 */
#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <unistd.h>

static int set_up(void **state)
{
	*state = bench_new();
	return 0;
}

static void set_writable(bool is_writable)
{
	struct rlimit limit;

	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = is_writable ? limit.rlim_max : 0;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static int tear_down(void **state)
{
	set_writable(true);
	bench_free(*state);
	return 0;
}

static bool is_degraded(const struct bench *b)
{
	return *b->degraded;
}

static bool is_sound(const struct bench *b)
{
	return !*b->degraded;
}

static void records_wait_in_memory_until_the_disk_is_well_again(void **state)
{
	struct bench *b = *state;
	struct vd_store_stats stats;

	bench_open(b);
	assert_int_equal(bench_put(b, VD_VERDICT, 1, 100), 0);
	bench_wait_answers(b);
	set_writable(false);
	for (unsigned n = 2; n <= 20; n++)
		assert_int_equal(bench_put(b, n % 2 ? VD_VERDICT : VD_TELEMETRY, n, 100), 0);
	bench_run(b, is_degraded);
	assert_int_equal(b->stored, 1); /* no silent success */
	assert_int_equal(b->refused, 0);
	vd_store_stats(b->store, &stats);
	assert_int_equal(stats.queued_records, 19);
	assert_true(*stats.degraded);
	set_writable(true);
	bench_run(b, is_sound);
	bench_wait_answers(b);
	assert_int_equal(b->stored, 20);
	bench_drain_all(b);
	assert_int_equal(b->received, 20);
	assert_int_equal(b->duplicates, 0);
	assert_false(b->is_out_of_order);
}

static void a_full_ring_refuses_and_keeps_a_part_for_verdicts(void **state)
{
	struct bench *b = *state;
	struct vd_fault fault = { 0 };
	struct vd_record record = {
		.class = VD_VERDICT, .module = "m", .output = "o", .body = "1", .body_len = 1
	};
	unsigned n = 0;

	b->config.ring_max_bytes = 40000;
	bench_open(b);
	assert_int_equal(bench_put(b, VD_VERDICT, n++, 100), 0);
	bench_wait_answers(b);
	set_writable(false);
	while (bench_put(b, VD_TELEMETRY, n, 1000) == 0)
		n++;
	assert_int_equal(bench_put(b, VD_VERDICT, n++, 1000), 0);
	while (bench_put(b, VD_VERDICT, n, 1000) == 0)
		n++;
	bench_run(b, is_degraded);
	while (vd_outbox_put(b->store, &record, n, &fault) == 0)
		b->put++;
	assert_int_equal(fault.code, 507);
	assert_non_null(strstr(fault.text, "ring in memory is full: "));
	set_writable(true);
	bench_wait_answers(b);
	assert_int_equal(b->stored, b->put);
}

static void documents_wait_too(void **state)
{
	struct bench *b = *state;

	bench_open(b);
	assert_int_equal(bench_put(b, VD_VERDICT, 1, 100), 0);
	bench_wait_answers(b);
	set_writable(false);
	assert_int_equal(vd_store_document_put(b->store, "desired", "{}", 2, 1), 0);
	bench_run(b, is_degraded);
	assert_int_equal(b->documents, 0);
	set_writable(true);
	bench_run(b, is_sound);
	assert_int_equal(b->documents, 1);
}

static void a_store_that_cannot_be_made_starts_degraded_and_recovers(void **state)
{
	struct bench *b = *state;
	char path[128];
	int fd;

	/* A file stands where the folder should be. */
	(void)snprintf(path, sizeof path, "%s/sub", b->folder);
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_int_equal(close(fd), 0);
	b->config.folder = path;
	bench_open(b);
	assert_int_equal(bench_put(b, VD_VERDICT, 1, 100), 0);
	bench_run(b, is_degraded);
	assert_int_equal(unlink(path), 0);
	bench_wait_answers(b);
	assert_int_equal(b->stored, 1);
	bench_drain_all(b);
	assert_int_equal(b->received, 1);
	b->store = vd_store_close(b->store);
}

static void fill_the_disk(const char *folder)
{
	char path[128], junk[4096] = { 1 };
	int fd;

	(void)snprintf(path, sizeof path, "%s/junk", folder);
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	while (write(fd, junk, sizeof junk) == sizeof junk)
		;
	assert_int_equal(close(fd), 0);
}

static void a_full_disk_loses_nothing_accepted_and_recovers(void **state)
{
	struct bench *b = *state;
	char path[128];
	unsigned n = 0;

	if (mount("none", b->folder, "tmpfs", 0, "size=2m") < 0)
		skip();
	b->config.ring_max_bytes = 100000;
	bench_open(b);
	for (; n < 50; n++)
		assert_int_equal(bench_put(b, VD_VERDICT, n, 1000), 0);
	bench_wait_answers(b);
	fill_the_disk(b->folder);
	while (bench_put(b, VD_VERDICT, n, 1000) == 0) {
		n++;
		if (b->put % 20 == 0)
			bench_run(b, b->stored + 40 < b->put ? is_degraded : is_sound);
	}
	bench_run(b, is_degraded);
	assert_true(b->refused_at_once > 0);
	assert_true(b->stored < b->put);
	(void)snprintf(path, sizeof path, "%s/junk", b->folder);
	assert_int_equal(unlink(path), 0);
	bench_wait_answers(b);
	assert_int_equal(b->stored, b->put);
	bench_drain_all(b);
	assert_int_equal(b->received, b->stored);
	b->store = vd_store_close(b->store);
	assert_int_equal(umount(b->folder), 0);
}

VD_TEST_MAIN(cmocka_unit_test_setup_teardown(records_wait_in_memory_until_the_disk_is_well_again,
					     set_up, tear_down),
	     cmocka_unit_test_setup_teardown(a_full_ring_refuses_and_keeps_a_part_for_verdicts,
					     set_up, tear_down),
	     cmocka_unit_test_setup_teardown(documents_wait_too, set_up, tear_down),
	     cmocka_unit_test_setup_teardown(
		     a_store_that_cannot_be_made_starts_degraded_and_recovers, set_up, tear_down),
	     cmocka_unit_test_setup_teardown(a_full_disk_loses_nothing_accepted_and_recovers,
					     set_up, tear_down), )
