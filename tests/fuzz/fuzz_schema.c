/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A schema and a value, set apart by a NUL. A schema that is verified checks, fills and explains
 * without end trouble; a value that fits still fits when it is filled, unless a default that was
 * added makes it fit another form.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/schema.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use(const cJSON *schema, cJSON *value)
{
	struct vd_fault fault = { 0 };
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	assert(out);
	vd_schema_explain(schema, out);
	(void)fclose(out);
	free(text);
	if (vd_schema_check(schema, value, &fault) < 0)
		assert(fault.code == 400 || fault.code == 500);
	else
		(void)!vd_schema_fill(schema, value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = size ? memchr(data, '\0', size) : NULL;
	VD_CLEANUP(vd_json_free) cJSON *schema = NULL;
	VD_CLEANUP(vd_json_free) cJSON *value = NULL;

	if (!end || vd_json_parse((const char *)data, (size_t)(end - data), &schema, NULL) < 0 ||
	    vd_json_parse((const char *)end + 1, size - (size_t)(end - data) - 1, &value, NULL) < 0)
		return 0;
	if (vd_schema_verify(schema, NULL) == 0)
		use(schema, value);
	else
		(void)!vd_schema_check(schema, value, NULL); /* must end all the same */
	return 0;
}
