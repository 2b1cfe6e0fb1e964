/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/modbus/plan.h"

#include <errno.h>
#include <string.h>

#include "vd_test.h"

static const struct vd_modbus_refused nothing;

static struct vd_modbus_plan make(const struct vd_modbus_range *spans, size_t count,
				  const struct vd_modbus_cost *cost,
				  const struct vd_modbus_refused *refused)
{
	struct vd_modbus_plan plan;
	bool left_out[64];

	assert_true(count <= VD_COUNT(left_out));
	assert_int_equal(vd_modbus_plan_init(&plan, spans, count, cost, refused, left_out), 0);
	return plan;
}

static void near_addresses_are_read_together(void **state)
{
	static const struct vd_modbus_range spans[] = { { 10, 2 }, { 0, 1 }, { 100, 4 } };
	struct vd_modbus_cost cost = vd_modbus_cost_tcp(false, 0);
	struct vd_modbus_plan plan = make(spans, 3, &cost, &nothing);

	assert_int_equal(plan.count, 1);
	assert_int_equal(plan.blocks[0].range.address, 0);
	assert_int_equal(plan.blocks[0].range.count, 104);
	vd_modbus_plan_fini(&plan);
}

static void a_block_never_exceeds_the_limit(void **state)
{
	struct vd_modbus_range spans[60];
	struct vd_modbus_cost registers = vd_modbus_cost_tcp(false, 0),
			      bits = vd_modbus_cost_tcp(true, 0);
	struct vd_modbus_plan plan;

	for (uint32_t i = 0; i < VD_COUNT(spans); i++)
		spans[i] = (struct vd_modbus_range){ i * 100, 2 };
	plan = make(spans, VD_COUNT(spans), &registers, &nothing);
	for (size_t i = 0; i < plan.count; i++)
		assert_true(plan.blocks[i].range.count <= 125);
	vd_modbus_plan_fini(&plan);
	plan = make(spans, VD_COUNT(spans), &bits, &nothing);
	assert_int_equal(plan.count, 3);
	for (size_t i = 0; i < plan.count; i++)
		assert_true(plan.blocks[i].range.count <= 2000);
	vd_modbus_plan_fini(&plan);
}

/* The table of break-even holes at 9600 baud: about ten registers. */
static void on_a_slow_line_a_wide_hole_costs_more_than_a_request(void **state)
{
	struct vd_modbus_cost cost = vd_modbus_cost_serial(false, 0, 9600, 10, 0);
	struct vd_modbus_range spans[] = { { 0, 1 }, { 9, 1 } };
	struct vd_modbus_plan plan = make(spans, 2, &cost, &nothing);

	assert_int_equal(plan.count, 1);
	vd_modbus_plan_fini(&plan);
	spans[1].address = 13;
	plan = make(spans, 2, &cost, &nothing);
	assert_int_equal(plan.count, 2);
	vd_modbus_plan_fini(&plan);
}

static void impossible_spans_are_refused(void **state)
{
	static const struct vd_modbus_range bad[] = {
		{ 0, 0 }, { 0, 126 }, { 65535, 2 }, { 65536, 1 }
	};
	struct vd_modbus_cost cost = vd_modbus_cost_tcp(false, 0);
	struct vd_modbus_plan plan;
	bool left_out;

	for (size_t i = 0; i < VD_COUNT(bad); i++)
		assert_int_equal(vd_modbus_plan_init(&plan, &bad[i], 1, &cost, &nothing, &left_out),
				 -EINVAL);
}

static void refused_ranges_are_neither_read_nor_read_through(void **state)
{
	static const struct vd_modbus_range spans[] = { { 0, 1 }, { 4, 2 }, { 9, 1 } };
	struct vd_modbus_cost cost = vd_modbus_cost_tcp(false, 0);
	struct vd_modbus_refused refused = { 0 };
	struct vd_modbus_plan plan;
	bool left_out[3];

	vd_modbus_refused_add(&refused, (struct vd_modbus_range){ 5, 1 }, 1000);
	assert_int_equal(vd_modbus_plan_init(&plan, spans, 3, &cost, &refused, left_out), 0);
	assert_true(left_out[1] && !left_out[0] && !left_out[2]);
	assert_int_equal(plan.count, 2);
	vd_modbus_plan_fini(&plan);
	assert_int_equal(vd_modbus_refused_expire(&refused, 1000), 1);
	plan = make(spans, 3, &cost, &refused);
	assert_int_equal(plan.count, 1);
	vd_modbus_plan_fini(&plan);
}

