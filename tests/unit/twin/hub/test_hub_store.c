/* SPDX-License-Identifier: Apache-2.0 */
#include "vd_test.h"

#include <errno.h>
#include <sqlite3.h>

#include "base/buf.h"
#include "twin/broker/spool.h"
#include "twin/hub/telemetry/ingest.h"
#include "twin/hub/store/migrations.h"
#include "unit/twin/hub/hub_fixture.h"

static int count_row(const struct vd_record_row *row, void *argument)
{
	++*(int *)argument;
	return 0;
}

static int count_records(struct vd_store *store, const struct vd_record_filter *filter)
{
	int count = 0;

	assert_int_equal(vd_store_record_each(store, filter, count_row, &count), 0);
	return count;
}

static const struct vd_record_filter everything = { .limit = 1000 };

static struct vd_spool_record message_of(const char *bag, const char *payload)
{
	return (struct vd_spool_record){ .identity = "d1",
					 .bag = bag,
					 .payload = payload,
					 .payload_len = strlen(payload),
					 .received_ms = 5000 };
}

static void take(struct fixture *f, const char *bag, const char *payload)
{
	const struct vd_spool_record message = message_of(bag, payload);

	assert_int_equal(vd_ingest_take(f->store, &message), 0);
}

static int64_t letters(struct fixture *f)
{
	int64_t count = -1;

	assert_int_equal(vd_store_dead_letter_count(f->store, &count), 0);
	return count;
}

static void a_record_that_comes_twice_is_stored_once(void **state)
{
	struct fixture *f = *state;
	const char *batch = "[{\"bootId\":\"b-1\",\"seq\":7,\"class\":\"verdict\",\"module\":\"s\","
			    "\"body\":{\"verdict\":\"NG\",\"serial\":\"0041\"}}]";

	take(f, "vd-batch=1", batch);
	take(f, "vd-batch=1", batch);
	assert_int_equal(count_records(f->store, &everything), 1);
	take(f, "vd-batch=1&%24.mid=b-1:7-8",
	     "[{\"bootId\":\"b-1\",\"seq\":7,\"class\":\"verdict\"},"
	     "{\"bootId\":\"b-1\",\"seq\":8,\"class\":\"verdict\"}]");
	assert_int_equal(count_records(f->store, &everything), 2);
	assert_int_equal(letters(f), 0);
}

static void a_foreign_message_with_an_id_is_stored_once_and_one_without_each_time(void **state)
{
	struct fixture *f = *state;

	take(f, "%24.mid=m1", "{\"t\":20}");
	take(f, "%24.mid=m1", "{\"t\":20}");
	take(f, "", "{\"t\":20}");
	take(f, "", "{\"t\":20}");
	assert_int_equal(count_records(f->store, &everything), 3);
}

static int check_injection(const struct vd_record_row *row, void *argument)
{
	cJSON *json = json_of(row->text);

	assert_string_equal(row->serial, "x'); DROP TABLE records; --\"");
	assert_string_equal(vd_json_string(vd_json_get(json, "body"), "note", ""),
			    "Robert'); DELETE FROM twins; --");
	(void)vd_json_free(json);
	++*(int *)argument;
	return 0;
}

static void quotes_and_sql_in_a_payload_reach_the_store_unharmed(void **state)
{
	struct fixture *f = *state;
	struct vd_record_filter filter = everything;
	int count = 0;

	take(f, "vd-batch=1",
	     "[{\"bootId\":\"b\",\"seq\":1,\"class\":\"verdict\",\"module\":\"s' OR 1=1 --\","
	     "\"body\":{\"serial\":\"x'); DROP TABLE records; --\\\"\",\"verdict\":\"NG\","
	     "\"note\":\"Robert'); DELETE FROM twins; --\"}}]");
	filter.module = "s' OR 1=1 --";
	assert_int_equal(vd_store_record_each(f->store, &filter, check_injection, &count), 0);
	assert_int_equal(count, 1);
	filter.module = "' OR '1'='1";
	assert_int_equal(count_records(f->store, &filter), 0);
}

