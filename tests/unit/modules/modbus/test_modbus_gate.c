/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/modbus/gate.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "vd_test.h"

static const struct vd_modbus_device press = { .name = "press" };
static const struct vd_modbus_output ng = { .name = "reject", .safe = 0, .active = 1 };
static const struct vd_modbus_output ok = { .name = "accept", .safe = 0, .active = 1 };
static const struct vd_modbus_output code = { .name = "code", .safe = 0, .active = 1 };
static const struct vd_modbus_output sequence = { .name = "sequence" };

static const struct vd_modbus_verdicts full = {
	&press, &ng, &ok, &code, NULL, &sequence, VD_MODBUS_ACCEPT, VD_MODBUS_REJECT, 80, 500, 0
};
static const struct vd_modbus_verdicts only_ng = {
	&press, &ng, NULL, NULL, NULL, NULL, VD_MODBUS_ACCEPT, VD_MODBUS_REJECT, 80, 500, 0
};

/* Takes all that is due at now_ms and writes it down as "reject=1 ". */
static const char *run(struct vd_modbus_gate *gate, uint64_t now_ms, char *text, size_t size)
{
	struct vd_modbus_gate_step step;
	struct vd_modbus_gate_job job;
	size_t n = 0;

	text[0] = '\0';
	while (vd_modbus_gate_next(gate, now_ms, &step)) {
		n += (size_t)snprintf(text + n, size - n, "%s=%g ", step.output->name, step.value);
		(void)vd_modbus_gate_took(gate, &step, true, false, now_ms, &job);
	}
	return text;
}

static void put(struct vd_modbus_gate *gate, enum vd_modbus_decision decision, uint32_t seq,
		uint64_t now_ms)
{
	struct vd_modbus_verdict verdict = { .decision = decision,
					     .sequence = seq,
					     .item_id = "item-1" };

	assert_int_equal(vd_modbus_gate_put(gate, &verdict, now_ms), 0);
}

#define EXPECT(gate, now_ms, wanted)                                                               \
	do {                                                                                       \
		char text_[256];                                                                   \
		assert_string_equal(run(gate, now_ms, text_, sizeof text_), wanted);               \
	} while (0)

static void the_start_brings_all_outputs_to_their_safe_values(void **state)
{
	struct vd_modbus_gate gate;

	vd_modbus_gate_init(&gate, &full, 0);
	EXPECT(&gate, 0, "reject=0 accept=0 code=0 ");
	assert_true(vd_modbus_gate_due_ms(&gate) == UINT64_MAX);
}

static void a_verdict_is_written_with_its_sequence_last(void **state)
{
	struct vd_modbus_gate gate;

	vd_modbus_gate_init(&gate, &full, 0);
	EXPECT(&gate, 0, "reject=0 accept=0 code=0 ");
	put(&gate, VD_MODBUS_VERDICT_NG, 17, 10);
	EXPECT(&gate, 10, "code=3 reject=1 sequence=17 ");
	assert_int_equal(vd_modbus_gate_due_ms(&gate), 90);
	EXPECT(&gate, 89, "");
	EXPECT(&gate, 90, "reject=0 ");
	assert_int_equal(gate.done, 1);
}

static void a_reject_pulse_is_never_cut_short(void **state)
{
	struct vd_modbus_gate gate;

	vd_modbus_gate_init(&gate, &only_ng, 0);
	EXPECT(&gate, 0, "reject=0 ");
	put(&gate, VD_MODBUS_VERDICT_NG, 0, 0);
	EXPECT(&gate, 0, "reject=1 ");
	put(&gate, VD_MODBUS_VERDICT_OK, 0, 40);
	EXPECT(&gate, 40, "");
	assert_int_equal(gate.done, 2);
	EXPECT(&gate, 80, "reject=0 ");
}

