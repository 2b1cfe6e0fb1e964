/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/store/batch.h"
#include "base/digest.h"

enum { PATIENCE_MS = 10000, TICK_MS = 2 };

static void on_stored(void *argument, uint64_t token, uint64_t seq)
{
	struct bench *b = argument;

	b->stored++;
	b->last_seq = seq;
	if (token < VD_COUNT(b->seq_of))
		b->seq_of[token] = seq;
}

static void on_refused(void *argument, uint64_t token, const struct vd_fault *fault)
{
	struct bench *b = argument;

	(void)token;
	b->refused++;
	(void)snprintf(b->refusal, sizeof b->refusal, "%.100s %.150s", fault->pointer, fault->text);
}

static void on_ready(void *argument)
{
	((struct bench *)argument)->is_ready = true;
}

static void on_document_stored(void *argument, uint64_t token, const struct vd_fault *fault)
{
	(void)token;
	assert_null(fault);
	((struct bench *)argument)->documents++;
}

static void on_state(void *argument, const char *degraded)
{
	struct bench *b = argument;

	b->states++;
	(void)snprintf(b->degraded, sizeof b->degraded, "%s", degraded ? degraded : "");
}

struct bench *bench_new(void)
{
	struct bench *b = calloc(1, sizeof *b);

	assert_non_null(b);
	assert_int_equal(vd_loop_new(&b->loop), 0);
	(void)snprintf(b->folder, sizeof b->folder, "/tmp/store-test-XXXXXX");
	assert_non_null(mkdtemp(b->folder));
	b->config = (struct vd_store_config){ .folder = b->folder,
					      .device_id = "d\"1",
					      .boot_id = vd_uuid(b->boot_id) };
	return b;
}

static void remove_folder(const char *path)
{
	DIR *folder = opendir(path);
	struct dirent *entry;

	while (folder && (entry = readdir(folder))) {
		char child[512];

		(void)snprintf(child, sizeof child, "%s/%s", path, entry->d_name);
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (unlink(child) < 0)
			remove_folder(child);
	}
	if (folder)
		(void)closedir(folder);
	(void)rmdir(path);
}

void bench_free(struct bench *b)
{
	b->store = vd_store_close(b->store);
	b->loop = vd_loop_free(b->loop);
	remove_folder(b->folder);
	free(b);
}

void bench_open(struct bench *b)
{
	static const struct vd_store_handlers handlers = {
		.on_stored = on_stored,
		.on_refused = on_refused,
		.on_ready = on_ready,
		.on_document_stored = on_document_stored,
		.on_state = on_state,
	};
	struct vd_fault fault = { 0 };
	int r = vd_store_open(b->loop, &b->config, &handlers, b, &b->store, &fault);

	if (r < 0)
		fail_msg("open: %s", fault.text);
}

void bench_reopen(struct bench *b)
{
	b->store = vd_store_close(b->store);
	b->config.boot_id = vd_uuid(b->boot_id);
	bench_open(b);
}

struct running {
	struct bench *bench;
	bool (*done)(const struct bench *bench);
	struct vd_source *timer;
	unsigned ticks;
};

static void on_tick(void *argument)
{
	struct running *running = argument;

	running->bench->has_timed_out = ++running->ticks > PATIENCE_MS / TICK_MS;
	if (running->done(running->bench) || running->bench->has_timed_out)
		vd_loop_stop(running->bench->loop, 0);
	else
		assert_int_equal(vd_timer_arm(running->timer, TICK_MS), 0);
}

void bench_run(struct bench *b, bool (*done)(const struct bench *bench))
{
	struct running running = { .bench = b, .done = done };

	if (done(b))
		return;
	assert_int_equal(vd_loop_timer(b->loop, on_tick, &running, &running.timer), 0);
	assert_int_equal(vd_timer_arm(running.timer, TICK_MS), 0);
	assert_int_equal(vd_loop_run(b->loop), 0);
	running.timer = vd_source_free(running.timer);
	if (b->has_timed_out)
		fail_msg("nothing happened for %d ms", PATIENCE_MS);
}

