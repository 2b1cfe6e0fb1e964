/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libmodbus' own recovery modes stay off: they sleep and loop without end (libmodbus #39, #198).
 * It takes a socket that we connected, and its RTU context takes one too, which is RTU over
 * TCP; only its flush is then useless (tcflush), so we drain sockets ourselves.
 *
 * A reply that comes after its time limit would answer the next request. Over TCP the
 * transaction number shows it: libmodbus refuses, we wait for the line to fall silent and ask
 * again. RTU has no number, so after a time-out we listen before we ask again.
 */
#include "modules/modbus/client.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include <modbus/modbus.h>

#include "base/clock.h"
#include "modules/modbus/plan.h"

enum {
	SILENT_MS = 20,            /* a line this long without a byte is silent */
	SETTLE_MS = 300,           /* the longest wait for that */
	TIMEOUTS_TO_RECONNECT = 3, /* over TCP: perhaps a cable was pulled */
	TEXT_BYTES = 128,
};

struct vd_modbus_client {
	const struct vd_modbus_transport *transport;
	int wake_fd;
	modbus_t *modbus; /* NULL: not connected */
	bool was_used;    /* an answer came on this connection */
	bool owes_reply;  /* the last request timed out: its answer may still come */
	unsigned timeouts;
	uint64_t connections;
	uint64_t last_us; /* of the last byte, for the gap between frames */
	char text[TEXT_BYTES];
};

int vd_modbus_client_new(const struct vd_modbus_transport *transport, int wake_fd,
			 struct vd_modbus_client **ret_client)
{
	struct vd_modbus_client *client = calloc(1, sizeof *client);

	if (!client)
		return -ENOMEM;
	client->transport = transport;
	client->wake_fd = wake_fd;
	*ret_client = client;
	return 0;
}

struct vd_modbus_client *vd_modbus_client_free(struct vd_modbus_client *client)
{
	if (client)
		vd_modbus_client_disconnect(client);
	free(client);
	return NULL;
}

bool vd_modbus_client_is_connected(const struct vd_modbus_client *client)
{
	return client->modbus;
}

const char *vd_modbus_client_text(const struct vd_modbus_client *client)
{
	return client->text;
}

void vd_modbus_client_disconnect(struct vd_modbus_client *client)
{
	if (!client->modbus)
		return;
	modbus_close(client->modbus);
	modbus_free(client->modbus);
	client->modbus = NULL;
	client->was_used = client->owes_reply = false;
	client->timeouts = 0;
}

static int say(struct vd_modbus_client *client, int r, const char *text)
{
	(void)snprintf(client->text, sizeof client->text, "%s", text);
	return r;
}

/* Waits for a connect in progress. */
static int await_connection(int fd, int wake_fd, uint32_t timeout_ms)
{
	struct pollfd fds[] = { { .fd = fd, .events = POLLOUT },
				{ .fd = wake_fd, .events = POLLIN } };
	int problem = 0, r = poll(fds, 2, (int)timeout_ms);
	socklen_t len = sizeof problem;

	if (r < 0)
		return -errno;
	if (r == 0)
		return -ETIMEDOUT;
	if (fds[1].revents)
		return -ECANCELED;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &problem, &len) < 0)
		return -errno;
	return -problem;
}

static void set_options(int fd, uint32_t timeout_ms)
{
	int on = 1;
	unsigned user_timeout_ms = timeout_ms * 4;

	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
	(void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &user_timeout_ms,
			 sizeof user_timeout_ms);
}

static int connect_address(struct vd_modbus_client *client, const struct addrinfo *address,
			   uint32_t timeout_ms, int *ret_fd)
{
	VD_CLEANUP(vd_close)
	int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int r = 0;

	if (fd < 0)
		return -errno;
	if (fd >= FD_SETSIZE) /* libmodbus selects on it */
		return -EMFILE;
	if (connect(fd, address->ai_addr, address->ai_addrlen) < 0)
		r = errno == EINPROGRESS ? await_connection(fd, client->wake_fd, timeout_ms)
					 : -errno;
	if (r < 0)
		return r;
	set_options(fd, timeout_ms);
	*ret_fd = fd;
	fd = -1;
	return 0;
}

static int connect_host(struct vd_modbus_client *client, uint32_t timeout_ms, int *ret_fd)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *list = NULL;
	char port[8];
	int r;

	(void)snprintf(port, sizeof port, "%u", client->transport->port);
	r = getaddrinfo(client->transport->host, port, &hints, &list);
	if (r != 0)
		return say(client, -EHOSTUNREACH, gai_strerror(r));
	r = -EHOSTUNREACH;
	for (const struct addrinfo *a = list; a && r < 0 && r != -ECANCELED; a = a->ai_next)
		r = connect_address(client, a, timeout_ms, ret_fd);
	freeaddrinfo(list);
	return r < 0 ? say(client, r, strerror(-r)) : 0;
}

