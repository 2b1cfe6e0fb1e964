/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>

#include "query_of.h"

static const char twin_text[] =
	"{'deviceId':'d1','etag':'AAAAAAAAAAc=','status':'enabled','statusReason':null,'version':7,"
	"'capabilities':{'iotEdge':true},'configurations':{'c-1':{'status':'Applied'}},"
	"'tags':{'site':'Ulm','line':3,'on':true,'off':false,'zero':0,'half':0.5,'empty':'',"
	"'list':[1,2],'place':{'hall':'A'},'a b':1,'select':2},"
	"'properties':{'desired':{'$version':4,'rate':10,'$metadata':{'$lastUpdated':'2026'}},"
	"'reported':{'lastDesiredVersion':4,'rate':12,'mode':'auto','$version':9}}}";

/* '1' true, '0' false, '?' undefined: told apart by asking the expression, its NOT, and neither. */
static char value_of(const char *expression, const cJSON *twin)
{
	char text[1024];
	bool is[2];

	for (int i = 0; i < 2; i++) {
		VD_CLEANUP(vd_query_free) struct vd_query *query = NULL;

		(void)snprintf(text, sizeof text, "SELECT * FROM devices WHERE %s (%s)",
			       i ? "NOT" : "", expression);
		query = query_of(text);
		is[i] = vd_query_matches(query, twin);
	}
	assert_false(is[0] && is[1]);
	return is[0] ? '1' : is[1] ? '0' : '?';
}

static void evaluates(const char *expression, char wanted)
{
	VD_CLEANUP(vd_json_free) cJSON *twin = json_of(twin_text);
	char got = value_of(expression, twin);

	if (got != wanted)
		fail_msg("%s is %c and not %c", expression, got, wanted);
}

static void logic_has_three_values(void **state)
{
	static const char *const names[] = { "false", "tags.none", "true" };
	static const char and_table[3][4] = { "000", "0??", "0?1" };
	static const char or_table[3][4] = { "0?1", "??1", "111" };
	static const char not_table[] = "1?0";
	char text[80];

	for (int a = 0; a < 3; a++) {
		for (int b = 0; b < 3; b++) {
			(void)snprintf(text, sizeof text, "%s AND %s", names[a], names[b]);
			evaluates(text, and_table[a][b]);
			(void)snprintf(text, sizeof text, "%s OR %s", names[a], names[b]);
			evaluates(text, or_table[a][b]);
		}
		(void)snprintf(text, sizeof text, "NOT %s", names[a]);
		evaluates(text, not_table[a]);
	}
}

static void what_is_no_boolean_is_false(void **state)
{
	static const char *const values[] = { "1",         "0",          "'true'",
					      "null",      "''",         "tags.site",
					      "tags.line", "tags.place", "tags.list" };
	char text[80];

	for (size_t i = 0; i < VD_COUNT(values); i++) {
		(void)snprintf(text, sizeof text, "%s", values[i]);
		evaluates(text, '0');
		(void)snprintf(text, sizeof text, "%s OR true", values[i]);
		evaluates(text, '1');
		(void)snprintf(text, sizeof text, "NOT %s", values[i]);
		evaluates(text, '1');
	}
	evaluates("undefined", '?');
}

/* Every operator over every pair of types. */
static void only_primitives_of_one_type_compare(void **state)
{
	static const char *const types[] = { "null",       "true",      "1",        "'1'",
					     "tags.place", "tags.list", "undefined" };
	static const char *const signs[] = { "=", "!=", "<", "<=", ">", ">=" };
	char text[80];

	for (size_t a = 0; a < VD_COUNT(types); a++) {
		for (size_t b = 0; b < VD_COUNT(types); b++) {
			for (size_t s = 0; s < VD_COUNT(signs); s++) {
				bool is_same = a == b && a < 4;
				char same = s == 0 || s == 3 || s == 5 ? '1' : '0';

				(void)snprintf(text, sizeof text, "%s %s %s", types[a], signs[s],
					       types[b]);
				evaluates(text, is_same ? same : '?');
			}
		}
	}
}

