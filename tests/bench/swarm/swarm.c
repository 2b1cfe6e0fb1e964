/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vedette-swarm ADDRESS PORT HOST CA IDENTITIES [SOURCES]: as many devices as the file has lines ("id key"), in
 * one process. Commands come on standard input, a line of JSON answers each:
 *
 *   connect                               connects all, a few handshakes at a time
 *   get COUNT                             twin GETs, one after the other: microseconds
 *   send MESSAGES INFLIGHT DEVICES BATCH  telemetry as fast as it is acknowledged; BATCH records a
 *                                         message, compressed as the agent does; 0: one plain JSON
 *   await SECONDS                         answers {"awaiting":n} at once, and when each device has been told of
 *                                         a desired change and its report of it was answered, or at the
 *                                         deadline: milliseconds
 *
 * It ends with its input, and after LIFE_S in any case.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/ssl.h>

#include "base/clock.h"
#include "base/digest.h"
#include "tests/bench/swarm/peer.h"
#include "twin/hub/store/inflate.h"

enum { HANDSHAKES = 64, LIFE_S = 1800, CONNECT_S = 300, SEND_S = 300, PING_MS = 200000 };

enum task { IDLE, CONNECTING, GETTING, SENDING, AWAITING };

struct member {
	struct swarm_peer *peer;
	char *id, *key;
	bool is_told, is_answered;
	int next_message, unacknowledged;
};

struct message {
	char *data;
	size_t len;
	unsigned device;
};

struct swarm {
	struct swarm_target target;
	struct swarm_events events;
	struct member *members;
	unsigned count, up, started, failed, lost;
	enum task task;
	uint64_t began_us;
	double *figures; /* of the task: one a GET, or one a device */
	size_t figure_count, figure_room;
	struct vd_source *input, *deadline, *life, *ping;
	struct vd_buf line;
	/* send */
	struct message *messages;
	unsigned message_count, senders, inflight, sent, acknowledged;
	char boot_id[VD_UUID_TEXT];
	/* await */
	unsigned told, answered;
	double last_answer_ms;
};

