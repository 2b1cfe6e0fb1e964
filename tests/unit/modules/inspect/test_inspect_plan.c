/* SPDX-License-Identifier: Apache-2.0 */
/* Which steps come when, and what is no order at all. */
#include "modules/inspect/recipe/plan.h"

#include <errno.h>
#include <stdio.h>

#include "modules/inspect/recipe/inventory.h"
#include "tests/unit/modules/inspect/document.h"

#define BLOB  "`camera`:`top`,`tool`:`blob`,`roi`:[0,0,50,50]"
#define FOCUS "`camera`:`top`,`tool`:`focus`,`limits`:{`mean`:{`min`:1}}"
#define LIMIT "`limits`:{`count`:{`max`:9}}"
#define BLOBS BLOB "," LIMIT

static void write_document(char *text, size_t size, const char *steps, const char *more)
{
	const int n = snprintf(text, size,
			       "{`active`:`r`,`recipes`:{`r`:{`rev`:1,`cameras`:[`top`,`side`],"
			       "`steps`:{`low`:{`camera`:`side`,`tool`:`blob`," LIMIT "}%s%s}%s}}}",
			       steps[0] ? "," : "", steps, more);

	assert_true(n > 0 && (size_t)n < size);
}

static struct vd_recipe_set *read_steps(const char *steps)
{
	char text[4096];

	write_document(text, sizeof text, steps, "");
	return document_set(text);
}

/* The names of the steps in their order, a blank between them. */
static void check_order(const char *steps, const char *wanted)
{
	struct vd_recipe_set *set = read_steps(steps);
	const struct vd_recipe *recipe = &set->recipes[0];
	char text[512] = "";
	size_t n = 0;

	for (int i = 0; i < recipe->step_count; i++)
		n += (size_t)snprintf(text + n, sizeof text - n, "%s%s", i ? " " : "",
				      recipe->steps[recipe->order[i]].id);
	assert_string_equal(text, wanted);
	(void)vd_recipe_set_unref(set);
}

static void check_refused(const char *steps, const char *more, const char *at, const char *wanted)
{
	struct vd_recipe_set *set = NULL;
	struct vd_fault fault = { 0 };
	char text[4096], pointer[256];

	write_document(text, sizeof text, steps, more);
	(void)snprintf(pointer, sizeof pointer, "/recipes/r%s", at);
	assert_int_equal(document_read(text, &set, &fault), -EINVAL);
	assert_null(set);
	assert_string_equal(fault.pointer, pointer);
	if (!strstr(fault.text, wanted))
		fail_msg("\"%s\" is not in \"%s\"", wanted, fault.text);
}

static void without_a_word_locate_steps_come_first(void **state)
{
	check_order("`a`:{" BLOBS "},`pos`:{`camera`:`top`,`tool`:`locate`,`roi`:[0,0,20,20]},"
		    "`b`:{" BLOBS "}",
		    "pos low a b");
}

static void each_stands_after_what_it_needs(void **state)
{
	check_order("`a`:{" BLOBS ",`needs`:[`b`]},`b`:{" BLOBS ",`needs`:[`c`,`low`]},`c`:{" BLOBS
		    "}",
		    "low c b a");
	check_order("`a`:{" FOCUS ",`condition`:`steps.b.count > 1 or steps.c.count > 1`},"
		    "`b`:{" BLOBS "},`c`:{" BLOBS "}",
		    "low b c a");
	check_order("`a`:{" FOCUS ",`foreach`:{`step`:`b`}},`b`:{" BLOBS "}", "low b a");
	check_order("`pos`:{`camera`:`top`,`tool`:`locate`,`roi`:[0,0,20,20],"
		    "`condition`:`steps.b.count > 1`},`a`:{" BLOBS ",`alignTo`:`pos`},`b`:{" BLOBS
		    "}",
		    "low b pos a");
}

