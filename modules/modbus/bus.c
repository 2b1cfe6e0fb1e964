/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/modbus/bus.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "modules/modbus/client.h"
#include "modules/modbus/gate.h"
#include "modules/modbus/handshake.h"
#include "modules/modbus/poll.h"
#include "modules/modbus/schedule.h"

enum {
	WAIT_MOST_US = 1000000, /* a suspended machine's timers stand still */
	WRITE_LEAST_MS = 20,    /* time limit of a write however near its deadline is */
	SAFE_MS = 1000,         /* for the safe values at the stop */
	MAILBOX = 32,
};

/* An event with an acknowledgement, and the last of its edges that the agent has. */
struct acknowledged {
	struct vd_modbus_handshake handshake;
	_Atomic uint64_t handed_seq;
};

struct vd_modbus_bus {
	const struct vd_modbus_parameters *parameters;
	size_t index;
	const struct vd_modbus_transport *transport;
	struct vd_modbus_bus_events events;
	pthread_t thread;
	bool has_thread;
	int wake_fd; /* something in the mailbox, or stop */
	int stop_fd; /* readable once stop is wanted: ends an attempt to connect */
	_Atomic bool stop;
	_Atomic uint64_t work, due_ms; /* due_ms: the moment from which something waits */

	pthread_mutex_t lock; /* of the mailbox */
	struct vd_modbus_verdict mailbox[MAILBOX];
	uint64_t arrived_ms[MAILBOX];
	size_t mail_count;

	struct acknowledged *acknowledged; /* but for handed_seq the thread's own */
	size_t acknowledged_count;

	/* The thread's own. */
	struct vd_modbus_client *client;
	struct vd_modbus_poll_device **devices;
	size_t device_count;
	struct vd_modbus_gate gate;
	bool has_gate, is_between; /* between: events are polled within another poll */
	struct vd_modbus_backoff backoff;
	uint64_t report_ms, connections, written, write_failures;
};

static uint64_t now_ms(void)
{
	return vd_clock_mono_ms();
}

static bool is_stopped(void *argument)
{
	struct vd_modbus_bus *bus = argument;

	return atomic_load(&bus->stop);
}

static void signal_fd(int fd)
{
	uint64_t one = 1;

	if (write(fd, &one, sizeof one) < 0)
		return; /* the counter is full: it is readable all the same */
}

static void publish(const char *output, const char *record_class, cJSON **body, void *argument)
{
	struct vd_modbus_bus *bus = argument;

	bus->events.publish(output, record_class, body, bus->events.argument);
}

/* --- The connection --- */

static struct vd_modbus_poll_events events_of(struct vd_modbus_bus *bus);

/* After each request, which may have made a new connection: what was known of the device is not. */
static void note_connection(struct vd_modbus_bus *bus)
{
	const struct vd_modbus_poll_events events = events_of(bus);
	const uint64_t connections = vd_modbus_client_connections(bus->client);

	if (bus->connections == connections)
		return;
	bus->connections = connections;
	vd_modbus_gate_forget(&bus->gate);
	for (size_t i = 0; i < bus->acknowledged_count; i++)
		vd_modbus_handshake_forget(&bus->acknowledged[i].handshake);
	for (size_t i = 0; i < bus->device_count; i++)
		vd_modbus_poll_reconnected(bus->devices[i], &events);
	vd_log(VD_INFO, "modbus.connected", "to=%s%s port=%u", bus->transport->host,
	       bus->transport->path, bus->transport->port);
}

static int connect_now(struct vd_modbus_bus *bus, uint32_t timeout_ms)
{
	int r;

	if (vd_modbus_client_is_connected(bus->client))
		return 0;
	r = vd_modbus_client_connect(bus->client, timeout_ms);
	if (r < 0) {
		if (bus->backoff.failures == 0)
			vd_log(VD_WARN, "modbus.connectFailed", "to=%s%s port=%u text=\"%s\"",
			       bus->transport->host, bus->transport->path, bus->transport->port,
			       vd_modbus_client_text(bus->client));
		vd_modbus_backoff_failed(&bus->backoff, now_ms());
		return r;
	}
	vd_modbus_backoff_succeeded(&bus->backoff);
	note_connection(bus);
	return 0;
}

