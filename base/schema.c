/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keywords are a table, in the order in which a person wants to hear of them: a wrong type
 * before a bound. Of a oneOf that does not fit, the fault is that of the one form the value
 * was meant to be (by its type, and by properties with a const: the usual tag), because
 * "fits none of 5 forms" helps nobody.
 */
#include "base/schema.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/schema_walk.h"

typedef int check_fn(struct vd_schema_walk *walk, const cJSON *argument, const cJSON *schema,
		     const cJSON *value, struct vd_fault *fault);

static int refuse(struct vd_fault *fault, const char *format, double a, double b)
{
	char number[2][32];

	(void)snprintf(number[0], sizeof number[0], "%.15g", a);
	(void)snprintf(number[1], sizeof number[1], "%.15g", b);
	vd_fault_set(fault, 400, "", "%s%s%s", number[0], format, number[1]);
	return -EINVAL;
}

bool vd_schema_step(struct vd_schema_walk *walk)
{
	return walk->steps > 0 && walk->steps-- > 0;
}

const cJSON *vd_schema_resolve(const struct vd_schema_walk *walk, const cJSON *reference)
{
	static const char prefix[] = "#/$defs/";
	const char *text = cJSON_GetStringValue(reference);

	if (!text || strncmp(text, prefix, sizeof prefix - 1) != 0)
		return NULL;
	return vd_json_object(vd_json_get(walk->root, "$defs"), text + sizeof prefix - 1);
}

const cJSON *vd_schema_keyword(const struct vd_schema_walk *walk, const cJSON *schema,
			       const char *name)
{
	for (int hops = 0; schema && hops < VD_SCHEMA_IN_PLACE; hops++) {
		const cJSON *argument = vd_json_get(schema, name);

		if (argument)
			return argument;
		schema = vd_schema_resolve(walk, vd_json_get(schema, "$ref"));
	}
	return NULL;
}

static bool is_integer(const cJSON *value)
{
	return cJSON_IsNumber(value) && floor(value->valuedouble) == value->valuedouble;
}

static const struct {
	const char *name, *with_article;
	cJSON_bool (*is)(const cJSON *value);
} types[] = {
	{ "object", "an object", cJSON_IsObject },    { "array", "an array", cJSON_IsArray },
	{ "string", "a text", cJSON_IsString },       { "number", "a number", cJSON_IsNumber },
	{ "boolean", "true or false", cJSON_IsBool }, { "null", "null", cJSON_IsNull },
};

bool vd_schema_type_is_known(const char *name)
{
	for (size_t i = 0; i < VD_COUNT(types); i++) {
		if (!strcmp(name, types[i].name))
			return true;
	}
	return !strcmp(name, "integer");
}

static bool is_type(const cJSON *value, const char *name)
{
	if (!strcmp(name, "integer"))
		return is_integer(value);
	for (size_t i = 0; i < VD_COUNT(types); i++) {
		if (!strcmp(name, types[i].name))
			return types[i].is(value);
	}
	return false;
}

static const char *type_text(const char *name)
{
	for (size_t i = 0; i < VD_COUNT(types); i++) {
		if (!strcmp(name, types[i].name))
			return types[i].with_article;
	}
	return "an integer";
}

static bool fits_type(const cJSON *argument, const cJSON *value)
{
	const cJSON *name;

	if (cJSON_IsString(argument))
		return is_type(value, argument->valuestring);
	cJSON_ArrayForEach(name, argument)
	{
		if (cJSON_IsString(name) && is_type(value, name->valuestring))
			return true;
	}
	return false;
}

static const char *actual_type_text(const cJSON *value)
{
	for (size_t i = 0; i < VD_COUNT(types); i++) {
		if (types[i].is(value))
			return types[i].with_article;
	}
	return "nothing";
}

