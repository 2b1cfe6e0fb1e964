/* SPDX-License-Identifier: Apache-2.0 */
#include "base/digest.h"

#include <errno.h>
#include <string.h>

#include "vd_test.h"

/* FIPS 180-4, examples of SHA-256. */
static void sha256_gives_the_digests_of_the_standard(void **state)
{
	char text[VD_SHA256_TEXT];

	assert_int_equal(vd_sha256_text("", 0, text), 0);
	assert_string_equal(text,
			    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	assert_int_equal(vd_sha256_text("abc", 3, text), 0);
	assert_string_equal(text,
			    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	assert_int_equal(vd_sha256_text("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
					56, text),
			 0);
	assert_string_equal(text,
			    "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

/* RFC 4231, cases 1, 2 and 6. */
static void hmac_gives_the_codes_of_the_rfc(void **state)
{
	static const uint8_t case_1[] = { 0xb0, 0x34, 0x4c, 0x61, 0xd8, 0xdb, 0x38, 0x53,
					  0x5c, 0xa8, 0xaf, 0xce, 0xaf, 0x0b, 0xf1, 0x2b,
					  0x88, 0x1d, 0xc2, 0x00, 0xc9, 0x83, 0x3d, 0xa7,
					  0x26, 0xe9, 0x37, 0x6c, 0x2e, 0x32, 0xcf, 0xf7 };
	static const uint8_t case_2[] = { 0x5b, 0xdc, 0xc1, 0x46, 0xbf, 0x60, 0x75, 0x4e,
					  0x6a, 0x04, 0x24, 0x26, 0x08, 0x95, 0x75, 0xc7,
					  0x5a, 0x00, 0x3f, 0x08, 0x9d, 0x27, 0x39, 0x83,
					  0x9d, 0xec, 0x58, 0xb9, 0x64, 0xec, 0x38, 0x43 };
	static const uint8_t case_6[] = { 0x60, 0xe4, 0x31, 0x59, 0x1e, 0xe0, 0xb6, 0x7f,
					  0x0d, 0x8a, 0x26, 0xaa, 0xcb, 0xf5, 0xb7, 0x7f,
					  0x8e, 0x0b, 0xc6, 0x21, 0x37, 0x28, 0xc5, 0x14,
					  0x05, 0x46, 0x04, 0x0f, 0x0e, 0xe3, 0x7f, 0x54 };
	uint8_t key[131], mac[VD_SHA256_BYTES];

	memset(key, 0x0b, 20);
	assert_int_equal(vd_hmac_sha256(key, 20, "Hi There", 8, mac), 0);
	assert_memory_equal(mac, case_1, sizeof mac);
	assert_int_equal(vd_hmac_sha256("Jefe", 4, "what do ya want for nothing?", 28, mac), 0);
	assert_memory_equal(mac, case_2, sizeof mac);
	memset(key, 0xaa, sizeof key);
	assert_int_equal(vd_hmac_sha256(key, sizeof key,
					"Test Using Larger Than Block-Size Key - Hash Key First",
					54, mac),
			 0);
	assert_memory_equal(mac, case_6, sizeof mac);
}

/* RFC 4648, section 10. */
static void base64_gives_the_texts_of_the_rfc(void **state)
{
	static const char *const pairs[][2] = { { "", "" },
						{ "f", "Zg==" },
						{ "fo", "Zm8=" },
						{ "foo", "Zm9v" },
						{ "foob", "Zm9vYg==" },
						{ "fooba", "Zm9vYmE=" },
						{ "foobar", "Zm9vYmFy" } };

	for (size_t i = 0; i < VD_COUNT(pairs); i++) {
		VD_CLEANUP(vd_buf_fini) struct vd_buf text = { 0 };
		VD_CLEANUP(vd_buf_fini) struct vd_buf data = { 0 };

		assert_int_equal(vd_base64_encode(pairs[i][0], strlen(pairs[i][0]), &text), 0);
		assert_string_equal(text.data, pairs[i][1]);
		assert_int_equal(vd_base64_decode(text.data, text.len, &data), 0);
		assert_int_equal(data.len, strlen(pairs[i][0]));
		assert_string_equal(data.data, pairs[i][0]);
	}
}

static void base64_that_is_not_strict_is_refused(void **state)
{
	static const char *const bad[] = { "Z",      "Zg",   "Zg=",  "Zg== ",     " Zg==",
					   "Zg\n==", "Z===", "====", "Zg==Zg==",  "Zm9-",
					   "Zm9_",   "Zm9.", "=Zm9", "Zm\xC3\xA9" };
	VD_CLEANUP(vd_buf_fini) struct vd_buf out = { 0 };

	for (size_t i = 0; i < VD_COUNT(bad); i++) {
		if (vd_base64_decode(bad[i], strlen(bad[i]), &out) != -EINVAL)
			fail_msg("accepted: %s", bad[i]);
	}
	assert_int_equal(vd_base64_decode("Zm\0v", 4, &out), -EINVAL);
	assert_int_equal(out.len, 0);
}

static void every_byte_comes_back_from_base64(void **state)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf text = { 0 };
	VD_CLEANUP(vd_buf_fini) struct vd_buf data = { 0 };
	uint8_t bytes[256];

	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)i;
	assert_int_equal(vd_base64_encode(bytes, sizeof bytes, &text), 0);
	assert_int_equal(vd_base64_decode(text.data, text.len, &data), 0);
	assert_int_equal(data.len, sizeof bytes);
	assert_memory_equal(data.data, bytes, sizeof bytes);
}

static void uuids_are_random_and_of_version_4(void **state)
{
	char a[VD_UUID_TEXT], b[VD_UUID_TEXT];

	for (int i = 0; i < 100; i++) {
		assert_ptr_equal(vd_uuid(a), a);
		vd_uuid(b);
		assert_int_equal(strlen(a), 36);
		assert_int_equal(a[14], '4');
		assert_non_null(strchr("89ab", a[19]));
		assert_true(a[8] == '-' && a[13] == '-' && a[18] == '-' && a[23] == '-');
		assert_string_not_equal(a, b);
	}
}

static void digests_are_compared_whole(void **state)
{
	assert_true(vd_digest_equal("abcd", "abcd", 4));
	assert_false(vd_digest_equal("abcd", "abce", 4));
	assert_false(vd_digest_equal("abcd", "bbcd", 4));
}

VD_TEST_MAIN(cmocka_unit_test(sha256_gives_the_digests_of_the_standard),
	     cmocka_unit_test(hmac_gives_the_codes_of_the_rfc),
	     cmocka_unit_test(base64_gives_the_texts_of_the_rfc),
	     cmocka_unit_test(base64_that_is_not_strict_is_refused),
	     cmocka_unit_test(every_byte_comes_back_from_base64),
	     cmocka_unit_test(uuids_are_random_and_of_version_4),
	     cmocka_unit_test(digests_are_compared_whole))
