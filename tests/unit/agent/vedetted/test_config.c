/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/vedetted/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "vd_test.h"

static char folder[] = "/tmp/vedette-test-config-XXXXXX";

static const char *path_of(const char *name)
{
	static char path[256];

	(void)snprintf(path, sizeof path, "%s/%s", folder, name);
	return path;
}

static void put(const char *name, const char *text)
{
	assert_int_equal(vd_file_write(path_of(name), text, strlen(text), 0600), 0);
}

static int set_up(void **state)
{
	assert_non_null(mkdtemp(folder));
	put("ca.pem", "x");
	put("key", "a2V5\n");
	put("bad-key", "no base64!\n");
	return 0;
}

static int tear_down(void **state)
{
	for (const char *const *p =
		     (const char *const[]){ "ca.pem", "key", "bad-key", "conf", NULL };
	     *p; p++)
		(void)unlink(path_of(*p));
	return rmdir(folder);
}

/* @ stands for the folder. */
static int read_text(const char *text, struct vd_config *config, struct vd_fault *fault)
{
	char whole[2048] = "";
	size_t n = 0;

	for (; *text; text++) {
		if (*text == '@')
			n += (size_t)snprintf(whole + n, sizeof whole - n, "%s", folder);
		else
			whole[n++] = *text;
	}
	put("conf", whole);
	return vd_config_read(config, path_of("conf"), fault);
}

#define HUB(more)                                                                                  \
	"\"hub\":{\"host\":\"h.example\",\"trustedCaFile\":\"@/ca.pem\"," more                     \
	"\"authentication\":{\"type\":\"sas\",\"keyFile\":\"@/key\"}}"

static void a_short_file_gets_defaults_for_the_rest(void **state)
{
	struct vd_config config;
	struct vd_fault fault = { 0 };

	assert_int_equal(
		read_text("{ // comment\n \"deviceId\":\"d\"," HUB("") "}", &config, &fault), 0);
	assert_string_equal(config.device_id, "d");
	assert_int_equal(config.port, 8883);
	assert_string_equal(config.key, "a2V5");
	assert_string_equal(config.state_folder, "/var/lib/vedette");
	assert_int_equal(config.token_life_s, 3600);
	assert_int_equal(cJSON_GetArraySize(config.package_folders), 2);
	vd_config_fini(&config);
}

static void what_is_wrong_is_told_with_its_place(void **state)
{
	static const struct {
		const char *text, *pointer, *part;
	} cases[] = {
		{ "", "", "empty" },
		{ "{", "", "not JSON" },
		{ "{\"deviceId\":\"d\"}", "/hub", "" },
		{ "{\"deviceId\":\"d\"," HUB("\"port\":70000,") "}", "/hub/port", "65535" },
		{ "{\"deviceId\":\"d\"," HUB("\"prot\":1,") "}", "/hub/prot", "" },
		{ "{\"deviceId\":\"d\"," HUB("\"backoffFirstMs\":900000,") "}",
		  "/hub/backoffFirstMs", "" },
		{ "{\"deviceId\":\"d\"," HUB("\"backoffFirstMs\":40000,") "}",
		  "/hub/backoffFirstMs", "above" },
		{ "{\"deviceId\":\"d\",\"hub\":{\"host\":\"h\",\"trustedCaFile\":\"/no/"
		  "such\",\"authentication\":"
		  "{\"type\":\"sas\",\"keyFile\":\"@/key\"}}}",
		  "/hub/trustedCaFile", "No such file" },
		{ "{\"deviceId\":\"d\",\"hub\":{\"host\":\"h\",\"trustedCaFile\":\"@/"
		  "ca.pem\",\"authentication\":"
		  "{\"type\":\"sas\"}}}",
		  "/hub/authentication/keyFile", "missing" },
		{ "{\"deviceId\":\"d\",\"hub\":{\"host\":\"h\",\"trustedCaFile\":\"@/"
		  "ca.pem\",\"authentication\":"
		  "{\"type\":\"sas\",\"keyFile\":\"@/bad-key\"}}}",
		  "/hub/authentication/keyFile", "base64" },
		{ "{\"deviceId\":\"d\",\"hub\":{\"host\":\"h\",\"trustedCaFile\":\"@/"
		  "ca.pem\",\"authentication\":"
		  "{\"type\":\"x509\",\"certificateFile\":\"@/ca.pem\"}}}",
		  "/hub/authentication/privateKeyFile", "missing" },
	};

	for (size_t i = 0; i < VD_COUNT(cases); i++) {
		struct vd_config config;
		struct vd_fault fault = { 0 };

		assert_true(read_text(cases[i].text, &config, &fault) < 0);
		assert_string_equal(fault.pointer, cases[i].pointer);
		assert_non_null(strstr(fault.text, cases[i].part));
		assert_non_null(strstr(fault.text, folder));
		vd_config_fini(&config);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_short_file_gets_defaults_for_the_rest),
		cmocka_unit_test(what_is_wrong_is_told_with_its_place),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
