/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vedette-modbus-simulator(1): a Modbus server on libmodbus, one thread a connection, for tests and
 * demonstrations. Standard output is its witness: the port first, then one line a write.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <modbus/modbus.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/version.h"
#include "modules/modbus/simulator/scenario.h"

enum { CONNECTIONS = 256, CONFIG_BYTES = 1 << 20, LINE_BYTES = 256 };

struct connection {
	struct simulator *simulator;
	pthread_t thread;
	_Atomic int fd; /* -1: the thread has ended or is about to */
	bool has_thread;
	modbus_t *modbus;
};

struct simulator {
	struct vd_scenario *scenario;
	modbus_mapping_t *mapping;
	pthread_mutex_t lock; /* of scenario, mapping and standard output */
	uint64_t start_ms;
	struct connection connections[CONNECTIONS];
	struct vd_loop *loop;
	struct vd_source *listener, *input;
	int listen_fd;
	char line[LINE_BYTES];
	size_t line_length;
};

struct options {
	const char *host, *config, *serial;
	uint16_t port;
	bool has_port;
	int baud;
	char parity;
};

/* --- The registers --- */

static void put_words(modbus_mapping_t *mapping, enum vd_modbus_area area, uint16_t address,
		      const uint16_t *words, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (area == VD_MODBUS_HOLDING)
			mapping->tab_registers[address + i] = words[i];
		else if (area == VD_MODBUS_INPUT)
			mapping->tab_input_registers[address + i] = words[i];
		else if (area == VD_MODBUS_COIL)
			mapping->tab_bits[address + i] = words[i] != 0;
		else
			mapping->tab_input_bits[address + i] = words[i] != 0;
	}
}

static void put_values(struct simulator *simulator)
{
	for (size_t i = 0; i < simulator->scenario->words_count; i++) {
		const struct vd_scenario_words *words = &simulator->scenario->words[i];
		const cJSON *item;
		uint32_t address = words->address;

		cJSON_ArrayForEach(item, words->values)
		{
			uint16_t word = (uint16_t)item->valueint;

			put_words(simulator->mapping, words->area, (uint16_t)address++, &word, 1);
		}
	}
}

static void put_waves(struct simulator *simulator)
{
	uint64_t t_ms = vd_clock_mono_ms() - simulator->start_ms;

	for (size_t i = 0; i < simulator->scenario->wave_count; i++) {
		struct vd_wave *wave = &simulator->scenario->waves[i];
		uint16_t words[4];
		int n = vd_wave_words(wave, t_ms, words);

		if (n > 0)
			put_words(simulator->mapping, wave->area, wave->address, words, (size_t)n);
	}
}

/* --- One request --- */

struct request {
	int function;
	enum vd_modbus_area area;
	uint16_t address, count;
	bool is_write;
};

/* libmodbus has checked the length for the function codes named here. */
static struct request read_request(const uint8_t *bytes, int header)
{
	static const struct {
		enum vd_modbus_area area;
		bool is_write, has_count;
	} functions[] = {
		[1] = { VD_MODBUS_COIL, false, true },    [2] = { VD_MODBUS_DISCRETE, false, true },
		[3] = { VD_MODBUS_HOLDING, false, true }, [4] = { VD_MODBUS_INPUT, false, true },
		[5] = { VD_MODBUS_COIL, true, false },    [6] = { VD_MODBUS_HOLDING, true, false },
		[15] = { VD_MODBUS_COIL, true, true },    [16] = { VD_MODBUS_HOLDING, true, true },
	};
	const uint8_t *p = bytes + header;
	struct request request = { .function = p[0] };

	if (p[0] >= VD_COUNT(functions) ||
	    (!functions[p[0]].has_count && !functions[p[0]].is_write))
		return request;
	request.area = functions[p[0]].area;
	request.is_write = functions[p[0]].is_write;
	request.address = (uint16_t)(p[1] << 8 | p[2]);
	request.count = (uint16_t)(functions[p[0]].has_count ? p[3] << 8 | p[4] : 1);
	return request;
}

