/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the agent's plumbing costs, each beside an honest peer in the same run:
 *   crash -> running again through the supervisor | waitpid and posix_spawn by hand
 *   a 5 MB frame through the pool                 | the same bytes over a socket
 *   a packet to and fro, parsed on both sides     | the same bytes, not looked at
 * Each consumer reads every byte of a frame.
 *
 * usage: bench_ipc PUPPET
 */
#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "agent/ipc/pool.h"
#include "agent/supervise/supervisor.h"
#include "base/log.h"

enum { CRASHES = 300, FRAMES = 300, TRIPS = 3000, FRAME_BYTES = 2448 * 2048, MOST = 3000 };

struct samples {
	double us[MOST];
	int count;
};

static double now_us(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void check(int r, const char *what)
{
	if (r < 0) {
		(void)fprintf(stderr, "bench_ipc: %s: %d (%s)\n", what, r, strerror(errno));
		abort();
	}
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* Prints p50 and p99 and returns p50. */
static double show(const char *what, struct samples *s)
{
	qsort(s->us, (size_t)s->count, sizeof s->us[0], compare);
	(void)printf("%-52s p50 %9.1f us   p99 %9.1f us   n %d\n", what, s->us[s->count / 2],
		     s->us[s->count * 99 / 100], s->count);
	return s->us[s->count / 2];
}

static void show_ratio(double ours, double peer)
{
	(void)printf("%-52s %.2f\n\n", "  ratio to the peer", ours / peer);
}

/* --- Crashes --- */

struct crash {
	struct vd_loop *loop;
	struct vd_supervisor *supervisor;
	double killed_us;
	struct samples spawned, ready;
};

static int on_hello(const char *instance, const cJSON *hello, cJSON *start, void *argument)
{
	return 0;
}

static void on_packet(const char *instance, struct vd_packet *packet, void *argument)
{
}

static void on_state(const char *instance, enum vd_state old, enum vd_state new_state,
		     const struct vd_evidence *evidence, void *argument)
{
	struct crash *c = argument;
	struct vd_module_status status;

	if (new_state == VD_STATE_STARTING && c->killed_us > 0)
		c->spawned.us[c->spawned.count++] = now_us() - c->killed_us;
	if (new_state != VD_STATE_READY)
		return;
	if (c->killed_us > 0)
		c->ready.us[c->ready.count++] = now_us() - c->killed_us;
	if (c->ready.count == CRASHES) {
		vd_loop_stop(c->loop, 0);
		return;
	}
	(void)usleep(2000); /* a run of its own, however short: it forgives the failure before */
	check(vd_supervisor_status(c->supervisor, instance, &status), "status");
	c->killed_us = now_us();
	(void)kill(status.pid, SIGKILL);
}

static void bench_supervisor(const char *puppet, struct crash *c)
{
	static const struct vd_supervisor_handlers handlers = { .on_hello = on_hello,
								.on_state = on_state,
								.on_packet = on_packet };
	const struct vd_module_spec spec = { .instance = "puppet",
					     .program = puppet,
					     .arguments = (const char *const[]){ "good", NULL },
					     .policy = VD_RESTART_ALWAYS,
					     .healthy_ms = 1 };

	check(vd_loop_new(&c->loop), "loop");
	check(vd_supervisor_new(c->loop, &handlers, NULL, c, &c->supervisor), "supervisor");
	check(vd_supervisor_put(c->supervisor, &spec, NULL), "put");
	check(vd_supervisor_start(c->supervisor, "puppet"), "start");
	check(vd_loop_run(c->loop), "run");
	c->supervisor = vd_supervisor_free(c->supervisor);
	c->loop = vd_loop_free(c->loop);
}

static pid_t spawn_bare(const char *program)
{
	char *const argv[] = { (char *)(uintptr_t)program, NULL }, *const none[] = { NULL };
	pid_t pid;

	/* Without an argument the puppet exits at once; until then it is a process like any. */
	check(-posix_spawn(&pid, program, NULL, NULL, argv, none), "posix_spawn");
	return pid;
}

static void bench_bare_spawn(const char *program, struct samples *s)
{
	for (int i = 0; i < CRASHES; i++) {
		pid_t pid = spawn_bare(program);
		double from = now_us();

		(void)kill(pid, SIGKILL);
		(void)waitpid(pid, NULL, 0);
		pid = spawn_bare(program);
		s->us[s->count++] = now_us() - from;
		(void)waitpid(pid, NULL, 0);
	}
}

static void bench_crash(const char *puppet)
{
	static struct crash c;
	static struct samples bare;
	double ours, peer;

	bench_supervisor(puppet, &c);
	bench_bare_spawn(puppet, &bare);
	ours = show("crash -> program runs again (supervisor)", &c.spawned);
	(void)show("crash -> module ready again (supervisor)", &c.ready);
	peer = show("crash -> program runs again (waitpid, posix_spawn)", &bare);
	show_ratio(ours, peer);
}

/* --- Frames --- */

static uint64_t sum(const uint8_t *bytes, size_t len)
{
	uint64_t total = 0;

	/* By words, so that memory and not the loop is the limit. */
	for (size_t i = 0; i + sizeof total <= len; i += sizeof total) {
		uint64_t word;

		memcpy(&word, bytes + i, sizeof word);
		total += word;
	}
	return total;
}

static volatile uint64_t sink;

static void consume_pool(int fd)
{
	struct vd_pool_view *view = NULL;
	struct vd_packet packet;
	int pool;

	check(vd_packet_receive(fd, &packet, NULL), "pool");
	pool = vd_packet_take_fd(&packet, 0);
	check(vd_pool_view_new(&pool, vd_json_int(packet.json, "slots", 0),
			       vd_json_int(packet.json, "slotBytes", 0), &view, NULL),
	      "view");
	vd_packet_fini(&packet);
	while (vd_packet_receive(fd, &packet, NULL) == 0) {
		int64_t bytes = vd_json_int(packet.json, "bytes", 0);
		const uint8_t *slot =
			vd_pool_view_slot(view, vd_json_int(packet.json, "slot", -1), bytes);

		sink = sum(slot, (size_t)bytes);
		vd_packet_fini(&packet);
		check(vd_packet_send_text(fd, "{\"type\":\"done\"}", 15, NULL, 0), "done");
	}
	_exit(0);
}

static void hand_frame(int fd, struct vd_pool *pool, const uint8_t *frame)
{
	struct vd_packet packet;
	char text[128];
	unsigned slot;
	int n;

	check(vd_pool_acquire(pool, &slot), "acquire");
	memcpy(vd_pool_slot(pool, slot), frame, FRAME_BYTES);
	n = snprintf(text, sizeof text, "{\"type\":\"frame\",\"slot\":%u,\"bytes\":%d}", slot,
		     FRAME_BYTES);
	check(vd_packet_send_text(fd, text, (size_t)n, NULL, 0), "frame");
	check(vd_packet_receive(fd, &packet, NULL), "done");
	vd_packet_fini(&packet);
	vd_pool_release(pool, slot);
}

static void bench_pool(const uint8_t *frame, struct samples *s)
{
	struct vd_pool *pool = NULL;
	char text[128];
	int fds[2], n, fd;

	check(vd_packet_pair(0, fds), "pair");
	if (fork() == 0) {
		(void)close(fds[0]);
		consume_pool(fds[1]);
	}
	(void)close(fds[1]);
	check(vd_pool_new(4, FRAME_BYTES, &pool), "pool");
	fd = vd_pool_fd(pool);
	n = snprintf(text, sizeof text, "{\"type\":\"pool\",\"slots\":4,\"slotBytes\":%zu}",
		     vd_pool_slot_bytes(pool));
	check(vd_packet_send_text(fds[0], text, (size_t)n, &fd, 1), "send");
	for (int i = -10; i < FRAMES; i++) {
		double from = now_us();

		hand_frame(fds[0], pool, frame);
		if (i >= 0)
			s->us[s->count++] = now_us() - from;
	}
	(void)close(fds[0]);
	(void)wait(NULL);
	pool = vd_pool_free(pool);
}

static bool move_all(int fd, uint8_t *bytes, size_t len, bool is_read)
{
	while (len > 0) {
		ssize_t n = is_read ? read(fd, bytes, len) : write(fd, bytes, len);

		if (n <= 0)
			return false;
		bytes += n;
		len -= (size_t)n;
	}
	return true;
}

static void consume_stream(int fd)
{
	uint8_t *copy = malloc(FRAME_BYTES), byte = 0;

	while (copy && move_all(fd, copy, FRAME_BYTES, true)) {
		sink = sum(copy, FRAME_BYTES);
		(void)move_all(fd, &byte, 1, false);
	}
	_exit(0);
}

static void bench_stream(uint8_t *frame, struct samples *s)
{
	uint8_t byte;
	int fds[2];

	check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), "pair");
	if (fork() == 0) {
		(void)close(fds[0]);
		consume_stream(fds[1]);
	}
	(void)close(fds[1]);
	for (int i = -10; i < FRAMES; i++) {
		double from = now_us();

		if (!move_all(fds[0], frame, FRAME_BYTES, false) ||
		    !move_all(fds[0], &byte, 1, true))
			abort();
		if (i >= 0)
			s->us[s->count++] = now_us() - from;
	}
	(void)close(fds[0]);
	(void)wait(NULL);
}

