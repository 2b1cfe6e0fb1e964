/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/digest.h"

enum { IMAGE = 10000 };

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

struct picture {
	char bytes[IMAGE];
	char sha256[VD_SHA256_TEXT];
	struct vd_attachment attachment;
};

static void paint(struct picture *p, char colour)
{
	memset(p->bytes, colour, sizeof p->bytes);
	assert_int_equal(vd_sha256_text(p->bytes, sizeof p->bytes, p->sha256), 0);
	p->attachment = (struct vd_attachment){ .name = "overlay",
						.media_type = "image/jpeg",
						.sha256 = p->sha256,
						.bytes = sizeof p->bytes,
						.fd = memfd_create("picture", MFD_CLOEXEC) };
	assert_int_equal(write(p->attachment.fd, p->bytes, sizeof p->bytes), sizeof p->bytes);
}

static int put(struct bench *b, const char *verdict, const struct vd_attachment *a, size_t count,
	       struct vd_fault *fault)
{
	char body[64];
	struct vd_record record = { .class = VD_VERDICT,
				    .module = "station-3",
				    .output = "verdict",
				    .desired_version = -1,
				    .body = body,
				    .attachments = a,
				    .attachment_count = count };
	int r;

	record.body_len =
		(size_t)snprintf(body, sizeof body, "{\"n\":1,\"verdict\":\"%s\"}", verdict);
	r = vd_outbox_put(b->store, &record, 1, fault);
	b->put += r == 0;
	return r;
}

static void put_picture(struct bench *b, const char *verdict, char colour)
{
	struct picture p;

	paint(&p, colour);
	assert_int_equal(put(b, verdict, &p.attachment, 1, NULL), 0);
	assert_int_equal(close(p.attachment.fd), 0); /* the store has its own */
	bench_wait_answers(b);
}

static bool has_file(const struct bench *b, char colour)
{
	static char bytes[IMAGE];
	char sha256[VD_SHA256_TEXT], path[256];

	memset(bytes, colour, sizeof bytes);
	assert_int_equal(vd_sha256_text(bytes, sizeof bytes, sha256), 0);
	(void)snprintf(path, sizeof path, "%s/images/%s.jpg", b->folder, sha256);
	return access(path, R_OK) == 0;
}

static void an_image_lies_in_the_folder_when_its_record_is_stored(void **state)
{
	struct bench *b = *state;
	struct vd_store_stats stats;

	bench_open(b);
	put_picture(b, "NG", 'a');
	assert_int_equal(b->stored, 1);
	assert_true(has_file(b, 'a'));
	vd_store_stats(b->store, &stats);
	assert_int_equal(stats.images, 1);
	assert_int_equal(stats.image_bytes, IMAGE);
	put_picture(b, "OK", 'a'); /* the same again: one file, one row */
	vd_store_stats(b->store, &stats);
	assert_int_equal(stats.images, 1);
}

static void an_image_that_is_not_what_it_says_refuses_the_record(void **state)
{
	struct bench *b = *state;
	struct picture p;

	bench_open(b);
	paint(&p, 'a');
	p.sha256[0] = p.sha256[0] == '0' ? '1' : '0';
	assert_int_equal(put(b, "NG", &p.attachment, 1, NULL), 0);
	bench_wait_answers(b);
	assert_int_equal(b->refused, 1);
	assert_memory_equal(b->refusal, "/attachments/0/sha256 attachment overlay: ", 42);
	paint(&p, 'a');
	p.attachment.bytes = IMAGE - 1;
	assert_int_equal(put(b, "NG", &p.attachment, 1, NULL), 0);
	p.attachment.bytes = IMAGE + 1;
	assert_int_equal(put(b, "NG", &p.attachment, 1, NULL), 0);
	bench_wait_answers(b);
	assert_int_equal(b->refused, 3);
	assert_int_equal(b->stored, 0);
	assert_int_equal(close(p.attachment.fd), 0);
}

static void bad_attachments_are_refused_at_once(void **state)
{
	struct bench *b = *state;
	struct picture p;
	struct vd_fault fault = { 0 };
	struct vd_attachment two[2];

	bench_open(b);
	paint(&p, 'a');
	two[0] = two[1] = p.attachment;
	two[1].sha256 = "../../../../etc/passwd";
	assert_int_equal(put(b, "NG", two, 2, &fault), -EINVAL);
	assert_string_equal(fault.pointer, "/attachments/1/sha256");
	two[1] = p.attachment;
	two[1].bytes = VD_IMAGE_BYTES + 1;
	assert_int_equal(put(b, "NG", two, 2, &fault), -E2BIG);
	assert_int_equal(put(b, "NG", two, VD_ATTACHMENTS + 1, &fault), -EINVAL);
	assert_int_equal(close(p.attachment.fd), 0);
}

static void images_of_good_parts_make_room_first(void **state)
{
	struct bench *b = *state;
	struct vd_store_stats stats;

	b->config.image_max_bytes = 3 * IMAGE;
	bench_open(b);
	put_picture(b, "NG", 'a');
	put_picture(b, "OK", 'b');
	put_picture(b, "WARN", 'c');
	put_picture(b, "NG", 'd');
	assert_false(has_file(b, 'b'));
	put_picture(b, "NG", 'e');
	assert_false(has_file(b, 'c'));
	put_picture(b, "NG", 'f');
	assert_false(has_file(b, 'a'));
	assert_true(has_file(b, 'd') && has_file(b, 'e') && has_file(b, 'f'));
	vd_store_stats(b->store, &stats);
	assert_int_equal(stats.images_evicted, 3);
	assert_int_equal(b->stored, 6);
}

static void files_without_a_row_are_adopted_and_half_files_removed(void **state)
{
	struct bench *b = *state;
	struct vd_store_stats stats;
	char path[256];
	FILE *half;

	bench_open(b);
	put_picture(b, "NG", 'a');
	b->store = vd_store_close(b->store);
	(void)snprintf(path, sizeof path, "%s/images/half.jpg.17.new", b->folder);
	half = fopen(path, "we");
	assert_non_null(half);
	assert_int_equal(fclose(half), 0);
	(void)snprintf(path, sizeof path, "%s/outbox.db", b->folder);
	assert_int_equal(unlink(path), 0);
	bench_open(b);
	assert_int_equal(bench_put(b, VD_VERDICT, 7, 10), 0);
	bench_wait_answers(b);
	vd_store_stats(b->store, &stats);
	assert_int_equal(stats.images, 1);
	assert_true(has_file(b, 'a'));
	(void)snprintf(path, sizeof path, "%s/images/half.jpg.17.new", b->folder);
	assert_int_equal(access(path, F_OK), -1);
}

VD_TEST_MAIN(cmocka_unit_test_setup_teardown(an_image_lies_in_the_folder_when_its_record_is_stored,
					     set_up, tear_down),
	     cmocka_unit_test_setup_teardown(an_image_that_is_not_what_it_says_refuses_the_record,
					     set_up, tear_down),
	     cmocka_unit_test_setup_teardown(bad_attachments_are_refused_at_once, set_up,
					     tear_down),
	     cmocka_unit_test_setup_teardown(images_of_good_parts_make_room_first, set_up,
					     tear_down),
	     cmocka_unit_test_setup_teardown(files_without_a_row_are_adopted_and_half_files_removed,
					     set_up, tear_down), )
