/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "base/digest.h"
#include "base/json.h"

/*
 * The chain of the audit log, for whoever writes it and whoever checks it:
 *
 *   hash(n) = SHA-256( hash(n-1) "\n" canonical text of entry n without its "hash" )
 *
 * in lower-case hexadecimal; hash(0) is VD_AUDIT_START.
 */
#define VD_AUDIT_START "0000000000000000000000000000000000000000000000000000000000000000"

/* The entry's own "hash", if it has one, is left out. -ENOMEM. */
VD_MUST int vd_audit_hash(const char *previous, const cJSON *entry,
			  char hash[static VD_SHA256_TEXT]);
