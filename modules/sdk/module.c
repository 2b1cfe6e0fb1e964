/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The module's side of vedette-module(7). Descriptor 3 is the life line: when it ends, the
 * agent is gone, and a module without an agent must not go on driving a line.
 */
#include "modules/sdk/module.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/schema.h"
#include "modules/sdk/private.h"

enum {
	AGENT_FD = 3,
	PROTOCOL = 1,
	HEARTBEAT_MS = 1000,
	/* Of the queue's 1024 packets and 4 MiB, the rest is for applied, ready, alive. */
	ORDINARY_PACKETS = VD_CHANNEL_QUEUE_PACKETS - 64,
	ORDINARY_BYTES = VD_CHANNEL_QUEUE_BYTES - (512 << 10),
	LINGER_MS = 2000, /* for what is still queued when the module ends */
	LINGER_STEP_MS = 5,
};

cJSON *vd_module_packet(const char *type)
{
	cJSON *packet = cJSON_CreateObject();

	if (packet && !vd_json_add_string(packet, "type", type))
		packet = vd_json_free(packet);
	return packet;
}

static int outcome(int r)
{
	if (r == VD_CHANNEL_FULL)
		return VD_MODULE_FULL;
	return r == VD_CHANNEL_GONE ? VD_MODULE_GONE : r;
}

int vd_module_send(struct vd_module *m, cJSON **packet, const int *fds, unsigned fd_count)
{
	VD_CLEANUP(vd_json_free) cJSON *taken = VD_TAKE(*packet);
	struct vd_channel_counts counts;

	vd_channel_counts(m->channel, &counts);
	if (counts.queued >= ORDINARY_PACKETS || counts.queued_bytes >= ORDINARY_BYTES)
		return VD_MODULE_FULL;
	return outcome(vd_channel_send(m->channel, taken, fds, fd_count));
}

/* The packets of life and death: without them the module is of no use, so it ends. */
static void send_vital(struct vd_module *m, cJSON *packet)
{
	int r = packet ? vd_channel_send(m->channel, packet, NULL, 0) : -ENOMEM;

	packet = vd_json_free(packet);
	if (r != 0 && r != VD_CHANNEL_GONE) {
		vd_log(VD_ERROR, "sdk.unsendable", "error=%d", r);
		vd_loop_stop(m->loop, 1);
	}
}

/* --- Life --- */

static void send_alive(struct vd_module *m)
{
	VD_CLEANUP(vd_json_free) cJSON *packet = vd_module_packet("alive");
	int r = -ENOMEM;

	if (packet && vd_json_add_number(packet, "work", (double)atomic_load(&m->work)) &&
	    vd_json_add_bool(packet, "due", atomic_load(&m->is_due)))
		r = vd_channel_send(m->channel, packet, NULL, 0);
	/* One that is lost is made good by the next. */
	if (r < 0)
		vd_log(VD_WARN, "sdk.aliveLost", "error=%d", r);
}

/* Only memory can fail here, and a module without its timers is as good as hung. */
static void arm(struct vd_module *m, struct vd_source *timer, uint64_t delay_ms)
{
	int r = vd_timer_arm(timer, delay_ms);

	if (r < 0) {
		vd_log(VD_ERROR, "sdk.noTimer", "error=%d", r);
		vd_loop_stop(m->loop, 1);
	}
}

static void on_heartbeat(void *argument)
{
	struct vd_module *m = argument;

	send_alive(m);
	arm(m, m->heartbeat, m->heartbeat_ms);
}

void vd_module_work(struct vd_module *m, uint64_t count)
{
	atomic_fetch_add(&m->work, count);
}

void vd_module_due(struct vd_module *m, bool is_due)
{
	atomic_store(&m->is_due, is_due);
}

int vd_module_post(struct vd_module *m, vd_fn fn, void *argument)
{
	return vd_post_put(&m->posts, fn, argument);
}

