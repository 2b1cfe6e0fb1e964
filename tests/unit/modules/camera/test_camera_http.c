/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/camera/http_answer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vd_test.h"

#include "base/file.h"
#include "modules/camera/secret.h"

static const char picture[] = "\xff\xd8 a picture \xff\xd9";
enum { PICTURE = sizeof picture - 1 };

static struct vd_http_answer answer_of(const char *const *lines)
{
	struct vd_http_answer answer;

	vd_http_answer_begin(&answer);
	for (; *lines; lines++)
		assert_int_equal(vd_http_answer_header(&answer, *lines, strlen(*lines)), 0);
	return answer;
}

#define ANSWER(...) answer_of((const char *const[]){ "HTTP/1.1 200 OK\r\n", __VA_ARGS__, NULL })

static void headers_are_read_whatever_their_case_and_end(void **state)
{
	struct vd_http_answer answer = ANSWER("content-type:image/jpeg\r\n", "ETag:  \"a-1\"\n",
					      "AGE: 7", "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n",
					      "Last-Modified: x\r\n", "\r\n", "no colon\r\n");

	assert_string_equal(answer.type, "image/jpeg");
	assert_string_equal(answer.etag, "\"a-1\"");
	assert_string_equal(answer.modified, "x");
	assert_int_equal(answer.age_s, 7);
	assert_int_equal(answer.date_ms, 784111777000);
}

static void only_the_last_of_several_answers_counts(void **state)
{
	struct vd_http_answer answer = ANSWER("Content-Type: text/html\r\n", "Age: 4\r\n",
					      "HTTP/1.1 200 OK\r\n", "Date: yesterday\r\n");

	assert_string_equal(answer.type, "");
	assert_int_equal(answer.age_s, 0);
	assert_int_equal(answer.date_ms, -1);
}

static void headers_without_end_are_refused(void **state)
{
	struct vd_http_answer answer;
	char line[1000];
	size_t sum = 0;

	memset(line, 'x', sizeof line);
	vd_http_answer_begin(&answer);
	for (; sum + sizeof line <= VD_HTTP_HEADER_BYTES; sum += sizeof line)
		assert_int_equal(vd_http_answer_header(&answer, line, sizeof line), 0);
	assert_int_equal(vd_http_answer_header(&answer, "HTTP/1.1 200 OK", 15), 0);
	assert_int_equal(vd_http_answer_header(&answer, line, sizeof line), -E2BIG);
}

static void what_is_no_jpeg_by_its_type_or_its_end_is_refused(void **state)
{
	struct vd_fault fault = { 0 };
	struct vd_http_answer html = ANSWER("Content-Type: text/html; charset=utf-8\r\n");
	struct vd_http_answer jpeg = ANSWER("Content-Type: Image/JPEG; x=y\r\n");
	struct vd_http_answer untold = ANSWER("Server: x\r\n");

	assert_int_equal(vd_http_answer_check(&html, picture, PICTURE, &fault), -EBADMSG);
	assert_non_null(strstr(fault.text, "text/html"));
	assert_int_equal(vd_http_answer_check(&jpeg, picture, PICTURE, &fault), 0);
	assert_int_equal(vd_http_answer_check(&untold, picture, PICTURE, &fault), 0);
	assert_int_equal(vd_http_answer_check(&jpeg, picture, PICTURE - 1, &fault), -EBADMSG);
	assert_non_null(strstr(fault.text, "no end"));
	assert_int_equal(vd_http_answer_check(&jpeg, picture, 0, &fault), -EBADMSG);
}

static int judge(const struct vd_http_answer *answer, const char *body,
		 struct vd_http_picture *last, int64_t trigger_ms)
{
	struct vd_fault fault = { 0 };
	int r = vd_http_answer_fresh(answer, body, strlen(body), last, trigger_ms, last, &fault);

	assert_true(r == 0 || (r == -ESTALE && fault.text[0]));
	return r;
}

