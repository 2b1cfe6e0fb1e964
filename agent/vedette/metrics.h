/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdio.h>

#include "base/json.h"

/* An answer to `status` as Prometheus reads it; what the answer lacks is left out. */
void vd_show_metrics(const cJSON *answer, FILE *out);