static void print_writes(const struct simulator *simulator, const struct request *request)
{
	const modbus_mapping_t *mapping = simulator->mapping;
	char time[VD_TIME_TEXT];
	uint32_t size = simulator->scenario->sizes[request->area];

	for (uint32_t i = request->address;
	     i < (uint32_t)request->address + request->count && i < size; i++)
		(void)printf("%s write %s %u %u\n", vd_time_text(vd_clock_wall_ms(), time),
			     vd_modbus_area_name(request->area), i,
			     request->area == VD_MODBUS_COIL ? mapping->tab_bits[i]
							     : mapping->tab_registers[i]);
	(void)fflush(stdout);
}

static void after_write(struct simulator *simulator, const struct request *request)
{
	int fault_register = simulator->scenario->fault_register;

	print_writes(simulator, request);
	if (request->area == VD_MODBUS_HOLDING && fault_register >= request->address &&
	    fault_register < request->address + request->count &&
	    (uint32_t)fault_register < simulator->scenario->sizes[VD_MODBUS_HOLDING])
		vd_scenario_register(&simulator->scenario->faults,
				     simulator->mapping->tab_registers[fault_register]);
}

static int send_garbage(modbus_t *modbus)
{
	uint8_t bytes[24];

	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)(rand() >> 5); /* NOLINT: any bytes will do */
	return write(modbus_get_socket(modbus), bytes, sizeof bytes) < 0 ? -errno : 0;
}

/* Answers under the lock; < 0: the connection ends. */
static int answer(struct simulator *simulator, modbus_t *modbus, const uint8_t *bytes, int length,
		  const struct request *request)
{
	const struct vd_scenario_faults *faults = &simulator->scenario->faults;
	int code = vd_scenario_exception(faults, request->area, request->address, request->count);
	int r;

	if (faults->drops)
		return -ECONNRESET;
	if (faults->is_silent)
		return 0;
	if (faults->is_garbage)
		return send_garbage(modbus);
	if (code)
		return modbus_reply_exception(modbus, bytes, (unsigned)code) < 0 ? -errno : 0;
	put_waves(simulator);
	r = modbus_reply(modbus, bytes, length, simulator->mapping);
	if (r >= 0 && request->is_write &&
	    (uint32_t)request->address + request->count <=
		    simulator->scenario->sizes[request->area])
		after_write(simulator, request);
	return r < 0 ? -errno : 0;
}

static int serve_one(struct simulator *simulator, modbus_t *modbus)
{
	uint8_t bytes[MODBUS_TCP_MAX_ADU_LENGTH + 4] = { 0 };
	struct request request;
	uint32_t delay_ms;
	int header = modbus_get_header_length(modbus);
	int r, n = modbus_receive(modbus, bytes);

	if (n <= 0)
		return n;
	request = read_request(bytes, header);
	r = header > 1 ? bytes[header - 1] : bytes[0];
	if (simulator->scenario->unit && r != simulator->scenario->unit)
		return 0;
	(void)pthread_mutex_lock(&simulator->lock);
	delay_ms = simulator->scenario->faults.delay_ms;
	(void)pthread_mutex_unlock(&simulator->lock);
	if (delay_ms)
		(void)usleep(delay_ms * 1000);
	(void)pthread_mutex_lock(&simulator->lock);
	r = answer(simulator, modbus, bytes, n, &request);
	(void)pthread_mutex_unlock(&simulator->lock);
	return r;
}

/* --- Connections --- */

static void *serve_tcp(void *argument)
{
	struct connection *connection = argument;
	int fd;

	while (serve_one(connection->simulator, connection->modbus) >= 0)
		continue;
	/* Under the lock, so that stop_all does not shut down a number that was reused. */
	(void)pthread_mutex_lock(&connection->simulator->lock);
	fd = atomic_exchange(&connection->fd, -1);
	vd_close(&fd);
	(void)pthread_mutex_unlock(&connection->simulator->lock);
	return NULL;
}

