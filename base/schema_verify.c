/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A schema that is not understood whole is refused before it checks anything: JSON Schema
 * itself ignores unknown keywords, and a misspelt "maxmum" would then allow everything.
 */
#include "base/schema.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "base/schema_walk.h"

typedef int verify_fn(struct vd_schema_walk *walk, const cJSON *argument, const cJSON *schema,
		      struct vd_fault *fault);

static verify_fn verify_schema, verify_map, verify_list, verify_additional;

static int refuse(struct vd_fault *fault, const char *text)
{
	vd_fault_set(fault, 500, "", "%s", text);
	return -EINVAL;
}

static int verify_text(struct vd_schema_walk *walk, const cJSON *argument, const cJSON *schema,
		       struct vd_fault *fault)
{
	return cJSON_IsString(argument) ? 0 : refuse(fault, "must be a text");
}

static int verify_any(struct vd_schema_walk *walk, const cJSON *argument, const cJSON *schema,
		      struct vd_fault *fault)
{
	return 0;
}

/* A default is a value of the schema beside it, too. */
static int verify_default(struct vd_schema_walk *walk, const cJSON *argument, const cJSON *schema,
			  struct vd_fault *fault)
{
	int r = vd_schema_check_at(walk, schema, argument, fault);

	if (r < 0 && fault)
		fault->code = 500;
	return r;
}

static int verify_number(struct vd_schema_walk *walk, const cJSON *argument, const cJSON *schema,
			 struct vd_fault *fault)
{
	return cJSON_IsNumber(argument) ? 0 : refuse(fault, "must be a number");
}

static int verify_multiple(struct vd_schema_walk *walk, const cJSON *argument, const cJSON *schema,
			   struct vd_fault *fault)
{
	return cJSON_IsNumber(argument) && argument->valuedouble > 0
		       ? 0
		       : refuse(fault, "must be a number above 0");
}

static int verify_count(struct vd_schema_walk *walk, const cJSON *argument, const cJSON *schema,
			struct vd_fault *fault)
{
	return cJSON_IsNumber(argument) && argument->valuedouble >= 0 &&
			       floor(argument->valuedouble) == argument->valuedouble
		       ? 0
		       : refuse(fault, "must be an integer, 0 or more");
}

static int verify_type(struct vd_schema_walk *walk, const cJSON *argument, const cJSON *schema,
		       struct vd_fault *fault)
{
	const cJSON *name;

	if (cJSON_IsString(argument) && vd_schema_type_is_known(argument->valuestring))
		return 0;
	cJSON_ArrayForEach(name, (cJSON_IsArray(argument) ? argument : NULL))
	{
		if (!cJSON_IsString(name) || !vd_schema_type_is_known(name->valuestring))
			return refuse(fault, "no such type");
	}
	return cJSON_IsArray(argument) && argument->child ? 0 : refuse(fault, "no such type");
}

static int verify_enum(struct vd_schema_walk *walk, const cJSON *argument, const cJSON *schema,
		       struct vd_fault *fault)
{
	return cJSON_IsArray(argument) && argument->child ? 0 : refuse(fault, "must list values");
}

static int verify_required(struct vd_schema_walk *walk, const cJSON *argument, const cJSON *schema,
			   struct vd_fault *fault)
{
	bool is_closed = cJSON_IsFalse(vd_json_get(schema, "additionalProperties"));
	const cJSON *name;

	if (!cJSON_IsArray(argument))
		return refuse(fault, "must list names");
	cJSON_ArrayForEach(name, argument)
	{
		if (!cJSON_IsString(name))
			return refuse(fault, "must list names");
		if (is_closed &&
		    !vd_json_get(vd_json_get(schema, "properties"), name->valuestring)) {
			vd_fault_set(fault, 500, "", "\"%.60s\" is not among the properties",
				     name->valuestring);
			return -EINVAL;
		}
	}
	return 0;
}

static int verify_names(struct vd_schema_walk *walk, const cJSON *argument, const cJSON *schema,
			struct vd_fault *fault)
{
	const cJSON *keyword;

	cJSON_ArrayForEach(keyword, argument)
	{
		if (!keyword->string ||
		    (strcmp(keyword->string, "minLength") && strcmp(keyword->string, "maxLength")))
			return refuse(fault, "only minLength and maxLength may stand here");
	}
	return verify_schema(walk, argument, schema, fault);
}

static int verify_ref(struct vd_schema_walk *walk, const cJSON *argument, const cJSON *schema,
		      struct vd_fault *fault)
{
	return vd_schema_resolve(walk, argument)
		       ? 0
		       : refuse(fault, "must be \"#/$defs/NAME\" of this schema");
}