static void filters_select_by_class_verdict_serial_and_position(void **state)
{
	struct fixture *f = *state;
	struct vd_record_filter filter = everything;

	take(f, "vd-batch=1",
	     "[{\"bootId\":\"b\",\"seq\":1,\"class\":\"verdict\",\"body\":{\"verdict\":\"OK\"}},"
	     "{\"bootId\":\"b\",\"seq\":2,\"class\":\"verdict\",\"body\":{\"verdict\":\"NG\","
	     "\"serial\":\"17\"}},"
	     "{\"bootId\":\"b\",\"seq\":3,\"class\":\"telemetry\",\"body\":{\"verdict\":\"NG\"}}]");
	filter.class_name = "verdict";
	assert_int_equal(count_records(f->store, &filter), 2);
	filter.verdict = "NG";
	assert_int_equal(count_records(f->store, &filter), 1);
	filter.serial = "17";
	assert_int_equal(count_records(f->store, &filter), 1);
	filter = everything;
	filter.after = 2;
	assert_int_equal(count_records(f->store, &filter), 1);
	filter.device = "other";
	assert_int_equal(count_records(f->store, &filter), 0);
}

static int note_first(const struct vd_record_row *row, void *argument)
{
	if (*(int64_t *)argument == 0)
		*(int64_t *)argument = row->id;
	return 0;
}

static void the_newest_are_given_oldest_first(void **state)
{
	struct fixture *f = *state;
	struct vd_record_filter filter = { .limit = 2, .newest = true };
	int64_t first = 0;

	for (int i = 0; i < 5; i++)
		take(f, "", "{}");
	assert_int_equal(vd_store_record_each(f->store, &filter, note_first, &first), 0);
	assert_int_equal(first, 4);
}

static void what_cannot_be_read_is_a_dead_letter_and_the_rest_of_its_batch_is_kept(void **state)
{
	struct fixture *f = *state;

	take(f, "vd-batch=1", "no json");
	take(f, "vd-batch=1", "{}");
	take(f, "vd-batch=1&%24.ce=zstd", "not zstd");
	take(f, "a=%ZZ", "{}");
	take(f, "a=%ff", "{}");
	take(f, "vd-batch=1",
	     "[{\"bootId\":\"b\",\"seq\":1,\"class\":\"event\",\"a\":[[[[[[[[[[[[[[[[[[[[[[[["
	     "]]]]]]]]]]]]]]]]]]]]]]]]}]");
	assert_int_equal(letters(f), 6);
	take(f, "vd-batch=1",
	     "[{\"bootId\":\"b\",\"seq\":1,\"class\":\"event\"},17,"
	     "{\"bootId\":\"b\",\"seq\":-1,\"class\":\"event\"}]");
	assert_int_equal(letters(f), 7);
	assert_int_equal(count_records(f->store, &everything), 1);
}

/* --- telemetry by the batch --- */

static int add_up(const char *class_name, const char *verdict, int64_t count, void *argument)
{
	int64_t *sums = argument;

	sums[verdict != NULL] += count;
	return 0;
}

static const char *telemetry(struct vd_buf *out, const char *boot_id, int first, int count,
			     int step)
{
	vd_buf_clear(out);
	for (int i = 0; i < count; i++)
		assert_int_equal(vd_buf_printf(out,
					       "%s{\"bootId\":\"%s\",\"seq\":%d,\"class\":"
					       "\"telemetry\",\"module\":\"m%d\",\"tWall\":"
					       "\"2026-11-21T23:49:30.123Z\",\"body\":{\"n\":%d}}",
					       i ? "," : "[", boot_id, first + i * step, i % 2,
					       first + i * step),
				 0);
	assert_int_equal(vd_buf_append(out, "]", 1), 0);
	return out->data;
}

static void take_telemetry(struct fixture *f, const char *boot_id, int first, int count, int step)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf text = { 0 };

	take(f, "vd-batch=1&class=telemetry", telemetry(&text, boot_id, first, count, step));
}

