/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>

#include "base/attr.h"

/*
 * The log: one line an event on stderr, a stable event name and then fields,
 *   module.exited module=cam-top signal=9 ranMs=1234
 * Under systemd each line carries its journald priority (<4>); otherwise the time
 * and the level stand before it. Log once, where the decision is taken; never a secret.
 * Safe from any thread.
 */
enum vd_log_level { VD_ERROR, VD_WARN, VD_NOTICE, VD_INFO, VD_DEBUG };

void vd_log(enum vd_log_level level, const char *event, const char *format, ...) VD_PRINTF(3, 4);

void vd_log_set_level(enum vd_log_level level); /* VD_INFO at start */
bool vd_log_is_on(enum vd_log_level level);
const char *vd_log_level_name(enum vd_log_level level);

/* -EINVAL: name is none of error, warn, notice, info, debug. */
VD_MUST int vd_log_level_parse(const char *name, enum vd_log_level *ret_level);
