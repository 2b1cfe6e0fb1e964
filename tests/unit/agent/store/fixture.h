/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "vd_test.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/store/outbox.h"
#include "agent/store/store.h"
#include "base/buf.h"
#include "base/json.h"

/*
 * A store in a folder of its own, and a hub that remembers what it was given. Records are put
 * with numbers of the test's own, which stand in their bodies: {"n":17}.
 */
struct bench {
	struct vd_loop *loop;
	struct vd_source *timer;
	struct vd_store *store;
	struct vd_store_config config;
	char folder[64], boot_id[64];
	uint64_t put, stored, refused, refused_at_once, documents;
	uint64_t last_seq, seq_of[1 << 16]; /* by token */
	char refusal[256], degraded[256];
	bool is_ready, has_timed_out;
	unsigned states;
	/* What the hub has: by n, how often; by seq, how often. */
	unsigned char seen[1 << 16], tombstone_seen[1 << 16];
	uint64_t received, duplicates, tombstoned;
	uint64_t last_seen[VD_CLASSES]; /* seq */
	bool is_out_of_order;
	uint64_t batches;
};

struct bench *bench_new(void); /* the store is not open yet */
void bench_free(struct bench *bench);
void bench_open(struct bench *bench); /* with bench->config */
void bench_reopen(struct bench *bench);
/* Runs the loop until done(bench) or ten seconds have passed. */
void bench_run(struct bench *bench, bool (*done)(const struct bench *bench));
void bench_wait_answers(struct bench *bench); /* to all that was put */
/* Puts {"n":n,…} padded to about bytes; returns what vd_outbox_put did. */
int bench_put(struct bench *bench, enum vd_class class, unsigned n, size_t bytes);
/* Takes up to max batches and acknowledges them; returns how many there were. */
size_t bench_drain(struct bench *bench, size_t max);
void bench_drain_all(struct bench *bench); /* until nothing is left on disk */
void bench_receive(struct bench *bench, const struct vd_outbox_batch *batch);