static uint32_t gates_of(const struct vd_recipe_set *set, const char *id)
{
	const struct vd_recipe *recipe = &set->recipes[0];

	return recipe->steps[vd_recipe_step(recipe, id)].turn.gates;
}

static void without_a_word_a_gate_stops_all_behind_it(void **state)
{
	struct vd_recipe_set *set =
		read_steps("`a`:{" BLOBS "},`g`:{" BLOBS ",`gate`:true},`b`:{" BLOBS "}");

	assert_int_equal(gates_of(set, "low"), 0);
	assert_int_equal(gates_of(set, "a"), 0);
	assert_int_equal(gates_of(set, "b"), 1 << 2);
	(void)vd_recipe_set_unref(set);
}

static void a_gate_stops_what_needs_it_however_far_behind(void **state)
{
	struct vd_recipe_set *set =
		read_steps("`g`:{" BLOBS ",`gate`:true},`a`:{" BLOBS ",`needs`:[`g`]},"
			   "`b`:{" BLOBS ",`needs`:[`a`]},`c`:{" BLOBS "}");

	assert_int_equal(gates_of(set, "a"), 1 << 1);
	assert_int_equal(gates_of(set, "b"), 1 << 1);
	assert_int_equal(gates_of(set, "c"), 0);
	(void)vd_recipe_set_unref(set);
}

static void a_circle_is_no_order(void **state)
{
	check_refused("`a`:{" BLOBS ",`needs`:[`b`]},`b`:{" BLOBS ",`needs`:[`c`]},"
		      "`c`:{" BLOBS ",`needs`:[`b`]}",
		      "", "/steps/b/needs", "a circle: b needs c needs b");
	check_refused("`a`:{" BLOBS ",`needs`:[`a`]}", "", "/steps/a/needs", "a needs a");
	check_refused("`a`:{" FOCUS ",`foreach`:{`step`:`b`}},`b`:{" BLOBS
		      ",`condition`:`steps.a.mean > 3`}",
		      "", "/steps/a/needs", "a needs b needs a");
}

static void what_is_not_there_is_refused_where_it_is_named(void **state)
{
	check_refused("`a`:{" BLOBS ",`needs`:[`low`,`x`]}", "", "/steps/a/needs/1",
		      "no step \"x\"");
	check_refused("`a`:{" BLOBS ",`needs`:[`low`,`low`]}", "", "/steps/a/needs/1", "twice");
	check_refused("`a`:{" FOCUS ",`foreach`:{`step`:`x`}}", "", "/steps/a/foreach/step",
		      "no step \"x\"");
	check_refused("`a`:{" FOCUS "},`b`:{" FOCUS ",`foreach`:{`step`:`a`}}", "",
		      "/steps/b/foreach/step", "finds no objects");
	check_refused("`a`:{" FOCUS ",`foreach`:{`step`:`low`}}", "", "/steps/a/foreach/step",
		      "another camera");
	check_refused("`a`:{" BLOBS "},`b`:{" BLOBS ",`foreach`:{`step`:`a`}}", "",
		      "/steps/b/foreach", "the objects say where");
	check_refused("`a`:{" BLOBS "},`b`:{`camera`:`top`,`tool`:`presence`,"
		      "`golden`:{`file`:`/x`},`foreach`:{`step`:`a`}}",
		      "", "/steps/b/foreach", "the objects say where");
	check_refused("`a`:{" BLOBS
		      "},`b`:{`camera`:`top`,`tool`:`caliper`,`line`:[0,0,9,9,1]," LIMIT
		      ",`foreach`:{`step`:`a`}}",
		      "", "/steps/b/line", "say where");
	check_refused("`a`:{" BLOBS "},`b`:{`camera`:`top`,`tool`:`golden`,"
		      "`golden`:{`file`:`/x`},`foreach`:{`step`:`a`}}",
		      "", "/steps/b/foreach", "");
}

