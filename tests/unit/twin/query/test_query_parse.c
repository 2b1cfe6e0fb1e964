/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "query_of.h"

static void prints_as(const char *text, const char *canonical)
{
	VD_CLEANUP(vd_query_free) struct vd_query *query = query_of(text);
	VD_CLEANUP(vd_buf_fini) struct vd_buf out = { 0 };

	assert_int_equal(vd_query_print(query, &out), 0);
	assert_string_equal(out.data, canonical);
}

/* An expression of WHERE. */
static void where_prints_as(const char *text, const char *canonical)
{
	char query[1024], wanted[1024];

	(void)snprintf(query, sizeof query, "SELECT * FROM devices WHERE %s", text);
	(void)snprintf(wanted, sizeof wanted, "SELECT * FROM devices WHERE %s", canonical);
	prints_as(query, wanted);
	prints_as(wanted, wanted);
}

static void refuses_bytes(const char *text, size_t len, const char *reason)
{
	struct vd_query *query = NULL;
	struct vd_fault fault = { 0 };

	if (vd_query_parse(text, len, &query, &fault) != -EINVAL)
		fail_msg("%s was not refused", text);
	assert_null(query);
	assert_int_equal(fault.code, 400);
	assert_string_equal(fault.pointer, "");
	assert_string_equal(fault.text, reason);
}

static void refuses(const char *text, const char *reason)
{
	refuses_bytes(text, strlen(text), reason);
}

static void each_clause_has_its_forms(void **state)
{
	static const char *const cases[][2] = {
		{ "SELECT * FROM devices", "SELECT * FROM devices" },
		{ "select*from devices", "SELECT * FROM devices" },
		{ " Select \t*\r\nFrom Devices ", "SELECT * FROM devices" },
		{ "SELECT TOP 10 * FROM devices.modules", "SELECT TOP 10 * FROM devices.modules" },
		{ "SELECT * FROM devices . jobs", "SELECT * FROM devices.jobs" },
		{ "SELECT deviceId, tags.site FROM devices",
		  "SELECT deviceId AS deviceId, tags.site AS site FROM devices" },
		{ "SELECT deviceId AS d FROM devices", "SELECT deviceId AS d FROM devices" },
		{ "SELECT deviceId AS [[a b]] FROM devices",
		  "SELECT deviceId AS [[a b]] FROM devices" },
		{ "SELECT COUNT() FROM devices", "SELECT COUNT() AS $1 FROM devices" },
		{ "SELECT count ( ) AS n, avg(tags.a), Sum(tags.a), min(tags.a), MAX(tags.a) AS m "
		  "FROM devices",
		  "SELECT COUNT() AS n, AVG(tags.a) AS $2, SUM(tags.a) AS $3, MIN(tags.a) AS $4, "
		  "MAX(tags.a) AS m FROM devices" },
		{ "SELECT tags.a AS a, COUNT() AS n FROM devices GROUP BY tags.a",
		  "SELECT tags.a AS a, COUNT() AS n FROM devices GROUP BY tags.a" },
		{ "SELECT tags.a, tags.b FROM devices WHERE tags.c group by tags.a, tags.b",
		  "SELECT tags.a AS a, tags.b AS b FROM devices WHERE tags.c GROUP BY tags.a, "
		  "tags.b" },
	};

	for (size_t i = 0; i < VD_COUNT(cases); i++) {
		prints_as(cases[i][0], cases[i][1]);
		prints_as(cases[i][1], cases[i][1]);
	}
}

static void words_of_the_language_may_be_names_where_they_cannot_be_mistaken(void **state)
{
	prints_as("SELECT top FROM devices", "SELECT top AS top FROM devices");
	prints_as("SELECT top, count FROM devices",
		  "SELECT top AS top, count AS count FROM devices");
	prints_as("SELECT TOP 3 top AS max FROM devices", "SELECT TOP 3 top AS max FROM devices");
	where_prints_as("tags.group.order.in = tags.[[select]].from",
			"tags.group.order.in = tags.select.from");
	where_prints_as("[[select]] = 1", "[[select]] = 1");
	where_prints_as("[[devices]].x = 1", "[[devices]].x = 1");
}

