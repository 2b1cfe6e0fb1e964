/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One connection, 125 registers, one request in flight, against the same server in this process:
 *   raw        write and read on the socket, the limit
 *   libmodbus  modbus_read_registers
 *   client     the module's requests
 *   polls      a poll of 125 tags: plan, client, decoding, samples with a deadband, news
 * then polls of many devices, each answering after 5 ms, by one thread a connection.
 * usage: bench_modbus [MILLISECONDS A MEASUREMENT]
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <modbus/modbus.h>

#include "base/clock.h"
#include "base/log.h"
#include "modules/modbus/client.h"
#include "modules/modbus/poll.h"

enum { REGISTERS = 125, DEVICES = 50, TURNAROUND_US = 5000 };

static _Atomic unsigned turnaround_us;
static _Atomic bool done;
static uint16_t port;
static uint64_t window_us = 1000000;

/* --- The server --- */

static void *serve(void *argument)
{
	int fd = (int)(intptr_t)argument;
	uint8_t bytes[MODBUS_TCP_MAX_ADU_LENGTH + 4];
	modbus_mapping_t *mapping = modbus_mapping_new(0, 0, 1000, 0);
	modbus_t *modbus = modbus_new_tcp("127.0.0.1", 502);
	int n;

	(void)modbus_set_socket(modbus, fd);
	while ((n = modbus_receive(modbus, bytes)) >= 0) {
		if (atomic_load(&turnaround_us))
			(void)usleep(atomic_load(&turnaround_us));
		if (n > 0 && modbus_reply(modbus, bytes, n, mapping) < 0)
			break;
	}
	(void)close(fd);
	modbus_free(modbus);
	modbus_mapping_free(mapping);
	return NULL;
}

static void *listen_all(void *argument)
{
	int listener = (int)(intptr_t)argument, fd, on = 1;
	pthread_t thread;

	while ((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
		if (pthread_create(&thread, NULL, serve, (void *)(intptr_t)fd) == 0)
			(void)pthread_detach(thread);
	}
	return NULL;
}

static void start_server(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof address;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	pthread_t thread;

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, length) < 0 || listen(fd, 128) < 0 ||
	    getsockname(fd, (struct sockaddr *)&address, &length) < 0 ||
	    pthread_create(&thread, NULL, listen_all, (void *)(intptr_t)fd) != 0)
		abort();
	(void)pthread_detach(thread);
	port = ntohs(address.sin_port);
}

/* --- The peers --- */

static double rate_of(uint64_t count, uint64_t started_us)
{
	return (double)count * 1e6 / (double)(vd_clock_mono_us() - started_us);
}

static double measure_libmodbus(void)
{
	modbus_t *modbus = modbus_new_tcp("127.0.0.1", port);
	uint16_t words[REGISTERS];
	uint64_t count = 0, started = vd_clock_mono_us();

	if (modbus_connect(modbus) < 0)
		abort();
	for (; vd_clock_mono_us() - started < window_us; count++) {
		if (modbus_read_registers(modbus, 0, REGISTERS, words) != REGISTERS)
			abort();
	}
	modbus_close(modbus);
	modbus_free(modbus);
	return rate_of(count, started);
}

static double measure_raw(void)
{
	static const uint8_t request[] = { 0, 1, 0, 0, 0, 6, 255, 3, 0, 0, 0, REGISTERS };
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_port = htons(port),
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
	uint8_t answer[9 + 2 * REGISTERS];
	uint64_t count = 0, started;

	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
		abort();
	started = vd_clock_mono_us();
	for (; vd_clock_mono_us() - started < window_us; count++) {
		if (write(fd, request, sizeof request) != (ssize_t)sizeof request ||
		    recv(fd, answer, sizeof answer, MSG_WAITALL) != (ssize_t)sizeof answer)
			abort();
	}
	(void)close(fd);
	return rate_of(count, started);
}

/* --- Ours --- */

static struct vd_modbus_tag tags[REGISTERS];

struct ours {
	struct vd_modbus_client *client;
	uint64_t count;
};

static int read_range(const struct vd_modbus_device *device, enum vd_modbus_area area,
		      struct vd_modbus_range range, uint16_t *words, void *argument)
{
	struct ours *ours = argument;
	struct vd_modbus_request request = { 1, 1000, area, (uint16_t)range.address,
					     (uint16_t)range.count };

	return vd_modbus_client_read(ours->client, &request, words);
}

static const char *text_of(void *argument)
{
	return "";
}

static bool never(void *argument)
{
	return false;
}