static modbus_t *new_rtu(const struct vd_modbus_transport *transport, const char *path)
{
	return modbus_new_rtu(path, (int)transport->baud, transport->parity, transport->data_bits,
			      transport->stop_bits);
}

static int connect_tcp(struct vd_modbus_client *client, uint32_t timeout_ms)
{
	VD_CLEANUP(vd_close) int fd = -1;
	int r = connect_host(client, timeout_ms, &fd);

	if (r < 0)
		return r;
	client->modbus = client->transport->type == VD_MODBUS_TCP
				 ? modbus_new_tcp("127.0.0.1", 502)
				 : new_rtu(client->transport, "/dev/null");
	if (!client->modbus)
		return say(client, -ENOMEM, "no memory");
	(void)modbus_set_socket(client->modbus, fd);
	fd = -1;
	return 0;
}

/* What an adapter cannot do (a pseudo terminal, say) is not an error: RTS then stays as it is. */
static void set_lines(struct vd_modbus_client *client)
{
	const struct vd_modbus_transport *transport = client->transport;

	if (transport->is_rs485 && modbus_rtu_set_serial_mode(client->modbus, MODBUS_RTU_RS485) < 0)
		(void)say(client, 0, "the driver has no RS-485 mode");
	if (transport->rts != VD_MODBUS_RTS_NONE)
		(void)modbus_rtu_set_rts(client->modbus, transport->rts == VD_MODBUS_RTS_UP
								 ? MODBUS_RTU_RTS_UP
								 : MODBUS_RTU_RTS_DOWN);
}

static int connect_serial(struct vd_modbus_client *client)
{
	int r;

	client->modbus = new_rtu(client->transport, client->transport->path);
	if (!client->modbus)
		return say(client, -ENOMEM, "no memory");
	if (modbus_connect(client->modbus) == 0 && modbus_get_socket(client->modbus) < FD_SETSIZE) {
		set_lines(client);
		return 0;
	}
	r = errno ? -errno : -EIO;
	modbus_free(client->modbus);
	client->modbus = NULL;
	return say(client, r, strerror(-r));
}

int vd_modbus_client_connect(struct vd_modbus_client *client, uint32_t timeout_ms)
{
	int r;

	if (client->modbus)
		return 0;
	client->text[0] = '\0';
	r = client->transport->type == VD_MODBUS_RTU ? connect_serial(client)
						     : connect_tcp(client, timeout_ms);
	client->connections += r == 0;
	return r;
}

uint64_t vd_modbus_client_connections(const struct vd_modbus_client *client)
{
	return client->connections;
}

/* Throws away what has come, then what comes until the line was silent, for at most limit_ms. */
static void drain(struct vd_modbus_client *client, uint32_t silent_ms, uint32_t limit_ms)
{
	struct pollfd fd = { .fd = modbus_get_socket(client->modbus), .events = POLLIN };
	uint64_t end_ms = vd_clock_mono_ms() + limit_ms;
	char bytes[512];

	while (poll(&fd, 1, (int)silent_ms) > 0 && vd_clock_mono_ms() <= end_ms) {
		ssize_t n = read(fd.fd, bytes, sizeof bytes);

		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
			return;
	}
}

static void await_input(struct vd_modbus_client *client, uint32_t limit_ms)
{
	struct pollfd fd = { .fd = modbus_get_socket(client->modbus), .events = POLLIN };

	(void)poll(&fd, 1, (int)limit_ms);
}

static bool is_serial(const struct vd_modbus_client *client)
{
	return client->transport->type != VD_MODBUS_TCP;
}

static void await_gap(struct vd_modbus_client *client)
{
	const struct vd_modbus_transport *transport = client->transport;
	uint64_t gap_us = transport->frame_gap_ms * 1000ULL, past_us;

	if (transport->type != VD_MODBUS_RTU)
		return;
	if (gap_us == 0)
		gap_us = transport->baud > 19200 ? 1750 : 38500000ULL / transport->baud;
	past_us = vd_clock_mono_us() - client->last_us;
	if (past_us < gap_us)
		(void)usleep((useconds_t)(gap_us - past_us));
}

/* Before a request: nothing of an older answer may be in the way. */
static void get_in_step(struct vd_modbus_client *client, const struct vd_modbus_request *request)
{
	uint32_t listen_ms = request->timeout_ms / 2;

	if (client->owes_reply && is_serial(client))
		drain(client, listen_ms < SETTLE_MS ? listen_ms : SETTLE_MS, SETTLE_MS);
	else if (client->owes_reply)
		drain(client, 0, SETTLE_MS);
	client->owes_reply = false;
	await_gap(client);
}

typedef int (*transfer_fn)(modbus_t *modbus, const struct vd_modbus_request *request, void *words);