void vd_module_ready(struct vd_module *m)
{
	if (m->is_ready)
		return;
	m->is_ready = true;
	send_vital(m, vd_module_packet("ready"));
	send_alive(m);
}

/* Ends the loop once the queue is empty, or its time is over. */
static void on_linger(void *argument)
{
	struct vd_module *m = argument;
	struct vd_channel_counts counts;

	vd_channel_counts(m->channel, &counts);
	if (counts.queued == 0 || vd_clock_mono_ms() >= m->linger_until_ms)
		vd_loop_stop(m->loop, m->status);
	else
		arm(m, m->linger, LINGER_STEP_MS);
}

void vd_module_exit(struct vd_module *m, int status)
{
	if (m->linger_until_ms > 0)
		return;
	m->status = status;
	m->linger_until_ms = vd_clock_mono_ms() + LINGER_MS;
	on_linger(m);
}

static void stop(struct vd_module *m)
{
	if (m->is_stopping)
		return;
	m->is_stopping = true;
	if (!m->program->on_stop || m->program->on_stop(m, m->argument) != VD_MODULE_LATER)
		vd_module_exit(m, 0);
}

static void on_terminate(int number, void *argument)
{
	(void)number;
	stop(argument);
}

/* --- Parameters --- */

static void set_fini(struct vd_parameter_set *set)
{
	set->json = vd_json_free(set->json);
}

static void set_move(struct vd_parameter_set *to, struct vd_parameter_set *from)
{
	set_fini(to);
	*to = *from;
	from->json = NULL;
}

static void send_refusal(struct vd_module *m, int64_t version, const struct vd_fault *fault)
{
	cJSON *packet = vd_module_packet("refused");

	if (packet &&
	    (!vd_json_add_number(packet, "version", (double)version) ||
	     !vd_json_add_string(packet, "pointer", fault->pointer) ||
	     !vd_json_add_string(packet, "text", fault->text[0] ? fault->text : "refused")))
		packet = vd_json_free(packet);
	send_vital(m, packet);
}

static void hand_over(struct vd_module *m)
{
	const struct vd_module_program *program = m->program;
	struct vd_fault fault = { 0 };
	int r;

	if (!m->is_started) {
		r = program->on_start(m, m->on_trial.json, m->argument, &fault);
	} else if (program->on_parameters) {
		r = program->on_parameters(m, m->on_trial.json, m->argument, &fault);
	} else {
		vd_fault_set(&fault, 409, "", "changes take effect with a restart only");
		r = -EOPNOTSUPP;
	}
	if (r < 0)
		vd_module_refused(m, &fault);
	else if (r != VD_MODULE_LATER)
		vd_module_applied(m);
}

static void on_next_set(void *argument)
{
	struct vd_module *m = argument;

	if (m->on_trial.json || !m->waiting.json || m->is_stopping)
		return;
	set_move(&m->on_trial, &m->waiting);
	hand_over(m);
}

/* From the loop, not from within the author's call. */
static void look_for_next_set(struct vd_module *m)
{
	if (m->waiting.json && vd_post_put(&m->posts, on_next_set, m) < 0)
		vd_log(VD_ERROR, "sdk.parametersLost", "version=%lld",
		       (long long)m->waiting.version);
}

void vd_module_applied(struct vd_module *m)
{
	cJSON *packet;

	if (!m->on_trial.json)
		return;
	set_move(&m->in_force, &m->on_trial);
	packet = vd_module_packet("applied");
	if (packet && !vd_json_add_number(packet, "version", (double)m->in_force.version))
		packet = vd_json_free(packet);
	send_vital(m, packet);
	if (!m->is_started) {
		m->is_started = true;
		if (!m->program->is_ready_by_hand)
			vd_module_ready(m);
	}
	look_for_next_set(m);
}

void vd_module_refused(struct vd_module *m, const struct vd_fault *fault)
{
	if (!m->on_trial.json)
		return;
	set_fini(&m->on_trial);
	send_refusal(m, m->on_trial.version, fault);
	look_for_next_set(m);
}

