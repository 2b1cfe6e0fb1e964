/* SPDX-License-Identifier: Apache-2.0 */
#include "vd_test.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "twin/broker/identities.h"

static char folder[64], path[96];

static int set_up(void **state)
{
	(void)snprintf(folder, sizeof folder, "/tmp/vd-identities-XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	(void)snprintf(path, sizeof path, "%s/identities", folder);
	return 0;
}

static int tear_down(void **state)
{
	(void)unlink(path);
	return rmdir(folder);
}

static struct vd_identities_writer *open_writer(void)
{
	struct vd_identities_writer *writer = NULL;
	struct vd_fault fault = { 0 };

	assert_int_equal(vd_identities_writer_new(path, &writer, &fault), 0);
	return writer;
}

static struct vd_identities *open_table(void)
{
	struct vd_identities *table = NULL;

	assert_int_equal(vd_identities_new(path, &table), 0);
	return table;
}

static void put(struct vd_identities_writer *writer, const char *id, bool enabled)
{
	struct vd_identity identity = { .id = id,
					.enabled = enabled,
					.key = { "a2V5MQ==", "a2V5Mg==" } };

	assert_int_equal(vd_identities_put(writer, &identity), 0);
}

static void append_text(const char *text)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);

	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	(void)close(fd);
}

static void changes_reach_the_table_at_flush_and_reload(void **state)
{
	VD_CLEANUP(vd_identities_free) struct vd_identities *table = open_table();
	VD_CLEANUP(vd_identities_writer_free) struct vd_identities_writer *writer = open_writer();
	const struct vd_identity *found;

	put(writer, "dev1", true);
	put(writer, "dev1/mod", false);
	assert_null(vd_identities_find(table, "dev1"));
	assert_true(vd_identities_reload(table) >= 0);
	assert_null(vd_identities_find(table, "dev1"));
	assert_int_equal(vd_identities_flush(writer), 0);
	assert_int_equal(vd_identities_reload(table), VD_IDENTITIES_CHANGED);
	assert_int_equal(vd_identities_reload(table), 0);
	assert_int_equal(vd_identities_count(table), 2);
	found = vd_identities_find(table, "dev1");
	assert_true(found->enabled);
	assert_string_equal(found->key[1], "a2V5Mg==");
	assert_string_equal(found->thumbprint[0], "");
	assert_false(vd_identities_find(table, "dev1/mod")->enabled);
	assert_int_equal(vd_identities_delete(writer, "dev1"), 0);
	put(writer, "dev1/mod", true);
	assert_int_equal(vd_identities_flush(writer), 0);
	assert_int_equal(vd_identities_reload(table), VD_IDENTITIES_CHANGED);
	assert_null(vd_identities_find(table, "dev1"));
	assert_true(vd_identities_find(table, "dev1/mod")->enabled);
}

static void a_rewrite_replaces_everything(void **state)
{
	VD_CLEANUP(vd_identities_free) struct vd_identities *table = open_table();
	VD_CLEANUP(vd_identities_writer_free) struct vd_identities_writer *writer = open_writer();

	put(writer, "old", true);
	assert_int_equal(vd_identities_flush(writer), 0);
	assert_int_equal(vd_identities_reload(table), VD_IDENTITIES_CHANGED);
	vd_identities_begin_rewrite(writer);
	put(writer, "new", true);
	assert_int_equal(vd_identities_flush(writer), 0);
	assert_int_equal(vd_identities_reload(table), VD_IDENTITIES_CHANGED);
	assert_null(vd_identities_find(table, "old"));
	assert_non_null(vd_identities_find(table, "new"));
	put(writer, "newer", true);
	assert_int_equal(vd_identities_flush(writer), 0);
	assert_int_equal(vd_identities_reload(table), VD_IDENTITIES_CHANGED);
	assert_int_equal(vd_identities_count(table), 2);
}

static void aborted_changes_never_show(void **state)
{
	VD_CLEANUP(vd_identities_free) struct vd_identities *table = open_table();
	VD_CLEANUP(vd_identities_writer_free) struct vd_identities_writer *writer = open_writer();

	put(writer, "dev1", true);
	vd_identities_abort(writer);
	assert_int_equal(vd_identities_flush(writer), 0);
	assert_true(vd_identities_reload(table) >= 0);
	assert_int_equal(vd_identities_count(table), 0);
}

