/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <errno.h>

static int set_up(void **state)
{
	*state = bench_new();
	return 0;
}

static int tear_down(void **state)
{
	bench_free(*state);
	return 0;
}

static void a_record_is_answered_with_its_number_and_sent_whole(void **state)
{
	struct bench *b = *state;
	struct vd_outbox_batch batch;

	bench_open(b);
	assert_int_equal(bench_put(b, VD_VERDICT, 1, 20), 0);
	bench_wait_answers(b);
	assert_int_equal(b->stored, 1);
	assert_int_equal(b->last_seq, 1);
	bench_drain_all(b);
	assert_int_equal(b->received, 1);
	assert_int_equal(vd_outbox_next(b->store, &batch), 0);
}

static void the_bag_names_the_message_its_class_and_its_encoding(void **state)
{
	struct bench *b = *state;
	struct vd_outbox_batch batch;
	char expected[256];

	b->config.send_plain = true;
	bench_open(b);
	assert_int_equal(bench_put(b, VD_VERDICT, 1, 20), 0);
	bench_wait_answers(b);
	while (vd_outbox_next(b->store, &batch) == 0)
		;
	(void)snprintf(expected, sizeof expected,
		       "%%24.mid=%s%%3A1-1&%%24.ct=application%%2Fjson&%%24.ce=utf-8&vd-batch=1"
		       "&class=verdict",
		       b->boot_id);
	assert_string_equal(batch.bag, expected);
	assert_memory_equal(batch.payload, "[{\"deviceId\":\"d\\\"1\",\"bootId\":\"", 30);
	assert_int_equal(vd_outbox_out(b->store), 1);
	assert_int_equal(vd_outbox_delivered(b->store, batch.id + 1), -ENOENT);
	assert_int_equal(vd_outbox_delivered(b->store, batch.id), 0);
	assert_int_equal(vd_outbox_delivered(b->store, batch.id), -ENOENT);
}

static void records_survive_a_restart_and_numbers_go_on(void **state)
{
	struct bench *b = *state;

	bench_open(b);
	for (unsigned n = 1; n <= 10; n++)
		assert_int_equal(bench_put(b, VD_TELEMETRY, n, 50), 0);
	bench_wait_answers(b);
	bench_reopen(b);
	assert_int_equal(bench_put(b, VD_TELEMETRY, 11, 50), 0);
	bench_wait_answers(b);
	assert_int_equal(b->last_seq, 11);
	bench_drain_all(b);
	assert_int_equal(b->received, 11);
	assert_int_equal(b->duplicates, 0);
	bench_reopen(b);
	assert_int_equal(bench_put(b, VD_TELEMETRY, 12, 50), 0);
	bench_wait_answers(b);
	assert_int_equal(b->last_seq, 12); /* although the file was empty */
}

static void what_is_queued_at_the_close_is_written(void **state)
{
	struct bench *b = *state;

	bench_open(b);
	for (unsigned n = 1; n <= 5; n++)
		assert_int_equal(bench_put(b, VD_TELEMETRY, n, 50), 0);
	bench_reopen(b);
	bench_drain_all(b);
	assert_int_equal(b->received, 5);
}

static void single_verdicts_of_a_backlog_are_joined_to_batches(void **state)
{
	struct bench *b = *state;

	bench_open(b);
	for (unsigned n = 1; n <= 300; n++) {
		assert_int_equal(bench_put(b, VD_VERDICT, n, 60), 0);
		bench_wait_answers(b);
	}
	bench_reopen(b);
	bench_drain_all(b);
	assert_int_equal(b->received, 300);
	assert_false(b->is_out_of_order);
	assert_in_range(b->batches, 2, 20);
}

static void alarms_and_verdicts_leave_in_the_order_of_their_numbers(void **state)
{
	struct bench *b = *state;
	uint64_t last = 0;
	struct vd_outbox_batch batch;
	unsigned seen = 0;

	bench_open(b);
	for (unsigned n = 1; n <= 60; n++) {
		assert_int_equal(bench_put(b, n % 7 == 0 ? VD_ALARM : VD_VERDICT, n, 30), 0);
		bench_wait_answers(b);
	}
	bench_reopen(b);
	while (seen < 60) {
		if (vd_outbox_next(b->store, &batch) == 0)
			continue;
		assert_true(batch.first_seq > last);
		last = batch.last_seq;
		seen += batch.count;
		assert_int_equal(vd_outbox_delivered(b->store, batch.id), 0);
	}
	assert_int_equal(last, 60);
}

