/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "query_of.h"
#include "twin/query/values.h"

static void append(struct vd_buf *out, const char *text)
{
	assert_int_equal(vd_buf_printf(out, "%s", text), 0);
}

static void append_value(struct vd_buf *out, const struct vd_query_value *value)
{
	switch (value->type) {
	case VD_QUERY_STRING:
		assert_int_equal(vd_buf_printf(out, "'%s'", value->string), 0);
		break;
	case VD_QUERY_NUMBER:
		assert_int_equal(vd_buf_printf(out, "%g", value->number), 0);
		break;
	case VD_QUERY_BOOL:
		append(out, value->boolean ? "true" : "false");
		break;
	default:
		append(out, value->type == VD_QUERY_NULL ? "null" : "");
	}
}

static void append_hint(struct vd_buf *out, const struct vd_query_hint *hint)
{
	append(out, hint->path);
	if (hint->is_never)
		append(out, " never");
	for (size_t i = 0; i < hint->value_count; i++) {
		append(out, i ? "|" : "=");
		append_value(out, &hint->values[i]);
	}
	if (hint->value_count || hint->is_never)
		return;
	append(out, hint->is_low_included ? " [" : " (");
	append_value(out, &hint->low);
	append(out, ",");
	append_value(out, &hint->high);
	append(out, hint->is_high_included ? "]" : ")");
}

static void hints(const char *where, const char *wanted)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf text = { 0 }, out = { 0 };
	VD_CLEANUP(vd_query_free) struct vd_query *query = NULL;
	const struct vd_query_hint *list;
	size_t count;

	append(&text, "SELECT * FROM devices WHERE ");
	append(&text, where);
	query = query_of(text.data);
	count = vd_query_hints(query, &list);
	append(&out, "");
	for (size_t i = 0; i < count; i++) {
		append(&out, i ? "; " : "");
		append_hint(&out, &list[i]);
	}
	assert_string_equal(out.data, wanted);
}

static void every_operand_of_the_outermost_and_may_give_a_hint(void **state)
{
	hints("tags.a = 'x'", "tags.a='x'");
	hints("'x' = tags.a", "tags.a='x'");
	hints("tags.a = 'x' AND (tags.b = 1 AND deviceId = 'd')",
	      "tags.a='x'; tags.b=1; deviceId='d'");
	hints("tags.a IN [3, 1, 2] AND tags.c NIN [4]", "tags.a=1|2|3");
	hints("tags.a", "tags.a=true");
	hints("tags.a = null", "tags.a=null");
	hints("tags.[[a b]].c = 1", "tags.[[a b]].c=1");
}

static void an_or_of_equalities_of_one_path_is_one_hint(void **state)
{
	hints("tags.a = 'y' OR tags.a = 'x' OR tags.a = 'y'", "tags.a='x'|'y'");
	hints("tags.b = 1 AND (deviceId = 'd2' OR deviceId IN ['d1', 'd3'])",
	      "tags.b=1; deviceId='d1'|'d2'|'d3'");
	hints("tags.a OR (tags.a = null OR 'x' = tags.a)", "tags.a=null|true|'x'");
	hints("tags.a = undefined OR tags.a = 1", "tags.a=1");
	hints("tags.a = 1 OR tags.a > 2", "");
	hints("tags.a = 1 OR tags.a = 2 AND tags.b = 3", "");
	hints("tags.a = 1 OR tags.a = tags.b", "");
}

static void ranges_of_one_path_are_cut_with_each_other(void **state)
{
	hints("tags.a > 1", "tags.a (1,)");
	hints("1 > tags.a", "tags.a (,1)");
	hints("tags.a >= 1 AND tags.a < 5", "tags.a [1,5)");
	hints("tags.a > 1 AND tags.a >= 1", "tags.a (1,)");
	hints("tags.a >= 1 AND tags.a > 1 AND tags.a <= 9 AND tags.a < 9", "tags.a (1,9)");
	hints("tags.a > 1 AND tags.a > 3 AND tags.a < 'x'", "tags.a (3,); tags.a (,'x')");
	hints("tags.a > 1 AND tags.b < 2", "tags.a (1,); tags.b (,2)");
}

static void what_can_never_be_true_says_so(void **state)
{
	hints("tags.a > 5 AND tags.a < 5", "tags.a never");
	hints("tags.a >= 5 AND tags.a <= 5", "tags.a [5,5]");
	hints("tags.a = undefined", "tags.a never");
	hints("tags.a < undefined", "tags.a never");
	hints("tags.a IN [undefined]", "tags.a never");
	hints("tags.a IN [undefined, 1]", "tags.a=1");
}

static void what_does_not_bind_a_path_gives_none(void **state)
{
	hints("tags.a = 'x' OR tags.b = 'y'", "");
	hints("NOT tags.a = 'x'", "");
	hints("NOT tags.a", "");
	hints("tags.a != 'x'", "");
	hints("tags.a + 1 = 2", "");
	hints("tags.a = tags.b", "");
	hints("IS_DEFINED(tags.a)", "");
	hints("properties.reported.$metadata.$lastUpdated > '2026'", "");
	hints("true", "");
}

/* An index over one twin, asked as a store would: does any value fit the hint? */
struct search {
	const struct vd_query_hint *hint;
	bool is_found;
};

