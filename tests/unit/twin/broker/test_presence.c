/* SPDX-License-Identifier: Apache-2.0 */
#include "vd_test.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "twin/broker/presence.h"
#include "twin/broker/requests.h"

static const int first, second; /* two connections */
static char path[64];

static int set_up(void **state)
{
	int fd;

	(void)snprintf(path, sizeof path, "/tmp/vd-presence-XXXXXX");
	fd = mkstemp(path);
	return fd < 0 ? -1 : close(fd);
}

static int tear_down(void **state)
{
	return unlink(path);
}

static struct vd_presence *open_presence(void)
{
	struct vd_presence *presence = NULL;

	assert_int_equal(vd_presence_new(path, &presence), 0);
	return presence;
}

static void the_end_of_a_replaced_connection_is_not_the_devices_end(void **state)
{
	VD_CLEANUP(vd_presence_free) struct vd_presence *presence = open_presence();

	assert_int_equal(vd_presence_connect(presence, "d", &first, 0, 1, false), 0);
	assert_int_equal(vd_presence_connect(presence, "d", &second, 0, 1, false), 0);
	assert_int_equal(vd_presence_connected(presence), 1);
	assert_false(vd_presence_disconnect(presence, "d", &first));
	assert_false(vd_presence_is_current(presence, "d", &first));
	assert_true(vd_presence_is_current(presence, "d", &second));
	assert_true(vd_presence_disconnect(presence, "d", &second));
	assert_false(vd_presence_disconnect(presence, "d", &second));
	assert_int_equal(vd_presence_connected(presence), 0);
	assert_null(vd_presence_find(presence, "d"));
}

static void flags_outlive_connection_and_process(void **state)
{
	struct vd_presence *presence = open_presence();

	assert_int_equal(vd_presence_connect(presence, "d/m", &first, 0, 1, false), 0);
	assert_int_equal(vd_presence_set_flag(presence, "d/m", VD_FLAG_DESIRED, true),
			 VD_PRESENCE_CHANGED);
	assert_int_equal(vd_presence_set_flag(presence, "d/m", VD_FLAG_DESIRED, true), 0);
	assert_int_equal(vd_presence_set_flag(presence, "d/m", VD_FLAG_C2D, true),
			 VD_PRESENCE_CHANGED);
	assert_int_equal(vd_presence_set_flag(presence, "d/m", VD_FLAG_C2D, false),
			 VD_PRESENCE_CHANGED);
	assert_true(vd_presence_disconnect(presence, "d/m", &first));
	for (int i = 0; i < 3; i++) {
		(void)vd_presence_free(presence);
		presence = open_presence();
		assert_int_equal(vd_presence_find(presence, "d/m")->flags, VD_FLAG_DESIRED);
		assert_null(vd_presence_find(presence, "d/m")->client);
	}
	(void)vd_presence_free(presence);
}

static void a_clean_session_and_a_deletion_forget_the_flags(void **state)
{
	struct vd_presence *presence = open_presence();

	assert_int_equal(vd_presence_connect(presence, "d", &first, 0, 1, false), 0);
	assert_int_equal(vd_presence_set_flag(presence, "d", VD_FLAG_METHODS, true),
			 VD_PRESENCE_CHANGED);
	assert_int_equal(vd_presence_connect(presence, "d", &second, 0, 1, true), 0);
	assert_int_equal(vd_presence_find(presence, "d")->flags, 0);
	assert_int_equal(vd_presence_set_flag(presence, "d", VD_FLAG_METHODS, true),
			 VD_PRESENCE_CHANGED);
	assert_int_equal(vd_presence_forget(presence, "d"), 0);
	assert_int_equal(vd_presence_find(presence, "d")->flags, 0);
	(void)vd_presence_free(presence);
	presence = open_presence();
	assert_null(vd_presence_find(presence, "d"));
	(void)vd_presence_free(presence);
}

static void the_journal_does_not_grow_with_its_history(void **state)
{
	VD_CLEANUP(vd_presence_free) struct vd_presence *presence = open_presence();
	struct stat st;

	for (int i = 0; i < 5000; i++)
		assert_int_equal(vd_presence_set_flag(presence, "d", VD_FLAG_C2D, i % 2 == 0),
				 VD_PRESENCE_CHANGED);
	assert_int_equal(stat(path, &st), 0);
	assert_in_range(st.st_size, 1, 5000 * 30 / 2);
	assert_int_equal(st.st_mode & 0777, 0600);
}

