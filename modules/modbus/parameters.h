/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/fault.h"
#include "base/json.h"
#include "modules/modbus/decode.h"

/*
 * The module's parameters as the program uses them. schema.json checks shape and bounds and
 * fills in defaults; here stand only the rules between values.
 */
enum vd_modbus_area {
	VD_MODBUS_HOLDING,
	VD_MODBUS_INPUT,
	VD_MODBUS_COIL,
	VD_MODBUS_DISCRETE,
	VD_MODBUS_AREAS
};

bool vd_modbus_area_is_bits(enum vd_modbus_area area);
const char *vd_modbus_area_name(enum vd_modbus_area area);

enum vd_modbus_transport_type { VD_MODBUS_TCP, VD_MODBUS_RTU, VD_MODBUS_RTU_OVER_TCP };
enum vd_modbus_rts { VD_MODBUS_RTS_NONE, VD_MODBUS_RTS_UP, VD_MODBUS_RTS_DOWN };

struct vd_modbus_transport {
	enum vd_modbus_transport_type type;
	const char *host; /* "" for RTU */
	uint16_t port;
	const char *path; /* "" but for RTU */
	uint32_t baud;
	char parity; /* 'N' 'E' 'O' */
	int data_bits, stop_bits;
	uint32_t frame_gap_ms;
	enum vd_modbus_rts rts;
	bool is_rs485;
};

struct vd_modbus_event;

struct vd_modbus_tag {
	const char *name;
	enum vd_modbus_area area;
	uint16_t address;
	uint16_t count; /* registers or bits */
	struct vd_modbus_format format;
	const char *unit;    /* NULL: none */
	const cJSON *labels; /* NULL: none */
	double deadband;     /* negative: none */
	uint32_t interval_ms, max_silence_ms;
	const struct vd_modbus_event *event; /* it is this one's source, and no sample; NULL */
};

struct vd_modbus_output {
	const char *name;
	enum vd_modbus_area area; /* coil or holding */
	uint16_t address;
	struct vd_modbus_format format;
	double safe, active;
};

enum vd_modbus_on { VD_MODBUS_ON_RISE, VD_MODBUS_ON_FALL, VD_MODBUS_ON_CHANGE };

const char *vd_modbus_on_name(enum vd_modbus_on on);

struct vd_modbus_event {
	const char *name;
	size_t index; /* among its device's */
	enum vd_modbus_on on;
	uint32_t debounce_ms, gap_ms;
	bool at_start;
	struct vd_modbus_tag serial;                /* name NULL: none */
	const struct vd_modbus_output *acknowledge; /* NULL: none */
};

struct vd_modbus_device {
	const char *name;
	size_t bus; /* index of its transport */
	int unit;
	uint32_t response_timeout_ms, back_off_ms, back_off_most_ms, reprobe_ms;
	uint32_t max_registers, max_bits, fail_after;
	struct vd_modbus_tag *tags; /* by interval, then as given */
	size_t tag_count;
	struct vd_modbus_event *events; /* whose sources are among the tags */
	size_t event_count;
	struct vd_modbus_output *outputs;
	size_t output_count;
};

enum vd_modbus_treatment { VD_MODBUS_ACCEPT, VD_MODBUS_REJECT, VD_MODBUS_NEITHER };

struct vd_modbus_verdicts {
	const struct vd_modbus_device *device; /* NULL: verdicts are not written */
	const struct vd_modbus_output *ng, *ok, *code, *serial, *sequence; /* NULL: not written */
	enum vd_modbus_treatment warn, no_decision;
	uint32_t hold_ms, deadline_ms;
	uint32_t max_age_ms; /* 0: any */
};

struct vd_modbus_parameters {
	cJSON *document; /* all names point into it */
	struct vd_modbus_transport *buses;
	size_t bus_count;
	struct vd_modbus_device *devices;
	size_t device_count;
	struct vd_modbus_verdicts verdicts;
	uint32_t report_interval_ms;
};

/* Takes a copy of json, which the schema passed and filled. 400 in fault and -EINVAL; -ENOMEM. */
VD_MUST int vd_modbus_parameters_new(const cJSON *json,
				     struct vd_modbus_parameters **ret_parameters,
				     struct vd_fault *fault);
struct vd_modbus_parameters *vd_modbus_parameters_free(struct vd_modbus_parameters *parameters);
VD_DEFINE_CLEANUP(struct vd_modbus_parameters, vd_modbus_parameters_free)
