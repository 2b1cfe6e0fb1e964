/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/inspect/line/panel.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "vd_test.h"

static struct vd_panel selected(void)
{
	struct vd_panel panel = { .is_held = true, .recipe = "b", .instead = "a" };

	(void)snprintf(panel.hold.by, sizeof panel.hold.by, "technician");
	(void)snprintf(panel.hold.reason, sizeof panel.hold.reason, "lamp \"2\"");
	(void)snprintf(panel.selection.by, sizeof panel.selection.by, "bus/event");
	(void)vd_time_text(1000, panel.hold.at);
	(void)vd_time_text(2000, panel.selection.at);
	return panel;
}

static void the_line_survives_a_restart(void **state)
{
	char folder[] = "/tmp/panel-XXXXXX", path[64];
	struct vd_panel panel = selected(), read;

	assert_non_null(mkdtemp(folder));
	(void)snprintf(path, sizeof path, "%s/panel.json", folder);
	vd_panel_read(path, &read);
	assert_false(read.is_held);
	assert_string_equal(read.recipe, "");
	assert_int_equal(vd_panel_write(&panel, path), 0);
	vd_panel_read(path, &read);
	assert_memory_equal(&read, &panel, sizeof panel);
	assert_int_equal(vd_file_write(path, "{\"hold\":", 8, 0600), 0);
	vd_panel_read(path, &read);
	assert_false(read.is_held);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(folder), 0);
}

static void a_selection_holds_until_the_document_changes_its_mind(void **state)
{
	struct vd_panel panel = selected();

	assert_string_equal(vd_panel_recipe(&panel, "a"), "b");
	assert_string_equal(vd_panel_recipe(&panel, "a"), "b");
	assert_string_equal(vd_panel_recipe(&panel, "c"), "c");
	assert_string_equal(vd_panel_recipe(&panel, "a"), "a");
	assert_string_equal(panel.selection.by, "");
	assert_true(panel.is_held);
}

static void who_acts_must_say_so(void **state)
{
	VD_CLEANUP(vd_json_free) cJSON *call = cJSON_CreateObject();
	struct vd_panel_word word = { .by = "before" };
	struct vd_fault fault = { 0 };
	char text[VD_PANEL_REASON_BYTES + 1];

	assert_int_equal(vd_panel_word_parse(call, 0, &word, &fault), -EINVAL);
	assert_string_equal(fault.pointer, "/by");
	assert_string_equal(word.by, "before");
	assert_true(vd_json_add_string(call, "by", "me"));
	assert_int_equal(vd_panel_word_parse(call, 1000, &word, &fault), 0);
	assert_string_equal(word.by, "me");
	assert_string_equal(word.at, "1970-01-01T00:00:01.000Z");
	memset(text, 'x', sizeof text);
	text[sizeof text - 1] = '\0';
	assert_true(vd_json_add_string(call, "reason", text));
	assert_int_equal(vd_panel_word_parse(call, 0, &word, &fault), -EINVAL);
	assert_string_equal(fault.pointer, "/reason");
}

static void what_is_in_the_file_is_not_trusted(void **state)
{
	static const char *const texts[] = { "null", "[]", "{\"hold\":3,\"selection\":[]}",
					     "{\"selection\":{\"recipe\":7}}" };

	for (size_t i = 0; i < VD_COUNT(texts); i++) {
		VD_CLEANUP(vd_json_free) cJSON *json = NULL;
		struct vd_panel panel;

		assert_int_equal(vd_json_parse(texts[i], strlen(texts[i]), &json, NULL), 0);
		vd_panel_parse(json, &panel);
		assert_false(panel.is_held);
		assert_string_equal(panel.recipe, "");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_line_survives_a_restart),
		cmocka_unit_test(a_selection_holds_until_the_document_changes_its_mind),
		cmocka_unit_test(who_acts_must_say_so),
		cmocka_unit_test(what_is_in_the_file_is_not_trusted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