static void telemetry_batches_that_overlap_are_stored_once(void **state)
{
	struct fixture *f = *state;
	int64_t sums[2] = { 0 };

	take_telemetry(f, "b", 0, 10, 1);
	take_telemetry(f, "b", 5, 10, 1);
	take_telemetry(f, "b", 0, 15, 1);
	assert_int_equal(count_records(f->store, &everything), 15);
	take_telemetry(f, "b", 4090, 12, 1); /* two blocks */
	take_telemetry(f, "b", 4094, 4, 1);
	assert_int_equal(count_records(f->store, &everything), 27);
	take_telemetry(f, "b", 20, 5, 100000); /* far apart */
	take_telemetry(f, "b", 20, 5, 100000);
	assert_int_equal(count_records(f->store, &everything), 32);
	take_telemetry(f, "c", 0, 3, 1); /* another boot */
	assert_int_equal(count_records(f->store, &everything), 35);
	take(f, "vd-batch=1",
	     "[{\"bootId\":\"d\",\"seq\":1,\"class\":\"telemetry\"},"
	     "{\"bootId\":\"d\",\"seq\":1,\"class\":\"telemetry\"}]");
	assert_int_equal(count_records(f->store, &everything), 36);
	assert_int_equal(vd_store_record_counts(f->store, "d1", add_up, sums), 0);
	assert_int_equal(sums[0], 36);
	assert_int_equal(letters(f), 0);
}

static void telemetry_stored_as_a_row_is_not_taken_again_in_a_batch(void **state)
{
	struct fixture *f = *state;

	/* A line break: not plain, so that it is read by the tree. */
	take(f, "vd-batch=1", "[{\"bootId\":\"b\",\n\"seq\":3,\"class\":\"telemetry\"}]");
	take_telemetry(f, "b", 0, 10, 1);
	assert_int_equal(count_records(f->store, &everything), 10);
}

struct seen_rows {
	int64_t ids[64], seqs[64];
	int count;
};

static int note_row(const struct vd_record_row *row, void *argument)
{
	struct seen_rows *rows = argument;
	cJSON *json = json_of(row->text);

	assert_true(rows->count < 64);
	assert_int_equal(vd_json_int(json, "seq", -1), row->seq);
	assert_string_equal(row->device, "d1");
	(void)vd_json_free(json);
	rows->ids[rows->count] = row->id;
	rows->seqs[rows->count++] = row->seq;
	return 0;
}

static struct seen_rows rows_of(struct fixture *f, struct vd_record_filter filter)
{
	struct seen_rows rows = { 0 };

	assert_int_equal(vd_store_record_each(f->store, &filter, note_row, &rows), 0);
	for (int i = 1; i < rows.count; i++)
		assert_true(rows.ids[i] > rows.ids[i - 1]);
	return rows;
}

static void batches_and_rows_are_read_as_one_sequence(void **state)
{
	struct fixture *f = *state;
	struct vd_record_filter filter = everything;
	struct seen_rows rows;

	take_telemetry(f, "b", 0, 5, 1);
	take(f, "vd-batch=1",
	     "[{\"bootId\":\"b\",\"seq\":5,\"class\":\"event\"},"
	     "{\"bootId\":\"b\",\"seq\":6,\"class\":\"telemetry\"},"
	     "{\"bootId\":\"b\",\"seq\":7,\"class\":\"telemetry\",\"body\":{\"serial\":\"s\"}},"
	     "{\"bootId\":\"b\",\"seq\":8,\"class\":\"raw\"}]");
	take_telemetry(f, "b", 9, 4, 1);
	rows = rows_of(f, filter);
	assert_int_equal(rows.count, 13);
	for (int i = 0; i < 13; i++) {
		assert_int_equal(rows.ids[i], i + 1);
		assert_int_equal(rows.seqs[i], i);
	}
	filter.after = 3;
	filter.limit = 4;
	rows = rows_of(f, filter);
	assert_int_equal(rows.count, 4);
	assert_int_equal(rows.seqs[0], 3);
	filter.newest = true;
	rows = rows_of(f, filter);
	assert_int_equal(rows.count, 4);
	assert_int_equal(rows.seqs[0], 9);
	filter.limit = 7;
	rows = rows_of(f, filter);
	assert_int_equal(rows.seqs[0], 6);
	assert_int_equal(rows.count, 7);
}

static void batches_are_filtered_as_rows_are(void **state)
{
	struct fixture *f = *state;
	struct vd_record_filter filter = everything;

	take_telemetry(f, "b", 0, 10, 1);
	filter.module = "m1";
	assert_int_equal(count_records(f->store, &filter), 5);
	filter.limit = 2;
	filter.newest = true;
	assert_int_equal(rows_of(f, filter).seqs[0], 7);
	filter = everything;
	filter.class_name = "raw";
	assert_int_equal(count_records(f->store, &filter), 0);
	filter.class_name = "telemetry";
	assert_int_equal(count_records(f->store, &filter), 10);
	filter.device = "other";
	assert_int_equal(count_records(f->store, &filter), 0);
	filter = everything;
	filter.serial = "s";
	assert_int_equal(count_records(f->store, &filter), 0);
}

