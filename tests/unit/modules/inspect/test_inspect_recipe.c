/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/inspect/recipe/recipe.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/schema.h"
#include "vd_test.h"

extern const char vd_inspect_schema_json[];
extern const size_t vd_inspect_schema_json_len;

static const char GOOD[] =
	"{\"station\":\"line3-st2\",\"active\":\"cap-A\",\"recipes\":{"
	"\"cap-A\":{\"rev\":17,\"cameras\":[\"top\",\"side\"],\"frame\":{\"width\":640,\"height\":"
	"480},"
	"\"steps\":{"
	"\"pos\":{\"camera\":\"top\",\"tool\":\"locate\",\"roi\":[40,20,110,70],\"searchPx\":20},"
	"\"print\":{\"camera\":\"top\",\"tool\":\"variation\",\"alignTo\":\"pos\",\"roi\":[52,30,"
	"64,38],"
	"\"absThreshold\":[12,9],\"limits\":{\"score\":{\"warn\":6,\"max\":8},\"defects\":{\"max\":"
	"1}}},"
	"\"board\":{\"camera\":\"side\",\"tool\":\"golden\",\"golden\":{\"folder\":\"/t\","
	"\"name\":\"{serial}_temp.jpg\"}}},"
	"\"verdict\":{\"cameras\":{\"side\":{\"rule\":\"objects\",\"max\":2}},"
	"\"item\":{\"rule\":\"minOk\",\"steps\":[\"print\",\"board\"],\"min\":2,\"veto\":["
	"\"board\"],"
	"\"maxWarn\":1},\"onNoDecision\":\"NG\"},"
	"\"images\":{\"keep\":{\"OK\":\"1/50\",\"NG\":\"none\"},\"overlay\":false},"
	"\"learning\":{\"parts\":12}},"
	"\"cap-B\":{\"rev\":1,\"cameras\":[\"top\"],\"steps\":{\"all\":{\"camera\":\"top\","
	"\"tool\":\"golden\",\"golden\":{\"file\":\"/t/b.jpg\"}}}}}}";

static cJSON *parse(const char *text, size_t len)
{
	struct vd_fault fault = { 0 };
	cJSON *json = NULL;

	if (vd_json_parse(text, len, &json, &fault) < 0)
		fail_msg("%s", fault.text);
	return json;
}

/* As the SDK does: schema, defaults, then what only the recipe knows. */
static int read_set(cJSON *parameters, struct vd_recipe_set **set, struct vd_fault *fault)
{
	VD_CLEANUP(vd_json_free)
	cJSON *schema = parse(vd_inspect_schema_json, vd_inspect_schema_json_len);
	int r = vd_schema_verify(schema, fault);

	if (r == 0)
		r = vd_schema_check(schema, parameters, fault);
	if (r == 0)
		r = vd_schema_fill(schema, parameters);
	return r < 0 ? r : vd_recipe_set_parse(parameters, set, fault);
}

static struct vd_recipe_set *good_set(void)
{
	VD_CLEANUP(vd_json_free) cJSON *parameters = parse(GOOD, sizeof GOOD - 1);
	struct vd_recipe_set *set = NULL;
	struct vd_fault fault = { 0 };

	if (read_set(parameters, &set, &fault) < 0)
		fail_msg("%s: %s", fault.pointer, fault.text);
	return set;
}

static void a_good_document_is_read_whole(void **state)
{
	struct vd_recipe_set *set = good_set();
	const struct vd_recipe *recipe = &set->recipes[set->active];
	const struct vd_step *print = &recipe->steps[vd_recipe_step(recipe, "print")];

	assert_string_equal(set->station, "line3-st2");
	assert_int_equal(set->queue_max, 8);
	assert_string_equal(recipe->name, "cap-A");
	assert_int_equal(recipe->rev, 17);
	assert_int_equal(recipe->camera_count, 2);
	assert_int_equal(recipe->learning_parts, 12);
	assert_int_equal(print->align_to, vd_recipe_step(recipe, "pos"));
	assert_float_equal(print->variation.abs_threshold[0], 12, 0);
	assert_float_equal(print->variation.abs_threshold[1], 9, 0);
	assert_float_equal(print->variation.var_threshold[0], 3.5, 0);
	assert_float_equal(print->limits[VD_MEASURE_SCORE].warn, 6, 0);
	assert_int_equal(recipe->item_rule.kind, VD_ITEM_MIN_OK);
	assert_true(recipe->item_rule.missing_is_ng);
	assert_int_equal(recipe->item_rule.max_warn, 1);
	assert_int_equal(recipe->veto_count, 1);
	assert_int_equal(recipe->keep.every[VD_OK], 50);
	assert_int_equal(recipe->keep.every[VD_NG], 0);
	assert_int_equal(recipe->keep.every[VD_WARNING], 1);
	assert_int_equal(recipe->camera_rules[1].list[0].kind, VD_OBJECTS);
	assert_int_equal(recipe->camera_rules[1].list[0].max, 2);
	assert_true(vd_recipe_learns(recipe));
	assert_string_equal(recipe->steps[vd_recipe_step(recipe, "board")].golden.path,
			    "/t/{serial}_temp.jpg");
	(void)vd_recipe_set_unref(set);
}

