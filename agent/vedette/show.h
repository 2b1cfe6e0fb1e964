/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdio.h>

#include "base/json.h"

/* Answers of the agent as a person reads them, 80 columns wide. */
void vd_show_status(const cJSON *answer, FILE *out);
void vd_show_modules(const cJSON *answer, FILE *out);
void vd_show_outbox(const cJSON *answer, FILE *out);
void vd_show_twin(const cJSON *answer, FILE *out);
void vd_show_packages(const cJSON *answer, FILE *out);
void vd_show_logs(const cJSON *answer, FILE *out);
void vd_show_any(const cJSON *answer, FILE *out); /* indented JSON */

enum { VD_SPAN_TEXT = 32 };

/* 93784000 -> "1d 2h", 61000 -> "1min 1s", 350 -> "350ms"; returns text. */
const char *vd_span_text(double ms, char text[static VD_SPAN_TEXT]);