static const struct {
	const char *name;
	verify_fn *verify;
} keywords[] = {
	{ "$schema", verify_text },
	{ "$defs", verify_map },
	{ "$ref", verify_ref },
	{ "title", verify_text },
	{ "description", verify_text },
	{ "x-unit", verify_text },
	{ "default", verify_default },
	{ "type", verify_type },
	{ "const", verify_any },
	{ "enum", verify_enum },
	{ "minimum", verify_number },
	{ "maximum", verify_number },
	{ "exclusiveMinimum", verify_number },
	{ "multipleOf", verify_multiple },
	{ "minLength", verify_count },
	{ "maxLength", verify_count },
	{ "minItems", verify_count },
	{ "maxItems", verify_count },
	{ "minProperties", verify_count },
	{ "maxProperties", verify_count },
	{ "required", verify_required },
	{ "propertyNames", verify_names },
	{ "additionalProperties", verify_additional },
	{ "properties", verify_map },
	{ "items", verify_schema },
	{ "oneOf", verify_list },
};

static verify_fn *find_keyword(const char *name)
{
	for (size_t i = 0; i < VD_COUNT(keywords); i++) {
		if (!strcmp(name, keywords[i].name))
			return keywords[i].verify;
	}
	return NULL;
}

/*
 * $ref and oneOf that lead back to themselves before any part of the value is entered, or that
 * branch so much that no check would end.
 */
static bool ends_in_place(struct vd_schema_walk *walk, const cJSON *schema,
			  int depth) /* NOLINT(misc-no-recursion) */
{
	const cJSON *form, *target = vd_schema_resolve(walk, vd_json_get(schema, "$ref"));

	if (depth >= VD_SCHEMA_IN_PLACE || !vd_schema_step(walk))
		return false;
	if (target && !ends_in_place(walk, target, depth + 1))
		return false;
	cJSON_ArrayForEach(form, vd_json_array(schema, "oneOf"))
	{
		if (!ends_in_place(walk, form, depth + 1))
			return false;
	}
	return true;
}

/* The bounds of a pair must leave something between them. */
static int verify_bounds(const cJSON *schema, struct vd_fault *fault)
{
	static const char *const pairs[][2] = { { "minimum", "maximum" },
						{ "exclusiveMinimum", "maximum" },
						{ "minLength", "maxLength" },
						{ "minItems", "maxItems" },
						{ "minProperties", "maxProperties" } };

	for (size_t i = 0; i < VD_COUNT(pairs); i++) {
		const cJSON *low = vd_json_get(schema, pairs[i][0]);
		const cJSON *high = vd_json_get(schema, pairs[i][1]);

		if (low && high && low->valuedouble > high->valuedouble) {
			vd_fault_set(fault, 500, "", "is above %s", pairs[i][1]);
			vd_fault_under(fault, pairs[i][0]);
			return -EINVAL;
		}
	}
	return 0;
}

static int verify_schema(struct vd_schema_walk *walk, const cJSON *schema, const cJSON *outer,
			 struct vd_fault *fault) /* NOLINT(misc-no-recursion) */
{
	const cJSON *argument;

	if (!cJSON_IsObject(schema))
		return refuse(fault, "must be a schema, an object");
	if (!vd_schema_step(walk) || !ends_in_place(walk, schema, 0))
		return refuse(fault, "refers to itself without end");
	cJSON_ArrayForEach(argument, schema)
	{
		verify_fn *verify = find_keyword(argument->string);
		int r = verify ? verify(walk, argument, schema, fault)
			       : refuse(fault, "no keyword known here");

		if (r < 0) {
			vd_fault_under(fault, argument->string);
			return r;
		}
	}
	return verify_bounds(schema, fault);
}

static int verify_map(struct vd_schema_walk *walk, const cJSON *map, const cJSON *schema,
		      struct vd_fault *fault) /* NOLINT(misc-no-recursion) */
{
	const cJSON *item;

	if (!cJSON_IsObject(map))
		return refuse(fault, "must be an object");
	cJSON_ArrayForEach(item, map)
	{
		int r = verify_schema(walk, item, schema, fault);

		if (r < 0) {
			vd_fault_under(fault, item->string);
			return r;
		}
	}
	return 0;
}

static int verify_list(struct vd_schema_walk *walk, const cJSON *list, const cJSON *schema,
		       struct vd_fault *fault) /* NOLINT(misc-no-recursion) */
{
	const cJSON *item;
	int index = 0;

	if (!cJSON_IsArray(list) || !list->child)
		return refuse(fault, "must list schemas");
	cJSON_ArrayForEach(item, list)
	{
		int r = verify_schema(walk, item, schema, fault);

		if (r < 0) {
			vd_fault_under_index(fault, index);
			return r;
		}
		index++;
	}
	return 0;
}

static int verify_additional(struct vd_schema_walk *walk, const cJSON *argument,
			     const cJSON *schema,
			     struct vd_fault *fault) /* NOLINT(misc-no-recursion) */
{
	return cJSON_IsBool(argument) ? 0 : verify_schema(walk, argument, schema, fault);
}

int vd_schema_verify(const cJSON *schema, struct vd_fault *fault)
{
	struct vd_schema_walk walk = { .root = schema, .steps = VD_SCHEMA_STEPS };

	return verify_schema(&walk, schema, schema, fault);
}
