/* SPDX-License-Identifier: Apache-2.0 */
#include "vd_test.h"

#include <errno.h>

#include "agent/store/policy.h"

static void the_least_valuable_class_goes_first(void **state)
{
	static const bool all[VD_CLASSES] = { true, true, true, true, true };
	static const bool no_raw[VD_CLASSES] = { true, true, true, true, false };

	(void)state;
	assert_int_equal(vd_policy_victim(VD_ALARM, all), VD_RAW);
	assert_int_equal(vd_policy_victim(VD_EVENT, no_raw), VD_TELEMETRY);
}

static void nothing_gives_way_to_a_lesser_class(void **state)
{
	static const bool no_raw[VD_CLASSES] = { true, true, true, true, false };

	(void)state;
	assert_int_equal(vd_policy_victim(VD_RAW, no_raw), -1);
}

static void alarms_and_verdicts_are_never_evicted(void **state)
{
	static const bool urgent[VD_CLASSES] = { true, true, false, false, false };

	(void)state;
	assert_int_equal(vd_policy_victim(VD_ALARM, urgent), -1);
}

static void no_stream_starves(void **state)
{
	static const bool all[VD_STREAMS] = { true, true, true };
	static const bool calm[VD_STREAMS] = { false, true, true };
	unsigned counts[VD_STREAMS] = { 0 }, calm_counts[VD_STREAMS] = { 0 };

	(void)state;
	for (unsigned turn = 0; turn < 80; turn++) {
		counts[vd_policy_stream(turn, all)]++;
		calm_counts[vd_policy_stream(turn, calm)]++;
	}
	assert_int_equal(counts[VD_STREAM_URGENT], 50);
	assert_int_equal(counts[VD_STREAM_LIVE], 20);
	assert_int_equal(counts[VD_STREAM_BACKLOG], 10);
	assert_int_equal(calm_counts[VD_STREAM_BACKLOG], 10);
}

static void an_empty_stream_gives_its_turn_away(void **state)
{
	static const bool backlog[VD_STREAMS] = { false, false, true };
	static const bool none[VD_STREAMS] = { false, false, false };

	(void)state;
	assert_int_equal(vd_policy_stream(0, backlog), VD_STREAM_BACKLOG);
	assert_int_equal(vd_policy_stream(0, none), -1);
}

static void images_of_good_parts_are_the_cheapest(void **state)
{
	(void)state;
	assert_true(vd_policy_image_worth("OK") < vd_policy_image_worth("WARN"));
	assert_true(vd_policy_image_worth("WARN") < vd_policy_image_worth("NG"));
	assert_int_equal(vd_policy_image_worth("NO_DECISION"), vd_policy_image_worth("NG"));
	assert_int_equal(vd_policy_image_worth(NULL), vd_policy_image_worth("NG"));
}

static void class_names_read_back(void **state)
{
	enum vd_class class;

	(void)state;
	for (int i = 0; i < VD_CLASSES; i++) {
		assert_int_equal(vd_class_parse(vd_class_name((enum vd_class)i), &class), 0);
		assert_int_equal(class, i);
	}
	assert_int_equal(vd_class_parse("Alarm", &class), -EINVAL);
	assert_int_equal(vd_class_parse(NULL, &class), -EINVAL);
}

VD_TEST_MAIN(cmocka_unit_test(the_least_valuable_class_goes_first),
	     cmocka_unit_test(nothing_gives_way_to_a_lesser_class),
	     cmocka_unit_test(alarms_and_verdicts_are_never_evicted),
	     cmocka_unit_test(no_stream_starves),
	     cmocka_unit_test(an_empty_stream_gives_its_turn_away),
	     cmocka_unit_test(images_of_good_parts_are_the_cheapest),
	     cmocka_unit_test(class_names_read_back), )
