/* SPDX-License-Identifier: Apache-2.0 */
/* The station's parameters, the way the SDK brings them in: JSON, schema, then the recipe set. */
#include <stdint.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/schema.h"
#include "modules/inspect/recipe/recipe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

extern const char vd_inspect_schema_json[];
extern const size_t vd_inspect_schema_json_len;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static cJSON *schema;
	VD_CLEANUP(vd_json_free) cJSON *parameters = NULL;
	VD_CLEANUP(vd_recipe_set_unref) struct vd_recipe_set *set = NULL;
	struct vd_fault fault = { 0 };

	if (!schema &&
	    vd_json_parse(vd_inspect_schema_json, vd_inspect_schema_json_len, &schema, &fault) < 0)
		abort();
	if (vd_json_parse((const char *)data, size, &parameters, &fault) < 0 ||
	    vd_schema_fill(schema, parameters) < 0 ||
	    vd_schema_check(schema, parameters, &fault) < 0)
		return 0;
	if (vd_recipe_set_parse(parameters, &set, &fault) < 0 && fault.code == 0)
		abort();
	return 0;
}