static double since_us(const struct swarm *s)
{
	return (double)(vd_clock_mono_us() - s->began_us);
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double quantile(struct swarm *s, double q)
{
	size_t at = (size_t)(q * (double)s->figure_count);

	if (s->figure_count == 0)
		return 0;
	return s->figures[at >= s->figure_count ? s->figure_count - 1 : at];
}

static void begin(struct swarm *s, enum task task, unsigned seconds, size_t figures)
{
	s->task = task;
	s->began_us = vd_clock_mono_us();
	s->figure_count = 0;
	s->figure_room = figures;
	free(s->figures);
	s->figures = calloc(figures + 1, sizeof *s->figures);
	(void)!vd_timer_arm(s->deadline, seconds * 1000ULL);
}

static void note(struct swarm *s, double figure)
{
	if (s->figures && s->figure_count < s->figure_room)
		s->figures[s->figure_count++] = figure;
}

static void say_done(struct swarm *s, const char *task, unsigned count, unsigned asked)
{
	if (s->figures)
		qsort(s->figures, s->figure_count, sizeof *s->figures, by_size);
	(void)printf("{\"done\":\"%s\",\"count\":%u,\"asked\":%u,\"seconds\":%.3f,\"p50\":%.1f,"
		     "\"p99\":%.1f,\"last\":%.1f,\"answered\":%u,\"lastAnswer\":%.1f,"
		     "\"failed\":%u,\"lost\":%u}\n",
		     task, count, asked, since_us(s) / 1e6, quantile(s, 0.5), quantile(s, 0.99),
		     quantile(s, 1), s->answered, s->last_answer_ms, s->failed, s->lost);
	(void)fflush(stdout);
	s->task = IDLE;
	vd_timer_disarm(s->deadline);
}

/* --- connecting --- */

static void connect_more(struct swarm *s)
{
	while (s->started < s->count && s->started - s->up - s->failed < HANDSHAKES) {
		if (swarm_peer_connect(s->members[s->started++].peer) < 0)
			s->failed++;
	}
	if (s->up + s->failed == s->count)
		say_done(s, "connect", s->up, s->count);
}

static void changed(struct swarm_peer *peer, const char *reason, void *argument)
{
	struct swarm *s = argument;

	if (reason && (s->failed + s->lost) < 5)
		(void)fprintf(stderr, "%s: %s\n", swarm_peer_id(peer), reason);
	if (s->task != CONNECTING) {
		s->lost += reason != NULL;
		return;
	}
	if (reason)
		s->failed++;
	else
		s->up++;
	connect_more(s);
}

/* --- twin GETs --- */

static void get_next(struct swarm *s)
{
	struct member *m = &s->members[s->figure_count % s->count];

	s->began_us = vd_clock_mono_us();
	if (swarm_peer_publish(m->peer, "$iothub/twin/GET/?$rid=1", "", 0, 0) < 0)
		say_done(s, "get", (unsigned)s->figure_count, (unsigned)s->figure_room);
}

static void got(struct swarm *s)
{
	note(s, since_us(s));
	if (s->figure_count < s->figure_room)
		get_next(s);
	else
		say_done(s, "get", (unsigned)s->figure_count, (unsigned)s->figure_room);
}

/* --- telemetry --- */

static unsigned noise(unsigned *state)
{
	*state = *state * 1664525U + 1013904223U;
	return *state >> 8;
}

static int make_batch(struct swarm *s, const struct member *m, int number, int records,
		      struct vd_buf *out)
{
	unsigned state = (unsigned)number;
	char time[VD_TIME_TEXT];
	int r = 0;

	vd_buf_clear(out);
	for (int i = 0; r == 0 && i < records; i++) {
		int seq = number * records + i;

		r = vd_buf_printf(
			out,
			"%s{\"deviceId\":\"%s\",\"bootId\":\"%s\",\"seq\":%d,\"tMono\":%d,"
			"\"tWall\":\"%s\",\"timeQuality\":\"synchronized\",\"class\":"
			"\"telemetry\",\"module\":\"bus-%d\",\"output\":\"sample\","
			"\"moduleVersion\":"
			"\"1.0.0\",\"desiredVersion\":17,\"body\":{\"device\":\"press\",\"tag\":"
			"\"temperature.%d\",\"value\":%u.%u,\"quality\":\"good\"}}",
			i ? "," : "[", m->id, s->boot_id, seq, seq * 10,
			vd_time_text(1795305600000LL + seq * 10, time), seq % 3, seq % 40,
			noise(&state) % 1000, noise(&state) % 10000);
	}
	return r < 0 ? r : vd_buf_append(out, "]", 1);
}

static int make_message(struct swarm *s, unsigned index, int batch)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf text = { 0 };
	struct vd_buf out = { 0 };
	struct message *message = &s->messages[index];
	int r;

	message->device = index % s->senders;
	if (batch == 0) {
		r = vd_buf_printf(&out, "{\"temperature\":%u.5,\"n\":%u}", index % 100, index);
	} else {
		r = make_batch(s, &s->members[message->device], (int)(index / s->senders), batch,
			       &text);
		if (r == 0)
			r = vd_batch_deflate(text.data, text.len, &out);
	}
	message->data = out.data;
	message->len = out.len;
	return r;
}

static void send_more(struct swarm *s, struct member *m, unsigned device)
{
	const char *bag =
		s->messages[0].data[0] == '{'
			? ""
			: "%24.ce=zstd&%24.ct=application%2Fjson&vd-batch=1&class=telemetry";
	char topic[400];

	(void)snprintf(topic, sizeof topic, "devices/%s/messages/events/%s", m->id, bag);
	while (m->unacknowledged < (int)s->inflight) {
		unsigned index = (unsigned)m->next_message * s->senders + device;

		if (index >= s->message_count ||
		    swarm_peer_publish(m->peer, topic, s->messages[index].data,
				       s->messages[index].len, 1) < 0)
			return;
		m->next_message++;
		m->unacknowledged++;
		s->sent++;
	}
}

static void free_messages(struct swarm *s)
{
	for (unsigned i = 0; i < s->message_count; i++)
		free(s->messages[i].data);
	free(s->messages);
	s->messages = NULL;
	s->message_count = 0;
}

