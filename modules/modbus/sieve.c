/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/modbus/sieve.h"

#include <string.h>

/* Clocks of two processes on one machine are the same clock, read in either order. */
enum { AHEAD_MS = 1000 };

static const char *const names[] = {
	[VD_MODBUS_SIEVE_TAKEN] = "taken",
	[VD_MODBUS_SIEVE_REPEATED] = "repeated",
	[VD_MODBUS_SIEVE_RECOVERED] = "recovered",
	[VD_MODBUS_SIEVE_TOO_OLD] = "tooOld",
};

const char *vd_modbus_sieve_name(enum vd_modbus_sieve_outcome outcome)
{
	return names[outcome];
}

static bool has_acted(const struct vd_modbus_sieve *sieve, const char *item_id)
{
	for (size_t i = 0; i < VD_MODBUS_SIEVE; i++) {
		if (strcmp(sieve->items[i], item_id) == 0)
			return true;
	}
	return false;
}

static bool is_too_old(const struct vd_modbus_verdict *verdict, uint32_t max_age_ms,
		       uint64_t now_ms)
{
	const uint64_t then_ms = verdict->triggered_ms;

	if (max_age_ms == 0 || then_ms == 0)
		return false;
	return then_ms > now_ms + AHEAD_MS || now_ms > then_ms + max_age_ms;
}

static enum vd_modbus_sieve_outcome judge(const struct vd_modbus_sieve *sieve,
					  const struct vd_modbus_verdict *verdict,
					  uint32_t max_age_ms, uint64_t now_ms)
{
	if (verdict->is_recovered)
		return VD_MODBUS_SIEVE_RECOVERED;
	if (verdict->is_named && has_acted(sieve, verdict->item_id))
		return VD_MODBUS_SIEVE_REPEATED;
	return is_too_old(verdict, max_age_ms, now_ms) ? VD_MODBUS_SIEVE_TOO_OLD
						       : VD_MODBUS_SIEVE_TAKEN;
}

enum vd_modbus_sieve_outcome vd_modbus_sieve_try(struct vd_modbus_sieve *sieve,
						 const struct vd_modbus_verdict *verdict,
						 uint32_t max_age_ms, uint64_t now_ms)
{
	const enum vd_modbus_sieve_outcome outcome = judge(sieve, verdict, max_age_ms, now_ms);

	sieve->counts[outcome]++;
	if (outcome == VD_MODBUS_SIEVE_TAKEN && verdict->is_named)
		memcpy(sieve->items[sieve->next++ % VD_MODBUS_SIEVE], verdict->item_id,
		       VD_MODBUS_ITEM_TEXT);
	return outcome;
}