/* --- Writes --- */

static bool add_job(cJSON *body, const struct vd_modbus_gate_job *job, uint64_t now)
{
	return vd_json_add_string(body, "verdict",
				  vd_modbus_decision_name(job->verdict.decision)) &&
	       vd_json_add_string(body, "itemId", job->verdict.item_id) &&
	       vd_json_add_number(body, "sequence", job->verdict.sequence) &&
	       vd_json_add_number(body, "tries", job->tries) &&
	       vd_json_add_number(body, "ageMs", (double)(now - job->since_ms)) &&
	       vd_json_add_number(body, "deadlineMs", (double)(job->deadline_ms - job->since_ms));
}

/* Never silent: an alarm, the log, and reported state. job NULL: a safe value. */
static void raise_alarm(struct vd_modbus_bus *bus, const struct vd_modbus_gate_job *job,
			const struct vd_modbus_output *output, const char *text)
{
	VD_CLEANUP(vd_json_free) cJSON *body = cJSON_CreateObject();
	const char *device = bus->gate.verdicts->device->name;

	bus->write_failures++;
	bus->report_ms = 0;
	vd_log(VD_ERROR, "modbus.writeFailed", "device=%s output=%s itemId=%s text=\"%s\"", device,
	       output ? output->name : "", job ? job->verdict.item_id : "", text);
	if (body &&
	    vd_json_add_string(body, "event", job ? "verdictWriteFailed" : "safeValueFailed") &&
	    vd_json_add_string(body, "device", device) &&
	    vd_json_add_string(body, "output", output ? output->name : NULL) &&
	    vd_json_add_string(body, "text", text) && (!job || add_job(body, job, now_ms())))
		publish("alarm", "alarm", &body, bus);
}

static const struct vd_modbus_output *output_of(const struct vd_modbus_gate_job *job)
{
	size_t index = job->next < job->count ? job->next : job->count - 1;

	return job->count ? job->writes[index].output : NULL;
}

static void fetch_mail(struct vd_modbus_bus *bus)
{
	struct vd_modbus_verdict mail[MAILBOX];
	uint64_t arrived[MAILBOX];
	size_t count;

	(void)pthread_mutex_lock(&bus->lock);
	count = bus->mail_count;
	memcpy(mail, bus->mailbox, count * sizeof *mail);
	memcpy(arrived, bus->arrived_ms, count * sizeof *arrived);
	bus->mail_count = 0;
	(void)pthread_mutex_unlock(&bus->lock);
	for (size_t i = 0; i < count; i++) {
		struct vd_modbus_gate_job job = { .verdict = mail[i],
						  .since_ms = arrived[i],
						  .deadline_ms = arrived[i] };

		if (vd_modbus_gate_put(&bus->gate, &mail[i], arrived[i]) < 0)
			raise_alarm(bus, &job, NULL, "too many verdicts wait for this connection");
	}
}

/* The request of one write; what a coil and a register need is the same but for the area. */
static int write_output(struct vd_modbus_bus *bus, const struct vd_modbus_device *device,
			const struct vd_modbus_output *output, double value, uint32_t timeout_ms)
{
	size_t count = vd_modbus_format_words(&output->format);
	struct vd_modbus_request request = { device->unit, timeout_ms, output->area,
					     output->address, (uint16_t)count };
	uint16_t words[4];
	int r = vd_modbus_encode(&output->format, value, words, count);

	if (r == 0)
		r = connect_now(bus, timeout_ms);
	if (r < 0)
		return r;
	r = vd_modbus_client_write(bus->client, &request, words);
	note_connection(bus);
	return r;
}