static void comparisons_order_numbers_texts_and_booleans(void **state)
{
	static const struct {
		const char *expression;
		char value;
	} cases[] = {
		{ "tags.line > 2", '1' },
		{ "tags.line > 3", '0' },
		{ "tags.line >= 3", '1' },
		{ "2 < tags.line", '1' },
		{ "tags.half < 1", '1' },
		{ "tags.site = 'Ulm'", '1' },
		{ "tags.site = 'ulm'", '0' },
		{ "tags.site < 'Ulmer'", '1' },
		{ "tags.site > 'A'", '1' },
		{ "tags.empty < 'a'", '1' },
		{ "tags.off < tags.on", '1' },
		{ "statusReason = null", '1' },
		{ "tags.none = null", '?' },
		{ "tags.none != 'x'", '?' },
		{ "tags.none = undefined", '?' },
		{ "tags.site.hall = 'A'", '?' },
		{ "tags.place.hall = 'A'", '1' },
		{ "tags.Site = 'Ulm'", '?' },
		{ "tags.[[a b]] = 1 AND tags.[[select]] = 2", '1' },
		{ "devices.capabilities.iotEdge = true", '1' },
		{ "configurations.[[c-1]].status = 'Applied'", '1' },
		{ "properties.desired.$version = properties.reported.lastDesiredVersion", '1' },
		{ "properties.desired.$metadata.$lastUpdated < '2027'", '1' },
	};

	for (size_t i = 0; i < VD_COUNT(cases); i++)
		evaluates(cases[i].expression, cases[i].value);
}

static void a_list_is_the_or_of_its_comparisons(void **state)
{
	static const struct {
		const char *expression;
		char value;
	} cases[] = {
		{ "tags.line IN [1, 2, 3]", '1' },
		{ "tags.line IN [1, 2]", '0' },
		{ "tags.line NIN [1, 2]", '1' },
		{ "tags.line NIN [1, 3]", '0' },
		{ "tags.line IN [1, '3']", '?' },
		{ "tags.line IN [3, '3']", '1' },
		{ "tags.line NIN [3, '3']", '0' },
		{ "tags.line NIN ['3']", '?' },
		{ "tags.none IN ['3']", '?' },
		{ "tags.none NIN ['3']", '?' },
		{ "tags.place IN ['A']", '?' },
		{ "undefined IN [undefined]", '?' },
		{ "statusReason IN [null]", '1' },
		{ "tags.site IN ['a','b','c','d','e','f','g','h','i','j','Ulm','k','z']", '1' },
		{ "tags.site IN ['a','b','c','d','e','f','g','h','i','j','ulm','k','z']", '0' },
		{ "tags.line IN [9,8,7,6,5,4,3,11,12,13,14,15,16,17,18,19,20]", '1' },
		{ "tags.line + 17 IN [9,8,7,6,5,4,3,11,12,13,14,15,16,17,18,19,20]", '1' },
		{ "tags.line IN [9,8,7,6,5,4,3.5,11,12,13,14,15,16,17,18,19,20]", '0' },
	};

	for (size_t i = 0; i < VD_COUNT(cases); i++)
		evaluates(cases[i].expression, cases[i].value);
}

static void arithmetic_takes_numbers_and_gives_numbers(void **state)
{
	static const struct {
		const char *expression;
		char value;
	} cases[] = {
		{ "1 + 2 * 3 = 7", '1' },
		{ "(1 + 2) * 3 = 9", '1' },
		{ "10 - 4 - 3 = 3", '1' },
		{ "12 / 2 / 3 = 2", '1' },
		{ "-7 % 3 = -1", '1' },
		{ "5.5 % 2 = 1.5", '1' },
		{ "-tags.line = -3", '1' },
		{ "properties.reported.rate - properties.desired.rate = 2", '1' },
		{ "1 / tags.zero = 1", '?' },
		{ "1 % tags.zero = 1", '?' },
		{ "1e300 * 1e300 > 1", '?' },
		{ "tags.site + 1 = 1", '?' },
		{ "'a' + 'b' = 'ab'", '?' },
		{ "-tags.site = 1", '?' },
		{ "tags.none + 1 = 1", '?' },
		{ "tags.on + 1 = 2", '?' },
	};

	for (size_t i = 0; i < VD_COUNT(cases); i++)
		evaluates(cases[i].expression, cases[i].value);
}

