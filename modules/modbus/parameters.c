/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/modbus/parameters.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "modules/modbus/plan.h"

static const char *const area_names[] = {
	[VD_MODBUS_HOLDING] = "holding",
	[VD_MODBUS_INPUT] = "input",
	[VD_MODBUS_COIL] = "coil",
	[VD_MODBUS_DISCRETE] = "discrete",
};
static const char *const transport_names[] = {
	[VD_MODBUS_TCP] = "tcp",
	[VD_MODBUS_RTU] = "rtu",
	[VD_MODBUS_RTU_OVER_TCP] = "rtuOverTcp",
};
static const char *const rts_names[] = {
	[VD_MODBUS_RTS_NONE] = "none",
	[VD_MODBUS_RTS_UP] = "up",
	[VD_MODBUS_RTS_DOWN] = "down",
};
static const char *const on_names[] = {
	[VD_MODBUS_ON_RISE] = "rise",
	[VD_MODBUS_ON_FALL] = "fall",
	[VD_MODBUS_ON_CHANGE] = "change",
};
static const char *const parity_names[] = { "none", "even", "odd" };
static const char *const treatment_names[] = {
	[VD_MODBUS_ACCEPT] = "accept",
	[VD_MODBUS_REJECT] = "reject",
	[VD_MODBUS_NEITHER] = "none",
};

bool vd_modbus_area_is_bits(enum vd_modbus_area area)
{
	return area == VD_MODBUS_COIL || area == VD_MODBUS_DISCRETE;
}

const char *vd_modbus_area_name(enum vd_modbus_area area)
{
	return area_names[area];
}

const char *vd_modbus_on_name(enum vd_modbus_on on)
{
	return on_names[on];
}

/* The schema admits only names of the table; what is absent is the first. */
static int index_of(const char *name, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (name && !strcmp(name, names[i]))
			return (int)i;
	}
	return 0;
}

#define INDEX_OF(json, key, names) index_of(vd_json_string(json, key, NULL), names, VD_COUNT(names))

static uint32_t number_of(const cJSON *json, const char *key)
{
	return (uint32_t)vd_json_int(json, key, 0);
}

static int refuse(struct vd_fault *fault, const char *pointer, const char *text)
{
	vd_fault_set(fault, 400, pointer, "%s", text);
	return -EINVAL;
}

static int read_transport(const cJSON *json, struct vd_modbus_transport *transport,
			  struct vd_fault *fault)
{
	*transport = (struct vd_modbus_transport){
		.type = (enum vd_modbus_transport_type)INDEX_OF(json, "type", transport_names),
		.host = vd_json_string(json, "host", ""),
		.port = (uint16_t)number_of(json, "port"),
		.path = vd_json_string(json, "device", ""),
		.baud = number_of(json, "baud"),
		.parity = "NEO"[INDEX_OF(json, "parity", parity_names)],
		.data_bits = (int)number_of(json, "dataBits"),
		.stop_bits = (int)number_of(json, "stopBits"),
		.frame_gap_ms = number_of(json, "frameGapMs"),
		.rts = (enum vd_modbus_rts)INDEX_OF(json, "rts", rts_names),
		.is_rs485 = vd_json_bool(json, "rs485", false),
	};
	if (transport->type == VD_MODBUS_RTU) {
		transport->host = "";
		return transport->path[0]
			       ? 0
			       : refuse(fault, "/device", "a serial line needs its device");
	}
	transport->path = "";
	return transport->host[0] ? 0 : refuse(fault, "/host", "this transport needs a host");
}

static bool same_end(const struct vd_modbus_transport *a, const struct vd_modbus_transport *b)
{
	if (a->path[0] || b->path[0])
		return !strcmp(a->path, b->path);
	return a->port == b->port && !strcmp(a->host, b->host);
}

static bool same_settings(const struct vd_modbus_transport *a, const struct vd_modbus_transport *b)
{
	if (a->type != b->type)
		return false;
	return a->type != VD_MODBUS_RTU ||
	       (a->baud == b->baud && a->parity == b->parity && a->data_bits == b->data_bits &&
		a->stop_bits == b->stop_bits && a->frame_gap_ms == b->frame_gap_ms &&
		a->rts == b->rts && a->is_rs485 == b->is_rs485);
}