static void a_condition_is_checked_before_anything_is_run(void **state)
{
	check_refused("`a`:{" FOCUS ",`condition`:`steps.x.count > 1`}", "", "/steps/a/condition",
		      "column 1: the recipe has no step \"x\"");
	check_refused("`a`:{" FOCUS ",`condition`:`item.serial == 'A' and steps.low.score > 1`}",
		      "", "/steps/a/condition", "column 24: step \"low\" (blob) has no \"score\"");
	check_refused("`a`:{" FOCUS "},`b`:{" BLOBS ",`condition`:`'x' in steps.a.labels`}", "",
		      "/steps/b/condition", "step \"a\" (focus) has no \"labels\"");
	check_refused("`a`:{" FOCUS ",`condition`:`item.colour == 'A'`}", "", "/steps/a/condition",
		      "column 1: an item has serial, recipe, source");
	check_refused("`a`:{" FOCUS ",`condition`:`1 > 2`}", "", "/steps/a/condition",
		      "speaks of nothing");
	check_refused("`a`:{" FOCUS ",`condition`:`steps.low.count >`}", "", "/steps/a/condition",
		      "column 18");
}

static void a_rule_over_objects_needs_somebody_who_finds_them(void **state)
{
	static const char sees[] = "`a`:{" FOCUS "}";

	check_refused(sees, ",`verdict`:{`cameras`:{`top`:{`rule`:`objects`,`max`:0}}}",
		      "/verdict/cameras/top/rule", "no step of the camera finds objects");
	check_refused(sees, ",`verdict`:{`cameras`:{`top`:{`rule`:`objects`,`step`:`a`}}}",
		      "/verdict/cameras/top/step", "finds no objects");
	check_refused(sees, ",`verdict`:{`cameras`:{`top`:{`rule`:`objects`,`step`:`low`}}}",
		      "/verdict/cameras/top/step", "another camera");
	check_refused(sees,
		      ",`verdict`:{`cameras`:{`side`:{`rule`:`objects`,`exactly`:2,`max`:3}}}",
		      "/verdict/cameras/side/exactly", "instead of");
	check_refused(sees,
		      ",`verdict`:{`cameras`:{`side`:{`rule`:`all`,`rules`:[{`rule`:`allOk`},"
		      "{`rule`:`score`,`min`:2,`max`:1}]}}}",
		      "/verdict/cameras/side/rules/1/min", "above max");
	check_refused(sees,
		      ",`verdict`:{`cameras`:{`side`:{`rule`:`position`,`x`:1,`y`:1,"
		      "`tolerancePx`:2,`warnPx`:3}}}",
		      "/verdict/cameras/side/warnPx", "above");
	check_refused(sees, ",`verdict`:{`cameras`:{`side`:{`rule`:`all`,`rules`:[]}}}",
		      "/verdict/cameras/side/rules", "");
}

/* ---- fragments ---- */

#define FRAGMENTS                                                                                  \
	"`fragments`:{`holes`:{`rev`:2,`steps`:{`find`:{" BLOBS "},"                               \
	"`each`:{" FOCUS ",`foreach`:{`step`:`find`},`needs`:[`find`],"                            \
	"`condition`:`steps.find.count > 2 and item.serial != 'find'`}}},"                         \
	"`both`:{`rev`:1,`include`:[{`fragment`:`holes`,`rev`:2,`prefix`:`l.`},"                   \
	"{`fragment`:`holes`,`rev`:2,`prefix`:`r.`,`camera`:`side`}]},"                            \
	"`round`:{`rev`:1,`include`:[{`fragment`:`round2`,`rev`:1}]},"                             \
	"`round2`:{`rev`:1,`include`:[{`fragment`:`round`,`rev`:1}]}},"

static int read_including(const char *include, const char *steps, struct vd_recipe_set **set,
			  struct vd_fault *fault)
{
	char text[4096];

	(void)snprintf(text, sizeof text,
		       "{" FRAGMENTS "`active`:`r`,`recipes`:{`r`:{`rev`:1,"
		       "`cameras`:[`top`,`side`],`include`:[%s]%s}}}",
		       include, steps);
	return document_read(text, set, fault);
}

