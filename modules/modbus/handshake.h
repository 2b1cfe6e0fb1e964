/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "modules/modbus/edge.h"
#include "modules/modbus/parameters.h"

/*
 * The acknowledgement of an event: its output goes on when the edge was handed over while the PLC
 * still holds its level, and off when the PLC takes the level back. Pure, in monotonic
 * milliseconds. An output found on at the start is left as it is while the level stands.
 */
enum vd_modbus_want { VD_MODBUS_WANT_NOTHING, VD_MODBUS_WANT_ON, VD_MODBUS_WANT_OFF };

struct vd_modbus_handshake {
	const struct vd_modbus_device *device; /* NULL: the event has none */
	const struct vd_modbus_event *event;
	enum vd_modbus_want want;
	bool is_written;   /* what is wanted stands there, as far as is known */
	bool is_open;      /* the level of edge seq still stands */
	bool is_failing;   /* until the next write that succeeds */
	uint64_t seq;      /* of the last edge */
	uint64_t retry_ms; /* nothing is tried before */
};

/* An edge was seen and goes on its way under this number. */
void vd_modbus_handshake_edge(struct vd_modbus_handshake *handshake, uint64_t seq);

/* The agent has it. One whose level is gone already is not acknowledged. */
void vd_modbus_handshake_handed_over(struct vd_modbus_handshake *handshake, uint64_t seq);

/* After each read of the source. */
void vd_modbus_handshake_level(struct vd_modbus_handshake *handshake, enum vd_modbus_level level);

/* After a reconnect: what stands there is not known. */
void vd_modbus_handshake_forget(struct vd_modbus_handshake *handshake);

/* Is a write due, and of what? */
bool vd_modbus_handshake_next(const struct vd_modbus_handshake *handshake, uint64_t now_ms,
			      double *ret_value);

/* What came of it. true: the first failure of a row, to be told. */
bool vd_modbus_handshake_took(struct vd_modbus_handshake *handshake, bool is_written,
			      uint64_t now_ms);

/* When _next will have something; UINT64_MAX: not by itself. */
uint64_t vd_modbus_handshake_due_ms(const struct vd_modbus_handshake *handshake);
