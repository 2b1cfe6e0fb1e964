/* SPDX-License-Identifier: Apache-2.0 */
#include "twin/hub/etag.h"

#include <stdio.h>
#include <string.h>

#include "base/digest.h"

const char *vd_etag_text(int64_t etag, char text[static VD_ETAG_BYTES])
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf out = { 0 };
	uint8_t bytes[8];

	for (int i = 0; i < 8; i++)
		bytes[i] = (uint8_t)((uint64_t)etag >> (56 - 8 * i));
	if (vd_base64_encode(bytes, sizeof bytes, &out) < 0)
		out.len = 0;
	(void)snprintf(text, VD_ETAG_BYTES, "%s", out.len ? out.data : "");
	return text;
}

bool vd_etag_matches(const char *if_match, int64_t etag)
{
	char text[VD_ETAG_BYTES];
	size_t len = if_match ? strlen(if_match) : 0;

	if (!if_match)
		return true;
	if (len >= 2 && if_match[0] == '"' && if_match[len - 1] == '"') {
		if_match++;
		len -= 2;
	}
	if (len == 1 && if_match[0] == '*')
		return true;
	(void)vd_etag_text(etag, text);
	return len == strlen(text) && strncmp(if_match, text, len) == 0;
}