/* Filled in first, so that what is required may have a default. */
static int prepare(struct vd_module *m, const cJSON *given, cJSON **ret_json,
		   struct vd_fault *fault)
{
	VD_CLEANUP(vd_json_free)
	cJSON *json = given ? cJSON_Duplicate(given, true) : cJSON_CreateObject();
	int r = 0;

	if (!json)
		return -ENOMEM;
	if (m->schema) {
		r = vd_schema_fill(m->schema, json);
		if (r == 0)
			r = vd_schema_check(m->schema, json, fault);
	}
	if (r == 0)
		*ret_json = VD_TAKE(json);
	return r;
}

static void take_parameters(struct vd_module *m, const cJSON *packet)
{
	struct vd_parameter_set set = { .version = vd_json_int(packet, "version", 0) };
	struct vd_fault fault = { 0 };
	int r = prepare(m, vd_json_get(packet, "parameters"), &set.json, &fault);

	if (r < 0) {
		if (!fault.code)
			vd_fault_set(&fault, 500, "", "%s", strerrordesc_np(-r));
		send_refusal(m, set.version, &fault);
		return;
	}
	if (m->on_trial.json) {
		set_move(&m->waiting, &set);
		return;
	}
	set_move(&m->on_trial, &set);
	hand_over(m);
}

/* --- Packets --- */

static void on_start_packet(struct vd_module *m, struct vd_packet *packet)
{
	const cJSON *json = packet->json;
	int64_t beat = vd_json_int(json, "heartbeatMs", HEARTBEAT_MS);

	if (m->instance) {
		m->ignored_packets++;
		return;
	}
	m->instance = strdup(vd_json_string(json, "instance", ""));
	m->device_id = strdup(vd_json_string(json, "deviceId", ""));
	m->state_folder = strdup(vd_json_string(json, "stateFolder", ""));
	if (!m->instance || !m->device_id || !m->state_folder) {
		vd_loop_stop(m->loop, 1);
		return;
	}
	m->heartbeat_ms = beat > 0 && beat <= 3600000 ? (uint32_t)beat : HEARTBEAT_MS;
	arm(m, m->heartbeat, m->heartbeat_ms);
	take_parameters(m, json);
}

static void on_parameters_packet(struct vd_module *m, struct vd_packet *packet)
{
	if (m->instance && !m->is_stopping)
		take_parameters(m, packet->json);
	else
		m->ignored_packets++;
}

static void on_settled_packet(struct vd_module *m, struct vd_packet *packet)
{
	vd_module_settle(m, packet->json);
}

static void on_message_packet(struct vd_module *m, struct vd_packet *packet)
{
	const cJSON *body = vd_json_get(packet->json, "body");

	if (m->program->on_message && body)
		m->program->on_message(m, vd_json_string(packet->json, "input", ""),
				       vd_json_string(packet->json, "from", ""), body, m->argument);
	else
		m->ignored_packets++;
}

static void on_call_packet(struct vd_module *m, struct vd_packet *packet)
{
	int64_t id = vd_json_int(packet->json, "id", -1);
	const char *method = vd_json_string(packet->json, "method", "");
	const cJSON *body = vd_json_get(packet->json, "body");
	VD_CLEANUP(vd_json_free) cJSON *nothing = body ? NULL : cJSON_CreateNull();

	if (m->program->on_call)
		m->program->on_call(m, id, method, body ? body : nothing, m->argument);
	else if (vd_module_answer(m, id, 404, NULL) != 0)
		vd_log(VD_WARN, "sdk.answerLost", "method=%s", method);
}

static void on_channel_packet(struct vd_module *m, struct vd_packet *packet)
{
	const char *role = vd_json_string(packet->json, "role", "");
	const char *name = vd_json_string(packet->json, "port", "");
	VD_CLEANUP(vd_close) int fd = vd_packet_take_fd(packet, 0);

	for (struct vd_port *port = m->ports; port; port = port->next) {
		if (!strcmp(port->role, role) && !strcmp(port->name, name)) {
			port->on_channel(port, vd_json_string(packet->json, "peer", ""), &fd);
			return;
		}
	}
	m->ignored_packets++;
	vd_log(VD_WARN, "sdk.noSuchPort", "port=%s role=%s", name, role);
}

