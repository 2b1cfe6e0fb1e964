/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "base/attr.h"

/*
 * What a record is worth, most valuable first. Verdicts and alarms are committed at once,
 * are sent in the order of their sequence numbers and are never evicted: when there is no
 * room for one it is refused aloud. The others wait a little for company, and go first
 * when room is needed, raw before telemetry before events.
 */
enum vd_class { VD_ALARM, VD_VERDICT, VD_EVENT, VD_TELEMETRY, VD_RAW };
enum { VD_CLASSES = VD_RAW + 1 };

const char *vd_class_name(enum vd_class class); /* "alarm", "verdict" … */

/* -EINVAL: name is none of them. */
VD_MUST int vd_class_parse(const char *name, enum vd_class *ret_class);

VD_UNUSED static inline int vd_class_is_urgent(enum vd_class class)
{
	return class <= VD_VERDICT;
}
