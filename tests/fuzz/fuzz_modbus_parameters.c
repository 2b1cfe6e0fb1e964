/* SPDX-License-Identifier: Apache-2.0 */
/* Parameters as the cloud may send them, by the way the SDK takes: parse, check, fill, read. */
#include <stdlib.h>

#include "base/schema.h"
#include "modules/modbus/parameters.h"

extern const char vd_modbus_schema_json[];
extern const size_t vd_modbus_schema_json_len;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static cJSON *schema;
	VD_CLEANUP(vd_json_free) cJSON *json = NULL;
	VD_CLEANUP(vd_modbus_parameters_free) struct vd_modbus_parameters *parameters = NULL;
	struct vd_fault fault = { 0 };

	if (!schema &&
	    vd_json_parse(vd_modbus_schema_json, vd_modbus_schema_json_len, &schema, NULL) < 0)
		abort();
	if (vd_json_parse((const char *)data, size, &json, &fault) < 0 ||
	    vd_schema_check(schema, json, &fault) < 0 || vd_schema_fill(schema, json) < 0)
		return 0;
	if (vd_modbus_parameters_new(json, &parameters, &fault) < 0 && fault.code == 0)
		abort();
	return 0;
}
