/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static int set_up(void **state)
{
	*state = bench_new();
	return 0;
}

static int tear_down(void **state)
{
	bench_free(*state);
	return 0;
}

static const char *get(struct bench *b, const char *name)
{
	static char text[256];
	VD_CLEANUP(vd_buf_fini) struct vd_buf out = { 0 };

	if (vd_store_document_get(b->store, name, &out) < 0)
		return NULL;
	(void)snprintf(text, sizeof text, "%s", out.data);
	return text;
}

static bool are_all_stored(const struct bench *b)
{
	return b->documents == b->put;
}

static void put(struct bench *b, const char *name, const char *text)
{
	assert_int_equal(vd_store_document_put(b->store, name, text, text ? strlen(text) : 0, 1),
			 0);
	b->put++;
	bench_run(b, are_all_stored);
}

static void a_document_is_there_again_after_a_restart(void **state)
{
	struct bench *b = *state;

	bench_open(b);
	assert_null(get(b, "desired"));
	put(b, "desired", "{\"a\":1}");
	put(b, "evidence/cam-top", "[]");
	put(b, "desired", "{\"a\":2}");
	bench_reopen(b);
	assert_string_equal(get(b, "desired"), "{\"a\":2}");
	assert_string_equal(get(b, "evidence/cam-top"), "[]");
	put(b, "desired", NULL);
	assert_null(get(b, "desired"));
	bench_reopen(b);
	assert_null(get(b, "desired"));
}

static void names_and_sizes_have_limits(void **state)
{
	struct bench *b = *state;
	char name[VD_DOCUMENT_NAME + 2];

	bench_open(b);
	memset(name, 'n', sizeof name);
	name[sizeof name - 1] = '\0';
	assert_int_equal(vd_store_document_put(b->store, name, "", 0, 1), -EINVAL);
	assert_int_equal(vd_store_document_put(b->store, "", "", 0, 1), -EINVAL);
	assert_int_equal(vd_store_document_put(b->store, "x", "", VD_DOCUMENT_BYTES + 1, 1),
			 -E2BIG);
}

static void spoil(const struct bench *b, off_t offset)
{
	char path[256], junk[4096];
	int fd;

	(void)snprintf(path, sizeof path, "%s/outbox.db", b->folder);
	memset(junk, 0xa5, sizeof junk);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, junk, sizeof junk, offset), sizeof junk);
	assert_int_equal(close(fd), 0);
}

static void a_file_that_is_no_database_is_set_aside(void **state)
{
	struct bench *b = *state;
	struct vd_store_stats stats;
	char path[256];

	bench_open(b);
	put(b, "desired", "{}");
	b->store = vd_store_close(b->store);
	spoil(b, 0);
	bench_open(b);
	vd_store_stats(b->store, &stats);
	assert_non_null(strstr(stats.notice, "begun anew"));
	assert_string_equal(stats.degraded, "");
	(void)snprintf(path, sizeof path, "%s/outbox.db.corrupt", b->folder);
	assert_int_equal(access(path, F_OK), 0);
	put(b, "desired", "{\"a\":3}");
	bench_reopen(b);
	assert_string_equal(get(b, "desired"), "{\"a\":3}");
}

static bool has_given_up_rows(const struct bench *b)
{
	struct vd_store_stats stats;

	vd_store_stats(b->store, &stats);
	return stats.classes[VD_VERDICT].evicted > 0;
}

/* Changes one byte inside the first whole batch (a zstd frame) at or behind offset. */
static void rot_a_batch(const struct bench *b, off_t offset)
{
	static const unsigned char magic[] = { 0x28, 0xB5, 0x2F, 0xFD };
	unsigned char page[4096], byte;
	char path[256];
	int fd;

	(void)snprintf(path, sizeof path, "%s/outbox.db", b->folder);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	for (;; offset += (off_t)sizeof page) {
		unsigned char *found;
		size_t at;

		assert_int_equal(pread(fd, page, sizeof page, offset), sizeof page);
		found = memmem(page, sizeof page, magic, sizeof magic);
		at = found ? (size_t)(found - page) + 40 : sizeof page;
		if (at >= sizeof page)
			continue;
		byte = page[at] ^ 0x10;
		assert_int_equal(pwrite(fd, &byte, 1, offset + (off_t)at), 1);
		break;
	}
	assert_int_equal(close(fd), 0);
}

/* Bytes of batches rot; SQLite does not notice, the checksum does, and nothing is lost in silence. */
static void batches_that_rot_are_counted_out(void **state)
{
	struct bench *b = *state;
	char path[256];
	off_t size;
	int fd;

	bench_open(b);
	for (unsigned n = 1; n <= 400; n++) {
		assert_int_equal(bench_put(b, VD_VERDICT, n, 2000), 0);
		if (n % 10 == 0)
			bench_wait_answers(b);
	}
	bench_wait_answers(b);
	assert_int_equal(bench_drain(b, 1), 1); /* the figures are saved with the deletion */
	b->store = vd_store_close(b->store);
	(void)snprintf(path, sizeof path, "%s/outbox.db", b->folder);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	size = lseek(fd, 0, SEEK_END);
	assert_int_equal(close(fd), 0);
	rot_a_batch(b, size / 2 / 4096 * 4096);
	bench_open(b);
	for (int i = 0; i < 10000 && !has_given_up_rows(b); i++) {
		(void)bench_drain(b, 1);
		(void)usleep(500);
	}
	bench_drain_all(b);
	assert_true(b->tombstoned > 0);
	assert_int_equal(b->received + b->tombstoned, 400);
	assert_int_equal(bench_put(b, VD_VERDICT, 1000, 100), 0);
	bench_wait_answers(b);
	assert_int_equal(b->stored, 401);
}

VD_TEST_MAIN(cmocka_unit_test_setup_teardown(a_document_is_there_again_after_a_restart, set_up,
					     tear_down),
	     cmocka_unit_test_setup_teardown(names_and_sizes_have_limits, set_up, tear_down),
	     cmocka_unit_test_setup_teardown(a_file_that_is_no_database_is_set_aside, set_up,
					     tear_down),
	     cmocka_unit_test_setup_teardown(batches_that_rot_are_counted_out, set_up, tear_down), )