static void batches_expire_and_their_ids_are_not_given_again(void **state)
{
	struct fixture *f = *state;
	int64_t last = 0;

	take_telemetry(f, "b", 0, 10, 1);
	assert_int_equal(vd_store_expire(f->store, 4999, 100), 0);
	assert_int_equal(vd_store_expire(f->store, 5001, 100), 10);
	assert_int_equal(count_records(f->store, &everything), 0);
	assert_int_equal(vd_store_record_last_id(f->store, &last), 0);
	assert_int_equal(last, 10);
	take_telemetry(f, "b", 10, 1, 1);
	assert_int_equal(rows_of(f, everything).ids[0], 11);
}

static void parts_of_a_group_are_undone_alone_and_kept_together(void **state)
{
	struct fixture *f = *state;

	vd_store_group_begin(f->store);
	assert_int_equal(vd_store_begin(f->store), 0);
	take_telemetry(f, "b", 0, 10, 1);
	assert_int_equal(vd_store_commit(f->store), 0);
	assert_int_equal(vd_store_begin(f->store), 0);
	take_telemetry(f, "b", 10, 10, 1);
	vd_store_rollback(f->store);
	vd_store_group_end(f->store);
	assert_int_equal(count_records(f->store, &everything), 10);
	take_telemetry(f, "b", 0, 20, 1);
	assert_int_equal(count_records(f->store, &everything), 20);
}

static void a_record_in_the_name_of_another_device_is_refused(void **state)
{
	struct fixture *f = *state;

	take(f, "vd-batch=1",
	     "[{\"deviceId\":\"d2\",\"bootId\":\"b\",\"seq\":1,\"class\":\"event\"}]");
	assert_int_equal(count_records(f->store, &everything), 0);
	assert_int_equal(letters(f), 1);
}

static void counts_survive_the_rows_that_expire(void **state)
{
	struct fixture *f = *state;
	int64_t sums[2] = { 0 };

	take(f, "vd-batch=1",
	     "[{\"bootId\":\"b\",\"seq\":1,\"class\":\"verdict\",\"body\":{\"verdict\":\"OK\"}}]");
	take(f, "", "{}");
	take(f, "vd-batch=1", "broken");
	assert_int_equal(vd_store_expire(f->store, 4999, 100), 0);
	assert_int_equal(vd_store_expire(f->store, 5001, 1), 2); /* one of each table */
	assert_int_equal(vd_store_expire(f->store, 5001, 100), 1);
	assert_int_equal(count_records(f->store, &everything), 0);
	assert_int_equal(vd_store_record_counts(f->store, "d1", add_up, sums), 0);
	assert_int_equal(sums[0], 1);
	assert_int_equal(sums[1], 1);
}

