/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

/* Entity tags are base64 of a 64-bit counter, as Azure's: "AAAAAAAAAAc=". */
enum { VD_ETAG_BYTES = 16 };

const char *vd_etag_text(int64_t etag, char text[static VD_ETAG_BYTES]);

/* If-Match: "*" or the tag, quoted or bare (Azure's SDKs send both). NULL matches anything. */
bool vd_etag_matches(const char *if_match, int64_t etag);
