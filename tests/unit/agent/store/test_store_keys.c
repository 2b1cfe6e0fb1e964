/* SPDX-License-Identifier: Apache-2.0 */
/* A record that comes again under its key is stored once, whoever ended in between. */
#include "fixture.h"

#include <errno.h>

static struct bench *bench;

static int set_up(void **state)
{
	(void)state;
	bench = bench_new();
	bench_open(bench);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	bench_free(bench);
	bench = NULL;
	return 0;
}

static int put_as(const char *module, enum vd_class class, const char *key, unsigned n)
{
	char body[64];
	struct vd_record record = {
		.class = class,
		.module = module,
		.output = "verdict",
		.desired_version = 1,
		.body = body,
		.body_len = (size_t)snprintf(body, sizeof body, "{\"n\":%u}", n),
		.key = key,
	};
	int r = vd_outbox_put(bench->store, &record, n, NULL);

	if (r == 0)
		bench->put++;
	return r;
}

static void put(const char *key, unsigned n)
{
	assert_int_equal(put_as("station", VD_VERDICT, key, n), 0);
}

static void put_and_wait(const char *key, unsigned n)
{
	put(key, n);
	bench_wait_answers(bench);
}

static struct vd_store_stats stats(void)
{
	struct vd_store_stats s;

	vd_store_stats(bench->store, &s);
	return s;
}

static void a_known_key_is_answered_with_the_first_number_and_not_stored_again(void **state)
{
	(void)state;
	put_and_wait("part-1", 1);
	put_and_wait("part-1", 1);
	put_and_wait("part-2", 2);
	assert_int_equal(bench->seq_of[1], 1);
	assert_int_equal(bench->seq_of[2], 2);
	assert_int_equal(bench->stored, 3);
	assert_int_equal(stats().classes[VD_VERDICT].accepted, 2);
	assert_int_equal(stats().classes[VD_VERDICT].repeated, 1);
	assert_int_equal(stats().key_conflicts, 0);
	bench_drain_all(bench);
	assert_int_equal(bench->received, 2);
	assert_int_equal(bench->duplicates, 0);
}

static void a_key_outlives_the_agent_and_the_delivery_of_its_record(void **state)
{
	(void)state;
	put_and_wait("part-1", 1);
	bench_drain_all(bench);
	bench_reopen(bench);
	bench->seq_of[1] = 0;
	put_and_wait("part-1", 1);
	assert_int_equal(bench->seq_of[1], 1);
	bench_reopen(bench);
	put_and_wait("part-1", 1);
	put_and_wait("part-3", 3);
	bench_drain_all(bench);
	assert_int_equal(bench->received, 2);
	assert_int_equal(bench->duplicates, 0);
}

static void another_body_under_a_known_key_is_not_stored_but_counted(void **state)
{
	(void)state;
	put_and_wait("part-1", 1);
	put_and_wait("part-1", 2);
	assert_int_equal(bench->seq_of[2], bench->seq_of[1]);
	assert_int_equal(stats().key_conflicts, 1);
	bench_drain_all(bench);
	assert_int_equal(bench->seen[1], 1);
	assert_int_equal(bench->seen[2], 0);
}

static void the_same_key_twice_in_one_group_is_one_record(void **state)
{
	(void)state;
	/* The first commit is under way while the others gather. */
	for (unsigned i = 0; i < 200; i++) {
		char key[16];

		(void)snprintf(key, sizeof key, "part-%u", i / 4);
		put(key, 100 + i / 4);
	}
	bench_wait_answers(bench);
	assert_int_equal(bench->stored, 200);
	assert_int_equal(stats().classes[VD_VERDICT].accepted, 50);
	bench_drain_all(bench);
	assert_int_equal(bench->received, 50);
	assert_int_equal(bench->duplicates, 0);
}

static void a_key_belongs_to_its_module_and_holds_for_all_its_classes(void **state)
{
	(void)state;
	assert_int_equal(put_as("left", VD_VERDICT, "part-1", 1), 0);
	assert_int_equal(put_as("right", VD_VERDICT, "part-1", 2), 0);
	bench_wait_answers(bench);
	assert_int_equal(put_as("left", VD_TELEMETRY, "part-1", 1), 0);
	bench_wait_answers(bench);
	bench_drain_all(bench);
	assert_int_equal(bench->received, 2);
	assert_int_equal(stats().classes[VD_TELEMETRY].accepted, 0);
}

static void a_refused_record_leaves_no_key_behind(void **state)
{
	(void)state;
	vd_store_set_bounds(bench->store, 60, 0);
	put_and_wait("part-1", 1);
	assert_int_equal(bench->refused, 1);
	vd_store_set_bounds(bench->store, 1 << 20, 0);
	put_and_wait("part-1", 1);
	assert_int_equal(bench->stored, 1);
	bench_drain_all(bench);
	assert_int_equal(bench->seen[1], 1);
}

static void at_least_the_last_4096_keys_are_remembered_and_not_all_for_ever(void **state)
{
	char key[16];

	(void)state;
	for (unsigned n = 0; n < 3 * VD_KEYS; n++) {
		(void)snprintf(key, sizeof key, "p%u", n);
		put(key, n);
		if (n % 1000 == 999)
			bench_wait_answers(bench);
	}
	bench_wait_answers(bench);
	(void)snprintf(key, sizeof key, "p%u", 2 * VD_KEYS);
	put_and_wait(key, 2 * VD_KEYS);
	assert_int_equal(stats().classes[VD_VERDICT].repeated, 1);
	put_and_wait("p0", 0);
	assert_int_equal(stats().classes[VD_VERDICT].repeated, 1);
}

static void a_key_that_is_empty_or_too_long_is_refused(void **state)
{
	(void)state;
	assert_int_equal(put_as("m", VD_EVENT, "", 1), -EINVAL);
	assert_int_equal(put_as("m", VD_EVENT,
				"123456789 123456789 123456789 123456789 123456789 123456789 12345",
				1),
			 -EINVAL);
	assert_int_equal(put_as("m", VD_EVENT,
				"123456789 123456789 123456789 123456789 123456789 123456789 1234",
				1),
			 0);
	bench_wait_answers(bench);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

VD_TEST_MAIN(TEST(a_known_key_is_answered_with_the_first_number_and_not_stored_again),
	     TEST(a_key_outlives_the_agent_and_the_delivery_of_its_record),
	     TEST(another_body_under_a_known_key_is_not_stored_but_counted),
	     TEST(the_same_key_twice_in_one_group_is_one_record),
	     TEST(a_key_belongs_to_its_module_and_holds_for_all_its_classes),
	     TEST(a_refused_record_leaves_no_key_behind),
	     TEST(at_least_the_last_4096_keys_are_remembered_and_not_all_for_ever),
	     TEST(a_key_that_is_empty_or_too_long_is_refused), )