static bool fits(const struct vd_query_hint *hint, const struct vd_query_value *value)
{
	int order;

	for (size_t i = 0; i < hint->value_count; i++) {
		if (vd_query_value_compare(value, &hint->values[i]) == 0)
			return true;
	}
	if (hint->value_count || hint->is_never)
		return false;
	if (hint->low.type != VD_QUERY_UNDEFINED) {
		order = vd_query_value_compare(value, &hint->low);
		if (value->type != hint->low.type || order < 0 ||
		    (order == 0 && !hint->is_low_included))
			return false;
	}
	if (hint->high.type != VD_QUERY_UNDEFINED) {
		order = vd_query_value_compare(value, &hint->high);
		if (value->type != hint->high.type || order > 0 ||
		    (order == 0 && !hint->is_high_included))
			return false;
	}
	return true;
}

static int look(const char *path, const struct vd_query_value *value, void *argument)
{
	struct search *search = argument;

	if (!strcmp(path, search->hint->path) && fits(search->hint, value))
		search->is_found = true;
	return 0;
}

static uint32_t next_random(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

static void random_condition(uint32_t *random, int terms, char *out, size_t size)
{
	static const char *const paths[] = { "tags.a", "tags.[[b c]]", "properties.reported.a" };
	static const char *const tails[] = { "= 1",        "= 'x'",  "< 2",        ">= 1",
					     "IN [1,'x']", "= true", "!= 1",       "",
					     "> 'a'",      "<= 1",   "NIN [2, 3]", "= null" };
	size_t n = 0;

	for (int i = 0; i < terms; i++)
		n += (size_t)snprintf(out + n, size - n, "%s%s %s",
				      i == 0                         ? ""
				      : next_random(random) % 4 == 0 ? " OR "
								     : " AND ",
				      paths[next_random(random) % VD_COUNT(paths)],
				      tails[next_random(random) % VD_COUNT(tails)]);
}

static void random_twin(uint32_t *random, char *out, size_t size)
{
	static const char *const values[] = { "1",   "0",   "2",    "'x'", "true",
					      "'b'", "1.5", "null", "[1]", "{'d':1}" };

	(void)snprintf(
		out, size,
		"{'deviceId':'d','tags':{'a':%s,'b c':%s},'properties':{'reported':{'a':%s}}}",
		values[next_random(random) % VD_COUNT(values)],
		values[next_random(random) % VD_COUNT(values)],
		values[next_random(random) % VD_COUNT(values)]);
}

static void a_twin_that_matches_satisfies_every_hint(void **state)
{
	uint32_t random = 4242;
	int matched = 0;

	for (int i = 0; i < 20000; i++) {
		char where[256], twin_text[256];
		const struct vd_query_hint *list;

		random_condition(&random, 1 + i % 3, where, sizeof where);
		random_twin(&random, twin_text, sizeof twin_text);
		VD_CLEANUP(vd_query_free) struct vd_query *query = condition_of(where);
		VD_CLEANUP(vd_json_free) cJSON *twin = json_of(twin_text);
		if (!vd_query_matches(query, twin))
			continue;
		matched++;
		for (size_t j = vd_query_hints(query, &list); j-- > 0;) {
			struct search search = { .hint = &list[j] };

			assert_int_equal(vd_values_each(twin, look, &search), 0);
			if (!search.is_found)
				fail_msg("%s hides %s", where, twin_text);
		}
	}
	assert_true(matched > 2000);
}

static int list_value(const char *path, const struct vd_query_value *value, void *argument)
{
	struct vd_buf *out = argument;

	append(out, path);
	append(out, "=");
	append_value(out, value);
	append(out, ";");
	return 0;
}

static int stop(const char *path, const struct vd_query_value *value, void *argument)
{
	return 42;
}

static void the_index_has_every_scalar_but_those_of_arrays_and_metadata(void **state)
{
	VD_CLEANUP(vd_json_free)
	cJSON *twin =
		json_of("{'deviceId':'d','tags':{'a b':{'1':null},'select':true,'l':[1,{'x':2}]},"
			"'properties':{'reported':{'$version':4,'$metadata':{'$lastUpdated':'x'}}},"
			"'select':1,'none':{}}");
	VD_CLEANUP(vd_buf_fini) struct vd_buf out = { 0 };

	assert_int_equal(vd_values_each(twin, list_value, &out), 0);
	assert_string_equal(out.data, "deviceId='d';tags.[[a b]].[[1]]=null;tags.select=true;"
				      "properties.reported.$version=4;[[select]]=1;");
	assert_int_equal(vd_values_each(twin, stop, NULL), 42);
	assert_int_equal(vd_values_each(NULL, stop, NULL), 0);
}

VD_TEST_MAIN(cmocka_unit_test(every_operand_of_the_outermost_and_may_give_a_hint),
	     cmocka_unit_test(an_or_of_equalities_of_one_path_is_one_hint),
	     cmocka_unit_test(ranges_of_one_path_are_cut_with_each_other),
	     cmocka_unit_test(what_can_never_be_true_says_so),
	     cmocka_unit_test(what_does_not_bind_a_path_gives_none),
	     cmocka_unit_test(a_twin_that_matches_satisfies_every_hint),
	     cmocka_unit_test(the_index_has_every_scalar_but_those_of_arrays_and_metadata))
