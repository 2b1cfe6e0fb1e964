/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "modules/sdk/module.h"

/* Answers to direct methods; one that the agent does not take is logged. body may be NULL. */
void vd_reply(struct vd_module *module, int64_t id, int status, const cJSON *body);
void vd_reply_text(struct vd_module *module, int64_t id, int status, const char *text);
