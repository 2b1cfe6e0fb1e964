/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The outbox beside the physical limit, in one run on one disk: the same records, packed the same
 * way, written into a recycled segment file (zeroed, CRC, fdatasync a batch). Each round gives both
 * a turn; medians of the rounds. Then a backlog: its memory, its drain, its bytes on the wire,
 * and what a record costs the disk over its life.
 *
 * The last figure counts the whole disk, whoever writes to it. Alone on the disk it is 330 bytes a
 * row at batches of 100, 1.3 times the body: of these SQLite writes 241 (strace: 125 into the log
 * when the row is appended, three frames a batch of 3.3 kB: its leaf, the page above, the first
 * page; 28 and 44 when both are carried into the file; 44 for the deletion), the rest is the
 * rounding of frames of 4120 bytes to pages and the file system's journal. Less takes a store
 * without page above and first page, so none that sqlite3 can be asked about on the device.
 *
 * usage: bench_outbox [FOLDER]    (default: the current one; not a tmpfs)
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "agent/store/batch.h"
#include "agent/store/envelope.h"
#include "agent/store/outbox.h"
#include "base/clock.h"
#include "base/log.h"

enum { ROUNDS = 5, ROUND_US = 400000, SEGMENT = 16 << 20, BACKLOG = 100000, BODY = 256 };

struct bench {
	struct vd_loop *loop;
	struct vd_store *store;
	unsigned wanted, stored, next;
};

