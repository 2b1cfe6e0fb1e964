/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <sys/mman.h>

#include "agent/ipc/pool.h"
#include "modules/sdk/module.h"
#include "stage.h"

/* Hands one end of a pair to the module; returns the other. */
static int hand_channel(struct actor *a, const char *role, const char *port, const char *peer)
{
	int pair[2];

	assert_int_equal(vd_packet_pair(0, pair), 0);
	say(a->fd, &pair[1], 1,
	    "{\"type\":\"channel\",\"role\":\"%s\",\"port\":\"%s\",\"peer\":\"%s\"}", role, port,
	    peer);
	vd_close(&pair[1]);
	return pair[0];
}

static void join(struct actor *producer, const char *producer_name, struct actor *consumer,
		 const char *consumer_name)
{
	int pair[2];

	assert_int_equal(vd_packet_pair(0, pair), 0);
	say(consumer->fd, &pair[1], 1,
	    "{\"type\":\"channel\",\"role\":\"consumer\",\"port\":\"in\",\"peer\":\"%s\"}",
	    producer_name);
	say(producer->fd, &pair[0], 1,
	    "{\"type\":\"channel\",\"role\":\"producer\",\"port\":\"out\",\"peer\":\"%s\"}",
	    consumer_name);
	vd_close(&pair[0]);
	vd_close(&pair[1]);
}

static void frames_go_from_one_module_to_the_other(void **state)
{
	struct actor camera, inspect;

	act_until_ready(&camera, VD_MIRROR, "camera", "{}");
	act_until_ready(&inspect, VD_MIRROR, "inspect", "{}");
	assert_int_equal(call_and_hear(&camera, "offer", "{}"), VD_FRAME_NOBODY);
	join(&camera, "camera", &inspect, "inspect");
	assert_string_equal(hear_report(&inspect), "{\"peer\":\"camera\",\"connected\":true}");
	for (int i = 1; i <= 20; i++) {
		char body[64], wanted[200];
		int bytes = 50 * i; /* the pool grows on the way */

		(void)snprintf(body, sizeof body, "{\"bytes\":%d,\"seq\":%d}", bytes, i);
		assert_int_equal(call_and_hear(&camera, "offer", body), 0);
		(void)snprintf(wanted, sizeof wanted,
			       "{\"frame\":%d,\"peer\":\"camera\",\"len\":%d,\"first\":%d,"
			       "\"last\":%d,\"serial\":\"S1\"}",
			       i, bytes, i, i);
		assert_string_equal(hear_report(&inspect), wanted);
	}
	assert_int_equal(call_and_hear(&camera, "fail", "{}"), 0);
	assert_string_equal(hear_report(&inspect),
			    "{\"failed\":5,\"peer\":\"camera\",\"text\":\"lens cap on\"}");
	assert_int_equal(end(&camera), 0);
	assert_string_equal(hear_report(&inspect), "{\"peer\":\"camera\",\"connected\":false}");
	assert_int_equal(end(&inspect), 0);
}

static void a_consumer_that_keeps_its_slots_gets_a_failure_and_then_frames_again(void **state)
{
	struct actor camera, inspect;

	act_until_ready(&camera, VD_MIRROR, "camera", "{}");
	act_until_ready(&inspect, VD_MIRROR, "inspect", "{\"hold\":true}");
	join(&camera, "camera", &inspect, "inspect");
	(void)hear_report(&inspect);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(call_and_hear(&camera, "offer", "{}"), 0);
		(void)hear_report(&inspect);
	}
	assert_int_equal(call_and_hear(&camera, "offer", "{\"seq\":3}"), VD_FRAME_NO_SLOT);
	assert_string_equal(hear_report(&inspect),
			    "{\"failed\":3,\"peer\":\"camera\",\"text\":\"no free slot\"}");
	assert_int_equal(call_and_hear(&inspect, "release", "{}"), 0);
	assert_int_equal(call_and_hear(&camera, "offer", "{\"seq\":4}"), 0);
	assert_memory_equal(hear_report(&inspect), "{\"frame\":4,", 11);
	call(&camera, "counts", "{}");
	assert_string_equal(hear_report(&camera),
			    "{\"offered\":4,\"delivered\":3,\"noSlot\":1,\"nobody\":0}");
	assert_int_equal(end(&camera), 0);
	assert_int_equal(end(&inspect), 0);
}

