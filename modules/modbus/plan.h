/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

/*
 * Which blocks to read so that every span wanted in one area of one device is covered at
 * the least cost; pure. A hole between two spans is read through where that costs less than
 * another request, unless the device refused it before.
 *
 * The partition is optimal: spans sorted by address, best[i] = min over j of best[j] + cost of
 * the block from j to i. Groups contiguous in that order suffice: of two blocks whose
 * members interleave, one can take a member of the other without growing.
 */
struct vd_modbus_range {
	uint32_t address, count; /* registers or bits; address + count <= 65536 */
};

/* What reading costs, in nanoseconds. A refused read costs a request too. */
struct vd_modbus_cost {
	uint64_t request_ns; /* one more request */
	uint64_t item_ns;    /* one more register or bit in it */
	uint32_t max_count;  /* registers or bits in one request */
};

enum { VD_MODBUS_MAX_REGISTERS = 125, VD_MODBUS_MAX_BITS = 2000 };

/* Over TCP a request is a round trip and a register two bytes among many. */
struct vd_modbus_cost vd_modbus_cost_tcp(bool bits, uint32_t max_count);

/*
 * On a serial line: 13 characters and two silences of 3.5 characters (1.75 ms above 19200 baud) a
 * request, the device's turnaround and frame gap on top, two characters a register.
 */
struct vd_modbus_cost vd_modbus_cost_serial(bool bits, uint32_t max_count, uint32_t baud,
					    uint32_t bits_a_character, uint32_t turnaround_us);

uint64_t vd_modbus_cost_of(const struct vd_modbus_cost *cost, uint32_t count);

/* Ranges a device refused, each until a time; bounded, the one that ends first gives way. */
enum { VD_MODBUS_REFUSED = 64 };

struct vd_modbus_refused {
	struct {
		struct vd_modbus_range range;
		uint64_t until_ms;
	} items[VD_MODBUS_REFUSED];
	size_t count;
};

void vd_modbus_refused_add(struct vd_modbus_refused *refused, struct vd_modbus_range range,
			   uint64_t until_ms);

/* Drops what has ended; returns how many. */
size_t vd_modbus_refused_expire(struct vd_modbus_refused *refused, uint64_t now_ms);
bool vd_modbus_refused_meets(const struct vd_modbus_refused *refused, struct vd_modbus_range range);

struct vd_modbus_block {
	struct vd_modbus_range range;
	size_t first, count; /* members: order[first] to order[first + count - 1] */
};

struct vd_modbus_plan {
	size_t *order; /* indices of spans by address */
	size_t order_count;
	struct vd_modbus_block *blocks; /* by address */
	size_t count;
	uint64_t cost_ns;
};

/*
 * Plans; spans that meet a refused range by themselves are left out (bit of left_out, which has
 * span_count items, set to true). -EINVAL: a span is empty, longer than max_count or past
 * 65536; -ENOMEM. End with vd_modbus_plan_fini.
 */
VD_MUST int vd_modbus_plan_init(struct vd_modbus_plan *plan, const struct vd_modbus_range *spans,
				size_t span_count, const struct vd_modbus_cost *cost,
				const struct vd_modbus_refused *refused, bool *left_out);
void vd_modbus_plan_fini(struct vd_modbus_plan *plan);

/*
 * Reads one block through read(), which returns 0, a code > 0 for "the device refuses this address"
 * or < 0 for anything else; done() then hears of each span once: its index, the result that stood
 * for it, and the range read. A refused block is split between its spans, in the middle,
 * until what is bad stands alone: that, or the hole, is added to refused until until_ms.
 * Returns the first result < 0 and stops reading then (the other spans hear it), else 0.
 */
struct vd_modbus_reader {
	int (*read)(struct vd_modbus_range range, void *argument);
	void (*done)(size_t span, int result, struct vd_modbus_range range, void *argument);
	void *argument;
};

int vd_modbus_plan_read(const struct vd_modbus_plan *plan, size_t block,
			const struct vd_modbus_range *spans, struct vd_modbus_refused *refused,
			uint64_t until_ms, const struct vd_modbus_reader *reader);