static void a_step_without_limits_allows_no_defect(void **state)
{
	struct vd_recipe_set *set = good_set();
	const struct vd_recipe *recipe = &set->recipes[0];
	const struct vd_step *board = &recipe->steps[vd_recipe_step(recipe, "board")];

	assert_float_equal(board->limits[VD_MEASURE_DEFECTS].max, 0, 0);
	assert_int_equal(board->band.threshold, vd_golden_defaults().threshold);
	assert_int_equal(board->band.blobs.open_px, vd_golden_defaults().blobs.open_px);
	(void)vd_recipe_set_unref(set);
}

/* Puts value at pointer of the good document and expects a refusal there. */
static void check_refused(const char *pointer, const char *value, const char *at, const char *text)
{
	VD_CLEANUP(vd_json_free) cJSON *parameters = parse(GOOD, sizeof GOOD - 1);
	char parent[256];
	const char *key = strrchr(pointer, '/') + 1;
	struct vd_recipe_set *set = NULL;
	struct vd_fault fault = { 0 };
	cJSON *object;

	(void)snprintf(parent, sizeof parent, "%.*s", (int)(key - 1 - pointer), pointer);
	object = (cJSON *)(uintptr_t)vd_json_at(parameters, parent);
	assert_non_null(object);
	cJSON_DeleteItemFromObjectCaseSensitive(object, key);
	if (value)
		assert_true(cJSON_AddItemToObject(object, key, parse(value, strlen(value))));
	assert_int_equal(read_set(parameters, &set, &fault), -EINVAL);
	assert_null(set);
	assert_int_equal(fault.code, 400);
	assert_string_equal(fault.pointer, at);
	if (!strstr(fault.text, text))
		fail_msg("\"%s\" is not in \"%s\"", text, fault.text);
}

#define STEPS   "/recipes/cap-A/steps"
#define VERDICT "/recipes/cap-A/verdict"

static void what_is_wrong_is_refused_where_it_stands(void **state)
{
	check_refused("/active", "\"cap-C\"", "/active", "no recipe \"cap-C\"");
	check_refused(STEPS "/print/camera", "\"low\"", STEPS "/print/camera", "no camera \"low\"");
	check_refused(STEPS "/print/alignTo", "\"nix\"", STEPS "/print/alignTo", "no step \"nix\"");
	check_refused(STEPS "/print/alignTo", "\"board\"", STEPS "/print/alignTo", "not a locate");
	check_refused(STEPS "/board/alignTo", "\"pos\"", STEPS "/board/alignTo", "another camera");
	check_refused(STEPS "/print/roi", NULL, STEPS "/print/alignTo", "needs a roi");
	check_refused(STEPS "/print/roi", "[10,10,0,5]", STEPS "/print/roi", "empty");
	check_refused(STEPS "/print/roi", "[600,10,41,5]", STEPS "/print/roi", "not inside");
	check_refused(STEPS "/pos/roi", "[600,10,10,50]", STEPS "/pos/roi", "16 x 16");
	check_refused(STEPS "/print/limits", "{\"score\":{\"min\":3,\"max\":2}}",
		      STEPS "/print/limits/score/min", "above max");
	check_refused(STEPS "/print/limits", "{\"score\":{\"warn\":3,\"max\":2}}",
		      STEPS "/print/limits/score/warn", "above max");
	check_refused(STEPS "/print/limits", "{\"score\":{}}", STEPS "/print/limits/score",
		      "needs min or max");
	check_refused(VERDICT "/item", "{\"rule\":\"minOk\",\"steps\":[\"print\"],\"min\":2}",
		      VERDICT "/item/min", "more than");
	check_refused(VERDICT "/item", "{\"rule\":\"minOk\"}", VERDICT "/item/min", "needs min");
	check_refused(VERDICT "/item", "{\"rule\":\"maxNg\",\"max\":2}", VERDICT "/item/max",
		      "every part");
	check_refused(VERDICT "/item", "{\"steps\":[\"print\",\"nix\"]}", VERDICT "/item/steps/1",
		      "no step \"nix\"");
	check_refused(VERDICT "/item", "{\"veto\":[\"print\",\"print\"]}", VERDICT "/item/veto/1",
		      "twice");
	check_refused(VERDICT "/cameras", "{\"low\":{\"rule\":\"allOk\"}}", VERDICT "/cameras/low",
		      "no camera");
	check_refused(VERDICT "/cameras", "{\"top\":{\"rule\":\"objects\",\"min\":3,\"max\":2}}",
		      VERDICT "/cameras/top/min", "above max");
	check_refused("/recipes/cap-A/cameras", "[\"top\",\"side\",\"low\"]",
		      "/recipes/cap-A/cameras/2", "no step looks");
	check_refused("/recipes/cap-A/cameras", "[\"top\",\"top\"]", "/recipes/cap-A/cameras/1",
		      "twice");
	check_refused("/recipes/cap-A/images", "{\"keep\":{\"NG\":\"1/x\"}}",
		      "/recipes/cap-A/images/keep/NG", "1/N");
	check_refused("/recipes/cap-A/images", "{\"keep\":{\"NG\":\"1/0\"}}",
		      "/recipes/cap-A/images/keep/NG", "1/N");
	check_refused("/recipes/cap-A/exposure", "{\"meanMin\":90,\"meanMax\":80}",
		      "/recipes/cap-A/exposure/meanMin", "above");
	check_refused(STEPS "/board/golden", "{\"folder\":\"/t\",\"name\":\"../{serial}\"}",
		      STEPS "/board/golden/name", "not a path");
}