static void a_frame_on_loan_survives_its_producer(void **state)
{
	struct actor camera, inspect;

	act_until_ready(&camera, VD_MIRROR, "camera", "{}");
	act_until_ready(&inspect, VD_MIRROR, "inspect", "{\"hold\":true}");
	join(&camera, "camera", &inspect, "inspect");
	(void)hear_report(&inspect);
	assert_int_equal(call_and_hear(&camera, "offer", "{}"), 0);
	(void)hear_report(&inspect);
	assert_int_equal(end(&camera), 0);
	assert_string_equal(hear_report(&inspect), "{\"peer\":\"camera\",\"connected\":false}");
	assert_int_equal(call_and_hear(&inspect, "release", "{}"), 0);
	assert_int_equal(end(&inspect), 0);
}

static struct vd_pool_view *take_pool(int fd, struct vd_packet *packet)
{
	struct vd_pool_view *view = NULL;
	struct vd_fault fault = { 0 };
	const cJSON *json = hear_from(fd, packet, "pool");
	int pool = vd_packet_take_fd(packet, 0);

	assert_int_equal(vd_pool_view_new(&pool, vd_json_int(json, "slots", 0),
					  vd_json_int(json, "slotBytes", 0), &view, &fault),
			 0);
	return view;
}

static void the_death_of_a_consumer_gives_its_slots_back(void **state)
{
	struct actor camera;
	struct vd_packet packet = { .json = NULL };

	act_until_ready(&camera, VD_MIRROR, "camera", "{}");
	for (int round = 0; round < 3; round++) {
		VD_CLEANUP(vd_close) int fd = hand_channel(&camera, "producer", "out", "x");
		VD_CLEANUP(vd_pool_view_free) struct vd_pool_view *view = NULL;

		assert_int_equal(call_and_hear(&camera, "offer", "{\"seq\":1}"), 0);
		assert_int_equal(call_and_hear(&camera, "offer", "{\"seq\":2}"), 0);
		view = take_pool(fd, &packet);
		assert_int_equal(vd_json_int(hear_from(fd, &packet, "frame"), "seq", 0), 1);
		assert_int_equal(vd_json_int(hear_from(fd, &packet, "frame"), "seq", 0), 2);
		/* The next round's channel replaces this one, or the end of it comes first. */
	}
	vd_packet_fini(&packet);
	assert_int_equal(end(&camera), 0);
}

static void a_stuck_consumer_does_not_starve_another(void **state)
{
	struct actor camera;
	struct vd_packet packet = { .json = NULL };
	VD_CLEANUP(vd_close) int stuck = -1, quick = -1;
	VD_CLEANUP(vd_pool_view_free) struct vd_pool_view *view = NULL;

	act_until_ready(&camera, VD_MIRROR, "camera", "{}");
	stuck = hand_channel(&camera, "producer", "out", "stuck");
	quick = hand_channel(&camera, "producer", "out", "quick");
	for (int i = 1; i <= 10; i++) {
		char body[32];
		const cJSON *frame;

		(void)snprintf(body, sizeof body, "{\"seq\":%d}", i);
		assert_int_equal(call_and_hear(&camera, "offer", body), 0);
		if (!view)
			view = take_pool(quick, &packet);
		frame = hear_from(quick, &packet, "frame");
		assert_int_equal(vd_json_int(frame, "seq", 0), i);
		say(quick, NULL, 0, "{\"type\":\"done\",\"slot\":%lld,\"seq\":%d}",
		    (long long)vd_json_int(frame, "slot", -1), i);
	}
	vd_packet_fini(&packet);
	assert_int_equal(end(&camera), 0);
}

static void wrong_and_repeated_done_packets_free_nothing(void **state)
{
	static const char *const wrong[] = {
		"{\"type\":\"done\"}",
		"{\"type\":\"done\",\"slot\":0,\"seq\":99}",
		"{\"type\":\"done\",\"slot\":-1,\"seq\":1}",
		"{\"type\":\"done\",\"slot\":63,\"seq\":1}",
		"{\"type\":\"done\",\"slot\":1e300,\"seq\":1}",
		"{\"type\":\"hm\"}",
	};
	struct actor camera;
	VD_CLEANUP(vd_close) int fd = -1;

	act_until_ready(&camera, VD_MIRROR, "camera", "{}");
	fd = hand_channel(&camera, "producer", "out", "x");
	assert_int_equal(call_and_hear(&camera, "offer", "{\"seq\":1}"), 0);
	assert_int_equal(call_and_hear(&camera, "offer", "{\"seq\":2}"), 0);
	for (size_t i = 0; i < VD_COUNT(wrong); i++)
		say(fd, NULL, 0, "%s", wrong[i]);
	assert_int_equal(call_and_hear(&camera, "offer", "{\"seq\":3}"), VD_FRAME_NO_SLOT);
	say(fd, NULL, 0, "no packet at all"); /* costs the consumer its channel */
	assert_int_equal(call_and_hear(&camera, "offer", "{\"seq\":4}"), VD_FRAME_NOBODY);
	assert_int_equal(end(&camera), 0);
}

