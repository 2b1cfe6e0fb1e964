/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The spool and the identities journal on a sick disk: the first, second, third … call that
 * changes the disk fails, until a run has no failure left. What was accepted must be readable, in
 * order and once; what was not may be.
 *
 * These definitions stand before the C library's for the code under test, which is linked in.
 */
#include "vd_test.h"
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "twin/broker/identities.h"
#include "twin/broker/spool.h"
#include "twin/broker/spool_format.h"

static long countdown; /* 0: no faults; 1: the next call fails; -1: one did */
static enum manner { FAIL, FAIL_HALFWAY, FAIL_FROM_THEN_ON } manner;

static bool is_time_to_fail(void)
{
	if (countdown > 1)
		countdown--;
	else if (countdown == 1 && manner == FAIL_FROM_THEN_ON)
		return true;
	else if (countdown == 1)
		return (countdown = -1);
	return false;
}

static int sick(void)
{
	errno = EIO;
	return -1;
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
	if (!is_time_to_fail())
		return syscall(SYS_writev, fd, parts, count);
	return manner == FAIL_HALFWAY ? syscall(SYS_writev, fd, parts, count / 2) : sick();
}

ssize_t write(int fd, const void *data, size_t len)
{
	if (fd <= STDERR_FILENO || !is_time_to_fail())
		return syscall(SYS_write, fd, data, len);
	return manner == FAIL_HALFWAY ? syscall(SYS_write, fd, data, len / 2) : sick();
}

int fdatasync(int fd)
{
	return is_time_to_fail() ? sick() : (int)syscall(SYS_fdatasync, fd);
}

int fsync(int fd)
{
	return is_time_to_fail() ? sick() : (int)syscall(SYS_fsync, fd);
}

int ftruncate(int fd, off_t len)
{
	return is_time_to_fail() ? sick() : (int)syscall(SYS_ftruncate, fd, len);
}

static char folder[64];

/* A writer that goes on between two looks of the reader: at the look so many from now. */
static struct {
	long countdown;
	const char *path;
	const void *text;
	size_t len;
} meanwhile;

static void go_on_writing(void)
{
	int fd = open(meanwhile.path, O_WRONLY | O_APPEND | O_CLOEXEC);

	if (fd < 0 || syscall(SYS_write, fd, meanwhile.text, meanwhile.len) < 0)
		abort();
	(void)close(fd);
}

static void count_look(void)
{
	if (meanwhile.countdown > 0 && --meanwhile.countdown == 0)
		go_on_writing();
}

int fstat(int fd, struct stat *st)
{
	count_look();
	return fstatat(fd, "", st, AT_EMPTY_PATH);
}

ssize_t pread(int fd, void *to, size_t len, off_t offset)
{
	count_look();
	return syscall(SYS_pread64, fd, to, len, offset);
}

static int set_up(void **state)
{
	countdown = 0;
	(void)snprintf(folder, sizeof folder, "/tmp/vd-faults-XXXXXX");
	return mkdtemp(folder) ? 0 : -1;
}

static void empty_folder(void)
{
	VD_CLEANUP(vd_free) uint64_t *numbers = NULL;
	size_t count = 0;
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char name[VD_SEGMENT_NAME];

	assert_int_equal(vd_segment_list(fd, &numbers, &count), 0);
	for (size_t i = 0; i < count; i++)
		(void)unlinkat(fd, vd_segment_name(numbers[i], name), 0);
	(void)unlinkat(fd, "identities", 0);
	(void)close(fd);
}

static int tear_down(void **state)
{
	empty_folder();
	return rmdir(folder);
}

enum { RECORDS = 12, IN_FIRST_SEGMENT = 5 };

/* Appends records 0 … 11, in two runs of the broker; accepted[i]: it said so. */
static void append_all(bool accepted[static RECORDS])
{
	const struct vd_spool_limits limits = { .segment_bytes = 250 };

	for (int run = 0; run < 2; run++) {
		VD_CLEANUP(vd_spool_writer_free) struct vd_spool_writer *writer = NULL;

		if (vd_spool_writer_new(folder, &limits, &writer, NULL) < 0)
			continue;
		for (int i = run * RECORDS / 2; i < (run + 1) * RECORDS / 2; i++) {
			struct vd_spool_record record = { .identity = "d",
							  .bag = "a=b",
							  .payload = &i,
							  .payload_len = sizeof i };

			accepted[i] = vd_spool_append(writer, &record) == 0;
		}
	}
}

static void check_all(const bool accepted[static RECORDS])
{
	VD_CLEANUP(vd_spool_reader_free) struct vd_spool_reader *reader = NULL;
	struct vd_spool_position after;
	struct vd_spool_record record;
	int last = -1, i;

	assert_int_equal(vd_spool_reader_new(folder, (struct vd_spool_position){ 0 }, &reader), 0);
	while (vd_spool_next(reader, &record, &after) == 0) {
		assert_int_equal(record.payload_len, sizeof i);
		memcpy(&i, record.payload, sizeof i);
		assert_true(i > last && i < RECORDS);
		for (int missing = last + 1; missing < i; missing++)
			assert_false(accepted[missing]);
		last = i;
	}
	for (int missing = last + 1; missing < RECORDS; missing++)
		assert_false(accepted[missing]);
}

