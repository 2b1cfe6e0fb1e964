/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/modbus/edge.h"

#include "vd_test.h"

static const struct vd_modbus_event rise = { .name = "part",
					     .on = VD_MODBUS_ON_RISE,
					     .gap_ms = 100 };
static const struct vd_modbus_event fall = { .name = "part",
					     .on = VD_MODBUS_ON_FALL,
					     .gap_ms = 100 };
static const struct vd_modbus_event count = { .name = "parts", .on = VD_MODBUS_ON_CHANGE };
static const struct vd_modbus_event bouncy = { .name = "part", .debounce_ms = 20 };
static const struct vd_modbus_event eager = { .name = "part", .at_start = true };

static struct vd_modbus_edge watch(const struct vd_modbus_event *event)
{
	struct vd_modbus_edge edge;

	vd_modbus_edge_init(&edge, event);
	return edge;
}

static enum vd_modbus_edge_outcome bit(struct vd_modbus_edge *edge, bool level, uint64_t now_ms)
{
	const struct vd_modbus_value value = { .kind = VD_MODBUS_FLAG, .flag = level };

	return vd_modbus_edge_take(edge, &value, now_ms);
}

static enum vd_modbus_edge_outcome word(struct vd_modbus_edge *edge, int level, uint64_t now_ms)
{
	const struct vd_modbus_value value = { .kind = VD_MODBUS_INTEGER, .integer = level };

	return vd_modbus_edge_take(edge, &value, now_ms);
}

static void a_level_found_at_the_start_is_no_edge(void **state)
{
	struct vd_modbus_edge edge = watch(&rise);

	assert_int_equal(bit(&edge, true, 0), VD_MODBUS_EDGE_NONE);
	assert_int_equal(vd_modbus_edge_level(&edge), VD_MODBUS_LEVEL_ON);
	assert_int_equal(bit(&edge, false, 20), VD_MODBUS_EDGE_NONE);
	assert_int_equal(bit(&edge, true, 40), VD_MODBUS_EDGE_TRUE);
	assert_int_equal(bit(&edge, true, 60), VD_MODBUS_EDGE_NONE);
}

static void a_level_found_is_an_edge_where_the_event_says_so(void **state)
{
	struct vd_modbus_edge edge = watch(&eager);

	assert_int_equal(bit(&edge, true, 5), VD_MODBUS_EDGE_FOUND);
	assert_true(edge.was_at_start);
	assert_int_equal(edge.edge_ms, 5);
	edge = watch(&eager);
	assert_int_equal(bit(&edge, false, 5), VD_MODBUS_EDGE_NONE);
}

static void each_edge_fires_at_its_own_turn(void **state)
{
	struct vd_modbus_edge up = watch(&rise), down = watch(&fall), any = watch(&count);

	assert_int_equal(word(&up, 0, 0) | word(&down, 0, 0) | word(&any, 0, 0), 0);
	assert_int_equal(word(&up, 4, 10), VD_MODBUS_EDGE_TRUE);
	assert_int_equal(word(&down, 4, 10), VD_MODBUS_EDGE_NONE);
	assert_int_equal(word(&any, 4, 10), VD_MODBUS_EDGE_TRUE);
	assert_int_equal(word(&up, 5, 20), VD_MODBUS_EDGE_NONE);
	assert_int_equal(word(&down, 5, 20), VD_MODBUS_EDGE_NONE);
	assert_int_equal(word(&any, 5, 20), VD_MODBUS_EDGE_TRUE);
	assert_true(any.before == 4 && any.value == 5);
	assert_int_equal(word(&up, 0, 30), VD_MODBUS_EDGE_NONE);
	assert_int_equal(word(&down, 0, 30), VD_MODBUS_EDGE_TRUE);
	assert_int_equal(vd_modbus_edge_level(&down), VD_MODBUS_LEVEL_ON);
	assert_int_equal(vd_modbus_edge_level(&any), VD_MODBUS_LEVEL_UNKNOWN);
}

