/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of parameters as text. '*' in a pointer stands for any name or index. A schema
 * that contains itself is written once: depth and the pointer's length end the walk.
 */
#include "base/schema.h"

#include <stdlib.h>
#include <string.h>

#include "base/schema_walk.h"

enum { POINTER_BYTES = 256, DEPTH = 12 };

struct place {
	struct vd_schema_walk walk;
	FILE *out;
	const cJSON *open[DEPTH]; /* the $ref targets that the walk stands in */
	int open_count;
};

static void explain(struct place *place, const cJSON *schema, const char *pointer, int depth);

static void write_json(FILE *out, const char *before, const cJSON *value, const char *after)
{
	char *text = value ? cJSON_PrintUnformatted(value) : NULL;

	if (text)
		(void)fprintf(out, "%s%s%s", before, text, after);
	cJSON_free(text);
}

static void write_type(FILE *out, const cJSON *type)
{
	const cJSON *name;

	if (cJSON_IsString(type))
		(void)fputs(type->valuestring, out);
	cJSON_ArrayForEach(name, (cJSON_IsArray(type) ? type : NULL))
	{
		(void)fprintf(out, "%s%s", name == type->child ? "" : "|",
			      cJSON_IsString(name) ? name->valuestring : "");
	}
}

static void write_bounds(const struct place *place, const cJSON *schema)
{
	static const struct {
		const char *name, *before, *after;
	} bounds[] = {
		{ "const", " = ", "" },
		{ "enum", " of ", "" },
		{ "minimum", " >= ", "" },
		{ "exclusiveMinimum", " > ", "" },
		{ "maximum", " <= ", "" },
		{ "multipleOf", " step ", "" },
		{ "minLength", " >= ", " characters" },
		{ "maxLength", " <= ", " characters" },
		{ "minItems", " >= ", " items" },
		{ "maxItems", " <= ", " items" },
		{ "minProperties", " >= ", " entries" },
		{ "maxProperties", " <= ", " entries" },
	};
	const char *unit = cJSON_GetStringValue(vd_schema_keyword(&place->walk, schema, "x-unit"));

	for (size_t i = 0; i < VD_COUNT(bounds); i++)
		write_json(place->out, bounds[i].before,
			   vd_schema_keyword(&place->walk, schema, bounds[i].name),
			   bounds[i].after);
	if (unit)
		(void)fprintf(place->out, " %s", unit);
}

static bool is_required(const cJSON *outer, const char *name)
{
	const cJSON *item;

	cJSON_ArrayForEach(item, vd_json_array(outer, "required"))
	{
		if (cJSON_IsString(item) && !strcmp(item->valuestring, name))
			return true;
	}
	return false;
}

static void write_line(const struct place *place, const cJSON *outer, const cJSON *schema,
		       const char *name, const char *pointer)
{
	const char *text =
		cJSON_GetStringValue(vd_schema_keyword(&place->walk, schema, "description"));

	(void)fprintf(place->out, "%-32s ", pointer);
	write_type(place->out, vd_schema_keyword(&place->walk, schema, "type"));
	write_bounds(place, schema);
	if (is_required(outer, name))
		(void)fputs(", required", place->out);
	write_json(place->out, ", default ", vd_schema_keyword(&place->walk, schema, "default"),
		   "");
	if (text)
		(void)fprintf(place->out, ". %s", text);
	(void)fputc('\n', place->out);
}

static void explain_part(struct place *place, const cJSON *outer, const cJSON *schema,
			 const char *name, const char *pointer, int depth)
{
	char part[POINTER_BYTES];

	if (!cJSON_IsObject(schema) || depth >= DEPTH ||
	    snprintf(part, sizeof part, "%s/%s", pointer, name) >= (int)sizeof part)
		return;
	write_line(place, outer, schema, name, part);
	explain(place, schema, part, depth + 1);
}

static void explain_target(struct place *place, const cJSON *target, const char *pointer, int depth)
{
	for (int i = 0; i < place->open_count; i++) {
		if (place->open[i] == target)
			return;
	}
	if (!target || place->open_count == DEPTH)
		return;
	place->open[place->open_count++] = target;
	explain(place, target, pointer, depth);
	place->open_count--;
}

static void explain(struct place *place, const cJSON *schema, const char *pointer,
		    int depth) /* NOLINT(misc-no-recursion) */
{
	const cJSON *item;

	if (!vd_schema_step(&place->walk))
		return;
	explain_target(place, vd_schema_resolve(&place->walk, vd_json_get(schema, "$ref")), pointer,
		       depth);
	cJSON_ArrayForEach(item, vd_json_object(schema, "properties"))
		explain_part(place, schema, item, item->string, pointer, depth);
	explain_part(place, schema, vd_json_get(schema, "additionalProperties"), "*", pointer,
		     depth);
	explain_part(place, schema, vd_json_get(schema, "items"), "*", pointer, depth);
	cJSON_ArrayForEach(item, (depth < DEPTH ? vd_json_array(schema, "oneOf") : NULL))
		explain(place, item, pointer, depth + 1);
}

void vd_schema_explain(const cJSON *schema, FILE *out)
{
	struct place place = { .walk = { .root = schema, .steps = VD_SCHEMA_STEPS }, .out = out };

	explain(&place, schema, "", 0);
}
