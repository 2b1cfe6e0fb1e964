/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/swarm/peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>

#include "base/clock.h"
#include "base/digest.h"

enum { CONNECT = 0x10, CONNACK = 2, PUBLISH = 3, PUBACK = 4, SUBSCRIBE = 0x82, SUBACK = 9 };
enum { KEEP_ALIVE_S = 600, READ_BYTES = 16384, PACKET_MAX = 1 << 18, TOKEN_S = 86400 };

enum state { AWAY, SHAKING, CONNECTING, SUBSCRIBING, UP };

struct swarm_peer {
	const struct swarm_target *target;
	const struct swarm_events *events;
	const char *id, *key;
	unsigned number;
	enum state state;
	int fd, wanted;
	SSL *ssl;
	struct vd_source *source;
	struct vd_buf in, out;
	uint16_t last_packet;
};

int swarm_peer_new(const struct swarm_target *target, const struct swarm_events *events,
		   const char *id, const char *key, unsigned number, struct swarm_peer **ret_peer)
{
	struct swarm_peer *peer = calloc(1, sizeof *peer);

	if (!peer)
		return -ENOMEM;
	*peer = (struct swarm_peer){
		.target = target, .events = events, .id = id, .key = key, .number = number, .fd = -1
	};
	*ret_peer = peer;
	return 0;
}

static void leave(struct swarm_peer *peer)
{
	peer->source = vd_source_free(peer->source);
	SSL_free(peer->ssl);
	peer->ssl = NULL;
	vd_close(&peer->fd);
	vd_buf_fini(&peer->in);
	vd_buf_fini(&peer->out);
	peer->state = AWAY;
}

struct swarm_peer *swarm_peer_free(struct swarm_peer *peer)
{
	if (peer)
		leave(peer);
	free(peer);
	return NULL;
}

static void fail(struct swarm_peer *peer, const char *reason)
{
	leave(peer);
	peer->events->changed(peer, reason, peer->events->argument);
}

bool swarm_peer_is_up(const struct swarm_peer *peer)
{
	return peer->state == UP;
}

unsigned swarm_peer_number(const struct swarm_peer *peer)
{
	return peer->number;
}

const char *swarm_peer_id(const struct swarm_peer *peer)
{
	return peer->id;
}

/* --- packets --- */

static int append_number(struct vd_buf *out, size_t n)
{
	const unsigned char bytes[2] = { (unsigned char)(n >> 8), (unsigned char)n };

	return vd_buf_append(out, bytes, 2);
}

static int append_text(struct vd_buf *out, const char *text)
{
	int r = append_number(out, strlen(text));

	return r < 0 ? r : vd_buf_append(out, text, strlen(text));
}

static void want(struct swarm_peer *peer, int wanted)
{
	if (peer->wanted != wanted && vd_source_want(peer->source, wanted) == 0)
		peer->wanted = wanted;
}

static int flush(struct swarm_peer *peer)
{
	size_t n;

	while (peer->out.len > 0) {
		if (SSL_write_ex(peer->ssl, peer->out.data, peer->out.len, &n) != 1) {
			int error = SSL_get_error(peer->ssl, 0);

			ERR_clear_error();
			if (error != SSL_ERROR_WANT_WRITE && error != SSL_ERROR_WANT_READ)
				return -EPIPE;
			want(peer, VD_READABLE | VD_WRITABLE);
			return 0;
		}
		vd_buf_drop(&peer->out, n);
	}
	vd_buf_fini(&peer->out);
	want(peer, VD_READABLE);
	return 0;
}

/* The head, then what is in body, then payload. */
static int send_packet(struct swarm_peer *peer, int head, const struct vd_buf *body,
		       const void *payload, size_t len)
{
	unsigned char bytes[5] = { (unsigned char)head };
	size_t left = body->len + len, n = 1;
	int r;

	do {
		bytes[n] = (unsigned char)(left % 128 | (left >= 128 ? 128 : 0));
		left /= 128;
		n++;
	} while (left > 0 && n < sizeof bytes);
	r = vd_buf_append(&peer->out, bytes, n);
	if (r == 0 && body->len > 0)
		r = vd_buf_append(&peer->out, body->data, body->len);
	if (r == 0 && len > 0)
		r = vd_buf_append(&peer->out, payload, len);
	return r < 0 ? r : flush(peer);
}

static uint16_t next_packet(struct swarm_peer *peer)
{
	if (++peer->last_packet == 0)
		peer->last_packet = 1;
	return peer->last_packet;
}

