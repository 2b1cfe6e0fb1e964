/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pages of the store's files are overwritten at random: zeros, noise, a few flipped bits, another
 * page's content, an older state of the same page. The start must succeed, and what was
 * accepted must be delivered or counted in a tombstone, exactly. The seed of each life is
 * printed; VD_SEED=n runs one of them again, VD_LIVES=n more of them, from seed 1 on. Open: of
 * some 900 lives one stood still at its end, on a loaded machine, and did not do so again.
 */
#include "../unit/agent/store/fixture.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

enum { PAGE = 4096, LIVES = 12, FILE_LIMIT = 8 << 20 };

struct content {
	unsigned char *data;
	size_t len;
};

struct life {
	struct bench *bench;
	unsigned n;         /* records put */
	struct content old; /* the database as it once was */
};

static uint64_t state_of_random;

static uint32_t next_random(uint32_t below)
{
	state_of_random = state_of_random * 6364136223846793005U + 1442695040888963407U;
	return (uint32_t)((state_of_random >> 33) % below);
}

static const char *const files[] = { "outbox.db", "outbox.db-wal", "outbox.account" };

static const char *path_of(const struct bench *b, const char *file)
{
	static char path[200];

	(void)snprintf(path, sizeof path, "%s/%s", b->folder, file);
	return path;
}

static struct content read_file(const struct bench *b, const char *file)
{
	struct content c = { .data = malloc(FILE_LIMIT) };
	int fd = open(path_of(b, file), O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, c.data, FILE_LIMIT);

	assert_true(n >= 0 && n < FILE_LIMIT);
	c.len = (size_t)n;
	if (fd >= 0)
		(void)close(fd);
	return c;
}

static void write_file(const struct bench *b, const char *file, const struct content *c)
{
	int fd = open(path_of(b, file), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, c->data, c->len), c->len);
	assert_int_equal(close(fd), 0);
}

/* --- a life before the damage --- */

static void put_some(struct life *l)
{
	for (unsigned count = 1 + next_random(40); count > 0; count--)
		(void)bench_put(l->bench, (enum vd_class)next_random(VD_CLASSES), l->n++,
				next_random(8) ? next_random(400) : next_random(3900));
	bench_wait_answers(l->bench);
}

static bool is_delivery_committed(const struct bench *b)
{
	struct vd_store_stats s;
	uint64_t delivered = 0;

	vd_store_stats((struct vd_store *)(uintptr_t)b->store, &s);
	for (int i = 0; i < VD_CLASSES; i++)
		delivered += s.classes[i].delivered;
	return delivered == b->received;
}

static void live(struct life *l)
{
	struct bench *b = l->bench;
	uint32_t rounds = 3 + next_random(14);

	b->config.classes[VD_RAW].max_bytes = 9000;
	bench_open(b);
	for (uint32_t round = 0; round < rounds; round++) {
		put_some(l);
		if (next_random(3) == 0)
			(void)bench_drain(b, next_random(4));
		if (next_random(6) == 0) {
			bench_run(b, is_delivery_committed);
			bench_reopen(b);
		}
		if (round == rounds / 2)
			l->old = read_file(b, files[0]);
	}
	bench_run(b, is_delivery_committed);
}

/* Closed, or killed: then the files stay as they are now, the log of the database included. */
static void end(struct life *l)
{
	struct bench *b = l->bench;
	bool is_kill = next_random(2);
	struct content now[VD_COUNT(files)];

	for (size_t i = 0; i < VD_COUNT(files); i++)
		now[i] = read_file(b, files[i]);
	b->store = vd_store_close(b->store);
	for (size_t i = 0; i < VD_COUNT(files); i++) {
		if (is_kill && now[i].len)
			write_file(b, files[i], &now[i]);
		free(now[i].data);
	}
}

/* --- the damage --- */

