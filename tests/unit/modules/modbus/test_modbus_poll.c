/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/modbus/poll.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include "vd_test.h"

/* A device in memory, and what it published. */
struct line {
	int result; /* of every read */
	struct vd_modbus_range bad;
	int reads;
	cJSON *last_samples, *last_status;
	int publications;
	size_t longest;
};

static int line_read(const struct vd_modbus_device *device, enum vd_modbus_area area,
		     struct vd_modbus_range range, uint16_t *words, void *argument)
{
	struct line *line = argument;

	line->reads++;
	if (line->result)
		return line->result;
	if (range.address < line->bad.address + line->bad.count &&
	    line->bad.address < range.address + range.count)
		return 2;
	for (uint32_t i = 0; i < range.count; i++)
		words[i] = (uint16_t)(0x4100 + (range.address + i) % 26);
	return 0;
}

static const char *line_text(void *argument)
{
	return "as told";
}

static bool line_is_stopped(void *argument)
{
	return false;
}

static void line_publish(const char *output, const char *record_class, cJSON **body, void *argument)
{
	struct line *line = argument;
	cJSON **last = !strcmp(output, "samples") ? &line->last_samples : &line->last_status;
	VD_CLEANUP(vd_free) char *text = vd_json_text(*body);

	line->publications++;
	if (strlen(text) > line->longest)
		line->longest = strlen(text);
	(void)vd_json_free(*last);
	*last = VD_TAKE(*body);
}

static const struct vd_modbus_transport tcp = { .type = VD_MODBUS_TCP };

struct bench {
	struct vd_modbus_tag tags[600];
	struct vd_modbus_device is;
	struct vd_modbus_poll_device *device;
	struct line line;
	char names[600][40];
};

static struct bench *set_up(size_t count, enum vd_modbus_type type, size_t string_bytes)
{
	struct bench *bench = calloc(1, sizeof *bench);

	assert_non_null(bench);
	for (size_t i = 0; i < count; i++) {
		struct vd_modbus_tag *tag = &bench->tags[i];

		(void)snprintf(bench->names[i], sizeof bench->names[i], "tag-%zu", i);
		*tag = (struct vd_modbus_tag){ .name = bench->names[i],
					       .interval_ms = 100,
					       .deadband = -1 };
		tag->format = vd_modbus_format_plain(type, VD_MODBUS_ABCD);
		if (string_bytes)
			tag->format.string_bytes = string_bytes;
		tag->count = (uint16_t)vd_modbus_format_words(&tag->format);
		tag->address = (uint16_t)(i * tag->count);
	}
	bench->is = (struct vd_modbus_device){ .name = "press",
					       .back_off_ms = 1000,
					       .back_off_most_ms = 4000,
					       .reprobe_ms = 60000,
					       .max_registers = 125,
					       .max_bits = 2000,
					       .fail_after = 1,
					       .tags = bench->tags,
					       .tag_count = count };
	assert_int_equal(vd_modbus_poll_device_new(&bench->is, &tcp, 0, &bench->device), 0);
	return bench;
}

static void tear_down(struct bench *bench)
{
	(void)vd_modbus_poll_device_free(bench->device);
	(void)vd_json_free(bench->line.last_samples);
	(void)vd_json_free(bench->line.last_status);
	free(bench);
}

static bool poll_at(struct bench *bench, uint64_t now_ms)
{
	const struct vd_modbus_poll_reader reader = { line_read, line_text, line_is_stopped,
						      &bench->line };
	const struct vd_modbus_poll_events events = { line_publish, &bench->line };

	return vd_modbus_poll_once(bench->device, &reader, &events, now_ms * 1000);
}

static const char *quality_of(struct bench *bench, const char *tag)
{
	return vd_json_string(vd_json_get(vd_json_get(bench->line.last_samples, "samples"), tag),
			      "quality", "");
}

static void a_device_never_polled_is_unknown(void **state)
{
	struct bench *bench = set_up(3, VD_MODBUS_UINT16, 0);
	VD_CLEANUP(vd_json_free) cJSON *report = vd_modbus_poll_report(bench->device);

	assert_int_equal(vd_modbus_poll_status(bench->device), VD_MODBUS_UNKNOWN);
	assert_string_equal(vd_json_string(report, "status", ""), "unknown");
	tear_down(bench);
}

static void a_poll_publishes_and_says_ok(void **state)
{
	struct bench *bench = set_up(3, VD_MODBUS_UINT16, 0);

	assert_true(poll_at(bench, 0));
	assert_string_equal(quality_of(bench, "tag-2"), "good");
	assert_string_equal(vd_json_string(bench->line.last_status, "status", ""), "ok");
	assert_string_equal(vd_json_string(bench->line.last_status, "before", ""), "unknown");
	assert_true(vd_modbus_poll_take_change(bench->device));
	assert_false(vd_modbus_poll_take_change(bench->device));
	assert_int_equal(bench->line.reads, 1);
	assert_int_equal(vd_modbus_poll_due_us(bench->device), 100000);
	assert_false(poll_at(bench, 50));
	tear_down(bench);
}

