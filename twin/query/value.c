/* SPDX-License-Identifier: Apache-2.0 */
#include "twin/query/value.h"

#include <string.h>

struct vd_query_value vd_query_value_of(const cJSON *json)
{
	struct vd_query_value value = { .type = VD_QUERY_UNDEFINED };

	if (!json)
		return value;
	if (cJSON_IsString(json)) {
		value.type = VD_QUERY_STRING;
		value.string = json->valuestring;
	} else if (cJSON_IsNumber(json)) {
		value.type = VD_QUERY_NUMBER;
		value.number = json->valuedouble;
	} else if (cJSON_IsBool(json)) {
		value.type = VD_QUERY_BOOL;
		value.boolean = cJSON_IsTrue(json);
	} else {
		value.type = cJSON_IsNull(json) ? VD_QUERY_NULL : VD_QUERY_COMPOSITE;
	}
	return value;
}

int vd_query_value_compare(const struct vd_query_value *a, const struct vd_query_value *b)
{
	if (a->type != b->type)
		return a->type < b->type ? -1 : 1;
	if (a->type == VD_QUERY_STRING)
		return strcmp(a->string, b->string);
	if (a->type == VD_QUERY_NUMBER)
		return (a->number > b->number) - (a->number < b->number);
	if (a->type == VD_QUERY_BOOL)
		return (int)a->boolean - (int)b->boolean;
	return 0;
}
