/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "base/json.h"

/*
 * The verdict of an item that the process did not live to inspect: from what its trigger left in
 * the ledger (ledger.h). NO_DECISION, or NG where the recipe's policy was so; never a judgement.
 * The body says "recovered": its part is long past. Pure. NULL: no memory.
 */
cJSON *vd_hindsight_body(const cJSON *accepted, const char *reason);