static int free_pages(struct fixture *f)
{
	sqlite3 *db = NULL;
	sqlite3_stmt *q = NULL;
	int pages;

	assert_int_equal(sqlite3_open(f->database, &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, "PRAGMA freelist_count", -1, &q, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(q), SQLITE_ROW);
	pages = sqlite3_column_int(q, 0);
	(void)sqlite3_finalize(q);
	(void)sqlite3_close(db);
	return pages;
}

static void what_expired_is_given_back_to_the_disk(void **state)
{
	struct fixture *f = *state;
	char payload[3000];

	(void)memset(payload, 'x', sizeof payload - 1);
	payload[sizeof payload - 1] = '\0';
	for (int i = 0; i < 50; i++)
		take(f, "", payload);
	assert_int_equal(vd_store_expire(f->store, 5001, 100), 50);
	assert_true(free_pages(f) > 20);
	assert_int_equal(vd_store_shrink(f->store, 1000), 0);
	assert_int_equal(free_pages(f), 0);
}

static void a_transaction_that_is_rolled_back_leaves_nothing(void **state)
{
	struct fixture *f = *state;
	uint64_t segment = 9, offset = 9;

	assert_int_equal(vd_store_begin(f->store), 0);
	take(f, "", "{}");
	assert_int_equal(vd_store_spool_set(f->store, 3, 77), 0);
	vd_store_rollback(f->store);
	assert_int_equal(count_records(f->store, &everything), 0);
	assert_int_equal(vd_store_spool_get(f->store, &segment, &offset), 0);
	assert_int_equal(segment, 0);
	assert_int_equal(vd_store_begin(f->store), 0);
	assert_int_equal(vd_store_spool_set(f->store, 3, 77), 0);
	assert_int_equal(vd_store_commit(f->store), 0);
	assert_int_equal(vd_store_spool_get(f->store, &segment, &offset), 0);
	assert_int_equal(segment, 3);
	assert_int_equal(offset, 77);
}

static void everything_is_there_after_opening_again(void **state)
{
	struct fixture *f = *state;
	struct vd_name name = name_of("d1");
	struct vd_device before, after;

	register_device(f, "d1", "{}");
	take(f, "", "{}");
	assert_int_equal(vd_store_device_get(f->store, &name, &before), 0);
	f->store = vd_store_free(f->store);
	assert_int_equal(vd_store_open(f->database, false, &f->store, NULL), 0);
	assert_int_equal(vd_store_device_get(f->store, &name, &after), 0);
	assert_string_equal(after.key[0], before.key[0]);
	assert_int_equal(count_records(f->store, &everything), 1);
}

static void a_database_of_a_newer_hub_is_refused_by_name(void **state)
{
	struct fixture *f = *state;
	struct vd_store *store = NULL;
	struct vd_fault fault = { 0 };
	sqlite3 *db = NULL;

	f->store = vd_store_free(f->store);
	assert_int_equal(sqlite3_open(f->database, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "PRAGMA user_version = 99", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	assert_int_equal(vd_store_open(f->database, true, &store, &fault), -EPROTO);
	assert_non_null(strstr(fault.text, f->database));
	assert_non_null(strstr(fault.text, "version 99"));
}

static void a_file_that_is_no_database_is_refused_by_name(void **state)
{
	struct fixture *f = *state;
	struct vd_store *store = NULL;
	struct vd_fault fault = { 0 };
	FILE *file;

	f->store = vd_store_free(f->store);
	file = fopen(f->database, "we");
	assert_non_null(file);
	for (int i = 0; i < 1000; i++)
		(void)fputs("this is no database ", file);
	(void)fclose(file);
	assert_true(vd_store_open(f->database, true, &store, &fault) < 0);
	assert_non_null(strstr(fault.text, f->database));
	assert_int_equal(vd_store_open("/nonexistent/hub.sqlite", false, &store, &fault), -ENOENT);
}

static void the_steps_of_the_schema_have_no_gap(void **state)
{
	for (size_t i = 0; i < vd_migration_count; i++)
		assert_int_equal(vd_migrations[i].to, i + 1);
}

#define T(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)

VD_TEST_MAIN(T(a_record_that_comes_twice_is_stored_once),
	     T(a_foreign_message_with_an_id_is_stored_once_and_one_without_each_time),
	     T(quotes_and_sql_in_a_payload_reach_the_store_unharmed),
	     T(filters_select_by_class_verdict_serial_and_position),
	     T(the_newest_are_given_oldest_first),
	     T(what_cannot_be_read_is_a_dead_letter_and_the_rest_of_its_batch_is_kept),
	     T(telemetry_batches_that_overlap_are_stored_once),
	     T(telemetry_stored_as_a_row_is_not_taken_again_in_a_batch),
	     T(batches_and_rows_are_read_as_one_sequence), T(batches_are_filtered_as_rows_are),
	     T(batches_expire_and_their_ids_are_not_given_again),
	     T(parts_of_a_group_are_undone_alone_and_kept_together),
	     T(a_record_in_the_name_of_another_device_is_refused),
	     T(counts_survive_the_rows_that_expire), T(what_expired_is_given_back_to_the_disk),
	     T(a_transaction_that_is_rolled_back_leaves_nothing),
	     T(everything_is_there_after_opening_again), T(the_steps_of_the_schema_have_no_gap),
	     T(a_database_of_a_newer_hub_is_refused_by_name),
	     T(a_file_that_is_no_database_is_refused_by_name))