/* Finds the connection to the same end, or adds one. */
static int find_bus(struct vd_modbus_parameters *parameters,
		    const struct vd_modbus_transport *transport, size_t *ret_bus,
		    struct vd_fault *fault)
{
	for (size_t i = 0; i < parameters->bus_count; i++) {
		if (!same_end(&parameters->buses[i], transport))
			continue;
		if (!same_settings(&parameters->buses[i], transport))
			return refuse(fault, "",
				      "another device uses the same line with other settings");
		*ret_bus = i;
		return 0;
	}
	parameters->buses[parameters->bus_count] = *transport;
	*ret_bus = parameters->bus_count++;
	return 0;
}

static void read_format(const cJSON *json, const char *fallback_order, const char *fallback_type,
			struct vd_modbus_format *format)
{
	enum vd_modbus_type type = VD_MODBUS_UINT16;
	enum vd_modbus_order order = VD_MODBUS_ABCD;

	/* Both were checked against the schema's names, so that neither can fail. */
	if (vd_modbus_type_parse(vd_json_string(json, "type", fallback_type), &type) < 0 ||
	    vd_modbus_order_parse(vd_json_string(json, "order", fallback_order), &order) < 0)
		return;
	*format = vd_modbus_format_plain(type, order);
}

static int check_tag(const cJSON *json, const struct vd_modbus_tag *tag,
		     const struct vd_modbus_device *device, struct vd_fault *fault)
{
	const struct vd_modbus_format *format = &tag->format;
	bool bits = vd_modbus_area_is_bits(tag->area);

	if (bits && format->type != VD_MODBUS_BOOL)
		return refuse(fault, "/type", "coils and discrete inputs are bool");
	if (format->type == VD_MODBUS_STRING && !vd_json_get(json, "length"))
		return refuse(fault, "/length", "a string needs its length");
	if (format->mask &&
	    (bits || !(format->type == VD_MODBUS_BOOL || vd_modbus_type_is_integer(format->type)) ||
	     (format->type >= VD_MODBUS_BCD16)))
		return refuse(fault, "/mask", "only integers and bools in registers have a mask");
	if (format->mask && tag->count < 4 && format->mask >> (16 * tag->count))
		return refuse(fault, "/mask", "the mask has more bits than the type");
	if (format->scale == 0)
		return refuse(fault, "/scale", "a scale of 0 makes every value the same");
	if (format->clamp_low > format->clamp_high)
		return refuse(fault, "/clamp", "minimum is above maximum");
	if (tag->count > (bits ? device->max_bits : device->max_registers))
		return refuse(fault, "/type", "longer than the device answers in one request");
	if ((uint32_t)tag->address + tag->count > 65536)
		return refuse(fault, "/address", "goes beyond the last address, 65535");
	return 0;
}

static int read_tag(const cJSON *json, const cJSON *device_json,
		    const struct vd_modbus_device *device, struct vd_modbus_tag *tag,
		    struct vd_fault *fault)
{
	const cJSON *clamp = vd_json_object(json, "clamp");
	struct vd_modbus_format *format = &tag->format;

	tag->name = json->string;
	tag->area = (enum vd_modbus_area)INDEX_OF(json, "area", area_names);
	tag->address = (uint16_t)number_of(json, "address");
	tag->unit = vd_json_string(json, "unit", NULL);
	tag->labels = vd_json_object(json, "enum");
	tag->deadband = vd_json_number(json, "deadband", -1);
	tag->max_silence_ms = number_of(json, "maxSilenceMs");
	tag->interval_ms =
		number_of(vd_json_get(json, "intervalMs") ? json : device_json, "intervalMs");
	read_format(json, vd_json_string(device_json, "order", "ABCD"),
		    vd_modbus_area_is_bits(tag->area) ? "bool" : "uint16", format);
	format->mask = (uint64_t)vd_json_int(json, "mask", 0);
	vd_modbus_format_scale(format, vd_json_number(json, "scale", 1),
			       vd_json_number(json, "offset", 0));
	format->clamp_low = vd_json_number(clamp, "minimum", -INFINITY);
	format->clamp_high = vd_json_number(clamp, "maximum", INFINITY);
	if (format->type == VD_MODBUS_STRING)
		format->string_bytes = (size_t)vd_json_int(json, "length", 1);
	tag->count = (uint16_t)vd_modbus_format_words(format);
	return check_tag(json, tag, device, fault);
}