static void is_defined_counts_null_and_objects_as_defined(void **state)
{
	evaluates("IS_DEFINED(tags.site)", '1');
	evaluates("IS_DEFINED(statusReason)", '1');
	evaluates("IS_DEFINED(tags.place)", '1');
	evaluates("IS_DEFINED(tags.list)", '1');
	evaluates("IS_DEFINED(tags.none)", '0');
	evaluates("IS_DEFINED(tags.site.deeper)", '0');
	evaluates("IS_DEFINED(tags.list.first)", '0');
	evaluates("NOT is_defined(tags.none)", '1');
}

static void without_where_every_twin_matches(void **state)
{
	VD_CLEANUP(vd_query_free) struct vd_query *query = query_of("SELECT * FROM devices");
	VD_CLEANUP(vd_json_free) cJSON *twin = json_of("{}");

	assert_true(vd_query_matches(query, twin));
}

static void projects(const char *text, const char *row_text)
{
	VD_CLEANUP(vd_query_free) struct vd_query *query = query_of(text);
	VD_CLEANUP(vd_json_free) cJSON *twin = json_of(twin_text);
	VD_CLEANUP(vd_json_free) cJSON *row = NULL;

	assert_int_equal(vd_query_project(query, twin, &row), 0);
	is_json(row, row_text);
}

static void a_row_is_the_twin_or_the_columns_that_it_has(void **state)
{
	projects("SELECT * FROM devices", twin_text);
	projects("SELECT deviceId, tags.site FROM devices", "{'deviceId':'d1','site':'Ulm'}");
	projects("SELECT tags.site AS place, tags.none FROM devices", "{'place':'Ulm'}");
	projects("SELECT tags.place AS p, tags.list AS l, statusReason FROM devices",
		 "{'p':{'hall':'A'},'l':[1,2],'statusReason':null}");
	projects("SELECT d.DeviceId AS [[the id]] FROM devices d", "{'the id':'d1'}");
}

static void a_query_says_what_it_is(void **state)
{
	static const struct {
		const char *text;
		enum vd_query_source source;
		int64_t top;
		bool is_whole, is_aggregate;
	} cases[] = {
		{ "SELECT * FROM devices", VD_QUERY_DEVICES, -1, true, false },
		{ "SELECT TOP 5 * FROM devices.modules", VD_QUERY_MODULES, 5, true, false },
		{ "SELECT * FROM devices.jobs", VD_QUERY_JOBS, -1, true, false },
		{ "SELECT deviceId FROM devices", VD_QUERY_DEVICES, -1, false, false },
		{ "SELECT COUNT() FROM devices", VD_QUERY_DEVICES, -1, false, true },
		{ "SELECT tags.a FROM devices GROUP BY tags.a", VD_QUERY_DEVICES, -1, false, true },
	};

	for (size_t i = 0; i < VD_COUNT(cases); i++) {
		VD_CLEANUP(vd_query_free) struct vd_query *query = query_of(cases[i].text);

		assert_int_equal(vd_query_source(query), cases[i].source);
		assert_int_equal(vd_query_top(query), cases[i].top);
		assert_int_equal(vd_query_is_whole(query), cases[i].is_whole);
		assert_int_equal(vd_query_is_aggregate(query), cases[i].is_aggregate);
	}
}

VD_TEST_MAIN(cmocka_unit_test(logic_has_three_values),
	     cmocka_unit_test(what_is_no_boolean_is_false),
	     cmocka_unit_test(only_primitives_of_one_type_compare),
	     cmocka_unit_test(comparisons_order_numbers_texts_and_booleans),
	     cmocka_unit_test(a_list_is_the_or_of_its_comparisons),
	     cmocka_unit_test(arithmetic_takes_numbers_and_gives_numbers),
	     cmocka_unit_test(is_defined_counts_null_and_objects_as_defined),
	     cmocka_unit_test(without_where_every_twin_matches),
	     cmocka_unit_test(a_row_is_the_twin_or_the_columns_that_it_has),
	     cmocka_unit_test(a_query_says_what_it_is))
