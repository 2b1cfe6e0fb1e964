/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/modbus/sieve.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vd_test.h"

static struct vd_modbus_verdict verdict(const char *text)
{
	VD_CLEANUP(vd_json_free) cJSON *body = NULL;
	struct vd_modbus_verdict read;
	struct vd_fault fault = { 0 };

	assert_int_equal(vd_json_parse(text, strlen(text), &body, NULL), 0);
	assert_int_equal(vd_modbus_verdict_read(body, &read, &fault), 0);
	return read;
}

static enum vd_modbus_sieve_outcome try(struct vd_modbus_sieve *sieve, const char *text)
{
	const struct vd_modbus_verdict read = verdict(text);

	return vd_modbus_sieve_try(sieve, &read, 500, 10000);
}

#define NG(more) "{\"verdict\":\"NG\"," more "}"

static void a_verdict_that_comes_twice_acts_once(void **state)
{
	struct vd_modbus_sieve *sieve = calloc(1, sizeof *sieve);

	assert_int_equal(try(sieve, NG("\"itemId\":\"a\"")), VD_MODBUS_SIEVE_TAKEN);
	assert_int_equal(try(sieve, NG("\"itemId\":\"b\"")), VD_MODBUS_SIEVE_TAKEN);
	assert_int_equal(try(sieve, NG("\"itemId\":\"a\"")), VD_MODBUS_SIEVE_REPEATED);
	assert_int_equal(sieve->counts[VD_MODBUS_SIEVE_REPEATED], 1);
	free(sieve);
}

static void verdicts_without_a_whole_id_are_never_the_same(void **state)
{
	struct vd_modbus_sieve *sieve = calloc(1, sizeof *sieve);
	char text[300];

	(void)snprintf(text, sizeof text, "{\"verdict\":\"OK\",\"itemId\":\"%0100d\"}", 1);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(try(sieve, NG("\"itemId\":\"\"")), VD_MODBUS_SIEVE_TAKEN);
		assert_int_equal(try(sieve, text), VD_MODBUS_SIEVE_TAKEN);
	}
	free(sieve);
}

static void
an_item_that_a_crash_interrupted_does_not_act_on_the_part_that_is_there_now(void **state)
{
	struct vd_modbus_sieve *sieve = calloc(1, sizeof *sieve);

	assert_int_equal(try(sieve, NG("\"itemId\":\"a\",\"recovered\":true,"
				       "\"trigger\":{\"seq\":1,\"tMono\":9999}")),
			 VD_MODBUS_SIEVE_RECOVERED);
	free(sieve);
}

static void a_verdict_older_than_its_limit_is_passed_over(void **state)
{
	struct vd_modbus_sieve *sieve = calloc(1, sizeof *sieve);
	const struct vd_modbus_verdict old =
		verdict(NG("\"itemId\":\"c\",\"trigger\":{\"tMono\":1}"));

	assert_int_equal(try(sieve, NG("\"itemId\":\"a\",\"trigger\":{\"tMono\":9500}")),
			 VD_MODBUS_SIEVE_TAKEN);
	assert_int_equal(try(sieve, NG("\"itemId\":\"b\",\"trigger\":{\"tMono\":9499}")),
			 VD_MODBUS_SIEVE_TOO_OLD);
	assert_int_equal(vd_modbus_sieve_try(sieve, &old, 0, 10000), VD_MODBUS_SIEVE_TAKEN);
	free(sieve);
}

static void a_trigger_of_another_boot_is_too_old(void **state)
{
	struct vd_modbus_sieve *sieve = calloc(1, sizeof *sieve);

	assert_int_equal(try(sieve, NG("\"itemId\":\"a\",\"trigger\":{\"tMono\":99999999}")),
			 VD_MODBUS_SIEVE_TOO_OLD);
	assert_int_equal(sieve->counts[VD_MODBUS_SIEVE_TOO_OLD], 1);
	free(sieve);
}

static void only_so_many_items_are_known(void **state)
{
	struct vd_modbus_sieve *sieve = calloc(1, sizeof *sieve);
	char text[80];

	for (int i = 0; i <= VD_MODBUS_SIEVE; i++) {
		(void)snprintf(text, sizeof text, NG("\"itemId\":\"i%d\""), i);
		assert_int_equal(try(sieve, text), VD_MODBUS_SIEVE_TAKEN);
	}
	assert_int_equal(try(sieve, text), VD_MODBUS_SIEVE_REPEATED);
	assert_int_equal(try(sieve, NG("\"itemId\":\"i1\"")), VD_MODBUS_SIEVE_REPEATED);
	assert_int_equal(try(sieve, NG("\"itemId\":\"i0\"")), VD_MODBUS_SIEVE_TAKEN);
	free(sieve);
}

VD_TEST_MAIN(cmocka_unit_test(a_verdict_that_comes_twice_acts_once),
	     cmocka_unit_test(verdicts_without_a_whole_id_are_never_the_same),
	     cmocka_unit_test(
		     an_item_that_a_crash_interrupted_does_not_act_on_the_part_that_is_there_now),
	     cmocka_unit_test(a_verdict_older_than_its_limit_is_passed_over),
	     cmocka_unit_test(a_trigger_of_another_boot_is_too_old),
	     cmocka_unit_test(only_so_many_items_are_known))