static int check_type(struct vd_schema_walk *walk, const cJSON *argument, const cJSON *schema,
		      const cJSON *value, struct vd_fault *fault)
{
	char wanted[128] = "";
	const cJSON *name;
	size_t n = 0;

	if (fits_type(argument, value))
		return 0;
	if (cJSON_IsString(argument))
		(void)snprintf(wanted, sizeof wanted, "%s", type_text(argument->valuestring));
	cJSON_ArrayForEach(name, (cJSON_IsArray(argument) ? argument : NULL))
	{
		if (cJSON_IsString(name) && n < sizeof wanted)
			n += (size_t)snprintf(wanted + n, sizeof wanted - n, "%s%s",
					      n ? " or " : "", type_text(name->valuestring));
	}
	if (is_type(value, "number") && !strcmp(wanted, "an integer"))
		return refuse(fault, " is not an integer; the nearest is ", value->valuedouble,
			      round(value->valuedouble));
	vd_fault_set(fault, 400, "", "must be %s, is %s", wanted, actual_type_text(value));
	return -EINVAL;
}

/* A value in a message: texts in quotes, what is large only by its kind. */
static void describe(const cJSON *value, char *text, size_t size)
{
	if (cJSON_IsString(value))
		(void)snprintf(text, size, "\"%.60s\"", value->valuestring);
	else if (cJSON_IsNumber(value))
		(void)snprintf(text, size, "%.15g", value->valuedouble);
	else if (cJSON_IsBool(value))
		(void)snprintf(text, size, "%s", cJSON_IsTrue(value) ? "true" : "false");
	else
		(void)snprintf(text, size, "%s", actual_type_text(value));
}

static int check_enum(struct vd_schema_walk *walk, const cJSON *argument, const cJSON *schema,
		      const cJSON *value, struct vd_fault *fault)
{
	char given[80], allowed[80], list[200] = "";
	const cJSON *item;
	size_t n = 0;

	cJSON_ArrayForEach(item, argument)
	{
		if (cJSON_Compare(item, value, 1))
			return 0;
		describe(item, allowed, sizeof allowed);
		if (n < sizeof list)
			n += (size_t)snprintf(list + n, sizeof list - n, "%s%s", n ? ", " : "",
					      allowed);
	}
	describe(value, given, sizeof given);
	vd_fault_set(fault, 400, "", "%s is none of %s", given, list);
	return -EINVAL;
}

static int check_const(struct vd_schema_walk *walk, const cJSON *argument, const cJSON *schema,
		       const cJSON *value, struct vd_fault *fault)
{
	char given[80], wanted[80];

	if (cJSON_Compare(argument, value, 1))
		return 0;
	describe(value, given, sizeof given);
	describe(argument, wanted, sizeof wanted);
	vd_fault_set(fault, 400, "", "must be %s, is %s", wanted, given);
	return -EINVAL;
}

static int check_minimum(struct vd_schema_walk *walk, const cJSON *argument, const cJSON *schema,
			 const cJSON *value, struct vd_fault *fault)
{
	if (!cJSON_IsNumber(value) || value->valuedouble >= argument->valuedouble)
		return 0;
	return refuse(fault, " is below ", value->valuedouble, argument->valuedouble);
}

static int check_maximum(struct vd_schema_walk *walk, const cJSON *argument, const cJSON *schema,
			 const cJSON *value, struct vd_fault *fault)
{
	if (!cJSON_IsNumber(value) || value->valuedouble <= argument->valuedouble)
		return 0;
	return refuse(fault, " is above ", value->valuedouble, argument->valuedouble);
}

static int check_exclusive_minimum(struct vd_schema_walk *walk, const cJSON *argument,
				   const cJSON *schema, const cJSON *value, struct vd_fault *fault)
{
	if (!cJSON_IsNumber(value) || value->valuedouble > argument->valuedouble)
		return 0;
	return refuse(fault, " is not above ", value->valuedouble, argument->valuedouble);
}

/* Decimal steps such as 0.1 have no exact double: the quotient may be off by rounding only. */
static int check_multiple(struct vd_schema_walk *walk, const cJSON *argument, const cJSON *schema,
			  const cJSON *value, struct vd_fault *fault)
{
	double quotient;

	if (!cJSON_IsNumber(value))
		return 0;
	quotient = value->valuedouble / argument->valuedouble;
	if (fabs(quotient - round(quotient)) <= 1e-9 * fmax(1, fabs(quotient)))
		return 0;
	return refuse(fault, " is not a multiple of ", value->valuedouble, argument->valuedouble);
}

