/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vedette-modbus(8): where the connections meet the module protocol. The threads of the
 * connections only put messages into the outbound queue and wake the loop; all that speaks to
 * the agent happens on the loop. New parameters replace all connections: the old ones end
 * first (a serial line has one owner), the loop running meanwhile.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "modules/modbus/bus.h"
#include "modules/modbus/outbound.h"
#include "modules/modbus/parameters.h"
#include "modules/modbus/sieve.h"
#include "modules/modbus/verdict.h"
#include "modules/sdk/module.h"

extern const char vd_schema_json[];

enum {
	WATCH_MS = 250,   /* how often work and overdue polls are told to the SDK */
	OVERDUE_MS = 200, /* later than this a poll or write counts as pending work */
	HUNG_MS = 30000,  /* a connection's thread this late is hung */
	RETRY_MS = 50,    /* the agent was slow */
	RECEIPTS = 64,    /* edges that the agent has not answered yet */
};

struct program {
	struct vd_module *module;
	struct vd_modbus_outbound *outbound;
	struct vd_source *watch, *retry;

	struct vd_modbus_parameters *parameters,
		*next; /* in force, and waiting for the old to end */
	struct vd_modbus_bus **buses;
	size_t bus_count, running;
	bool is_stopping;

	uint64_t work_told;
	uint32_t generation; /* of the connections */
	struct {
		uint64_t id; /* of the publication; 0: free */
		struct vd_modbus_receipt receipt;
	} receipts[RECEIPTS]; /* a ring */
	size_t receipt_count;
	struct vd_modbus_sieve sieve;
	uint64_t refused_messages, refused_shown;
	uint64_t lost_told, passed_told;
};

/* --- To the agent --- */

static void on_stored(struct vd_module *module, uint64_t id, int64_t seq, const char *text,
		      void *argument)
{
	struct program *program = argument;

	for (size_t i = 0; i < RECEIPTS; i++) {
		const struct vd_modbus_receipt *receipt = &program->receipts[i].receipt;

		if (program->receipts[i].id != id)
			continue;
		program->receipts[i].id = 0;
		if (text)
			vd_log(VD_ERROR, "modbus.edgeRefused", "text=\"%s\"", text);
		else if (receipt->generation == program->generation &&
			 receipt->bus < program->bus_count)
			vd_modbus_bus_handed_over(program->buses[receipt->bus], receipt->event,
						  receipt->seq);
		return;
	}
}

/* The oldest receipt gives way: of so many, its level is long gone. */
static int send_edge(struct program *program, struct vd_publication *publication,
		     const struct vd_modbus_receipt *receipt)
{
	const size_t at = program->receipt_count % RECEIPTS;
	uint64_t id = 0;
	int r;

	publication->on_stored = on_stored;
	publication->argument = program;
	r = vd_module_publish(program->module, publication, &id);
	if (r != 0)
		return r;
	program->receipts[at].id = id;
	program->receipts[at].receipt = *receipt;
	program->receipt_count++;
	return 0;
}

static int send_message(struct program *program, const struct vd_modbus_message *message)
{
	struct vd_publication publication = { .output = message->output,
					      .record_class = message->record_class,
					      .body = message->body };

	if (!message->output)
		return vd_module_report(program->module, message->body);
	if (message->receipt.event)
		return send_edge(program, &publication, &message->receipt);
	return vd_module_publish(program->module, &publication, NULL);
}

static void send_all(void *argument)
{
	struct program *program = argument;
	struct vd_modbus_message message;

	while (vd_modbus_outbound_peek(program->outbound, &message)) {
		int r = send_message(program, &message);

		if (r == VD_MODULE_FULL) {
			if (vd_timer_arm(program->retry, RETRY_MS) < 0)
				vd_log(VD_ERROR, "modbus.timer", "cannot be armed");
			return;
		}
		if (r < 0)
			vd_log(VD_ERROR, "modbus.publishFailed", "output=%s error=%d",
			       message.output ? message.output : "report", -r);
		vd_modbus_outbound_drop(program->outbound);
	}
}

static void put_message(struct program *program, struct vd_modbus_message *message)
{
	if (vd_modbus_outbound_put(program->outbound, message) &&
	    vd_module_post(program->module, send_all, program) < 0)
		return; /* the module ends, or memory is short: the next watch sends it */
}

static void put(struct program *program, const char *output, const char *record_class, cJSON **body)
{
	struct vd_modbus_message message = { output, record_class, VD_TAKE(*body), { 0 } };

	put_message(program, &message);
}

static void on_publish(const char *output, const char *record_class, cJSON **body, void *argument)
{
	put(argument, output, record_class, body);
}

