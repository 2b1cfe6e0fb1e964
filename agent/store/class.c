/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/store/class.h"

#include <errno.h>
#include <string.h>

static const char *const names[VD_CLASSES] = {
	[VD_ALARM] = "alarm",         [VD_VERDICT] = "verdict", [VD_EVENT] = "event",
	[VD_TELEMETRY] = "telemetry", [VD_RAW] = "raw",
};

const char *vd_class_name(enum vd_class class)
{
	return names[class];
}

int vd_class_parse(const char *name, enum vd_class *ret_class)
{
	for (unsigned i = 0; name && i < VD_CLASSES; i++) {
		if (strcmp(name, names[i]) == 0) {
			*ret_class = (enum vd_class)i;
			return 0;
		}
	}
	return -EINVAL;
}
