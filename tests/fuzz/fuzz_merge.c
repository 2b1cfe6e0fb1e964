/* SPDX-License-Identifier: Apache-2.0 */
/* Two documents, set apart by a NUL: applying their difference gives the second one. */
#include <assert.h>
#include <string.h>

#include "twin/document/canonical.h"
#include "twin/document/merge.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_canonical(const cJSON *json)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf text = { 0 };
	VD_CLEANUP(vd_json_free) cJSON *again = NULL;

	assert(vd_canonical_write(json, &text) == 0);
	assert(vd_json_parse(text.data, text.len, &again, NULL) == 0);
	assert(vd_merge_is_equal(json, again));
}

static void check_laws(const cJSON *a, const cJSON *b)
{
	VD_CLEANUP(vd_json_free) cJSON *content = NULL;
	VD_CLEANUP(vd_json_free) cJSON *patch = NULL;
	VD_CLEANUP(vd_json_free) cJSON *result = NULL;

	/* b without nulls, which no patch can set. */
	assert(vd_merge_apply(NULL, b, &content) == 0);
	assert(vd_merge_diff(a, content, &patch) == 0);
	assert(vd_merge_apply(a, patch, &result) == 0);
	assert(vd_merge_is_equal(result, content));
	check_canonical(result);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = size ? memchr(data, '\0', size) : NULL;
	VD_CLEANUP(vd_json_free) cJSON *a = NULL;
	VD_CLEANUP(vd_json_free) cJSON *b = NULL;

	if (end && vd_json_parse((const char *)data, (size_t)(end - data), &a, NULL) == 0 &&
	    vd_json_parse((const char *)end + 1, size - (size_t)(end - data) - 1, &b, NULL) == 0)
		check_laws(a, b);
	return 0;
}
