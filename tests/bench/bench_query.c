/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The query language over generated twins, beside plain SQLite on the same documents in the same
 * run: a WHERE with json_extract that means the same. Four ways of ours: over documents that are
 * in memory already; over texts that SQLite hands out one by one, parsed first, or matched as they
 * are; and over those only that an index table finds by the query's hints. All must find the same.
 * Medians of ROUNDS; ratios are ours : SQLite's.
 *
 * usage: bench_query [TWINS]    (default: 100000)
 */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "twin/query/matcher.h"
#include "twin/query/query.h"
#include "twin/query/values.h"

enum { ROUNDS = 5, TWINS = 100000 };

static const struct {
	const char *query, *sql;
} cases[] = {
	{ "SELECT * FROM devices WHERE tags.site = 'site-17'",
	  "json_extract(doc,'$.tags.site') = 'site-17'" },
	{ "SELECT * FROM devices WHERE deviceId IN ['line-00042', 'line-00043', 'line-00044']",
	  "json_extract(doc,'$.deviceId') IN ('line-00042', 'line-00043', 'line-00044')" },
	{ "SELECT * FROM devices WHERE properties.reported.temperature >= 78.5 AND tags.hall >= 11",
	  "json_extract(doc,'$.properties.reported.temperature') >= 78.5 AND "
	  "json_extract(doc,'$.tags.hall') >= 11" },
	{ "SELECT * FROM devices WHERE properties.desired.$version != "
	  "properties.reported.lastDesiredVersion",
	  "json_extract(doc,'$.properties.desired.\"$version\"') != "
	  "json_extract(doc,'$.properties.reported.lastDesiredVersion')" },
	{ "SELECT * FROM devices WHERE NOT IS_DEFINED(tags.retired) AND (tags.hall % 3 = 1 OR "
	  "properties.reported.modules.camera.status = 'failed')",
	  "json_type(doc,'$.tags.retired') IS NULL AND (json_extract(doc,'$.tags.hall') % 3 = 1 OR "
	  "json_extract(doc,'$.properties.reported.modules.camera.status') = 'failed')" },
};

static sqlite3 *database;
static cJSON **twins;
static long twin_count = TWINS;

