/* SPDX-License-Identifier: Apache-2.0 */
#include "vd_test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/vedette-enrol/identity.h"
#include "base/file.h"

static char folder[64], path[96];

static int set_up(void **state)
{
	(void)snprintf(folder, sizeof folder, "/tmp/vedette-enrol-XXXXXX");
	assert_non_null(mkdtemp(folder));
	(void)snprintf(path, sizeof path, "%s/key", folder);
	return 0;
}

static int tear_down(void **state)
{
	(void)unlink(path);
	return rmdir(folder);
}

static void request_of(const char *name, struct vd_buf *out)
{
	VD_CLEANUP(vd_key_free) struct vd_key *key = NULL;

	assert_int_equal(vd_key_keep(path, &key, NULL), 0);
	assert_int_equal(vd_key_request(key, name, out, NULL), 0);
}

static void a_key_is_made_once_and_nobody_else_reads_it(void **state)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf first = { 0 };
	VD_CLEANUP(vd_buf_fini) struct vd_buf again = { 0 };
	VD_CLEANUP(vd_buf_fini) struct vd_buf csr = { 0 };
	struct stat file;

	request_of("d1", &csr);
	assert_non_null(strstr(csr.data, "BEGIN CERTIFICATE REQUEST"));
	assert_int_equal(stat(path, &file), 0);
	assert_int_equal(file.st_mode & 0777, 0600);
	assert_int_equal(vd_file_read(path, 4096, &first, NULL), 0);
	request_of("d1", &csr);
	assert_int_equal(vd_file_read(path, 4096, &again, NULL), 0);
	assert_string_equal(first.data, again.data);
}

static void a_key_that_others_can_read_is_not_used(void **state)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf csr = { 0 };
	VD_CLEANUP(vd_key_free) struct vd_key *key = NULL;
	struct vd_fault fault = { 0 };

	request_of("d1", &csr);
	assert_int_equal(chmod(path, 0640), 0);
	assert_int_equal(vd_key_keep(path, &key, &fault), -EACCES);
	assert_non_null(strstr(fault.text, "others may read"));
}

static void a_name_too_long_for_a_certificate_is_refused(void **state)
{
	char name[66];
	VD_CLEANUP(vd_buf_fini) struct vd_buf csr = { 0 };
	VD_CLEANUP(vd_key_free) struct vd_key *key = NULL;

	(void)memset(name, 'n', 65);
	name[65] = '\0';
	assert_int_equal(vd_key_keep(path, &key, NULL), 0);
	assert_int_equal(vd_key_request(key, name, &csr, NULL), -EINVAL);
}

static void what_is_no_certificate_for_the_key_never_replaces_the_identity(void **state)
{
	VD_CLEANUP(vd_key_free) struct vd_key *key = NULL;
	char identity[128];

	(void)snprintf(identity, sizeof identity, "%s/identity.pem", folder);
	assert_int_equal(vd_key_keep(path, &key, NULL), 0);
	assert_int_equal(vd_identity_write(identity, "no certificate", key, "d1", NULL), -EBADMSG);
	assert_int_equal(access(identity, F_OK), -1);
}

static void renewal_is_due_after_two_thirds_of_the_life(void **state)
{
	const struct vd_identity_dates dates = { .not_before_ms = 1000, .not_after_ms = 4000 };

	assert_false(vd_identity_is_due(&dates, 2999));
	assert_true(vd_identity_is_due(&dates, 3000));
	assert_true(vd_identity_is_due(&dates, 9000));
}

VD_TEST_MAIN(cmocka_unit_test_setup_teardown(a_key_is_made_once_and_nobody_else_reads_it, set_up,
					     tear_down),
	     cmocka_unit_test_setup_teardown(a_key_that_others_can_read_is_not_used, set_up,
					     tear_down),
	     cmocka_unit_test_setup_teardown(a_name_too_long_for_a_certificate_is_refused, set_up,
					     tear_down),
	     cmocka_unit_test_setup_teardown(
		     what_is_no_certificate_for_the_key_never_replaces_the_identity, set_up,
		     tear_down),
	     cmocka_unit_test(renewal_is_due_after_two_thirds_of_the_life))