static uint32_t write_timeout(const struct vd_modbus_bus *bus, uint64_t deadline_ms)
{
	uint32_t usual = bus->gate.verdicts->device->response_timeout_ms;
	uint64_t now = now_ms(), left = deadline_ms > now ? deadline_ms - now : 0;

	if (left < WRITE_LEAST_MS)
		left = WRITE_LEAST_MS;
	return left < usual ? (uint32_t)left : usual;
}

/* A verdict gets what is left of its time; a safe value, due however late, the usual limit. */
static uint32_t step_timeout(const struct vd_modbus_bus *bus,
			     const struct vd_modbus_gate_step *step)
{
	return step->is_release ? bus->gate.verdicts->device->response_timeout_ms
				: write_timeout(bus, step->deadline_ms);
}

/* Acknowledge (5) and busy (6) pass; other exceptions will be the same the next time. */
static bool is_final(int r)
{
	return (r > 0 && r != 5 && r != 6) || r == -ERANGE || r == -EINVAL;
}

static void write_step(struct vd_modbus_bus *bus, const struct vd_modbus_gate_step *step)
{
	struct vd_modbus_gate_job job;
	const char *text;
	int r = write_output(bus, bus->gate.verdicts->device, step->output, step->value,
			     step_timeout(bus, step));

	atomic_fetch_add(&bus->work, 1);
	bus->written += r == 0;
	text = r == 0 ? "written after its deadline" : vd_modbus_client_text(bus->client);
	switch (vd_modbus_gate_took(&bus->gate, step, r == 0, is_final(r), now_ms(), &job)) {
	case VD_MODBUS_GATE_FAILED:
		raise_alarm(bus, &job, step->output, text);
		break;
	case VD_MODBUS_GATE_STUCK:
		raise_alarm(bus, NULL, step->output, text);
		break;
	case VD_MODBUS_GATE_FINE:
	case VD_MODBUS_GATE_DONE:
		break;
	}
}

/* Verdicts that can be written now; ends at the first failure, so that polls have their turn too. */
static void serve_verdicts(struct vd_modbus_bus *bus)
{
	struct vd_modbus_gate_step step;
	struct vd_modbus_gate_job job;

	fetch_mail(bus);
	while (vd_modbus_gate_expire(&bus->gate, now_ms(), &job))
		raise_alarm(bus, &job, output_of(&job), "not written before its deadline");
	while (!is_stopped(bus) && vd_modbus_gate_next(&bus->gate, now_ms(), &step)) {
		write_step(bus, &step);
		fetch_mail(bus);
	}
}

static void alarm_acknowledge(struct vd_modbus_bus *bus, const struct vd_modbus_handshake *of)
{
	VD_CLEANUP(vd_json_free) cJSON *body = cJSON_CreateObject();
	const char *text = vd_modbus_client_text(bus->client);

	vd_log(VD_ERROR, "modbus.acknowledgeFailed", "device=%s event=%s text=\"%s\"",
	       of->device->name, of->event->name, text);
	if (body && vd_json_add_string(body, "event", "acknowledgeFailed") &&
	    vd_json_add_string(body, "device", of->device->name) &&
	    vd_json_add_string(body, "source", of->event->name) &&
	    vd_json_add_string(body, "output", of->event->acknowledge->name) &&
	    vd_json_add_string(body, "text", text))
		publish("alarm", "alarm", &body, bus);
}

static void acknowledge(struct vd_modbus_bus *bus, struct acknowledged *each)
{
	struct vd_modbus_handshake *handshake = &each->handshake;
	double value;
	int r;

	vd_modbus_handshake_handed_over(handshake, atomic_load(&each->handed_seq));
	if (!vd_modbus_client_is_connected(bus->client) ||
	    !vd_modbus_handshake_next(handshake, now_ms(), &value))
		return;
	r = write_output(bus, handshake->device, handshake->event->acknowledge, value,
			 handshake->device->response_timeout_ms);
	atomic_fetch_add(&bus->work, 1);
	bus->written += r == 0;
	if (vd_modbus_handshake_took(handshake, r == 0, now_ms()))
		alarm_acknowledge(bus, handshake);
}