static void on_stop_packet(struct vd_module *m, struct vd_packet *packet)
{
	(void)packet;
	stop(m);
}

static const struct {
	const char *type;
	void (*fn)(struct vd_module *m, struct vd_packet *packet);
} packet_types[] = {
	{ "start", on_start_packet },     { "parameters", on_parameters_packet },
	{ "stored", on_settled_packet },  { "rejected", on_settled_packet },
	{ "message", on_message_packet }, { "call", on_call_packet },
	{ "channel", on_channel_packet }, { "stop", on_stop_packet },
};

static void on_packet(struct vd_packet *packet, void *argument)
{
	struct vd_module *m = argument;

	for (size_t i = 0; i < VD_COUNT(packet_types); i++) {
		if (!strcmp(packet_types[i].type, vd_packet_type(packet))) {
			packet_types[i].fn(m, packet);
			return;
		}
	}
	m->ignored_packets++;
}

static void on_closed(enum vd_channel_end end, const struct vd_fault *fault, void *argument)
{
	struct vd_module *m = argument;

	if (end == VD_CHANNEL_EOF)
		vd_log(VD_NOTICE, "sdk.agentGone", "instance=%s", m->instance ? m->instance : "");
	else
		vd_log(VD_ERROR, "sdk.agentUnintelligible", "text=\"%s\"", fault->text);
	vd_loop_stop(m->loop, end == VD_CHANNEL_EOF ? 0 : 1);
}

/* --- Ports --- */

int vd_port_init(struct vd_port *port, struct vd_module *module, const char *name)
{
	port->name = strdup(name);
	if (!port->name)
		return -ENOMEM;
	port->module = module;
	port->next = module->ports;
	module->ports = port;
	return 0;
}

void vd_port_fini(struct vd_port *port)
{
	struct vd_port **at = port->module ? &port->module->ports : NULL;

	while (at && *at && *at != port)
		at = &(*at)->next;
	if (at && *at)
		*at = port->next;
	free(VD_TAKE(port->name));
}

static void close_ports(struct vd_module *m)
{
	while (m->ports) {
		struct vd_port *port = m->ports;

		m->ports = port->next;
		port->close(port);
		port->module = NULL;
	}
}

/* --- From main to the end --- */

struct vd_loop *vd_module_loop(struct vd_module *m)
{
	return m->loop;
}

const char *vd_module_instance(const struct vd_module *m)
{
	return m->instance ? m->instance : "";
}

const char *vd_module_device_id(const struct vd_module *m)
{
	return m->device_id ? m->device_id : "";
}

const char *vd_module_state_folder(const struct vd_module *m)
{
	return m->state_folder ? m->state_folder : "";
}

int64_t vd_module_version(const struct vd_module *m)
{
	return m->in_force.version;
}

const cJSON *vd_module_parameters(const struct vd_module *m)
{
	return m->in_force.json;
}

static int parse_schema(const struct vd_module_program *program, cJSON **ret_schema)
{
	struct vd_fault fault = { 0 };
	int r;

	if (!program->schema)
		return 0;
	r = vd_json_parse(program->schema, strlen(program->schema), ret_schema, &fault);
	if (r < 0)
		(void)fprintf(stderr, "%s: schema: %s\n", program->name, fault.text);
	return r;
}

static int explain(const struct vd_module_program *program)
{
	VD_CLEANUP(vd_json_free) cJSON *schema = NULL;

	if (parse_schema(program, &schema) < 0)
		return 1;
	if (schema)
		vd_schema_explain(schema, stdout);
	return 0;
}

