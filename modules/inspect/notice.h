/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>

#include "base/json.h"

/*
 * What the inspection has to say beside verdicts, on its way to the loop: a JSON array of
 * {"output","class","body"}. Lists are NULL while empty.
 */

/* Takes *body, also on failure. false: no memory, the notice is lost (and logged). */
bool vd_notice_add(cJSON **list, const char *output, const char *record_class, cJSON **body);

/* An alarm's body: {"alarm": kind, "state": "raised" or "cleared", "recipe", "text"}; NULL: no memory. */
cJSON *vd_alarm_body(const char *kind, bool is_raised, const char *recipe, const char *text);
