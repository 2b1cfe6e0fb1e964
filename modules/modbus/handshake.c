/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/modbus/handshake.h"

enum { RETRY_MS = 50, LATER_MS = 1000 };

static void want(struct vd_modbus_handshake *handshake, enum vd_modbus_want wanted)
{
	if (!handshake->device || handshake->want == wanted)
		return;
	handshake->want = wanted;
	handshake->is_written = false;
	handshake->retry_ms = 0;
}

void vd_modbus_handshake_edge(struct vd_modbus_handshake *handshake, uint64_t seq)
{
	handshake->seq = seq;
	handshake->is_open = true;
}

void vd_modbus_handshake_handed_over(struct vd_modbus_handshake *handshake, uint64_t seq)
{
	if (handshake->is_open && handshake->seq == seq)
		want(handshake, VD_MODBUS_WANT_ON);
}

void vd_modbus_handshake_level(struct vd_modbus_handshake *handshake, enum vd_modbus_level level)
{
	if (level != VD_MODBUS_LEVEL_OFF)
		return;
	handshake->is_open = false;
	want(handshake, VD_MODBUS_WANT_OFF);
}

void vd_modbus_handshake_forget(struct vd_modbus_handshake *handshake)
{
	handshake->is_written = false;
}

bool vd_modbus_handshake_next(const struct vd_modbus_handshake *handshake, uint64_t now_ms,
			      double *ret_value)
{
	const struct vd_modbus_output *output;

	if (vd_modbus_handshake_due_ms(handshake) > now_ms)
		return false;
	output = handshake->event->acknowledge;
	*ret_value = handshake->want == VD_MODBUS_WANT_ON ? output->active : output->safe;
	return true;
}

bool vd_modbus_handshake_took(struct vd_modbus_handshake *handshake, bool is_written,
			      uint64_t now_ms)
{
	const bool is_news = !is_written && !handshake->is_failing;

	handshake->retry_ms = now_ms + (handshake->is_failing ? LATER_MS : RETRY_MS);
	handshake->is_written = is_written;
	handshake->is_failing = !is_written;
	return is_news;
}

uint64_t vd_modbus_handshake_due_ms(const struct vd_modbus_handshake *handshake)
{
	const bool is_due = handshake->device && handshake->want != VD_MODBUS_WANT_NOTHING &&
			    !handshake->is_written;

	return is_due ? handshake->retry_ms : UINT64_MAX;
}
