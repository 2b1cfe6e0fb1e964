/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "base/buf.h"
#include "base/digest.h"
#include "base/json.h"

/*
 * One text for one value, as RFC 8785 has it: members sorted by UTF-16 code units, no white
 * space, the fewest escapes, the shortest number that reads back the same. For digests, and for
 * comparing what two programs wrote.
 */

/* Appends to out, which is unchanged on failure. -ENOMEM, or -E2BIG at out's limit. */
VD_MUST int vd_canonical_write(const cJSON *value, struct vd_buf *out);

/* SHA-256 of that text, in lower-case hexadecimal. -ENOMEM. */
VD_MUST int vd_canonical_digest(const cJSON *value, char text[static VD_SHA256_TEXT]);