static void what_the_schema_forbids_is_refused_where_it_stands(void **state)
{
	check_refused(STEPS "/print/tool", "\"magic\"", STEPS "/print/tool", "");
	check_refused(STEPS "/print/openPx", "0", STEPS "/print/openPx", "");
	check_refused(STEPS "/print/colour", "1", STEPS "/print/colour", "");
	check_refused(STEPS "/board/golden", NULL, STEPS "/board/golden", "");
	check_refused(STEPS "/pos/minScore", "2", STEPS "/pos/minScore", "");
	check_refused("/recipes/cap-A/rev", "\"a\"", "/recipes/cap-A/rev", "");
	check_refused("/recipes/cap-A/cameras", "[]", "/recipes/cap-A/cameras", "");
}

static void a_name_that_is_no_file_name_is_refused(void **state)
{
	check_refused("/recipes/..~1up",
		      "{\"rev\":1,\"cameras\":[\"a\"],\"steps\":{\"s\":{"
		      "\"camera\":\"a\",\"tool\":\"variation\"}}}",
		      "/recipes/..~01up", "letters");
}

static void limits_do_not_change_what_must_be_learnt(void **state)
{
	struct vd_recipe_set *set = good_set(), *other = NULL;
	VD_CLEANUP(vd_json_free) cJSON *parameters = parse(GOOD, sizeof GOOD - 1);
	struct vd_fault fault = { 0 };
	cJSON *print = (cJSON *)(uintptr_t)vd_json_at(parameters, STEPS "/print");

	cJSON_DeleteItemFromObjectCaseSensitive(print, "limits");
	cJSON_DeleteItemFromObjectCaseSensitive(print, "absThreshold");
	assert_int_equal(read_set(parameters, &other, &fault), 0);
	assert_string_equal(set->recipes[0].model_key, other->recipes[0].model_key);
	(void)vd_recipe_set_unref(other);
	other = NULL;
	cJSON_SetNumberValue(cJSON_GetArrayItem(cJSON_GetObjectItem(print, "roi"), 0), 53);
	assert_int_equal(read_set(parameters, &other, &fault), 0);
	assert_string_not_equal(set->recipes[0].model_key, other->recipes[0].model_key);
	(void)vd_recipe_set_unref(other);
	(void)vd_recipe_set_unref(set);
}

VD_TEST_MAIN(cmocka_unit_test(a_good_document_is_read_whole),
	     cmocka_unit_test(a_step_without_limits_allows_no_defect),
	     cmocka_unit_test(what_is_wrong_is_refused_where_it_stands),
	     cmocka_unit_test(what_the_schema_forbids_is_refused_where_it_stands),
	     cmocka_unit_test(a_name_that_is_no_file_name_is_refused),
	     cmocka_unit_test(limits_do_not_change_what_must_be_learnt))