static void the_next_reject_prolongs_the_pulse(void **state)
{
	struct vd_modbus_gate gate;

	vd_modbus_gate_init(&gate, &only_ng, 0);
	EXPECT(&gate, 0, "reject=0 ");
	put(&gate, VD_MODBUS_VERDICT_NG, 0, 0);
	EXPECT(&gate, 0, "reject=1 ");
	put(&gate, VD_MODBUS_VERDICT_NG, 0, 60);
	EXPECT(&gate, 60, "reject=1 ");
	EXPECT(&gate, 80, "");
	EXPECT(&gate, 140, "reject=0 ");
}

static void a_reject_ends_an_accept_pulse_at_once(void **state)
{
	struct vd_modbus_gate gate;

	vd_modbus_gate_init(&gate, &full, 0);
	EXPECT(&gate, 0, "reject=0 accept=0 code=0 ");
	put(&gate, VD_MODBUS_VERDICT_OK, 1, 0);
	EXPECT(&gate, 0, "code=1 accept=1 sequence=1 ");
	put(&gate, VD_MODBUS_VERDICT_NG, 2, 20);
	EXPECT(&gate, 20, "code=3 accept=0 reject=1 sequence=2 ");
	EXPECT(&gate, 100, "reject=0 ");
}

static void without_a_hold_time_outputs_stay_until_the_next_verdict(void **state)
{
	struct vd_modbus_verdicts latched = full;
	struct vd_modbus_gate gate;

	latched.hold_ms = 0;
	vd_modbus_gate_init(&gate, &latched, 0);
	EXPECT(&gate, 0, "reject=0 accept=0 code=0 ");
	put(&gate, VD_MODBUS_VERDICT_NG, 1, 0);
	EXPECT(&gate, 0, "code=3 reject=1 sequence=1 ");
	EXPECT(&gate, 100000, "");
	put(&gate, VD_MODBUS_VERDICT_OK, 2, 100000);
	EXPECT(&gate, 100000, "code=1 reject=0 accept=1 sequence=2 ");
}

static void no_decision_follows_its_policy(void **state)
{
	static const struct {
		enum vd_modbus_treatment policy;
		const char *wanted;
	} table[] = { { VD_MODBUS_REJECT, "code=4 reject=1 sequence=1 " },
		      { VD_MODBUS_ACCEPT, "code=4 accept=1 sequence=1 " },
		      { VD_MODBUS_NEITHER, "code=4 sequence=1 " } };

	for (size_t i = 0; i < VD_COUNT(table); i++) {
		struct vd_modbus_verdicts verdicts = full;
		struct vd_modbus_gate gate;

		verdicts.no_decision = table[i].policy;
		vd_modbus_gate_init(&gate, &verdicts, 0);
		EXPECT(&gate, 0, "reject=0 accept=0 code=0 ");
		put(&gate, VD_MODBUS_VERDICT_NONE, 0, 0);
		EXPECT(&gate, 0, table[i].wanted);
	}
}

static void a_failed_write_is_tried_again_until_its_deadline(void **state)
{
	struct vd_modbus_gate gate;
	struct vd_modbus_gate_step step;
	struct vd_modbus_gate_job job = { 0 };
	uint64_t now = 0;

	vd_modbus_gate_init(&gate, &only_ng, 0);
	EXPECT(&gate, 0, "reject=0 ");
	put(&gate, VD_MODBUS_VERDICT_NG, 5, 0);
	for (;; now += 10) {
		assert_true(vd_modbus_gate_next(&gate, now, &step));
		if (vd_modbus_gate_took(&gate, &step, false, false, now, &job) !=
		    VD_MODBUS_GATE_FINE)
			break;
		assert_false(vd_modbus_gate_next(&gate, now + 9, &step));
		assert_true(now <= 500);
	}
	assert_true(now > 480);
	assert_int_equal(job.verdict.sequence, 5);
	assert_true(job.tries > 10);
	assert_int_equal(gate.count, 0);
}

static void what_the_device_refuses_for_good_fails_at_once(void **state)
{
	struct vd_modbus_gate gate;
	struct vd_modbus_gate_step step;
	struct vd_modbus_gate_job job;

	vd_modbus_gate_init(&gate, &only_ng, 0);
	EXPECT(&gate, 0, "reject=0 ");
	put(&gate, VD_MODBUS_VERDICT_NG, 0, 0);
	assert_true(vd_modbus_gate_next(&gate, 0, &step));
	assert_int_equal(vd_modbus_gate_took(&gate, &step, false, true, 0, &job),
			 VD_MODBUS_GATE_FAILED);
}

