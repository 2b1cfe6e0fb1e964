/* SPDX-License-Identifier: Apache-2.0 */
#include "base/sas.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "vd_test.h"

/* Bytes 0 to 31; the signatures below were made from it by another implementation (Python's hmac). */
static const char key[] = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
static const char node_token[] = "SharedAccessSignature sr=hub.example%2Fdevices%2Fd1&sig="
				 "m1ZDWHjlC0DUQh3dJs3rwFu2l0mfGVNnbBn9VCTqPqc%3D&se=1800000000";
/* As the C SDK writes it: sr raw, lower-case escapes, another order, an empty policy. */
static const char c_token[] =
	"SharedAccessSignature sr=Hub.example/devices/d1/modules/m1&se=1800000000&skn=&sig="
	"gaavrPg3PXcIQN2S5NLnS%2f2WeO2GbGjjxEyeZMtXKEY%3d";
static const char policy_token[] =
	"SharedAccessSignature sr=hub.example&sig="
	"%2BjMZRLhCUsZq%2BBLn7kd7BSL3i6khFAxqfHk1YBdCi0M%3D&se=1800000000&skn=service";

static struct vd_sas parsed(const char *token)
{
	struct vd_fault fault = { 0 };
	struct vd_sas sas = { 0 };

	if (vd_sas_parse(token, strlen(token), &sas, &fault) < 0)
		fail_msg("%s", fault.text);
	return sas;
}

static int verify(const char *token, const char *resource, int64_t now_s)
{
	struct vd_sas sas = parsed(token);
	struct vd_fault fault = { 0 };
	int r = vd_sas_verify(&sas, key, resource, now_s, &fault);

	assert_int_equal(fault.code, r < 0 ? 401 : 0);
	return r;
}

static void refuses(const char *token, const char *text)
{
	struct vd_fault fault = { 0 };
	struct vd_sas sas;

	assert_int_equal(vd_sas_parse(token, strlen(token), &sas, &fault), -EINVAL);
	assert_int_equal(fault.code, 401);
	assert_string_equal(fault.text, text);
}

static void tokens_of_both_device_libraries_are_taken_apart(void **state)
{
	struct vd_sas sas = parsed(node_token);

	assert_string_equal(sas.resource, "hub.example/devices/d1");
	assert_string_equal(sas.policy, "");
	assert_int_equal(sas.expires_s, 1800000000);
	sas = parsed(c_token);
	assert_string_equal(sas.resource, "hub.example/devices/d1/modules/m1");
	sas = parsed(policy_token);
	assert_string_equal(sas.policy, "service");
}

static void tokens_made_elsewhere_verify(void **state)
{
	assert_int_equal(verify(node_token, "hub.example/devices/d1", 1700000000), 0);
	assert_int_equal(verify(c_token, "hub.example/devices/d1/modules/m1", 1700000000), 0);
	assert_int_equal(verify(policy_token, "hub.example/devices/d1", 1700000000), 0);
}

static void a_token_covers_its_resource_segment_by_segment(void **state)
{
	assert_int_equal(verify(node_token, "hub.example/devices/d1/modules/m", 0), 0);
	assert_int_equal(verify(node_token, "hub.example/devices/d10", 0), -EACCES);
	assert_int_equal(verify(node_token, "hub.example/devices/D1", 0), -EACCES);
	assert_int_equal(verify(node_token, "hub.example/devices", 0), -EACCES);
	assert_int_equal(verify(node_token, "hub.example", 0), -EACCES);
	assert_int_equal(verify(c_token, "hub.example/devices/d1", 0), -EACCES);
	assert_int_equal(verify(policy_token, "hub.example.evil/devices/d1", 0), -EACCES);
}

static void the_host_may_have_a_port_and_any_case(void **state)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf token = { 0 };

	assert_int_equal(verify(node_token, "HUB.example:8883/devices/d1", 0), 0);
	assert_int_equal(vd_sas_make("Hub.example:28883/devices/d1", key, NULL, 100, &token), 0);
	assert_int_equal(verify(token.data, "hub.example/devices/d1", 0), 0);
	assert_int_equal(verify(token.data, "hub.example:443/devices/d1", 0), 0);
	assert_int_equal(verify(token.data, "hub.example:x/devices/d1", 0), -EACCES);
}

static void a_token_is_good_until_its_second_and_not_after(void **state)
{
	assert_int_equal(verify(node_token, "hub.example/devices/d1", 1800000000), 0);
	assert_int_equal(verify(node_token, "hub.example/devices/d1", 1800000001), -EACCES);
}

static void another_key_or_a_changed_byte_is_refused(void **state)
{
	struct vd_sas sas = parsed(node_token);
	struct vd_fault fault = { 0 };

	assert_int_equal(vd_sas_verify(&sas, "AAAA", "hub.example/devices/d1", 0, &fault), -EACCES);
	assert_string_equal(fault.text, "the signature is not made with this identity's key");
	for (size_t i = 0; i < sizeof sas.signature; i++) {
		sas.signature[i] ^= 1;
		assert_int_equal(vd_sas_verify(&sas, key, "hub.example/devices/d1", 0, NULL),
				 -EACCES);
		sas.signature[i] ^= 1;
	}
	assert_int_equal(vd_sas_verify(&sas, "no key", "hub.example/devices/d1", 0, &fault),
			 -EACCES);
	assert_int_equal(vd_sas_verify(&sas, "", "hub.example/devices/d1", 0, &fault), -EACCES);
	assert_string_equal(fault.text, "the identity's key is not base64");
}

