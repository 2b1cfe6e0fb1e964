/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/ipc/packet.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vd_test.h"

struct pair {
	int fds[2];
};

static struct pair make_pair(int flags)
{
	struct pair p;

	assert_int_equal(vd_packet_pair(flags, p.fds), 0);
	return p;
}

static void close_pair(struct pair *p)
{
	vd_close(&p->fds[0]);
	vd_close(&p->fds[1]);
}

static int count_fds(void)
{
	DIR *folder = opendir("/proc/self/fd");
	int n = 0;

	assert_non_null(folder);
	while (readdir(folder))
		n++;
	(void)closedir(folder);
	return n;
}

static void an_object_and_its_descriptors_arrive_whole(void **state)
{
	struct pair p = make_pair(0);
	VD_CLEANUP(vd_json_free) cJSON *json = cJSON_Parse("{\"type\":\"t\",\"n\":[1,2]}");
	VD_CLEANUP(vd_packet_fini) struct vd_packet packet = { .json = NULL };
	struct vd_fault fault = { 0 };
	int fds[VD_PACKET_FDS], taken;

	for (int i = 0; i < VD_PACKET_FDS; i++)
		fds[i] = STDIN_FILENO;
	assert_int_equal(vd_packet_send(p.fds[0], json, fds, VD_PACKET_FDS), 0);
	assert_int_equal(vd_packet_receive(p.fds[1], &packet, &fault), 0);
	assert_string_equal(vd_packet_type(&packet), "t");
	assert_true(cJSON_Compare(json, packet.json, true));
	assert_int_equal(packet.fd_count, VD_PACKET_FDS);
	taken = vd_packet_take_fd(&packet, 7);
	assert_true(fcntl(taken, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(vd_packet_take_fd(&packet, 7), -1);
	assert_int_equal(vd_packet_take_fd(&packet, 8), -1);
	vd_close(&taken);
	close_pair(&p);
}

static void what_is_no_packet_is_malformed_with_a_reason(void **state)
{
	static const char *const bad[] = {
		"x",
		"[]",
		"{}",
		"{\"type\":1}",
		"{\"type\":null}",
		"{\"type\":\"a\"} x",
		"\"type\"",
		"{\"type\":\"a\",\"type\":\"b\"}",
		"{\"type\":\"\xFF\"}",
		"{\"type\":\"a\"",
	};
	for (size_t i = 0; i < VD_COUNT(bad); i++) {
		struct vd_fault fault = { 0 };
		cJSON *json = NULL;

		assert_int_equal(vd_packet_parse(bad[i], strlen(bad[i]), &json, &fault),
				 VD_PACKET_MALFORMED);
		assert_int_equal(fault.code, 400);
		assert_true(fault.text[0] != '\0');
		assert_null(json);
	}
}

static void the_descriptors_of_a_malformed_packet_are_closed(void **state)
{
	struct pair p = make_pair(0);
	struct vd_packet packet;
	struct vd_fault fault = { 0 };
	int fds[3] = { 0, 1, 2 }, before;

	assert_int_equal(vd_packet_send_text(p.fds[0], "rubbish", 7, fds, 3), 0);
	before = count_fds();
	assert_int_equal(vd_packet_receive(p.fds[1], &packet, &fault), VD_PACKET_MALFORMED);
	assert_int_equal(count_fds(), before);
	close_pair(&p);
}

/* By hand, as a module in another language may. */
static void send_by_hand(int fd, size_t bytes, unsigned fd_count)
{
	char *text = malloc(bytes);
	char control[CMSG_SPACE(sizeof(int) * 32)] = { 0 };
	struct iovec part = { .iov_base = text, .iov_len = bytes };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };

	assert_non_null(text);
	memset(text, ' ', bytes);
	memcpy(text, "{\"type\":\"a\"}", bytes < 12 ? bytes : 12);
	if (fd_count > 0) {
		struct cmsghdr *c;
		int fds[32] = { 0 };

		message.msg_control = control;
		message.msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
		c = CMSG_FIRSTHDR(&message);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
		memcpy(CMSG_DATA(c), fds, sizeof(int) * fd_count);
	}
	assert_int_equal(sendmsg(fd, &message, 0), bytes);
	free(text);
}

static void sizes_are_limited_at_their_edge(void **state)
{
	static const struct {
		size_t bytes;
		unsigned fds;
		int outcome;
	} cases[] = {
		{ VD_PACKET_BYTES, 0, 0 },
		{ VD_PACKET_BYTES + 1, 0, VD_PACKET_MALFORMED },
		{ 100000, 0, VD_PACKET_MALFORMED },
		{ 12, VD_PACKET_FDS, 0 },
		{ 12, VD_PACKET_FDS + 1, VD_PACKET_MALFORMED },
		{ 12, 32, VD_PACKET_MALFORMED },
		{ 100000, 32, VD_PACKET_MALFORMED },
	};
	int before = count_fds();

	for (size_t i = 0; i < VD_COUNT(cases); i++) {
		struct pair p = make_pair(0);
		struct vd_packet packet = { .json = NULL };
		struct vd_fault fault = { 0 };

		send_by_hand(p.fds[0], cases[i].bytes, cases[i].fds);
		assert_int_equal(vd_packet_receive(p.fds[1], &packet, &fault), cases[i].outcome);
		vd_packet_fini(&packet);
		/* The next one is not harmed. */
		send_by_hand(p.fds[0], 12, 0);
		assert_int_equal(vd_packet_receive(p.fds[1], &packet, &fault), 0);
		vd_packet_fini(&packet);
		close_pair(&p);
	}
	assert_int_equal(count_fds(), before);
}

static void descriptors_without_room_for_them_are_malformed_not_lost_in_silence(void **state)
{
	struct pair p = make_pair(0);
	struct vd_packet packet;
	struct vd_fault fault = { 0 };
	struct rlimit old, tight;

	send_by_hand(p.fds[0], 12, 4);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	tight = old;
	tight.rlim_cur = (rlim_t)p.fds[1] + 1;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
	assert_int_equal(vd_packet_receive(p.fds[1], &packet, &fault), VD_PACKET_MALFORMED);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	close_pair(&p);
}

static void the_end_has_a_name_on_both_sides(void **state)
{
	struct pair p = make_pair(SOCK_NONBLOCK);
	struct vd_packet packet;
	struct vd_fault fault = { 0 };

	assert_int_equal(vd_packet_receive(p.fds[1], &packet, &fault), VD_PACKET_WOULD_BLOCK);
	vd_close(&p.fds[0]);
	assert_int_equal(vd_packet_receive(p.fds[1], &packet, &fault), VD_PACKET_EOF);
	assert_int_equal(vd_packet_send_text(p.fds[1], "{}", 2, NULL, 0), VD_PACKET_EOF);
	close_pair(&p);
}

static void a_peer_that_died_with_packets_unread_is_an_end_not_an_error(void **state)
{
	struct pair p = make_pair(0);
	struct vd_packet packet;
	struct vd_fault fault = { 0 };

	assert_int_equal(vd_packet_send_text(p.fds[0], "{}", 2, NULL, 0), 0);
	vd_close(&p.fds[1]);
	assert_int_equal(vd_packet_receive(p.fds[0], &packet, &fault), VD_PACKET_EOF);
	close_pair(&p);
}

static void a_full_socket_would_block(void **state)
{
	struct pair p = make_pair(SOCK_NONBLOCK);
	char text[1024];
	int r = 0, sent = 0;

	memset(text, 'x', sizeof text);
	while ((r = vd_packet_send_text(p.fds[0], text, sizeof text, NULL, 0)) == 0)
		sent++;
	assert_int_equal(r, VD_PACKET_WOULD_BLOCK);
	assert_true(sent > 10);
	close_pair(&p);
}

static void a_text_over_the_limit_is_not_sent(void **state)
{
	struct pair p = make_pair(0);
	VD_CLEANUP(vd_free) char *text = calloc(1, VD_PACKET_BYTES + 1);

	assert_int_equal(vd_packet_send_text(p.fds[0], text, VD_PACKET_BYTES + 1, NULL, 0), -E2BIG);
	close_pair(&p);
}

VD_TEST_MAIN(cmocka_unit_test(an_object_and_its_descriptors_arrive_whole),
	     cmocka_unit_test(what_is_no_packet_is_malformed_with_a_reason),
	     cmocka_unit_test(the_descriptors_of_a_malformed_packet_are_closed),
	     cmocka_unit_test(sizes_are_limited_at_their_edge),
	     cmocka_unit_test(descriptors_without_room_for_them_are_malformed_not_lost_in_silence),
	     cmocka_unit_test(the_end_has_a_name_on_both_sides),
	     cmocka_unit_test(a_peer_that_died_with_packets_unread_is_an_end_not_an_error),
	     cmocka_unit_test(a_full_socket_would_block),
	     cmocka_unit_test(a_text_over_the_limit_is_not_sent))