/* Verdicts first: a part is waiting. */
static void serve_writes(struct vd_modbus_bus *bus)
{
	if (bus->has_gate)
		serve_verdicts(bus);
	for (size_t i = 0; i < bus->acknowledged_count && !is_stopped(bus); i++)
		acknowledge(bus, &bus->acknowledged[i]);
}

/* At the stop nothing waits any more: what is open has failed, and the outputs go safe. */
static void make_output_safe(struct vd_modbus_bus *bus, const struct vd_modbus_output *output,
			     uint64_t end_ms)
{
	int r = -ETIMEDOUT;

	while (r != 0 && !is_final(r) && now_ms() < end_ms) {
		r = write_output(bus, bus->gate.verdicts->device, output, output->safe,
				 write_timeout(bus, end_ms));
		if (r != 0)
			(void)usleep(10000);
	}
	if (r != 0)
		raise_alarm(bus, NULL, output, vd_modbus_client_text(bus->client));
}

static void make_safe(struct vd_modbus_bus *bus)
{
	struct vd_modbus_gate_job job;
	uint64_t end_ms = now_ms() + SAFE_MS, wakes;

	if (!bus->has_gate)
		return;
	/* From here on a connection may be made again. */
	if (read(bus->stop_fd, &wakes, sizeof wakes) < 0)
		wakes = 0;
	fetch_mail(bus);
	while (vd_modbus_gate_expire(&bus->gate, UINT64_MAX, &job))
		raise_alarm(bus, &job, output_of(&job), "the module stops");
	for (size_t i = 0; i < VD_MODBUS_GATE_RELEASES; i++) {
		if (bus->gate.releases[i].output)
			make_output_safe(bus, bus->gate.releases[i].output, end_ms);
	}
}

/* --- Polls --- */

static void poll_events_between(struct vd_modbus_bus *bus);

static int read_range(const struct vd_modbus_device *device, enum vd_modbus_area area,
		      struct vd_modbus_range range, uint16_t *words, void *argument)
{
	struct vd_modbus_bus *bus = argument;
	struct vd_modbus_request request = { device->unit, device->response_timeout_ms, area,
					     (uint16_t)range.address, (uint16_t)range.count };
	int r;

	serve_writes(bus);
	poll_events_between(bus);
	if (!vd_modbus_client_is_connected(bus->client)) {
		if (now_ms() < bus->backoff.until_ms)
			return -ENOTCONN;
		if (connect_now(bus, device->response_timeout_ms) < 0)
			return -ENOTCONN;
	}
	r = vd_modbus_client_read(bus->client, &request, words);
	note_connection(bus);
	return r;
}

static const char *failure_text(void *argument)
{
	struct vd_modbus_bus *bus = argument;

	return vd_modbus_client_text(bus->client);
}

static struct vd_modbus_handshake *handshake_of(struct vd_modbus_bus *bus,
						const struct vd_modbus_event *event)
{
	for (size_t i = 0; i < bus->acknowledged_count; i++) {
		if (bus->acknowledged[i].handshake.event == event)
			return &bus->acknowledged[i].handshake;
	}
	return NULL;
}

static void on_edge(const struct vd_modbus_event *event, uint64_t seq, cJSON **body, void *argument)
{
	struct vd_modbus_bus *bus = argument;
	struct vd_modbus_handshake *handshake = handshake_of(bus, event);

	if (handshake)
		vd_modbus_handshake_edge(handshake, seq);
	bus->events.edge(bus->index, event, seq, body, bus->events.argument);
}

