/* SPDX-License-Identifier: Apache-2.0 */
#include "twin/document/audit.h"

#include <errno.h>
#include <string.h>

#include "twin/document/canonical.h"

int vd_audit_hash(const char *previous, const cJSON *entry, char hash[static VD_SHA256_TEXT])
{
	VD_CLEANUP(vd_json_free) cJSON *bare = cJSON_Duplicate(entry, true);
	VD_CLEANUP(vd_buf_fini) struct vd_buf text = { 0 };
	int r = bare ? vd_buf_printf(&text, "%s\n", previous) : -ENOMEM;

	if (r < 0)
		return r;
	cJSON_DeleteItemFromObjectCaseSensitive(bare, "hash");
	r = vd_canonical_write(bare, &text);
	return r < 0 ? r : vd_sha256_text(text.data, text.len, hash);
}