static int compare_tags(const void *a, const void *b)
{
	const struct vd_modbus_tag *x = a, *y = b;

	if (x->interval_ms != y->interval_ms)
		return x->interval_ms < y->interval_ms ? -1 : 1;
	return strcmp(x->name, y->name);
}

static int read_tags(const cJSON *json, struct vd_modbus_device *device, struct vd_fault *fault)
{
	const cJSON *tags = vd_json_object(json, "tags"), *item;
	const size_t sources = (size_t)cJSON_GetArraySize(vd_json_object(json, "events"));
	int r = 0;

	device->tags = calloc((size_t)cJSON_GetArraySize(tags) + sources + 1, sizeof *device->tags);
	if (!device->tags)
		return -ENOMEM;
	cJSON_ArrayForEach(item, tags)
	{
		r = read_tag(item, json, device, &device->tags[device->tag_count], fault);
		if (r < 0) {
			vd_fault_under(fault, item->string);
			vd_fault_under(fault, "tags");
			return r;
		}
		device->tag_count++;
	}
	return 0;
}

static int read_output(const cJSON *json, const cJSON *device_json, struct vd_modbus_output *output,
		       struct vd_fault *fault)
{
	uint16_t words[4];
	size_t count;

	output->name = json->string;
	output->area = (enum vd_modbus_area)INDEX_OF(json, "area", area_names);
	output->address = (uint16_t)number_of(json, "address");
	output->safe = vd_json_number(json, "safe", 0);
	output->active = vd_json_number(json, "active", 1);
	read_format(json, vd_json_string(device_json, "order", "ABCD"),
		    output->area == VD_MODBUS_COIL ? "bool" : "uint16", &output->format);
	if (output->area == VD_MODBUS_COIL && output->format.type != VD_MODBUS_BOOL)
		return refuse(fault, "/type", "a coil is bool");
	count = vd_modbus_format_words(&output->format);
	if (output->address + count > 65536)
		return refuse(fault, "/address", "goes beyond the last address, 65535");
	if (vd_modbus_encode(&output->format, output->safe, words, count) < 0)
		return refuse(fault, "/safe", "the type cannot hold this value");
	if (vd_modbus_encode(&output->format, output->active, words, count) < 0)
		return refuse(fault, "/active", "the type cannot hold this value");
	return 0;
}

static int read_outputs(const cJSON *json, struct vd_modbus_device *device, struct vd_fault *fault)
{
	const cJSON *outputs = vd_json_object(json, "outputs"), *item;
	int r = 0;

	device->outputs = calloc((size_t)cJSON_GetArraySize(outputs) + 1, sizeof *device->outputs);
	if (!device->outputs)
		return -ENOMEM;
	cJSON_ArrayForEach(item, outputs)
	{
		r = read_output(item, json, &device->outputs[device->output_count], fault);
		if (r < 0) {
			vd_fault_under(fault, item->string);
			vd_fault_under(fault, "outputs");
			return r;
		}
		device->output_count++;
	}
	return 0;
}

static const struct vd_modbus_output *output_named(const struct vd_modbus_device *device,
						   const char *name)
{
	for (size_t i = 0; i < device->output_count; i++) {
		if (!strcmp(device->outputs[i].name, name))
			return &device->outputs[i];
	}
	return NULL;
}

/* The same place as a tag's, as it stands there: an edge needs no scale. */
static int copy_source(const char *name, const struct vd_modbus_device *device,
		       struct vd_modbus_tag *source, struct vd_fault *fault)
{
	for (size_t i = 0; i < device->tag_count; i++) {
		const struct vd_modbus_tag *tag = &device->tags[i];
		const struct vd_modbus_format *format = &tag->format;

		if (tag->event || strcmp(tag->name, name) != 0)
			continue;
		*source = (struct vd_modbus_tag){ .area = tag->area,
						  .address = tag->address,
						  .count = tag->count };
		source->format = vd_modbus_format_plain(format->type, format->order);
		source->format.mask = format->mask;
		return 0;
	}
	vd_fault_set(fault, 400, "/tag", "the device has no tag %s", name);
	return -EINVAL;
}

