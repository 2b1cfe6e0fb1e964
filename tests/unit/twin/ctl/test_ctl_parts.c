/* SPDX-License-Identifier: Apache-2.0 */
#include "vd_test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "twin/ctl/assignment.h"
#include "twin/ctl/connection.h"
#include "twin/ctl/outcome.h"
#include "twin/ctl/sse.h"
#include "twin/ctl/table.h"

/* --- connection strings --- */

static void a_connection_string_is_read_in_any_order_with_equals_signs_in_its_key(void **state)
{
	struct vd_connection c;

	assert_int_equal(vd_connection_parse("SharedAccessKey=abc==;HostName=h.example:8443;"
					     "SharedAccessKeyName=service",
					     &c, NULL),
			 0);
	assert_string_equal(c.host, "h.example:8443");
	assert_string_equal(c.policy, "service");
	assert_string_equal(c.key, "abc==");
}

static void a_bad_connection_string_is_refused_without_showing_its_key(void **state)
{
	static const char *const bad[] = {
		"",
		"HostName=h",
		"HostName=h;SharedAccessKeyName=p",
		"HostName=h;SharedAccessKeyName=p;SharedAccesKey=secret",
		"HostName=h;SharedAccessKeyName=p;SharedAccessKey=",
		"secret",
	};
	struct vd_connection c;

	for (size_t i = 0; i < VD_COUNT(bad); i++) {
		struct vd_fault fault = { 0 };

		assert_int_equal(vd_connection_parse(bad[i], &c, &fault), -EINVAL);
		assert_int_equal(fault.code, 400);
		assert_null(strstr(fault.text, "=secret"));
	}
}

/* --- assignments --- */

static void assign(const char *const *list, size_t count, const char *expected)
{
	VD_CLEANUP(vd_json_free) cJSON *patch = cJSON_CreateObject();
	VD_CLEANUP(vd_free) char *text = NULL;

	for (size_t i = 0; i < count; i++)
		assert_int_equal(vd_assignment_add(patch, list[i], NULL), 0);
	text = vd_json_text(patch);
	assert_string_equal(text, expected);
}

static void assignments_become_one_patch(void **state)
{
	static const char *const list[] = {
		"modules.cam.parameters.fps=30",
		"modules.cam.status=running",
		"/modules/a~1b/x~0=[1,2]",
		"gone=null",
		"text=7 bananas",
		"empty=",
	};

	assign(list, VD_COUNT(list),
	       "{\"modules\":{\"cam\":{\"parameters\":{\"fps\":30},\"status\":\"running\"},"
	       "\"a/b\":{\"x~\":[1,2]}},\"gone\":null,\"text\":\"7 bananas\",\"empty\":\"\"}");
}

static void an_assignment_that_says_nothing_or_contradicts_is_refused(void **state)
{
	static const char *const bad[] = { "", "=1", "a", "a..b=1", "/=1", "x=2", "x.y=2", ".a=1" };
	VD_CLEANUP(vd_json_free) cJSON *patch = cJSON_CreateObject();

	assert_int_equal(vd_assignment_add(patch, "x=1", NULL), 0);
	for (size_t i = 0; i < VD_COUNT(bad); i++) {
		struct vd_fault fault = { 0 };

		assert_int_equal(vd_assignment_add(patch, bad[i], &fault), -EINVAL);
		assert_non_null(strstr(fault.text, bad[i]));
	}
}

/* --- outcomes --- */

static struct vd_outcome outcome_of(const char *reported, int64_t version, cJSON **twin)
{
	char text[1024];

	*twin = vd_json_free(*twin);
	(void)snprintf(text, sizeof text, "{\"properties\":{\"reported\":%s}}", reported);
	assert_int_equal(vd_json_parse(text, strlen(text), twin, NULL), 0);
	return vd_outcome_of(*twin, version);
}

