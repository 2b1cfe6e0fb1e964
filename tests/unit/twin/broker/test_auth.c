/* SPDX-License-Identifier: Apache-2.0 */
#include "vd_test.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/sas.h"
#include "twin/broker/auth.h"

/* The keys are those of this test. */
#define KEY1 "cHJpbWFyeS1rZXktcHJpbWFyeS1rZXktcHJpbWFyeSE="
#define KEY2 "c2Vjb25kYXJ5LWtleS1zZWNvbmRhcnkta2V5LXNlYyE="
#define KEY3 "cG9saWN5LWtleS1wb2xpY3kta2V5LXBvbGljeS1rZXk="

static const int64_t now_s = 1800000000;
static const char hosts[] = "Hub.example,localhost";

static struct vd_identities *make_table(void)
{
	static const char *const lines[] = {
		"{\"id\":\"d\",\"status\":\"enabled\",\"auth\":\"sas\",\"primaryKey\":\"" KEY1
		"\",\"secondaryKey\":\"" KEY2 "\"}",
		"{\"id\":\"d/m\",\"status\":\"enabled\",\"auth\":\"sas\",\"primaryKey\":\"" KEY2
		"\"}",
		"{\"id\":\"off\",\"status\":\"disabled\",\"auth\":\"sas\",\"primaryKey\":\"" KEY1
		"\"}",
		"{\"id\":\"off/m\",\"status\":\"enabled\",\"auth\":\"sas\",\"primaryKey\":\"" KEY1
		"\"}",
		"{\"id\":\"nokey\",\"status\":\"enabled\",\"auth\":\"sas\"}",
		"{\"id\":\"ca\",\"status\":\"enabled\",\"auth\":\"certificateAuthority\"}",
		"{\"id\":\"pinned\",\"status\":\"enabled\",\"auth\":\"certificateAuthority\","
		"\"secondaryThumbprint\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}",
		"{\"id\":\"self\",\"status\":\"enabled\",\"auth\":\"selfSigned\","
		"\"primaryThumbprint\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}",
		"{\"id\":\"none\",\"status\":\"enabled\",\"auth\":\"none\"}",
		"{\"policy\":\"device\",\"rights\":[\"DeviceConnect\"],\"primaryKey\":\"" KEY3
		"\"}",
		"{\"policy\":\"service\",\"rights\":[\"ServiceConnect\"],\"primaryKey\":\"" KEY3
		"\"}",
	};
	struct vd_identities *table = NULL;

	assert_int_equal(vd_identities_new("/nonexistent/identities", &table), 0);
	for (size_t i = 0; i < VD_COUNT(lines); i++)
		assert_int_equal(vd_identities_apply_line(table, lines[i], strlen(lines[i])), 0);
	return table;
}

static int try(const struct vd_connect *connect, struct vd_grant *grant, int *code)
{
	VD_CLEANUP(vd_identities_free) struct vd_identities *table = make_table();
	struct vd_fault fault = { 0 };
	int r = vd_auth_check(table, hosts, connect, grant, &fault);

	*code = fault.code;
	assert_int_equal(r == 0, *code == 0 || r == 0);
	return r;
}

static int token_code(const char *id, const char *resource, const char *key, const char *policy,
		      int64_t expires_s)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf token = { 0 };
	char username[300];
	struct vd_connect connect = { .client_id = id, .username = username, .now_s = now_s };
	struct vd_grant grant;
	int code;

	(void)snprintf(username, sizeof username, "hub.example/%s/?api-version=2021-04-12", id);
	assert_int_equal(vd_sas_make(resource, key, policy, expires_s, &token), 0);
	connect.password = token.data;
	if (try(&connect, &grant, &code) < 0)
		return code;
	assert_string_equal(grant.identity, id);
	assert_int_equal(grant.expires_s, expires_s);
	return 0;
}

