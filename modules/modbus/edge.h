/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "modules/modbus/decode.h"
#include "modules/modbus/parameters.h"

/*
 * Edges in what is read of an event's source; pure, in monotonic milliseconds. Rules:
 *
 * - A level found at the start, on a new connection, or after reads failed for longer than gap_ms,
 *   is no edge, unless the event says at_start. One that changed across a shorter failure is.
 * - A level counts once it was read the same for debounce_ms; the edge has the time of the first
 *   such read.
 * - What may have been missed is said with the first edge after the start or after a failed read.
 */
enum vd_modbus_level { VD_MODBUS_LEVEL_UNKNOWN, VD_MODBUS_LEVEL_OFF, VD_MODBUS_LEVEL_ON };

enum vd_modbus_edge_outcome {
	VD_MODBUS_EDGE_NONE = 0,
	VD_MODBUS_EDGE_TRUE,  /* tell it */
	VD_MODBUS_EDGE_FOUND, /* at_start: the level may have been told before */
};

struct vd_modbus_edge {
	const struct vd_modbus_event *event;
	bool is_known, has_candidate, is_flag;
	__int128 value, before, candidate; /* the standing one, the one before, what bounces */
	uint64_t candidate_ms, good_ms;    /* first read of the candidate; last good read */
	uint64_t edge_ms;                  /* of the last edge */
	bool was_at_start;                 /* the last edge was a level found */
	bool is_missed_unknown;            /* until the next edge is told */
	bool is_outage;                    /* reads fail */
	enum vd_modbus_edge_outcome due;   /* what the last read brought, until it is served */
	uint64_t seq, outages;             /* edges told; times that reads began to fail */
};

/* event is borrowed. */
void vd_modbus_edge_init(struct vd_modbus_edge *edge, const struct vd_modbus_event *event);

/* A good read; value is a flag or an integer. What it brought is left in due as well. */
enum vd_modbus_edge_outcome vd_modbus_edge_take(struct vd_modbus_edge *edge,
						const struct vd_modbus_value *value,
						uint64_t now_ms);

/* A read that failed. true: it is the first of an outage. */
bool vd_modbus_edge_fail(struct vd_modbus_edge *edge);

/* The edge that _take returned is told: its number. */
uint64_t vd_modbus_edge_told(struct vd_modbus_edge *edge);

/* A new connection: the device may have started anew. true: it is the first of an outage. */
bool vd_modbus_edge_reconnected(struct vd_modbus_edge *edge);

/* Nothing is known any more: the next level read is one found. */
void vd_modbus_edge_forget(struct vd_modbus_edge *edge);

/* Where the level stands that rise or fall waits for; UNKNOWN for change. */
enum vd_modbus_level vd_modbus_edge_level(const struct vd_modbus_edge *edge);
