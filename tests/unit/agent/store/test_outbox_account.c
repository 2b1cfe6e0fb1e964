/* SPDX-License-Identifier: Apache-2.0 */
/*
 * accepted = delivered + tombstones, exactly: random puts of all classes into a small outbox, with
 * quotas and times to live, random drains, lost connections and restarts, by a fixed generator.
 */
#include "fixture.h"

static uint32_t state_of_random;

static uint32_t next_random(uint32_t below)
{
	state_of_random = state_of_random * 1664525 + 1013904223;
	return (state_of_random >> 8) % below;
}

static void put_some(struct bench *b, unsigned *n)
{
	for (unsigned count = next_random(60); count > 0; count--)
		(void)bench_put(b, (enum vd_class)next_random(VD_CLASSES), (*n)++,
				next_random(900));
}

static void send_some_and_lose_the_connection(struct bench *b)
{
	struct vd_outbox_batch batch;

	for (uint32_t count = next_random(4); count > 0; count--)
		if (vd_outbox_next(b->store, &batch) == 1 && next_random(2))
			bench_receive(b, &batch);
	if (next_random(2))
		vd_outbox_return_all(b->store);
}

static void check_figures(struct bench *b)
{
	struct vd_store_stats s;
	uint64_t accepted = 0;

	vd_store_stats(b->store, &s);
	for (int i = 0; i < VD_CLASSES; i++)
		accepted += s.classes[i].accepted;
	assert_int_equal(accepted, b->stored);
}

static void one_life(uint32_t seed)
{
	struct bench *b = bench_new();
	struct vd_store_stats s;
	unsigned n = 0;
	uint64_t delivered = 0, evicted = 0;

	state_of_random = seed;
	b->config.max_bytes = 150000;
	b->config.classes[VD_TELEMETRY].max_bytes = 30000;
	b->config.classes[VD_RAW].ttl_ms = 300;
	bench_open(b);
	for (int round = 0; round < 60; round++) {
		put_some(b, &n);
		if (next_random(3) == 0)
			send_some_and_lose_the_connection(b);
		if (next_random(8) == 0) {
			vd_outbox_return_all(b->store);
			(void)bench_drain(b, next_random(6));
		}
		if (next_random(2)) {
			bench_wait_answers(b);
			check_figures(b);
		}
		if (next_random(15) == 0) {
			bench_wait_answers(b);
			bench_reopen(b);
		}
	}
	bench_wait_answers(b);
	vd_outbox_return_all(b->store);
	bench_drain_all(b);
	vd_store_stats(b->store, &s);
	for (int i = 0; i < VD_CLASSES; i++) {
		delivered += s.classes[i].delivered;
		evicted += s.classes[i].evicted;
	}
	assert_int_equal(b->stored, delivered + evicted);
	assert_true(evicted > 0);
	assert_int_equal(b->tombstoned, evicted);
	/* Handed over before a loss of the connection, then evicted: both at the hub, never neither. */
	assert_true(b->received >= delivered);
	assert_true(b->received + b->tombstoned >= b->stored);
	bench_free(b);
}

static void accepted_is_delivered_and_tombstones_exactly(void **state)
{
	(void)state;
	for (uint32_t seed = 1; seed <= 5; seed++)
		one_life(seed);
}

VD_TEST_MAIN(cmocka_unit_test(accepted_is_delivered_and_tombstones_exactly), )