static int read_bits(modbus_t *modbus, const struct vd_modbus_request *request, uint16_t *words)
{
	uint8_t bits[VD_MODBUS_MAX_BITS];
	int r = request->area == VD_MODBUS_COIL
			? modbus_read_bits(modbus, request->address, request->count, bits)
			: modbus_read_input_bits(modbus, request->address, request->count, bits);

	for (int i = 0; i < r && i < request->count; i++)
		words[i] = bits[i];
	return r;
}

static int transfer_in(modbus_t *modbus, const struct vd_modbus_request *request, void *words)
{
	if (vd_modbus_area_is_bits(request->area))
		return read_bits(modbus, request, words);
	if (request->area == VD_MODBUS_HOLDING)
		return modbus_read_registers(modbus, request->address, request->count, words);
	return modbus_read_input_registers(modbus, request->address, request->count, words);
}

static int transfer_out(modbus_t *modbus, const struct vd_modbus_request *request, void *words)
{
	const uint16_t *values = words;

	if (request->area == VD_MODBUS_COIL)
		return modbus_write_bit(modbus, request->address, values[0] != 0);
	if (request->count == 1)
		return modbus_write_register(modbus, request->address, values[0]);
	return modbus_write_registers(modbus, request->address, request->count, values);
}

/* What libmodbus' errno means for us. */
static int result_of(struct vd_modbus_client *client, int problem)
{
	(void)say(client, 0, modbus_strerror(problem));
	if (problem > MODBUS_ENOBASE && problem < MODBUS_ENOBASE + MODBUS_EXCEPTION_MAX)
		return problem - MODBUS_ENOBASE;
	if (problem == ETIMEDOUT)
		return -ETIMEDOUT;
	if (problem > MODBUS_ENOBASE)
		return -EPROTO;
	return problem ? -problem : -EIO;
}

static int transfer_once(struct vd_modbus_client *client, const struct vd_modbus_request *request,
			 transfer_fn transfer, void *words)
{
	int n;

	get_in_step(client, request);
	(void)modbus_set_slave(client->modbus, request->unit);
	(void)modbus_set_response_timeout(client->modbus, request->timeout_ms / 1000,
					  request->timeout_ms % 1000 * 1000);
	errno = 0;
	n = transfer(client->modbus, request, words);
	if (n < 0)
		n = result_of(client, errno);
	else
		n = 0;
	client->last_us = vd_clock_mono_us();
	return n;
}

/* Keeps count of what the answer says about the connection; closes it when it is of no use. */
static int judge(struct vd_modbus_client *client, int r)
{
	if (r >= 0) {
		client->was_used = true;
		client->timeouts = 0;
		return r;
	}
	if (r == -ETIMEDOUT) {
		client->owes_reply = true;
		if (client->transport->type == VD_MODBUS_RTU ||
		    ++client->timeouts < TIMEOUTS_TO_RECONNECT)
			return r;
	} else if (r == -EPROTO && client->transport->type == VD_MODBUS_RTU) {
		return r;
	}
	vd_modbus_client_disconnect(client);
	return r;
}

/*
 * The second try: at once on a new connection when the device had closed an idle one, or after
 * silence when the answer was another request's.
 */
static int transfer(struct vd_modbus_client *client, const struct vd_modbus_request *request,
		    transfer_fn fn, void *words)
{
	bool was_used = client->was_used;
	int r;

	if (!client->modbus)
		return say(client, -ENOTCONN, "not connected");
	client->text[0] = '\0';
	r = transfer_once(client, request, fn, words);
	if (r == -EPROTO) {
		await_input(client,
			    request->timeout_ms < SETTLE_MS ? request->timeout_ms : SETTLE_MS);
		drain(client, SILENT_MS, SETTLE_MS);
		r = transfer_once(client, request, fn, words);
	} else if (r < 0 && r != -ETIMEDOUT && was_used) {
		vd_modbus_client_disconnect(client);
		r = vd_modbus_client_connect(client, request->timeout_ms);
		if (r == 0)
			r = transfer_once(client, request, fn, words);
	}
	return client->modbus ? judge(client, r) : r;
}

int vd_modbus_client_read(struct vd_modbus_client *client, const struct vd_modbus_request *request,
			  uint16_t *words)
{
	uint32_t limit = vd_modbus_area_is_bits(request->area) ? VD_MODBUS_MAX_BITS
							       : VD_MODBUS_MAX_REGISTERS;

	if (request->count == 0 || request->count > limit)
		return say(client, -EINVAL, "bad count");
	return transfer(client, request, transfer_in, words);
}

int vd_modbus_client_write(struct vd_modbus_client *client, const struct vd_modbus_request *request,
			   const uint16_t *words)
{
	uint16_t copy[4];

	if (request->count == 0 || request->count > VD_COUNT(copy))
		return say(client, -EINVAL, "bad count");
	memcpy(copy, words, request->count * sizeof *words);
	return transfer(client, request, transfer_out, copy);
}