static void on_level(const struct vd_modbus_event *event, enum vd_modbus_level level,
		     void *argument)
{
	struct vd_modbus_handshake *handshake = handshake_of(argument, event);

	if (handshake)
		vd_modbus_handshake_level(handshake, level);
}

static struct vd_modbus_poll_reader reader_of(struct vd_modbus_bus *bus)
{
	return (struct vd_modbus_poll_reader){ read_range, failure_text, is_stopped, bus };
}

static struct vd_modbus_poll_events events_of(struct vd_modbus_bus *bus)
{
	return (struct vd_modbus_poll_events){ publish, on_edge, on_level, bus };
}

/* Between two requests of a poll: at most one poll of events a device, and none within that. */
static void poll_events_between(struct vd_modbus_bus *bus)
{
	const struct vd_modbus_poll_reader reader = reader_of(bus);
	const struct vd_modbus_poll_events events = events_of(bus);

	if (bus->is_between || !vd_modbus_client_is_connected(bus->client))
		return;
	bus->is_between = true;
	for (size_t i = 0; i < bus->device_count; i++) {
		if (vd_modbus_poll_events_once(bus->devices[i], &reader, &events,
					       vd_clock_mono_us()))
			atomic_fetch_add(&bus->work, 1);
	}
	bus->is_between = false;
}

/* The device whose poll is due first. */
static struct vd_modbus_poll_device *next_device(const struct vd_modbus_bus *bus)
{
	struct vd_modbus_poll_device *next = NULL;

	for (size_t i = 0; i < bus->device_count; i++) {
		if (!next || vd_modbus_poll_due_us(bus->devices[i]) < vd_modbus_poll_due_us(next))
			next = bus->devices[i];
	}
	return next;
}

static bool add_bus(cJSON *body, const struct vd_modbus_bus *bus,
		    const struct vd_modbus_poll_device *device)
{
	if (!vd_json_add_number(body, "connections", (double)bus->connections))
		return false;
	if (!bus->has_gate ||
	    strcmp(bus->gate.verdicts->device->name, vd_modbus_poll_name(device)) != 0)
		return true;
	return vd_json_add_number(body, "writes", (double)bus->written) &&
	       vd_json_add_number(body, "verdicts", (double)bus->gate.done) &&
	       vd_json_add_number(body, "writeFailures", (double)bus->write_failures);
}

static void report(struct vd_modbus_bus *bus, struct vd_modbus_poll_device *device)
{
	VD_CLEANUP(vd_json_free) cJSON *body = vd_modbus_poll_report(device);

	if (body && add_bus(body, bus, device))
		bus->events.report(vd_modbus_poll_name(device), &body, bus->events.argument);
}

static void report_all(struct vd_modbus_bus *bus)
{
	uint64_t now = now_ms();
	bool all = now >= bus->report_ms;

	if (all)
		bus->report_ms = now + bus->parameters->report_interval_ms;
	for (size_t i = 0; i < bus->device_count; i++) {
		if (vd_modbus_poll_take_change(bus->devices[i]) || all)
			report(bus, bus->devices[i]);
	}
}

static void poll_due(struct vd_modbus_bus *bus)
{
	const struct vd_modbus_poll_reader reader = reader_of(bus);
	const struct vd_modbus_poll_events events = events_of(bus);
	struct vd_modbus_poll_device *device = next_device(bus);
	uint64_t now_us = vd_clock_mono_us();

	if (device && vd_modbus_poll_due_us(device) <= now_us &&
	    vd_modbus_poll_once(device, &reader, &events, now_us))
		atomic_fetch_add(&bus->work, 1);
}

/* --- The thread --- */

static uint64_t write_due_ms(const struct vd_modbus_bus *bus)
{
	uint64_t due = bus->has_gate ? vd_modbus_gate_due_ms(&bus->gate) : UINT64_MAX;

	for (size_t i = 0;
	     vd_modbus_client_is_connected(bus->client) && i < bus->acknowledged_count; i++) {
		uint64_t one = vd_modbus_handshake_due_ms(&bus->acknowledged[i].handshake);

		due = one < due ? one : due;
	}
	return due;
}

