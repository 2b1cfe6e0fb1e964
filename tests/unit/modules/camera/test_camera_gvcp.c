/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/camera/gvcp.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vd_test.h"

/* The request with its command turned into the answer. */
static void make_answer(uint16_t id, uint8_t packet[static VD_GVCP_BYTES])
{
	vd_gvcp_request(id, packet);
	packet[0] = packet[1] = 0;
	packet[3] = 0x81;
}

static void only_the_answer_to_this_question_is_one(void **state)
{
	uint8_t packet[VD_GVCP_BYTES];

	make_answer(0x1234, packet);
	assert_true(vd_gvcp_is_answer(packet, sizeof packet, 0x1234));
	assert_true(vd_gvcp_is_answer(packet, 8, 0x1234));
	assert_false(vd_gvcp_is_answer(packet, 7, 0x1234));
	assert_false(vd_gvcp_is_answer(packet, 0, 0x1234));
	assert_false(vd_gvcp_is_answer(packet, sizeof packet, 0x1235));
	vd_gvcp_request(0x1234, packet);
	assert_false(vd_gvcp_is_answer(packet, sizeof packet, 0x1234));
}

static void a_camera_is_gone_after_three_questions_without_an_answer(void **state)
{
	int ends[2];
	uint8_t packet[VD_GVCP_BYTES];
	struct vd_gvcp probe = { .fd = -1 };
	uint64_t now_ms = 1000;

	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends),
			 0);
	probe.fd = ends[0];
	probe.next_ms = 1000;
	assert_true(vd_gvcp_tend(&probe, 999));
	for (; now_ms < 5000; now_ms += VD_GVCP_PERIOD_MS) {
		assert_true(vd_gvcp_tend(&probe, now_ms));
		assert_int_equal(recv(ends[1], packet, sizeof packet, 0), VD_GVCP_BYTES);
		make_answer(probe.id, packet);
		assert_int_equal(send(ends[1], packet, sizeof packet, 0), VD_GVCP_BYTES);
	}
	for (int i = 0; i < VD_GVCP_UNANSWERED; i++, now_ms += VD_GVCP_PERIOD_MS)
		assert_true(vd_gvcp_tend(&probe, now_ms));
	assert_true(vd_gvcp_tend(&probe, now_ms - 1));
	assert_false(vd_gvcp_tend(&probe, now_ms));
	vd_gvcp_close(&probe);
	assert_int_equal(close(ends[1]), 0);
}

static void a_camera_that_is_on_no_network_is_not_asked(void **state)
{
	static const char *const addresses[] = { "USB3", "", "fe80::1", "192.0.2", NULL };
	struct vd_gvcp probe;

	for (size_t i = 0; i < VD_COUNT(addresses); i++) {
		vd_gvcp_open(&probe, addresses[i], 0);
		assert_int_equal(probe.fd, -1);
		assert_true(vd_gvcp_tend(&probe, 100000));
	}
}

VD_TEST_MAIN(cmocka_unit_test(only_the_answer_to_this_question_is_one),
	     cmocka_unit_test(a_camera_is_gone_after_three_questions_without_an_answer),
	     cmocka_unit_test(a_camera_that_is_on_no_network_is_not_asked))