static void drop_body(const char *output, const char *record_class, cJSON **body, void *argument)
{
	*body = vd_json_free(*body);
}

static struct vd_modbus_transport here(void)
{
	return (struct vd_modbus_transport){
		.type = VD_MODBUS_TCP, .host = "127.0.0.1", .path = "", .port = port
	};
}

static double measure_client(void)
{
	struct vd_modbus_transport transport = here();
	struct vd_modbus_request request = { 1, 1000, VD_MODBUS_HOLDING, 0, REGISTERS };
	struct vd_modbus_client *client;
	uint16_t words[REGISTERS];
	uint64_t count = 0, started = vd_clock_mono_us();

	if (vd_modbus_client_new(&transport, -1, &client) < 0 ||
	    vd_modbus_client_connect(client, 1000) < 0)
		abort();
	for (; vd_clock_mono_us() - started < window_us; count++) {
		if (vd_modbus_client_read(client, &request, words) != 0)
			abort();
	}
	client = vd_modbus_client_free(client);
	return rate_of(count, started);
}

static void *poll_for_a_while(void *argument)
{
	struct vd_modbus_transport transport = here();
	struct vd_modbus_device is = { .name = "d",
				       .max_registers = 125,
				       .max_bits = 2000,
				       .fail_after = 1,
				       .tags = tags,
				       .tag_count = REGISTERS };
	struct ours *ours = argument;
	const struct vd_modbus_poll_reader reader = { read_range, text_of, never, ours };
	const struct vd_modbus_poll_events events = { .publish = drop_body };
	struct vd_modbus_poll_device *device;

	if (vd_modbus_client_new(&transport, -1, &ours->client) < 0 ||
	    vd_modbus_client_connect(ours->client, 1000) < 0 ||
	    vd_modbus_poll_device_new(&is, &transport, 0, &device) < 0)
		abort();
	while (!atomic_load(&done)) {
		/* Its own clock, so that a poll is always due. */
		(void)vd_modbus_poll_once(device, &reader, &events, vd_modbus_poll_due_us(device));
		ours->count++;
	}
	if (vd_modbus_poll_status(device) != VD_MODBUS_OK)
		abort();
	(void)vd_modbus_poll_device_free(device);
	ours->client = vd_modbus_client_free(ours->client);
	return NULL;
}

static double measure_ours(size_t devices)
{
	static struct ours ours[DEVICES];
	pthread_t threads[DEVICES];
	uint64_t count = 0, started = vd_clock_mono_us();
	double rate;

	atomic_store(&done, false);
	memset(ours, 0, sizeof ours);
	for (size_t i = 0; i < devices; i++) {
		if (pthread_create(&threads[i], NULL, poll_for_a_while, &ours[i]) != 0)
			abort();
	}
	(void)usleep((useconds_t)window_us);
	atomic_store(&done, true);
	for (size_t i = 0; i < devices; i++) {
		(void)pthread_join(threads[i], NULL);
		count += ours[i].count;
	}
	rate = rate_of(count, started);
	return rate;
}

int main(int argc, char **argv)
{
	double raw, lib, client, us, one, many;

	if (argc > 1)
		window_us = strtoull(argv[1], NULL, 10) * 1000;
	vd_log_set_level(VD_WARN);
	start_server();
	for (size_t i = 0; i < REGISTERS; i++)
		tags[i] = (struct vd_modbus_tag){ .name = "t",
						  .address = (uint16_t)i,
						  .count = 1,
						  .interval_ms = 1,
						  .format = vd_modbus_format_plain(
							  VD_MODBUS_UINT16, VD_MODBUS_ABCD) };
	raw = measure_raw();
	lib = measure_libmodbus();
	client = measure_client();
	us = measure_ours(1);
	(void)printf("125 registers, one connection: raw %.0f/s, libmodbus %.0f/s, client %.0f/s, "
		     "polls %.0f/s (%.0f tags/s)\n",
		     raw, lib, client, us, us * REGISTERS);
	(void)printf(
		"libmodbus/raw %.2f, client/libmodbus %.2f, polls/libmodbus %.2f: %.0f ns a tag\n",
		lib / raw, client / lib, us / lib, (1 / us - 1 / client) * 1e9 / REGISTERS);
	atomic_store(&turnaround_us, TURNAROUND_US);
	one = measure_ours(1);
	many = measure_ours(DEVICES);
	(void)printf("devices of 5 ms: one %.0f/s, %d devices %.0f/s, of %d x one %.2f\n", one,
		     DEVICES, many, DEVICES, many / one / DEVICES);
	return 0;
}