static uint64_t due_us(const struct vd_modbus_bus *bus)
{
	const struct vd_modbus_poll_device *device = next_device(bus);
	uint64_t due = device ? vd_modbus_poll_due_us(device) : UINT64_MAX;
	uint64_t write_ms = write_due_ms(bus);

	if (write_ms < UINT64_MAX / 1000 && write_ms * 1000 < due)
		due = write_ms * 1000;
	return due;
}

static void wait_for_work(struct vd_modbus_bus *bus)
{
	struct pollfd fd = { .fd = bus->wake_fd, .events = POLLIN };
	uint64_t now_us = vd_clock_mono_us(), due = due_us(bus), wait_us;
	struct timespec wait;
	uint64_t count;

	wait_us = due > now_us ? due - now_us : 0;
	if (wait_us > WAIT_MOST_US)
		wait_us = WAIT_MOST_US;
	wait = (struct timespec){ (time_t)(wait_us / 1000000), (long)(wait_us % 1000000 * 1000) };
	atomic_store(&bus->due_ms, due / 1000);
	if (ppoll(&fd, 1, &wait, NULL) > 0 && read(bus->wake_fd, &count, sizeof count) < 0)
		return;
}

static void *run(void *argument)
{
	struct vd_modbus_bus *bus = argument;

	while (!is_stopped(bus)) {
		wait_for_work(bus);
		serve_writes(bus);
		poll_due(bus);
		report_all(bus);
	}
	make_safe(bus);
	vd_modbus_client_disconnect(bus->client);
	atomic_store(&bus->due_ms, UINT64_MAX);
	bus->events.ended(bus->events.argument);
	return NULL;
}

/* --- Making one --- */

static void add_handshakes(struct vd_modbus_bus *bus, const struct vd_modbus_device *device)
{
	for (size_t i = 0; i < device->event_count; i++) {
		if (device->events[i].acknowledge)
			bus->acknowledged[bus->acknowledged_count++].handshake =
				(struct vd_modbus_handshake){ .device = device,
							      .event = &device->events[i] };
	}
}

static size_t count_events(const struct vd_modbus_parameters *parameters)
{
	size_t count = 0;

	for (size_t i = 0; i < parameters->device_count; i++)
		count += parameters->devices[i].event_count;
	return count;
}

static int add_devices(struct vd_modbus_bus *bus)
{
	const struct vd_modbus_parameters *parameters = bus->parameters;
	uint64_t start_us = vd_clock_mono_us();
	int r = 0;

	bus->devices = calloc(parameters->device_count + 1, sizeof *bus->devices);
	bus->acknowledged = calloc(count_events(parameters) + 1, sizeof *bus->acknowledged);
	if (!bus->devices || !bus->acknowledged)
		return -ENOMEM;
	bus->backoff = (struct vd_modbus_backoff){ .first_ms = UINT32_MAX, .most_ms = UINT32_MAX };
	for (size_t i = 0; i < parameters->device_count && r == 0; i++) {
		const struct vd_modbus_device *device = &parameters->devices[i];

		if (device->bus != bus->index)
			continue;
		add_handshakes(bus, device);
		if (device->back_off_ms < bus->backoff.first_ms)
			bus->backoff.first_ms = device->back_off_ms;
		if (device->back_off_most_ms < bus->backoff.most_ms)
			bus->backoff.most_ms = device->back_off_most_ms;
		r = vd_modbus_poll_device_new(device, bus->transport, start_us,
					      &bus->devices[bus->device_count]);
		bus->device_count += r == 0;
	}
	return r;
}