static void fragments_become_steps_under_their_prefix(void **state)
{
	struct vd_recipe_set *set = NULL;
	struct vd_fault fault = { 0 };
	const struct vd_recipe *recipe;
	int each, found;

	if (read_including("{`fragment`:`both`,`rev`:1,`prefix`:`x.`}",
			   ",`steps`:{`own`:{" BLOBS ",`needs`:[`x.r.each`]}}", &set, &fault) < 0)
		fail_msg("%s: %s", fault.pointer, fault.text);
	recipe = &set->recipes[0];
	assert_int_equal(recipe->step_count, 5);
	assert_string_equal(recipe->steps[0].id, "x.l.find");
	each = vd_recipe_step(recipe, "x.r.each");
	found = vd_recipe_step(recipe, "x.r.find");
	assert_int_equal(recipe->steps[each].turn.each.step, found);
	assert_int_equal(recipe->steps[each].turn.needs, 1 << found);
	assert_int_equal(recipe->steps[each].camera, 1);
	assert_int_equal(recipe->steps[vd_recipe_step(recipe, "x.l.each")].camera, 0);
	(void)vd_recipe_set_unref(set);
}

static void check_include_refused(const char *include, const char *at, const char *wanted)
{
	struct vd_recipe_set *set = NULL;
	struct vd_fault fault = { 0 };
	char pointer[256];

	(void)snprintf(pointer, sizeof pointer, "/recipes/r%s", at);
	assert_int_equal(read_including(include,
					",`steps`:{`find`:{`camera`:`side`,`tool`:`blob`," LIMIT
					"}}",
					&set, &fault),
			 -EINVAL);
	assert_string_equal(fault.pointer, pointer);
	if (!strstr(fault.text, wanted))
		fail_msg("\"%s\" is not in \"%s\"", wanted, fault.text);
}

static void an_include_that_cannot_be_is_refused(void **state)
{
	check_include_refused("{`fragment`:`nix`,`rev`:1}", "/include/0/fragment", "no fragment");
	check_include_refused("{`fragment`:`both`,`rev`:1},{`fragment`:`holes`,`rev`:3}",
			      "/include/1/rev", "has rev 2");
	check_include_refused("{`fragment`:`round`,`rev`:1}", "/include/0",
			      "fragment round2: the fragment includes itself: \"round\"");
	check_include_refused("{`fragment`:`holes`,`rev`:2}", "/steps/find", "twice");
	check_include_refused("{`fragment`:`holes`,`rev`:2,`prefix`:`a/b`}", "/include/0/prefix",
			      "letters");
	check_include_refused("{`fragment`:`holes`,`rev`:2,`prefix`:`p.`,`camera`:`low`}",
			      "/include/0", "p.find/camera: the recipe has no camera \"low\"");
}

/* ---- tables ---- */

static enum vd_tool tool_called(const char *name)
{
	int tool = 0;

	while (tool < VD_TOOLS && strcmp(vd_tool_name((enum vd_tool)tool), name) != 0)
		tool++;
	assert_in_range(tool, 0, VD_TOOLS - 1);
	return (enum vd_tool)tool;
}

static const cJSON *limits_of(const cJSON *schema, const cJSON *properties)
{
	const cJSON *limits = vd_json_object(properties, "limits");

	if (vd_json_get(limits, "$ref"))
		limits = vd_json_at(schema, vd_json_string(limits, "$ref", "") + 1);
	return vd_json_object(limits, "properties");
}

/* Conditions know exactly the measures that the schema lets limits speak of. */
static void check_measures(enum vd_tool tool, const cJSON *limits)
{
	for (int i = 0; i < VD_MEASURES; i++) {
		const char *name = vd_measure_name((enum vd_measure)i);

		if (vd_tool_measures(tool, (enum vd_measure)i) !=
		    (vd_json_get(limits, name) != NULL))
			fail_msg("%s and %s", vd_tool_name(tool), name);
	}
}

