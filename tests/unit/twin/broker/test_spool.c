/* SPDX-License-Identifier: Apache-2.0 */
#include "vd_test.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <signal.h>
#include <unistd.h>

#include "twin/broker/spool.h"
#include "twin/broker/spool_format.h"

static char folder[64];
static uint8_t big[300000];

static int set_up(void **state)
{
	(void)snprintf(folder, sizeof folder, "/tmp/vd-spool-XXXXXX");
	return mkdtemp(folder) ? 0 : -1;
}

static size_t list(uint64_t **numbers)
{
	size_t count = 0;
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	*numbers = NULL;
	assert_int_equal(vd_segment_list(fd, numbers, &count), 0);
	(void)close(fd);
	return count;
}

static void path_of(uint64_t number, char path[static 128])
{
	char name[VD_SEGMENT_NAME];

	(void)snprintf(path, 128, "%s/%s", folder, vd_segment_name(number, name));
}

static void newest(char path[static 128])
{
	VD_CLEANUP(vd_free) uint64_t *numbers = NULL;
	size_t count = list(&numbers);

	assert_true(count > 0);
	path_of(numbers[count - 1], path);
}

static int tear_down(void **state)
{
	VD_CLEANUP(vd_free) uint64_t *numbers = NULL;
	size_t count = list(&numbers);

	for (size_t i = 0; i < count; i++) {
		char path[128];

		path_of(numbers[i], path);
		(void)unlink(path);
	}
	return rmdir(folder);
}

static struct vd_spool_writer *open_writer(uint64_t segment_bytes, uint64_t total_bytes)
{
	struct vd_spool_limits limits = { segment_bytes, total_bytes };
	struct vd_spool_writer *writer = NULL;
	struct vd_fault fault = { 0 };

	assert_int_equal(vd_spool_writer_new(folder, &limits, &writer, &fault), 0);
	return writer;
}

static int append(struct vd_spool_writer *writer, int n)
{
	char payload[16];
	struct vd_spool_record record = { .identity = "dev/mod", .bag = "a=b", .payload = payload };

	record.payload_len = (size_t)snprintf(payload, sizeof payload, "%d", n);
	record.received_ms = 1000 + n;
	return vd_spool_append(writer, &record);
}

static struct vd_spool_reader *open_reader(struct vd_spool_position from)
{
	struct vd_spool_reader *reader = NULL;

	assert_int_equal(vd_spool_reader_new(folder, from, &reader), 0);
	return reader;
}

static void expect(struct vd_spool_reader *reader, int n, struct vd_spool_position *after)
{
	struct vd_spool_record record;
	char payload[16];
	size_t len = (size_t)snprintf(payload, sizeof payload, "%d", n);

	assert_int_equal(vd_spool_next(reader, &record, after), 0);
	assert_string_equal(record.identity, "dev/mod");
	assert_string_equal(record.bag, "a=b");
	assert_int_equal(record.payload_len, len);
	assert_memory_equal(record.payload, payload, len);
	assert_int_equal(record.received_ms, 1000 + n);
}

static void expect_end(struct vd_spool_reader *reader)
{
	struct vd_spool_record record;
	struct vd_spool_position after;

	assert_int_equal(vd_spool_next(reader, &record, &after), VD_SPOOL_END);
}

static void records_come_out_as_they_went_in_across_segments(void **state)
{
	VD_CLEANUP(vd_spool_writer_free) struct vd_spool_writer *writer = open_writer(200, 0);
	VD_CLEANUP(vd_spool_reader_free)
	struct vd_spool_reader *reader = open_reader((struct vd_spool_position){ 0 });
	struct vd_spool_position after, last = { 0 };

	expect_end(reader);
	for (int i = 0; i < 50; i++) {
		assert_int_equal(append(writer, i), 0);
		expect(reader, i, &after);
		assert_true(after.segment > last.segment || after.offset > last.offset);
		last = after;
	}
	expect_end(reader);
	assert_int_equal(vd_spool_damaged_bytes(reader), 0);
}

static void a_reader_goes_on_where_its_position_was_stored(void **state)
{
	VD_CLEANUP(vd_spool_writer_free) struct vd_spool_writer *writer = open_writer(200, 0);
	struct vd_spool_position at = { 0 };

	for (int i = 0; i < 20; i++)
		assert_int_equal(append(writer, i), 0);
	for (int i = 0; i < 20; i++) {
		VD_CLEANUP(vd_spool_reader_free) struct vd_spool_reader *reader = open_reader(at);

		expect(reader, i, &at);
	}
}