static void returned_batches_come_again_first_and_unchanged(void **state)
{
	struct bench *b = *state;
	struct vd_outbox_batch before[2], again;

	bench_open(b);
	for (unsigned n = 1; n <= 600; n++)
		assert_int_equal(bench_put(b, VD_VERDICT, n, 100), 0);
	bench_wait_answers(b);
	for (int i = 0; i < 2; i++)
		while (vd_outbox_next(b->store, &before[i]) == 0)
			;
	assert_int_equal(vd_outbox_delivered(b->store, before[1].id), 0);
	bench_receive(b, &before[0]); /* but the connection goes before it is acknowledged */
	vd_outbox_return_all(b->store);
	assert_int_equal(vd_outbox_out(b->store), 0);
	assert_int_equal(vd_outbox_next(b->store, &again), 1);
	assert_int_equal(again.first_seq, before[0].first_seq);
	assert_int_equal(again.last_seq, before[0].last_seq);
	vd_outbox_return_all(b->store);
	bench_drain_all(b);
	assert_int_equal(b->received + before[1].count, 600);
	assert_int_equal(b->duplicates, before[0].count);
}

static void live_telemetry_passes_a_backlog_that_drains_beside_it(void **state)
{
	struct bench *b = *state;
	size_t position = 0, live_at = 0;

	bench_open(b);
	for (unsigned n = 1; n <= 12000; n++) {
		assert_int_equal(bench_put(b, VD_TELEMETRY, n, 30), 0);
		if (n % 1000 == 0)
			bench_wait_answers(b);
	}
	bench_reopen(b);
	position = bench_drain(b, 1); /* sending resumes */
	assert_int_equal(bench_put(b, VD_TELEMETRY, 20000, 30), 0);
	bench_wait_answers(b);
	while (b->received < 12001) {
		position += bench_drain(b, 1);
		if (b->seen[20000] && !live_at)
			live_at = position;
	}
	/* At most behind what is loaded ahead, and what is sent while it is being loaded. */
	assert_in_range(live_at, 1, 24);
	assert_true(position > 40);
	assert_int_equal(b->duplicates, 0);
}

static void a_full_outbox_evicts_the_least_valuable_class_first(void **state)
{
	struct bench *b = *state;
	struct vd_store_stats stats;

	b->config.max_bytes = 800000;
	bench_open(b);
	for (unsigned n = 0; n < 2100; n++) {
		assert_int_equal(bench_put(b,
					   n % 3 == 0   ? VD_RAW
					   : n % 3 == 1 ? VD_TELEMETRY
							: VD_EVENT,
					   n, 800),
				 0);
		if (n % 30 == 29)
			bench_wait_answers(b);
	}
	bench_wait_answers(b);
	vd_store_stats(b->store, &stats);
	assert_int_equal(b->refused, 0);
	assert_int_equal(stats.classes[VD_EVENT].evicted, 0);
	assert_true(stats.classes[VD_RAW].evicted > 0);
	for (unsigned n = 3000; n < 3500; n++)
		assert_int_equal(bench_put(b, VD_VERDICT, n, 800), 0);
	bench_wait_answers(b);
	vd_store_stats(b->store, &stats);
	assert_true(stats.classes[VD_TELEMETRY].evicted > 0);
	assert_int_equal(stats.classes[VD_VERDICT].evicted, 0);
	assert_int_equal(stats.classes[VD_VERDICT].accepted, 500);
}

static void verdicts_are_refused_aloud_before_one_is_dropped(void **state)
{
	struct bench *b = *state;
	struct vd_store_stats stats;

	b->config.max_bytes = 100000;
	bench_open(b);
	for (unsigned n = 0; n < 300; n++) {
		assert_int_equal(bench_put(b, VD_VERDICT, n, 800), 0);
		bench_wait_answers(b);
	}
	assert_true(b->refused > 100);
	assert_string_equal(b->refusal, " the outbox is full");
	vd_store_stats(b->store, &stats);
	assert_int_equal(stats.classes[VD_VERDICT].evicted, 0);
	assert_int_equal(stats.classes[VD_VERDICT].refused, b->refused);
	bench_drain_all(b);
	assert_int_equal(b->received, b->stored);
	assert_int_equal(bench_put(b, VD_VERDICT, 1000, 800), 0);
	bench_wait_answers(b);
	assert_int_equal(b->stored + b->refused, 301);
	assert_int_equal(b->last_seq, b->stored);
}

static void a_quota_holds_for_its_class_alone(void **state)
{
	struct bench *b = *state;
	struct vd_store_stats stats;

	b->config.classes[VD_TELEMETRY].max_bytes = 20000;
	bench_open(b);
	for (unsigned n = 0; n < 200; n++) {
		assert_int_equal(bench_put(b, n % 2 ? VD_RAW : VD_TELEMETRY, n, 800), 0);
		if (n % 10 == 9)
			bench_wait_answers(b);
	}
	bench_wait_answers(b);
	vd_store_stats(b->store, &stats);
	assert_true(stats.classes[VD_TELEMETRY].bytes <= 20000);
	assert_true(stats.classes[VD_TELEMETRY].evicted > 0);
	assert_int_equal(stats.classes[VD_RAW].evicted, 0);
	bench_drain_all(b);
	assert_int_equal(b->received + b->tombstoned, 200);
}

