/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/modbus/quality.h"

const char *vd_modbus_quality_name(enum vd_modbus_quality quality)
{
	static const char *const names[] = {
		[VD_MODBUS_UNREAD] = "unread",       [VD_MODBUS_GOOD] = "good",
		[VD_MODBUS_STALE] = "stale",         [VD_MODBUS_TIMED_OUT] = "timeout",
		[VD_MODBUS_EXCEPTION] = "exception", [VD_MODBUS_BAD_ADDRESS] = "bad_address",
		[VD_MODBUS_BAD_REPLY] = "decode",    [VD_MODBUS_DISCONNECTED] = "disconnected",
	};

	return names[quality];
}

const char *vd_modbus_status_name(enum vd_modbus_status status)
{
	static const char *const names[] = {
		[VD_MODBUS_UNKNOWN] = "unknown",
		[VD_MODBUS_OK] = "ok",
		[VD_MODBUS_PARTIAL] = "partial",
		[VD_MODBUS_DEAD] = "dead",
	};

	return names[status];
}

enum vd_modbus_status vd_modbus_status_of(size_t read, size_t good)
{
	if (read == 0)
		return VD_MODBUS_UNKNOWN;
	if (good == 0)
		return VD_MODBUS_DEAD;
	return good == read ? VD_MODBUS_OK : VD_MODBUS_PARTIAL;
}
