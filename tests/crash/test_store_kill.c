/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A process writes and sends records and is killed with SIGKILL at thirty random moments. What it
 * said was stored must be there, once by its id, and the verdicts in order. Answers and
 * deliveries go through a pipe: what was written into it survives the writer. Each process
 * first puts again what the one before it was not told of: a record that was committed, but not
 * answered, keeps its number, so that no n ever has two.
 */
#include "vd_test.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/store/batch.h"
#include "agent/store/outbox.h"
#include "base/digest.h"
#include "base/json.h"

enum {
	ROUNDS = 30,
	ROUND_RECORDS = 2000,
	RECORDS = ROUNDS * ROUND_RECORDS,
	TICK_MS = 1,
	UNANSWERED = 60
};

enum note_type { NOTE_STORED, NOTE_AT_HUB, NOTE_PUT_AGAIN };
struct note {
	enum note_type type;
	unsigned n;
	uint64_t seq;
};

struct ledger {
	bool is_stored[RECORDS], is_verdict[RECORDS];
	uint64_t seq[RECORDS];
	unsigned char at_hub[RECORDS];
	uint64_t last_verdict_seq;
	unsigned sent;
	unsigned stored, duplicates, disordered, put_again;
};

/* --- the process that is killed --- */

struct child {
	struct vd_loop *loop;
	struct vd_store *store;
	struct vd_source *timer;
	int pipe;
	unsigned next, end, sent;
};

static void tell(const struct child *c, enum note_type type, unsigned n, uint64_t seq)
{
	struct note note = { type, n, seq };

	if (write(c->pipe, &note, sizeof note) != sizeof note)
		_exit(1);
}

static void on_stored(void *argument, uint64_t token, uint64_t seq)
{
	tell(argument, NOTE_STORED, (unsigned)token, seq);
}

static void put(struct child *c, unsigned n)
{
	char body[64], key[32];
	struct vd_record record = { .class = n % 3 ? VD_VERDICT : VD_TELEMETRY,
				    .module = "m",
				    .output = "o",
				    .desired_version = -1,
				    .body = body,
				    .key = key };

	(void)snprintf(key, sizeof key, "part-%u", n);
	record.body_len = (size_t)snprintf(body, sizeof body, "{\"n\":%u}", n);
	if (vd_outbox_put(c->store, &record, n, NULL) < 0)
		_exit(2);
}

typedef void (*record_fn)(void *argument, unsigned n, uint64_t seq, enum vd_class class);

static void each_record(const struct vd_outbox_batch *batch, record_fn fn, void *argument)
{
	VD_CLEANUP(vd_packer_free) struct vd_packer *packer = vd_packer_new();
	VD_CLEANUP(vd_buf_fini) struct vd_buf text = { 0 };
	VD_CLEANUP(vd_json_free) cJSON *array = NULL;
	const cJSON *record;

	if (vd_batch_unpack(packer, batch->payload, batch->len, &text) < 0 ||
	    vd_json_parse(text.data, text.len, &array, NULL) < 0)
		_exit(3);
	cJSON_ArrayForEach(record, array)
		fn(argument, (unsigned)vd_json_int(vd_json_object(record, "body"), "n", RECORDS),
		   (uint64_t)vd_json_int(record, "seq", 0), batch->class);
}

static void tell_at_hub(void *argument, unsigned n, uint64_t seq, enum vd_class class)
{
	(void)class;
	tell(argument, NOTE_AT_HUB, n, seq);
}

static void send_one(struct child *c)
{
	struct vd_outbox_batch batch;

	if (vd_outbox_next(c->store, &batch) != 1)
		return;
	each_record(&batch, tell_at_hub, c);
	if (vd_outbox_delivered(c->store, batch.id) < 0)
		_exit(4);
}

static void on_tick(void *argument)
{
	struct child *c = argument;

	for (int i = 0; i < 9 && c->next < c->end; i++)
		put(c, c->next++);
	if (++c->sent % 4 == 0)
		send_one(c);
	if (vd_timer_arm(c->timer, TICK_MS) < 0)
		_exit(5);
}

/* The ledger is as it was when this process was forked. */
static void put_unanswered(struct child *c, const struct ledger *l, unsigned round)
{
	unsigned first = round ? (round - 1) * ROUND_RECORDS : 0, last = first;

	for (unsigned n = first; n < c->next; n++)
		last = l->is_stored[n] || l->at_hub[n] ? n : last;
	for (unsigned n = first; n < c->next && n < last + UNANSWERED; n++) {
		if (l->is_stored[n])
			continue;
		put(c, n);
		tell(c, NOTE_PUT_AGAIN, n, 0);
	}
}

static void run_child(const char *folder, const struct ledger *l, unsigned round, int pipe)
{
	static const struct vd_store_handlers handlers = { .on_stored = on_stored };
	struct child c = { .pipe = pipe,
			   .next = round * ROUND_RECORDS,
			   .end = (round + 1) * ROUND_RECORDS };
	char boot_id[VD_UUID_TEXT];
	struct vd_store_config config = { .folder = folder,
					  .device_id = "d1",
					  .boot_id = vd_uuid(boot_id) };

	if (vd_loop_new(&c.loop) < 0 ||
	    vd_store_open(c.loop, &config, &handlers, &c, &c.store, NULL) < 0 ||
	    vd_loop_timer(c.loop, on_tick, &c, &c.timer) < 0 || vd_timer_arm(c.timer, 0) < 0)
		_exit(6);
	put_unanswered(&c, l, round);
	_exit(vd_loop_run(c.loop));
}

