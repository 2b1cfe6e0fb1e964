/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/modbus/simulator/scenario.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/schema.h"

extern const char vd_scenario_schema_json[];
extern const size_t vd_scenario_schema_json_len;

static const char *const shape_names[] = {
	[VD_WAVE_CONSTANT] = "constant", [VD_WAVE_SINE] = "sine",       [VD_WAVE_RAMP] = "ramp",
	[VD_WAVE_SQUARE] = "square",     [VD_WAVE_COUNTER] = "counter", [VD_WAVE_WALK] = "walk",
};
static const char *const size_names[] = {
	[VD_MODBUS_HOLDING] = "holding",
	[VD_MODBUS_INPUT] = "input",
	[VD_MODBUS_COIL] = "coil",
	[VD_MODBUS_DISCRETE] = "discrete",
};

enum { WALK_CATCH_UP = 100000 };

static int refuse(struct vd_fault *fault, const char *pointer, const char *text)
{
	vd_fault_set(fault, 400, pointer, "%s", text);
	return -EINVAL;
}

static int area_of(const char *name, enum vd_modbus_area *ret_area)
{
	for (size_t i = 0; i < VD_MODBUS_AREAS; i++) {
		if (!strcmp(name, size_names[i])) {
			*ret_area = (enum vd_modbus_area)i;
			return 0;
		}
	}
	return -EINVAL;
}

/* Area and address, which must lie inside what the scenario has. */
static int read_place(const struct vd_scenario *scenario, const cJSON *json, size_t count,
		      enum vd_modbus_area *ret_area, uint16_t *ret_address, struct vd_fault *fault)
{
	int64_t address = vd_json_int(json, "address", 0);

	if (area_of(vd_json_string(json, "area", "holding"), ret_area) < 0)
		return refuse(fault, "/area", "is no area");
	if ((uint64_t)address + count > scenario->sizes[*ret_area])
		return refuse(fault, "/address", "lies beyond the size of its area");
	*ret_address = (uint16_t)address;
	return 0;
}

static int read_wave(struct vd_scenario *scenario, const cJSON *json, struct vd_wave *wave,
		     struct vd_fault *fault)
{
	enum vd_modbus_area area = VD_MODBUS_HOLDING;
	enum vd_modbus_type type;
	enum vd_modbus_order order;
	const char *shape = vd_json_string(json, "wave", "");

	if (area_of(vd_json_string(json, "area", "holding"), &area) < 0)
		return refuse(fault, "/area", "is no area");
	if (vd_modbus_type_parse(
		    vd_json_string(json, "type", vd_modbus_area_is_bits(area) ? "bool" : "uint16"),
		    &type) < 0 ||
	    type == VD_MODBUS_STRING || (vd_modbus_area_is_bits(area) && type != VD_MODBUS_BOOL))
		return refuse(fault, "/type", "no wave has this type");
	if (vd_modbus_order_parse(vd_json_string(json, "order", "ABCD"), &order) < 0)
		return refuse(fault, "/order", "is no byte order");
	for (size_t i = 0; i < VD_COUNT(shape_names); i++) {
		if (!strcmp(shape, shape_names[i]))
			wave->shape = (enum vd_wave_shape)i;
	}
	wave->format = vd_modbus_format_plain(type, order);
	wave->low = vd_json_number(json, "low", 0);
	wave->high = vd_json_number(json, "high", 100);
	wave->step = vd_json_number(json, "step", 1);
	wave->period_ms = (uint64_t)vd_json_int(json, "periodMs", 1000);
	wave->random = (uint32_t)vd_json_int(json, "seed", 1) * 2654435761U + 1;
	wave->at = (wave->low + wave->high) / 2;
	return read_place(scenario, json, vd_modbus_format_words(&wave->format), &wave->area,
			  &wave->address, fault);
}

static int read_waves(struct vd_scenario *scenario, struct vd_fault *fault)
{
	const cJSON *list = vd_json_array(scenario->document, "waves"), *item;
	int r = 0;

	scenario->waves = calloc((size_t)cJSON_GetArraySize(list) + 1, sizeof *scenario->waves);
	if (!scenario->waves)
		return -ENOMEM;
	cJSON_ArrayForEach(item, list)
	{
		r = read_wave(scenario, item, &scenario->waves[scenario->wave_count], fault);
		if (r < 0) {
			vd_fault_under_index(fault, (int)scenario->wave_count);
			vd_fault_under(fault, "waves");
			return r;
		}
		scenario->wave_count++;
	}
	return 0;
}

