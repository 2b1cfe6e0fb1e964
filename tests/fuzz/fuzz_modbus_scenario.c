/* SPDX-License-Identifier: Apache-2.0 */
/* The simulator's configuration, and the same bytes as a command line. */
#include <stdlib.h>
#include <string.h>

#include "modules/modbus/simulator/scenario.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	VD_CLEANUP(vd_scenario_free) struct vd_scenario *scenario = NULL;
	struct vd_scenario_faults faults = { 0 };
	struct vd_fault fault = { 0 };
	uint16_t words[4];
	char line[256] = "";

	memcpy(line, data, size < sizeof line ? size : sizeof line - 1);
	if (vd_scenario_command(&faults, line, &fault) < 0 && fault.code == 0)
		abort();
	if (vd_scenario_new((const char *)data, size, &scenario, &fault) < 0)
		return 0;
	for (size_t i = 0; i < scenario->wave_count; i++) {
		if (vd_wave_words(&scenario->waves[i], 12345, words) > 4)
			abort();
	}
	return 0;
}