static void overwrite(struct life *l, struct content *c, size_t page)
{
	unsigned char *at = c->data + page * PAGE;
	size_t len = c->len - page * PAGE < PAGE ? c->len - page * PAGE : PAGE;
	size_t other = next_random((uint32_t)(c->len / PAGE) + 1) * PAGE;

	switch (next_random(5)) {
	case 0:
		memset(at, 0, len);
		break;
	case 1:
		for (size_t i = 0; i < len; i++)
			at[i] = (unsigned char)next_random(256);
		break;
	case 2:
		for (uint32_t i = 1 + next_random(8); i > 0; i--)
			at[next_random((uint32_t)len)] ^= (unsigned char)(1U << next_random(8));
		break;
	case 3:
		if (other + len <= c->len)
			memmove(at, c->data + other, len);
		break;
	default:
		if (page * PAGE + len <= l->old.len)
			memcpy(at, l->old.data + page * PAGE, len);
	}
}

static void damage(struct life *l)
{
	/* Of ten, eight in the database, one in its log, one in the account. */
	size_t dice = next_random(10), file = dice < 8 ? 0 : dice - 7;
	struct content c = read_file(l->bench, files[file]);
	uint32_t pages = (uint32_t)((c.len + PAGE - 1) / PAGE);

	if (pages)
		for (uint32_t count = 1 + next_random(2); count > 0; count--)
			overwrite(l, &c, next_random(pages));
	if (pages)
		write_file(l->bench, files[file], &c);
	free(c.data);
}

/* --- the life after it --- */

static void check(struct life *l, uint32_t seed)
{
	struct bench *b = l->bench;
	struct vd_store_stats s;
	uint64_t delivered = 0, evicted = 0, pending = 0;

	vd_store_stats(b->store, &s);
	for (int i = 0; i < VD_CLASSES; i++) {
		delivered += s.classes[i].delivered;
		evicted += s.classes[i].evicted;
		pending += s.classes[i].records;
	}
	if (b->received + b->tombstoned != b->stored || delivered + evicted != b->stored || pending)
		fail_msg("VD_SEED=%u: accepted %llu, at the hub %llu, in tombstones %llu; by the "
			 "figures delivered %llu, evicted %llu, pending %llu",
			 seed, (unsigned long long)b->stored, (unsigned long long)b->received,
			 (unsigned long long)b->tombstoned, (unsigned long long)delivered,
			 (unsigned long long)evicted, (unsigned long long)pending);
}

static void one_life(uint32_t seed, uint64_t *tombstoned, uint64_t *stored)
{
	struct life l = { .bench = bench_new() };

	state_of_random = seed;
	live(&l);
	end(&l);
	damage(&l);
	l.bench->config.boot_id = "after";
	bench_open(l.bench);
	for (int rounds = 2; rounds > 0; rounds--) {
		put_some(&l);
		if (next_random(2))
			(void)bench_drain(l.bench, next_random(3));
		bench_run(l.bench, is_delivery_committed);
	}
	bench_drain_all(l.bench);
	check(&l, seed);
	*tombstoned += l.bench->tombstoned;
	*stored += l.bench->stored;
	bench_free(l.bench);
	free(l.old.data);
}

static void whatever_page_rots_all_that_was_accepted_is_delivered_or_counted(void **state)
{
	const char *one = getenv("VD_SEED"), *many = getenv("VD_LIVES");
	uint32_t seed = one ? (uint32_t)strtoul(one, NULL, 10) : 1;
	uint32_t lives = one ? 1 : many ? (uint32_t)strtoul(many, NULL, 10) : LIVES;
	uint64_t until_ms = vd_clock_mono_ms() + 20000, tombstoned = 0, stored = 0;
	uint32_t done = 0;

	(void)state;
	vd_log_set_level(one ? VD_DEBUG : VD_ERROR);
	print_message("VD_SEED=%u and following\n", seed);
	while (done < lives && (many || vd_clock_mono_ms() < until_ms))
		one_life(seed + done++, &tombstoned, &stored);
	print_message("%u lives, %llu of %llu records in tombstones\n", done,
		      (unsigned long long)tombstoned, (unsigned long long)stored);
	assert_true(done > 0);
}

static void erase(const struct bench *b, const char *file)
{
	struct content c = read_file(b, file);

	memset(c.data, 0, c.len);
	write_file(b, file, &c);
	free(c.data);
}

