/* SPDX-License-Identifier: Apache-2.0 */
#include "base/schema.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vd_test.h"

static cJSON *parse(const char *text)
{
	struct vd_fault fault = { 0 };
	cJSON *json = NULL;

	if (vd_json_parse(text, strlen(text), &json, &fault) < 0)
		fail_msg("%s at %s in %s", fault.text, fault.pointer, text);
	return json;
}

/* 0 or the code of the fault; the fault's pointer and text must be those given. */
static void check(const char *schema_text, const char *value_text, const char *pointer,
		  const char *text)
{
	VD_CLEANUP(vd_json_free) cJSON *schema = parse(schema_text);
	VD_CLEANUP(vd_json_free) cJSON *value = parse(value_text);
	struct vd_fault fault = { 0 };
	int r;

	if (vd_schema_verify(schema, &fault) < 0)
		fail_msg("schema refused: %s %s", fault.pointer, fault.text);
	r = vd_schema_check(schema, value, &fault);
	if (!pointer) {
		if (r < 0)
			fail_msg("%s %s", fault.pointer, fault.text);
		return;
	}
	assert_int_equal(r, -EINVAL);
	assert_int_equal(fault.code, 400);
	assert_string_equal(fault.pointer, pointer);
	assert_string_equal(fault.text, text);
	/* Without a fault to fill the outcome is the same. */
	assert_int_equal(vd_schema_check(schema, value, NULL), -EINVAL);
}

static void accepts(const char *schema, const char *value)
{
	check(schema, value, NULL, NULL);
}

static void refuses_schema(const char *text, const char *pointer)
{
	VD_CLEANUP(vd_json_free) cJSON *schema = parse(text);
	struct vd_fault fault = { 0 };

	assert_int_equal(vd_schema_verify(schema, &fault), -EINVAL);
	assert_int_equal(fault.code, 500);
	assert_string_equal(fault.pointer, pointer);
	assert_string_not_equal(fault.text, "");
}

static void filled(const char *schema_text, const char *value_text, const char *wanted)
{
	VD_CLEANUP(vd_json_free) cJSON *schema = parse(schema_text);
	VD_CLEANUP(vd_json_free) cJSON *value = parse(value_text);
	struct vd_fault fault = { 0 };

	if (vd_schema_verify(schema, &fault) < 0)
		fail_msg("schema refused: %s %s", fault.pointer, fault.text);
	assert_int_equal(vd_schema_fill(schema, value), 0);
	VD_CLEANUP(vd_free) char *text = vd_json_text(value);
	assert_string_equal(text, wanted);
	/* Filling again adds nothing. */
	assert_int_equal(vd_schema_fill(schema, value), 0);
	VD_CLEANUP(vd_free) char *again = vd_json_text(value);
	assert_string_equal(again, wanted);
}

static void each_type_accepts_its_own_values_only(void **state)
{
	static const char *const types[] = { "object", "array",   "string",
					     "number", "boolean", "null" };
	static const char *const values[] = { "{}", "[]", "\"\"", "1.5", "true", "null" };

	for (size_t t = 0; t < VD_COUNT(types); t++) {
		for (size_t v = 0; v < VD_COUNT(values); v++) {
			VD_CLEANUP(vd_json_free) cJSON *value = parse(values[v]);
			VD_CLEANUP(vd_json_free) cJSON *schema = cJSON_CreateObject();

			assert_true(vd_json_add_string(schema, "type", types[t]));
			assert_int_equal(vd_schema_check(schema, value, NULL),
					 t == v ? 0 : -EINVAL);
		}
	}
	check("{\"type\":[\"string\",\"null\"]}", "3", "", "must be a text or null, is a number");
	accepts("{\"type\":[\"string\",\"null\"]}", "null");
}

static void an_integer_is_any_number_without_a_fraction(void **state)
{
	accepts("{\"type\":\"integer\"}", "3");
	accepts("{\"type\":\"integer\"}", "3.0");
	accepts("{\"type\":\"integer\"}", "1e300");
	check("{\"type\":\"integer\"}", "2.75", "", "2.75 is not an integer; the nearest is 3");
	check("{\"type\":\"integer\"}", "\"3\"", "", "must be an integer, is a text");
}

static void bounds_hold_below_at_and_above_their_edge(void **state)
{
	const char *closed = "{\"minimum\":1,\"maximum\":10}";

	check(closed, "0.999", "", "0.999 is below 1");
	accepts(closed, "1");
	accepts(closed, "10");
	check(closed, "10.001", "", "10.001 is above 10");
	accepts(closed, "\"not a number\"");
	check("{\"exclusiveMinimum\":0}", "0", "", "0 is not above 0");
	accepts("{\"exclusiveMinimum\":0}", "1e-9");
	accepts("{\"multipleOf\":0.1}", "0.3");
	accepts("{\"multipleOf\":0.1}", "123456.7");
	check("{\"multipleOf\":0.1}", "0.35", "", "0.35 is not a multiple of 0.1");
	check("{\"multipleOf\":8}", "12", "", "12 is not a multiple of 8");
}