static double now_us(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static _Noreturn void die(const char *what)
{
	(void)fprintf(stderr, "%s: %s\n", what, strerrordesc_np(errno));
	_exit(1);
}

/* A reading as a poller sends it, padded to 256 bytes; noisy in its numbers only. */
static size_t make_body(unsigned n, char body[static 512])
{
	unsigned r = n * 2654435761U;
	int len = snprintf(
		body, 512,
		"{\"tag\":\"line3.press%u.temperature\",\"value\":%u.%03u,\"unit\":\"degC\","
		"\"quality\":\"good\",\"ageMs\":%u,\"min\":%u.%u,\"max\":%u.%u,\"mean\":%u.%u,"
		"\"count\":%u,\"device\":\"bus-1/unit-%u\",\"register\":%u",
		n % 16, 20 + r % 60, r >> 8 & 511, r % 97, 20 + r % 13, r >> 20, 60 + r % 17,
		r >> 22, 40 + r % 19, r >> 21, 10 + r % 5, n % 4, 40000 + n % 125);

	while (len < BODY - 1)
		body[len++] = ' ';
	body[len++] = '}';
	return (size_t)len;
}

static struct vd_record make_record(unsigned n, enum vd_class class, char body[static 512])
{
	return (struct vd_record){ .class = class,
				   .module = "bus-1",
				   .output = "reading",
				   .module_version = "1.0.0",
				   .desired_version = 7,
				   .body = body,
				   .body_len = make_body(n, body) };
}

/* --- the outbox --- */

static void on_stored(void *argument, uint64_t token, uint64_t seq)
{
	struct bench *b = argument;

	(void)token;
	(void)seq;
	if (++b->stored == b->wanted)
		vd_loop_stop(b->loop, 0);
}

static void append(struct bench *b, unsigned count, enum vd_class class)
{
	char body[512];

	b->stored = 0;
	b->wanted = count;
	for (unsigned i = 0; i < count; i++) {
		struct vd_record record = make_record(b->next++, class, body);

		if (vd_outbox_put(b->store, &record, 0, NULL) < 0)
			die("put");
	}
	if (vd_loop_run(b->loop) < 0)
		die("loop");
}

static uint64_t drain(struct bench *b, uint64_t *bytes)
{
	struct vd_outbox_batch batch;
	struct vd_store_stats stats;
	uint64_t records = 0;

	for (;;) {
		if (vd_outbox_next(b->store, &batch) == 1) {
			records += batch.count;
			*bytes += batch.len + strlen(batch.bag) + 40;
			if (vd_outbox_delivered(b->store, batch.id) < 0)
				die("delivered");
			continue;
		}
		vd_store_stats(b->store, &stats);
		if (stats.classes[VD_VERDICT].records + stats.classes[VD_TELEMETRY].records == 0)
			return records;
		(void)usleep(100);
	}
}

static double outbox_rate(struct bench *b, unsigned batch)
{
	double began = now_us();
	uint64_t rows = 0, bytes = 0;

	while (now_us() - began < ROUND_US) {
		append(b, batch, VD_VERDICT);
		rows += batch;
	}
	began = now_us() - began;
	(void)drain(b, &bytes);
	return (double)rows / began * 1e6;
}

/* --- the limit --- */

struct segment {
	int fd;
	off_t at;
	unsigned next;
	uint64_t seq;
	struct vd_packer *packer;
	struct vd_buf head, raw, packed;
};

static void segment_open(struct segment *s, const char *path)
{
	static const char zeros[1 << 16];

	*s = (struct segment){ .packer = vd_packer_new(), .seq = 1 };
	s->fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (s->fd < 0 || !s->packer || vd_envelope_head("d1", "boot", &s->head) < 0)
		die(path);
	for (off_t at = 0; at < SEGMENT; at += (off_t)sizeof zeros)
		if (pwrite(s->fd, zeros, sizeof zeros, at) != sizeof zeros)
			die(path);
	if (fsync(s->fd) < 0)
		die(path);
}

static void segment_append(struct segment *s, unsigned count)
{
	char body[512];
	uint32_t frame[2];

	vd_buf_clear(&s->raw);
	for (unsigned i = 0; i < count; i++) {
		struct vd_record record = make_record(s->next++, VD_VERDICT, body);
		struct vd_moment now = { vd_clock_mono_ms(), vd_clock_wall_ms(),
					 vd_time_quality() };

		if (vd_buf_append(&s->raw, i ? "," : "[", 1) < 0 ||
		    vd_buf_append(&s->raw, s->head.data, s->head.len) < 0 ||
		    vd_buf_printf(&s->raw, "%llu", (unsigned long long)s->seq++) < 0 ||
		    vd_envelope_tail(&record, &now, &s->raw) < 0)
			die("segment");
	}
	if (vd_buf_append(&s->raw, "]", 1) < 0 ||
	    vd_batch_pack(s->packer, s->raw.data, s->raw.len, &s->packed) < 0)
		die("segment");
	frame[0] = (uint32_t)s->packed.len;
	frame[1] = vd_crc32c(0, s->packed.data, s->packed.len);
	if (s->at + (off_t)(sizeof frame + s->packed.len) > SEGMENT)
		s->at = 0;
	if (pwrite(s->fd, frame, sizeof frame, s->at) < 0 ||
	    pwrite(s->fd, s->packed.data, s->packed.len, s->at + (off_t)sizeof frame) < 0 ||
	    fdatasync(s->fd) < 0)
		die("segment");
	s->at += (off_t)(sizeof frame + s->packed.len);
}

static double segment_rate(struct segment *s, unsigned batch)
{
	double began = now_us();
	uint64_t rows = 0;

	while (now_us() - began < ROUND_US) {
		segment_append(s, batch);
		rows += batch;
	}
	return (double)rows / (now_us() - began) * 1e6;
}

static void segment_close(struct segment *s)
{
	(void)close(s->fd);
	s->packer = vd_packer_free(s->packer);
	vd_buf_fini(&s->head);
	vd_buf_fini(&s->raw);
	vd_buf_fini(&s->packed);
}

/* --- the tables --- */

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *values)
{
	qsort(values, ROUNDS, sizeof *values, compare);
	return values[ROUNDS / 2];
}

static void bench_append(struct bench *b, struct segment *s)
{
	static const struct {
		unsigned batch;
		double reach;
	} rows[] = { { 1, 0.60 }, { 10, 0.70 }, { 100, 0.70 }, { 255, 0.70 } };

	(void)printf("durable append, rows/s        batch     limit    outbox   ratio   reach\n");
	for (size_t i = 0; i < VD_COUNT(rows); i++) {
		double limit[ROUNDS], outbox[ROUNDS], ratio[ROUNDS];

		for (int round = 0; round < ROUNDS; round++) {
			limit[round] = segment_rate(s, rows[i].batch);
			outbox[round] = outbox_rate(b, rows[i].batch);
			ratio[round] = outbox[round] / limit[round];
		}
		(void)printf("%35u %9.0f %9.0f   %5.2f   %5.2f\n", rows[i].batch, median(limit),
			     median(outbox), median(ratio), rows[i].reach);
	}
}