static void on_edge(size_t bus, const struct vd_modbus_event *event, uint64_t seq, cJSON **body,
		    void *argument)
{
	struct program *program = argument;
	struct vd_modbus_message message = {
		.output = "event",
		.record_class = "event",
		.body = VD_TAKE(*body),
		.receipt = { .event = event->acknowledge ? event : NULL,
			     .bus = bus,
			     .generation = program->generation,
			     .seq = seq },
	};

	put_message(program, &message);
}

static void on_report(const char *device, cJSON **body, void *argument)
{
	VD_CLEANUP(vd_json_free) cJSON *patch = cJSON_CreateObject();
	VD_CLEANUP(vd_json_free) cJSON *devices = cJSON_CreateObject();

	if (patch && devices && vd_json_add_take(devices, device, body) &&
	    vd_json_add_take(patch, "devices", &devices))
		put(argument, NULL, NULL, &patch);
}

/* --- The connections --- */

static void free_buses(struct program *program)
{
	for (size_t i = 0; i < program->bus_count; i++)
		(void)vd_modbus_bus_free(program->buses[i]);
	free(program->buses);
	program->buses = NULL;
	program->bus_count = program->running = 0;
	program->work_told = 0;
}

static void stop_buses(struct program *program)
{
	for (size_t i = 0; i < program->bus_count; i++)
		vd_modbus_bus_stop(program->buses[i]);
}

static void after_end(void *argument);

static void on_ended(void *argument)
{
	struct program *program = argument;

	if (vd_module_post(program->module, after_end, program) < 0)
		return; /* on_end waits for the threads itself */
}

static int start_buses(struct program *program, struct vd_modbus_parameters **parameters)
{
	const struct vd_modbus_bus_events events = { on_publish, on_edge, on_report, on_ended,
						     program };
	int r = 0;

	program->generation++;
	program->parameters = VD_TAKE(*parameters);
	program->buses = calloc(program->parameters->bus_count + 1, sizeof(struct vd_modbus_bus *));
	if (!program->buses)
		return -ENOMEM;
	for (size_t i = 0; i < program->parameters->bus_count && r == 0; i++) {
		r = vd_modbus_bus_new(program->parameters, i, &events, &program->buses[i]);
		if (r == 0)
			program->bus_count++;
	}
	program->running = program->bus_count;
	return r;
}

static bool has_device(const struct vd_modbus_parameters *parameters, const char *name)
{
	for (size_t i = 0; i < parameters->device_count; i++) {
		if (!strcmp(parameters->devices[i].name, name))
			return true;
	}
	return false;
}

/* A device that is gone leaves reported state. */
static void forget_devices(struct program *program, const struct vd_modbus_parameters *old,
			   const struct vd_modbus_parameters *next)
{
	for (size_t i = 0; i < old->device_count; i++) {
		VD_CLEANUP(vd_json_free) cJSON *null = cJSON_CreateNull();

		if (null && !has_device(next, old->devices[i].name))
			on_report(old->devices[i].name, &null, program);
	}
}

/* A device never polled is unknown, and says so from the start. */
static void report_unknown(struct program *program)
{
	for (size_t i = 0; i < program->parameters->device_count; i++) {
		VD_CLEANUP(vd_json_free) cJSON *body = cJSON_CreateObject();

		if (body && vd_json_add_string(body, "status", "unknown"))
			on_report(program->parameters->devices[i].name, &body, program);
	}
}

static void switch_parameters(struct program *program)
{
	struct vd_fault fault = { 0 };

	forget_devices(program, program->parameters, program->next);
	program->parameters = vd_modbus_parameters_free(program->parameters);
	if (start_buses(program, &program->next) == 0) {
		report_unknown(program);
		vd_module_applied(program->module);
		return;
	}
	/* Nothing is in force now; the agent's restart is the way back. */
	vd_fault_set(&fault, 500, "", "no memory or threads for the connections");
	vd_module_refused(program->module, &fault);
	vd_module_exit(program->module, 1);
}

/* One thread has ended; when all have, what waited for that goes on. */
static void after_end(void *argument)
{
	struct program *program = argument;

	if (program->running == 0 || --program->running > 0)
		return;
	free_buses(program);
	send_all(program);
	if (program->is_stopping)
		vd_module_exit(program->module, 0);
	else if (program->next)
		switch_parameters(program);
}

/* --- Liveness --- */