static void requests_are_limited_to_a_rate_with_a_burst(void **state)
{
	VD_CLEANUP(vd_presence_free) struct vd_presence *presence = open_presence();
	uint64_t now_ms = 1000000;

	assert_int_equal(vd_presence_connect(presence, "d", &first, 0, 1, false), 0);
	for (int i = 0; i < 20; i++)
		assert_int_equal(vd_presence_take(presence, "d", 10, now_ms), 0);
	assert_int_equal(vd_presence_take(presence, "d", 10, now_ms), VD_PRESENCE_LIMITED);
	assert_int_equal(vd_presence_take(presence, "d", 10, now_ms + 50),
			 VD_PRESENCE_STILL_LIMITED);
	assert_int_equal(vd_presence_take(presence, "d", 10, now_ms + 110), 0);
	assert_int_equal(vd_presence_take(presence, "d", 10, now_ms + 120), VD_PRESENCE_LIMITED);
	now_ms += 3600000;
	for (int i = 0; i < 20; i++)
		assert_int_equal(vd_presence_take(presence, "d", 10, now_ms), 0);
	assert_int_equal(vd_presence_take(presence, "d", 10, now_ms), VD_PRESENCE_LIMITED);
	assert_int_equal(vd_presence_take(presence, "d", 0, now_ms), 0);
	assert_int_equal(vd_presence_take(presence, "unknown", 10, now_ms), 0);
}

static void bad_lines_cost_only_themselves(void **state)
{
	static const char text[] = "{\"id\":\"a\",\"subscriptions\":[\"c2d\"]}\nrubbish\n"
				   "{\"id\":\"b\",\"subscriptions\":[\"what\"]}\n"
				   "{\"id\":\"c\",\"subscriptions\":[\"methods\"]}\n{\"id\":";
	VD_CLEANUP(vd_presence_free) struct vd_presence *presence = NULL;
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	assert_int_equal(write(fd, text, sizeof text - 1), sizeof text - 1);
	(void)close(fd);
	presence = open_presence();
	assert_int_equal(vd_presence_find(presence, "a")->flags, VD_FLAG_C2D);
	assert_null(vd_presence_find(presence, "b"));
	assert_int_equal(vd_presence_find(presence, "c")->flags, VD_FLAG_METHODS);
}

static void a_flag_that_cannot_be_kept_is_refused(void **state)
{
	VD_CLEANUP(vd_presence_free) struct vd_presence *presence = open_presence();

	assert_int_equal(vd_presence_connect(presence, "d", &first, 0, 1, false), 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink("/nonexistent/journal", path), 0);
	assert_true(vd_presence_set_flag(presence, "d", VD_FLAG_C2D, true) < 0);
	assert_int_equal(vd_presence_find(presence, "d")->flags, 0);
}

static void count(const char *identity, const char *rid, size_t rid_len, void *argument)
{
	char **text = argument;
	char *more = NULL;

	assert_true(asprintf(&more, "%s%s:%.*s ", *text ? *text : "", identity, (int)rid_len, rid) >
		    0);
	free(*text);
	*text = more;
}

static void requests_wait_until_answered_or_drained(void **state)
{
	VD_CLEANUP(vd_requests_free) struct vd_requests *requests = NULL;
	VD_CLEANUP(vd_free) char *text = NULL;

	assert_int_equal(vd_requests_new(&requests), 0);
	assert_int_equal(vd_requests_add(requests, "a", "1", 1), 0);
	assert_int_equal(vd_requests_add(requests, "a", "22", 2), 0);
	assert_int_equal(vd_requests_add(requests, "b", "1", 1), 0);
	assert_int_equal(vd_requests_add(requests, "c", "1", 1), 0);
	vd_requests_remove(requests, "a", "1", 1);
	vd_requests_remove(requests, "a", "3", 1);
	vd_requests_remove(requests, "z", "3", 1);
	vd_requests_forget(requests, "c");
	vd_requests_drain(requests, count, &text);
	assert_string_equal(text, "a:22 b:1 ");
	vd_requests_drain(requests, count, &text);
	assert_string_equal(text, "a:22 b:1 ");
}

static void the_oldest_request_of_one_device_gives_way(void **state)
{
	VD_CLEANUP(vd_requests_free) struct vd_requests *requests = NULL;
	VD_CLEANUP(vd_free) char *text = NULL;
	char rid[8];

	assert_int_equal(vd_requests_new(&requests), 0);
	for (int i = 0; i < VD_REQUESTS_EACH + 1; i++) {
		int n = snprintf(rid, sizeof rid, "r%d", i);

		assert_int_equal(vd_requests_add(requests, "a", rid, (size_t)n), 0);
	}
	vd_requests_drain(requests, count, &text);
	assert_null(strstr(text, "a:r0 "));
	assert_non_null(strstr(text, "a:r1 "));
	assert_non_null(strstr(text, "a:r16 "));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
VD_TEST_MAIN(TEST(the_end_of_a_replaced_connection_is_not_the_devices_end),
	     TEST(flags_outlive_connection_and_process),
	     TEST(a_clean_session_and_a_deletion_forget_the_flags),
	     TEST(requests_are_limited_to_a_rate_with_a_burst),
	     TEST(the_journal_does_not_grow_with_its_history), TEST(bad_lines_cost_only_themselves),
	     TEST(a_flag_that_cannot_be_kept_is_refused),
	     TEST(requests_wait_until_answered_or_drained),
	     TEST(the_oldest_request_of_one_device_gives_way))