static void every_tool_takes_its_turn_and_has_its_measures(void **state)
{
	static const char *const keys[] = { "gate", "needs", "condition", "whenSkipped", "maxMs" };
	VD_CLEANUP(vd_json_free) cJSON *schema = NULL;
	struct vd_fault fault = { 0 };
	const cJSON *form;
	int tools = 0;

	assert_int_equal(
		vd_json_parse(vd_inspect_schema_json, vd_inspect_schema_json_len, &schema, &fault),
		0);
	cJSON_ArrayForEach(form, vd_json_array(vd_json_at(schema, "/$defs/step"), "oneOf"))
	{
		const cJSON *properties = vd_json_object(form, "properties");
		const char *name = vd_json_string(vd_json_object(properties, "tool"), "const", "");

		for (size_t i = 0; i < VD_COUNT(keys); i++) {
			if (!vd_json_get(properties, keys[i]))
				fail_msg("%s has no %s", name, keys[i]);
		}
		check_measures(tool_called(name), limits_of(schema, properties));
		tools++;
	}
	assert_int_equal(tools, VD_TOOLS);
}

/* ---- inventory ---- */

static bool lists(const cJSON *json, const char *pointer, const char *text)
{
	const cJSON *one;

	cJSON_ArrayForEach(one, vd_json_at(json, pointer))
	{
		if (strcmp(one->valuestring, text) == 0)
			return true;
	}
	return false;
}

/* With or without libzbar, as the machine has it. */
static void a_recipe_is_held_against_what_the_station_can_do(void **state)
{
	VD_CLEANUP(vd_json_free) cJSON *json = cJSON_CreateObject();
	static const char *const kinds[] = { "datamatrix", "qr" };
	char steps[256];

	assert_true(vd_inventory_add(json));
	assert_true(lists(json, "/inventory/tools", "caliper"));
	assert_true(lists(json, "/inventory/cameraRules", "order"));
	assert_true(lists(json, "/inventory/itemRules", "maxNg"));
	assert_true(lists(json, "/inventory/codes", "datamatrix"));
	assert_int_equal(vd_json_int(vd_json_at(json, "/inventory/limits"), "steps", 0), 32);
	for (size_t i = 0; i < VD_COUNT(kinds); i++) {
		struct vd_recipe_set *set;
		struct vd_fault fault = { 0 };

		(void)snprintf(steps, sizeof steps,
			       "`a`:{`camera`:`top`,`tool`:`code`,`kinds`:[`%s`],`expected`:`x`}",
			       kinds[i]);
		set = read_steps(steps);
		if (lists(json, "/inventory/codes", kinds[i])) {
			assert_int_equal(vd_inventory_check(set, &fault), 0);
		} else {
			assert_int_equal(vd_inventory_check(set, &fault), -EINVAL);
			assert_string_equal(fault.pointer, "/recipes/r/steps/a/kinds");
		}
		(void)vd_recipe_set_unref(set);
	}
}

VD_TEST_MAIN(cmocka_unit_test(without_a_word_locate_steps_come_first),
	     cmocka_unit_test(each_stands_after_what_it_needs),
	     cmocka_unit_test(without_a_word_a_gate_stops_all_behind_it),
	     cmocka_unit_test(a_gate_stops_what_needs_it_however_far_behind),
	     cmocka_unit_test(a_circle_is_no_order),
	     cmocka_unit_test(what_is_not_there_is_refused_where_it_is_named),
	     cmocka_unit_test(a_condition_is_checked_before_anything_is_run),
	     cmocka_unit_test(a_rule_over_objects_needs_somebody_who_finds_them),
	     cmocka_unit_test(fragments_become_steps_under_their_prefix),
	     cmocka_unit_test(an_include_that_cannot_be_is_refused),
	     cmocka_unit_test(every_tool_takes_its_turn_and_has_its_measures),
	     cmocka_unit_test(a_recipe_is_held_against_what_the_station_can_do))
