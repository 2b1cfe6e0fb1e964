/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/ipc/channel.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vd_test.h"

enum { GUARD_MS = 20000 };

/* One channel, and the other end by hand. */
struct wire {
	struct vd_loop *loop;
	struct vd_channel *channel;
	struct vd_source *guard, *turn;
	int peer;
	int received, stop_after, free_after;
	int64_t last;
	int closed, drained;
	enum vd_channel_end end;
};

static void on_packet(struct vd_packet *packet, void *argument)
{
	struct wire *w = argument;

	w->last = vd_json_int(packet->json, "n", -1);
	if (++w->received == w->free_after)
		w->channel = vd_channel_free(w->channel);
	if (w->received == w->stop_after)
		vd_loop_stop(w->loop, 0);
}

static void on_closed(enum vd_channel_end end, const struct vd_fault *fault, void *argument)
{
	struct wire *w = argument;

	w->closed++;
	w->end = end;
	if (end == VD_CHANNEL_MALFORMED)
		assert_int_equal(fault->code, 400);
	w->channel = vd_channel_free(w->channel);
	vd_loop_stop(w->loop, 0);
}

static void on_drained(void *argument)
{
	struct wire *w = argument;

	w->drained++;
	vd_loop_stop(w->loop, 0);
}

static void on_guard(void *argument)
{
	vd_loop_stop(((struct wire *)argument)->loop, 1);
}

static int set_up(void **state)
{
	static const struct vd_channel_handlers handlers = { .on_packet = on_packet,
							     .on_closed = on_closed,
							     .on_drained = on_drained };
	struct wire *w = calloc(1, sizeof *w);
	int fds[2];

	assert_non_null(w);
	assert_int_equal(vd_packet_pair(0, fds), 0);
	w->peer = fds[1];
	assert_int_equal(vd_loop_new(&w->loop), 0);
	assert_int_equal(vd_loop_timer(w->loop, on_guard, w, &w->guard), 0);
	assert_int_equal(vd_timer_arm(w->guard, GUARD_MS), 0);
	assert_int_equal(vd_channel_new(w->loop, &fds[0], 100, &handlers, w, &w->channel), 0);
	assert_int_equal(fds[0], -1);
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct wire *w = *state;

	w->channel = vd_channel_free(w->channel);
	w->guard = vd_source_free(w->guard);
	w->turn = vd_source_free(w->turn);
	w->loop = vd_loop_free(w->loop);
	vd_close(&w->peer);
	free(w);
	return 0;
}

static cJSON *numbered(int n, size_t padding)
{
	cJSON *json = cJSON_CreateObject();
	char *pad = calloc(1, padding + 1);

	assert_true(json && pad);
	memset(pad, 'p', padding);
	assert_true(vd_json_add_string(json, "type", "n") && vd_json_add_number(json, "n", n) &&
		    vd_json_add_string(json, "pad", pad));
	free(pad);
	return json;
}

static int send_numbered(struct wire *w, int n, size_t padding)
{
	VD_CLEANUP(vd_json_free) cJSON *json = numbered(n, padding);

	return vd_channel_send(w->channel, json, NULL, 0);
}

static void feed(struct wire *w, int count)
{
	for (int i = 0; i < count; i++) {
		VD_CLEANUP(vd_json_free) cJSON *json = numbered(i, 0);

		assert_int_equal(vd_packet_send(w->peer, json, NULL, 0), 0);
	}
}

static void packets_arrive_in_order(void **state)
{
	struct wire *w = *state;

	feed(w, 150);
	w->stop_after = 150;
	assert_int_equal(vd_loop_run(w->loop), 0);
	assert_int_equal(w->last, 149);
}

static void a_full_queue_is_an_outcome_and_nothing_is_lost_or_reordered(void **state)
{
	struct wire *w = *state;
	struct vd_channel_counts counts;
	int sent = 0, r;

	while ((r = send_numbered(w, sent, 4000)) == 0)
		sent++;
	assert_int_equal(r, VD_CHANNEL_FULL);
	vd_channel_counts(w->channel, &counts);
	assert_int_equal(counts.queued, 100);
	assert_int_equal(counts.refused, 1);
	for (int i = 0; i < sent; i++) {
		VD_CLEANUP(vd_packet_fini) struct vd_packet packet = { .json = NULL };

		/* The channel moves on only in the loop, so let it, while the peer reads. */
		if (i == 20)
			assert_int_equal(vd_timer_arm(w->guard, 1), 0);
		if (i >= 20 && i % 10 == 0) {
			(void)vd_loop_run(w->loop);
			assert_int_equal(vd_timer_arm(w->guard, 1), 0);
		}
		assert_int_equal(vd_packet_receive(w->peer, &packet, NULL), 0);
		assert_int_equal(vd_json_int(packet.json, "n", -1), i);
	}
	(void)vd_loop_run(w->loop);
	assert_int_equal(w->drained, 1);
	vd_channel_counts(w->channel, &counts);
	assert_int_equal(counts.queued, 0);
	assert_int_equal(counts.queued_bytes, 0);
	assert_int_equal(counts.sent, sent);
}