static void payload_and_bag_may_be_empty_or_large(void **state)
{
	VD_CLEANUP(vd_spool_writer_free) struct vd_spool_writer *writer = open_writer(0, 0);
	VD_CLEANUP(vd_spool_reader_free)
	struct vd_spool_reader *reader = open_reader((struct vd_spool_position){ 0 });
	struct vd_spool_record record = { .identity = "d", .bag = "" }, back;
	struct vd_spool_position after;

	assert_int_equal(vd_spool_append(writer, &record), 0);
	memset(big, 0xAB, sizeof big);
	record.payload = big;
	record.payload_len = sizeof big;
	record.flags = VD_SPOOL_WILL | VD_SPOOL_RETAIN;
	assert_int_equal(vd_spool_append(writer, &record), 0);
	assert_int_equal(vd_spool_next(reader, &back, &after), 0);
	assert_int_equal(back.payload_len, 0);
	assert_string_equal(back.bag, "");
	assert_int_equal(vd_spool_next(reader, &back, &after), 0);
	assert_int_equal(back.payload_len, sizeof big);
	assert_memory_equal(back.payload, big, sizeof big);
	assert_int_equal(back.flags, VD_SPOOL_WILL | VD_SPOOL_RETAIN);
	record.payload_len = VD_SPOOL_PAYLOAD_MAX + 1;
	assert_int_equal(vd_spool_append(writer, &record), -EMSGSIZE);
}

static void a_torn_tail_waits_while_written_and_is_cut_at_open(void **state)
{
	struct vd_spool_writer *writer = open_writer(0, 0);
	VD_CLEANUP(vd_spool_reader_free)
	struct vd_spool_reader *reader = open_reader((struct vd_spool_position){ 0 });
	struct vd_spool_position after;
	struct stat st;
	char path[128];

	assert_int_equal(append(writer, 0), 0);
	assert_int_equal(append(writer, 1), 0);
	writer = vd_spool_writer_free(writer);
	newest(path);
	assert_int_equal(stat(path, &st), 0);
	/* Every length that a power cut may leave of the second record. */
	for (off_t cut = st.st_size - 1; cut > 16 + (st.st_size - 16) / 2; cut--) {
		VD_CLEANUP(vd_spool_reader_free)
		struct vd_spool_reader *each = open_reader((struct vd_spool_position){ 0 });

		assert_int_equal(truncate(path, cut), 0);
		expect(each, 0, &after);
		expect_end(each);
		assert_int_equal(vd_spool_damaged_bytes(each), 0);
	}
	writer = open_writer(0, 0);
	assert_int_equal(append(writer, 2), 0);
	expect(reader, 0, &after);
	expect(reader, 2, &after);
	assert_int_equal(vd_spool_damaged_bytes(reader), 0);
	(void)vd_spool_writer_free(writer);
}

static void a_writer_never_reuses_a_position(void **state)
{
	struct vd_spool_writer *writer = open_writer(0, 0);
	VD_CLEANUP(vd_spool_reader_free)
	struct vd_spool_reader *reader = open_reader((struct vd_spool_position){ 0 });
	VD_CLEANUP(vd_spool_reader_free) struct vd_spool_reader *later = NULL;
	struct vd_spool_position seen, after;
	char path[128];

	assert_int_equal(append(writer, 0), 0);
	expect(reader, 0, &seen);
	writer = vd_spool_writer_free(writer);
	newest(path);
	assert_int_equal(truncate(path, 3), 0); /* the disk lost what the hub has taken */
	writer = open_writer(0, 0);
	assert_int_equal(append(writer, 1), 0);
	later = open_reader(seen);
	expect(later, 1, &after);
	assert_true(after.segment > seen.segment);
	(void)vd_spool_writer_free(writer);
}

static void flip(const char *path, off_t offset)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	uint8_t byte;

	assert_int_equal(pread(fd, &byte, 1, offset), 1);
	byte ^= 0x40;
	assert_int_equal(pwrite(fd, &byte, 1, offset), 1);
	(void)close(fd);
}