static size_t count_characters(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += ((unsigned char)*text & 0xC0) != 0x80;
	return n;
}

static int check_count(size_t count, const cJSON *least, const cJSON *most, const char *what,
		       struct vd_fault *fault)
{
	if (least && (double)count < least->valuedouble) {
		vd_fault_set(fault, 400, "", "%zu %s, at least %.15g are needed", count, what,
			     least->valuedouble);
		return -EINVAL;
	}
	if (most && (double)count > most->valuedouble) {
		vd_fault_set(fault, 400, "", "%zu %s, at most %.15g are allowed", count, what,
			     most->valuedouble);
		return -EINVAL;
	}
	return 0;
}

static int check_length(const cJSON *schema, const char *text, struct vd_fault *fault)
{
	return check_count(count_characters(text), vd_json_get(schema, "minLength"),
			   vd_json_get(schema, "maxLength"), "characters", fault);
}

static int check_sizes(struct vd_schema_walk *walk, const cJSON *argument, const cJSON *schema,
		       const cJSON *value, struct vd_fault *fault)
{
	size_t count = (size_t)cJSON_GetArraySize(value);

	if (cJSON_IsString(value))
		return check_length(schema, value->valuestring, fault);
	if (cJSON_IsArray(value))
		return check_count(count, vd_json_get(schema, "minItems"),
				   vd_json_get(schema, "maxItems"), "items", fault);
	if (cJSON_IsObject(value))
		return check_count(count, vd_json_get(schema, "minProperties"),
				   vd_json_get(schema, "maxProperties"), "properties", fault);
	return 0;
}

static int check_required(struct vd_schema_walk *walk, const cJSON *argument, const cJSON *schema,
			  const cJSON *value, struct vd_fault *fault)
{
	const cJSON *name;

	if (!cJSON_IsObject(value))
		return 0;
	cJSON_ArrayForEach(name, argument)
	{
		if (cJSON_IsString(name) && !vd_json_get(value, name->valuestring)) {
			vd_fault_set(fault, 400, "", "is required");
			vd_fault_under(fault, name->valuestring);
			return -EINVAL;
		}
	}
	return 0;
}

static int check_names(struct vd_schema_walk *walk, const cJSON *argument, const cJSON *schema,
		       const cJSON *value, struct vd_fault *fault)
{
	const cJSON *property;

	cJSON_ArrayForEach(property, (cJSON_IsObject(value) ? value : NULL))
	{
		int r = check_length(argument, property->string, fault);

		if (r < 0) {
			vd_fault_prefix(fault, "the name");
			vd_fault_under(fault, property->string);
			return r;
		}
	}
	return 0;
}

/* Goes down to a part of the value: what was entered in place no longer counts. */
static int check_part(struct vd_schema_walk *walk, const cJSON *schema, const cJSON *part,
		      int index, struct vd_fault *fault) /* NOLINT(misc-no-recursion) */
{
	int r, in_place = walk->in_place;

	walk->in_place = 0;
	r = vd_schema_check_at(walk, schema, part, fault);
	walk->in_place = in_place;
	if (r < 0 && part->string)
		vd_fault_under(fault, part->string);
	else if (r < 0)
		vd_fault_under_index(fault, index);
	return r;
}

static int check_properties(struct vd_schema_walk *walk, const cJSON *argument, const cJSON *schema,
			    const cJSON *value, struct vd_fault *fault)
{
	const cJSON *part;
	int r = 0;

	cJSON_ArrayForEach(part, (cJSON_IsObject(value) ? value : NULL))
	{
		const cJSON *of_part = vd_json_get(argument, part->string);

		r = of_part ? check_part(walk, of_part, part, 0, fault) : 0;
		if (r < 0)
			return r;
	}
	return 0;
}