/* --- Against every partition of small random maps --- */

static uint32_t next_random(uint32_t *state)
{
	*state = *state * 1664525U + 1013904223U;
	return *state >> 16;
}

enum { SMALL = 8, MAPS = 150 };

struct partition {
	const struct vd_modbus_range *spans;
	size_t count;
	const struct vd_modbus_cost *cost;
	const struct vd_modbus_refused *refused;
	size_t of[SMALL];
	uint64_t best;
};

static uint64_t cost_of_block(const struct partition *p, size_t block)
{
	uint32_t first = UINT32_MAX, end = 0;

	for (size_t i = 0; i < p->count; i++) {
		if (p->of[i] != block)
			continue;
		if (p->spans[i].address < first)
			first = p->spans[i].address;
		if (p->spans[i].address + p->spans[i].count > end)
			end = p->spans[i].address + p->spans[i].count;
	}
	if (end - first > p->cost->max_count ||
	    vd_modbus_refused_meets(p->refused, (struct vd_modbus_range){ first, end - first }))
		return UINT32_MAX * 1000ULL;
	return vd_modbus_cost_of(p->cost, end - first);
}

/* All set partitions of the spans, contiguous or not. NOLINTNEXTLINE(misc-no-recursion) */
static void try_partitions(struct partition *p, size_t at, size_t blocks)
{
	uint64_t total = 0;

	if (at < p->count) {
		for (size_t b = 0; b <= blocks; b++) {
			p->of[at] = b;
			try_partitions(p, at + 1, b == blocks ? blocks + 1 : blocks);
		}
		return;
	}
	for (size_t b = 0; b < blocks; b++)
		total += cost_of_block(p, b);
	if (total < p->best)
		p->best = total;
}

static void the_plan_costs_what_the_best_of_all_partitions_costs(void **state)
{
	const struct vd_modbus_cost costs[] = {
		vd_modbus_cost_tcp(false, 20), vd_modbus_cost_serial(false, 0, 9600, 11, 0),
		vd_modbus_cost_serial(false, 30, 115200, 10, 1000)
	};
	uint32_t random = 7;

	for (int map = 0; map < MAPS; map++) {
		const struct vd_modbus_cost *cost = &costs[map % 3];
		struct vd_modbus_range spans[SMALL];
		struct vd_modbus_refused refused = { 0 };
		struct partition p = { spans, 1 + next_random(&random) % SMALL,
				       cost,  &refused,
				       { 0 }, UINT64_MAX };
		struct vd_modbus_plan plan;

		for (size_t i = 0; i < p.count; i++)
			spans[i] = (struct vd_modbus_range){ next_random(&random) % 60,
							     1 + next_random(&random) % 4 };
		if (map % 2)
			vd_modbus_refused_add(&refused, (struct vd_modbus_range){ 70, 2 }, 1);
		if (map % 4 == 1) {
			struct vd_modbus_range hole = { next_random(&random) % 60, 1 };

			vd_modbus_refused_add(&refused, hole, 1);
			for (size_t i = 0; i < p.count; i++) {
				if (vd_modbus_refused_meets(&refused, spans[i]))
					spans[i] = (struct vd_modbus_range){ 61, 1 };
			}
		}
		plan = make(spans, p.count, cost, &refused);
		try_partitions(&p, 0, 0);
		assert_int_equal(plan.order_count, p.count);
		assert_true(plan.cost_ns == p.best);
		vd_modbus_plan_fini(&plan);
	}
}

/* --- Reading, with a device that refuses some addresses --- */

struct device {
	struct vd_modbus_range bad[2];
	int silent_after; /* reads; -1: never */
	int reads, results[64], heard[64];
};

static int device_read(struct vd_modbus_range range, void *argument)
{
	struct device *device = argument;

	if (device->silent_after >= 0 && device->reads >= device->silent_after)
		return -ETIMEDOUT;
	device->reads++;
	for (size_t i = 0; i < 2; i++) {
		if (range.address < device->bad[i].address + device->bad[i].count &&
		    device->bad[i].address < range.address + range.count)
			return 2;
	}
	return 0;
}

static void device_done(size_t span, int result, struct vd_modbus_range range, void *argument)
{
	struct device *device = argument;

	device->results[span] = result;
	device->heard[span]++;
}