/* A serial line outlives what is wrong on it; only its end, an error of the device, ends this. */
static void *serve_serial(void *argument)
{
	struct connection *connection = argument;

	for (;;) {
		int r = serve_one(connection->simulator, connection->modbus);

		if (r < 0 && (errno == EIO || errno == EBADF || errno == ECONNRESET))
			(void)usleep(20000);
	}
	return NULL;
}

static void reap(struct connection *connection)
{
	(void)pthread_join(connection->thread, NULL);
	connection->has_thread = false;
	modbus_free(connection->modbus);
	connection->modbus = NULL;
}

static struct connection *free_connection(struct simulator *simulator)
{
	for (size_t i = 0; i < CONNECTIONS; i++) {
		struct connection *connection = &simulator->connections[i];

		if (connection->has_thread && atomic_load(&connection->fd) < 0)
			reap(connection);
		if (!connection->has_thread)
			return connection;
	}
	return NULL;
}

static int start_connection(struct simulator *simulator, struct connection *connection,
			    modbus_t *modbus, int fd, void *(*serve)(void *))
{
	connection->simulator = simulator;
	connection->modbus = modbus;
	atomic_store(&connection->fd, fd);
	if (pthread_create(&connection->thread, NULL, serve, connection) != 0) {
		connection->modbus = NULL;
		return -EAGAIN;
	}
	connection->has_thread = true;
	return 0;
}

static void on_connection(int listen_fd, int ready, void *argument)
{
	struct simulator *simulator = argument;
	VD_CLEANUP(vd_close) int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
	struct connection *connection = free_connection(simulator);
	modbus_t *modbus;
	int on = 1;

	if (fd < 0 || !connection)
		return;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	modbus = modbus_new_tcp("127.0.0.1", 502);
	if (!modbus)
		return;
	(void)modbus_set_socket(modbus, fd);
	if (start_connection(simulator, connection, modbus, fd, serve_tcp) < 0)
		modbus_free(modbus);
	else
		fd = -1;
}

static int open_serial(struct simulator *simulator, const struct options *options)
{
	int unit = simulator->scenario->unit ? simulator->scenario->unit : 1, r;
	modbus_t *modbus = modbus_new_rtu(options->serial, options->baud, options->parity, 8, 1);

	if (!modbus)
		return -ENOMEM;
	(void)modbus_set_slave(modbus, unit);
	if (modbus_connect(modbus) < 0) {
		r = -errno;
		modbus_free(modbus);
		return r;
	}
	return start_connection(simulator, &simulator->connections[CONNECTIONS - 1], modbus,
				modbus_get_socket(modbus), serve_serial);
}

static int open_listener(struct simulator *simulator, const struct options *options)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(options->port) };
	socklen_t length = sizeof address;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	simulator->listen_fd = fd;
	if (fd < 0)
		return -errno;
	if (inet_pton(AF_INET, options->host, &address.sin_addr) != 1)
		return -EINVAL;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 64) < 0 ||
	    getsockname(fd, (struct sockaddr *)&address, &length) < 0)
		return -errno;
	(void)printf("port %u\n", ntohs(address.sin_port));
	(void)fflush(stdout);
	return vd_loop_fd(simulator->loop, fd, VD_READABLE, on_connection, simulator,
			  &simulator->listener);
}

/* --- Commands --- */

/* "set AREA ADDRESS VALUE": true if it was one that could be done. */
static bool set_value(struct simulator *simulator, const char *line)
{
	modbus_mapping_t *mapping = simulator->mapping;
	unsigned address, value;
	char name[16];

	if (sscanf(line, "set %15s %5u %5u", name, &address, &value) != 3)
		return false;
	for (int area = 0; area < VD_MODBUS_AREAS; area++) {
		if (strcmp(name, vd_modbus_area_name((enum vd_modbus_area)area)) != 0)
			continue;
		if (address >= simulator->scenario->sizes[area])
			return false;
		if (area == VD_MODBUS_HOLDING)
			mapping->tab_registers[address] = (uint16_t)value;
		else if (area == VD_MODBUS_INPUT)
			mapping->tab_input_registers[address] = (uint16_t)value;
		else if (area == VD_MODBUS_COIL)
			mapping->tab_bits[address] = value != 0;
		else
			mapping->tab_input_bits[address] = value != 0;
		return true;
	}
	return false;
}

