/* SPDX-License-Identifier: Apache-2.0 */
#include "twin/query/aggregate.h"

#include <errno.h>
#include <stdio.h>

#include "query_of.h"

static const char *const fleet[] = {
	"{'deviceId':'d1','tags':{'site':'Ulm','n':1},'place':{'a':1,'b':2}}",
	"{'deviceId':'d2','tags':{'site':'Jena','n':2},'place':{'b':2,'a':1}}",
	"{'deviceId':'d3','tags':{'site':'Ulm','n':4.5},'place':{'a':1,'b':3}}",
	"{'deviceId':'d4','tags':{'n':'many'}}",
	"{'deviceId':'d5','tags':{'site':'Jena','off':true}}",
	"{'deviceId':'d6','tags':{'site':7,'n':-1}}",
};

static void gives(const char *text, const char *rows_text)
{
	VD_CLEANUP(vd_query_free) struct vd_query *query = query_of(text);
	VD_CLEANUP(vd_aggregate_free) struct vd_aggregate *aggregate = NULL;
	VD_CLEANUP(vd_json_free) cJSON *rows = NULL;

	assert_true(vd_query_is_aggregate(query));
	assert_int_equal(vd_aggregate_new(query, &aggregate), 0);
	for (size_t i = 0; i < VD_COUNT(fleet); i++) {
		VD_CLEANUP(vd_json_free) cJSON *twin = json_of(fleet[i]);

		if (vd_query_matches(query, twin))
			assert_int_equal(vd_aggregate_add(aggregate, twin, NULL), 0);
	}
	assert_int_equal(vd_aggregate_finish(aggregate, &rows), 0);
	is_json(rows, rows_text);
}

static void all_rows_are_one_group_without_group_by(void **state)
{
	gives("SELECT COUNT() AS n FROM devices", "[{'n':6}]");
	gives("SELECT COUNT() FROM devices WHERE tags.site = 'Ulm'", "[{'$1':2}]");
	gives("SELECT SUM(tags.n) AS s, AVG(tags.n) AS a FROM devices WHERE tags.site = 'Ulm'",
	      "[{'s':5.5,'a':2.75}]");
}

static void of_nothing_the_count_and_the_sum_are_zero_and_the_rest_is_left_out(void **state)
{
	gives("SELECT COUNT() AS n, SUM(tags.n) AS s, AVG(tags.n) AS a, MIN(tags.n) AS l, "
	      "MAX(tags.n) AS h FROM devices WHERE false",
	      "[{'n':0,'s':0}]");
	gives("SELECT tags.site, COUNT() AS n FROM devices WHERE false GROUP BY tags.site", "[]");
}

static void sums_take_numbers_and_extremes_take_scalars(void **state)
{
	gives("SELECT SUM(tags.n) AS s, AVG(tags.n) AS a, MIN(tags.n) AS l, MAX(tags.n) AS h "
	      "FROM devices",
	      "[{'s':6.5,'a':1.625,'l':-1,'h':'many'}]");
	gives("SELECT MIN(place) AS l, MAX(deviceId) AS h FROM devices", "[{'h':'d6'}]");
}

static void groups_come_as_their_first_rows_came(void **state)
{
	gives("SELECT tags.site AS site, COUNT() AS n FROM devices GROUP BY tags.site",
	      "[{'site':'Ulm','n':2},{'site':'Jena','n':2},{'n':1},{'site':7,'n':1}]");
	gives("SELECT COUNT() AS n FROM devices GROUP BY tags.site", "[{'n':2},{'n':2},{'n':1},"
								     "{'n':1}]");
	gives("SELECT TOP 2 tags.site FROM devices GROUP BY tags.site",
	      "[{'site':'Ulm'},{'site':'Jena'}]");
	gives("SELECT tags.site AS s, tags.off AS o, MAX(tags.n) AS m FROM devices "
	      "WHERE tags.site = 'Jena' GROUP BY tags.site, tags.off",
	      "[{'s':'Jena','m':2},{'s':'Jena','o':true}]");
}

static void objects_are_one_group_in_whatever_order_their_members_stand(void **state)
{
	gives("SELECT COUNT() AS n, place FROM devices WHERE IS_DEFINED(place) GROUP BY place",
	      "[{'n':2,'place':{'a':1,'b':2}},{'n':1,'place':{'a':1,'b':3}}]");
}

static void groups_without_end_are_refused(void **state)
{
	VD_CLEANUP(vd_query_free)
	struct vd_query *query = query_of("SELECT COUNT() AS n FROM devices GROUP BY deviceId");
	VD_CLEANUP(vd_aggregate_free) struct vd_aggregate *aggregate = NULL;
	struct vd_fault fault = { 0 };
	char text[80];

	assert_int_equal(vd_aggregate_new(query, &aggregate), 0);
	for (int i = 0; i <= VD_AGGREGATE_GROUPS; i++) {
		VD_CLEANUP(vd_json_free) cJSON *twin = NULL;

		(void)snprintf(text, sizeof text, "{'deviceId':'d%d'}", i);
		twin = json_of(text);
		assert_int_equal(vd_aggregate_add(aggregate, twin, &fault),
				 i < VD_AGGREGATE_GROUPS ? 0 : -EINVAL);
	}
	assert_int_equal(fault.code, 413);
	assert_string_equal(fault.text, "GROUP BY makes more than 10000 groups");
}

VD_TEST_MAIN(cmocka_unit_test(all_rows_are_one_group_without_group_by),
	     cmocka_unit_test(of_nothing_the_count_and_the_sum_are_zero_and_the_rest_is_left_out),
	     cmocka_unit_test(sums_take_numbers_and_extremes_take_scalars),
	     cmocka_unit_test(groups_come_as_their_first_rows_came),
	     cmocka_unit_test(objects_are_one_group_in_whatever_order_their_members_stand),
	     cmocka_unit_test(groups_without_end_are_refused))