static void a_damaged_record_costs_only_itself(void **state)
{
	VD_CLEANUP(vd_spool_writer_free) struct vd_spool_writer *writer = open_writer(0, 0);
	struct vd_spool_position after;
	off_t frame;
	struct stat st;
	char path[128];

	for (int i = 0; i < 3; i++)
		assert_int_equal(append(writer, i), 0);
	newest(path);
	assert_int_equal(stat(path, &st), 0);
	frame = (st.st_size - 16) / 3;
	for (off_t at = 16 + frame; at < 16 + 2 * frame; at++) {
		VD_CLEANUP(vd_spool_reader_free)
		struct vd_spool_reader *reader = open_reader((struct vd_spool_position){ 0 });

		flip(path, at);
		expect(reader, 0, &after);
		expect(reader, 2, &after);
		assert_int_equal(vd_spool_damaged_bytes(reader), frame);
		flip(path, at);
	}
}

static void trim_deletes_what_lies_before_and_keeps_the_newest(void **state)
{
	VD_CLEANUP(vd_spool_writer_free) struct vd_spool_writer *writer = open_writer(100, 0);
	VD_CLEANUP(vd_spool_reader_free)
	struct vd_spool_reader *reader = open_reader((struct vd_spool_position){ 0 });
	struct vd_spool_position after = { 0 };
	VD_CLEANUP(vd_free) uint64_t *numbers = NULL;
	uint64_t backlog = 0;

	for (int i = 0; i < 10; i++)
		assert_int_equal(append(writer, i), 0);
	assert_int_equal(vd_spool_backlog(folder, after, &backlog), 0);
	assert_true(backlog > 10 * (16 + 24));
	for (int i = 0; i < 10; i++)
		expect(reader, i, &after);
	assert_int_equal(vd_spool_backlog(folder, after, &backlog), 0);
	assert_int_equal(backlog, 0);
	assert_true(vd_spool_trim(folder, after) > 0);
	assert_int_equal(vd_spool_trim(folder, after), 0);
	assert_int_equal(list(&numbers), 1);
	after.segment++;
	assert_int_equal(vd_spool_trim(folder, after), 0);
}

static void a_full_spool_refuses_and_takes_again_after_trim(void **state)
{
	VD_CLEANUP(vd_spool_writer_free) struct vd_spool_writer *writer = open_writer(100, 1000);
	VD_CLEANUP(vd_spool_reader_free)
	struct vd_spool_reader *reader = open_reader((struct vd_spool_position){ 0 });
	struct vd_spool_position after = { 0 };
	int taken = 0, r;

	while ((r = append(writer, taken)) == 0)
		taken++;
	assert_int_equal(r, -ENOSPC);
	for (int i = 0; i < taken; i++)
		expect(reader, i, &after);
	assert_true(vd_spool_trim(folder, after) > 0);
	assert_int_equal(append(writer, taken), 0);
	expect(reader, taken, &after);
}