static void a_longer_life_than_was_signed_is_refused(void **state)
{
	assert_int_equal(verify("SharedAccessSignature sr=hub.example%2Fdevices%2Fd1&sig="
				"m1ZDWHjlC0DUQh3dJs3rwFu2l0mfGVNnbBn9VCTqPqc%3D&se=1900000000",
				"hub.example/devices/d1", 0),
			 -EACCES);
}

static void what_is_no_token_is_refused_with_the_reason(void **state)
{
	refuses("", "not a SharedAccessSignature");
	refuses("Bearer sr=a&sig=b&se=1", "not a SharedAccessSignature");
	refuses("SharedAccessSignature ", "the token must have sr, sig and se");
	refuses("SharedAccessSignature sr=h&se=1", "the token must have sr, sig and se");
	refuses("SharedAccessSignature sr=h&sr=i&sig=b&se=1", "a field stands twice in the token");
	refuses("SharedAccessSignature sr=h&sig=b&se=", "se is not a time in seconds since 1970");
	refuses("SharedAccessSignature sr=h&sig=b&se=-1", "se is not a time in seconds since 1970");
	refuses("SharedAccessSignature sr=h&sig=b&se=1e9",
		"se is not a time in seconds since 1970");
	refuses("SharedAccessSignature sr=h&sig=b&se=9999999999999999",
		"se is not a time in seconds since 1970");
	refuses("SharedAccessSignature sr=&sig=b&se=1", "sr is not a resource");
	refuses("SharedAccessSignature sr=h%2&sig=b&se=1", "sr is not a resource");
	refuses("SharedAccessSignature sr=h%00x&sig=b&se=1", "sr is not a resource");
	refuses("SharedAccessSignature sr=h&sig=b&se=1&skn=%zz", "skn is not the name of a policy");
	refuses("SharedAccessSignature sr=h&sig=b&se=1", "sig is not base64 of 32 bytes");
	refuses("SharedAccessSignature sr=h&sig=AAAA&se=1", "sig is not base64 of 32 bytes");
}

static void sizes_are_bounded(void **state)
{
	static char token[4096];
	struct vd_sas sas;
	int n;

	memset(token, 'a', sizeof token);
	assert_int_equal(vd_sas_parse(token, 2049, &sas, NULL), -EINVAL);
	n = snprintf(token, sizeof token, "SharedAccessSignature sr=%0512d&sig=%044d&se=1", 0, 0);
	assert_int_equal(vd_sas_parse(token, (size_t)n, &sas, NULL), -EINVAL);
	n = snprintf(token, sizeof token,
		     "SharedAccessSignature "
		     "sr=%0511d&sig=m1ZDWHjlC0DUQh3dJs3rwFu2l0mfGVNnbBn9VCTqPqc=&se=1",
		     0);
	assert_int_equal(vd_sas_parse(token, (size_t)n, &sas, NULL), 0);
}

static void a_token_made_here_is_byte_for_byte_the_one_made_elsewhere(void **state)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf token = { 0 };

	assert_int_equal(vd_sas_make("hub.example/devices/d1", key, NULL, 1800000000, &token), 0);
	assert_string_equal(token.data, node_token);
	vd_buf_clear(&token);
	assert_int_equal(vd_sas_make("hub.example", key, "service", 1800000000, &token), 0);
	assert_string_equal(token.data, policy_token);
}

static void a_bad_key_makes_no_token_and_leaves_the_buffer(void **state)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf out = { 0 };

	assert_int_equal(vd_buf_printf(&out, "x"), 0);
	assert_int_equal(vd_sas_make("h", "not base64", NULL, 1, &out), -EINVAL);
	assert_string_equal(out.data, "x");
}

VD_TEST_MAIN(cmocka_unit_test(tokens_of_both_device_libraries_are_taken_apart),
	     cmocka_unit_test(tokens_made_elsewhere_verify),
	     cmocka_unit_test(a_token_covers_its_resource_segment_by_segment),
	     cmocka_unit_test(the_host_may_have_a_port_and_any_case),
	     cmocka_unit_test(a_token_is_good_until_its_second_and_not_after),
	     cmocka_unit_test(another_key_or_a_changed_byte_is_refused),
	     cmocka_unit_test(a_longer_life_than_was_signed_is_refused),
	     cmocka_unit_test(what_is_no_token_is_refused_with_the_reason),
	     cmocka_unit_test(sizes_are_bounded),
	     cmocka_unit_test(a_token_made_here_is_byte_for_byte_the_one_made_elsewhere),
	     cmocka_unit_test(a_bad_key_makes_no_token_and_leaves_the_buffer))