static int check_additional(struct vd_schema_walk *walk, const cJSON *argument, const cJSON *schema,
			    const cJSON *value, struct vd_fault *fault)
{
	const cJSON *part, *properties = vd_json_get(schema, "properties");
	int r = 0;

	cJSON_ArrayForEach(part, (cJSON_IsObject(value) && !cJSON_IsTrue(argument) ? value : NULL))
	{
		if (vd_json_get(properties, part->string))
			continue;
		if (cJSON_IsFalse(argument)) {
			vd_fault_set(fault, 400, "", "is not known here");
			vd_fault_under(fault, part->string);
			return -EINVAL;
		}
		r = check_part(walk, argument, part, 0, fault);
		if (r < 0)
			return r;
	}
	return 0;
}

static int check_items(struct vd_schema_walk *walk, const cJSON *argument, const cJSON *schema,
		       const cJSON *value, struct vd_fault *fault)
{
	const cJSON *part;
	int r, index = 0;

	cJSON_ArrayForEach(part, (cJSON_IsArray(value) ? value : NULL))
	{
		r = check_part(walk, argument, part, index++, fault);
		if (r < 0)
			return r;
	}
	return 0;
}

static int check_in_place(struct vd_schema_walk *walk, const cJSON *schema, const cJSON *value,
			  struct vd_fault *fault) /* NOLINT(misc-no-recursion) */
{
	int r;

	if (walk->in_place >= VD_SCHEMA_IN_PLACE) {
		vd_fault_set(fault, 500, "", "the schema refers to itself without end");
		return -EINVAL;
	}
	walk->in_place++;
	r = vd_schema_check_at(walk, schema, value, fault);
	walk->in_place--;
	return r;
}

static int check_ref(struct vd_schema_walk *walk, const cJSON *argument, const cJSON *schema,
		     const cJSON *value, struct vd_fault *fault)
{
	const cJSON *target = vd_schema_resolve(walk, argument);

	if (target)
		return check_in_place(walk, target, value, fault);
	vd_fault_set(fault, 500, "", "the schema has no such $ref");
	return -EINVAL;
}

/* Was value meant to be this form? By its type and by every property that the form fixes. */
static bool is_meant(const struct vd_schema_walk *walk, const cJSON *form, const cJSON *value)
{
	const cJSON *type = vd_schema_keyword(walk, form, "type");
	const cJSON *property, *properties = vd_schema_keyword(walk, form, "properties");

	if (type && !fits_type(type, value))
		return false;
	cJSON_ArrayForEach(property, (cJSON_IsObject(value) ? properties : NULL))
	{
		const cJSON *tag = vd_json_get(property, "const");
		const cJSON *given = vd_json_get(value, property->string);

		if (tag && given && !cJSON_Compare(tag, given, 1))
			return false;
	}
	return true;
}

/* The kinds of value that the forms take; "" if they do not say. */
static const char *form_types(const struct vd_schema_walk *walk, const cJSON *forms,
			      char text[static 128])
{
	const cJSON *form;
	size_t n = 0;

	text[0] = '\0';
	cJSON_ArrayForEach(form, forms)
	{
		const cJSON *type = vd_schema_keyword(walk, form, "type");
		const char *kind = cJSON_IsString(type) ? type_text(type->valuestring) : NULL;

		if (!kind || n >= 128)
			return "";
		if (!strstr(text, kind))
			n += (size_t)snprintf(text + n, 128 - n, "%s%s", n ? " or " : "", kind);
	}
	return text;
}

static const char *tag_value(const struct vd_schema_walk *walk, const cJSON *form, const char *key)
{
	const cJSON *properties = vd_schema_keyword(walk, form, "properties");

	return vd_json_string(vd_json_get(properties, key), "const", NULL);
}

/* The property that tells the forms apart: each of them fixes its text. NULL: there is none. */
static const char *tag_key(const struct vd_schema_walk *walk, const cJSON *forms)
{
	const cJSON *form, *property;
	const cJSON *first = vd_schema_keyword(walk, cJSON_GetArrayItem(forms, 0), "properties");

	cJSON_ArrayForEach(property, first)
	{
		bool is_tag = true;

		cJSON_ArrayForEach(form, forms)
		{
			is_tag = is_tag && tag_value(walk, form, property->string);
		}
		if (is_tag)
			return property->string;
	}
	return NULL;
}