static void names_of_the_collection_are_dropped(void **state)
{
	where_prints_as("devices.capabilities.iotEdge = true", "capabilities.iotEdge = true");
	prints_as("SELECT c.deviceId FROM devices c WHERE c.tags.a = devices.tags.b",
		  "SELECT deviceId AS deviceId FROM devices WHERE tags.a = tags.b");
	prints_as("SELECT * FROM devices AS twin WHERE twin.tags.a = 1",
		  "SELECT * FROM devices WHERE tags.a = 1");
	prints_as("SELECT * FROM devices.modules WHERE devices.modules.moduleId = modules.tags.m",
		  "SELECT * FROM devices.modules WHERE moduleId = tags.m");
	prints_as("SELECT * FROM devices.jobs WHERE devices.jobs.jobId = 'j' AND jobs.status = 'x'",
		  "SELECT * FROM devices.jobs WHERE jobId = 'j' AND status = 'x'");
}

static void names_at_the_top_of_a_twin_have_any_case(void **state)
{
	where_prints_as("LastActivityTime > 'a' AND DEVICEID = 'x'",
			"lastActivityTime > 'a' AND deviceId = 'x'");
	where_prints_as("Tags.Site = 'x'", "tags.Site = 'x'");
}

static void constants_are_read_as_azure_writes_them(void **state)
{
	static const char *const cases[][2] = {
		{ "tags.a = 'it\\'s'", "tags.a = 'it\\'s'" },
		{ "tags.a = 'it''s'", "tags.a = 'it\\'s'" },
		{ "tags.a = \"say \\\"x\\\"\"", "tags.a = 'say \"x\"'" },
		{ "tags.a = 'a\\\\b'", "tags.a = 'a\\\\b'" },
		{ "tags.a = '\\u00e9\\u20AC\\ud83d\\ude00'", "tags.a = '\xc3\xa9\xe2\x82\xac"
							     "\xf0\x9f\x98\x80'" },
		{ "tags.a = '\\u000a'", "tags.a = '\\u000a'" },
		{ "tags.a = ''", "tags.a = ''" },
		{ "tags.a = 0x1F", "tags.a = 31" },
		{ "tags.a = 1.50", "tags.a = 1.5" },
		{ "tags.a = 1e3", "tags.a = 1000" },
		{ "tags.a = 12.5E-1", "tags.a = 1.25" },
		{ "tags.a = 0.1", "tags.a = 0.1" },
		{ "tags.a = 9007199254740993", "tags.a = 9007199254740992" },
		{ "tags.a = -5", "tags.a = -5" },
		{ "tags.a = +5", "tags.a = 5" },
		{ "tags.a = - - 5", "tags.a = 5" },
		{ "tags.a = TRUE OR tags.a = False", "tags.a = true OR tags.a = false" },
		{ "tags.a = NULL OR tags.a = Undefined", "tags.a = null OR tags.a = undefined" },
		{ "tags.a IN ['b', 'a', 'b']", "tags.a IN ['a', 'b']" },
		{ "tags.a nin [3, -1, 'x', true, null]", "tags.a NIN [null, true, -1, 3, 'x']" },
		{ "'x' in ['x']", "'x' IN ['x']" },
	};

	for (size_t i = 0; i < VD_COUNT(cases); i++)
		where_prints_as(cases[i][0], cases[i][1]);
}

static void names_that_are_no_words_stand_in_brackets(void **state)
{
	where_prints_as("configurations.[[a-b:1]].status = 'Applied'",
			"configurations.[[a-b:1]].status = 'Applied'");
	where_prints_as("tags.[[plain]] = 1", "tags.plain = 1");
	where_prints_as("tags.[[1]] = 1", "tags.[[1]] = 1");
	where_prints_as("tags.[[a]]] = 1", "tags.[[a]]] = 1");
	where_prints_as("tags.\xc3\xa9 = 1", "tags.\xc3\xa9 = 1");
	where_prints_as("properties.desired.$version = properties.reported.lastDesiredVersion",
			"properties.desired.$version = properties.reported.lastDesiredVersion");
}