static int read_source(const cJSON *json, const cJSON *device_json,
		       const struct vd_modbus_device *device, struct vd_modbus_tag *source,
		       struct vd_fault *fault)
{
	const char *tag = vd_json_string(json, "tag", NULL);
	int r;

	if (!tag == !vd_json_get(json, "address"))
		return refuse(fault, "", "needs either a tag or an address");
	r = tag ? copy_source(tag, device, source, fault)
		: read_tag(json, device_json, device, source, fault);
	if (r < 0)
		return r;
	if (source->format.type != VD_MODBUS_BOOL &&
	    !vd_modbus_type_is_integer(source->format.type))
		return refuse(fault, tag ? "/tag" : "/type", "an edge needs a bool or an integer");
	source->name = json->string;
	source->deadband = -1;
	source->interval_ms = number_of(json, "periodMs");
	return 0;
}

static int read_serial(const cJSON *json, const cJSON *device_json,
		       const struct vd_modbus_device *device, struct vd_modbus_tag *serial,
		       struct vd_fault *fault)
{
	int r = json ? read_tag(json, device_json, device, serial, fault) : 0;

	if (r < 0)
		vd_fault_under(fault, "serial");
	return r;
}

static int read_acknowledge(const cJSON *json, const struct vd_modbus_device *device,
			    struct vd_modbus_event *event, struct vd_fault *fault)
{
	const char *name = vd_json_string(json, "acknowledge", NULL);

	if (!name)
		return 0;
	if (event->on == VD_MODBUS_ON_CHANGE)
		return refuse(fault, "/acknowledge", "a change has no end that could clear it");
	event->acknowledge = output_named(device, name);
	if (!event->acknowledge) {
		vd_fault_set(fault, 400, "/acknowledge", "device %s declares no output %s",
			     device->name, name);
		return -EINVAL;
	}
	for (size_t i = 0; i < event->index; i++) {
		if (device->events[i].acknowledge == event->acknowledge)
			return refuse(fault, "/acknowledge", "another event has this output");
	}
	return 0;
}

static int read_event(const cJSON *json, const cJSON *device_json, struct vd_modbus_device *device,
		      struct vd_fault *fault)
{
	struct vd_modbus_event *event = &device->events[device->event_count];
	struct vd_modbus_tag *source = &device->tags[device->tag_count];
	int r;

	*event = (struct vd_modbus_event){
		.name = json->string,
		.index = device->event_count,
		.on = (enum vd_modbus_on)INDEX_OF(json, "on", on_names),
		.debounce_ms = number_of(json, "debounceMs"),
		.gap_ms = number_of(json, "gapMs"),
		.at_start = vd_json_bool(json, "atStart", false),
	};
	r = read_source(json, device_json, device, source, fault);
	if (r == 0)
		r = read_serial(vd_json_object(json, "serial"), device_json, device, &event->serial,
				fault);
	if (r == 0)
		r = read_acknowledge(json, device, event, fault);
	if (r < 0)
		return r;
	source->event = event;
	device->event_count++;
	device->tag_count++;
	return 0;
}

/* After the tags and outputs, which events name. */
static int read_events(const cJSON *json, struct vd_modbus_device *device, struct vd_fault *fault)
{
	const cJSON *events = vd_json_object(json, "events"), *item;
	int r = 0;

	device->events = calloc((size_t)cJSON_GetArraySize(events) + 1, sizeof *device->events);
	if (!device->events)
		return -ENOMEM;
	cJSON_ArrayForEach(item, events)
	{
		r = read_event(item, json, device, fault);
		if (r < 0) {
			vd_fault_under(fault, item->string);
			vd_fault_under(fault, "events");
			return r;
		}
	}
	qsort(device->tags, device->tag_count, sizeof *device->tags, compare_tags);
	return 0;
}

static int check_unit(const struct vd_modbus_device *device, enum vd_modbus_transport_type type,
		      struct vd_fault *fault)
{
	if (type == VD_MODBUS_TCP || (device->unit >= 1 && device->unit <= 247))
		return 0;
	return refuse(fault, "/unit", "units on a serial line are 1 to 247");
}