static void lengths_count_characters_not_bytes(void **state)
{
	const char *schema = "{\"minLength\":2,\"maxLength\":3}";

	check(schema, "\"\xC3\xA9\"", "", "1 characters, at least 2 are needed");
	accepts(schema, "\"\xC3\xA9\xE2\x82\xAC\"");
	accepts(schema, "\"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\"");
	check(schema, "\"abcd\"", "", "4 characters, at most 3 are allowed");
}

static void counts_of_items_and_properties_are_bounded(void **state)
{
	check("{\"minItems\":1}", "[]", "", "0 items, at least 1 are needed");
	accepts("{\"minItems\":1,\"maxItems\":2}", "[1,2]");
	check("{\"maxItems\":2}", "[1,2,3]", "", "3 items, at most 2 are allowed");
	check("{\"minProperties\":1}", "{}", "", "0 properties, at least 1 are needed");
	check("{\"maxProperties\":1}", "{\"a\":1,\"b\":2}", "",
	      "2 properties, at most 1 are allowed");
	check("{\"propertyNames\":{\"maxLength\":3}}", "{\"abcd\":1}", "/abcd",
	      "the name: 4 characters, at most 3 are allowed");
}

static void the_pointer_leads_to_the_place_whatever_the_nesting(void **state)
{
	const char *schema = "{\"properties\":{\"a/b\":{\"items\":{\"additionalProperties\":"
			     "{\"type\":\"integer\",\"maximum\":5}}}}}";

	check(schema, "{\"a/b\":[{},{\"x~y\":6}]}", "/a~1b/1/x~0y", "6 is above 5");
	accepts(schema, "{\"a/b\":[{},{\"x~y\":5}],\"free\":null}");
}

static void absent_and_unknown_properties_are_named(void **state)
{
	const char *schema = "{\"type\":\"object\",\"properties\":{\"width\":{},\"fps\":{}},"
			     "\"required\":[\"width\"],\"additionalProperties\":false}";

	check(schema, "{\"fps\":1}", "/width", "is required");
	check(schema, "{\"width\":1,\"widht\":1}", "/widht", "is not known here");
	check(schema, "{\"width\":1,\"Fps\":1}", "/Fps", "is not known here");
	accepts(schema, "{\"width\":1,\"fps\":2}");
}

static void enum_and_const_compare_whole_values(void **state)
{
	check("{\"enum\":[\"a\",2,true]}", "\"b\"", "", "\"b\" is none of \"a\", 2, true");
	accepts("{\"enum\":[{\"k\":[1]},2]}", "{\"k\":[1]}");
	check("{\"enum\":[{\"k\":[1]}]}", "{\"K\":[1]}", "", "an object is none of an object");
	check("{\"const\":\"1.0\"}", "\"2.0\"", "", "must be \"1.0\", is \"2.0\"");
}

static void one_of_must_fit_exactly_once(void **state)
{
	const char *schema = "{\"oneOf\":[{\"type\":\"number\",\"minimum\":0},{\"type\":\"number\","
			     "\"maximum\":0}]}";

	accepts(schema, "1");
	check(schema, "0", "", "fits 2 of the 2 forms allowed here, must fit one");
	check(schema, "\"x\"", "", "must be a number, is a text");
}

static void the_fault_of_one_of_is_that_of_the_form_meant(void **state)
{
	const char *by_type = "{\"oneOf\":[{\"type\":\"string\"},{\"type\":\"object\",\"required\":"
			      "[\"route\"]}]}";
	const char *by_tag = "{\"oneOf\":[{\"$ref\":\"#/$defs/ncc\"},"
			     "{\"type\":\"object\",\"properties\":{\"kind\":{\"const\":\"blob\"}},"
			     "\"required\":[\"kind\"]}],"
			     "\"$defs\":{\"ncc\":{\"type\":\"object\",\"properties\":{\"kind\":{"
			     "\"const\":\"ncc\"},"
			     "\"limit\":{\"maximum\":1}},\"required\":[\"kind\"]}}}";

	check(by_type, "{}", "/route", "is required");
	check(by_type, "7", "", "must be a text or an object, is a number");
	check(by_tag, "{\"kind\":\"ncc\",\"limit\":2}", "/limit", "2 is above 1");
	accepts(by_tag, "{\"kind\":\"blob\",\"limit\":2}");
	check(by_tag, "{\"kind\":\"magic\"}", "/kind", "\"magic\" is none of ncc, blob");
	check(by_tag, "{\"limit\":1}", "/kind", "is required, one of ncc, blob");
}