static bool has_expired(const struct bench *b)
{
	struct vd_store_stats stats;

	vd_store_stats(b->store, &stats);
	return stats.classes[VD_RAW].evicted > 0;
}

static void what_is_too_old_ends_as_a_tombstone(void **state)
{
	struct bench *b = *state;

	b->config.classes[VD_RAW].ttl_ms = 50;
	bench_open(b);
	for (unsigned n = 1; n <= 200; n++)
		assert_int_equal(bench_put(b, VD_RAW, n, 3000), 0);
	bench_wait_answers(b);
	bench_run(b, has_expired); /* what is not loaded for sending yet */
	bench_drain_all(b);
	assert_int_equal(b->received + b->tombstoned, 200);
	assert_true(b->tombstoned > 0);
}

static void new_bounds_hold_for_what_is_there_already_but_never_age_a_verdict(void **state)
{
	struct bench *b = *state;
	struct vd_store_stats stats;

	bench_open(b);
	for (unsigned n = 1; n <= 600; n++)
		assert_int_equal(bench_put(b, n % 6 ? VD_RAW : VD_VERDICT, n, 3000), 0);
	bench_wait_answers(b);
	vd_store_set_bounds(b->store, 1 << 20, 50);
	bench_run(b, has_expired); /* what is not loaded for sending yet */
	vd_store_stats(b->store, &stats);
	assert_int_equal(stats.classes[VD_VERDICT].evicted, 0);
	bench_drain_all(b);
	assert_int_equal(b->received + b->tombstoned, 600);
}

static void a_record_that_is_too_large_is_refused_with_its_place(void **state)
{
	static char body[VD_RECORD_BYTES + 1];
	struct bench *b = *state;
	struct vd_fault fault = { 0 };
	struct vd_record record = {
		.module = "m", .output = "o", .body = body, .body_len = sizeof body, .class = VD_RAW
	};

	bench_open(b);
	memset(body, '1', sizeof body);
	assert_int_equal(vd_outbox_put(b->store, &record, 1, &fault), -E2BIG);
	assert_int_equal(fault.code, 413);
	assert_string_equal(fault.pointer, "/body");
	record.body_len--;
	assert_int_equal(vd_outbox_put(b->store, &record, 1, &fault), 0);
	b->put++;
	bench_wait_answers(b);
	assert_int_equal(b->stored, 1);
}

static void a_second_agent_on_the_same_folder_is_refused(void **state)
{
	static const struct vd_store_handlers none = { 0 };
	struct bench *b = *state;
	struct vd_store *second = NULL;
	struct vd_fault fault = { 0 };

	bench_open(b);
	assert_int_equal(bench_put(b, VD_VERDICT, 1, 10), 0);
	bench_wait_answers(b);
	assert_int_equal(vd_store_open(b->loop, &b->config, &none, NULL, &second, &fault), -EBUSY);
	assert_non_null(strstr(fault.text, "another process has it open"));
}

VD_TEST_MAIN(
	cmocka_unit_test_setup_teardown(
		new_bounds_hold_for_what_is_there_already_but_never_age_a_verdict, set_up,
		tear_down),
	cmocka_unit_test_setup_teardown(a_record_is_answered_with_its_number_and_sent_whole, set_up,
					tear_down),
	cmocka_unit_test_setup_teardown(the_bag_names_the_message_its_class_and_its_encoding,
					set_up, tear_down),
	cmocka_unit_test_setup_teardown(records_survive_a_restart_and_numbers_go_on, set_up,
					tear_down),
	cmocka_unit_test_setup_teardown(what_is_queued_at_the_close_is_written, set_up, tear_down),
	cmocka_unit_test_setup_teardown(single_verdicts_of_a_backlog_are_joined_to_batches, set_up,
					tear_down),
	cmocka_unit_test_setup_teardown(alarms_and_verdicts_leave_in_the_order_of_their_numbers,
					set_up, tear_down),
	cmocka_unit_test_setup_teardown(returned_batches_come_again_first_and_unchanged, set_up,
					tear_down),
	cmocka_unit_test_setup_teardown(live_telemetry_passes_a_backlog_that_drains_beside_it,
					set_up, tear_down),
	cmocka_unit_test_setup_teardown(a_full_outbox_evicts_the_least_valuable_class_first, set_up,
					tear_down),
	cmocka_unit_test_setup_teardown(verdicts_are_refused_aloud_before_one_is_dropped, set_up,
					tear_down),
	cmocka_unit_test_setup_teardown(a_quota_holds_for_its_class_alone, set_up, tear_down),
	cmocka_unit_test_setup_teardown(what_is_too_old_ends_as_a_tombstone, set_up, tear_down),
	cmocka_unit_test_setup_teardown(a_record_that_is_too_large_is_refused_with_its_place,
					set_up, tear_down),
	cmocka_unit_test_setup_teardown(a_second_agent_on_the_same_folder_is_refused, set_up,
					tear_down), )
