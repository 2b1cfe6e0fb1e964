/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/store/account.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "vd_test.h"

static struct vd_account sample(uint64_t saves, uint64_t next_seq)
{
	struct vd_account a = { .saves = saves, .next_seq = next_seq };

	a.of[VD_VERDICT].records = next_seq - 1;
	return a;
}

static void every_flipped_bit_is_seen(void **state)
{
	unsigned char bytes[VD_ACCOUNT_BYTES];
	struct vd_account a = sample(3, 100), b;

	(void)state;
	vd_account_encode(&a, bytes);
	assert_int_equal(vd_account_decode(bytes, sizeof bytes, &b), 0);
	assert_memory_equal(&a, &b, sizeof a);
	for (size_t bit = 0; bit < 8 * sizeof bytes; bit++) {
		bytes[bit / 8] ^= (unsigned char)(1U << bit % 8);
		assert_true(vd_account_decode(bytes, sizeof bytes, &b) < 0);
		bytes[bit / 8] ^= (unsigned char)(1U << bit % 8);
	}
	assert_true(vd_account_decode(bytes, sizeof bytes - 1, &b) < 0);
}

static void write_bytes(const char *path, off_t at, const char *text, size_t len)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, text, len, at), len);
	assert_int_equal(close(fd), 0);
}

static void the_newest_sound_slot_counts(void **state)
{
	char path[] = "/tmp/account-test-XXXXXX";
	struct vd_account_file file = { .fd = -1 };
	struct vd_account a;
	int fd = mkstemp(path);

	(void)state;
	assert_int_equal(close(fd), 0);
	assert_int_equal(vd_account_open(&file, path, &a), 0);
	for (uint64_t i = 1; i <= 5; i++) {
		a = sample(i / 2, 10 * i);
		vd_account_write(&file, &a);
	}
	vd_account_close(&file);
	assert_int_equal(vd_account_open(&file, path, &a), 1);
	assert_int_equal(a.next_seq, 50);
	/* Written in turn: the newest one is in the first slot, the one before it in the second. */
	write_bytes(path, 40, "rot", 3);
	vd_account_close(&file);
	assert_int_equal(vd_account_open(&file, path, &a), 1);
	assert_int_equal(a.next_seq, 40);
	a = sample(3, 60);
	vd_account_write(&file, &a);
	vd_account_close(&file);
	assert_int_equal(vd_account_open(&file, path, &a), 1);
	assert_int_equal(a.next_seq, 60);
	write_bytes(path, 40, "rot", 3);
	write_bytes(path, 4096 + 40, "rot", 3);
	vd_account_close(&file);
	assert_int_equal(vd_account_open(&file, path, &a), 0);
	vd_account_close(&file);
	assert_int_equal(unlink(path), 0);
}

static void settled_ranges_join_and_are_swallowed_by_the_low_mark(void **state)
{
	struct vd_account a = { .next_seq = 1000 };

	(void)state;
	vd_account_settle(&a, VD_VERDICT, 20, 29, false);
	assert_int_equal(vd_account_settled_before(&a, VD_VERDICT, 40), 29);
	assert_int_equal(vd_account_settled_before(&a, VD_VERDICT, 20), 0);
	assert_int_equal(vd_account_settled_before(&a, VD_ALARM, 40), 0);
	vd_account_settle(&a, VD_VERDICT, 40, 49, true);
	assert_true(vd_account_is_settled(&a, VD_VERDICT, 30, 39));
	assert_false(vd_account_is_settled(&a, VD_ALARM, 30, 39));
	assert_false(vd_account_is_settled(&a, VD_VERDICT, 10, 19));
	assert_false(vd_account_is_settled(&a, VD_VERDICT, 45, 50));
	vd_account_raise_low(&a, VD_VERDICT, 60);
	assert_true(vd_account_is_settled(&a, VD_VERDICT, 10, 19));
	assert_false(vd_account_is_settled(&a, VD_VERDICT, 60, 60));
	assert_int_equal(a.settled[0].first, 0);
	/* One more than there is place for is forgotten, which costs no record. */
	for (uint64_t i = 0; i <= VD_SETTLED; i++)
		vd_account_settle(&a, VD_RAW, 100 + 2 * i, 100 + 2 * i, false);
	assert_true(vd_account_is_settled(&a, VD_RAW, 100, 100));
	assert_false(vd_account_is_settled(&a, VD_RAW, 100 + 2 * VD_SETTLED, 100 + 2 * VD_SETTLED));
}

VD_TEST_MAIN(cmocka_unit_test(every_flipped_bit_is_seen),
	     cmocka_unit_test(the_newest_sound_slot_counts),
	     cmocka_unit_test(settled_ranges_join_and_are_swallowed_by_the_low_mark), )