static void a_reference_is_followed_even_into_itself(void **state)
{
	const char *tree = "{\"$ref\":\"#/$defs/node\",\"$defs\":{\"node\":{\"type\":\"object\","
			   "\"additionalProperties\":{\"$ref\":\"#/$defs/node\"}}}}";

	accepts(tree, "{\"a\":{\"b\":{\"c\":{}}}}");
	check(tree, "{\"a\":{\"b\":{\"c\":1}}}", "/a/b/c", "must be an object, is a number");
}

static void a_schema_not_understood_whole_is_refused(void **state)
{
	refuses_schema("{\"maxmum\":3}", "/maxmum");
	refuses_schema("{\"pattern\":\"a*\"}", "/pattern");
	refuses_schema("[]", "");
	refuses_schema("true", "");
	refuses_schema("{\"type\":\"float\"}", "/type");
	refuses_schema("{\"type\":[]}", "/type");
	refuses_schema("{\"properties\":{\"a\":{\"items\":{\"minimum\":\"1\"}}}}",
		       "/properties/a/items/minimum");
	refuses_schema("{\"oneOf\":[{},{\"minLength\":-1}]}", "/oneOf/1/minLength");
	refuses_schema("{\"oneOf\":[]}", "/oneOf");
	refuses_schema("{\"minItems\":1.5}", "/minItems");
	refuses_schema("{\"multipleOf\":0}", "/multipleOf");
	refuses_schema("{\"enum\":[]}", "/enum");
	refuses_schema("{\"required\":[1]}", "/required");
	refuses_schema("{\"properties\":{\"width\":{}},\"required\":[\"widht\"],"
		       "\"additionalProperties\":false}",
		       "/required");
	refuses_schema("{\"propertyNames\":{\"pattern\":\"x\"}}", "/propertyNames");
	refuses_schema("{\"$ref\":\"#/$defs/none\"}", "/$ref");
	refuses_schema("{\"$ref\":\"other.json\"}", "/$ref");
	refuses_schema("{\"minimum\":5,\"maximum\":4}", "/minimum");
	refuses_schema("{\"default\":\"x\",\"type\":\"integer\"}", "/default");
}

static void a_schema_that_refers_to_itself_in_place_is_refused_and_ends(void **state)
{
	const char *text =
		"{\"$ref\":\"#/$defs/a\",\"$defs\":{\"a\":{\"oneOf\":[{\"$ref\":\"#/$defs/a\"},"
		"{\"$ref\":\"#/$defs/a\"}]}}}";
	VD_CLEANUP(vd_json_free) cJSON *schema = parse(text);
	VD_CLEANUP(vd_json_free) cJSON *value = parse("{}");

	assert_int_equal(vd_schema_verify(schema, NULL), -EINVAL);
	/* A caller that did not verify gets an answer all the same. */
	assert_int_equal(vd_schema_check(schema, value, NULL), -EINVAL);
}

/* 12 levels of 4 forms each: 16 million ways, none of them a circle. */
static void a_schema_that_branches_without_bound_is_refused_and_ends(void **state)
{
	VD_CLEANUP(vd_json_free)
	cJSON *schema = parse("{\"$ref\":\"#/$defs/l0\",\"$defs\":{\"l12\":{}}}");
	VD_CLEANUP(vd_json_free) cJSON *value = parse("{}");
	cJSON *defs = cJSON_GetObjectItemCaseSensitive(schema, "$defs");
	char name[16], reference[32];

	for (int level = 0; level < 12; level++) {
		(void)snprintf(name, sizeof name, "l%d", level);
		(void)snprintf(reference, sizeof reference, "#/$defs/l%d", level + 1);
		cJSON *forms = cJSON_AddArrayToObject(cJSON_AddObjectToObject(defs, name), "oneOf");
		for (int i = 0; i < 4; i++)
			(void)vd_json_add_string(cJSON_AddObjectToObject(forms, "x"), "$ref",
						 reference);
	}
	assert_int_equal(vd_schema_verify(schema, NULL), -EINVAL);
	assert_int_equal(vd_schema_check(schema, value, NULL), -EINVAL);
}

