/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "modules/modbus/verdict.h"

/*
 * Which verdicts may still act: one that comes late would reject the part that stands at the gate
 * now. Pure, in monotonic milliseconds. Of the last VD_MODBUS_SIEVE items it knows that they acted.
 */
enum { VD_MODBUS_SIEVE = 256 };

enum vd_modbus_sieve_outcome {
	VD_MODBUS_SIEVE_TAKEN = 0,
	VD_MODBUS_SIEVE_REPEATED,  /* the item's verdict came before */
	VD_MODBUS_SIEVE_RECOVERED, /* told after a restart, of an item that was interrupted */
	VD_MODBUS_SIEVE_TOO_OLD,   /* since its trigger; or of another boot */
	VD_MODBUS_SIEVE_OUTCOMES
};

const char *vd_modbus_sieve_name(enum vd_modbus_sieve_outcome outcome);

struct vd_modbus_sieve {
	char items[VD_MODBUS_SIEVE][VD_MODBUS_ITEM_TEXT];
	size_t next;
	uint64_t counts[VD_MODBUS_SIEVE_OUTCOMES];
};

/* The sieve starts as { 0 }. max_age_ms 0: none is too old. */
enum vd_modbus_sieve_outcome vd_modbus_sieve_try(struct vd_modbus_sieve *sieve,
						 const struct vd_modbus_verdict *verdict,
						 uint32_t max_age_ms, uint64_t now_ms);