static void bench_frames(void)
{
	static struct samples pool, stream;
	uint8_t *frame = malloc(FRAME_BYTES);
	double ours, peer;

	if (!frame)
		abort();
	for (size_t i = 0; i < FRAME_BYTES; i++)
		frame[i] = (uint8_t)(i * 7);
	bench_pool(frame, &pool);
	bench_stream(frame, &stream);
	free(frame);
	ours = show("5 MB frame, copied in, every byte read (pool)", &pool);
	peer = show("5 MB frame, every byte read (bytes over a socket)", &stream);
	show_ratio(ours, peer);
}

/* --- Packets --- */

static void echo(int fd, bool is_parsed)
{
	char bytes[VD_PACKET_BYTES];
	ssize_t n;

	while (is_parsed) {
		struct vd_packet packet;

		if (vd_packet_receive(fd, &packet, NULL) != 0)
			_exit(0);
		check(vd_packet_send(fd, packet.json, NULL, 0), "send");
		vd_packet_fini(&packet);
	}
	while ((n = recv(fd, bytes, sizeof bytes, 0)) > 0)
		check((int)send(fd, bytes, (size_t)n, 0), "send");
	_exit(0);
}

static void bench_trips(bool is_parsed, struct samples *s)
{
	char text[513], back[VD_PACKET_BYTES];
	int fds[2];

	(void)snprintf(text, sizeof text, "{\"type\":\"message\",\"pad\":\"%*s\"}", 484, "");
	check(vd_packet_pair(0, fds), "pair");
	if (fork() == 0) {
		(void)close(fds[0]);
		echo(fds[1], is_parsed);
	}
	(void)close(fds[1]);
	for (int i = 0; i < TRIPS; i++) {
		double from = now_us();
		struct vd_packet packet;

		check(vd_packet_send_text(fds[0], text, strlen(text), NULL, 0), "send");
		if (is_parsed) {
			check(vd_packet_receive(fds[0], &packet, NULL), "receive");
			vd_packet_fini(&packet);
		} else {
			check((int)recv(fds[0], back, sizeof back, 0), "recv");
		}
		s->us[s->count++] = now_us() - from;
	}
	(void)close(fds[0]);
	(void)wait(NULL);
}

static void bench_packets(void)
{
	static struct samples parsed, bare;
	double ours, peer;

	bench_trips(true, &parsed);
	bench_trips(false, &bare);
	ours = show("512 bytes to and fro, parsed on both sides", &parsed);
	peer = show("512 bytes to and fro, not looked at", &bare);
	show_ratio(ours, peer);
}

int main(int argc, char **argv)
{
	if (argc != 2 || argv[1][0] != '/') {
		(void)fprintf(stderr, "usage: %s /absolute/path/to/fixture_puppet\n", argv[0]);
		return 2;
	}
	vd_log_set_level(VD_ERROR);
	bench_crash(argv[1]);
	bench_frames();
	bench_packets();
	return 0;
}
