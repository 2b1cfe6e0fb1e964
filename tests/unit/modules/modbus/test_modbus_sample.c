/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/modbus/sample.h"

#include <string.h>

#include "vd_test.h"

static const struct vd_modbus_tag plain = {
	.name = "temp", .unit = "Cel", .deadband = -1, .max_silence_ms = 1000
};

static struct vd_modbus_value number(double n)
{
	return (struct vd_modbus_value){ VD_MODBUS_NUMBER, .number = n };
}

static void send_it(struct vd_modbus_sample *sample, const struct vd_modbus_tag *tag,
		    uint64_t now_ms)
{
	VD_CLEANUP(vd_json_free) cJSON *samples = cJSON_CreateObject();

	assert_true(vd_modbus_sample_add(sample, tag, now_ms, samples));
}

static void what_was_never_read_is_no_news(void **state)
{
	struct vd_modbus_sample sample = { 0 };

	assert_false(vd_modbus_sample_is_news(&sample, &plain, 5000));
}

static void without_a_deadband_every_poll_is_news(void **state)
{
	struct vd_modbus_sample sample = { 0 };
	struct vd_modbus_value value = number(1);

	vd_modbus_sample_good(&sample, &value, 1);
	send_it(&sample, &plain, 0);
	assert_true(vd_modbus_sample_is_news(&sample, &plain, 1));
}

static void a_deadband_is_measured_from_what_was_sent(void **state)
{
	struct vd_modbus_tag tag = plain;
	struct vd_modbus_sample sample = { 0 };
	struct vd_modbus_value value = number(10);

	tag.deadband = 2;
	vd_modbus_sample_good(&sample, &value, 1);
	assert_true(vd_modbus_sample_is_news(&sample, &tag, 0));
	send_it(&sample, &tag, 0);
	for (int i = 1; i <= 2; i++) {
		value = number(10 + i);
		vd_modbus_sample_good(&sample, &value, 1);
		assert_false(vd_modbus_sample_is_news(&sample, &tag, 1));
	}
	value = number(12.5);
	vd_modbus_sample_good(&sample, &value, 1);
	assert_true(vd_modbus_sample_is_news(&sample, &tag, 1));
	value = number(10);
	vd_modbus_sample_good(&sample, &value, 1);
	assert_false(vd_modbus_sample_is_news(&sample, &tag, 999));
	assert_true(vd_modbus_sample_is_news(&sample, &tag, 1000));
}

static void a_bad_quality_is_news_once_and_then_seldom(void **state)
{
	struct vd_modbus_sample sample = { 0 };

	vd_modbus_sample_bad(&sample, VD_MODBUS_TIMED_OUT, 0, 1, 1);
	assert_true(vd_modbus_sample_is_news(&sample, &plain, 0));
	send_it(&sample, &plain, 0);
	vd_modbus_sample_bad(&sample, VD_MODBUS_TIMED_OUT, 0, 1, 1);
	assert_false(vd_modbus_sample_is_news(&sample, &plain, 500));
	assert_true(vd_modbus_sample_is_news(&sample, &plain, 1000));
	vd_modbus_sample_bad(&sample, VD_MODBUS_EXCEPTION, 4, 1, 1);
	assert_true(vd_modbus_sample_is_news(&sample, &plain, 500));
}

static void a_value_turns_stale_and_then_is_gone(void **state)
{
	struct vd_modbus_sample sample = { 0 };
	struct vd_modbus_value value = number(1);

	vd_modbus_sample_good(&sample, &value, 77);
	vd_modbus_sample_bad(&sample, VD_MODBUS_TIMED_OUT, 0, 3, 99);
	vd_modbus_sample_bad(&sample, VD_MODBUS_TIMED_OUT, 0, 3, 99);
	assert_int_equal(sample.quality, VD_MODBUS_STALE);
	assert_int_equal(sample.wall_ms, 77);
	vd_modbus_sample_bad(&sample, VD_MODBUS_TIMED_OUT, 0, 3, 99);
	assert_int_equal(sample.quality, VD_MODBUS_TIMED_OUT);
	vd_modbus_sample_bad(&sample, VD_MODBUS_TIMED_OUT, 0, 3, 99);
	assert_int_equal(sample.quality, VD_MODBUS_TIMED_OUT);
}

static char *json_of(struct vd_modbus_sample *sample, const struct vd_modbus_tag *tag)
{
	VD_CLEANUP(vd_json_free) cJSON *samples = cJSON_CreateObject();

	assert_true(vd_modbus_sample_add(sample, tag, 0, samples));
	return vd_json_text(samples);
}

static void expect_json(struct vd_modbus_sample *sample, const struct vd_modbus_tag *tag,
			const char *wanted)
{
	VD_CLEANUP(vd_free) char *text = json_of(sample, tag);

	assert_string_equal(text, wanted);
	assert_true(strlen(text) <= vd_modbus_sample_bytes(sample, tag));
}

static void a_sample_never_invents_a_value(void **state)
{
	struct vd_modbus_sample sample = { 0 };
	struct vd_modbus_value value = number(12.5);

	vd_modbus_sample_good(&sample, &value, 0);
	expect_json(&sample, &plain,
		    "{\"temp\":{\"value\":12.5,\"quality\":\"good\",\"unit\":\"Cel\",\"t\":\"1970-"
		    "01-01T00:00:00.000Z\"}}");
	vd_modbus_sample_bad(&sample, VD_MODBUS_EXCEPTION, 6, 1, 0);
	expect_json(&sample, &plain,
		    "{\"temp\":{\"value\":null,\"quality\":\"exception\",\"code\":6,\"unit\":"
		    "\"Cel\",\"t\":\"1970-01-01T00:00:00.000Z\"}}");
}

static void an_integer_that_json_would_round_is_a_text(void **state)
{
	struct vd_modbus_tag tag = { .name = "n", .deadband = 0 };
	struct vd_modbus_sample sample = { 0 };
	struct vd_modbus_value value = { VD_MODBUS_INTEGER, .integer = 1000000000000001 };

	vd_modbus_sample_good(&sample, &value, 0);
	expect_json(&sample, &tag,
		    "{\"n\":{\"value\":\"1000000000000001\",\"quality\":\"good\",\"t\":\"1970-01-"
		    "01T00:00:00.000Z\"}}");
	value.integer = 999999999999999;
	assert_false(vd_modbus_sample_is_news(&sample, &tag, 1));
	vd_modbus_sample_good(&sample, &value, 0);
	assert_true(vd_modbus_sample_is_news(&sample, &tag, 1));
	expect_json(&sample, &tag,
		    "{\"n\":{\"value\":999999999999999,\"quality\":\"good\",\"t\":\"1970-01-01T00:"
		    "00:00.000Z\"}}");
}

VD_TEST_MAIN(cmocka_unit_test(what_was_never_read_is_no_news),
	     cmocka_unit_test(without_a_deadband_every_poll_is_news),
	     cmocka_unit_test(a_deadband_is_measured_from_what_was_sent),
	     cmocka_unit_test(a_bad_quality_is_news_once_and_then_seldom),
	     cmocka_unit_test(a_value_turns_stale_and_then_is_gone),
	     cmocka_unit_test(a_sample_never_invents_a_value),
	     cmocka_unit_test(an_integer_that_json_would_round_is_a_text))