static void take_line(struct simulator *simulator, const char *line)
{
	struct vd_fault fault = { 0 };

	(void)pthread_mutex_lock(&simulator->lock);
	if (set_value(simulator, line))
		(void)printf("done %s\n", line);
	else if (vd_scenario_command(&simulator->scenario->faults, line, &fault) < 0)
		(void)printf("error %s: %s\n", fault.text, line);
	else
		(void)printf("done %s\n", line);
	(void)fflush(stdout);
	(void)pthread_mutex_unlock(&simulator->lock);
}

static void on_input(int fd, int ready, void *argument)
{
	struct simulator *simulator = argument;
	char bytes[LINE_BYTES];
	ssize_t n = read(fd, bytes, sizeof bytes);

	if (n <= 0) {
		simulator->input = vd_source_free(simulator->input);
		return;
	}
	for (ssize_t i = 0; i < n; i++) {
		if (bytes[i] == '\n') {
			simulator->line[simulator->line_length] = '\0';
			simulator->line_length = 0;
			take_line(simulator, simulator->line);
		} else if (simulator->line_length + 1 < sizeof simulator->line) {
			simulator->line[simulator->line_length++] = bytes[i];
		}
	}
}

static void on_signal(int signal, void *argument)
{
	struct simulator *simulator = argument;

	if (signal != SIGUSR1) {
		vd_loop_stop(simulator->loop, 0);
		return;
	}
	(void)pthread_mutex_lock(&simulator->lock);
	simulator->scenario->faults.is_silent = !simulator->scenario->faults.is_silent;
	(void)pthread_mutex_unlock(&simulator->lock);
}

/* --- Start and end --- */

static int make_registers(struct simulator *simulator)
{
	const uint32_t *sizes = simulator->scenario->sizes;

	simulator->mapping =
		modbus_mapping_new((int)sizes[VD_MODBUS_COIL], (int)sizes[VD_MODBUS_DISCRETE],
				   (int)sizes[VD_MODBUS_HOLDING], (int)sizes[VD_MODBUS_INPUT]);
	if (!simulator->mapping)
		return -ENOMEM;
	put_values(simulator);
	simulator->start_ms = vd_clock_mono_ms();
	return 0;
}

static int run(struct simulator *simulator, const struct options *options)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGUSR1 };
	struct vd_source *sources[VD_COUNT(signals)] = { 0 };
	int r = make_registers(simulator);

	for (size_t i = 0; i < VD_COUNT(signals) && r == 0; i++)
		r = vd_loop_signal(simulator->loop, signals[i], on_signal, simulator, &sources[i]);
	/* A regular file or /dev/null as input cannot be waited for, and brings no commands. */
	if (r == 0 && vd_loop_fd(simulator->loop, STDIN_FILENO, VD_READABLE, on_input, simulator,
				 &simulator->input) < 0)
		vd_log(VD_DEBUG, "simulator.input", "none");
	if (r == 0 && options->serial)
		r = open_serial(simulator, options);
	if (r == 0 && (options->has_port || !options->serial))
		r = open_listener(simulator, options);
	if (r < 0)
		(void)fprintf(stderr, "vedette-modbus-simulator: %s\n", strerror(-r));
	else
		r = vd_loop_run(simulator->loop);
	for (size_t i = 0; i < VD_COUNT(signals); i++)
		sources[i] = vd_source_free(sources[i]);
	return r;
}

