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
	cJSON *last_samples, *last_status, *last_edge;
	int edges, outages;
	enum vd_modbus_level level;
	uint16_t bit;          /* what stands at 1000, the source of the event */
	uint16_t acknowledged; /* at 1001 */
	bool has_no_serial;    /* 1010 cannot be read */
	struct bench *between; /* polls events of this one within each read */
	int publications;
	size_t longest;
};

static uint16_t word_at(const struct line *line, uint32_t address)
{
	if (address == 1000)
		return line->bit;
	if (address == 1001)
		return line->acknowledged;
	return (uint16_t)(0x4100 + address % 26);
}

static void line_between(struct line *line);

static int line_read(const struct vd_modbus_device *device, enum vd_modbus_area area,
		     struct vd_modbus_range range, uint16_t *words, void *argument)
{
	struct line *line = argument;

	line->reads++;
	if (line->result)
		return line->result;
	if (line->between)
		line_between(line);
	if (line->has_no_serial && range.address == 1010)
		return -ETIMEDOUT;
	if (range.address < line->bad.address + line->bad.count &&
	    line->bad.address < range.address + range.count)
		return 2;
	for (uint32_t i = 0; i < range.count; i++)
		words[i] = word_at(line, range.address + i);
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
	line->outages += !strcmp(vd_json_string(*body, "event", ""), "edgesUnseen");
	if (strlen(text) > line->longest)
		line->longest = strlen(text);
	(void)vd_json_free(*last);
	*last = VD_TAKE(*body);
}

static const struct vd_modbus_transport tcp = { .type = VD_MODBUS_TCP };

static void line_edge(const struct vd_modbus_event *event, uint64_t seq, cJSON **body,
		      void *argument)
{
	struct line *line = argument;

	line->edges++;
	(void)vd_json_free(line->last_edge);
	line->last_edge = VD_TAKE(*body);
}

static void line_level(const struct vd_modbus_event *event, enum vd_modbus_level level,
		       void *argument)
{
	struct line *line = argument;

	line->level = level;
}

struct bench {
	struct vd_modbus_tag tags[600];
	struct vd_modbus_event event;
	struct vd_modbus_output acknowledge;
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
	(void)vd_json_free(bench->line.last_edge);
	free(bench);
}

static struct vd_modbus_poll_events events_of(struct bench *bench)
{
	return (struct vd_modbus_poll_events){ line_publish, line_edge, line_level, &bench->line };
}

static bool poll_at(struct bench *bench, uint64_t now_ms)
{
	const struct vd_modbus_poll_reader reader = { line_read, line_text, line_is_stopped,
						      &bench->line };
	const struct vd_modbus_poll_events events = events_of(bench);

	return vd_modbus_poll_once(bench->device, &reader, &events, now_ms * 1000);
}

static const char *quality_of(struct bench *bench, const char *tag)
{
	return vd_json_string(vd_json_get(vd_json_get(bench->line.last_samples, "samples"), tag),
			      "quality", "");
}

static bool poll_events_at(struct bench *bench, uint64_t now_ms)
{
	const struct vd_modbus_poll_reader reader = { line_read, line_text, line_is_stopped,
						      &bench->line };
	const struct vd_modbus_poll_events events = events_of(bench);

	return vd_modbus_poll_events_once(bench->device, &reader, &events, now_ms * 1000);
}

static void line_between(struct line *line)
{
	struct bench *bench = line->between;

	line->between = NULL;
	(void)poll_events_at(bench, 15);
	line->between = bench;
}

/* count tags each second, and an event at 1000 with a serial number at 1010, each 10 ms. */
static struct bench *set_up_event(size_t count, const struct vd_modbus_event *event)
{
	struct bench *bench = set_up(count, VD_MODBUS_UINT16, 0);
	struct vd_modbus_tag *source;

	bench->event = *event;
	bench->event.name = "part";
	bench->event.gap_ms = 100;
	bench->event.serial =
		(struct vd_modbus_tag){ .name = "serial", .address = 1010, .count = 2 };
	bench->event.serial.format = vd_modbus_format_plain(VD_MODBUS_STRING, VD_MODBUS_ABCD);
	bench->event.serial.format.string_bytes = 4;
	memmove(&bench->tags[1], &bench->tags[0], count * sizeof *bench->tags);
	for (size_t i = 1; i <= count; i++)
		bench->tags[i].interval_ms = 1000;
	source = &bench->tags[0];
	*source = (struct vd_modbus_tag){ .name = "part",
					  .address = 1000,
					  .count = 1,
					  .interval_ms = 10,
					  .deadband = -1,
					  .event = &bench->event };
	source->format = vd_modbus_format_plain(VD_MODBUS_BOOL, VD_MODBUS_ABCD);
	bench->is.tag_count++;
	bench->is.events = &bench->event;
	bench->is.event_count = 1;
	(void)vd_modbus_poll_device_free(bench->device);
	assert_int_equal(vd_modbus_poll_device_new(&bench->is, &tcp, 0, &bench->device), 0);
	return bench;
}

static const struct vd_modbus_event rise = { .on = VD_MODBUS_ON_RISE };