static void policies_carry_names_rights_and_keys(void **state)
{
	VD_CLEANUP(vd_identities_free) struct vd_identities *table = open_table();
	VD_CLEANUP(vd_identities_writer_free) struct vd_identities_writer *writer = open_writer();
	struct vd_policy policy = { .name = "device",
				    .rights = VD_RIGHT_DEVICE | VD_RIGHT_SERVICE,
				    .key = { "a2V5MQ==", NULL } };

	assert_int_equal(vd_identities_put_policy(writer, &policy), 0);
	assert_int_equal(vd_identities_flush(writer), 0);
	assert_int_equal(vd_identities_reload(table), VD_IDENTITIES_CHANGED);
	assert_int_equal(vd_identities_policy(table, "device")->rights,
			 VD_RIGHT_DEVICE | VD_RIGHT_SERVICE);
	assert_string_equal(vd_identities_policy(table, "device")->key[0], "a2V5MQ==");
	assert_null(vd_identities_policy(table, "service"));
	assert_int_equal(vd_identities_delete_policy(writer, "device"), 0);
	assert_int_equal(vd_identities_flush(writer), 0);
	assert_int_equal(vd_identities_reload(table), VD_IDENTITIES_CHANGED);
	assert_null(vd_identities_policy(table, "device"));
}

static void a_line_still_being_written_is_left_for_later(void **state)
{
	VD_CLEANUP(vd_identities_free) struct vd_identities *table = NULL;

	append_text("{\"id\":\"a\",\"status\":\"enabled\",\"auth\":\"sas\"}\n{\"id\":\"b\","
		    "\"status\":");
	table = open_table();
	assert_int_equal(vd_identities_count(table), 1);
	append_text("\"enabled\",\"auth\":\"none\"}\n");
	assert_int_equal(vd_identities_reload(table), VD_IDENTITIES_CHANGED);
	assert_int_equal(vd_identities_find(table, "b")->auth, VD_AUTH_NONE);
	assert_int_equal(vd_identities_bad_lines(table), 0);
}

static void a_line_that_a_crash_cut_is_ended_before_the_next(void **state)
{
	VD_CLEANUP(vd_identities_free) struct vd_identities *table = NULL;
	VD_CLEANUP(vd_identities_writer_free) struct vd_identities_writer *writer = NULL;

	append_text("{\"id\":\"b\",\"sta");
	writer = open_writer();
	put(writer, "c", true);
	assert_int_equal(vd_identities_flush(writer), 0);
	table = open_table();
	assert_non_null(vd_identities_find(table, "c"));
	assert_int_equal(vd_identities_bad_lines(table), 1);
}

static void bad_lines_are_counted_and_passed_over(void **state)
{
	VD_CLEANUP(vd_identities_free) struct vd_identities *table = open_table();

	append_text("nonsense\n{}\n[]\n{\"id\":\"a/b/c\",\"status\":\"enabled\",\"auth\":\"sas\"}\n"
		    "{\"id\":\"a\",\"status\":\"on\",\"auth\":\"sas\"}\n"
		    "{\"id\":\"a\",\"status\":\"enabled\",\"auth\":\"magic\"}\n"
		    "{\"policy\":\"p\",\"rights\":[\"Everything\"]}\n\n"
		    "{\"id\":\"good\",\"status\":\"enabled\",\"auth\":\"certificateAuthority\"}\n");
	assert_int_equal(vd_identities_reload(table), VD_IDENTITIES_CHANGED);
	assert_int_equal(vd_identities_count(table), 1);
	assert_int_equal(vd_identities_bad_lines(table), 7);
	assert_int_equal(vd_identities_find(table, "good")->auth, VD_AUTH_CA);
}

static void the_file_is_for_its_owner_only(void **state)
{
	VD_CLEANUP(vd_identities_writer_free) struct vd_identities_writer *writer = open_writer();
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	vd_identities_begin_rewrite(writer);
	put(writer, "dev1", true);
	assert_int_equal(vd_identities_flush(writer), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

static void ids_are_azures_less_what_topics_cannot_carry(void **state)
{
	char longest[130];

	assert_true(vd_identity_id_is_valid("dev-1:a.b%_*?!(),=@;$'"));
	assert_true(vd_identity_id_is_valid("dev/mod"));
	assert_true(vd_identity_id_is_valid("dev/$edgeAgent"));
	assert_false(vd_identity_id_is_valid(""));
	assert_false(vd_identity_id_is_valid("/mod"));
	assert_false(vd_identity_id_is_valid("dev/"));
	assert_false(vd_identity_id_is_valid("a+b"));
	assert_false(vd_identity_id_is_valid("a#"));
	assert_false(vd_identity_id_is_valid("a b"));
	memset(longest, 'a', sizeof longest);
	longest[129] = '\0';
	assert_false(vd_identity_id_is_valid(longest));
	longest[128] = '\0';
	assert_true(vd_identity_id_is_valid(longest));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
VD_TEST_MAIN(TEST(changes_reach_the_table_at_flush_and_reload), TEST(a_rewrite_replaces_everything),
	     TEST(aborted_changes_never_show), TEST(policies_carry_names_rights_and_keys),
	     TEST(a_line_still_being_written_is_left_for_later),
	     TEST(a_line_that_a_crash_cut_is_ended_before_the_next),
	     TEST(bad_lines_are_counted_and_passed_over), TEST(the_file_is_for_its_owner_only),
	     TEST(ids_are_azures_less_what_topics_cannot_carry))