static void a_write_that_came_late_has_failed(void **state)
{
	struct vd_modbus_gate gate;
	struct vd_modbus_gate_step step;
	struct vd_modbus_gate_job job;

	vd_modbus_gate_init(&gate, &only_ng, 0);
	EXPECT(&gate, 0, "reject=0 ");
	put(&gate, VD_MODBUS_VERDICT_NG, 0, 0);
	assert_true(vd_modbus_gate_next(&gate, 499, &step));
	assert_int_equal(vd_modbus_gate_took(&gate, &step, true, false, 501, &job),
			 VD_MODBUS_GATE_FAILED);
	/* It was written all the same, so its pulse ends. */
	EXPECT(&gate, 581, "reject=0 ");
}

static void verdicts_behind_a_dead_device_expire_one_by_one(void **state)
{
	struct vd_modbus_gate gate;
	struct vd_modbus_gate_job job;

	vd_modbus_gate_init(&gate, &only_ng, 0);
	for (uint32_t i = 0; i < VD_MODBUS_GATE_JOBS; i++)
		put(&gate, VD_MODBUS_VERDICT_NG, i + 1, i);
	assert_int_equal(vd_modbus_gate_put(&gate, &(struct vd_modbus_verdict){ .decision = 1 }, 0),
			 -ENOSPC);
	assert_false(vd_modbus_gate_expire(&gate, 500, &job));
	assert_true(vd_modbus_gate_expire(&gate, 501, &job));
	assert_int_equal(job.verdict.sequence, 1);
	assert_false(vd_modbus_gate_expire(&gate, 501, &job));
}

static void a_release_that_fails_is_told_once_and_tried_until_done(void **state)
{
	struct vd_modbus_gate gate;
	struct vd_modbus_gate_step step;
	struct vd_modbus_gate_job job;
	int stuck = 0;

	vd_modbus_gate_init(&gate, &only_ng, 0);
	for (uint64_t now = 0; now < 10000; now++) {
		if (vd_modbus_gate_next(&gate, now, &step))
			stuck += vd_modbus_gate_took(&gate, &step, false, false, now, &job) ==
				 VD_MODBUS_GATE_STUCK;
	}
	assert_int_equal(stuck, 1);
	EXPECT(&gate, 11000, "reject=0 ");
	assert_true(vd_modbus_gate_due_ms(&gate) == UINT64_MAX);
}

static void a_part_does_not_wait_for_the_retry_of_a_release(void **state)
{
	struct vd_modbus_gate gate;
	struct vd_modbus_gate_step step;
	struct vd_modbus_gate_job job;

	vd_modbus_gate_init(&gate, &only_ng, 0);
	assert_true(vd_modbus_gate_next(&gate, 0, &step));
	(void)vd_modbus_gate_took(&gate, &step, false, false, 0, &job);
	put(&gate, VD_MODBUS_VERDICT_NG, 0, 1);
	assert_true(vd_modbus_gate_next(&gate, 1, &step));
	assert_true(step.value == 1);
}

static void after_a_reconnect_the_off_is_written_again(void **state)
{
	struct vd_modbus_gate gate;

	vd_modbus_gate_init(&gate, &only_ng, 0);
	EXPECT(&gate, 0, "reject=0 ");
	put(&gate, VD_MODBUS_VERDICT_OK, 0, 0);
	EXPECT(&gate, 0, "");
	vd_modbus_gate_forget(&gate);
	put(&gate, VD_MODBUS_VERDICT_OK, 0, 1);
	EXPECT(&gate, 1, "reject=0 ");
}

static int read_verdict(const char *text, struct vd_modbus_verdict *verdict, struct vd_fault *fault)
{
	VD_CLEANUP(vd_json_free) cJSON *body = NULL;

	assert_int_equal(vd_json_parse(text, strlen(text), &body, NULL), 0);
	return vd_modbus_verdict_read(body, verdict, fault);
}

