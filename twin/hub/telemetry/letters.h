/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "base/fault.h"
#include "base/json.h"
#include "twin/hub/store/letters.h"

/*
 * Dead letters: read, and taken once more after their cause was mended (a hub that knows more, say).
 * What of a letter was stored before is not stored twice.
 */
enum { VD_LETTERS_A_CALL = 100 };

/* with_payload: as base64. NULL: no memory. */
cJSON *vd_letter_json(int64_t id, const struct vd_dead_letter *letter, bool with_payload);

/*
 * Takes the letter once more, and removes it; one that still cannot be read comes back with a new id.
 * 0, or VD_LETTERS_AGAIN; VD_STORE_NONE: there is no such letter; -errno.
 */
enum { VD_LETTERS_AGAIN = 2 };
VD_MUST int vd_letter_replay(struct vd_store *store, int64_t id);