/* What was passed over, when there is news of it. */
static void report_passed(struct program *program)
{
	VD_CLEANUP(vd_json_free) cJSON *patch = cJSON_CreateObject();
	cJSON *counts = patch ? cJSON_AddObjectToObject(patch, "passedOver") : NULL;
	bool ok = counts;
	uint64_t sum = 0;

	for (int i = VD_MODBUS_SIEVE_TAKEN + 1; i < VD_MODBUS_SIEVE_OUTCOMES; i++) {
		sum += program->sieve.counts[i];
		ok = ok && vd_json_add_number(counts,
					      vd_modbus_sieve_name((enum vd_modbus_sieve_outcome)i),
					      (double)program->sieve.counts[i]);
	}
	if (!ok || sum == program->passed_told)
		return;
	program->passed_told = sum;
	put(program, NULL, NULL, &patch);
}

/* Work is told only while no connection hangs: then the agent sees work that stands still. */
static void on_watch(void *argument)
{
	struct program *program = argument;
	uint64_t now_ms = vd_clock_mono_ms(), work = 0, lost;
	bool is_due = false, is_hung = false;

	for (size_t i = 0; i < program->bus_count; i++) {
		work += vd_modbus_bus_work(program->buses[i]);
		is_due |= vd_modbus_bus_is_overdue(program->buses[i], now_ms, OVERDUE_MS);
		is_hung |= vd_modbus_bus_is_overdue(program->buses[i], now_ms, HUNG_MS);
	}
	vd_module_due(program->module, is_due);
	if (!is_hung && work > program->work_told) {
		vd_module_work(program->module, work - program->work_told);
		program->work_told = work;
	}
	lost = vd_modbus_outbound_lost(program->outbound);
	if (lost > program->lost_told)
		vd_log(VD_WARN, "modbus.messagesLost", "count=%llu", (unsigned long long)lost);
	program->lost_told = lost;
	report_passed(program);
	send_all(program);
	if (vd_timer_arm(program->watch, WATCH_MS) < 0)
		vd_log(VD_ERROR, "modbus.timer", "cannot be armed");
}

/* --- From the agent --- */

static int on_start(struct vd_module *module, const cJSON *json, void *argument,
		    struct vd_fault *fault)
{
	struct program *program = argument;
	VD_CLEANUP(vd_modbus_parameters_free) struct vd_modbus_parameters *parameters = NULL;
	struct vd_loop *loop = vd_module_loop(module);
	int r = vd_modbus_parameters_new(json, &parameters, fault);

	if (r < 0)
		return r;
	program->module = module;
	if (!program->watch && (vd_loop_timer(loop, on_watch, program, &program->watch) < 0 ||
				vd_loop_timer(loop, send_all, program, &program->retry) < 0 ||
				vd_timer_arm(program->watch, WATCH_MS) < 0))
		return -ENOMEM;
	r = start_buses(program, &parameters);
	if (r == 0) {
		report_unknown(program);
		return 0;
	}
	vd_fault_set(fault, 500, "", "connections: %s", strerror(-r));
	free_buses(program);
	program->parameters = vd_modbus_parameters_free(program->parameters);
	return r;
}

static int on_parameters(struct vd_module *module, const cJSON *json, void *argument,
			 struct vd_fault *fault)
{
	struct program *program = argument;
	int r = vd_modbus_parameters_new(json, &program->next, fault);

	if (r < 0)
		return r;
	if (program->bus_count > 0) {
		stop_buses(program);
		return VD_MODULE_LATER;
	}
	free_buses(program);
	program->parameters = vd_modbus_parameters_free(program->parameters);
	return start_buses(program, &program->next);
}

static struct vd_modbus_bus *verdict_bus(const struct program *program)
{
	const struct vd_modbus_device *device =
		program->parameters ? program->parameters->verdicts.device : NULL;

	return device && program->bus_count > device->bus ? program->buses[device->bus] : NULL;
}

/* The first is said at once, then each time their number doubled: a wrong route must not flood. */
static void refuse_message(struct program *program, const char *from, const char *text)
{
	VD_CLEANUP(vd_json_free) cJSON *body = cJSON_CreateObject();
	VD_CLEANUP(vd_json_free) cJSON *patch = cJSON_CreateObject();

	program->refused_messages++;
	if (patch &&
	    vd_json_add_number(patch, "refusedMessages", (double)program->refused_messages) &&
	    program->refused_messages >= 2 * program->refused_shown)
		put(program, NULL, NULL, &patch);
	if (program->refused_messages < 2 * program->refused_shown || !body)
		return;
	program->refused_shown = program->refused_messages;
	vd_log(VD_WARN, "modbus.messageRefused", "from=%s text=\"%s\"", from, text);
	if (vd_json_add_string(body, "event", "messageRefused") &&
	    vd_json_add_string(body, "from", from) && vd_json_add_string(body, "text", text) &&
	    vd_json_add_number(body, "count", (double)program->refused_messages))
		put(program, "status", "event", &body);
}