static void operators_bind_as_in_arithmetic_and_logic(void **state)
{
	static const char *const cases[][2] = {
		{ "a OR b AND c", "a OR b AND c" },
		{ "a OR (b AND c)", "a OR b AND c" },
		{ "(a OR b) AND c", "(a OR b) AND c" },
		{ "NOT a = 1", "NOT a = 1" },
		{ "NOT (a = 1)", "NOT a = 1" },
		{ "(NOT a) = b", "(NOT a) = b" },
		{ "NOT a AND b", "NOT a AND b" },
		{ "NOT (a AND b)", "NOT (a AND b)" },
		{ "NOT NOT a", "NOT NOT a" },
		{ "a + 1 < b * 2", "a + 1 < b * 2" },
		{ "(a + 1) * 2 = 1", "(a + 1) * 2 = 1" },
		{ "a - (b - 1) = 1", "a - (b - 1) = 1" },
		{ "(a - b) - 1 = 1", "a - b - 1 = 1" },
		{ "a / (b * c) % 2 = 1", "a / (b * c) % 2 = 1" },
		{ "-a * 2 = 1", "-a * 2 = 1" },
		{ "-(a * 2) = 1", "-(a * 2) = 1" },
		{ "a - -1 = 1", "a - -1 = 1" },
		{ "(a = 1) = b", "(a = 1) = b" },
		{ "(a IN [1]) = true", "(a IN [1]) = true" },
		{ "a + 1 IN [1]", "a + 1 IN [1]" },
		{ "a AND (b AND c)", "a AND (b AND c)" },
		{ "a <> 1 AND b != 2", "a != 1 AND b != 2" },
		{ "a >= 1 AND b<=2", "a >= 1 AND b <= 2" },
		{ "NOT is_defined( tags.x )", "NOT IS_DEFINED(tags.x)" },
	};

	for (size_t i = 0; i < VD_COUNT(cases); i++)
		where_prints_as(cases[i][0], cases[i][1]);
}