static void send_all(struct swarm *s, unsigned messages, unsigned inflight, unsigned devices,
		     int batch)
{
	free_messages(s);
	s->senders = devices > s->count ? s->count : devices;
	s->inflight = inflight;
	s->sent = s->acknowledged = 0;
	s->messages = calloc(messages, sizeof *s->messages);
	s->message_count = s->messages ? messages : 0;
	(void)vd_uuid(s->boot_id);
	for (unsigned i = 0; i < s->message_count; i++) {
		if (make_message(s, i, batch) < 0)
			s->message_count = i;
	}
	begin(s, SENDING, SEND_S, 0);
	for (unsigned i = 0; i < s->senders; i++) {
		s->members[i].next_message = s->members[i].unacknowledged = 0;
		send_more(s, &s->members[i], i);
	}
}

static void acknowledged(struct swarm_peer *peer, void *argument)
{
	struct swarm *s = argument;
	unsigned device = swarm_peer_number(peer);
	struct member *m = &s->members[device];

	if (s->task != SENDING)
		return;
	m->unacknowledged--;
	if (++s->acknowledged == s->message_count) {
		say_done(s, "send", s->acknowledged, s->message_count);
		return;
	}
	send_more(s, m, device);
}

/* --- a desired change --- */

static void told(struct swarm *s, struct member *m)
{
	static const char report[] = "{\"swarm\":{\"applied\":true}}";

	if (m->is_told)
		return;
	m->is_told = true;
	s->told++;
	note(s, since_us(s) / 1000);
	(void)!swarm_peer_publish(m->peer, "$iothub/twin/PATCH/properties/reported/?$rid=2", report,
				  sizeof report - 1, 0);
}

static void answered(struct swarm *s, struct member *m)
{
	if (m->is_answered || !m->is_told)
		return;
	m->is_answered = true;
	s->last_answer_ms = since_us(s) / 1000;
	if (++s->answered == s->count)
		say_done(s, "await", s->told, s->count);
}

static void await_change(struct swarm *s, unsigned seconds)
{
	for (unsigned i = 0; i < s->count; i++)
		s->members[i].is_told = s->members[i].is_answered = false;
	s->told = s->answered = 0;
	s->last_answer_ms = 0;
	begin(s, AWAITING, seconds, s->count);
	(void)printf("{\"awaiting\":%u}\n", s->count);
	(void)fflush(stdout);
}

static bool starts_with(const char *topic, size_t len, const char *prefix)
{
	return len >= strlen(prefix) && !memcmp(topic, prefix, strlen(prefix));
}

static void message(struct swarm_peer *peer, const char *topic, size_t len, void *argument)
{
	struct swarm *s = argument;
	struct member *m = &s->members[swarm_peer_number(peer)];

	if (s->task == GETTING && starts_with(topic, len, "$iothub/twin/res/200/"))
		got(s);
	else if (s->task == AWAITING && starts_with(topic, len, "$iothub/twin/PATCH/"))
		told(s, m);
	else if (s->task == AWAITING && starts_with(topic, len, "$iothub/twin/res/204/"))
		answered(s, m);
}

/* --- commands --- */

static void on_deadline(void *argument)
{
	struct swarm *s = argument;

	if (s->task == CONNECTING)
		say_done(s, "connect", s->up, s->count);
	else if (s->task == GETTING)
		say_done(s, "get", (unsigned)s->figure_count, (unsigned)s->figure_room);
	else if (s->task == SENDING)
		say_done(s, "send", s->acknowledged, s->message_count);
	else if (s->task == AWAITING)
		say_done(s, "await", s->told, s->count);
}

static void run_command(struct swarm *s, const char *line)
{
	unsigned n[3];
	int batch;

	if (!strcmp(line, "connect")) {
		begin(s, CONNECTING, CONNECT_S, 0);
		connect_more(s);
	} else if (sscanf(line, "get %u", &n[0]) == 1 && n[0] > 0) {
		begin(s, GETTING, 60, n[0]);
		get_next(s);
	} else if (sscanf(line, "send %u %u %u %d", &n[0], &n[1], &n[2], &batch) == 4 && n[0] > 0 &&
		   n[2] > 0) {
		send_all(s, n[0], n[1], n[2], batch);
	} else if (sscanf(line, "await %u", &n[0]) == 1) {
		await_change(s, n[0]);
	} else {
		(void)fprintf(stderr, "unknown: %s\n", line);
	}
}

