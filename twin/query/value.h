/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>

#include <cjson/cJSON.h>

/*
 * What an expression is, and what an index keeps. Types stand in the order in which MIN and MAX
 * rank them.
 */
enum vd_query_type {
	VD_QUERY_UNDEFINED,
	VD_QUERY_NULL,
	VD_QUERY_BOOL,
	VD_QUERY_NUMBER,
	VD_QUERY_STRING,
	VD_QUERY_COMPOSITE, /* an object or array: defined, and comparable to nothing */
};

struct vd_query_value {
	enum vd_query_type type;
	union {
		bool boolean;
		double number;
		const char *string; /* borrowed: from the query or the twin */
	};
};

struct vd_query_value vd_query_value_of(const cJSON *json); /* NULL is undefined */

/* < 0, 0, > 0: a total order, by type first, texts by their bytes. */
int vd_query_value_compare(const struct vd_query_value *a, const struct vd_query_value *b);
