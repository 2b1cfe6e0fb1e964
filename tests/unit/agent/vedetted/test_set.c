/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/vedetted/set.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "vd_test.h"

static char folder[] = "/tmp/vedette-test-set-XXXXXX";
static cJSON *folders;

static void install(const char *name, const char *version, const char *ports)
{
	static const char schema[] =
		"{\"type\":\"object\",\"additionalProperties\":false,\"properties\":"
		"{\"fps\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":100,\"default\":10}}}";
	char path[512], text[1024];

	(void)snprintf(path, sizeof path, "%s/%s/%s", folder, name, version);
	assert_int_equal(vd_file_make_folders(path, 0755), 0);
	(void)snprintf(
		text, sizeof text,
		"{\"name\":\"%s\",\"version\":\"%s\",\"protocol\":[1,1],\"entryPoint\":\"run\",%s}",
		name, version, ports);
	(void)snprintf(path, sizeof path, "%s/%s/%s/manifest.json", folder, name, version);
	assert_int_equal(vd_file_write(path, text, strlen(text), 0644), 0);
	(void)snprintf(path, sizeof path, "%s/%s/%s/schema.json", folder, name, version);
	assert_int_equal(vd_file_write(path, schema, strlen(schema), 0644), 0);
	(void)snprintf(path, sizeof path, "%s/%s/%s/run", folder, name, version);
	assert_int_equal(vd_file_write(path, "", 0, 0755), 0);
}

static int set_up(void **state)
{
	assert_non_null(mkdtemp(folder));
	folders = cJSON_CreateArray();
	assert_true(cJSON_AddItemToArray(folders, cJSON_CreateString(folder)));
	install("camera", "1.0.0",
		"\"outputs\":{\"frame\":{\"kind\":\"frames\"},\"health\":{\"kind\":\"message\"}}");
	install("camera", "1.1.0", "\"outputs\":{\"frame\":{\"kind\":\"frames\"}}");
	install("inspect", "1.0.0",
		"\"outputs\":{\"verdict\":{}},\"inputs\":{\"frame\":{\"kind\":\"frames\"},"
		"\"write\":{}}");
	return 0;
}

static int tear_down(void **state)
{
	char path[512];

	vd_json_free(folders);
	(void)snprintf(path, sizeof path, "%s", folder);
	/* The tree is small and of known form. */
	for (const char *const *p =
		     (const char *const[]){ "camera/1.0.0", "camera/1.1.0", "inspect/1.0.0", NULL };
	     *p; p++) {
		for (const char *const *f = (const char *const[]){ "/run", "/schema.json",
								   "/manifest.json", "", NULL };
		     *f; f++) {
			(void)snprintf(path, sizeof path, "%s/%s%s", folder, *p, *f);
			(void)remove(path);
		}
	}
	for (const char *const *p = (const char *const[]){ "/camera", "/inspect", "", NULL }; *p;
	     p++) {
		(void)snprintf(path, sizeof path, "%s%s", folder, *p);
		(void)remove(path);
	}
	return 0;
}

static int make(const char *text, int64_t version, struct vd_set **ret_set, struct vd_fault *fault)
{
	cJSON *document = cJSON_Parse(text);
	int r;

	assert_non_null(document);
	r = vd_set_new(&document, version, folders, ret_set, fault);
	vd_json_free(document);
	return r;
}

#define MODULE(name, package, version, more)                                                       \
	"\"" name "\":{\"type\":\"process\",\"package\":\"" package "\",\"version\":\"" version    \
	"\",\"status\":\"running\"" more "}"
#define DOCUMENT(modules, routes)                                                                  \
	"{\"schemaVersion\":\"1.0\",\"modules\":{" modules "},\"routes\":{" routes "}}"
#define CAMERA(version, more) MODULE("cam", "camera", version, more)
#define STATION               MODULE("st", "inspect", "1.0.0", "")

static struct vd_set *good(const char *text, int64_t version)
{
	struct vd_set *set = NULL;
	struct vd_fault fault = { 0 };
	int r = make(text, version, &set, &fault);

	if (r < 0)
		print_error("%s %s\n", fault.pointer, fault.text);
	assert_int_equal(r, 0);
	return set;
}

