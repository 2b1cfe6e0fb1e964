/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <string.h>

#include "twin/query/query.h"
#include "vd_test.h"

/* A parsed query, and a twin from text with ' for ": the test fails where they are wrong. */
VD_UNUSED static struct vd_query *query_of(const char *text)
{
	struct vd_query *query = NULL;
	struct vd_fault fault = { 0 };

	if (vd_query_parse(text, strlen(text), &query, &fault) < 0)
		fail_msg("%s: %s", text, fault.text);
	return query;
}

VD_UNUSED static struct vd_query *condition_of(const char *text)
{
	struct vd_query *condition = NULL;
	struct vd_fault fault = { 0 };

	if (vd_condition_parse(text, strlen(text), &condition, &fault) < 0)
		fail_msg("%s: %s", text, fault.text);
	return condition;
}

VD_UNUSED static cJSON *json_of(const char *text)
{
	char copy[4096];
	struct vd_fault fault = { 0 };
	cJSON *json = NULL;
	size_t len = strlen(text);

	assert_true(len < sizeof copy);
	for (size_t i = 0; i <= len; i++)
		copy[i] = text[i];
	for (size_t i = 0; i < len; i++) {
		if (copy[i] == '\'')
			copy[i] = '"';
	}
	if (vd_json_parse(copy, len, &json, &fault) < 0)
		fail_msg("%s: %s", text, fault.text);
	return json;
}

/* The JSON of a row must be this text, ' for ". */
VD_UNUSED static void is_json(const cJSON *json, const char *wanted)
{
	VD_CLEANUP(vd_json_free) cJSON *parsed = json_of(wanted);
	VD_CLEANUP(vd_free) char *a = vd_json_text(json);
	VD_CLEANUP(vd_free) char *b = vd_json_text(parsed);

	assert_string_equal(a, b);
}