/* --- the one that kills --- */

static void mark_at_hub(void *argument, unsigned n, uint64_t seq, enum vd_class class)
{
	struct ledger *l = argument;

	assert_true(n < RECORDS);
	l->is_verdict[n] = class == VD_VERDICT;
	if (l->at_hub[n]) {
		assert_int_equal(l->seq[n], seq); /* the same id: the hub drops it */
		l->duplicates++;
		return;
	}
	if (l->is_stored[n])
		assert_int_equal(l->seq[n], seq);
	l->seq[n] = seq;
	l->at_hub[n] = 1;
	if (l->is_verdict[n] && seq < l->last_verdict_seq)
		l->disordered++;
	if (l->is_verdict[n])
		l->last_verdict_seq = seq;
}

static void take_note(struct ledger *l, const struct note *note)
{
	assert_true(note->n < RECORDS);
	if (note->type == NOTE_AT_HUB) {
		l->sent++;
		mark_at_hub(l, note->n, note->seq, note->n % 3 ? VD_VERDICT : VD_TELEMETRY);
		return;
	}
	if (note->type == NOTE_PUT_AGAIN) {
		l->put_again++;
		return;
	}
	assert_false(l->is_stored[note->n]);
	l->is_stored[note->n] = true;
	if (l->at_hub[note->n])
		assert_int_equal(l->seq[note->n], note->seq);
	l->seq[note->n] = note->seq;
	l->stored++;
}

static void read_notes(struct ledger *l, int pipe, int for_ms)
{
	struct pollfd ready = { .fd = pipe, .events = POLLIN };
	struct note note;

	while (poll(&ready, 1, for_ms) > 0 && read(pipe, &note, sizeof note) == sizeof note)
		take_note(l, &note);
}

static void one_round(const char *folder, unsigned round, struct ledger *l)
{
	int ends[2], status = 0;
	pid_t pid;

	assert_int_equal(pipe(ends), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)close(ends[0]);
		run_child(folder, l, round, ends[1]);
	}
	assert_int_equal(close(ends[1]), 0);
	for (int ms = rand() % 150 + 20; ms > 0; ms -= 5) {
		read_notes(l, ends[0], 0);
		(void)usleep((useconds_t)(5000 + rand() % 500));
	}
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	read_notes(l, ends[0], 0);
	assert_int_equal(close(ends[0]), 0);
}

static void drain(const char *folder, struct ledger *l)
{
	static const struct vd_store_handlers none = { 0 };
	struct vd_loop *loop = NULL;
	struct vd_store *store = NULL;
	struct vd_outbox_batch batch;
	struct vd_store_stats stats;
	struct vd_store_config config = { .folder = folder, .device_id = "d1", .boot_id = "last" };
	int idle = 0;

	assert_int_equal(vd_loop_new(&loop), 0);
	assert_int_equal(vd_store_open(loop, &config, &none, NULL, &store, NULL), 0);
	vd_store_stats(store, &stats);
	assert_string_equal(stats.notice, "");
	while (idle < 300) {
		if (vd_outbox_next(store, &batch) != 1) {
			idle++;
			(void)usleep(1000);
			continue;
		}
		idle = 0;
		each_record(&batch, mark_at_hub, l);
		assert_int_equal(vd_outbox_delivered(store, batch.id), 0);
	}
	vd_store_stats(store, &stats);
	assert_int_equal(stats.classes[VD_VERDICT].records + stats.classes[VD_TELEMETRY].records,
			 0);
	store = vd_store_close(store);
	loop = vd_loop_free(loop);
}

static void remove_folder(const char *path)
{
	DIR *folder = opendir(path);
	struct dirent *entry;

	while (folder && (entry = readdir(folder))) {
		char child[512];

		(void)snprintf(child, sizeof child, "%s/%s", path, entry->d_name);
		if (entry->d_name[0] != '.' && unlink(child) < 0)
			(void)rmdir(child);
	}
	if (folder)
		(void)closedir(folder);
	(void)rmdir(path);
}

static void every_stored_record_is_there_once_and_in_order(void **state)
{
	char folder[] = "/tmp/kill-test-XXXXXX";
	struct ledger *l = calloc(1, sizeof *l);
	unsigned lost = 0;

	(void)state;
	assert_non_null(l);
	assert_non_null(mkdtemp(folder));
	srand(20261122);
	for (unsigned round = 0; round < ROUNDS; round++)
		one_round(folder, round, l);
	drain(folder, l);
	for (unsigned n = 0; n < RECORDS; n++)
		lost += l->is_stored[n] && !l->at_hub[n];
	print_message("%u stored, %u sent before a kill, %u lost, %u sent twice with the same id, "
		      "%u out of order, %u put again\n",
		      l->stored, l->sent, lost, l->duplicates, l->disordered, l->put_again);
	assert_true(l->put_again > 0);
	assert_true(l->stored > 500);
	assert_int_equal(lost, 0);
	assert_int_equal(l->disordered, 0);
	remove_folder(folder);
	free(l);
}

VD_TEST_MAIN(cmocka_unit_test(every_stored_record_is_there_once_and_in_order), )
