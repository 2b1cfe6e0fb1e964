/* SPDX-License-Identifier: Apache-2.0 */
/* Any map, any answers: every span that is planned is heard of exactly once, and no block is too long. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "modules/modbus/plan.h"

enum { SPANS = 128 };

struct device {
	const uint8_t *answers;
	size_t count, next;
	unsigned heard[SPANS];
};

static int device_read(struct vd_modbus_range range, void *argument)
{
	struct device *device = argument;
	uint8_t answer = device->count ? device->answers[device->next++ % device->count] : 0;

	if (range.count == 0 || range.count > 125)
		abort();
	return answer < 200 ? 0 : answer < 250 ? 2 : -ETIMEDOUT;
}

static void device_done(size_t span, int result, struct vd_modbus_range range, void *argument)
{
	struct device *device = argument;

	device->heard[span]++;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vd_modbus_range spans[SPANS];
	struct vd_modbus_refused refused = { 0 };
	struct vd_modbus_cost cost = vd_modbus_cost_serial(false, 0, 9600, 11, 1000);
	struct device device = { .answers = data, .count = size };
	const struct vd_modbus_reader reader = { device_read, device_done, &device };
	struct vd_modbus_plan plan;
	bool left_out[SPANS];
	size_t count = 0;

	for (; count < SPANS && 3 * count + 3 <= size; count++)
		spans[count] = (struct vd_modbus_range){ (uint32_t)(data[3 * count] << 8 |
								    data[3 * count + 1]),
							 1 + data[3 * count + 2] % 125U };
	if (size > 5)
		vd_modbus_refused_add(
			&refused, (struct vd_modbus_range){ data[size - 1], data[size - 2] }, 1);
	if (vd_modbus_plan_init(&plan, spans, count, &cost, &refused, left_out) < 0)
		return 0;
	for (size_t i = 0; i < plan.count; i++)
		(void)vd_modbus_plan_read(&plan, i, spans, &refused, 1, &reader);
	for (size_t i = 0; i < count; i++) {
		if (device.heard[i] != (left_out[i] ? 0U : 1U))
			abort();
	}
	vd_modbus_plan_fini(&plan);
	return 0;
}
