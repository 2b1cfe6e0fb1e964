/* SPDX-License-Identifier: Apache-2.0 */
#include "vd_test.h"

#include <errno.h>
#include <string.h>

#include "base/signature.h"

static const char message[] = "{\"name\":\"camera\"}";

static struct vd_private_key *fresh(struct vd_public_key *ret_public)
{
	struct vd_private_key *key = NULL;

	assert_int_equal(vd_private_key_new(&key), 0);
	assert_int_equal(vd_private_key_public(key, ret_public), 0);
	return key;
}

static void what_was_signed_is_checked_with_the_key_of_it(void **state)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf text = { 0 };
	struct vd_public_key keys[2];
	struct vd_private_key *other = fresh(&keys[0]), *key = fresh(&keys[1]);
	const struct vd_public_key *found = NULL;

	assert_int_equal(vd_signature_make(key, "of camera", message, strlen(message), &text), 0);
	assert_int_equal(strncmp(text.data, "untrusted comment: of camera\nRW", 31), 0);
	assert_int_equal(vd_signature_check(text.data, text.len, keys, 2, message, strlen(message),
					    &found, NULL),
			 0);
	assert_ptr_equal(found, &keys[1]);
	(void)vd_private_key_free(other);
	(void)vd_private_key_free(key);
}

static void an_altered_text_and_a_foreign_key_are_told_apart(void **state)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf text = { 0 };
	struct vd_public_key keys[2];
	struct vd_private_key *other = fresh(&keys[0]), *key = fresh(&keys[1]);
	const struct vd_public_key *found = NULL;
	struct vd_fault fault = { 0 };

	assert_int_equal(vd_signature_make(key, "x", message, strlen(message), &text), 0);
	assert_int_equal(
		vd_signature_check(text.data, text.len, keys, 2, "other", 5, &found, &fault),
		-EBADMSG);
	assert_string_equal(fault.text, "the signature does not fit");
	assert_int_equal(vd_signature_check(text.data, text.len, keys, 1, message, strlen(message),
					    &found, &fault),
			 -ENOKEY);
	assert_string_equal(fault.text, "it is signed with none of the trusted keys");
	assert_int_equal(vd_signature_check(text.data, text.len - 20, keys, 2, message,
					    strlen(message), &found, &fault),
			 -EINVAL);
	assert_null(found);
	(void)vd_private_key_free(other);
	(void)vd_private_key_free(key);
}

/* RFC 8032, 7.1, test 3, in signify's clothes: so no other implementation disagrees. */
static void a_signature_of_the_standard_is_good(void **state)
{
	static const uint8_t key[] = { 0xfc, 0x51, 0xcd, 0x8e, 0x62, 0x18, 0xa1, 0xa3,
				       0x8d, 0xa4, 0x7e, 0xd0, 0x02, 0x30, 0xf0, 0x58,
				       0x08, 0x16, 0xed, 0x13, 0xba, 0x33, 0x03, 0xac,
				       0x5d, 0xeb, 0x91, 0x15, 0x48, 0x90, 0x80, 0x25 };
	static const char signature[] =
		"untrusted comment: x\n"
		"RWQAAAAAAAAAAGKR1lfe7CQCSCfmnDq+AaMM5UiihHQ6RF42gNfbWsOsGP+b"
		"U40W8pCuZ/dgmE3GWUp8FelxbtKNwCe+zuoexAo=\n";
	struct vd_public_key public = { 0 };
	const struct vd_public_key *found = NULL;
	const uint8_t data[] = { 0xaf, 0x82 };

	(void)memcpy(public.key, key, sizeof key);
	assert_int_equal(vd_signature_check(signature, strlen(signature), &public, 1, data,
					    sizeof data, &found, NULL),
			 0);
}

static void a_public_key_comes_back_with_and_without_its_comment(void **state)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf line = { 0 };
	VD_CLEANUP(vd_buf_fini) struct vd_buf file = { 0 };
	struct vd_public_key public, read;
	struct vd_private_key *key = fresh(&public);

	assert_int_equal(vd_public_key_write(&public, &line), 0);
	assert_int_equal(line.len, 56);
	assert_int_equal(vd_public_key_read(line.data, line.len, &read, NULL), 0);
	assert_memory_equal(&read, &public, sizeof read);
	assert_int_equal(vd_buf_printf(&file, "untrusted comment: k\n%s\n", line.data), 0);
	assert_int_equal(vd_public_key_read(file.data, file.len, &read, NULL), 0);
	assert_int_equal(vd_public_key_read(file.data, 12, &read, NULL), -EINVAL);
	assert_int_equal(vd_public_key_read(line.data, 40, &read, NULL), -EINVAL);
	(void)vd_private_key_free(key);
}

static void a_private_key_may_have_a_passphrase(void **state)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf pem = { 0 };
	struct vd_public_key public, again;
	struct vd_private_key *key = fresh(&public), *read = NULL;
	struct vd_fault fault = { 0 };

	assert_int_equal(vd_private_key_write(key, "geheim", &pem), 0);
	assert_non_null(strstr(pem.data, "BEGIN ENCRYPTED PRIVATE KEY"));
	assert_int_equal(vd_private_key_read(pem.data, pem.len, NULL, &read, &fault), -EACCES);
	assert_string_equal(fault.text, "a passphrase is needed");
	assert_int_equal(vd_private_key_read(pem.data, pem.len, "falsch", &read, &fault), -EACCES);
	assert_int_equal(vd_private_key_read(pem.data, pem.len, "geheim", &read, &fault), 0);
	assert_int_equal(vd_private_key_public(read, &again), 0);
	assert_memory_equal(&again, &public, sizeof again);
	(void)vd_private_key_free(read);
	assert_int_equal(vd_private_key_read("no key", 6, NULL, &read, &fault), -EINVAL);
	(void)vd_private_key_free(key);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_signed_is_checked_with_the_key_of_it),
		cmocka_unit_test(an_altered_text_and_a_foreign_key_are_told_apart),
		cmocka_unit_test(a_signature_of_the_standard_is_good),
		cmocka_unit_test(a_public_key_comes_back_with_and_without_its_comment),
		cmocka_unit_test(a_private_key_may_have_a_passphrase),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
