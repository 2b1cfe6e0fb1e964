/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "base/json.h"

/*
 * JSON merge patch, RFC 7396: an object in the patch goes down into the target, null removes,
 * anything else replaces. Nothing here changes its inputs, and a result comes whole or not at
 * all. A target or patch is what vd_json_parse lets through: no key twice, depth bounded.
 */

/*
 * *ret_result is target (NULL: nothing there yet) with patch applied. Members keep the target's
 * order, new ones follow. -ENOMEM.
 */
VD_MUST int vd_merge_apply(const cJSON *target, const cJSON *patch, cJSON **ret_result);

/*
 * *ret_patch is the least patch that makes `to` of `from`: only what differs, nulls for what is
 * gone, {} when nothing differs. A merge patch cannot set a member to null, so `to` must have
 * none outside of arrays (twins never do). -ENOMEM.
 */
VD_MUST int vd_merge_diff(const cJSON *from, const cJSON *to, cJSON **ret_patch);

/* Same value? Members in any order; numbers equal to the last bit. NULL equals NULL only. */
bool vd_merge_is_equal(const cJSON *a, const cJSON *b);
