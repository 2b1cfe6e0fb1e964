/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <errno.h>

#include "vd_test.h"

static void times_are_written_in_utc_with_milliseconds(void **state)
{
	char text[VD_TIME_TEXT];

	assert_string_equal(vd_time_text(0, text), "1970-01-01T00:00:00.000Z");
	assert_string_equal(vd_time_text(1795304970123, text), "2026-11-21T23:49:30.123Z");
	assert_string_equal(vd_time_text(-1, text), "1969-12-31T23:59:59.999Z");
	assert_string_equal(vd_time_text(253402300799999, text), "9999-12-31T23:59:59.999Z");
}

static void times_beyond_four_digits_of_year_are_never(void **state)
{
	char text[VD_TIME_TEXT];

	assert_string_equal(vd_time_text(253402300800000, text), "0001-01-01T00:00:00Z");
	assert_string_equal(vd_time_text(INT64_MAX, text), "0001-01-01T00:00:00Z");
	assert_string_equal(vd_time_text(INT64_MIN, text), "0001-01-01T00:00:00Z");
}

static void what_is_written_reads_back(void **state)
{
	static const int64_t times[] = {
		0, 1, 999, -1, 1795304970123, 253402300799999, -30610224000000
	};
	char text[VD_TIME_TEXT];

	for (size_t i = 0; i < VD_COUNT(times); i++) {
		int64_t ms = 0;

		assert_int_equal(vd_time_parse(vd_time_text(times[i], text), &ms), 0);
		assert_true(ms == times[i]);
	}
}

static void decimals_and_offsets_are_read(void **state)
{
	static const struct {
		const char *text;
		int64_t ms;
	} cases[] = {
		{ "2026-11-21T23:49:30Z", 1795304970000 },
		{ "2026-11-21T23:49:30z", 1795304970000 },
		{ "2026-11-21T23:49:30.1Z", 1795304970100 },
		{ "2026-11-21T23:49:30.1234567Z", 1795304970123 },
		{ "2026-11-22T01:49:30.123+02:00", 1795304970123 },
		{ "2026-11-21T18:19:30.123-05:30", 1795304970123 },
		{ "2028-02-29T00:00:00Z", 1835395200000 },
		{ "2016-12-31T23:59:60Z", 1483228800000 },
		{ "0001-01-01T00:00:00Z", -62135596800000 },
	};

	for (size_t i = 0; i < VD_COUNT(cases); i++) {
		int64_t ms = 0;

		if (vd_time_parse(cases[i].text, &ms) < 0)
			fail_msg("%s", cases[i].text);
		assert_true(ms == cases[i].ms);
	}
}

static void anything_else_is_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"2026-11-21",
		"2026-11-21T23:49:30",
		"2026-11-21 23:49:30Z",
		"2026-11-21T23:49:30.Z",
		"2026-11-21T23:49:30.1234567890Z",
		"2026-11-21T23:49:30Zx",
		"2026-11-21T23:49:30+2:00",
		"2026-11-21T23:49:30+24:00",
		"2026-11-21T23:49:30+02:60",
		"2026-11-21T23:49:30+ 2:00",
		"2026-11-21T23:49:30+02:00x",
		"2026-13-21T23:49:30Z",
		"2026-11-31T12:00:00Z",
		"2026-02-29T12:00:00Z",
		"2026-11-21T24:49:30Z",
		" 2026-11-21T23:49:30Z",
		"2026-1-21T23:49:30Z",
		"26-11-21T23:49:30Z",
		"2026-11-21T23:49:30.1e3Z",
		"12026-11-21T23:49:30Z",
	};

	for (size_t i = 0; i < VD_COUNT(bad); i++) {
		int64_t ms = 42;

		if (vd_time_parse(bad[i], &ms) != -EINVAL)
			fail_msg("accepted: %s", bad[i]);
		assert_true(ms == 42);
	}
}

static void the_clocks_run_forward(void **state)
{
	uint64_t ms = vd_clock_mono_ms(), us = vd_clock_mono_us();

	assert_true(us / 1000 >= ms);
	assert_true(vd_clock_mono_us() >= us);
	assert_true(vd_clock_wall_ms() > 1700000000000);
	assert_non_null(vd_time_quality());
}

VD_TEST_MAIN(cmocka_unit_test(times_are_written_in_utc_with_milliseconds),
	     cmocka_unit_test(times_beyond_four_digits_of_year_are_never),
	     cmocka_unit_test(what_is_written_reads_back),
	     cmocka_unit_test(decimals_and_offsets_are_read),
	     cmocka_unit_test(anything_else_is_refused), cmocka_unit_test(the_clocks_run_forward))
