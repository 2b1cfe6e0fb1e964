/* SPDX-License-Identifier: Apache-2.0 */
/* The journal of triggers. The digest would stop nearly every mutation: the input is a line too. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/digest.h"
#include "modules/inspect/line/ledger.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void parse(const char *text, size_t len)
{
	VD_CLEANUP(vd_json_free) cJSON *open = NULL;
	uint64_t damaged;
	const cJSON *item;

	if (vd_ledger_parse(text, len, &open, &damaged) < 0)
		return;
	cJSON_ArrayForEach(item, open)
	{
		if (!vd_json_string(item, "id", NULL))
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf line = { 0 };
	char digest[VD_SHA256_TEXT];

	parse((const char *)data, size);
	if (vd_sha256_text(data, size, digest) < 0 || vd_buf_printf(&line, "%.16s ", digest) < 0 ||
	    vd_buf_append(&line, data, size) < 0 || vd_buf_append(&line, "\n", 1) < 0)
		return 0;
	parse(line.data, line.len);
	return 0;
}
