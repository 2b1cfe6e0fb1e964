/* SPDX-License-Identifier: Apache-2.0 */
/* What is parsed prints, and what was printed parses to the same text; with comments, too. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void print_and_parse_again(const cJSON *json)
{
	VD_CLEANUP(vd_json_free) cJSON *again = NULL;
	VD_CLEANUP(vd_free) char *text = vd_json_text(json);

	assert(text);
	assert(vd_json_parse(text, strlen(text), &again, NULL) == 0);
	VD_CLEANUP(vd_free) char *text_again = vd_json_text(again);
	assert(text_again && !strcmp(text, text_again));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	VD_CLEANUP(vd_json_free) cJSON *json = NULL;
	VD_CLEANUP(vd_json_free) cJSON *commented = NULL;
	struct vd_fault fault = { 0 };

	if (vd_json_parse((const char *)data, size, &json, &fault) == 0)
		print_and_parse_again(json);
	else
		assert(fault.code == 400 && *fault.text && !json);
	fault = (struct vd_fault){ 0 };
	if (vd_json_parse_commented((const char *)data, size, &commented, &fault) < 0)
		assert(fault.code == 400 && *fault.text && !commented);
	return 0;
}
