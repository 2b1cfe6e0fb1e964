/* SPDX-License-Identifier: Apache-2.0 */
#include "vd_test.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "twin/document/manifest.h"

#define D64                 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define FILE_OF(path, more) "{\"path\":\"" path "\",\"sha256\":\"" D64 "\",\"bytes\":3" more "}"
#define HEAD                                                                                       \
	"{\"format\":1,\"kind\":\"module\",\"name\":\"camera\",\"version\":\"1.2.0\","             \
	"\"arch\":\"x86_64\",\"archive\":{\"sha256\":\"" D64 "\",\"bytes\":10},"                   \
	"\"entryPoint\":\"run\",\"protocol\":[1,1],\"files\":[" FILE_OF(                           \
		"run", ",\"executable\":true") "," FILE_OF("manifest.json", "")

static int parse(const char *text, struct vd_fault *fault)
{
	VD_CLEANUP(vd_manifest_fini) struct vd_manifest manifest = { 0 };

	return vd_manifest_parse(text, strlen(text), &manifest, fault);
}

static void a_module_is_read(void **state)
{
	VD_CLEANUP(vd_manifest_fini) struct vd_manifest manifest = { 0 };
	static const char text[] = HEAD "," FILE_OF("lib/a.so", "") "]}";

	assert_int_equal(vd_manifest_parse(text, strlen(text), &manifest, NULL), 0);
	assert_string_equal(manifest.name, "camera");
	assert_string_equal(manifest.version, "1.2.0");
	assert_string_equal(manifest.sha256, D64);
	assert_int_equal(manifest.bytes, 10);
	assert_int_equal(cJSON_GetArraySize(manifest.files), 3);
}

static void paths_stay_inside_the_folder(void **state)
{
	static const char *const bad[] = { "",     "/a",   "a/",     "a//b", "..",
					   "a/..", "../a", "a/../b", "./a",  "a\\b",
					   "a\nb", "a/. ", "a b/ c", "a:b",  "c\xc3\xa4" };

	for (size_t i = 0; i < VD_COUNT(bad); i++)
		assert_false(vd_manifest_is_path(bad[i]));
	assert_true(vd_manifest_is_path("a/b.c/..d"));
	assert_true(vd_manifest_is_path("one two.txt"));
}

static void a_file_stands_once_and_is_no_folder_of_another(void **state)
{
	struct vd_fault fault = { 0 };

	assert_int_equal(parse(HEAD "," FILE_OF("run", "") "]}", &fault), -EINVAL);
	assert_string_equal(fault.text, "\"run\" stands twice");
	assert_int_equal(
		parse(HEAD "," FILE_OF("a", "") "," FILE_OF("a.b", "") "," FILE_OF("a/b", "") "]}",
		      &fault),
		-EINVAL);
	assert_string_equal(fault.text, "\"a\" stands twice");
}

static void names_that_lead_astray_are_refused_with_their_place(void **state)
{
	static const char *const bad[] = { "..", ".a", "a/b", "-a", "", "a b", "latest" };
	struct vd_fault fault = { 0 };

	for (size_t i = 0; i < VD_COUNT(bad); i++)
		assert_false(vd_manifest_is_name(bad[i]));
	assert_true(vd_manifest_is_name("1.2.0-rc1+b~2"));
	assert_int_equal(parse(HEAD "," FILE_OF("../x", "") "]}", &fault), -EINVAL);
	assert_string_equal(fault.pointer, "/files/2");
}

static void a_module_has_its_program_and_a_model_its_description(void **state)
{
	static const char model[] =
		"{\"format\":1,\"kind\":\"model\",\"name\":\"m\","
		"\"version\":\"1\",\"arch\":\"any\",\"archive\":{\"sha256\":\"" D64
		"\",\"bytes\":1},\"files\":[" FILE_OF("model.json", "") "]}";
	struct vd_fault fault = { 0 };
	char text[1024];
	char *at;

	assert_int_equal(parse(model, &fault), 0);
	(void)snprintf(text, sizeof text, "%s", model);
	at = strstr(text, "model.json");
	(void)memcpy(at, "nodel", 5);
	assert_int_equal(parse(text, &fault), -EINVAL);
	assert_string_equal(fault.pointer, "/files");
	(void)snprintf(text, sizeof text, "%s]}", HEAD);
	at = strstr(text, "\"run\"");
	(void)memcpy(at, "\"ran\"", 5);
	assert_int_equal(parse(text, &fault), -EINVAL);
	assert_string_equal(fault.pointer, "/entryPoint");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_module_is_read),
		cmocka_unit_test(paths_stay_inside_the_folder),
		cmocka_unit_test(a_file_stands_once_and_is_no_folder_of_another),
		cmocka_unit_test(names_that_lead_astray_are_refused_with_their_place),
		cmocka_unit_test(a_module_has_its_program_and_a_model_its_description),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