static void a_silent_device_costs_one_request_and_is_left_alone(void **state)
{
	struct bench *bench = set_up(600, VD_MODBUS_UINT16, 0);

	bench->line.result = -ETIMEDOUT;
	assert_true(poll_at(bench, 0));
	assert_int_equal(bench->line.reads, 1);
	assert_string_equal(vd_json_string(bench->line.last_status, "status", ""), "dead");
	assert_string_equal(vd_json_string(bench->line.last_status, "text", ""),
			    "holding 0 to 124: as told");
	for (uint64_t now = 100; now < 1000; now += 100)
		assert_false(poll_at(bench, now));
	assert_int_equal(bench->line.reads, 1);
	bench->line.result = 0;
	assert_true(poll_at(bench, 1000));
	assert_int_equal(vd_modbus_poll_status(bench->device), VD_MODBUS_OK);
	tear_down(bench);
}

static void each_failure_has_its_quality(void **state)
{
	static const struct {
		int result;
		const char *quality;
	} table[] = { { -ETIMEDOUT, "timeout" },
		      { -EPROTO, "decode" },
		      { -ENOTCONN, "disconnected" },
		      { -ECONNRESET, "disconnected" },
		      { 4, "exception" },
		      { 11, "exception" },
		      { 2, "bad_address" },
		      { 3, "bad_address" } };

	for (size_t i = 0; i < VD_COUNT(table); i++) {
		struct bench *bench = set_up(1, VD_MODBUS_UINT16, 0);

		bench->line.result = table[i].result;
		assert_true(poll_at(bench, 0));
		assert_string_equal(quality_of(bench, "tag-0"), table[i].quality);
		assert_int_equal(vd_modbus_poll_status(bench->device), VD_MODBUS_DEAD);
		tear_down(bench);
	}
}

static void a_bad_register_is_left_out_and_tried_again_later(void **state)
{
	struct bench *bench = set_up(100, VD_MODBUS_UINT16, 0);

	bench->line.bad = (struct vd_modbus_range){ 50, 1 };
	assert_true(poll_at(bench, 0));
	assert_string_equal(quality_of(bench, "tag-50"), "bad_address");
	assert_string_equal(quality_of(bench, "tag-49"), "good");
	assert_int_equal(vd_modbus_poll_status(bench->device), VD_MODBUS_PARTIAL);
	bench->line.reads = 0;
	assert_true(poll_at(bench, 100));
	assert_int_equal(bench->line.reads, 2);
	bench->line.bad = (struct vd_modbus_range){ 0 };
	bench->line.reads = 0;
	assert_true(poll_at(bench, 60100));
	assert_int_equal(bench->line.reads, 1);
	assert_int_equal(vd_modbus_poll_status(bench->device), VD_MODBUS_OK);
	tear_down(bench);
}

static void a_publication_always_fits_a_packet(void **state)
{
	struct bench *bench = set_up(250, VD_MODBUS_STRING, 250);

	assert_true(poll_at(bench, 0));
	assert_true(bench->line.publications > 2);
	assert_true(bench->line.longest < 60000);
	tear_down(bench);
}

static void missed_polls_are_counted(void **state)
{
	struct bench *bench = set_up(1, VD_MODBUS_UINT16, 0);
	VD_CLEANUP(vd_json_free) cJSON *report = NULL;

	assert_true(poll_at(bench, 0));
	assert_true(poll_at(bench, 1050));
	report = vd_modbus_poll_report(bench->device);
	assert_true(vd_json_number(report, "missedPolls", 0) == 9);
	assert_true(vd_json_number(report, "polls", 0) == 2);
	assert_true(vd_json_number(report, "jitterMostMs", 0) == 50);
	assert_true(vd_json_number(report, "goodShare", 0) == 1);
	tear_down(bench);
}

VD_TEST_MAIN(cmocka_unit_test(a_device_never_polled_is_unknown),
	     cmocka_unit_test(a_poll_publishes_and_says_ok),
	     cmocka_unit_test(a_silent_device_costs_one_request_and_is_left_alone),
	     cmocka_unit_test(each_failure_has_its_quality),
	     cmocka_unit_test(a_bad_register_is_left_out_and_tried_again_later),
	     cmocka_unit_test(a_publication_always_fits_a_packet),
	     cmocka_unit_test(missed_polls_are_counted))