static void defaults_are_added_at_all_levels(void **state)
{
	filled("{\"properties\":{\"a\":{\"default\":1},\"b\":{\"default\":2}}}", "{\"b\":3}",
	       "{\"b\":3,\"a\":1}");
	filled("{\"properties\":{\"a\":{\"default\":{},\"properties\":{\"x\":{\"default\":[]}}}}}",
	       "{}", "{\"a\":{\"x\":[]}}");
	filled("{\"properties\":{\"a\":{\"properties\":{\"x\":{\"default\":1}}}}}", "{}", "{}");
	filled("{\"items\":{\"properties\":{\"x\":{\"default\":1}}}}", "[{},{\"x\":2},3]",
	       "[{\"x\":1},{\"x\":2},3]");
	filled("{\"additionalProperties\":{\"$ref\":\"#/$defs/"
	       "m\"},\"$defs\":{\"m\":{\"properties\":"
	       "{\"x\":{\"$ref\":\"#/$defs/n\"}}},\"n\":{\"default\":7}}}",
	       "{\"k\":{}}", "{\"k\":{\"x\":7}}");
}

static void the_form_of_one_of_that_fits_fills(void **state)
{
	filled("{\"oneOf\":[{\"type\":\"string\"},{\"type\":\"object\",\"properties\":{\"c\":{"
	       "\"default\":\"d\"}}}]}",
	       "{}", "{\"c\":\"d\"}");
}

static void a_default_that_grows_for_ever_ends_in_an_error(void **state)
{
	VD_CLEANUP(vd_json_free)
	cJSON *schema = parse(
		"{\"$ref\":\"#/$defs/a\",\"$defs\":{\"a\":{\"type\":\"object\",\"properties\":"
		"{\"x\":{\"$ref\":\"#/$defs/a\",\"default\":{}}}}}}");
	VD_CLEANUP(vd_json_free) cJSON *value = parse("{}");

	assert_int_equal(vd_schema_fill(schema, value), -ELOOP);
}

static void explain_writes_one_line_a_property(void **state)
{
	VD_CLEANUP(vd_json_free)
	cJSON *schema =
		parse("{\"type\":\"object\",\"required\":[\"exposureUs\"],\"properties\":{"
		      "\"exposureUs\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":1000,\"x-"
		      "unit\":\"us\","
		      "\"description\":\"Exposure.\"},"
		      "\"devices\":{\"additionalProperties\":{\"type\":\"object\",\"properties\":"
		      "{\"unit\":{\"type\":\"integer\",\"default\":1}}}}}}");
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	assert_non_null(out);
	vd_schema_explain(schema, out);
	assert_int_equal(fclose(out), 0);
	assert_string_equal(
		text,
		"/exposureUs                      integer >= 1 <= 1000 us, required. Exposure.\n"
		"/devices                         \n"
		"/devices/*                       object\n"
		"/devices/*/unit                  integer, default 1\n");
	free(text);
}

static void explain_ends_for_a_schema_within_itself(void **state)
{
	VD_CLEANUP(vd_json_free)
	cJSON *schema =
		parse("{\"$ref\":\"#/$defs/"
		      "n\",\"$defs\":{\"n\":{\"additionalProperties\":{\"$ref\":\"#/$defs/n\"}}}}");
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	assert_non_null(out);
	vd_schema_explain(schema, out);
	assert_int_equal(fclose(out), 0);
	assert_true(len > 0 && len < 1000);
	free(text);
}

VD_TEST_MAIN(cmocka_unit_test(each_type_accepts_its_own_values_only),
	     cmocka_unit_test(an_integer_is_any_number_without_a_fraction),
	     cmocka_unit_test(bounds_hold_below_at_and_above_their_edge),
	     cmocka_unit_test(lengths_count_characters_not_bytes),
	     cmocka_unit_test(counts_of_items_and_properties_are_bounded),
	     cmocka_unit_test(the_pointer_leads_to_the_place_whatever_the_nesting),
	     cmocka_unit_test(absent_and_unknown_properties_are_named),
	     cmocka_unit_test(enum_and_const_compare_whole_values),
	     cmocka_unit_test(one_of_must_fit_exactly_once),
	     cmocka_unit_test(the_fault_of_one_of_is_that_of_the_form_meant),
	     cmocka_unit_test(a_reference_is_followed_even_into_itself),
	     cmocka_unit_test(a_schema_not_understood_whole_is_refused),
	     cmocka_unit_test(a_schema_that_refers_to_itself_in_place_is_refused_and_ends),
	     cmocka_unit_test(a_schema_that_branches_without_bound_is_refused_and_ends),
	     cmocka_unit_test(defaults_are_added_at_all_levels),
	     cmocka_unit_test(the_form_of_one_of_that_fits_fills),
	     cmocka_unit_test(a_default_that_grows_for_ever_ends_in_an_error),
	     cmocka_unit_test(explain_writes_one_line_a_property),
	     cmocka_unit_test(explain_ends_for_a_schema_within_itself))