static int read_device(const cJSON *json, struct vd_modbus_parameters *parameters,
		       struct vd_modbus_device *device, struct vd_fault *fault)
{
	struct vd_modbus_transport transport;
	int r;

	device->name = json->string;
	device->unit = (int)number_of(json, "unit");
	device->response_timeout_ms = number_of(json, "responseTimeoutMs");
	device->back_off_ms = number_of(json, "backOffMs");
	device->back_off_most_ms = number_of(json, "backOffMostMs");
	device->reprobe_ms = number_of(json, "reprobeMs");
	device->max_registers = number_of(json, "maxRegisters");
	device->max_bits = number_of(json, "maxBits");
	device->fail_after = number_of(json, "failAfter");
	r = read_transport(vd_json_object(json, "transport"), &transport, fault);
	if (r == 0)
		r = find_bus(parameters, &transport, &device->bus, fault);
	if (r < 0) {
		vd_fault_under(fault, "transport");
		return r;
	}
	r = check_unit(device, transport.type, fault);
	if (r == 0)
		r = read_tags(json, device, fault);
	if (r == 0)
		r = read_outputs(json, device, fault);
	return r < 0 ? r : read_events(json, device, fault);
}

static int read_devices(const cJSON *json, struct vd_modbus_parameters *parameters,
			struct vd_fault *fault)
{
	const cJSON *devices = vd_json_object(json, "devices"), *item;
	size_t count = (size_t)cJSON_GetArraySize(devices);
	int r = 0;

	parameters->devices = calloc(count + 1, sizeof *parameters->devices);
	parameters->buses = calloc(count + 1, sizeof *parameters->buses);
	if (!parameters->devices || !parameters->buses)
		return -ENOMEM;
	cJSON_ArrayForEach(item, devices)
	{
		r = read_device(item, parameters, &parameters->devices[parameters->device_count++],
				fault);
		if (r < 0) {
			vd_fault_under(fault, item->string);
			vd_fault_under(fault, "devices");
			return r;
		}
	}
	return 0;
}

static int find_output(const cJSON *json, const char *key, const struct vd_modbus_device *device,
		       const struct vd_modbus_output **ret_output, struct vd_fault *fault)
{
	const char *name = vd_json_string(json, key, NULL);

	*ret_output = name ? output_named(device, name) : NULL;
	if (!name || *ret_output)
		return 0;
	vd_fault_set(fault, 400, "", "device %s declares no output %s", device->name, name);
	vd_fault_under(fault, key);
	return -EINVAL;
}

/* The greatest code and sequence number must fit, or they would fail only on the line. */
static int check_holds(const struct vd_modbus_output *output, double most, const char *key,
		       struct vd_fault *fault)
{
	uint16_t words[4];

	if (!output ||
	    (output->area == VD_MODBUS_HOLDING && output->format.type != VD_MODBUS_BOOL &&
	     vd_modbus_encode(&output->format, most, words,
			      vd_modbus_format_words(&output->format)) == 0))
		return 0;
	vd_fault_set(fault, 400, "", "output %s cannot hold %.0f", output->name, most);
	vd_fault_under(fault, key);
	return -EINVAL;
}

struct named_output {
	const char *key;
	const struct vd_modbus_output *output; /* NULL: none */
};

static int check_acknowledges(const struct vd_modbus_device *device, const struct named_output *one,
			      struct vd_fault *fault)
{
	for (size_t i = 0; i < device->event_count; i++) {
		if (device->events[i].acknowledge != one->output)
			continue;
		vd_fault_set(fault, 400, "", "output %s acknowledges event %s", one->output->name,
			     device->events[i].name);
		vd_fault_under(fault, one->key);
		return -EINVAL;
	}
	return 0;
}

/* Two writers of one output would undo each other. */
static int check_alone(const struct vd_modbus_verdicts *verdicts, struct vd_fault *fault)
{
	const struct named_output all[] = {
		{ "ngOutput", verdicts->ng },
		{ "okOutput", verdicts->ok },
		{ "codeOutput", verdicts->code },
		{ "serialOutput", verdicts->serial },
		{ "sequenceOutput", verdicts->sequence },
	};
	int r = 0;

	for (size_t i = 0; i < VD_COUNT(all) && r == 0; i++) {
		if (!all[i].output)
			continue;
		for (size_t j = 0; j < i; j++) {
			if (all[j].output != all[i].output)
				continue;
			vd_fault_set(fault, 400, "", "is the same as %s", all[j].key);
			vd_fault_under(fault, all[i].key);
			return -EINVAL;
		}
		r = check_acknowledges(verdicts->device, &all[i], fault);
	}
	return r;
}

