/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/fault.h"
#include "base/json.h"
#include "modules/inspect/line/trigger.h"

/*
 * What other modules measured around an item's trigger: named numbers out of messages on the input
 * values. Of each name the last VD_READINGS are remembered, by the time they came. Pure.
 */
enum { VD_READING_NAMES = 16, VD_READINGS = 64, VD_READING_TEXT = 129 };

struct vd_reading_source {
	char name[65];
	char from[VD_READING_TEXT];    /* "bus/samples", or "": any */
	char pointer[VD_READING_TEXT]; /* into the message */
	struct vd_trigger_condition when;
	uint64_t within_ms; /* before or after the trigger */
};

struct vd_readings_options {
	struct vd_reading_source sources[VD_READING_NAMES];
	int count;
};

/* parameters: checked. */
void vd_readings_options_parse(const cJSON *parameters, struct vd_readings_options *ret_options);

struct vd_reading {
	double value;
	uint64_t at_ms;
};

struct vd_readings {
	struct vd_reading rings[VD_READING_NAMES][VD_READINGS];
	uint64_t counts[VD_READING_NAMES]; /* taken so far */
};

/*
 * A message. What is no number (or true, false: 1, 0) is no reading, nor is a value that stands
 * beside a quality other than good, as an old one that vedette-modbus(8) tells again.
 */
void vd_readings_take(struct vd_readings *readings, const struct vd_readings_options *options,
		      const char *from, const cJSON *body, uint64_t now_ms);

/*
 * Adds "values": {NAME: {"value", "offsetMs"}}: of each the reading nearest to the trigger, null
 * where there is none within its time. Nothing without options. false: no memory.
 */
bool vd_readings_add(const struct vd_readings *readings, const struct vd_readings_options *options,
		     uint64_t trigger_ms, cJSON *body);