static void refuse_tag(const struct vd_schema_walk *walk, const cJSON *forms, const cJSON *value,
		       const char *key, struct vd_fault *fault)
{
	const cJSON *form, *given = vd_json_get(value, key);
	char list[200] = "";
	size_t n = 0;

	cJSON_ArrayForEach(form, forms)
	{
		if (n < sizeof list)
			n += (size_t)snprintf(list + n, sizeof list - n, "%s%s", n ? ", " : "",
					      tag_value(walk, form, key));
	}
	if (cJSON_IsString(given))
		vd_fault_set(fault, 400, "", "\"%s\" is none of %s", given->valuestring, list);
	else
		vd_fault_set(fault, 400, "", "is required, one of %s", list);
	vd_fault_under(fault, key);
}

static void refuse_forms(const struct vd_schema_walk *walk, const cJSON *forms, const cJSON *value,
			 int fitting, struct vd_fault *fault)
{
	char types_text[128];
	const char *wanted = form_types(walk, forms, types_text);
	const char *key = cJSON_IsObject(value) && fitting == 0 ? tag_key(walk, forms) : NULL;

	if (key)
		refuse_tag(walk, forms, value, key, fault);
	else if (fitting == 0 && *wanted && !strstr(wanted, actual_type_text(value)))
		vd_fault_set(fault, 400, "", "must be %s, is %s", wanted, actual_type_text(value));
	else
		vd_fault_set(fault, 400, "", "fits %d of the %d forms allowed here, must fit one",
			     fitting, cJSON_GetArraySize(forms));
}

static int check_one_of(struct vd_schema_walk *walk, const cJSON *argument, const cJSON *schema,
			const cJSON *value, struct vd_fault *fault)
{
	struct vd_fault meant = { 0 }, other;
	int fitting = 0, meant_forms = 0;
	const cJSON *form;

	cJSON_ArrayForEach(form, argument)
	{
		bool is_first = is_meant(walk, form, value) && ++meant_forms == 1;

		other = (struct vd_fault){ 0 };
		if (check_in_place(walk, form, value, is_first ? &meant : &other) == 0)
			fitting++;
	}
	if (fitting == 1)
		return 0;
	if (fitting == 0 && meant_forms == 1 && fault)
		*fault = meant;
	else
		refuse_forms(walk, argument, value, fitting, fault);
	return -EINVAL;
}

static const struct {
	const char *name;
	check_fn *check;
} keywords[] = {
	{ "type", check_type },
	{ "const", check_const },
	{ "enum", check_enum },
	{ "minimum", check_minimum },
	{ "maximum", check_maximum },
	{ "exclusiveMinimum", check_exclusive_minimum },
	{ "multipleOf", check_multiple },
	{ "minLength", check_sizes },
	{ "maxLength", check_sizes },
	{ "minItems", check_sizes },
	{ "maxItems", check_sizes },
	{ "minProperties", check_sizes },
	{ "maxProperties", check_sizes },
	{ "required", check_required },
	{ "propertyNames", check_names },
	{ "additionalProperties", check_additional },
	{ "properties", check_properties },
	{ "items", check_items },
	{ "$ref", check_ref },
	{ "oneOf", check_one_of },
};

int vd_schema_check_at(struct vd_schema_walk *walk, const cJSON *schema, const cJSON *value,
		       struct vd_fault *fault) /* NOLINT(misc-no-recursion) */
{
	if (!vd_schema_step(walk)) {
		vd_fault_set(fault, 500, "", "the schema takes too many steps");
		return -EINVAL;
	}
	for (size_t i = 0; i < VD_COUNT(keywords); i++) {
		const cJSON *argument = vd_json_get(schema, keywords[i].name);
		int r = argument ? keywords[i].check(walk, argument, schema, value, fault) : 0;

		if (r < 0)
			return r;
	}
	return 0;
}

int vd_schema_check(const cJSON *schema, const cJSON *value, struct vd_fault *fault)
{
	struct vd_schema_walk walk = { .root = schema, .steps = VD_SCHEMA_STEPS };

	return vd_schema_check_at(&walk, schema, value, fault);
}