static bool is_answered(const struct bench *b)
{
	return b->stored + b->refused == b->put;
}

void bench_wait_answers(struct bench *b)
{
	bench_run(b, is_answered);
}

int bench_put(struct bench *b, enum vd_class class, unsigned n, size_t bytes)
{
	char body[4096], pad[4000];
	uint32_t random = n * 2654435761U + 1;
	struct vd_record record = { .class = class,
				    .module = "station-3",
				    .output = "out",
				    .module_version = "1.2.0",
				    .desired_version = 7,
				    .body = body };
	size_t count = bytes > 3900 ? 3900 : bytes;
	int r;

	for (size_t i = 0; i < count; i++) {
		random = random * 1664525 + 1013904223;
		pad[i] = (char)('a' + (random >> 24) % 26);
	}
	pad[count] = '\0';
	record.body_len =
		(size_t)snprintf(body, sizeof body, "{\"n\":%u,\"pad\":\"%.3900s\"}", n, pad);
	r = vd_outbox_put(b->store, &record, n, NULL);
	if (r == 0)
		b->put++;
	else
		b->refused_at_once++;
	return r;
}

static void receive_tombstone(struct bench *b, uint64_t seq, const cJSON *body)
{
	assert_true(seq < VD_COUNT(b->tombstone_seen));
	if (!b->tombstone_seen[seq]++)
		b->tombstoned += (uint64_t)vd_json_int(body, "count", 0);
}

static void receive_record(struct bench *b, const struct vd_outbox_batch *batch,
			   const cJSON *record)
{
	const cJSON *body = vd_json_object(record, "body");
	uint64_t seq = (uint64_t)vd_json_int(record, "seq", 0);
	size_t n = (size_t)vd_json_int(body, "n", 0);

	assert_string_equal(vd_json_string(record, "deviceId", ""), "d\"1");
	assert_string_equal(vd_json_string(record, "class", ""), vd_class_name(batch->class));
	assert_in_range(seq, batch->first_seq, batch->last_seq);
	if (strcmp(vd_json_string(record, "output", ""), "tombstone") == 0) {
		receive_tombstone(b, seq, body);
		return;
	}
	assert_true(n < VD_COUNT(b->seen));
	if (b->seen[n]++) {
		b->duplicates++;
		return;
	}
	b->received++;
	if (seq < b->last_seen[batch->class])
		b->is_out_of_order = true;
	b->last_seen[batch->class] = seq;
}

void bench_receive(struct bench *b, const struct vd_outbox_batch *batch)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf text = { 0 };
	VD_CLEANUP(vd_packer_free) struct vd_packer *packer = vd_packer_new();
	VD_CLEANUP(vd_json_free) cJSON *array = NULL;
	const cJSON *record;
	uint32_t count = 0;

	if (b->config.send_plain)
		assert_int_equal(vd_buf_append(&text, batch->payload, batch->len), 0);
	else
		assert_int_equal(vd_batch_unpack(packer, batch->payload, batch->len, &text), 0);
	assert_int_equal(vd_json_parse(text.data, text.len, &array, NULL), 0);
	cJSON_ArrayForEach(record, array)
	{
		receive_record(b, batch, record);
		count++;
	}
	assert_int_equal(count, batch->count);
	b->batches++;
}

size_t bench_drain(struct bench *b, size_t max)
{
	struct vd_outbox_batch batch;
	size_t count = 0;

	while (count < max && vd_outbox_next(b->store, &batch) == 1) {
		bench_receive(b, &batch);
		assert_int_equal(vd_outbox_delivered(b->store, batch.id), 0);
		count++;
	}
	return count;
}

static bool drain_and_look(const struct bench *b)
{
	struct vd_store_stats stats;
	uint64_t left = 0;

	(void)bench_drain((struct bench *)(uintptr_t)b, SIZE_MAX);
	vd_store_stats(b->store, &stats);
	for (int i = 0; i < VD_CLASSES; i++)
		left += stats.classes[i].records;
	return left + stats.tombstones_pending + stats.queued_records == 0;
}

void bench_drain_all(struct bench *b)
{
	bench_run(b, drain_and_look);
}
