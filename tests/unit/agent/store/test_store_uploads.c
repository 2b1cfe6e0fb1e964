/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <sys/mman.h>
#include <unistd.h>

#include <sqlite3.h>

#include "agent/store/db.h"
#include "agent/store/policy.h"
#include "base/digest.h"

enum { IMAGE = 5000 };

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

static void digest_of(char colour, char sha256[static VD_SHA256_TEXT])
{
	char bytes[IMAGE];

	memset(bytes, colour, sizeof bytes);
	assert_int_equal(vd_sha256_text(bytes, sizeof bytes, sha256), 0);
}

/* A record with one image of a colour. */
static void put(struct bench *b, enum vd_class class, const char *verdict, char colour)
{
	char bytes[IMAGE], sha256[VD_SHA256_TEXT], body[64];
	struct vd_attachment a = { .name = "over lay/1.jpg",
				   .media_type = "image/jpeg",
				   .sha256 = sha256,
				   .bytes = IMAGE,
				   .fd = memfd_create("image", MFD_CLOEXEC) };
	struct vd_record record = { .class = class,
				    .module = "station-3",
				    .output = "verdict",
				    .desired_version = -1,
				    .body = body,
				    .attachments = &a,
				    .attachment_count = 1 };

	memset(bytes, colour, sizeof bytes);
	digest_of(colour, sha256);
	assert_int_equal(write(a.fd, bytes, sizeof bytes), sizeof bytes);
	record.body_len =
		(size_t)snprintf(body, sizeof body, "{\"n\":1,\"verdict\":\"%s\"}", verdict);
	assert_int_equal(vd_outbox_put(b->store, &record, 1, NULL), 0);
	assert_int_equal(close(a.fd), 0);
	b->put++;
	bench_wait_answers(b);
}

static struct vd_upload upload;

static bool has_next(const struct bench *b)
{
	return vd_upload_next(b->store, &upload) == 1;
}

static void expect_next(struct bench *b, char colour)
{
	char sha256[VD_SHA256_TEXT];

	digest_of(colour, sha256);
	bench_run(b, has_next);
	assert_string_equal(upload.sha256, sha256);
	assert_int_equal(upload.bytes, IMAGE);
	assert_int_equal(access(upload.path, R_OK), 0);
}

static uint64_t count_of(struct bench *b, enum vd_image_state state)
{
	struct vd_store_stats stats;

	vd_store_stats(b->store, &stats);
	assert_int_equal(stats.images_of[state].bytes, stats.images_of[state].count * IMAGE);
	return stats.images_of[state].count;
}

static bool none_waits(const struct bench *b)
{
	struct vd_store_stats stats;

	vd_store_stats(b->store, &stats);
	return stats.images_of[VD_IMAGE_WAITING].count == 0;
}

static void alarms_then_bad_parts_then_the_rest_and_the_oldest_of_each_is_first(void **state)
{
	(void)state;
	assert_int_equal(vd_policy_image_rank(VD_ALARM, "OK"), 2);
	assert_int_equal(vd_policy_image_rank(VD_VERDICT, "NG"), 1);
	assert_int_equal(vd_policy_image_rank(VD_VERDICT, "NO_DECISION"), 1);
	assert_int_equal(vd_policy_image_rank(VD_VERDICT, "WARN"), 1);
	assert_int_equal(vd_policy_image_rank(VD_VERDICT, "OK"), 0);
	assert_int_equal(vd_policy_image_rank(VD_EVENT, NULL), 0);
}

static void images_are_handed_out_by_rank_and_age(void **state)
{
	static const char order[] = "ebdacf";
	struct bench *b = *state;

	bench_open(b);
	put(b, VD_VERDICT, "OK", 'a');
	put(b, VD_VERDICT, "NG", 'b');
	put(b, VD_EVENT, "OK", 'c');
	put(b, VD_VERDICT, "WARN", 'd');
	put(b, VD_ALARM, "NG", 'e');
	put(b, VD_VERDICT, "OK", 'f');
	assert_int_equal(count_of(b, VD_IMAGE_WAITING), 6);
	for (const char *colour = order; *colour; colour++) {
		expect_next(b, *colour);
		vd_upload_ended(b->store, upload.id, VD_IMAGE_UPLOADED);
	}
	bench_run(b, none_waits);
	assert_int_equal(count_of(b, VD_IMAGE_UPLOADED), 6);
	assert_int_equal(vd_upload_next(b->store, &upload), 0);
}