/* All that is known is lost: that must be said, and must not prevent the start. */
static void a_store_without_any_account_says_so(void **state)
{
	struct life l = { .bench = bench_new() };
	struct vd_store_stats s;

	(void)state;
	bench_open(l.bench);
	put_some(&l);
	l.bench->store = vd_store_close(l.bench->store);
	erase(l.bench, files[0]);
	erase(l.bench, files[2]);
	bench_open(l.bench);
	vd_store_stats(l.bench->store, &s);
	assert_non_null(strstr(s.notice, "the account is lost"));
	assert_string_equal(s.degraded, "");
	bench_free(l.bench);
}

/* The pages by which all others are found: the first one, and the whole database. */
static void what_the_account_knows_is_counted_out_when_the_database_is_erased(void **state)
{
	struct life l = { .bench = bench_new() };

	(void)state;
	bench_open(l.bench);
	put_some(&l);
	l.bench->store = vd_store_close(l.bench->store);
	erase(l.bench, files[0]);
	bench_open(l.bench);
	bench_drain_all(l.bench);
	assert_int_equal(l.bench->tombstoned, l.bench->stored);
	assert_int_equal(l.bench->received, 0);
	bench_free(l.bench);
}

static void adopt_an_image(const struct bench *b)
{
	char file[100];
	int fd;

	(void)snprintf(file, sizeof file, "images/%064d.jpg", 1);
	assert_int_equal(mkdir(path_of(b, "images"), 0700), 0);
	fd = open(path_of(b, file), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "picture", 7), 7);
	assert_int_equal(close(fd), 0);
}

/* More than SQLite keeps in memory, and a checkpoint: most of it is read from the file again. */
static void pages_that_rot_while_the_store_is_open_are_counted_as_well(void **state)
{
	struct life l = { .bench = bench_new() };
	struct vd_store_stats s;
	char noise[PAGE];
	int fd;

	(void)state;
	memset(noise, 0x5A, sizeof noise);
	adopt_an_image(l.bench);
	bench_open(l.bench);
	for (int i = 0; i < 70; i++) {
		for (int k = 0; k < 50; k++)
			(void)bench_put(l.bench, VD_VERDICT, l.n++, 3900);
		bench_wait_answers(l.bench);
	}
	fd = open(path_of(l.bench, files[0]), O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	for (off_t page = 20; page < 220; page += 2)
		assert_int_equal(pwrite(fd, noise, PAGE, page * PAGE), PAGE);
	assert_int_equal(close(fd), 0);
	bench_drain_all(l.bench);
	check(&l, 0);
	vd_store_stats(l.bench->store, &s);
	print_message("%llu of %llu records in tombstones; notice \"%s\"\n",
		      (unsigned long long)l.bench->tombstoned, (unsigned long long)l.bench->stored,
		      s.notice);
	assert_true(l.bench->tombstoned > 0 && l.bench->received > l.bench->stored / 2);
	assert_int_equal(s.images, 1);
	assert_int_equal(s.image_bytes, 7);
	bench_free(l.bench);
}

static void a_lost_first_page_costs_no_record(void **state)
{
	struct life l = { .bench = bench_new() };
	struct content c;

	(void)state;
	bench_open(l.bench);
	for (int i = 0; i < 20; i++)
		put_some(&l);
	l.bench->store = vd_store_close(l.bench->store);
	c = read_file(l.bench, files[0]);
	memset(c.data, 0xA5, PAGE);
	write_file(l.bench, files[0], &c);
	free(c.data);
	bench_open(l.bench);
	bench_drain_all(l.bench);
	assert_int_equal(l.bench->received, l.bench->stored);
	assert_int_equal(l.bench->tombstoned, 0);
	bench_free(l.bench);
}

VD_TEST_MAIN(cmocka_unit_test(pages_that_rot_while_the_store_is_open_are_counted_as_well),
	     cmocka_unit_test(a_lost_first_page_costs_no_record),
	     cmocka_unit_test(what_the_account_knows_is_counted_out_when_the_database_is_erased),
	     cmocka_unit_test(a_store_without_any_account_says_so),
	     cmocka_unit_test(whatever_page_rots_all_that_was_accepted_is_delivered_or_counted), )