static int read_words(struct vd_scenario *scenario, struct vd_fault *fault)
{
	const cJSON *list = vd_json_array(scenario->document, "values"), *item;
	int r = 0;

	scenario->words = calloc((size_t)cJSON_GetArraySize(list) + 1, sizeof *scenario->words);
	if (!scenario->words)
		return -ENOMEM;
	cJSON_ArrayForEach(item, list)
	{
		struct vd_scenario_words *words = &scenario->words[scenario->words_count];

		words->values = vd_json_array(item, "words");
		words->count = (uint16_t)cJSON_GetArraySize(words->values);
		r = read_place(scenario, item, words->count, &words->area, &words->address, fault);
		if (r < 0) {
			vd_fault_under_index(fault, (int)scenario->words_count);
			vd_fault_under(fault, "values");
			return r;
		}
		scenario->words_count++;
	}
	return 0;
}

static void add_exception(struct vd_scenario_faults *faults, enum vd_modbus_area area,
			  uint32_t address, uint32_t count, int code)
{
	if (faults->exception_count < VD_SCENARIO_EXCEPTIONS)
		faults->exceptions[faults->exception_count++] =
			(struct vd_scenario_exception){ area, address, count, code };
}

/* The schema bounds everything here. */
static void read_faults(struct vd_scenario *scenario)
{
	const cJSON *json = vd_json_object(scenario->document, "faults"), *item;

	scenario->faults.delay_ms = (uint32_t)vd_json_int(json, "delayMs", 0);
	scenario->faults.is_silent = vd_json_bool(json, "silent", false);
	scenario->faults.is_garbage = vd_json_bool(json, "garbage", false);
	scenario->faults.drops = vd_json_bool(json, "drop", false);
	cJSON_ArrayForEach(item, vd_json_array(json, "exceptions"))
	{
		enum vd_modbus_area area = VD_MODBUS_HOLDING;

		if (area_of(vd_json_string(item, "area", "holding"), &area) == 0)
			add_exception(&scenario->faults, area,
				      (uint32_t)vd_json_int(item, "address", 0),
				      (uint32_t)vd_json_int(item, "count", 1),
				      (int)vd_json_int(item, "code", 2));
	}
}

static int read_all(struct vd_scenario *scenario, struct vd_fault *fault)
{
	const cJSON *sizes = vd_json_object(scenario->document, "sizes");
	int r;

	for (size_t i = 0; i < VD_MODBUS_AREAS; i++)
		scenario->sizes[i] = (uint32_t)vd_json_int(sizes, size_names[i], 1000);
	scenario->unit = (int)vd_json_int(scenario->document, "unit", 0);
	scenario->fault_register = (int)vd_json_int(scenario->document, "faultRegister", -1);
	read_faults(scenario);
	r = read_waves(scenario, fault);
	return r < 0 ? r : read_words(scenario, fault);
}

static int check_and_fill(cJSON *document, struct vd_fault *fault)
{
	VD_CLEANUP(vd_json_free) cJSON *schema = NULL;
	int r = vd_json_parse(vd_scenario_schema_json, vd_scenario_schema_json_len, &schema, fault);

	if (r == 0)
		r = vd_schema_check(schema, document, fault);
	return r < 0 ? r : vd_schema_fill(schema, document);
}

int vd_scenario_new(const char *text, size_t len, struct vd_scenario **ret_scenario,
		    struct vd_fault *fault)
{
	VD_CLEANUP(vd_scenario_free) struct vd_scenario *scenario = calloc(1, sizeof *scenario);
	int r;

	if (!scenario)
		return -ENOMEM;
	r = vd_json_parse_commented(text, len, &scenario->document, fault);
	if (r == 0)
		r = check_and_fill(scenario->document, fault);
	if (r == 0)
		r = read_all(scenario, fault);
	if (r < 0)
		return r;
	*ret_scenario = VD_TAKE(scenario);
	return 0;
}

struct vd_scenario *vd_scenario_free(struct vd_scenario *scenario)
{
	if (!scenario)
		return NULL;
	(void)vd_json_free(scenario->document);
	free(scenario->waves);
	free(scenario->words);
	free(scenario);
	return NULL;
}