static int check_verdicts(const struct vd_modbus_verdicts *verdicts, struct vd_fault *fault)
{
	int r = 0;

	if (!verdicts->ng && !verdicts->ok && !verdicts->code)
		return refuse(fault, "", "names none of ngOutput, okOutput, codeOutput");
	r = check_alone(verdicts, fault);
	if (r == 0)
		r = check_holds(verdicts->code, 4, "codeOutput", fault);
	if (r == 0)
		r = check_holds(verdicts->serial, 1, "serialOutput", fault);
	return r < 0 ? r : check_holds(verdicts->sequence, 65535, "sequenceOutput", fault);
}

static int read_verdicts(const cJSON *json, struct vd_modbus_parameters *parameters,
			 struct vd_fault *fault)
{
	struct vd_modbus_verdicts *verdicts = &parameters->verdicts;
	const char *name = vd_json_string(json, "device", "");
	const struct vd_modbus_device *device = NULL;

	for (size_t i = 0; i < parameters->device_count; i++) {
		if (!strcmp(parameters->devices[i].name, name))
			device = &parameters->devices[i];
	}
	if (!device)
		return refuse(fault, "/device", "there is no device of this name");
	if (find_output(json, "ngOutput", device, &verdicts->ng, fault) < 0 ||
	    find_output(json, "okOutput", device, &verdicts->ok, fault) < 0 ||
	    find_output(json, "codeOutput", device, &verdicts->code, fault) < 0 ||
	    find_output(json, "serialOutput", device, &verdicts->serial, fault) < 0 ||
	    find_output(json, "sequenceOutput", device, &verdicts->sequence, fault) < 0)
		return -EINVAL;
	verdicts->device = device;
	verdicts->warn = (enum vd_modbus_treatment)INDEX_OF(json, "warn", treatment_names);
	verdicts->no_decision =
		(enum vd_modbus_treatment)INDEX_OF(json, "noDecision", treatment_names);
	verdicts->hold_ms = number_of(json, "holdMs");
	verdicts->deadline_ms = number_of(json, "deadlineMs");
	verdicts->max_age_ms = number_of(json, "maxAgeMs");
	return check_verdicts(verdicts, fault);
}

static int read_all(const cJSON *json, struct vd_modbus_parameters *parameters,
		    struct vd_fault *fault)
{
	const cJSON *verdicts = vd_json_object(json, "verdicts");
	int r = read_devices(json, parameters, fault);

	parameters->report_interval_ms = number_of(json, "reportIntervalMs");
	if (r < 0 || !verdicts)
		return r;
	r = read_verdicts(verdicts, parameters, fault);
	if (r < 0)
		vd_fault_under(fault, "verdicts");
	return r;
}

int vd_modbus_parameters_new(const cJSON *json, struct vd_modbus_parameters **ret_parameters,
			     struct vd_fault *fault)
{
	VD_CLEANUP(vd_modbus_parameters_free)
	struct vd_modbus_parameters *parameters = calloc(1, sizeof *parameters);
	int r;

	if (!parameters)
		return -ENOMEM;
	parameters->document = cJSON_Duplicate(json, 1);
	if (!parameters->document)
		return -ENOMEM;
	r = read_all(parameters->document, parameters, fault);
	if (r < 0)
		return r;
	*ret_parameters = VD_TAKE(parameters);
	return 0;
}

struct vd_modbus_parameters *vd_modbus_parameters_free(struct vd_modbus_parameters *parameters)
{
	if (!parameters)
		return NULL;
	for (size_t i = 0; i < parameters->device_count; i++) {
		free(parameters->devices[i].tags);
		free(parameters->devices[i].events);
		free(parameters->devices[i].outputs);
	}
	free(parameters->devices);
	free(parameters->buses);
	(void)vd_json_free(parameters->document);
	free(parameters);
	return NULL;
}