static void either_key_lets_a_device_in(void **state)
{
	assert_int_equal(token_code("d", "hub.example/devices/d", KEY1, NULL, now_s + 60), 0);
	assert_int_equal(token_code("d", "hub.example/devices/d", KEY2, NULL, now_s + 60), 0);
	assert_int_equal(token_code("d", "hub.example/devices/d", KEY3, NULL, now_s + 60), 401);
}

static void a_module_needs_its_own_key_and_an_enabled_device(void **state)
{
	assert_int_equal(
		token_code("d/m", "hub.example/devices/d/modules/m", KEY2, NULL, now_s + 60), 0);
	assert_int_equal(
		token_code("d/m", "hub.example/devices/d/modules/m", KEY1, NULL, now_s + 60), 401);
	assert_int_equal(
		token_code("off/m", "hub.example/devices/off/modules/m", KEY1, NULL, now_s + 60),
		403);
}

static void expired_foreign_and_unknown_are_refused(void **state)
{
	assert_int_equal(token_code("d", "hub.example/devices/d", KEY1, NULL, now_s - 1), 401);
	assert_int_equal(token_code("d", "hub.example/devices/e", KEY1, NULL, now_s + 60), 401);
	assert_int_equal(token_code("d", "other.example/devices/d", KEY1, NULL, now_s + 60), 401);
	assert_int_equal(token_code("off", "hub.example/devices/off", KEY1, NULL, now_s + 60), 403);
	assert_int_equal(
		token_code("unknown", "hub.example/devices/unknown", KEY1, NULL, now_s + 60), 404);
	assert_int_equal(token_code("nokey", "hub.example/devices/nokey", KEY1, NULL, now_s + 60),
			 401);
	assert_int_equal(token_code("none", "hub.example/devices/none", KEY1, NULL, now_s + 60),
			 401);
}

static void a_policy_needs_the_right_to_connect_devices(void **state)
{
	assert_int_equal(token_code("d", "hub.example", KEY3, "device", now_s + 60), 0);
	assert_int_equal(token_code("ca", "hub.example/devices/ca", KEY3, "device", now_s + 60), 0);
	assert_int_equal(token_code("d", "hub.example", KEY3, "service", now_s + 60), 403);
	assert_int_equal(token_code("d", "hub.example", KEY3, "nobody", now_s + 60), 403);
	assert_int_equal(token_code("d", "hub.example", KEY1, "device", now_s + 60), 401);
}

static int username_code(const char *client_id, const char *username)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf token = { 0 };
	struct vd_connect connect = { .client_id = client_id,
				      .username = username,
				      .now_s = now_s };
	struct vd_grant grant;
	int code;

	assert_int_equal(vd_sas_make("hub.example/devices/d", KEY1, NULL, now_s + 9, &token), 0);
	connect.password = token.data;
	return try(&connect, &grant, &code) < 0 ? code : 0;
}

static void the_username_names_hub_and_client(void **state)
{
	assert_int_equal(username_code("d", "hub.example/d"), 0);
	assert_int_equal(username_code("d", "HUB.EXAMPLE:8883/d/"), 0);
	assert_int_equal(username_code("d", "hub.example/d?api-version=1"), 0);
	assert_int_equal(username_code("d", "hub.example/d/api-version=1"), 0);
	assert_int_equal(username_code("d", "hub.example/d/?api-version=1&x=y"), 0);
	assert_int_equal(username_code("d", "hub.example/e/?api-version=1"), 401);
	assert_int_equal(username_code("d", "hub.example/dd/?api-version=1"), 401);
	assert_int_equal(username_code("d", "hub.example/d/m/?api-version=1"), 401);
	assert_int_equal(username_code("d", "evil.example/d/?api-version=1"), 401);
	assert_int_equal(username_code("d", "hub.exampl/d/?api-version=1"), 401);
	assert_int_equal(username_code("d", "d"), 401);
	assert_int_equal(username_code("d", ""), 401);
	assert_int_equal(username_code("d", "/d"), 401);
	assert_int_equal(username_code("d", NULL), 401);
	assert_int_equal(username_code("", "hub.example/"), 401);
	assert_int_equal(username_code("#", "hub.example/#"), 401);
}