int swarm_peer_publish(struct swarm_peer *peer, const char *topic, const void *payload, size_t len,
		       int qos)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf body = { 0 };
	int r = peer->state == UP ? append_text(&body, topic) : -ENOTCONN;

	if (r == 0 && qos > 0)
		r = append_number(&body, next_packet(peer));
	return r < 0 ? r : send_packet(peer, PUBLISH << 4 | qos << 1, &body, payload, len);
}

int swarm_peer_ping(struct swarm_peer *peer)
{
	const struct vd_buf nothing = { 0 };

	return peer->state == UP ? send_packet(peer, 0xC0, &nothing, NULL, 0) : -ENOTCONN;
}

/* A SAS token as Azure's SDKs make it. */
static int make_token(const struct swarm_peer *peer, struct vd_buf *out)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf key = { 0 };
	VD_CLEANUP(vd_buf_fini) struct vd_buf text = { 0 };
	VD_CLEANUP(vd_buf_fini) struct vd_buf signature = { 0 };
	uint8_t mac[VD_SHA256_BYTES];
	long long expires = vd_clock_wall_ms() / 1000 + TOKEN_S;
	int r = vd_base64_decode(peer->key, strlen(peer->key), &key);

	if (r == 0)
		r = vd_buf_printf(&text, "%s%%2Fdevices%%2F%s\n%lld", peer->target->host_name,
				  peer->id, expires);
	if (r == 0)
		r = vd_hmac_sha256(key.data, key.len, text.data, text.len, mac);
	if (r == 0)
		r = vd_base64_encode(mac, sizeof mac, &signature);
	if (r == 0)
		r = vd_buf_printf(out, "SharedAccessSignature sr=%s%%2Fdevices%%2F%s&sig=",
				  peer->target->host_name, peer->id);
	for (size_t i = 0; r == 0 && i < signature.len; i++) {
		char c = signature.data[i];

		r = strchr("+/=", c) ? vd_buf_printf(out, "%%%02X", (unsigned)c)
				     : vd_buf_append(out, &c, 1);
	}
	return r < 0 ? r : vd_buf_printf(out, "&se=%lld", expires);
}

static int send_connect(struct swarm_peer *peer)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf body = { 0 };
	VD_CLEANUP(vd_buf_fini) struct vd_buf text = { 0 };
	int r = append_text(&body, "MQTT");

	if (r == 0)
		r = vd_buf_append(&body, "\4\xC0",
				  2); /* 3.1.1; user name, password; the session is kept */
	if (r == 0)
		r = append_number(&body, KEEP_ALIVE_S);
	if (r == 0)
		r = append_text(&body, peer->id);
	if (r == 0)
		r = vd_buf_printf(&text, "%s/%s/?api-version=2021-04-12", peer->target->host_name,
				  peer->id);
	if (r == 0)
		r = append_text(&body, text.data);
	vd_buf_clear(&text);
	if (r == 0)
		r = make_token(peer, &text);
	if (r == 0)
		r = append_text(&body, text.data);
	peer->state = CONNECTING;
	return r < 0 ? r : send_packet(peer, CONNECT, &body, NULL, 0);
}

/* As vedetted does. */
static int send_subscriptions(struct swarm_peer *peer)
{
	static const char *const filters[] = { "$iothub/twin/res/#",
					       "$iothub/twin/PATCH/properties/desired/#",
					       "$iothub/methods/POST/#" };
	VD_CLEANUP(vd_buf_fini) struct vd_buf body = { 0 };
	int r = append_number(&body, next_packet(peer));

	for (size_t i = 0; r == 0 && i < VD_COUNT(filters); i++) {
		r = append_text(&body, filters[i]);
		if (r == 0)
			r = vd_buf_append(&body, "", 1);
	}
	peer->state = SUBSCRIBING;
	return r < 0 ? r : send_packet(peer, SUBSCRIBE, &body, NULL, 0);
}

static int take_publish(struct swarm_peer *peer, unsigned flags, const char *body, size_t len)
{
	size_t topic_len =
		len < 2 ? len : (size_t)((unsigned char)body[0] << 8 | (unsigned char)body[1]);
	VD_CLEANUP(vd_buf_fini) struct vd_buf answer = { 0 };

	if (topic_len + 4 > len + (flags & 6 ? 0 : 2))
		return -EPROTO;
	if (flags & 6) {
		int r = vd_buf_append(&answer, body + 2 + topic_len, 2);

		if (r == 0)
			r = send_packet(peer, PUBACK << 4, &answer, NULL, 0);
		if (r < 0)
			return r;
	}
	peer->events->message(peer, body + 2, topic_len, peer->events->argument);
	return 0;
}