static void a_name_is_made_of_the_record_and_what_is_no_name_in_it_is_replaced(void **state)
{
	struct bench *b = *state;
	char wanted[256];

	bench_open(b);
	put(b, VD_VERDICT, "NG", 'a');
	expect_next(b, 'a');
	(void)snprintf(wanted, sizeof wanted, "/%s-%d-over_lay_1-%.8s.jpg", b->boot_id, 1,
		       upload.sha256);
	assert_int_equal(strspn(upload.blob, "0123456789-"), 10);
	assert_string_equal(upload.blob + 10, wanted);
	assert_string_equal(upload.media_type, "image/jpeg");
}

static void what_was_not_told_before_the_end_is_handed_out_again_and_the_rest_is_not(void **state)
{
	struct bench *b = *state;

	bench_open(b);
	put(b, VD_VERDICT, "NG", 'a');
	put(b, VD_VERDICT, "NG", 'b');
	put(b, VD_VERDICT, "NG", 'c');
	expect_next(b, 'a');
	vd_upload_ended(b->store, upload.id, VD_IMAGE_UPLOADED);
	expect_next(b, 'b');
	vd_upload_ended(b->store, upload.id, VD_IMAGE_REFUSED);
	expect_next(b, 'c');
	bench_reopen(b);
	expect_next(b, 'c');
	assert_int_equal(count_of(b, VD_IMAGE_WAITING), 1);
	assert_int_equal(count_of(b, VD_IMAGE_UPLOADED), 1);
	assert_int_equal(count_of(b, VD_IMAGE_REFUSED), 1);
}

static void the_same_image_of_another_record_is_not_uploaded_twice(void **state)
{
	struct bench *b = *state;

	bench_open(b);
	put(b, VD_VERDICT, "NG", 'a');
	expect_next(b, 'a');
	vd_upload_ended(b->store, upload.id, VD_IMAGE_UPLOADED);
	bench_run(b, none_waits);
	put(b, VD_VERDICT, "NG", 'a');
	assert_int_equal(count_of(b, VD_IMAGE_WAITING), 0);
	assert_int_equal(vd_upload_next(b->store, &upload), 0);
}

static void what_the_hub_has_is_evicted_first_and_what_it_has_not_is_counted_as_lost(void **state)
{
	struct bench *b = *state;

	b->config.image_max_bytes = 3 * IMAGE;
	bench_open(b);
	put(b, VD_VERDICT, "OK", 'a');
	put(b, VD_VERDICT, "NG", 'b');
	expect_next(b, 'b');
	vd_upload_ended(b->store, upload.id, VD_IMAGE_UPLOADED);
	put(b, VD_VERDICT, "OK", 'c');
	put(b, VD_VERDICT, "NG", 'd'); /* b goes: the hub has it */
	assert_int_equal(access(upload.path, F_OK), -1);
	assert_int_equal(count_of(b, VD_IMAGE_LOST), 0);
	assert_int_equal(count_of(b, VD_IMAGE_WAITING), 3);
	put(b, VD_VERDICT, "NG", 'e'); /* a goes */
	assert_int_equal(count_of(b, VD_IMAGE_LOST), 1);
	bench_reopen(b);
	assert_int_equal(count_of(b, VD_IMAGE_LOST), 1);
	expect_next(b, 'd');
}