static uint32_t next_random(uint32_t *state)
{
	*state = *state * 1664525U + 1013904223U;
	return *state;
}

/* A step of -1, 0 or 1 times `step` each period, kept between low and high. */
static double walk_to(struct vd_wave *wave, uint64_t tick)
{
	if (tick > wave->tick + WALK_CATCH_UP)
		wave->tick = tick - WALK_CATCH_UP;
	for (; wave->tick < tick; wave->tick++) {
		double next = wave->at + ((double)(next_random(&wave->random) >> 16) / 32767.5 -
					  1) * wave->step;

		wave->at = fmin(fmax(next, wave->low), wave->high);
	}
	return wave->at;
}

double vd_wave_at(struct vd_wave *wave, uint64_t t_ms)
{
	double phase = (double)(t_ms % wave->period_ms) / (double)wave->period_ms;
	double middle = (wave->low + wave->high) / 2;

	switch (wave->shape) {
	case VD_WAVE_CONSTANT:
		return wave->low;
	case VD_WAVE_SINE:
		return middle + (wave->high - middle) * sin(2 * M_PI * phase);
	case VD_WAVE_RAMP:
		return wave->low + (wave->high - wave->low) * phase;
	case VD_WAVE_SQUARE:
		return phase < 0.5 ? wave->high : wave->low;
	case VD_WAVE_COUNTER:
		return wave->low + wave->step * (double)(t_ms / wave->period_ms);
	case VD_WAVE_WALK:
		break;
	}
	return walk_to(wave, t_ms / wave->period_ms);
}

int vd_wave_words(struct vd_wave *wave, uint64_t t_ms, uint16_t words[static 4])
{
	size_t count = vd_modbus_format_words(&wave->format);
	int r = vd_modbus_encode(&wave->format, vd_wave_at(wave, t_ms), words, count);

	return r < 0 ? r : (int)count;
}

static bool read_switch(const char *line, const char *name, bool *switched)
{
	size_t n = strlen(name);

	if (strncmp(line, name, n) != 0)
		return false;
	if (!strcmp(line + n, " on"))
		*switched = true;
	else if (!strcmp(line + n, " off"))
		*switched = false;
	else
		return false;
	return true;
}

static bool read_exception(struct vd_scenario_faults *faults, const char *line)
{
	char name[16];
	unsigned address, count, code;
	enum vd_modbus_area area;
	int used = 0;

	if (sscanf(line, "exception %15s %5u %5u %3u%n", name, &address, &count, &code, &used) !=
		    4 ||
	    line[used])
		return false;
	if (area_of(name, &area) < 0 || address > 65535 || count == 0 || code == 0 || code > 11)
		return false;
	add_exception(faults, area, address, count, (int)code);
	return true;
}

int vd_scenario_command(struct vd_scenario_faults *faults, const char *line, struct vd_fault *fault)
{
	unsigned delay_ms;
	int used = 0;

	if (sscanf(line, "delay %6u%n", &delay_ms, &used) == 1 && !line[used]) {
		faults->delay_ms = delay_ms;
		return 0;
	}
	if (read_switch(line, "silent", &faults->is_silent) ||
	    read_switch(line, "garbage", &faults->is_garbage) ||
	    read_switch(line, "drop", &faults->drops) || read_exception(faults, line))
		return 0;
	if (!strcmp(line, "exception off"))
		faults->exception_count = 0;
	else if (!strcmp(line, "heal"))
		*faults = (struct vd_scenario_faults){ 0 };
	else
		return refuse(fault, "", "unknown command");
	return 0;
}

void vd_scenario_register(struct vd_scenario_faults *faults, uint16_t value)
{
	faults->is_silent = value == 1;
	faults->is_garbage = value == 2;
	faults->drops = value == 3;
	faults->delay_ms = value >= 10 ? value : 0;
}

int vd_scenario_exception(const struct vd_scenario_faults *faults, enum vd_modbus_area area,
			  uint32_t address, uint32_t count)
{
	for (size_t i = 0; i < faults->exception_count; i++) {
		const struct vd_scenario_exception *e = &faults->exceptions[i];

		if (e->area == area && address < e->address + e->count &&
		    e->address < address + count)
			return e->code;
	}
	return 0;
}