static const char *const mistakes[][2] = {
	{ "", "position 1: expected SELECT, found the end" },
	{ "SELEC * FROM devices", "position 1: expected SELECT, found 'SELEC'" },
	{ "SELECT", "position 7: expected a column, found the end" },
	{ "SELECT FROM devices", "position 8: expected a column, found 'FROM'" },
	{ "SELECT *, deviceId FROM devices", "position 9: expected FROM, found ','" },
	{ "SELECT deviceId, FROM devices", "position 18: expected a column, found 'FROM'" },
	{ "SELECT a WHERE b", "position 10: expected FROM, found 'WHERE'" },
	{ "SELECT TOP 0 * FROM devices", "position 12: expected a whole number from 1 to "
					 "2147483647 after TOP, found '0'" },
	{ "SELECT TOP 1.5 * FROM devices", "position 12: expected a whole number from 1 to "
					   "2147483647 after TOP, found '1.5'" },
	{ "SELECT COUNT(*) FROM devices",
	  "position 14: expected ')', since COUNT() counts rows, found '*'" },
	{ "SELECT AVG() FROM devices", "position 12: expected a property, found ')'" },
	{ "SELECT UPPER(a) FROM devices", "position 8: there is no function UPPER here, "
					  "only COUNT, AVG, SUM, MIN and MAX" },
	{ "SELECT a AS FROM devices", "position 18: expected FROM, found 'devices'" },
	{ "SELECT a AS 'x' FROM devices", "position 13: expected a name after AS, found 'x'" },
	{ "SELECT tags.a.x, tags.b.x FROM devices",
	  "position 18: two columns are named x: name one with AS" },
	{ "SELECT deviceId, COUNT() FROM devices",
	  "position 8: deviceId is neither in GROUP BY nor inside an aggregate" },
	{ "SELECT * FROM devices GROUP BY tags.a",
	  "position 1: SELECT * cannot be grouped: name the columns" },
	{ "SELECT * FROM c", "position 15: expected devices, found 'c'" },
	{ "SELECT * FROM devices.things", "position 23: expected modules or jobs, found 'things'" },
	{ "SELECT a FROM devices.jobs",
	  "position 1: of devices.jobs there is only SELECT *, ungrouped" },
	{ "SELECT * FROM devices AS WHERE",
	  "position 26: expected a name after AS, found 'WHERE'" },
	{ "SELECT * FROM devices d WHERE d = 1",
	  "position 31: 'd' is what FROM names, expected a property of it" },
	{ "SELECT * FROM devices a b",
	  "position 25: expected WHERE, GROUP BY or the end, found 'b'" },
	{ "SELECT * FROM devices ORDER BY a", "position 23: the query language has no ORDER" },
	{ "SELECT * FROM devices LIMIT 5", "position 23: the query language has no LIMIT" },
	{ "SELECT * FROM devices WHERE a LIKE 'x'", "position 31: the query language has no LIKE" },
	{ "SELECT * FROM devices WHERE", "position 28: expected a value, found the end" },
	{ "SELECT * FROM devices WHERE a =", "position 32: expected a value, found the end" },
	{ "SELECT * FROM devices WHERE a = AND b", "position 33: expected a value, found 'AND'" },
	{ "SELECT * FROM devices WHERE (a = 1", "position 35: expected ')', found the end" },
	{ "SELECT * FROM devices WHERE a = 1)",
	  "position 34: expected an operator, GROUP BY or the end, found ')'" },
	{ "SELECT * FROM devices WHERE a = 1 b",
	  "position 35: expected an operator, GROUP BY or the end, found 'b'" },
	{ "SELECT * FROM devices WHERE a = 1 = 1",
	  "position 35: one comparison cannot follow another: use AND, or parentheses" },
	{ "SELECT * FROM devices WHERE a NOT IN [1]",
	  "position 31: expected AND or OR before NOT (NOT IN is written NIN)" },
	{ "SELECT * FROM devices WHERE a IN (1)", "position 34: expected '[', found '('" },
	{ "SELECT * FROM devices WHERE a IN []", "position 35: expected a constant, found ']'" },
	{ "SELECT * FROM devices WHERE a IN [1,",
	  "position 37: expected a constant, found the end" },
	{ "SELECT * FROM devices WHERE a IN [1 2]", "position 37: expected ',' or ']', found '2'" },
	{ "SELECT * FROM devices WHERE a IN [b]", "position 35: expected a constant, found 'b'" },
	{ "SELECT * FROM devices WHERE a IN [-'x']", "position 36: expected a number, found 'x'" },
	{ "SELECT * FROM devices WHERE a = [1]", "position 33: a list may only follow IN or NIN" },
	{ "SELECT * FROM devices WHERE ABS(a) = 1",
	  "position 29: there is no function ABS here, only IS_DEFINED" },
	{ "SELECT * FROM devices WHERE IS_DEFINED('a')",
	  "position 40: expected a property, found 'a'" },
	{ "SELECT * FROM devices WHERE tags.",
	  "position 34: expected a property after '.', found the end" },
	{ "SELECT * FROM devices WHERE tags.'a' = 1",
	  "position 34: expected a property after '.', found 'a'" },
	{ "SELECT * FROM devices WHERE tags.1 = 1",
	  "position 34: expected a property (one that begins with a digit is written "
	  "[[so]]), found '1'" },
	{ "SELECT * FROM devices WHERE tags.a[0] = 1",
	  "position 35: elements of an array cannot be asked for; a name in [[ ]] follows "
	  "a "
	  "'.'" },
	{ "SELECT * FROM devices WHERE tags.[[]] = 1", "position 34: [[]] has no name in it" },
	{ "SELECT * FROM devices WHERE tags.[[a = 1", "position 34: [[ has no ]]" },
	{ "SELECT * FROM devices WHERE a = 'x", "position 33: the text has no end: expected '" },
	{ "SELECT * FROM devices WHERE a = 'x\\n'",
	  "position 35: escapes are \\' \\\" \\\\ and \\uXXXX" },
	{ "SELECT * FROM devices WHERE a = '\\u12g4'",
	  "position 34: \\u takes four hexadecimal digits" },
	{ "SELECT * FROM devices WHERE a = '\\u0000'", "position 34: \\u0000 is not allowed" },
	{ "SELECT * FROM devices WHERE a = '\\ud800x'", "position 34: half a surrogate pair" },
	{ "SELECT * FROM devices WHERE a = 12ab", "position 33: this is not a number" },
	{ "SELECT * FROM devices WHERE a = 0x", "position 33: this is not a number" },
	{ "SELECT * FROM devices WHERE a = 1e999", "position 33: the number is too large" },
	{ "SELECT * FROM devices WHERE a == 1", "position 32: expected a value, found '='" },
	{ "SELECT * FROM devices WHERE a ! 1", "position 31: '!' has no meaning here" },
	{ "SELECT * FROM devices WHERE a = 1;", "position 34: ';' has no meaning here" },
	{ "SELECT * FROM devices WHERE a = '\xc3\xa9' x",
	  "position 37: expected an operator, GROUP BY or the end, found 'x'" },
	{ "SELECT * FROM devices WHERE a = '\xc3('", "position 34: this is not UTF-8 text" },
	{ "SELECT * FROM devices WHERE \xff", "position 29: this is not UTF-8 text" },
	{ "SELECT a FROM devices GROUP a", "position 29: expected BY, found 'a'" },
	{ "SELECT a FROM devices GROUP BY 1", "position 32: expected a property, found '1'" },
	{ "SELECT a FROM devices GROUP BY a HAVING 1",
	  "position 34: the query language has no HAVING" },
	{ "SELECT a FROM devices GROUP BY a WHERE 1",
	  "position 34: expected the end, found 'WHERE'" },
};