static int start_thread(struct vd_modbus_bus *bus)
{
	sigset_t all, before;
	int r;

	/* Signals are the main thread's. */
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&bus->thread, NULL, run, bus);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	bus->has_thread = r == 0;
	return -r;
}

VD_DEFINE_CLEANUP(struct vd_modbus_bus, vd_modbus_bus_free)

int vd_modbus_bus_new(const struct vd_modbus_parameters *parameters, size_t index,
		      const struct vd_modbus_bus_events *events, struct vd_modbus_bus **ret_bus)
{
	VD_CLEANUP(vd_modbus_bus_free) struct vd_modbus_bus *bus = calloc(1, sizeof *bus);
	int r;

	if (!bus)
		return -ENOMEM;
	bus->parameters = parameters;
	bus->index = index;
	bus->transport = &parameters->buses[index];
	bus->events = *events;
	(void)pthread_mutex_init(&bus->lock, NULL);
	bus->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	bus->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (bus->wake_fd < 0 || bus->stop_fd < 0)
		return -errno;
	atomic_store(&bus->due_ms, UINT64_MAX);
	bus->report_ms = now_ms() + parameters->report_interval_ms;
	bus->has_gate = parameters->verdicts.device && parameters->verdicts.device->bus == index;
	vd_modbus_gate_init(&bus->gate, &parameters->verdicts, now_ms());
	r = vd_modbus_client_new(bus->transport, bus->stop_fd, &bus->client);
	if (r == 0)
		r = add_devices(bus);
	if (r == 0)
		r = start_thread(bus);
	if (r < 0)
		return r;
	*ret_bus = VD_TAKE(bus);
	return 0;
}

struct vd_modbus_bus *vd_modbus_bus_free(struct vd_modbus_bus *bus)
{
	if (!bus)
		return NULL;
	if (bus->has_thread) {
		vd_modbus_bus_stop(bus);
		(void)pthread_join(bus->thread, NULL);
	}
	for (size_t i = 0; i < bus->device_count; i++)
		(void)vd_modbus_poll_device_free(bus->devices[i]);
	free(bus->devices);
	free(bus->acknowledged);
	(void)vd_modbus_client_free(bus->client);
	vd_close(&bus->wake_fd);
	vd_close(&bus->stop_fd);
	(void)pthread_mutex_destroy(&bus->lock);
	free(bus);
	return NULL;
}

void vd_modbus_bus_stop(struct vd_modbus_bus *bus)
{
	atomic_store(&bus->stop, true);
	signal_fd(bus->stop_fd);
	signal_fd(bus->wake_fd);
}

int vd_modbus_bus_write(struct vd_modbus_bus *bus, const struct vd_modbus_verdict *verdict)
{
	int r = -ENOSPC;

	(void)pthread_mutex_lock(&bus->lock);
	if (bus->mail_count < MAILBOX) {
		bus->mailbox[bus->mail_count] = *verdict;
		bus->arrived_ms[bus->mail_count++] = now_ms();
		r = 0;
	}
	(void)pthread_mutex_unlock(&bus->lock);
	signal_fd(bus->wake_fd);
	return r;
}

void vd_modbus_bus_handed_over(struct vd_modbus_bus *bus, const struct vd_modbus_event *event,
			       uint64_t seq)
{
	for (size_t i = 0; i < bus->acknowledged_count; i++) {
		if (bus->acknowledged[i].handshake.event != event)
			continue;
		atomic_store(&bus->acknowledged[i].handed_seq, seq);
		signal_fd(bus->wake_fd);
	}
}

uint64_t vd_modbus_bus_work(const struct vd_modbus_bus *bus)
{
	return atomic_load(&bus->work);
}

bool vd_modbus_bus_is_overdue(const struct vd_modbus_bus *bus, uint64_t now, uint64_t grace_ms)
{
	uint64_t due_ms = atomic_load(&bus->due_ms);

	return due_ms < UINT64_MAX - grace_ms && now > due_ms + grace_ms;
}