/* The file as the schema before had it. */
static void make_older(const struct bench *b)
{
	char path[256];
	sqlite3 *db = NULL;

	(void)snprintf(path, sizeof path, "%s/outbox.db", b->folder);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db,
				      "DROP INDEX image_to_evict; DROP INDEX image_to_send;"
				      "ALTER TABLE image DROP COLUMN rank;"
				      "ALTER TABLE image DROP COLUMN state;"
				      "ALTER TABLE image DROP COLUMN blob;"
				      "DROP TABLE image_total;"
				      "CREATE INDEX image_by_worth ON image(worth, id);"
				      "PRAGMA user_version=2;",
				      NULL, NULL, NULL),
			 SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void images_from_before_there_were_uploads_wait_under_their_digest(void **state)
{
	struct bench *b = *state;
	char wanted[128];

	bench_open(b);
	put(b, VD_VERDICT, "NG", 'a');
	b->store = vd_store_close(b->store);
	make_older(b);
	bench_open(b);
	assert_int_equal(count_of(b, VD_IMAGE_WAITING), 1);
	expect_next(b, 'a');
	(void)snprintf(wanted, sizeof wanted, "adopted/%s.jpg", upload.sha256);
	assert_string_equal(upload.blob, wanted);
	put(b, VD_VERDICT, "NG", 'a'); /* now its record is known */
	bench_reopen(b);
	expect_next(b, 'a');
	assert_null(strstr(upload.blob, "adopted"));
}

static void what_became_of_images_comes_along_when_a_rotten_file_is_replaced(void **state)
{
	struct bench *b = *state;
	struct vd_image image = { .file = "aa.jpg", .bytes = 7, .rank = 1, .blob = "d/b-1-a.jpg" };
	struct vd_image_count counts[VD_IMAGE_STATES];
	VD_CLEANUP(vd_db_close) struct vd_db *from = NULL, *to = NULL;
	char path[256], error[256];
	uint64_t bytes = 0;

	(void)snprintf(path, sizeof path, "%s/from.db", b->folder);
	assert_int_equal(vd_db_open(path, &from, error, sizeof error), 0);
	(void)snprintf(path, sizeof path, "%s/to.db", b->folder);
	assert_int_equal(vd_db_open(path, &to, error, sizeof error), 0);
	assert_int_equal(vd_db_image_put(from, &image, "a", "image/jpeg"), 1);
	assert_int_equal(vd_db_image_end(from, 1, VD_IMAGE_UPLOADED, &bytes), 1);
	assert_int_equal(vd_db_image_end(from, 1, VD_IMAGE_REFUSED, &bytes), 0);
	assert_int_equal(vd_db_image_total(from, VD_IMAGE_UPLOADED, bytes), 0);
	(void)snprintf(image.file, sizeof image.file, "bb.jpg");
	assert_int_equal(vd_db_image_put(from, &image, "a", "image/jpeg"), 1);
	assert_int_equal(vd_db_copy_images(from, to), 0);
	assert_int_equal(vd_db_image_totals(to, counts), 0);
	assert_int_equal(counts[VD_IMAGE_WAITING].count, 1);
	assert_int_equal(counts[VD_IMAGE_UPLOADED].bytes, 7);
	assert_int_equal(vd_db_image_next(to, 0, &image), 1);
	assert_string_equal(image.file, "bb.jpg");
	assert_string_equal(image.blob, "d/b-1-a.jpg");
}

VD_TEST_MAIN(cmocka_unit_test(alarms_then_bad_parts_then_the_rest_and_the_oldest_of_each_is_first),
	     cmocka_unit_test_setup_teardown(images_are_handed_out_by_rank_and_age, set_up,
					     tear_down),
	     cmocka_unit_test_setup_teardown(
		     a_name_is_made_of_the_record_and_what_is_no_name_in_it_is_replaced, set_up,
		     tear_down),
	     cmocka_unit_test_setup_teardown(
		     what_was_not_told_before_the_end_is_handed_out_again_and_the_rest_is_not,
		     set_up, tear_down),
	     cmocka_unit_test_setup_teardown(the_same_image_of_another_record_is_not_uploaded_twice,
					     set_up, tear_down),
	     cmocka_unit_test_setup_teardown(
		     what_the_hub_has_is_evicted_first_and_what_it_has_not_is_counted_as_lost,
		     set_up, tear_down),
	     cmocka_unit_test_setup_teardown(
		     images_from_before_there_were_uploads_wait_under_their_digest, set_up,
		     tear_down),
	     cmocka_unit_test_setup_teardown(
		     what_became_of_images_comes_along_when_a_rotten_file_is_replaced, set_up,
		     tear_down), )
