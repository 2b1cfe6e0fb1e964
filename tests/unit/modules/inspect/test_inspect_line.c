/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/inspect/line.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "vd_test.h"

static struct vd_line selected(void)
{
	struct vd_line line = { .is_held = true, .recipe = "b", .instead = "a" };

	(void)snprintf(line.hold.by, sizeof line.hold.by, "technician");
	(void)snprintf(line.hold.reason, sizeof line.hold.reason, "lamp \"2\"");
	(void)snprintf(line.selection.by, sizeof line.selection.by, "bus/event");
	(void)vd_time_text(1000, line.hold.at);
	(void)vd_time_text(2000, line.selection.at);
	return line;
}

static void the_line_survives_a_restart(void **state)
{
	char folder[] = "/tmp/line-XXXXXX", path[64];
	struct vd_line line = selected(), read;

	assert_non_null(mkdtemp(folder));
	(void)snprintf(path, sizeof path, "%s/line.json", folder);
	vd_line_read(path, &read);
	assert_false(read.is_held);
	assert_string_equal(read.recipe, "");
	assert_int_equal(vd_line_write(&line, path), 0);
	vd_line_read(path, &read);
	assert_memory_equal(&read, &line, sizeof line);
	assert_int_equal(vd_file_write(path, "{\"hold\":", 8, 0600), 0);
	vd_line_read(path, &read);
	assert_false(read.is_held);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(folder), 0);
}

static void a_selection_holds_until_the_document_changes_its_mind(void **state)
{
	struct vd_line line = selected();

	assert_string_equal(vd_line_recipe(&line, "a"), "b");
	assert_string_equal(vd_line_recipe(&line, "a"), "b");
	assert_string_equal(vd_line_recipe(&line, "c"), "c");
	assert_string_equal(vd_line_recipe(&line, "a"), "a");
	assert_string_equal(line.selection.by, "");
	assert_true(line.is_held);
}

static void who_acts_must_say_so(void **state)
{
	VD_CLEANUP(vd_json_free) cJSON *call = cJSON_CreateObject();
	struct vd_line_word word = { .by = "before" };
	struct vd_fault fault = { 0 };
	char text[VD_LINE_REASON_BYTES + 1];

	assert_int_equal(vd_line_word_parse(call, 0, &word, &fault), -EINVAL);
	assert_string_equal(fault.pointer, "/by");
	assert_string_equal(word.by, "before");
	assert_true(vd_json_add_string(call, "by", "me"));
	assert_int_equal(vd_line_word_parse(call, 1000, &word, &fault), 0);
	assert_string_equal(word.by, "me");
	assert_string_equal(word.at, "1970-01-01T00:00:01.000Z");
	memset(text, 'x', sizeof text);
	text[sizeof text - 1] = '\0';
	assert_true(vd_json_add_string(call, "reason", text));
	assert_int_equal(vd_line_word_parse(call, 0, &word, &fault), -EINVAL);
	assert_string_equal(fault.pointer, "/reason");
}

static void what_is_in_the_file_is_not_trusted(void **state)
{
	static const char *const texts[] = { "null", "[]", "{\"hold\":3,\"selection\":[]}",
					     "{\"selection\":{\"recipe\":7}}" };

	for (size_t i = 0; i < VD_COUNT(texts); i++) {
		VD_CLEANUP(vd_json_free) cJSON *json = NULL;
		struct vd_line line;

		assert_int_equal(vd_json_parse(texts[i], strlen(texts[i]), &json, NULL), 0);
		vd_line_parse(json, &line);
		assert_false(line.is_held);
		assert_string_equal(line.recipe, "");
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