static int answer_option(const char *option, const struct vd_module_program *program)
{
	if (!strcmp(option, "--version"))
		return printf("%s %s\n", program->name, program->version) > 0 ? 0 : 1;
	if (!strcmp(option, "--schema"))
		return fputs(program->schema ? program->schema : "{}\n", stdout) >= 0 ? 0 : 1;
	if (!strcmp(option, "--explain"))
		return explain(program);
	(void)fprintf(stderr, "usage: %s [--schema | --explain | --version]\n", program->name);
	return 2;
}

static bool is_agent_there(void)
{
	int type = 0;
	socklen_t len = sizeof type;

	return getsockopt(AGENT_FD, SOL_SOCKET, SO_TYPE, &type, &len) == 0 &&
	       type == SOCK_SEQPACKET;
}

static int open_module(struct vd_module *m)
{
	static const struct vd_channel_handlers handlers = { .on_packet = on_packet,
							     .on_closed = on_closed };
	int fd = AGENT_FD, r = parse_schema(m->program, &m->schema);

	if (r == 0 && fcntl(AGENT_FD, F_SETFD, FD_CLOEXEC) < 0)
		r = -errno;
	if (r == 0)
		r = vd_loop_new(&m->loop);
	if (r == 0)
		r = vd_post_init(&m->posts, m->loop);
	if (r == 0)
		r = vd_loop_timer(m->loop, on_heartbeat, m, &m->heartbeat);
	if (r == 0)
		r = vd_loop_timer(m->loop, on_linger, m, &m->linger);
	if (r == 0)
		r = vd_loop_signal(m->loop, SIGTERM, on_terminate, m, &m->terminate);
	if (r == 0)
		r = vd_channel_new(m->loop, &fd, 0, &handlers, m, &m->channel);
	return r;
}

static void say_hello(struct vd_module *m)
{
	cJSON *packet = vd_module_packet("hello");

	if (packet && (!vd_json_add_number(packet, "protocol", PROTOCOL) ||
		       !vd_json_add_string(packet, "name", m->program->name) ||
		       !vd_json_add_string(packet, "version", m->program->version)))
		packet = vd_json_free(packet);
	send_vital(m, packet);
}

static void close_module(struct vd_module *m)
{
	close_ports(m);
	vd_module_forget_pending(m);
	vd_post_fini(&m->posts);
	m->channel = vd_channel_free(m->channel);
	m->heartbeat = vd_source_free(m->heartbeat);
	m->linger = vd_source_free(m->linger);
	m->terminate = vd_source_free(m->terminate);
	m->loop = vd_loop_free(m->loop);
	set_fini(&m->in_force);
	set_fini(&m->on_trial);
	set_fini(&m->waiting);
	m->schema = vd_json_free(m->schema);
	free(VD_TAKE(m->instance));
	free(VD_TAKE(m->device_id));
	free(VD_TAKE(m->state_folder));
}

static int serve(struct vd_module *m)
{
	int status = 1, r = open_module(m);

	if (r < 0) {
		vd_log(VD_ERROR, "sdk.notOpened", "error=%d", r);
	} else {
		say_hello(m);
		status = vd_loop_run(m->loop);
		vd_post_close(&m->posts);
		if (m->program->on_end)
			m->program->on_end(m, m->argument);
	}
	close_module(m);
	return status < 0 ? 1 : status;
}

int vd_module_run(int argc, char **argv, const struct vd_module_program *program, void *argument)
{
	struct vd_module module = { .program = program, .argument = argument, .posts.fd = -1 };

	if (argc > 1)
		return answer_option(argv[1], program);
	if (!is_agent_there()) {
		(void)fprintf(stderr,
			      "%s: started by vedetted, which it expects on descriptor 3; "
			      "see vedette-module(7)\n",
			      program->name);
		return 2;
	}
	/* The agent reads the priority that then stands before each line. */
	(void)setenv("JOURNAL_STREAM", "0:0", 0);
	(void)signal(SIGPIPE, SIG_IGN);
	module.last_pending = &module.first_pending;
	return serve(&module);
}