static void on_input(int fd, int ready, void *argument)
{
	struct swarm *s = argument;
	char block[256], *end;
	ssize_t n = read(fd, block, sizeof block);

	if (n <= 0 || vd_buf_append(&s->line, block, (size_t)n) < 0) {
		vd_loop_stop(s->target.loop, 0);
		return;
	}
	while (s->line.len > 0 && (end = memchr(s->line.data, '\n', s->line.len))) {
		*end = '\0';
		run_command(s, s->line.data);
		vd_buf_drop(&s->line, (size_t)(end - s->line.data) + 1);
	}
}

static void on_life(void *argument)
{
	struct swarm *s = argument;

	vd_loop_stop(s->target.loop, 3);
}

static void on_ping(void *argument)
{
	struct swarm *s = argument;

	for (unsigned i = 0; i < s->count; i++)
		(void)!swarm_peer_ping(s->members[i].peer);
	(void)!vd_timer_arm(s->ping, PING_MS);
}

/* --- life --- */

static int add_member(struct swarm *s, const char *line)
{
	struct member *more = reallocarray(s->members, s->count + 1, sizeof *more);
	struct member *m;

	if (!more)
		return -ENOMEM;
	s->members = more;
	m = &more[s->count];
	*m = (struct member){ 0 };
	if (sscanf(line, "%ms %ms", &m->id, &m->key) != 2)
		return -EINVAL;
	return swarm_peer_new(&s->target, &s->events, m->id, m->key, s->count++, &m->peer);
}

static int read_identities(struct swarm *s, const char *path)
{
	FILE *file = fopen(path, "re");
	char line[512];
	int r = file ? 0 : -errno;

	while (r == 0 && fgets(line, sizeof line, file))
		r = add_member(s, line);
	if (file)
		(void)fclose(file);
	return r == 0 && s->count == 0 ? -ENODATA : r;
}

static int make_tls(struct swarm *s, const char *ca)
{
	SSL_CTX *tls = SSL_CTX_new(TLS_client_method());

	s->target.tls = tls;
	if (!tls || SSL_CTX_load_verify_locations(tls, ca, NULL) != 1)
		return -EINVAL;
	SSL_CTX_set_verify(tls, SSL_VERIFY_PEER, NULL);
	(void)SSL_CTX_set_mode(tls, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
					    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	(void)SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_OFF);
	return 0;
}

static int make_sources(struct swarm *s)
{
	int r = vd_loop_timer(s->target.loop, on_deadline, s, &s->deadline);

	if (r == 0)
		r = vd_loop_timer(s->target.loop, on_life, s, &s->life);
	if (r == 0)
		r = vd_loop_timer(s->target.loop, on_ping, s, &s->ping);
	if (r == 0)
		r = vd_timer_arm(s->life, LIFE_S * 1000ULL);
	if (r == 0)
		r = vd_timer_arm(s->ping, PING_MS);
	if (r == 0)
		r = vd_loop_fd(s->target.loop, STDIN_FILENO, VD_READABLE, on_input, s, &s->input);
	return r;
}

static void free_all(struct swarm *s)
{
	for (unsigned i = 0; i < s->count; i++) {
		(void)swarm_peer_free(s->members[i].peer);
		free(s->members[i].id);
		free(s->members[i].key);
	}
	free_messages(s);
	free(s->members);
	free(s->figures);
	vd_buf_fini(&s->line);
	(void)vd_source_free(s->input);
	(void)vd_source_free(s->deadline);
	(void)vd_source_free(s->life);
	(void)vd_source_free(s->ping);
	SSL_CTX_free(s->target.tls);
	(void)vd_loop_free(s->target.loop);
}

int main(int argc, char **argv)
{
	struct swarm s = { .events = { changed, acknowledged, message, &s } };
	int r = argc < 6 ? -EINVAL : vd_loop_new(&s.target.loop);

	if (r == 0) {
		s.target.address = argv[1];
		s.target.port = (uint16_t)strtoul(argv[2], NULL, 10);
		s.target.host_name = argv[3];
		s.target.sources = argc > 6 ? (unsigned)strtoul(argv[6], NULL, 10) : 0;
		r = make_tls(&s, argv[4]);
	}
	if (r == 0)
		r = read_identities(&s, argv[5]);
	if (r == 0)
		r = make_sources(&s);
	if (r == 0)
		r = vd_loop_run(s.target.loop);
	if (r < 0)
		(void)fprintf(stderr, "vedette-swarm: %s\n", strerror(-r));
	if (s.target.loop)
		free_all(&s);
	return r ? 1 : 0;
}