static void each_mistake_has_its_position_and_what_was_expected(void **state)
{
	for (size_t i = 0; i < VD_COUNT(mistakes); i++)
		refuses(mistakes[i][0], mistakes[i][1]);
	refuses_bytes("SELECT * FROM devices\0", 22, "position 22: this is not UTF-8 text");
}

static void each_step_into_the_depth_is_counted(void **state)
{
	static const char *const forms[][3] = {
		{ "(", "a", ")" }, { "NOT ", "a", "" }, { "- ", "a", "" }, { "1 + ", "a", "" }
	};

	for (size_t i = 0; i < VD_COUNT(forms); i++) {
		for (int n = 40; n <= 5000; n += 4960) {
			VD_CLEANUP(vd_buf_fini) struct vd_buf text = { 0 };
			VD_CLEANUP(vd_query_free) struct vd_query *query = NULL;
			struct vd_fault fault = { 0 };
			int r = vd_buf_printf(&text, "SELECT * FROM devices WHERE ");

			for (int j = 0; r == 0 && j < n; j++)
				r = vd_buf_printf(&text, "%s", forms[i][0]);
			assert_int_equal(vd_buf_printf(&text, "%s", forms[i][1]), 0);
			for (int j = 0; r == 0 && j < n; j++)
				r = vd_buf_printf(&text, "%s", forms[i][2]);
			assert_int_equal(r, 0);
			assert_int_equal(vd_query_parse(text.data, text.len, &query, &fault),
					 n == 40 ? 0 : -EINVAL);
			if (n != 40)
				assert_non_null(strstr(fault.text, "more than 64 levels deep"));
		}
	}
}

static void a_thousand_alternatives_are_one_level(void **state)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf text = { 0 }, out = { 0 };
	VD_CLEANUP(vd_query_free) struct vd_query *query = NULL;
	int r = vd_buf_printf(&text, "SELECT * FROM devices WHERE deviceId = 'd0'");

	for (int i = 1; r == 0 && i < 1000; i++)
		r = vd_buf_printf(&text, " OR deviceId = 'd%d'", i);
	assert_int_equal(r, 0);
	query = query_of(text.data);
	assert_int_equal(vd_query_print(query, &out), 0);
	assert_string_equal(out.data, text.data);
}