static void the_serial_number_goes_back_where_it_is_a_number_that_fits(void **state)
{
	static const struct {
		const char *text;
		double wanted;
	} table[] = { { "{\"verdict\":\"NG\",\"serial\":\"00041007\"}", 41007 },
		      { "{\"verdict\":\"NG\",\"serial\":17}", 17 },
		      { "{\"verdict\":\"NG\",\"serial\":\"70000\"}", 9 },
		      { "{\"verdict\":\"NG\",\"serial\":\"A1\"}", 9 },
		      { "{\"verdict\":\"NG\",\"serial\":\"\"}", 9 },
		      { "{\"verdict\":\"NG\"}", 9 } };
	struct vd_modbus_output serial = { .name = "serial", .area = VD_MODBUS_HOLDING, .safe = 9 };
	struct vd_modbus_verdicts verdicts = full;
	struct vd_modbus_write writes[VD_MODBUS_WRITES];

	serial.format = vd_modbus_format_plain(VD_MODBUS_UINT16, VD_MODBUS_ABCD);
	verdicts.serial = &serial;
	for (size_t i = 0; i < VD_COUNT(table); i++) {
		struct vd_modbus_verdict verdict;
		struct vd_fault fault = { 0 };

		assert_int_equal(read_verdict(table[i].text, &verdict, &fault), 0);
		assert_int_equal(vd_modbus_verdict_writes(&verdicts, &verdict, writes), 5);
		assert_ptr_equal(writes[1].output, &serial);
		assert_true(writes[1].value == table[i].wanted);
	}
}

static void a_verdict_is_read_from_its_record(void **state)
{
	struct vd_modbus_verdict verdict;
	struct vd_fault fault = { 0 };

	assert_int_equal(
		read_verdict("{\"itemId\":\"i7\",\"verdict\":\"NG\",\"trigger\":{\"seq\":65537}}",
			     &verdict, &fault),
		0);
	assert_int_equal(verdict.decision, VD_MODBUS_VERDICT_NG);
	assert_int_equal(verdict.sequence, 1);
	assert_string_equal(verdict.item_id, "i7");
	assert_int_equal(read_verdict("{\"verdict\":\"ng\"}", &verdict, &fault), VD_MODBUS_STRANGE);
	assert_int_equal(verdict.decision, VD_MODBUS_VERDICT_NONE);
	assert_string_equal(fault.pointer, "/verdict");
	assert_int_equal(read_verdict("{\"verdict\":1}", &verdict, &fault), -EINVAL);
	assert_int_equal(read_verdict("[]", &verdict, &fault), -EINVAL);
}

VD_TEST_MAIN(cmocka_unit_test(the_start_brings_all_outputs_to_their_safe_values),
	     cmocka_unit_test(a_verdict_is_written_with_its_sequence_last),
	     cmocka_unit_test(a_reject_pulse_is_never_cut_short),
	     cmocka_unit_test(the_next_reject_prolongs_the_pulse),
	     cmocka_unit_test(a_reject_ends_an_accept_pulse_at_once),
	     cmocka_unit_test(without_a_hold_time_outputs_stay_until_the_next_verdict),
	     cmocka_unit_test(no_decision_follows_its_policy),
	     cmocka_unit_test(a_failed_write_is_tried_again_until_its_deadline),
	     cmocka_unit_test(what_the_device_refuses_for_good_fails_at_once),
	     cmocka_unit_test(a_write_that_came_late_has_failed),
	     cmocka_unit_test(verdicts_behind_a_dead_device_expire_one_by_one),
	     cmocka_unit_test(a_release_that_fails_is_told_once_and_tried_until_done),
	     cmocka_unit_test(a_part_does_not_wait_for_the_retry_of_a_release),
	     cmocka_unit_test(after_a_reconnect_the_off_is_written_again),
	     cmocka_unit_test(the_serial_number_goes_back_where_it_is_a_number_that_fits),
	     cmocka_unit_test(a_verdict_is_read_from_its_record))