/* A verdict that never reached a connection is as bad as one that failed on the line. */
static void alarm_lost(struct program *program, const char *from,
		       const struct vd_modbus_verdict *verdict, const char *text)
{
	VD_CLEANUP(vd_json_free) cJSON *body = cJSON_CreateObject();

	vd_log(VD_ERROR, "modbus.writeFailed", "from=%s itemId=%s text=\"%s\"", from,
	       verdict->item_id, text);
	if (body && vd_json_add_string(body, "event", "verdictWriteFailed") &&
	    vd_json_add_string(body, "text", text) &&
	    vd_json_add_string(body, "verdict", vd_modbus_decision_name(verdict->decision)) &&
	    vd_json_add_string(body, "itemId", verdict->item_id))
		put(program, "alarm", "alarm", &body);
}

/* Not an alarm: the part got no signal, or the right one before; but it is never silent. */
static void tell_passed(struct program *program, const char *from,
			const struct vd_modbus_verdict *verdict, const char *why)
{
	VD_CLEANUP(vd_json_free) cJSON *body = cJSON_CreateObject();
	const uint64_t now_ms = vd_clock_mono_ms(), then_ms = verdict->triggered_ms;

	vd_log(VD_WARN, "modbus.verdictPassedOver", "from=%s itemId=%s why=%s", from,
	       verdict->item_id, why);
	if (body && vd_json_add_string(body, "event", "verdictPassedOver") &&
	    vd_json_add_string(body, "from", from) && vd_json_add_string(body, "why", why) &&
	    vd_json_add_string(body, "verdict", vd_modbus_decision_name(verdict->decision)) &&
	    vd_json_add_string(body, "itemId", verdict->item_id) &&
	    (!then_ms || vd_json_add_number(body, "ageMs", (double)now_ms - (double)then_ms)))
		put(program, "status", "event", &body);
}

static void write_verdict(struct program *program, const char *from,
			  const struct vd_modbus_verdict *verdict)
{
	struct vd_modbus_bus *bus = verdict_bus(program);
	enum vd_modbus_sieve_outcome outcome = VD_MODBUS_SIEVE_TAKEN;

	if (bus)
		outcome = vd_modbus_sieve_try(&program->sieve, verdict,
					      program->parameters->verdicts.max_age_ms,
					      vd_clock_mono_ms());
	if (outcome != VD_MODBUS_SIEVE_TAKEN)
		tell_passed(program, from, verdict, vd_modbus_sieve_name(outcome));
	else if (!bus)
		refuse_message(program, from, "the parameters name no device for verdicts");
	else if (program->next || program->is_stopping)
		alarm_lost(program, from, verdict, "the connections are being changed or stopped");
	else if (vd_modbus_bus_write(bus, verdict) < 0)
		alarm_lost(program, from, verdict, "too many verdicts wait for this connection");
}

static void on_message(struct vd_module *module, const char *input, const char *from,
		       const cJSON *body, void *argument)
{
	struct program *program = argument;
	struct vd_modbus_verdict verdict;
	struct vd_fault fault = { 0 };
	int r;

	if (strcmp(input, "write") != 0) {
		refuse_message(program, from, "there is no such input");
		return;
	}
	r = vd_modbus_verdict_read(body, &verdict, &fault);
	if (r != 0)
		refuse_message(program, from, fault.text);
	if (r >= 0)
		write_verdict(program, from, &verdict);
}

static int on_stop(struct vd_module *module, void *argument)
{
	struct program *program = argument;

	program->is_stopping = true;
	if (program->bus_count == 0)
		return 0;
	stop_buses(program);
	return VD_MODULE_LATER;
}

static void on_end(struct vd_module *module, void *argument)
{
	struct program *program = argument;

	stop_buses(program);
	free_buses(program);
	program->watch = vd_source_free(program->watch);
	program->retry = vd_source_free(program->retry);
	program->parameters = vd_modbus_parameters_free(program->parameters);
	program->next = vd_modbus_parameters_free(program->next);
}

int main(int argc, char **argv)
{
	static const struct vd_module_program about = {
		.name = "modbus",
		.version = VD_MODBUS_VERSION,
		.schema = vd_schema_json,
		.on_start = on_start,
		.on_parameters = on_parameters,
		.on_message = on_message,
		.on_stop = on_stop,
		.on_end = on_end,
	};
	struct program program = { 0 };
	int status;

	/* RTU over TCP: libmodbus write()s to a socket that the peer may have closed. */
	(void)signal(SIGPIPE, SIG_IGN);
	if (vd_modbus_outbound_new(&program.outbound) < 0)
		return 1;
	status = vd_module_run(argc, argv, &about, &program);
	program.outbound = vd_modbus_outbound_free(program.outbound);
	return status;
}