/* What the folder's disk wrote, by anybody: /proc/self/io counts whole folios, not bytes. */
static uint64_t disk_written(const char *folder)
{
	unsigned long long sectors = 0;
	char path[64];
	struct stat st;
	FILE *f;

	if (stat(folder, &st) < 0)
		return 0;
	(void)snprintf(path, sizeof path, "/sys/dev/block/%u:%u/stat", major(st.st_dev),
		       minor(st.st_dev));
	f = fopen(path, "re");
	if (f && fscanf(f, "%*u %*u %*u %*u %*u %*u %llu", &sectors) != 1)
		sectors = 0;
	if (f)
		(void)fclose(f);
	return sectors * 512;
}

static uint64_t read_figure(const char *path, const char *key)
{
	char line[256];
	unsigned long long value = 0;
	FILE *f = fopen(path, "re");

	while (f && fgets(line, sizeof line, f))
		if (strncmp(line, key, strlen(key)) == 0)
			value = strtoull(line + strlen(key), NULL, 10);
	if (f)
		(void)fclose(f);
	return value;
}

static void bench_backlog(struct bench *b, const char *folder)
{
	uint64_t before_kb = read_figure("/proc/self/smaps_rollup", "Private_Dirty:");
	uint64_t written = disk_written(folder), bytes = 0, records;
	double began = now_us(), took;
	uint64_t after_kb;

	for (int i = 0; i < BACKLOG / 100; i++)
		append(b, 100, VD_VERDICT);
	took = now_us() - began;
	after_kb = read_figure("/proc/self/smaps_rollup", "Private_Dirty:");
	(void)printf("\nbacklog of %d rows, batches of 100: accepted %.0f rows/s, memory +%lld kB "
		     "(reach 1024)\n",
		     BACKLOG, BACKLOG / took * 1e6, (long long)(after_kb - before_kb));
	began = now_us();
	records = drain(b, &bytes);
	took = now_us() - began;
	written = disk_written(folder) - written;
	(void)printf("drained %llu rows at %.0f rows/s (mosquitto's bridge: 35,200; reach 20 "
		     "times: 704,000)\n",
		     (unsigned long long)records, (double)records / took * 1e6);
	(void)printf("wire: %.1f bytes a row, %.2f of the body (reach 0.15)\n",
		     (double)bytes / (double)records, (double)bytes / (double)records / BODY);
	(void)printf("disk: %.0f bytes written a row over its life, %.2f of the body (reach 1.0, "
		     "stretch 0.5)\n",
		     (double)written / (double)records, (double)written / (double)records / BODY);
}

int main(int argc, char **argv)
{
	static const struct vd_store_handlers handlers = { .on_stored = on_stored };
	char folder[256], path[300];
	struct bench b = { 0 };
	struct segment s;
	struct vd_store_config config = { .folder = folder, .device_id = "d1", .boot_id = "boot" };

	(void)snprintf(folder, sizeof folder, "%s/bench-outbox-XXXXXX", argc > 1 ? argv[1] : ".");
	if (!mkdtemp(folder) || vd_loop_new(&b.loop) < 0 ||
	    vd_store_open(b.loop, &config, &handlers, &b, &b.store, NULL) < 0)
		die(folder);
	vd_log_set_level(VD_WARN);
	(void)snprintf(path, sizeof path, "%s/segment", folder);
	segment_open(&s, path);
	bench_append(&b, &s);
	segment_close(&s);
	bench_backlog(&b, folder);
	b.store = vd_store_close(b.store);
	b.loop = vd_loop_free(b.loop);
	for (int i = 0; i < 3; i++) {
		static const char *const files[] = { "segment", "outbox.db", "images" };

		(void)snprintf(path, sizeof path, "%s/%s", folder, files[i]);
		if (unlink(path) < 0)
			(void)rmdir(path);
	}
	(void)rmdir(folder);
	return 0;
}
