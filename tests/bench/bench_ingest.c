/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_ingest FOLDER [ROWS]: what the hub's ingest takes from its spool a second, without a broker:
 * batches of 100 records as the agent sends them, from a spool on the disk into a database on the disk,
 * in transactions as vedette-hub has them. Beside it, on the same bytes: reading with cJSON's
 * tree alone, the scanner alone, and SQLite alone (a row a record, bound, no index but the key).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sqlite3.h>

#include "base/clock.h"
#include "twin/broker/spool.h"
#include "twin/hub/telemetry/batch.h"
#include "twin/hub/telemetry/ingest.h"
#include "twin/hub/store/scan.h"

enum { RECORDS = 100, ROWS = 300000, TURN_BYTES = 2 << 20, TURN_MESSAGES = 500 };

static const char boot_id[] = "8c5f1c9e-2f0f-4a3e-9a2e-0d9b6a7c8e11";

struct bench {
	char spool[256], database[256];
	int batches;
	const char *class_name;
	bool is_zstd;
};

static double seconds(void)
{
	return (double)vd_clock_mono_us() / 1e6;
}

static unsigned noise(unsigned *state)
{
	*state = *state * 1664525U + 1013904223U;
	return *state >> 8;
}

static int make_batch(const struct bench *b, int number, struct vd_buf *out)
{
	unsigned state = (unsigned)number;
	int r = 0;

	vd_buf_clear(out);
	for (int i = 0; r == 0 && i < RECORDS; i++) {
		int seq = number * RECORDS + i;

		r = vd_buf_printf(
			out,
			"%s{\"deviceId\":\"line-4711\",\"bootId\":\"%s\",\"seq\":%d,\"tMono\":%d,"
			"\"tWall\":\"2026-11-21T23:%02d:%02d.%03dZ\",\"timeQuality\":"
			"\"synchronized\",\"class\":\"%s\",\"module\":\"bus-%d\",\"output\":"
			"\"sample\",\"moduleVersion\":\"1.0.0\",\"desiredVersion\":17,\"body\":"
			"{\"device\":\"press\",\"tag\":\"temperature.%d\",\"value\":%u.%u,"
			"\"quality\":\"good\"}}",
			i ? "," : "[", boot_id, seq, seq * 10, seq / 6000 % 60, seq / 100 % 60,
			seq % 100 * 10, b->class_name, seq % 3, seq % 40, noise(&state) % 1000,
			noise(&state) % 10000);
	}
	return r < 0 ? r : vd_buf_append(out, "]", 1);
}

static int fill_spool(const struct bench *b, size_t *ret_json, size_t *ret_wire)
{
	VD_CLEANUP(vd_spool_writer_free) struct vd_spool_writer *writer = NULL;
	VD_CLEANUP(vd_buf_fini) struct vd_buf text = { 0 };
	VD_CLEANUP(vd_buf_fini) struct vd_buf frame = { 0 };
	struct vd_fault fault = { 0 };
	int r = vd_spool_writer_new(b->spool, NULL, &writer, &fault);

	for (int i = 0; r == 0 && i < b->batches; i++) {
		struct vd_spool_record record = { .identity = "line-4711", .received_ms = 1 };

		r = make_batch(b, i, &text);
		if (r == 0)
			r = vd_batch_deflate(text.data, text.len, &frame);
		record.bag = b->is_zstd ? "vd-batch=1&%24.ce=zstd" : "vd-batch=1";
		record.payload = b->is_zstd ? frame.data : text.data;
		record.payload_len = b->is_zstd ? frame.len : text.len;
		if (r == 0)
			r = vd_spool_append(writer, &record);
		*ret_json += text.len;
		*ret_wire += record.payload_len;
	}
	return r;
}

/* One transaction as the hub's; 1: there may be more. */
static int turn(struct vd_store *store, struct vd_spool_reader *reader)
{
	struct vd_spool_record message;
	struct vd_spool_position position = { 0 };
	size_t bytes = 0;
	int n, r = vd_store_begin(store);

	for (n = 0; r == 0 && n < TURN_MESSAGES && bytes < TURN_BYTES; n++) {
		r = vd_spool_next(reader, &message, &position);
		if (r == VD_SPOOL_END)
			break;
		bytes += message.payload_len;
		if (r == 0)
			r = vd_ingest_take(store, &message);
	}
	if (r >= 0 && n > 0)
		r = vd_store_spool_set(store, position.segment, position.offset);
	if (r >= 0 && vd_store_commit(store) < 0)
		r = -EIO;
	return r < 0 ? r : n > 0 && bytes > 0;
}

static void say(const char *what, const struct bench *b, double began)
{
	double took = seconds() - began, rows = (double)b->batches * RECORDS;

	(void)printf("  %-44s %9.0f rows/s  %6.2f us a row\n", what, rows / took,
		     took / rows * 1e6);
}

static int count_up(const char *class_name, const char *verdict, int64_t count, void *argument)
{
	*(int64_t *)argument += count;
	return 0;
}