static void a_slot_filled_in_place_is_sent_even_when_the_pool_grew_meanwhile(void **state)
{
	struct actor camera;
	struct vd_packet packet = { .json = NULL };
	VD_CLEANUP(vd_close) int fd = -1;
	VD_CLEANUP(vd_pool_view_free) struct vd_pool_view *view = NULL;
	const cJSON *frame;
	const uint8_t *bytes;

	act_until_ready(&camera, VD_MIRROR, "camera", "{}");
	fd = hand_channel(&camera, "producer", "out", "x");
	assert_int_equal(call_and_hear(&camera, "fill", "{\"grow\":true,\"bytes\":10000}"), 0);
	view = take_pool(fd, &packet);
	assert_int_equal(vd_json_int(hear_from(fd, &packet, "frame"), "bytes", 0), 10000);
	frame = hear_from(fd, &packet, "frame");
	assert_int_equal(vd_json_int(frame, "seq", 0), 77);
	bytes = vd_pool_view_slot(view, vd_json_int(frame, "slot", -1), 10);
	assert_non_null(bytes);
	assert_true(bytes[0] == 9 && bytes[9] == 9);
	vd_packet_fini(&packet);
	assert_int_equal(end(&camera), 0);
}

/* --- A producer that lies --- */

static int make_pool_fd(size_t size, bool is_sealed)
{
	int fd = memfd_create("lie", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	if (is_sealed)
		assert_int_equal(
			fcntl(fd, F_ADD_SEALS,
			      F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL),
			0);
	return fd;
}

static void expect_dropped(struct actor *a, const char *text)
{
	if (strcmp(hear_report(a), "{\"peer\":\"liar\",\"connected\":false}") != 0)
		fail_msg("kept: %s", text);
}

static void a_pool_that_is_not_what_it_says_is_refused(void **state)
{
	static const struct {
		size_t size;
		bool is_sealed, has_fd;
		const char *packet;
	} cases[] = {
		{ 8192, false, true, "{\"type\":\"pool\",\"slots\":2,\"slotBytes\":4096}" },
		{ 8191, true, true, "{\"type\":\"pool\",\"slots\":2,\"slotBytes\":4096}" },
		{ 8192, true, false, "{\"type\":\"pool\",\"slots\":2,\"slotBytes\":4096}" },
		{ 0, true, true, "{\"type\":\"pool\",\"slots\":0,\"slotBytes\":4096}" },
		{ 8192, true, true, "{\"type\":\"pool\",\"slots\":65,\"slotBytes\":4096}" },
		{ 8192, true, true, "{\"type\":\"pool\",\"slots\":-2,\"slotBytes\":-4096}" },
		{ 8192, true, true, "{\"type\":\"pool\",\"slots\":2,\"slotBytes\":1e18}" },
		{ 8192, true, true, "{\"type\":\"pool\"}" },
		{ 8192, true, true, "{\"type\":\"frame\",\"slot\":0,\"bytes\":1}" },
	};
	struct actor inspect;

	act_until_ready(&inspect, VD_MIRROR, "inspect", "{}");
	for (size_t i = 0; i < VD_COUNT(cases); i++) {
		VD_CLEANUP(vd_close) int fd = hand_channel(&inspect, "consumer", "in", "liar");
		VD_CLEANUP(vd_close) int pool = make_pool_fd(cases[i].size, cases[i].is_sealed);

		(void)hear_report(&inspect);
		say(fd, &pool, cases[i].has_fd ? 1 : 0, "%s", cases[i].packet);
		expect_dropped(&inspect, cases[i].packet);
	}
	assert_int_equal(end(&inspect), 0);
}

static void a_frame_outside_its_pool_is_refused(void **state)
{
	static const char *const lies[] = {
		"\"slot\":2,\"bytes\":10,\"format\":\"jpeg\",\"seq\":1",
		"\"slot\":-1,\"bytes\":10,\"format\":\"jpeg\",\"seq\":1",
		"\"slot\":0,\"bytes\":4097,\"format\":\"jpeg\",\"seq\":1",
		"\"slot\":0,\"bytes\":-1,\"format\":\"jpeg\",\"seq\":1",
		"\"slot\":0,\"bytes\":1e30,\"format\":\"jpeg\",\"seq\":1",
		"\"slot\":0,\"bytes\":10,\"seq\":1",
		"\"slot\":0,\"bytes\":10,\"format\":\"jpeg\"",
		"\"slot\":0,\"bytes\":100,\"format\":\"grey\",\"seq\":1",
		"\"slot\":0,\"bytes\":100,\"format\":\"grey\",\"seq\":1,\"width\":11,\"height\":10,"
		"\"stride\":10",
		"\"slot\":0,\"bytes\":100,\"format\":\"grey\",\"seq\":1,\"width\":10,\"height\":11,"
		"\"stride\":10",
		"\"slot\":0,\"bytes\":100,\"format\":\"grey\",\"seq\":1,\"width\":65536,"
		"\"height\":1,\"stride\":65536",
		"\"slot\":0,\"bytes\":100,\"format\":\"grey\",\"seq\":1,\"width\":4,\"height\":"
		"65535,"
		"\"stride\":1073741824",
	};
	struct actor inspect;

	act_until_ready(&inspect, VD_MIRROR, "inspect", "{}");
	for (size_t i = 0; i < VD_COUNT(lies); i++) {
		VD_CLEANUP(vd_close) int fd = hand_channel(&inspect, "consumer", "in", "liar");
		VD_CLEANUP(vd_close) int pool = make_pool_fd(8192, true);

		(void)hear_report(&inspect);
		say(fd, &pool, 1, "{\"type\":\"pool\",\"slots\":2,\"slotBytes\":4096}");
		say(fd, NULL, 0, "{\"type\":\"frame\",%s}", lies[i]);
		expect_dropped(&inspect, lies[i]);
	}
	assert_int_equal(end(&inspect), 0);
}

static void a_slot_on_loan_cannot_be_sent_again(void **state)
{
	struct actor inspect;
	VD_CLEANUP(vd_close) int fd = -1, pool = make_pool_fd(8192, true);

	act_until_ready(&inspect, VD_MIRROR, "inspect", "{\"hold\":true}");
	fd = hand_channel(&inspect, "consumer", "in", "liar");
	(void)hear_report(&inspect);
	say(fd, &pool, 1, "{\"type\":\"pool\",\"slots\":2,\"slotBytes\":4096}");
	for (int i = 0; i < 2; i++)
		say(fd, NULL, 0,
		    "{\"type\":\"frame\",\"slot\":0,\"bytes\":10,\"format\":\"jpeg\",\"seq\":%d}",
		    i);
	assert_memory_equal(hear_report(&inspect), "{\"frame\":0,", 11);
	expect_dropped(&inspect, "twice");
	assert_int_equal(end(&inspect), 0);
}

static void a_channel_without_a_descriptor_ends_the_peer(void **state)
{
	struct actor inspect;
	VD_CLEANUP(vd_close) int fd = -1;

	act_until_ready(&inspect, VD_MIRROR, "inspect", "{}");
	fd = hand_channel(&inspect, "consumer", "in", "liar");
	(void)hear_report(&inspect);
	say(inspect.fd, NULL, 0,
	    "{\"type\":\"channel\",\"role\":\"consumer\",\"port\":\"in\",\"peer\":\"liar\"}");
	expect_dropped(&inspect, "no descriptor");
	assert_int_equal(end(&inspect), 0);
}

VD_TEST_MAIN(cmocka_unit_test(frames_go_from_one_module_to_the_other),
	     cmocka_unit_test(a_consumer_that_keeps_its_slots_gets_a_failure_and_then_frames_again),
	     cmocka_unit_test(a_frame_on_loan_survives_its_producer),
	     cmocka_unit_test(the_death_of_a_consumer_gives_its_slots_back),
	     cmocka_unit_test(a_stuck_consumer_does_not_starve_another),
	     cmocka_unit_test(wrong_and_repeated_done_packets_free_nothing),
	     cmocka_unit_test(a_slot_filled_in_place_is_sent_even_when_the_pool_grew_meanwhile),
	     cmocka_unit_test(a_pool_that_is_not_what_it_says_is_refused),
	     cmocka_unit_test(a_frame_outside_its_pool_is_refused),
	     cmocka_unit_test(a_slot_on_loan_cannot_be_sent_again),
	     cmocka_unit_test(a_channel_without_a_descriptor_ends_the_peer))
