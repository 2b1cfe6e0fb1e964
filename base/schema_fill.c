/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Defaults. A default of {} is filled on in turn, so that a group of parameters needs to name
 * its defaults once. Of a oneOf, the form that the value fits fills it.
 */
#include "base/schema.h"

#include <errno.h>

#include "base/schema_walk.h"

static int fill(struct vd_schema_walk *walk, const cJSON *schema, cJSON *value, int depth);

static int add_default(const struct vd_schema_walk *walk, const cJSON *schema, const char *name,
		       cJSON *value)
{
	const cJSON *fallback = vd_schema_keyword(walk, schema, "default");

	if (!fallback || vd_json_get(value, name))
		return 0;
	return vd_json_add_copy(value, name, fallback) ? 0 : -ENOMEM;
}

static int fill_properties(struct vd_schema_walk *walk, const cJSON *schema, cJSON *value,
			   int depth)
{
	const cJSON *property, *properties = vd_json_get(schema, "properties");
	int r = 0;

	cJSON_ArrayForEach(property, properties)
	{
		cJSON *part;

		r = add_default(walk, property, property->string, value);
		if (r < 0)
			return r;
		part = cJSON_GetObjectItemCaseSensitive(value, property->string);
		r = part ? fill(walk, property, part, depth + 1) : 0;
		if (r < 0)
			return r;
	}
	return 0;
}

/* The parts that one schema describes together: the items, or the properties not named. */
static int fill_parts(struct vd_schema_walk *walk, const cJSON *of_part, const cJSON *named,
		      cJSON *value, int depth)
{
	cJSON *part;
	int r;

	cJSON_ArrayForEach(part, (cJSON_IsObject(of_part) ? value : NULL))
	{
		if (part->string && vd_json_get(named, part->string))
			continue;
		r = fill(walk, of_part, part, depth + 1);
		if (r < 0)
			return r;
	}
	return 0;
}

static int fill_form(struct vd_schema_walk *walk, const cJSON *forms, cJSON *value, int depth)
{
	const cJSON *form;

	cJSON_ArrayForEach(form, forms)
	{
		if (vd_schema_check_at(walk, form, value, NULL) == 0)
			return fill(walk, form, value, depth + 1);
	}
	return 0;
}

/* Depth bounds the recursion: a schema may refer to itself, a value filled by it must not. */
static int fill(struct vd_schema_walk *walk, const cJSON *schema, cJSON *value,
		int depth) /* NOLINT(misc-no-recursion) */
{
	const cJSON *target = vd_schema_resolve(walk, vd_json_get(schema, "$ref"));
	int r = 0;

	if (depth > VD_JSON_DEPTH * 2 || !vd_schema_step(walk))
		return -ELOOP;
	if (target)
		r = fill(walk, target, value, depth + 1);
	if (r == 0)
		r = fill_form(walk, vd_json_array(schema, "oneOf"), value, depth);
	if (r == 0 && cJSON_IsObject(value)) {
		r = fill_properties(walk, schema, value, depth);
		if (r == 0)
			r = fill_parts(walk, vd_json_get(schema, "additionalProperties"),
				       vd_json_get(schema, "properties"), value, depth);
	}
	if (r == 0 && cJSON_IsArray(value))
		r = fill_parts(walk, vd_json_get(schema, "items"), NULL, value, depth);
	return r;
}

int vd_schema_fill(const cJSON *schema, cJSON *value)
{
	struct vd_schema_walk walk = { .root = schema, .steps = VD_SCHEMA_STEPS };

	return fill(&walk, schema, value, 0);
}
