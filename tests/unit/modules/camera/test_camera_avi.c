/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/camera/avi.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "vd_test.h"

static uint32_t u32(const uint8_t *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

struct film {
	int fd;
	uint8_t bytes[4096];
	size_t len;
	struct vd_avi avi;
};

static void begin(struct film *film)
{
	film->fd = memfd_create("film", MFD_CLOEXEC);
	assert_true(film->fd >= 0);
	assert_int_equal(vd_avi_begin(&film->avi, film->fd, 64, 48, 100000), 0);
}

static void end(struct film *film)
{
	ssize_t n;

	assert_int_equal(vd_avi_end(&film->avi), 0);
	vd_avi_fini(&film->avi);
	n = pread(film->fd, film->bytes, sizeof film->bytes, 0);
	assert_true(n > 0);
	film->len = (size_t)n;
	(void)close(film->fd);
}

/* The place of chunk or list `code` from `at` on, which must be there; past its head. */
static size_t chunk(const struct film *film, size_t at, const char *code, uint32_t *ret_len)
{
	assert_true(at + 8 <= film->len);
	assert_memory_equal(film->bytes + at, code, 4);
	*ret_len = u32(film->bytes + at + 4);
	assert_true(at + 8 + *ret_len <= film->len);
	return at + 8;
}

static size_t list(const struct film *film, size_t at, const char *code, uint32_t *ret_len)
{
	at = chunk(film, at, "LIST", ret_len);
	assert_memory_equal(film->bytes + at, code, 4);
	return at + 4;
}

static size_t check_head(const struct film *film, uint32_t places, uint32_t largest)
{
	uint32_t len, stream_len;
	size_t at = chunk(film, 0, "RIFF", &len), main_at, stream_at;

	assert_int_equal(len, film->len - 8);
	assert_memory_equal(film->bytes + at, "AVI ", 4);
	at = list(film, at + 4, "hdrl", &len);
	main_at = chunk(film, at, "avih", &stream_len);
	assert_int_equal(stream_len, 56);
	assert_int_equal(u32(film->bytes + main_at), 100000);
	assert_int_equal(u32(film->bytes + main_at + 16), places);
	assert_int_equal(u32(film->bytes + main_at + 28), largest);
	stream_at = list(film, main_at + 56, "strl", &stream_len);
	assert_int_equal(stream_at - 4 + stream_len, at - 4 + len);
	stream_at = chunk(film, stream_at, "strh", &stream_len);
	assert_memory_equal(film->bytes + stream_at, "vidsMJPG", 8);
	assert_int_equal(u32(film->bytes + stream_at + 20), 100000);
	assert_int_equal(u32(film->bytes + stream_at + 24), 1000000);
	assert_int_equal(u32(film->bytes + stream_at + 32), places);
	stream_at = chunk(film, stream_at + stream_len, "strf", &stream_len);
	assert_int_equal(u32(film->bytes + stream_at + 4), 64);
	assert_int_equal(u32(film->bytes + stream_at + 8), 48);
	return at - 4 + len;
}

/* Every chunk of movi stands in the index where it is, and the file ends with the index. */
static void check_index(const struct film *film, size_t at, uint32_t places)
{
	uint32_t movi_len, index_len, len;
	size_t movi = list(film, at, "movi", &movi_len) - 4, index, data;

	at = movi + 4;
	index = chunk(film, movi + movi_len, "idx1", &index_len);
	assert_int_equal(index_len, 16 * places);
	assert_int_equal(index + index_len, film->len);
	for (uint32_t i = 0; i < places; i++) {
		const uint8_t *entry = film->bytes + index + (size_t)16 * i;

		data = chunk(film, at, "00dc", &len);
		assert_memory_equal(entry, "00dc", 4);
		assert_int_equal(u32(entry + 4), len > 0 ? 0x10 : 0);
		assert_int_equal(movi + u32(entry + 8), at);
		assert_int_equal(u32(entry + 12), len);
		at = data + len + len % 2;
	}
	assert_int_equal(at, movi + movi_len);
}

static void a_film_has_its_frames_its_gaps_and_an_index_of_both(void **state)
{
	struct film film = { 0 };

	begin(&film);
	assert_int_equal(vd_avi_add(&film.avi, "even", 4), 0);
	assert_int_equal(vd_avi_add(&film.avi, NULL, 0), 0);
	assert_int_equal(vd_avi_add(&film.avi, "odd", 3), 0);
	assert_int_equal(vd_avi_add(&film.avi, "longer than the others", 22), 0);
	end(&film);
	check_index(&film, check_head(&film, 4, 22), 4);
}

static void a_film_without_frames_is_a_file_all_the_same(void **state)
{
	struct film film = { 0 };

	begin(&film);
	end(&film);
	check_index(&film, check_head(&film, 0, 0), 0);
}

static void a_frame_that_could_not_be_written_leaves_the_ones_before(void **state)
{
	const struct rlimit small = { 300, RLIM_INFINITY };
	struct rlimit before;
	struct film film = { 0 };
	char frame[200] = { 0 };

	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	begin(&film);
	assert_int_equal(vd_avi_add(&film.avi, "frame", 5), 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_int_equal(vd_avi_add(&film.avi, frame, sizeof frame), -EFBIG);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	end(&film);
	check_index(&film, check_head(&film, 1, 5), 1);
}

static void a_film_stays_within_what_readers_can_count(void **state)
{
	struct film film = { 0 };

	begin(&film);
	assert_int_equal(vd_avi_add(&film.avi, "", (size_t)VD_AVI_BYTES), -EFBIG);
	assert_int_equal(vd_avi_begin(&film.avi, film.fd, 70000, 48, 100000), -EINVAL);
	vd_avi_fini(&film.avi);
	(void)close(film.fd);
}

VD_TEST_MAIN(cmocka_unit_test(a_film_has_its_frames_its_gaps_and_an_index_of_both),
	     cmocka_unit_test(a_film_without_frames_is_a_file_all_the_same),
	     cmocka_unit_test(a_frame_that_could_not_be_written_leaves_the_ones_before),
	     cmocka_unit_test(a_film_stays_within_what_readers_can_count))
