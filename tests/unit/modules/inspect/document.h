/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/schema.h"
#include "modules/inspect/recipe/recipe.h"
#include "vd_test.h"

/* Documents in tests: ` stands for ", so that conditions and JSON can be read side by side. */
extern const char vd_inspect_schema_json[];
extern const size_t vd_inspect_schema_json_len;

static inline cJSON *document_json(const char *text)
{
	VD_CLEANUP(vd_free) char *copy = strdup(text);
	struct vd_fault fault = { 0 };
	cJSON *json = NULL;

	assert_non_null(copy);
	for (char *c = copy; *c; c++) {
		if (*c == '`')
			*c = '"';
	}
	if (vd_json_parse(copy, strlen(copy), &json, &fault) < 0)
		fail_msg("%s in %s", fault.text, copy);
	return json;
}

/* As the SDK does: schema, defaults, then what only the recipe knows. */
static inline int document_read(const char *text, struct vd_recipe_set **set,
				struct vd_fault *fault)
{
	VD_CLEANUP(vd_json_free) cJSON *schema = NULL, *parameters = document_json(text);
	int r = vd_json_parse(vd_inspect_schema_json, vd_inspect_schema_json_len, &schema, fault);

	if (r == 0)
		r = vd_schema_verify(schema, fault);
	if (r == 0)
		r = vd_schema_check(schema, parameters, fault);
	if (r == 0)
		r = vd_schema_fill(schema, parameters);
	return r < 0 ? r : vd_recipe_set_parse(parameters, set, fault);
}

static inline struct vd_recipe_set *document_set(const char *text)
{
	struct vd_recipe_set *set = NULL;
	struct vd_fault fault = { 0 };

	if (document_read(text, &set, &fault) < 0)
		fail_msg("%s: %s", fault.pointer, fault.text);
	return set;
}