static double now_us(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static _Noreturn void die(const char *what)
{
	(void)fprintf(stderr, "%s: %s\n", what, sqlite3_errmsg(database));
	_exit(1);
}

static void run_sql(const char *sql)
{
	if (sqlite3_exec(database, sql, NULL, NULL, NULL) != SQLITE_OK)
		die(sql);
}

static sqlite3_stmt *prepare(const char *sql)
{
	sqlite3_stmt *statement = NULL;

	if (sqlite3_prepare_v2(database, sql, -1, &statement, NULL) != SQLITE_OK)
		die(sql);
	return statement;
}

/* --- the fleet --- */

static int make_twin(long n, char *text, size_t size)
{
	unsigned r = (unsigned)n * 2654435761U;

	return snprintf(
		text, size,
		"{\"deviceId\":\"line-%05ld\",\"etag\":\"AAAAAAAAAAc=\",\"version\":%u,"
		"\"status\":\"enabled\",\"connectionState\":\"%s\",\"authenticationType\":\"sas\","
		"\"lastActivityTime\":\"2026-11-22T01:00:00.0000000Z\","
		"\"tags\":{\"site\":\"site-%u\",\"hall\":%u,\"customer\":\"c%u\"%s},"
		"\"properties\":{\"desired\":{\"schemaVersion\":\"1.0\",\"modules\":{\"camera\":{"
		"\"version\":\"1.%u.0\",\"status\":\"running\",\"parameters\":{\"fps\":%u,"
		"\"width\":1920,\"height\":1080}}},\"$metadata\":{\"$lastUpdated\":"
		"\"2026-11-21T23:49:30.1230000Z\",\"$lastUpdatedVersion\":%u},\"$version\":%u},"
		"\"reported\":{\"lastDesiredVersion\":%u,\"temperature\":%u.%u,\"agent\":\"1.0.%"
		"u\","
		"\"outbox\":{\"rows\":%u,\"bytes\":%u},\"modules\":{\"camera\":{\"status\":\"%s\","
		"\"frames\":%u,\"restarts\":%u},\"inspect\":{\"status\":\"running\",\"ok\":%u,"
		"\"ng\":%u}},\"$metadata\":{\"$lastUpdated\":\"2026-11-22T00:59:58.1230000Z\"},"
		"\"$version\":%u}},\"capabilities\":{\"iotEdge\":false}}",
		n, r % 90, r % 5 ? "Connected" : "Disconnected", r % 200, r % 12, r % 31,
		r % 50 ? "" : ",\"retired\":true", r % 4, 10 + r % 20, r % 9, 1 + r % 9,
		r % 40 ? 1 + r % 9 : r % 9, 20 + r % 60, r >> 8 & 7, r % 6, r % 1000, r % 65536,
		r % 100 ? "running" : "failed", r, r % 3, r >> 3, r >> 12, r % 77);
}

static int add_value(const char *path, const struct vd_query_value *value, void *argument)
{
	sqlite3_stmt *insert = argument;

	(void)sqlite3_bind_text(insert, 1, path, -1, SQLITE_STATIC);
	(void)sqlite3_bind_int(insert, 2, (int)value->type);
	if (value->type == VD_QUERY_STRING)
		(void)sqlite3_bind_text(insert, 3, value->string, -1, SQLITE_STATIC);
	else
		(void)sqlite3_bind_double(insert, 3,
					  value->type == VD_QUERY_NUMBER ? value->number
					  : value->type == VD_QUERY_BOOL ? value->boolean
									 : 0);
	if (sqlite3_step(insert) != SQLITE_DONE)
		die("twin_values");
	return sqlite3_reset(insert);
}

static size_t make_fleet(void)
{
	sqlite3_stmt *insert, *insert_value;
	size_t bytes = 0;
	char text[2048];

	run_sql("CREATE TABLE twins (id INTEGER PRIMARY KEY, doc TEXT NOT NULL);"
		"CREATE TABLE twin_values (path TEXT, type INTEGER, value, id INTEGER,"
		" PRIMARY KEY (path, type, value, id)) WITHOUT ROWID; BEGIN");
	insert = prepare("INSERT INTO twins VALUES (?1, ?2)");
	insert_value = prepare("INSERT INTO twin_values VALUES (?1, ?2, ?3, ?4)");
	twins = calloc((size_t)twin_count, sizeof *twins);
	for (long n = 0; twins && n < twin_count; n++) {
		int len = make_twin(n, text, sizeof text);

		(void)sqlite3_bind_int64(insert, 1, n);
		(void)sqlite3_bind_text(insert, 2, text, len, SQLITE_STATIC);
		(void)sqlite3_bind_int64(insert_value, 4, n);
		if (sqlite3_step(insert) != SQLITE_DONE || sqlite3_reset(insert) != SQLITE_OK ||
		    vd_json_parse(text, (size_t)len, &twins[n], NULL) < 0 ||
		    vd_values_each(twins[n], add_value, insert_value) != 0)
			die("a twin");
		bytes += (size_t)len;
	}
	(void)sqlite3_finalize(insert);
	(void)sqlite3_finalize(insert_value);
	run_sql("COMMIT");
	return bytes;
}

/* --- the ways: each parses its query, too, and counts what it finds --- */

static struct vd_query *parse(const char *text)
{
	struct vd_query *query = NULL;
	struct vd_fault fault = { 0 };

	if (vd_query_parse(text, strlen(text), &query, &fault) < 0)
		die(fault.text);
	return query;
}

static long in_memory(size_t i)
{
	VD_CLEANUP(vd_query_free) struct vd_query *query = parse(cases[i].query);
	long found = 0;

	for (long n = 0; n < twin_count; n++)
		found += vd_query_matches(query, twins[n]);
	return found;
}

static long match_rows(const struct vd_query *query, sqlite3_stmt *rows)
{
	VD_CLEANUP(vd_matcher_free) struct vd_matcher *matcher = NULL;
	long found = 0;

	if (vd_matcher_new(query, &matcher) < 0)
		die("matcher");
	while (sqlite3_step(rows) == SQLITE_ROW) {
		struct vd_query_part part = { "", (const char *)sqlite3_column_text(rows, 0),
					      (size_t)sqlite3_column_bytes(rows, 0) };
		bool matches;

		if (vd_matcher_ask(matcher, &part, 1, &matches) < 0)
			die(part.text);
		found += matches;
	}
	(void)sqlite3_finalize(rows);
	return found;
}

static long from_texts(size_t i)
{
	VD_CLEANUP(vd_query_free) struct vd_query *query = parse(cases[i].query);

	return match_rows(query, prepare("SELECT doc FROM twins"));
}

static long from_parsed_texts(size_t i)
{
	VD_CLEANUP(vd_query_free) struct vd_query *query = parse(cases[i].query);
	sqlite3_stmt *rows = prepare("SELECT doc FROM twins");
	long found = 0;

	while (sqlite3_step(rows) == SQLITE_ROW) {
		const char *text = (const char *)sqlite3_column_text(rows, 0);
		VD_CLEANUP(vd_json_free)
		cJSON *twin = cJSON_ParseWithLength(text, (size_t)sqlite3_column_bytes(rows, 0));

		found += vd_query_matches(query, twin);
	}
	(void)sqlite3_finalize(rows);
	return found;
}

static void bind(sqlite3_stmt *rows, int index, const struct vd_query_value *value)
{
	if (value->type == VD_QUERY_STRING)
		(void)sqlite3_bind_text(rows, index, value->string, -1, SQLITE_STATIC);
	else
		(void)sqlite3_bind_double(rows, index, value->number);
}

/* The first hint, as a store without statistics would take it. */
static sqlite3_stmt *ask_index(const struct vd_query_hint *hint)
{
	char sql[1024];
	int n = snprintf(sql, sizeof sql,
			 "SELECT doc FROM twins WHERE id IN (SELECT id FROM twin_values WHERE "
			 "path = ?1 AND type = ?2");
	bool has_low = hint->low.type != VD_QUERY_UNDEFINED;
	const struct vd_query_value *limit = has_low ? &hint->low : &hint->high;
	sqlite3_stmt *rows;

	if (hint->value_count) {
		for (size_t i = 0; i < hint->value_count; i++)
			n += snprintf(sql + n, sizeof sql - (size_t)n, "%s?%zu",
				      i ? "," : " AND value IN (", i + 3);
		(void)snprintf(sql + n, sizeof sql - (size_t)n, "))");
	} else {
		(void)snprintf(sql + n, sizeof sql - (size_t)n, " AND value %s ?3)",
			       has_low ? ">=" : "<=");
	}
	rows = prepare(sql);
	(void)sqlite3_bind_text(rows, 1, hint->path, -1, SQLITE_STATIC);
	(void)sqlite3_bind_int(rows, 2,
			       (int)(hint->value_count ? hint->values[0].type : limit->type));
	for (size_t i = 0; i < hint->value_count; i++)
		bind(rows, (int)i + 3, &hint->values[i]);
	if (!hint->value_count)
		bind(rows, 3, limit);
	return rows;
}

static long by_hints(size_t i)
{
	VD_CLEANUP(vd_query_free) struct vd_query *query = parse(cases[i].query);
	const struct vd_query_hint *hints;

	if (vd_query_hints(query, &hints) == 0)
		return -1;
	return match_rows(query, ask_index(&hints[0]));
}

static long by_sqlite(size_t i)
{
	char sql[1024];
	sqlite3_stmt *rows;
	long found = 0;

	(void)snprintf(sql, sizeof sql, "SELECT doc FROM twins WHERE %s", cases[i].sql);
	rows = prepare(sql);
	while (sqlite3_step(rows) == SQLITE_ROW)
		found++;
	(void)sqlite3_finalize(rows);
	return found;
}

/* --- measuring --- */

static const struct {
	const char *name;
	long (*run)(size_t i);
} ways[] = { { "SQLite json_extract", by_sqlite },
	     { "documents in memory", in_memory },
	     { "texts, parsed", from_parsed_texts },
	     { "texts, as they are", from_texts },
	     { "index by hints", by_hints } };

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void measure(size_t i)
{
	double times[VD_COUNT(ways)][ROUNDS];
	long found[VD_COUNT(ways)] = { 0 };

	for (int round = 0; round < ROUNDS; round++) {
		for (size_t way = 0; way < VD_COUNT(ways); way++) {
			double start = now_us();

			found[way] = ways[way].run(i);
			times[way][round] = now_us() - start;
		}
	}
	(void)printf("%s\n", cases[i].query);
	for (size_t way = 0; way < VD_COUNT(ways); way++) {
		qsort(times[way], ROUNDS, sizeof(double), compare_doubles);
		if (found[way] < 0) {
			(void)printf("  %-20s no hint\n", ways[way].name);
			continue;
		}
		(void)printf("  %-20s %10.2f ms %12.0f twins/s  %7.2f : 1   %ld found%s\n",
			     ways[way].name, times[way][ROUNDS / 2] / 1e3,
			     (double)twin_count / times[way][ROUNDS / 2] * 1e6,
			     times[0][ROUNDS / 2] / times[way][ROUNDS / 2], found[way],
			     found[way] == found[0] ? "" : ", NOT THE SAME");
	}
}

static void measure_parsing(void)
{
	double start = now_us();
	enum { TIMES = 20000 };

	for (int n = 0; n < TIMES; n++)
		vd_query_free(parse(cases[4].query));
	(void)printf("parsing a query of %zu bytes: %.2f us\n", strlen(cases[4].query),
		     (now_us() - start) / TIMES);
}

int main(int argc, char **argv)
{
	double start = now_us();
	size_t bytes;

	if (argc > 1)
		twin_count = strtol(argv[1], NULL, 10);
	if (twin_count < 1 || sqlite3_open(":memory:", &database) != SQLITE_OK)
		die("usage: bench_query [TWINS]");
	bytes = make_fleet();
	(void)printf("%ld twins of %zu bytes made in %.1f s, SQLite %s in memory\n", twin_count,
		     bytes / (size_t)twin_count, (now_us() - start) / 1e6, sqlite3_libversion());
	measure_parsing();
	for (size_t i = 0; i < VD_COUNT(cases); i++)
		measure(i);
	for (long n = 0; n < twin_count; n++)
		cJSON_Delete(twins[n]);
	free(twins);
	(void)sqlite3_close(database);
	return 0;
}