/* The serial thread sits in a read that nothing ends: it goes with the process. */
static void stop_all(struct simulator *simulator)
{
	(void)pthread_mutex_lock(&simulator->lock);
	for (size_t i = 0; i < CONNECTIONS - 1; i++) {
		if (simulator->connections[i].has_thread)
			(void)shutdown(atomic_load(&simulator->connections[i].fd), SHUT_RDWR);
	}
	(void)pthread_mutex_unlock(&simulator->lock);
	for (size_t i = 0; i < CONNECTIONS - 1; i++) {
		if (simulator->connections[i].has_thread)
			reap(&simulator->connections[i]);
	}
}

static int load(struct simulator *simulator, const char *path)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf text = { 0 };
	struct vd_fault fault = { 0 };
	int r = path ? vd_file_read(path, CONFIG_BYTES, &text, &fault)
		     : vd_buf_append(&text, "{}", 2);

	if (r == 0)
		r = vd_scenario_new(text.data, text.len, &simulator->scenario, &fault);
	if (r < 0)
		(void)fprintf(stderr, "vedette-modbus-simulator: %s: %s: %s\n",
			      path ? path : "default", fault.pointer, fault.text);
	return r;
}

static bool read_number(const char *text, long least, long most, long *ret_number)
{
	char *end;

	errno = 0;
	*ret_number = strtol(text, &end, 10);
	return end != text && !*end && errno == 0 && *ret_number >= least && *ret_number <= most;
}

static bool read_option(int option, struct options *options)
{
	long number = 0;

	switch (option) {
	case 'c':
		options->config = optarg;
		return true;
	case 'H':
		options->host = optarg;
		return true;
	case 's':
		options->serial = optarg;
		return true;
	case 'p':
		options->has_port = read_number(optarg, 0, 65535, &number);
		options->port = (uint16_t)number;
		return options->has_port;
	case 'b':
		if (!read_number(optarg, 1200, 921600, &number))
			return false;
		options->baud = (int)number;
		return true;
	case 'P':
		options->parity = optarg[0];
		return strchr("NEO", optarg[0]) && optarg[0] && !optarg[1];
	default:
		return false;
	}
}

static int usage(FILE *out, int status)
{
	(void)fputs("usage: vedette-modbus-simulator [--port N] [--host ADDRESS] [--config FILE]\n"
		    "       [--serial DEVICE [--baud N] [--parity N|E|O]]\n",
		    out);
	return status;
}

int main(int argc, char **argv)
{
	static const struct option names[] = {
		{ "config", 1, NULL, 'c' }, { "host", 1, NULL, 'H' },    { "port", 1, NULL, 'p' },
		{ "serial", 1, NULL, 's' }, { "baud", 1, NULL, 'b' },    { "parity", 1, NULL, 'P' },
		{ "help", 0, NULL, 'h' },   { "version", 0, NULL, 'V' }, { 0 },
	};
	static struct simulator simulator = { .lock = PTHREAD_MUTEX_INITIALIZER, .listen_fd = -1 };
	struct options options = { .host = "127.0.0.1", .baud = 19200, .parity = 'E' };
	int option, r;

	while ((option = getopt_long(argc, argv, "", names, NULL)) >= 0) {
		if (option == 'h')
			return usage(stdout, 0);
		if (option == 'V')
			return printf("vedette-modbus-simulator %s\n", VD_VERSION) < 0;
		if (!read_option(option, &options))
			return usage(stderr, 2);
	}
	if (optind != argc)
		return usage(stderr, 2);
	(void)signal(SIGPIPE, SIG_IGN);
	if (load(&simulator, options.config) < 0)
		return 2;
	r = vd_loop_new(&simulator.loop);
	if (r == 0)
		r = run(&simulator, &options);
	stop_all(&simulator);
	simulator.input = vd_source_free(simulator.input);
	simulator.listener = vd_source_free(simulator.listener);
	simulator.loop = vd_loop_free(simulator.loop);
	vd_close(&simulator.listen_fd);
	if (simulator.connections[CONNECTIONS - 1].has_thread)
		_exit(r < 0);
	modbus_mapping_free(simulator.mapping);
	simulator.scenario = vd_scenario_free(simulator.scenario);
	return r < 0;
}