static void a_change_is_pending_until_the_acknowledgement_covers_it(void **state)
{
	VD_CLEANUP(vd_json_free) cJSON *twin = NULL;
	struct vd_outcome o;

	assert_int_equal(outcome_of("{}", 2, &twin).state, VD_OUTCOME_PENDING);
	o = outcome_of("{\"desired\":{\"version\":1,\"code\":400,\"text\":\"old\"}}", 2, &twin);
	assert_int_equal(o.state, VD_OUTCOME_PENDING);
	assert_string_equal(o.text, "");
	o = outcome_of("{\"desired\":{\"version\":2,\"code\":200}}", 2, &twin);
	assert_int_equal(o.state, VD_OUTCOME_APPLIED);
	assert_int_equal(o.in_force, 2);
	o = outcome_of("{\"desired\":{\"version\":2,\"code\":400,\"text\":\"bad\","
		       "\"pointer\":\"/x\",\"inForce\":1}}",
		       2, &twin);
	assert_int_equal(o.state, VD_OUTCOME_REFUSED);
	assert_string_equal(o.pointer, "/x");
	assert_int_equal(o.in_force, 1);
}

static void a_module_that_refuses_is_told_with_its_reason(void **state)
{
	VD_CLEANUP(vd_json_free) cJSON *twin = NULL;
	struct vd_outcome o = outcome_of(
		"{\"desired\":{\"version\":3,\"code\":200},\"modules\":{"
		"\"a\":{\"acknowledged\":{\"version\":3,\"code\":200}},"
		"\"b\":{\"acknowledged\":{\"version\":3,\"code\":422,\"text\":\"too dark\"}}}}",
		3, &twin);

	assert_int_equal(o.state, VD_OUTCOME_REFUSED);
	assert_int_equal(o.code, 422);
	assert_string_equal(o.text, "too dark");
}

/* --- events --- */

static int collect(const char *type, const char *id, const char *data, void *argument)
{
	struct vd_buf *all = argument;

	return vd_buf_printf(all, "[%s %s %s]", type, id, data);
}

static void events_are_whole_whatever_the_portions(void **state)
{
	static const char stream[] =
		": hello\n\nid: 7\nevent: record\ndata: {\"a\":1}\n\n"
		"data:x\r\ndata: y\r\n\r\nevent: empty\n\nevent: twin\ndata\n\n"
		"data: z\n\n";

	for (size_t portion = 1; portion < sizeof stream; portion++) {
		VD_CLEANUP(vd_sse_fini) struct vd_sse sse = { 0 };
		VD_CLEANUP(vd_buf_fini) struct vd_buf all = { 0 };

		for (size_t at = 0; at < sizeof stream - 1; at += portion) {
			size_t len = sizeof stream - 1 - at;

			assert_int_equal(vd_sse_feed(&sse, stream + at,
						     len < portion ? len : portion, collect, &all),
					 0);
		}
		assert_string_equal(all.data, "[record 7 {\"a\":1}][message 7 x\ny][message 7 z]");
	}
}

/* --- tables --- */

static void check_table(const char *const (*rows)[3], size_t count, const char *expected)
{
	static const char *const headings[] = { "ID", "STATE", "TEXT", NULL };
	VD_CLEANUP(vd_table_free) struct vd_table *table = NULL;
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	assert_int_equal(vd_table_new(headings, &table), 0);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(vd_table_add(table, rows[i]), 0);
	vd_table_print(table, out);
	(void)fclose(out);
	assert_string_equal(text, expected);
	free(text);
}

static void a_table_fits_80_columns_and_shows_no_control_characters(void **state)
{
	static const char *const rows[][3] = {
		{ "d1", NULL, "short" },
		{ "d\xC3\xA9", "a\x1B[2J",
		  "a text that is far too long for a terminal of eighty columns and is therefore "
		  "cut at its end" },
	};

	check_table(
		rows, VD_COUNT(rows),
		"ID  STATE  TEXT\n"
		"d1  -      short\n"
		"d\xC3\xA9  a?[2J  a text that is far too long for a terminal of eighty columns "
		"and is \xE2\x80\xA6\n");
}

VD_TEST_MAIN(
	cmocka_unit_test(a_connection_string_is_read_in_any_order_with_equals_signs_in_its_key),
	cmocka_unit_test(a_bad_connection_string_is_refused_without_showing_its_key),
	cmocka_unit_test(assignments_become_one_patch),
	cmocka_unit_test(an_assignment_that_says_nothing_or_contradicts_is_refused),
	cmocka_unit_test(a_change_is_pending_until_the_acknowledgement_covers_it),
	cmocka_unit_test(a_module_that_refuses_is_told_with_its_reason),
	cmocka_unit_test(events_are_whole_whatever_the_portions),
	cmocka_unit_test(a_table_fits_80_columns_and_shows_no_control_characters))