static void a_full_disk_takes_nothing_by_halves(void **state)
{
	VD_CLEANUP(vd_spool_writer_free) struct vd_spool_writer *writer = open_writer(0, 0);
	VD_CLEANUP(vd_spool_reader_free)
	struct vd_spool_reader *reader = open_reader((struct vd_spool_position){ 0 });
	struct vd_spool_record record = { .identity = "d", .bag = "", .payload = big };
	struct rlimit old, low = { .rlim_cur = 40000 };
	struct vd_spool_position after;

	assert_int_equal(append(writer, 0), 0);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	low.rlim_max = old.rlim_max;
	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
	record.payload_len = 100000;
	assert_true(vd_spool_append(writer, &record) < 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_int_equal(append(writer, 1), 0);
	expect(reader, 0, &after);
	expect(reader, 1, &after);
	assert_int_equal(vd_spool_damaged_bytes(reader), 0);
}

static off_t size_of(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return st.st_size;
}

/* Enough for room to be reserved. */
static void append_many(struct vd_spool_writer *writer, char path[static 128])
{
	struct vd_spool_record record = { .identity = "d", .bag = "", .payload = big };

	record.payload_len = sizeof big;
	assert_int_equal(append(writer, 0), 0);
	assert_int_equal(vd_spool_append(writer, &record), 0);
	assert_int_equal(append(writer, 1), 0);
	newest(path);
}

static void room_that_was_reserved_is_no_damage_and_no_backlog(void **state)
{
	VD_CLEANUP(vd_spool_writer_free) struct vd_spool_writer *writer = open_writer(0, 0);
	VD_CLEANUP(vd_spool_reader_free)
	struct vd_spool_reader *reader = open_reader((struct vd_spool_position){ 0 });
	struct vd_spool_position after;
	struct vd_spool_record record;
	uint64_t backlog = 1;
	char path[128];

	append_many(writer, path);
	assert_true(size_of(path) > 1 << 20);
	expect(reader, 0, &after);
	assert_int_equal(vd_spool_next(reader, &record, &after), 0);
	expect(reader, 1, &after);
	expect_end(reader);
	assert_int_equal(vd_spool_backlog(folder, after, &backlog), 0);
	assert_int_equal(backlog, 0);
	assert_int_equal(append(writer, 2), 0);
	expect(reader, 2, &after);
	writer = vd_spool_writer_free(writer);
	assert_int_equal(size_of(path), (off_t)after.offset);
	expect_end(reader);
	assert_int_equal(vd_spool_damaged_bytes(reader), 0);
}

/* As kill -9 and, in the file before the newest, a power cut leave it. */
static void room_left_by_a_broker_that_died_is_passed_over(void **state)
{
	struct vd_spool_writer *writer = open_writer(0, 0);
	VD_CLEANUP(vd_spool_reader_free)
	struct vd_spool_reader *reader = open_reader((struct vd_spool_position){ 0 });
	struct vd_spool_position after;
	struct vd_spool_record record;
	char path[128];
	off_t end;

	append_many(writer, path);
	writer = vd_spool_writer_free(writer);
	end = size_of(path);
	assert_int_equal(truncate(path, end + (1 << 20)), 0);
	writer = open_writer(0, 0);
	assert_int_equal(size_of(path), end);
	assert_int_equal(append(writer, 2), 0);
	assert_int_equal(truncate(path, end + (1 << 20)), 0);
	expect(reader, 0, &after);
	assert_int_equal(vd_spool_next(reader, &record, &after), 0);
	expect(reader, 1, &after);
	expect(reader, 2, &after);
	expect_end(reader);
	assert_int_equal(vd_spool_damaged_bytes(reader), 0);
	(void)vd_spool_writer_free(writer);
}

static void a_damaged_record_before_reserved_room_costs_only_itself(void **state)
{
	VD_CLEANUP(vd_spool_writer_free) struct vd_spool_writer *writer = open_writer(0, 0);
	VD_CLEANUP(vd_spool_reader_free)
	struct vd_spool_reader *reader = open_reader((struct vd_spool_position){ 0 });
	struct vd_spool_position after;
	char path[128];

	append_many(writer, path);
	flip(path, 1000); /* of the large one */
	expect(reader, 0, &after);
	expect(reader, 1, &after);
	expect_end(reader);
	assert_true(vd_spool_damaged_bytes(reader) > sizeof big);
}

static void a_second_writer_is_refused(void **state)
{
	VD_CLEANUP(vd_spool_writer_free) struct vd_spool_writer *writer = open_writer(0, 0);
	struct vd_spool_writer *second = NULL;
	struct vd_fault fault = { 0 };

	assert_non_null(writer);
	assert_int_equal(vd_spool_writer_new(folder, NULL, &second, &fault), -EBUSY);
	assert_non_null(strstr(fault.text, "another broker"));
}

static void a_reader_may_come_before_the_folder(void **state)
{
	struct vd_spool_reader *reader = NULL;
	struct vd_spool_record record;
	struct vd_spool_position after;

	assert_int_equal(vd_spool_reader_new("/nonexistent/spool",
					     (struct vd_spool_position){ 7, 9 }, &reader),
			 0);
	assert_int_equal(vd_spool_next(reader, &record, &after), VD_SPOOL_END);
	assert_int_equal(vd_spool_trim("/nonexistent/spool", (struct vd_spool_position){ 7, 9 }),
			 0);
	(void)vd_spool_reader_free(reader);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
VD_TEST_MAIN(TEST(records_come_out_as_they_went_in_across_segments),
	     TEST(a_reader_goes_on_where_its_position_was_stored),
	     TEST(payload_and_bag_may_be_empty_or_large),
	     TEST(a_torn_tail_waits_while_written_and_is_cut_at_open),
	     TEST(a_writer_never_reuses_a_position), TEST(a_damaged_record_costs_only_itself),
	     TEST(trim_deletes_what_lies_before_and_keeps_the_newest),
	     TEST(a_full_spool_refuses_and_takes_again_after_trim),
	     TEST(room_that_was_reserved_is_no_damage_and_no_backlog),
	     TEST(room_left_by_a_broker_that_died_is_passed_over),
	     TEST(a_damaged_record_before_reserved_room_costs_only_itself),
	     TEST(a_full_disk_takes_nothing_by_halves), TEST(a_second_writer_is_refused),
	     TEST(a_reader_may_come_before_the_folder))
