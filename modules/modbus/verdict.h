/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/fault.h"
#include "base/json.h"
#include "modules/modbus/parameters.h"

/* From a verdict record's body to what is written, by policy; pure. */
enum vd_modbus_decision {
	VD_MODBUS_VERDICT_OK = 1,
	VD_MODBUS_VERDICT_WARN,
	VD_MODBUS_VERDICT_NG,
	VD_MODBUS_VERDICT_NONE
};

const char *vd_modbus_decision_name(enum vd_modbus_decision decision);

enum { VD_MODBUS_ITEM_TEXT = 80 };

struct vd_modbus_verdict {
	enum vd_modbus_decision decision;
	uint32_t sequence;     /* of the trigger; 0: the body names none */
	uint64_t triggered_ms; /* monotonic; 0: the body does not say */
	bool is_recovered;     /* the item was interrupted by a crash */
	bool is_named;         /* item_id is the whole of one */
	double serial;         /* NAN: it has none that is a number */
	char item_id[VD_MODBUS_ITEM_TEXT];
};

enum { VD_MODBUS_STRANGE = 1 };

/*
 * 0; VD_MODBUS_STRANGE with a fault: the verdict is a text we do not know, and stands as
 * NO_DECISION, since what is not understood must never pass a part; -EINVAL with a fault: there is no verdict.
 */
VD_MUST int vd_modbus_verdict_read(const cJSON *body, struct vd_modbus_verdict *ret_verdict,
				   struct vd_fault *fault);

struct vd_modbus_write {
	const struct vd_modbus_output *output;
	double value;
	uint32_t hold_ms; /* then back to the safe value; 0: stays */
};

enum { VD_MODBUS_WRITES = 5 };

/*
 * The writes of one verdict in the order they go out: code, serial number (the safe value for one
 * that is no number or does not fit), the output that goes off, the one that goes on, and the
 * sequence number last, by which the PLC knows that the rest stands. Returns how many.
 */
size_t vd_modbus_verdict_writes(const struct vd_modbus_verdicts *verdicts,
				const struct vd_modbus_verdict *verdict,
				struct vd_modbus_write writes[static VD_MODBUS_WRITES]);