static void a_queued_descriptor_is_kept_though_its_owner_closes_it(void **state)
{
	struct wire *w = *state;
	VD_CLEANUP(vd_json_free) cJSON *json = numbered(-1, 0);
	int ends[2], sent = 0;
	char byte = 0;

	while (send_numbered(w, sent, 4000) == 0 && sent < 60)
		sent++;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(vd_channel_send(w->channel, json, &ends[1], 1), 0);
	(void)close(ends[1]);
	for (;;) {
		VD_CLEANUP(vd_packet_fini) struct vd_packet packet = { .json = NULL };

		assert_int_equal(vd_timer_arm(w->guard, 1), 0);
		(void)vd_loop_run(w->loop);
		assert_int_equal(vd_packet_receive(w->peer, &packet, NULL), 0);
		if (packet.fd_count == 1) {
			assert_int_equal(write(packet.fds[0], "x", 1), 1);
			break;
		}
	}
	assert_int_equal(read(ends[0], &byte, 1), 1);
	(void)close(ends[0]);
}

static void the_last_words_of_a_dead_peer_are_heard_before_its_end(void **state)
{
	struct wire *w = *state;

	feed(w, 10);
	vd_close(&w->peer);
	assert_int_equal(send_numbered(w, 0, 0), VD_CHANNEL_GONE);
	assert_int_equal(vd_loop_run(w->loop), 0);
	assert_int_equal(w->received, 10);
	assert_int_equal(w->closed, 1);
	assert_int_equal(w->end, VD_CHANNEL_EOF);
}

static void a_malformed_packet_closes_with_its_reason(void **state)
{
	struct wire *w = *state;

	feed(w, 1);
	assert_int_equal(vd_packet_send_text(w->peer, "?", 1, NULL, 0), 0);
	feed(w, 1);
	assert_int_equal(vd_loop_run(w->loop), 0);
	assert_int_equal(w->received, 1);
	assert_int_equal(w->end, VD_CHANNEL_MALFORMED);
}

static void a_channel_may_be_freed_by_its_own_packet(void **state)
{
	struct wire *w = *state;

	feed(w, 10);
	w->free_after = 3;
	w->stop_after = 3;
	assert_int_equal(vd_loop_run(w->loop), 0);
	assert_int_equal(w->received, 3);
	assert_null(w->channel);
	assert_int_equal(w->closed, 0);
}

static void draining_handles_no_more_than_its_limit(void **state)
{
	struct wire *w = *state;

	feed(w, 10);
	vd_channel_drain(w->channel, 4);
	assert_int_equal(w->received, 4);
	vd_channel_drain(w->channel, 100);
	assert_int_equal(w->received, 10);
	vd_close(&w->peer);
	vd_channel_drain(w->channel, 1);
	assert_int_equal(w->closed, 1);
}

static void too_large_an_object_is_refused_before_it_is_queued(void **state)
{
	struct wire *w = *state;

	assert_int_equal(send_numbered(w, 0, VD_PACKET_BYTES), -E2BIG);
	assert_int_equal(send_numbered(w, 0, VD_PACKET_BYTES - 64), 0);
}

#define ON_A_WIRE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

VD_TEST_MAIN(ON_A_WIRE(packets_arrive_in_order),
	     ON_A_WIRE(a_full_queue_is_an_outcome_and_nothing_is_lost_or_reordered),
	     ON_A_WIRE(a_queued_descriptor_is_kept_though_its_owner_closes_it),
	     ON_A_WIRE(the_last_words_of_a_dead_peer_are_heard_before_its_end),
	     ON_A_WIRE(a_malformed_packet_closes_with_its_reason),
	     ON_A_WIRE(a_channel_may_be_freed_by_its_own_packet),
	     ON_A_WIRE(draining_handles_no_more_than_its_limit),
	     ON_A_WIRE(too_large_an_object_is_refused_before_it_is_queued))