static void what_is_too_much_is_refused(void **state)
{
	static char text[VD_QUERY_BYTES + 2];
	struct vd_query *query = NULL;
	struct vd_fault fault = { 0 };
	VD_CLEANUP(vd_buf_fini) struct vd_buf path = { 0 }, columns = { 0 };

	memset(text, ' ', sizeof text);
	assert_int_equal(vd_query_parse(text, VD_QUERY_BYTES + 1, &query, &fault), -EINVAL);
	assert_int_equal(fault.code, 413);
	assert_string_equal(fault.text, "the query has 65537 bytes, at most 65536");

	assert_int_equal(vd_buf_printf(&path, "SELECT tags"), 0);
	assert_int_equal(vd_buf_printf(&columns, "SELECT tags.a0"), 0);
	for (int i = 1; i < 65; i++) {
		assert_int_equal(vd_buf_printf(&path, ".a"), 0);
		assert_int_equal(vd_buf_printf(&columns, ", tags.a%d", i), 0);
	}
	assert_int_equal(vd_buf_printf(&columns, " FROM devices"), 0);
	refuses(path.data, "position 8: the path has more than 32 names");
	refuses(columns.data, "position 638: more than 64 columns");
}

/* --- printing and reading again, over random expressions --- */

static uint32_t next_random(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

static void append(struct vd_buf *out, const char *text)
{
	assert_int_equal(vd_buf_printf(out, "%s", text), 0);
}

static void random_expression(uint32_t *state, int depth, struct vd_buf *out)
{
	static const char *const leaves[] = {
		"tags.a",
		"tags.[[b c]]",
		"d.deviceId",
		"1",
		"-2.5",
		"0x10",
		"'it''s'",
		"\"q\"",
		"true",
		"null",
		"undefined",
		"1e-7",
		"is_defined(tags.a)",
	};
	static const char *const signs[] = { " + ",  " - ", " * ",  " / ",   " % ", " = ",
					     " != ", " < ", " >= ", " and ", " OR " };
	uint32_t choice = depth == 0 ? 0 : next_random(state) % 8;

	if (choice == 0) {
		append(out, leaves[next_random(state) % VD_COUNT(leaves)]);
		return;
	}
	append(out, choice == 1 ? "NOT (" : choice == 2 ? "-(" : "(");
	random_expression(state, depth - 1, out);
	append(out, ")");
	if (choice == 3)
		append(out, " NIN ['z', 2, 1, 'a']");
	if (choice < 4)
		return;
	append(out, signs[next_random(state) % VD_COUNT(signs)]);
	append(out, "(");
	random_expression(state, depth - 1, out);
	append(out, ")");
}

static void printing_and_reading_again_gives_the_same(void **state)
{
	static const char twin_text[] = "{'deviceId':'d','tags':{'a':3,'b c':-2.5}}";
	VD_CLEANUP(vd_json_free) cJSON *twin = json_of(twin_text);
	uint32_t random = 20261122;

	for (int i = 0; i < 2000; i++) {
		VD_CLEANUP(vd_buf_fini) struct vd_buf text = { 0 }, once = { 0 }, twice = { 0 };
		VD_CLEANUP(vd_query_free) struct vd_query *a = NULL;
		VD_CLEANUP(vd_query_free) struct vd_query *b = NULL;

		append(&text, "SELECT * FROM devices d WHERE ");
		random_expression(&random, 5, &text);
		a = query_of(text.data);
		assert_int_equal(vd_query_print(a, &once), 0);
		b = query_of(once.data);
		assert_int_equal(vd_query_print(b, &twice), 0);
		assert_string_equal(once.data, twice.data);
		assert_int_equal(vd_query_matches(a, twin), vd_query_matches(b, twin));
	}
}

VD_TEST_MAIN(cmocka_unit_test(each_clause_has_its_forms),
	     cmocka_unit_test(words_of_the_language_may_be_names_where_they_cannot_be_mistaken),
	     cmocka_unit_test(names_of_the_collection_are_dropped),
	     cmocka_unit_test(names_at_the_top_of_a_twin_have_any_case),
	     cmocka_unit_test(constants_are_read_as_azure_writes_them),
	     cmocka_unit_test(names_that_are_no_words_stand_in_brackets),
	     cmocka_unit_test(operators_bind_as_in_arithmetic_and_logic),
	     cmocka_unit_test(each_mistake_has_its_position_and_what_was_expected),
	     cmocka_unit_test(each_step_into_the_depth_is_counted),
	     cmocka_unit_test(a_thousand_alternatives_are_one_level),
	     cmocka_unit_test(what_is_too_much_is_refused),
	     cmocka_unit_test(printing_and_reading_again_gives_the_same))