static void an_edge_brings_its_serial_number_and_is_no_sample(void **state)
{
	struct bench *bench = set_up_event(0, &rise);
	const struct line *line = &bench->line;

	assert_true(poll_at(bench, 0));
	assert_int_equal(line->edges, 0);
	assert_int_equal(line->level, VD_MODBUS_LEVEL_OFF);
	bench->line.bit = 1;
	assert_true(poll_at(bench, 10));
	assert_true(poll_at(bench, 20));
	assert_int_equal(line->edges, 1);
	assert_null(line->last_samples);
	assert_string_equal(vd_json_string(line->last_edge, "event", ""), "part");
	assert_string_equal(vd_json_string(line->last_edge, "device", ""), "press");
	assert_string_equal(vd_json_string(line->last_edge, "edge", ""), "rise");
	assert_string_equal(vd_json_string(line->last_edge, "serial", ""), "A\026A\027");
	assert_int_equal(vd_json_int(line->last_edge, "seq", 0), 1);
	assert_int_equal(vd_json_int(line->last_edge, "tMono", 0), 10);
	assert_true(vd_json_bool(line->last_edge, "value", false));
	assert_true(vd_json_bool(line->last_edge, "missedUnknown", false));
	bench->line.bit = 0;
	assert_true(poll_at(bench, 30));
	bench->line.bit = 1;
	assert_true(poll_at(bench, 40));
	assert_int_equal(vd_json_int(line->last_edge, "seq", 0), 2);
	assert_null(vd_json_get(line->last_edge, "missedUnknown"));
	tear_down(bench);
}

static void an_edge_whose_serial_number_cannot_be_read_is_told_with_the_reason(void **state)
{
	struct bench *bench = set_up_event(0, &rise);

	assert_true(poll_at(bench, 0));
	bench->line.bit = 1;
	bench->line.has_no_serial = true;
	assert_true(poll_at(bench, 10));
	assert_int_equal(bench->line.edges, 1);
	assert_true(cJSON_IsNull(vd_json_get(bench->line.last_edge, "serial")));
	assert_string_equal(vd_json_string(bench->line.last_edge, "serialText", ""), "as told");
	assert_int_equal(bench->line.reads, 4);
	tear_down(bench);
}

static void an_outage_is_said_and_no_edge_is_made_of_it(void **state)
{
	struct bench *bench = set_up_event(0, &rise);

	assert_true(poll_at(bench, 0));
	bench->line.bit = 1;
	assert_true(poll_at(bench, 10));
	bench->line.result = -ETIMEDOUT;
	assert_true(poll_at(bench, 20));
	assert_int_equal(bench->line.outages, 1);
	bench->line.result = 0;
	assert_true(poll_at(bench, 1100));
	assert_int_equal(bench->line.edges, 1);
	bench->line.bit = 0;
	assert_true(poll_at(bench, 1110));
	bench->line.bit = 1;
	assert_true(poll_at(bench, 1120));
	assert_int_equal(bench->line.edges, 2);
	assert_true(vd_json_bool(bench->line.last_edge, "missedUnknown", false));
	assert_int_equal(bench->line.outages, 1);
	tear_down(bench);
}

static void a_level_found_that_is_acknowledged_already_is_not_told_again(void **state)
{
	const struct vd_modbus_event eager = { .at_start = true };

	for (uint16_t acknowledged = 0; acknowledged < 2; acknowledged++) {
		struct bench *bench = set_up_event(0, &eager);

		bench->acknowledge = (struct vd_modbus_output){ .address = 1001, .active = 1 };
		bench->acknowledge.format =
			vd_modbus_format_plain(VD_MODBUS_UINT16, VD_MODBUS_ABCD);
		bench->event.acknowledge = &bench->acknowledge;
		bench->line.bit = 1;
		bench->line.acknowledged = acknowledged;
		assert_true(poll_at(bench, 0));
		assert_true(poll_at(bench, 10));
		assert_int_equal(bench->line.edges, 1 - acknowledged);
		tear_down(bench);
	}
}

static void a_fast_source_is_read_between_the_requests_of_a_slow_poll(void **state)
{
	struct bench *bench = set_up_event(590, &rise);

	assert_true(poll_at(bench, 0));
	assert_int_equal(bench->line.reads, 1);
	bench->line.bit = 1;
	bench->line.between = bench;
	assert_true(poll_at(bench, 1)); /* the slow ones: five requests */
	assert_int_equal(bench->line.edges, 1);
	assert_int_equal(bench->line.reads, 1 + 5 + 2);
	assert_string_equal(quality_of(bench, "tag-589"), "good");
	tear_down(bench);
}

static void a_source_is_read_in_one_request_with_tags_of_its_period(void **state)
{
	struct bench *bench = set_up_event(0, &rise);

	bench->tags[1] = bench->tags[0];
	bench->tags[1].name = "beside";
	bench->tags[1].event = NULL;
	bench->tags[1].address = 990;
	bench->is.tag_count = 2;
	(void)vd_modbus_poll_device_free(bench->device);
	assert_int_equal(vd_modbus_poll_device_new(&bench->is, &tcp, 0, &bench->device), 0);
	assert_true(poll_at(bench, 0));
	assert_int_equal(bench->line.reads, 1);
	assert_string_equal(quality_of(bench, "beside"), "good");
	assert_string_equal(quality_of(bench, "part"), "");
	tear_down(bench);
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
	     cmocka_unit_test(missed_polls_are_counted),
	     cmocka_unit_test(an_edge_brings_its_serial_number_and_is_no_sample),
	     cmocka_unit_test(an_edge_whose_serial_number_cannot_be_read_is_told_with_the_reason),
	     cmocka_unit_test(an_outage_is_said_and_no_edge_is_made_of_it),
	     cmocka_unit_test(a_level_found_that_is_acknowledged_already_is_not_told_again),
	     cmocka_unit_test(a_fast_source_is_read_between_the_requests_of_a_slow_poll),
	     cmocka_unit_test(a_source_is_read_in_one_request_with_tags_of_its_period))