static void a_bad_document_is_refused_whole_with_place_and_reason(void **state)
{
	static const struct {
		const char *text, *pointer, *part;
		int code;
	} cases[] = {
		{ DOCUMENT(CAMERA("9.9.9", ""), ""), "/modules/cam/version",
		  "installed: 1.0.0 1.1.0", 404 },
		{ DOCUMENT(MODULE("cam", "nosuch", "1.0.0", ""), ""), "/modules/cam/version",
		  "not installed", 404 },
		{ DOCUMENT(CAMERA("1.0.0", ",\"parameters\":{\"fps\":900}"), ""),
		  "/modules/cam/parameters/fps", "100", 400 },
		{ DOCUMENT(CAMERA("1.0.0", ",\"parameters\":{\"fsp\":9}"), ""),
		  "/modules/cam/parameters/fsp", "", 400 },
		{ DOCUMENT(CAMERA("1.0.0", "") "," STATION,
			   "\"f\":\"FROM cam/frames INTO st/frame\""),
		  "/routes/f", "no output frames", 400 },
		{ DOCUMENT(CAMERA("1.0.0", "") "," STATION,
			   "\"f\":\"FROM cam/frame INTO st/picture\""),
		  "/routes/f", "no input picture", 400 },
		{ DOCUMENT(CAMERA("1.0.0", "") "," STATION,
			   "\"f\":\"FROM cam/health INTO st/frame\""),
		  "/routes/f", "frames", 400 },
		{ DOCUMENT(CAMERA("1.0.0", ""), "\"f\":\"FROM cam/frame INTO $upstream\""),
		  "/routes/f", "upstream", 400 },
	};

	for (size_t i = 0; i < VD_COUNT(cases); i++) {
		struct vd_set *set = NULL;
		struct vd_fault fault = { 0 };

		assert_true(make(cases[i].text, 3, &set, &fault) < 0);
		assert_null(set);
		assert_int_equal(fault.code, cases[i].code);
		assert_string_equal(fault.pointer, cases[i].pointer);
		assert_non_null(strstr(fault.text, cases[i].part));
	}
}

static void only_what_a_change_needs_is_done_to_a_module(void **state)
{
	static const char plain[] = DOCUMENT(CAMERA("1.0.0", ""), "");
	static const struct {
		const char *from, *to;
		enum vd_change change;
	} cases[] = {
		{ NULL, plain, VD_CHANGE_START },
		{ plain, plain, VD_CHANGE_NONE },
		{ plain, DOCUMENT(CAMERA("1.0.0", ",\"parameters\":{\"fps\":5}"), ""),
		  VD_CHANGE_PARAMETERS },
		{ plain, DOCUMENT(CAMERA("1.1.0", ""), ""), VD_CHANGE_REPLACE },
		{ plain, DOCUMENT(CAMERA("1.0.0", ",\"env\":{\"A\":{\"value\":\"b\"}}"), ""),
		  VD_CHANGE_REPLACE },
		{ plain, DOCUMENT(STATION, ""), VD_CHANGE_REMOVE },
		{ plain,
		  "{\"schemaVersion\":\"1.0\",\"modules\":{\"cam\":{\"type\":\"process\","
		  "\"package\":\"camera\","
		  "\"version\":\"1.0.0\",\"status\":\"stopped\"}}}",
		  VD_CHANGE_STOP },
	};

	for (size_t i = 0; i < VD_COUNT(cases); i++) {
		struct vd_set *from = cases[i].from ? good(cases[i].from, 1) : NULL,
			      *to = good(cases[i].to, 2);

		assert_int_equal(vd_set_change(from, to, "cam"), cases[i].change);
		vd_set_free(from);
		vd_set_free(to);
	}
}

static void a_package_name_cannot_leave_its_folder(void **state)
{
	struct vd_package *package = NULL;
	struct vd_fault fault = { 0 };

	assert_int_equal(vd_package_load(folders, "../camera", "1.0.0", &package, &fault), -ENOENT);
	assert_int_equal(vd_package_load(folders, "camera", "..", &package, &fault), -ENOENT);
	assert_null(package);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_bad_document_is_refused_whole_with_place_and_reason),
		cmocka_unit_test(only_what_a_change_needs_is_done_to_a_module),
		cmocka_unit_test(a_package_name_cannot_leave_its_folder),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
