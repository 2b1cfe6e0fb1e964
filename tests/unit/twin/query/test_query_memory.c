/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory by countdown: the 1st, 2nd, 3rd… allocation fails until everything succeeds, and each
 * failure is -ENOMEM and leaks nothing (ASan looks). The linker puts __wrap_… in the place of
 * what the libraries call; cJSON is asked by its hooks.
 */
#include <errno.h>
#include <search.h>
#include <stdlib.h>

#include "query_of.h"
#include "twin/query/aggregate.h"
#include "twin/query/cursor.h"
#include "twin/query/matcher.h"
#include "twin/query/values.h"

static long countdown; /* 0: no faults; 1: the next one fails; -1: one did */

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__real_tsearch(const void *key, void **root, __compar_fn_t compare);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_tsearch(const void *key, void **root, __compar_fn_t compare);

static bool fails(void)
{
	if (countdown <= 0)
		return false;
	if (--countdown > 0)
		return false;
	countdown = -1;
	return true;
}

void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
	return fails() ? NULL : __real_realloc(old, size);
}

void *__wrap_tsearch(const void *key, void **root, __compar_fn_t compare)
{
	return fails() ? NULL : __real_tsearch(key, root, compare);
}

static const char query_text[] =
	"SELECT TOP 9 tags.site AS s, COUNT() AS n, MAX(tags.n) AS m FROM devices d "
	"WHERE d.tags.site IN ['Ulm', 'Jena'] AND tags.n + 1 > -2 AND NOT IS_DEFINED(tags.[[x y]]) "
	"GROUP BY tags.site";

static const cJSON *twin;

static int aggregate_twins(const struct vd_query *query)
{
	VD_CLEANUP(vd_aggregate_free) struct vd_aggregate *aggregate = NULL;
	VD_CLEANUP(vd_json_free) cJSON *rows = NULL;
	int r = vd_aggregate_new(query, &aggregate);

	if (r == 0)
		r = vd_aggregate_add(aggregate, twin, NULL);
	return r < 0 ? r : vd_aggregate_finish(aggregate, &rows);
}

static int write_cursor(const struct vd_query *query)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf out = { 0 };
	struct vd_query_cursor cursor = { .given = 1, .device = "d1" };
	int r = vd_query_cursor_write(query, &cursor, &out);

	return r < 0 ? r : vd_query_cursor_read(query, out.data, out.len, &cursor, NULL);
}

static int ask_all(void)
{
	VD_CLEANUP(vd_query_free) struct vd_query *query = NULL;
	int r = vd_query_parse(query_text, strlen(query_text), &query, NULL);

	if (r == 0)
		r = aggregate_twins(query);
	return r < 0 ? r : write_cursor(query);
}

static int no_more(const char *path, const struct vd_query_value *value, void *argument)
{
	return 0;
}

static int ask_text(const struct vd_query *condition)
{
	static const struct vd_query_part part = { "tags", "{\"site\":\"Ulm\"}", 14 };
	VD_CLEANUP(vd_matcher_free) struct vd_matcher *matcher = NULL;
	bool matches;
	int r = vd_matcher_new(condition, &matcher);

	return r < 0 ? r : vd_matcher_ask(matcher, &part, 1, &matches);
}

static int ask_condition(void)
{
	static const char text[] = "tags.site = 'Ulm' OR deviceId IN ['a', 'b']";
	VD_CLEANUP(vd_query_free) struct vd_query *condition = NULL;
	VD_CLEANUP(vd_json_free) cJSON *row = NULL;
	int r = vd_condition_parse(text, strlen(text), &condition, NULL);

	if (r == 0)
		r = vd_query_project(condition, twin, &row);
	if (r == 0)
		r = ask_text(condition);
	return r < 0 ? r : vd_values_each(twin, no_more, NULL);
}

static void fail_each(int (*work)(void))
{
	cJSON_Hooks hooks = { .malloc_fn = __wrap_malloc, .free_fn = free };
	long n = 0;
	int r;

	cJSON_InitHooks(&hooks);
	do {
		countdown = ++n;
		r = work();
		if (countdown < 0)
			assert_int_equal(r, -ENOMEM);
	} while (countdown < 0);
	countdown = 0;
	cJSON_InitHooks(NULL);
	assert_int_equal(r, 0);
	assert_true(n > 10);
}

static void every_allocation_may_fail(void **state)
{
	VD_CLEANUP(vd_json_free)
	cJSON *json = json_of("{'deviceId':'d1','tags':{'site':'Ulm','n':4}}");

	twin = json;
	fail_each(ask_all);
	fail_each(ask_condition);
}

VD_TEST_MAIN(cmocka_unit_test(every_allocation_may_fail))