static void the_same_bytes_again_are_stale_unless_the_server_says_that_they_are_new(void **state)
{
	const struct {
		struct vd_http_answer first, second;
		const char *body;
		int outcome;
	} cases[] = {
		{ ANSWER("ETag: 1"), ANSWER("ETag: 1"), "a", -ESTALE },
		{ ANSWER("ETag: 1"), ANSWER("ETag: 2"), "a", 0 },
		{ ANSWER("ETag: 1"), ANSWER("ETag: 1"), "b", 0 },
		{ ANSWER("Last-Modified: x"), ANSWER("Last-Modified: x"), "a", -ESTALE },
		{ ANSWER("Last-Modified: x"), ANSWER("Last-Modified: y"), "a", 0 },
		{ ANSWER("ETag: 1", "Date: Thu, 01 Jan 1970 00:02:00 GMT"),
		  ANSWER("ETag: 1", "Date: Thu, 01 Jan 1970 00:02:00 GMT"), "a", -ESTALE },
		{ ANSWER("X: y"), ANSWER("Date: Thu, 01 Jan 1970 00:01:40 GMT"), "a", 0 },
		{ ANSWER("X: y"), ANSWER("Date: Thu, 01 Jan 1970 00:01:38 GMT"), "a", -ESTALE },
		{ ANSWER("X: y"), ANSWER("Date: Thu, 01 Jan 1970 00:01:38 GMT"), "b", 0 },
		{ ANSWER("X: y"), ANSWER("X: y"), "a", -ESTALE },
		{ ANSWER("X: y"), ANSWER("Age: 3"), "b", -ESTALE },
	};

	for (size_t i = 0; i < VD_COUNT(cases); i++) {
		struct vd_http_picture last = { 0 };

		assert_int_equal(judge(&cases[i].first, "a", &last, 50000), 0);
		if (judge(&cases[i].second, cases[i].body, &last, 100000) != cases[i].outcome)
			fail_msg("case %zu", i);
	}
}

struct secrets {
	char folder[64], path[96];
};

static int set_up(void **state)
{
	struct secrets *s = calloc(1, sizeof *s);
	char folder[96];

	assert_non_null(s);
	(void)snprintf(s->folder, sizeof s->folder, "/tmp/vd-secret-XXXXXX");
	assert_non_null(mkdtemp(s->folder));
	(void)snprintf(folder, sizeof folder, "%s/secrets", s->folder);
	assert_int_equal(mkdir(folder, 0700), 0);
	(void)snprintf(s->path, sizeof s->path, "%s/secrets/top", s->folder);
	*state = s;
	return 0;
}

static int tear_down(void **state)
{
	struct secrets *s = *state;

	(void)unlink(s->path);
	*strrchr(s->path, '/') = '\0';
	(void)rmdir(s->path);
	(void)rmdir(s->folder);
	free(s);
	return 0;
}

static int read_secret(const struct secrets *s, const char *text, mode_t mode,
		       struct vd_camera_secret *secret)
{
	struct vd_fault fault = { 0 };
	int r;

	(void)unlink(s->path);
	assert_int_equal(vd_file_write(s->path, text, strlen(text), mode), 0);
	assert_int_equal(chmod(s->path, mode), 0);
	r = vd_camera_secret_read(s->folder, "top", secret, &fault);
	assert_true(r == 0 || strstr(fault.text, "secret top"));
	assert_null(strstr(fault.text, "hush"));
	return r;
}

static void a_secret_is_the_first_line_of_a_file_that_others_cannot_read(void **state)
{
	const struct secrets *s = *state;
	struct vd_camera_secret secret;
	char line[VD_SECRET_BYTES + 1];

	assert_int_equal(read_secret(s, "anna:pa:ss\nmore", 0600, &secret), 0);
	assert_string_equal(secret.user, "anna");
	assert_string_equal(secret.password, "pa:ss");
	vd_camera_secret_wipe(&secret);
	assert_string_equal(secret.password, "");
	assert_int_equal(read_secret(s, "anna:hush", 0644, &secret), -EACCES);
	assert_int_equal(read_secret(s, "hush", 0600, &secret), -EINVAL);
	assert_int_equal(read_secret(s, ":hush", 0600, &secret), -EINVAL);
	memset(line, ':', sizeof line);
	line[sizeof line - 1] = '\0';
	assert_int_equal(read_secret(s, line, 0600, &secret), -EINVAL);
}

static void a_secret_that_is_not_there_or_a_link_is_not_read(void **state)
{
	const struct secrets *s = *state;
	struct vd_camera_secret secret;
	struct vd_fault fault = { 0 };

	assert_int_equal(vd_camera_secret_read(s->folder, "top", &secret, &fault), -ENOENT);
	assert_string_equal(fault.text, "secret top: No such file or directory");
	assert_int_equal(symlink("/etc/passwd", s->path), 0);
	assert_int_equal(vd_camera_secret_read(s->folder, "top", &secret, &fault), -ELOOP);
}

VD_TEST_MAIN(
	cmocka_unit_test(headers_are_read_whatever_their_case_and_end),
	cmocka_unit_test(only_the_last_of_several_answers_counts),
	cmocka_unit_test(headers_without_end_are_refused),
	cmocka_unit_test(what_is_no_jpeg_by_its_type_or_its_end_is_refused),
	cmocka_unit_test(the_same_bytes_again_are_stale_unless_the_server_says_that_they_are_new),
	cmocka_unit_test_setup_teardown(
		a_secret_is_the_first_line_of_a_file_that_others_cannot_read, set_up, tear_down),
	cmocka_unit_test_setup_teardown(a_secret_that_is_not_there_or_a_link_is_not_read, set_up,
					tear_down))