static int read_all(struct device *device, const struct vd_modbus_range *spans, size_t count,
		    struct vd_modbus_refused *refused)
{
	const struct vd_modbus_reader reader = { device_read, device_done, device };
	struct vd_modbus_cost cost = vd_modbus_cost_tcp(false, 0);
	struct vd_modbus_plan plan = make(spans, count, &cost, refused);
	int r = 0;

	device->reads = 0;
	memset(device->heard, 0, sizeof device->heard);
	for (size_t i = 0; i < plan.count && r == 0; i++)
		r = vd_modbus_plan_read(&plan, i, spans, refused, 1000, &reader);
	vd_modbus_plan_fini(&plan);
	return r;
}

static void one_bad_register_is_found_and_costs_nothing_else(void **state)
{
	struct device device = { .bad = { { 37, 1 } }, .silent_after = -1 };
	struct vd_modbus_refused refused = { 0 };
	struct vd_modbus_range spans[60];

	for (uint32_t i = 0; i < VD_COUNT(spans); i++)
		spans[i] = (struct vd_modbus_range){ i, 1 };
	assert_int_equal(read_all(&device, spans, VD_COUNT(spans), &refused), 0);
	for (size_t i = 0; i < VD_COUNT(spans); i++) {
		assert_int_equal(device.heard[i], 1);
		assert_int_equal(device.results[i], i == 37 ? 2 : 0);
	}
	assert_true(device.reads <= 1 + 2 * 6);
	assert_int_equal(refused.count, 1);
	assert_int_equal(read_all(&device, spans, VD_COUNT(spans), &refused), 0);
	assert_int_equal(device.reads, 2);
}

static void a_bad_hole_is_remembered_and_no_longer_read_through(void **state)
{
	static const struct vd_modbus_range spans[] = { { 0, 2 }, { 8, 2 } };
	struct device device = { .bad = { { 5, 1 } }, .silent_after = -1 };
	struct vd_modbus_refused refused = { 0 };

	assert_int_equal(read_all(&device, spans, 2, &refused), 0);
	assert_int_equal(device.results[0], 0);
	assert_int_equal(device.results[1], 0);
	assert_int_equal(device.reads, 3);
	assert_int_equal(refused.count, 1);
	assert_int_equal(refused.items[0].range.address, 2);
	assert_int_equal(refused.items[0].range.count, 6);
	assert_int_equal(read_all(&device, spans, 2, &refused), 0);
	assert_int_equal(device.reads, 2);
}

static void a_device_that_falls_silent_is_not_asked_further(void **state)
{
	struct device device = { .bad = { { 0, 60 } }, .silent_after = 3 };
	struct vd_modbus_refused refused = { 0 };
	struct vd_modbus_range spans[16];

	for (uint32_t i = 0; i < VD_COUNT(spans); i++)
		spans[i] = (struct vd_modbus_range){ i, 1 };
	assert_int_equal(read_all(&device, spans, VD_COUNT(spans), &refused), -ETIMEDOUT);
	assert_int_equal(device.reads, 3);
	for (size_t i = 0; i < VD_COUNT(spans); i++)
		assert_int_equal(device.heard[i], 1);
}

static void the_memory_of_refusals_is_bounded(void **state)
{
	struct vd_modbus_refused refused = { 0 };

	for (uint32_t i = 0; i < 200; i++)
		vd_modbus_refused_add(&refused, (struct vd_modbus_range){ i, 1 }, 1000 + i);
	assert_int_equal(refused.count, VD_MODBUS_REFUSED);
	assert_true(vd_modbus_refused_meets(&refused, (struct vd_modbus_range){ 199, 1 }));
	assert_false(vd_modbus_refused_meets(&refused, (struct vd_modbus_range){ 0, 1 }));
}

VD_TEST_MAIN(cmocka_unit_test(near_addresses_are_read_together),
	     cmocka_unit_test(a_block_never_exceeds_the_limit),
	     cmocka_unit_test(on_a_slow_line_a_wide_hole_costs_more_than_a_request),
	     cmocka_unit_test(impossible_spans_are_refused),
	     cmocka_unit_test(refused_ranges_are_neither_read_nor_read_through),
	     cmocka_unit_test(the_plan_costs_what_the_best_of_all_partitions_costs),
	     cmocka_unit_test(one_bad_register_is_found_and_costs_nothing_else),
	     cmocka_unit_test(a_bad_hole_is_remembered_and_no_longer_read_through),
	     cmocka_unit_test(a_device_that_falls_silent_is_not_asked_further),
	     cmocka_unit_test(the_memory_of_refusals_is_bounded))