static void fail_everywhere(enum manner how)
{
	bool failed = true;
	long call;

	for (call = 1; failed; call++) {
		bool accepted[RECORDS] = { false };

		assert_true(call < 200);
		empty_folder();
		manner = how;
		countdown = call;
		append_all(accepted);
		failed = countdown == -1 || countdown == 1;
		countdown = 0;
		check_all(accepted);
		if (!failed) {
			for (int i = 0; i < RECORDS; i++)
				assert_true(accepted[i]);
		}
	}
	assert_true(call > 2 * RECORDS); /* each record writes and syncs */
}

static void accepted_records_survive_one_failed_call(void **state)
{
	fail_everywhere(FAIL);
}

static void accepted_records_survive_one_write_cut_short(void **state)
{
	fail_everywhere(FAIL_HALFWAY);
}

static void accepted_records_survive_a_disk_that_died(void **state)
{
	fail_everywhere(FAIL_FROM_THEN_ON);
}

/* The first segment that append_all fills, and its bytes. */
static size_t make_segment(char path[static 128], uint8_t bytes[static 512])
{
	VD_CLEANUP(vd_free) uint64_t *numbers = NULL;
	bool accepted[RECORDS] = { false };
	size_t count = 0, len;
	char name[VD_SEGMENT_NAME];
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	append_all(accepted);
	assert_int_equal(vd_segment_list(fd, &numbers, &count), 0);
	(void)close(fd);
	(void)snprintf(path, 128, "%s/%s", folder, vd_segment_name(numbers[0], name));
	for (size_t i = 1; i < count; i++) {
		char other[128];

		(void)snprintf(other, sizeof other, "%s/%s", folder,
			       vd_segment_name(numbers[i], name));
		(void)unlink(other);
	}
	fd = open(path, O_RDONLY | O_CLOEXEC);
	len = (size_t)syscall(SYS_pread64, fd, bytes, 512, 0);
	(void)close(fd);
	return len;
}

static void read_while_written(const char *path, const uint8_t *bytes, size_t len, size_t cut,
			       long when)
{
	VD_CLEANUP(vd_spool_reader_free) struct vd_spool_reader *reader = NULL;
	struct vd_spool_position after;
	struct vd_spool_record record;
	int r, fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);

	assert_int_equal(syscall(SYS_write, fd, bytes, cut), cut);
	(void)close(fd);
	meanwhile.path = path;
	meanwhile.text = bytes + cut;
	meanwhile.len = len - cut;
	meanwhile.countdown = when;
	assert_int_equal(vd_spool_reader_new(folder, (struct vd_spool_position){ 0 }, &reader), 0);
	for (int i = 0; i < IN_FIRST_SEGMENT; i++) {
		for (int looks = 0; (r = vd_spool_next(reader, &record, &after)) == VD_SPOOL_END;
		     looks++) {
			assert_true(looks < 3);
			if (meanwhile.countdown > 0)
				go_on_writing();
			meanwhile.countdown = 0;
		}
		assert_int_equal(r, 0);
		assert_memory_equal(record.payload, &i, sizeof i);
	}
	assert_int_equal(vd_spool_damaged_bytes(reader), 0);
	meanwhile.countdown = 0;
}

static void a_record_finished_between_two_looks_is_no_damage(void **state)
{
	uint8_t bytes[512];
	size_t len;
	char path[128];

	len = make_segment(path, bytes);
	assert_int_equal(len,
			 VD_SEGMENT_HEAD + IN_FIRST_SEGMENT * (VD_FRAME_HEAD + VD_BODY_HEAD + 10));
	for (size_t cut = 1; cut < len; cut += 3) {
		for (long when = 1; when < 16; when++)
			read_while_written(path, bytes, len, cut, when);
	}
}

static void put(struct vd_identities_writer *writer, const char *id)
{
	struct vd_identity identity = { .id = id, .enabled = true };

	assert_int_equal(vd_identities_put(writer, &identity), 0);
}

/* Flushes until it succeeds, as the hub does; true: something failed before. */
static bool flush(struct vd_identities_writer *writer)
{
	bool failed = false;

	while (vd_identities_flush(writer) < 0)
		failed = true;
	return failed;
}

static void a_failed_flush_of_identities_is_repeated_whole(void **state)
{
	bool failed = true;
	char path[96];

	(void)snprintf(path, sizeof path, "%s/identities", folder);
	for (long call = 1; failed; call++) {
		VD_CLEANUP(vd_identities_writer_free) struct vd_identities_writer *writer = NULL;
		VD_CLEANUP(vd_identities_free) struct vd_identities *table = NULL;

		assert_true(call < 50);
		empty_folder();
		assert_int_equal(vd_identities_writer_new(path, &writer, NULL), 0);
		assert_int_equal(vd_identities_new(path, &table), 0);
		manner = call % 2 ? FAIL : FAIL_HALFWAY;
		countdown = (call + 1) / 2;
		put(writer, "old");
		failed = flush(writer);
		vd_identities_begin_rewrite(writer);
		put(writer, "a");
		put(writer, "b");
		failed |= flush(writer);
		put(writer, "c");
		failed |= flush(writer);
		countdown = 0;
		assert_true(vd_identities_reload(table) >= 0);
		assert_int_equal(vd_identities_count(table), 3);
		assert_null(vd_identities_find(table, "old"));
		assert_int_equal(vd_identities_bad_lines(table), 0);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
VD_TEST_MAIN(TEST(accepted_records_survive_one_failed_call),
	     TEST(accepted_records_survive_one_write_cut_short),
	     TEST(accepted_records_survive_a_disk_that_died),
	     TEST(a_record_finished_between_two_looks_is_no_damage),
	     TEST(a_failed_flush_of_identities_is_repeated_whole))