static int take_packet(struct swarm_peer *peer, unsigned head, const char *body, size_t len)
{
	switch (head >> 4) {
	case CONNACK:
		return len == 2 && body[1] == 0 ? send_subscriptions(peer) : -EACCES;
	case SUBACK:
		peer->state = UP;
		peer->events->changed(peer, NULL, peer->events->argument);
		return 0;
	case PUBACK:
		peer->events->acknowledged(peer, peer->events->argument);
		return 0;
	case PUBLISH:
		return take_publish(peer, head & 15, body, len);
	default:
		return 0;
	}
}

/* The bytes of the first whole packet, 0: not all of it is here, -EPROTO. */
static int next_length(const struct vd_buf *in, size_t *ret_head)
{
	size_t len = 0;

	for (size_t i = 1; i < in->len && i < 5; i++) {
		unsigned char byte = (unsigned char)in->data[i];

		len |= (size_t)(byte & 127) << 7 * (i - 1);
		if (byte & 128)
			continue;
		*ret_head = i + 1;
		if (len > PACKET_MAX)
			return -EPROTO;
		return in->len >= i + 1 + len ? (int)(i + 1 + len) : 0;
	}
	return in->len >= 5 ? -EPROTO : 0;
}

static int take_packets(struct swarm_peer *peer)
{
	size_t head;
	int n;

	while ((n = next_length(&peer->in, &head)) > 0) {
		int r = take_packet(peer, (unsigned char)peer->in.data[0], peer->in.data + head,
				    (size_t)n - head);

		if (r < 0)
			return r;
		vd_buf_drop(&peer->in, (size_t)n);
	}
	if (peer->in.len == 0)
		vd_buf_fini(&peer->in);
	return n;
}

static int receive(struct swarm_peer *peer)
{
	static char block[READ_BYTES];
	size_t n;

	while (SSL_read_ex(peer->ssl, block, sizeof block, &n) == 1) {
		int r = vd_buf_append(&peer->in, block, n);

		if (r == 0)
			r = take_packets(peer);
		if (r < 0)
			return r;
	}
	switch (SSL_get_error(peer->ssl, 0)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		ERR_clear_error();
		return 0;
	default:
		ERR_clear_error();
		return -ECONNRESET;
	}
}

/* --- the connection --- */

static int shake(struct swarm_peer *peer)
{
	int done = SSL_connect(peer->ssl), error = SSL_get_error(peer->ssl, done);

	ERR_clear_error();
	if (done == 1)
		return send_connect(peer);
	if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE)
		return -ECONNREFUSED;
	want(peer, error == SSL_ERROR_WANT_READ ? VD_READABLE : VD_WRITABLE);
	return 0;
}

static void on_socket(int fd, int ready, void *argument)
{
	struct swarm_peer *peer = argument;
	int r = 0;

	if (peer->state == SHAKING)
		r = shake(peer);
	if (r == 0 && peer->state > SHAKING && ready & VD_WRITABLE)
		r = flush(peer);
	if (r == 0 && peer->state > SHAKING)
		r = receive(peer);
	if (r < 0)
		fail(peer, strerror(-r));
}

static int bind_source(const struct swarm_peer *peer)
{
	struct sockaddr_in source = { .sin_family = AF_INET };
	int one = 1;

	if (peer->target->sources == 0)
		return 0;
	source.sin_addr.s_addr = htonl(INADDR_LOOPBACK + peer->number % peer->target->sources);
	(void)setsockopt(peer->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
	return bind(peer->fd, (struct sockaddr *)&source, sizeof source) < 0 ? -errno : 0;
}

static int open_socket(struct swarm_peer *peer)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(peer->target->port) };
	int one = 1, r;

	if (inet_pton(AF_INET, peer->target->address, &to.sin_addr) != 1)
		return -EINVAL;
	peer->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (peer->fd < 0)
		return -errno;
	(void)setsockopt(peer->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	r = bind_source(peer);
	if (r == 0 && connect(peer->fd, (struct sockaddr *)&to, sizeof to) < 0 &&
	    errno != EINPROGRESS)
		r = -errno;
	return r;
}

int swarm_peer_connect(struct swarm_peer *peer)
{
	int r = open_socket(peer);

	if (r == 0) {
		peer->ssl = SSL_new(peer->target->tls);
		if (!peer->ssl || SSL_set_fd(peer->ssl, peer->fd) != 1 ||
		    SSL_set1_host(peer->ssl, peer->target->host_name) != 1 ||
		    SSL_set_tlsext_host_name(peer->ssl, peer->target->host_name) != 1)
			r = -ENOMEM;
	}
	peer->wanted = VD_WRITABLE;
	if (r == 0)
		r = vd_loop_fd(peer->target->loop, peer->fd, peer->wanted, on_socket, peer,
			       &peer->source);
	peer->state = SHAKING;
	if (r < 0)
		leave(peer);
	return r;
}
