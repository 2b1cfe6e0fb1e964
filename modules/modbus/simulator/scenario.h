/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/attr.h"
#include "base/fault.h"
#include "base/json.h"
#include "modules/modbus/parameters.h"

/*
 * What the simulator plays: registers, waveforms and faults, from a JSON file
 * (vedette-modbus-simulator(1)) and from command lines at run time; pure.
 */
enum vd_wave_shape {
	VD_WAVE_CONSTANT,
	VD_WAVE_SINE,
	VD_WAVE_RAMP,
	VD_WAVE_SQUARE,
	VD_WAVE_COUNTER,
	VD_WAVE_WALK
};

struct vd_wave {
	enum vd_wave_shape shape;
	enum vd_modbus_area area;
	uint16_t address;
	struct vd_modbus_format format;
	double low, high, step;
	uint64_t period_ms;
	uint64_t tick; /* of a walk: how far it is reckoned */
	double at;     /* of a walk */
	uint32_t random;
};

struct vd_scenario_words {
	enum vd_modbus_area area;
	uint16_t address, count;
	const cJSON *values; /* numbers 0 to 65535 */
};

struct vd_scenario_exception {
	enum vd_modbus_area area;
	uint32_t address, count;
	int code;
};

enum { VD_SCENARIO_EXCEPTIONS = 32 };

struct vd_scenario_faults {
	uint32_t delay_ms;
	bool is_silent, is_garbage, drops;
	struct vd_scenario_exception exceptions[VD_SCENARIO_EXCEPTIONS];
	size_t exception_count;
};

struct vd_scenario {
	cJSON *document;
	uint32_t sizes[VD_MODBUS_AREAS];
	int unit;           /* 0: any (TCP), 1 (serial) */
	int fault_register; /* holding register that switches faults; -1: none */
	struct vd_wave *waves;
	size_t wave_count;
	struct vd_scenario_words *words;
	size_t words_count;
	struct vd_scenario_faults faults;
};

/* From the file's text; "{}" gives 1000 of each area. 400 in fault and -EINVAL; -ENOMEM. */
VD_MUST int vd_scenario_new(const char *text, size_t len, struct vd_scenario **ret_scenario,
			    struct vd_fault *fault);
struct vd_scenario *vd_scenario_free(struct vd_scenario *scenario);
VD_DEFINE_CLEANUP(struct vd_scenario, vd_scenario_free)

/* The wave's value t_ms after the start; a walk's time must not run backwards. */
double vd_wave_at(struct vd_wave *wave, uint64_t t_ms);

/* Writes the value at t_ms in the wave's format; returns the count of words (bits: 1). -ERANGE. */
VD_MUST int vd_wave_words(struct vd_wave *wave, uint64_t t_ms, uint16_t words[static 4]);

/*
 * One command line, without its newline:
 *   delay MS | silent on|off | garbage on|off | drop on|off
 *   exception AREA ADDRESS COUNT CODE | exception off | heal
 * -EINVAL and a fault: it is none of these.
 */
VD_MUST int vd_scenario_command(struct vd_scenario_faults *faults, const char *line,
				struct vd_fault *fault);

/* What a value in the fault register means: 0 heal, 1 silent, 2 garbage, 3 drop, from 10 a delay in ms. */
void vd_scenario_register(struct vd_scenario_faults *faults, uint16_t value);

/* 0: none; else the exception code for a request. */
int vd_scenario_exception(const struct vd_scenario_faults *faults, enum vd_modbus_area area,
			  uint32_t address, uint32_t count);