static void a_contact_that_bounces_is_one_edge_with_the_time_of_its_first_stable_read(void **state)
{
	struct vd_modbus_edge edge = watch(&bouncy);
	int edges = 0;

	(void)bit(&edge, false, 0);
	for (uint64_t now = 1; now < 50; now++)
		edges += bit(&edge, now % 3 != 0, now) != VD_MODBUS_EDGE_NONE;
	assert_int_equal(edges, 0);
	for (uint64_t now = 50; now < 100; now++)
		edges += bit(&edge, true, now) != VD_MODBUS_EDGE_NONE;
	assert_int_equal(edges, 1);
	assert_int_equal(edge.edge_ms, 49);
}

static void a_level_that_changed_across_a_long_outage_is_one_found(void **state)
{
	struct vd_modbus_edge edge = watch(&rise);

	(void)bit(&edge, false, 0);
	assert_true(vd_modbus_edge_fail(&edge));
	assert_false(vd_modbus_edge_fail(&edge));
	assert_int_equal(vd_modbus_edge_level(&edge), VD_MODBUS_LEVEL_UNKNOWN);
	assert_int_equal(bit(&edge, true, 101), VD_MODBUS_EDGE_NONE);
	assert_int_equal(bit(&edge, false, 120), VD_MODBUS_EDGE_NONE);
	assert_int_equal(bit(&edge, true, 140), VD_MODBUS_EDGE_TRUE);
	assert_int_equal(edge.outages, 1);
}

static void a_level_that_changed_across_a_short_failure_is_an_edge(void **state)
{
	struct vd_modbus_edge edge = watch(&rise);

	(void)bit(&edge, false, 0);
	(void)vd_modbus_edge_fail(&edge);
	assert_int_equal(bit(&edge, true, 100), VD_MODBUS_EDGE_TRUE);
	(void)vd_modbus_edge_fail(&edge);
	assert_int_equal(bit(&edge, true, 200), VD_MODBUS_EDGE_NONE);
}

static void a_new_connection_begins_anew_however_soon_it_was_made(void **state)
{
	struct vd_modbus_edge edge = watch(&rise);

	assert_false(vd_modbus_edge_reconnected(&edge));
	(void)bit(&edge, false, 0);
	assert_true(vd_modbus_edge_reconnected(&edge));
	assert_int_equal(bit(&edge, true, 1), VD_MODBUS_EDGE_NONE);
	assert_int_equal(vd_modbus_edge_level(&edge), VD_MODBUS_LEVEL_ON);
	assert_int_equal(edge.outages, 1);
}

static void what_may_have_been_missed_is_said_once(void **state)
{
	struct vd_modbus_edge edge = watch(&rise);

	assert_true(edge.is_missed_unknown);
	assert_int_equal(vd_modbus_edge_told(&edge), 1);
	assert_false(edge.is_missed_unknown);
	(void)vd_modbus_edge_fail(&edge);
	assert_true(edge.is_missed_unknown);
	assert_int_equal(vd_modbus_edge_told(&edge), 2);
	assert_false(edge.is_missed_unknown);
}

VD_TEST_MAIN(
	cmocka_unit_test(a_level_found_at_the_start_is_no_edge),
	cmocka_unit_test(a_level_found_is_an_edge_where_the_event_says_so),
	cmocka_unit_test(each_edge_fires_at_its_own_turn),
	cmocka_unit_test(a_contact_that_bounces_is_one_edge_with_the_time_of_its_first_stable_read),
	cmocka_unit_test(a_level_that_changed_across_a_long_outage_is_one_found),
	cmocka_unit_test(a_level_that_changed_across_a_short_failure_is_an_edge),
	cmocka_unit_test(a_new_connection_begins_anew_however_soon_it_was_made),
	cmocka_unit_test(what_may_have_been_missed_is_said_once))