static int measure_ingest(const struct bench *b, const char *what)
{
	VD_CLEANUP(vd_store_free) struct vd_store *store = NULL;
	VD_CLEANUP(vd_spool_reader_free) struct vd_spool_reader *reader = NULL;
	struct vd_fault fault = { 0 };
	int64_t total = 0;
	double began;
	int r = vd_store_open(b->database, true, &store, &fault);

	if (r == 0)
		r = vd_spool_reader_new(b->spool, (struct vd_spool_position){ 0 }, &reader);
	began = seconds();
	while (r == 0 && (r = turn(store, reader)) > 0)
		r = 0;
	say(what, b, began);
	if (r == 0)
		r = vd_store_record_counts(store, NULL, count_up, &total);
	if (r == 0 && total != (int64_t)b->batches * RECORDS)
		(void)printf("  only %lld rows are there\n", (long long)total);
	return r;
}

static int nothing(const struct vd_record_row *row, void *argument)
{
	return 0;
}

static int measure_readers(const struct bench *b, const struct vd_buf *text)
{
	struct vd_fault fault = { 0 };
	struct vd_scanned record;
	double began = seconds();
	int bad, r = 0;

	for (int i = 0; r == 0 && i < b->batches; i++)
		r = vd_batch_read("line-4711", 1, text->data, text->len, nothing, NULL, &bad,
				  &fault);
	say("reading alone: tree (cJSON)", b, began);
	began = seconds();
	for (int i = 0; r == 0 && i < b->batches; i++) {
		struct vd_scan scan = { .at = text->data, .end = text->data + text->len };

		while ((r = vd_scan_next(&scan, &record)) == 0)
			;
		r = r == VD_SCAN_END ? 0 : -EINVAL;
	}
	say("reading alone: scanner", b, began);
	return r;
}

static void insert_rows(sqlite3 *db, sqlite3_stmt *q, const struct bench *b)
{
	char text[300];

	(void)memset(text, 'x', sizeof text);
	for (int i = 0; i < b->batches * RECORDS; i++) {
		if (i % 20000 == 0)
			(void)sqlite3_exec(db, i ? "COMMIT; BEGIN" : "BEGIN", NULL, NULL, NULL);
		(void)sqlite3_bind_int(q, 1, i);
		(void)sqlite3_bind_text(q, 2, text, sizeof text, SQLITE_STATIC);
		(void)sqlite3_step(q);
		(void)sqlite3_reset(q);
	}
	(void)sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
}

static int measure_sqlite(const struct bench *b)
{
	sqlite3 *db = NULL;
	sqlite3_stmt *q = NULL;
	char path[300];
	double began;

	(void)snprintf(path, sizeof path, "%s.peer", b->database);
	if (sqlite3_open(path, &db) != SQLITE_OK ||
	    sqlite3_exec(db,
			 "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
			 "CREATE TABLE r (id INTEGER PRIMARY KEY, text TEXT)",
			 NULL, NULL, NULL) != SQLITE_OK ||
	    sqlite3_prepare_v2(db, "INSERT INTO r VALUES (?, ?)", -1, &q, NULL) != SQLITE_OK)
		return -EIO;
	began = seconds();
	insert_rows(db, q, b);
	say("peer: SQLite, a row of 300 bytes a record", b, began);
	(void)sqlite3_finalize(q);
	(void)sqlite3_close(db);
	return 0;
}

static int run(const char *folder, int rows)
{
	static const struct {
		const char *class_name, *what;
		bool is_zstd;
	} cases[] = {
		{ "telemetry", "ingest: telemetry, zstd as the agent sends it", true },
		{ "telemetry", "ingest: telemetry, plain JSON", false },
		{ "event", "ingest: events, a row each", true },
	};
	VD_CLEANUP(vd_buf_fini) struct vd_buf text = { 0 };
	struct bench b = { .batches = rows / RECORDS, .class_name = "telemetry" };
	int r = 0;

	for (size_t i = 0; r == 0 && i < VD_COUNT(cases); i++) {
		size_t json = 0, wire = 0;

		(void)snprintf(b.spool, sizeof b.spool, "%s/spool%zu", folder, i);
		(void)snprintf(b.database, sizeof b.database, "%s/hub%zu.sqlite", folder, i);
		b.class_name = cases[i].class_name;
		b.is_zstd = cases[i].is_zstd;
		r = fill_spool(&b, &json, &wire);
		if (r == 0 && i == 0)
			(void)printf("%d rows of %zu bytes, %zu on the wire\n", rows,
				     json / (size_t)rows, wire / (size_t)rows);
		if (r == 0)
			r = measure_ingest(&b, cases[i].what);
	}
	b.class_name = "telemetry";
	if (r == 0)
		r = make_batch(&b, 7, &text);
	if (r == 0)
		r = measure_readers(&b, &text);
	return r < 0 ? r : measure_sqlite(&b);
}

int main(int argc, char **argv)
{
	int rows = argc > 2 ? (int)strtol(argv[2], NULL, 10) : ROWS;
	int r = argc < 2 || rows < RECORDS ? -EINVAL : run(argv[1], rows);

	if (r < 0)
		(void)fprintf(stderr, "bench_ingest: %s\n", strerror(-r));
	return r < 0;
}