static int certificate_code(const char *id, const struct vd_certificate *certificate)
{
	char username[300];
	struct vd_connect connect = {
		.client_id = id, .username = username, .certificate = certificate, .now_s = now_s
	};
	struct vd_grant grant;
	int code;

	(void)snprintf(username, sizeof username, "hub.example/%s/?api-version=2021-04-12", id);
	if (try(&connect, &grant, &code) < 0)
		return code;
	assert_int_equal(grant.expires_s, 0);
	return 0;
}

static void certificates_count_by_name_or_thumbprint(void **state)
{
	struct vd_certificate good = { .common_name = "ca",
				       .sha1 = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
				       .chained = true,
				       .in_time = true };
	struct vd_certificate unchained = good, other = good, late = good;

	unchained.chained = false;
	(void)snprintf(other.common_name, sizeof other.common_name, "cb");
	other.sha1[0] = 'b';
	late.in_time = false;
	assert_int_equal(certificate_code("ca", &good), 0);
	assert_int_equal(certificate_code("ca", &unchained), 401);
	assert_int_equal(certificate_code("ca", &other), 401);
	assert_int_equal(certificate_code("ca", NULL), 401);
	assert_int_equal(certificate_code("self", &good), 0);
	assert_int_equal(certificate_code("self", &unchained), 0);
	assert_int_equal(certificate_code("self", &other), 401);
	assert_int_equal(certificate_code("self", &late), 401);
	assert_int_equal(certificate_code("d", &good), 401);
	assert_int_equal(certificate_code("none", &good), 401);
}

static void a_certificate_of_the_ca_must_be_one_that_is_registered_if_any_are(void **state)
{
	struct vd_certificate good = { .common_name = "pinned",
				       .sha1 = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
				       .chained = true,
				       .in_time = true };
	struct vd_certificate revoked = good, unchained = good;

	revoked.sha1[0] = 'b';
	unchained.chained = false;
	assert_int_equal(certificate_code("pinned", &good), 0);
	assert_int_equal(certificate_code("pinned", &revoked), 401);
	assert_int_equal(certificate_code("pinned", &unchained), 401);
}

static void fingerprints_change_with_keys_and_status(void **state)
{
	static const char disabled[] =
		"{\"id\":\"d\",\"status\":\"disabled\",\"auth\":\"sas\",\"primaryKey\":\"" KEY1
		"\"}";
	VD_CLEANUP(vd_identities_free) struct vd_identities *table = make_table();
	uint64_t before = vd_auth_fingerprint(table, "d"),
		 module = vd_auth_fingerprint(table, "d/m");

	assert_true(before != 0 && module != 0 && before != module);
	assert_true(vd_auth_fingerprint(table, "unknown") == 0);
	assert_int_equal(vd_identities_apply_line(table, disabled, strlen(disabled)), 0);
	assert_true(vd_auth_fingerprint(table, "d") == 0);
	assert_true(vd_auth_fingerprint(table, "d/m") == 0);
}

VD_TEST_MAIN(cmocka_unit_test(either_key_lets_a_device_in),
	     cmocka_unit_test(a_module_needs_its_own_key_and_an_enabled_device),
	     cmocka_unit_test(expired_foreign_and_unknown_are_refused),
	     cmocka_unit_test(a_policy_needs_the_right_to_connect_devices),
	     cmocka_unit_test(the_username_names_hub_and_client),
	     cmocka_unit_test(certificates_count_by_name_or_thumbprint),
	     cmocka_unit_test(a_certificate_of_the_ca_must_be_one_that_is_registered_if_any_are),
	     cmocka_unit_test(fingerprints_change_with_keys_and_status))
