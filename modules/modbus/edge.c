/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/modbus/edge.h"

void vd_modbus_edge_init(struct vd_modbus_edge *edge, const struct vd_modbus_event *event)
{
	*edge = (struct vd_modbus_edge){ .event = event, .is_missed_unknown = true };
}

static bool is_on(const struct vd_modbus_edge *edge, __int128 value)
{
	return edge->event->on == VD_MODBUS_ON_FALL ? value == 0 : value != 0;
}

static enum vd_modbus_edge_outcome begin(struct vd_modbus_edge *edge, __int128 value,
					 uint64_t now_ms)
{
	const struct vd_modbus_event *event = edge->event;

	edge->is_known = true;
	edge->value = edge->before = value;
	edge->edge_ms = now_ms;
	edge->was_at_start = true;
	return event->at_start && (event->on == VD_MODBUS_ON_CHANGE || is_on(edge, value))
		       ? VD_MODBUS_EDGE_FOUND
		       : VD_MODBUS_EDGE_NONE;
}

static enum vd_modbus_edge_outcome settle(struct vd_modbus_edge *edge)
{
	const __int128 before = edge->value;

	edge->has_candidate = false;
	edge->before = before;
	edge->value = edge->candidate;
	edge->edge_ms = edge->candidate_ms;
	edge->was_at_start = false;
	if (edge->event->on == VD_MODBUS_ON_CHANGE)
		return VD_MODBUS_EDGE_TRUE;
	return is_on(edge, edge->value) && !is_on(edge, before) ? VD_MODBUS_EDGE_TRUE
								: VD_MODBUS_EDGE_NONE;
}

static enum vd_modbus_edge_outcome take(struct vd_modbus_edge *edge, __int128 level,
					uint64_t now_ms)
{
	const bool is_gap = edge->is_outage && now_ms - edge->good_ms > edge->event->gap_ms;

	edge->is_outage = false;
	edge->good_ms = now_ms;
	if (is_gap)
		vd_modbus_edge_forget(edge);
	if (!edge->is_known)
		return begin(edge, level, now_ms);
	if (level == edge->value) {
		edge->has_candidate = false;
		return VD_MODBUS_EDGE_NONE;
	}
	if (!edge->has_candidate || level != edge->candidate) {
		edge->has_candidate = true;
		edge->candidate = level;
		edge->candidate_ms = now_ms;
	}
	if (now_ms - edge->candidate_ms < edge->event->debounce_ms)
		return VD_MODBUS_EDGE_NONE;
	return settle(edge);
}

enum vd_modbus_edge_outcome vd_modbus_edge_take(struct vd_modbus_edge *edge,
						const struct vd_modbus_value *value,
						uint64_t now_ms)
{
	edge->is_flag = value->kind == VD_MODBUS_FLAG;
	edge->due = take(edge, edge->is_flag ? value->flag : value->integer, now_ms);
	return edge->due;
}

bool vd_modbus_edge_fail(struct vd_modbus_edge *edge)
{
	const bool is_first = edge->is_known && !edge->is_outage;

	edge->is_outage = true;
	edge->is_missed_unknown = true;
	edge->has_candidate = false;
	edge->outages += is_first;
	return is_first;
}

bool vd_modbus_edge_reconnected(struct vd_modbus_edge *edge)
{
	const bool is_first = vd_modbus_edge_fail(edge);

	vd_modbus_edge_forget(edge);
	return is_first;
}

uint64_t vd_modbus_edge_told(struct vd_modbus_edge *edge)
{
	edge->is_missed_unknown = false;
	return ++edge->seq;
}

void vd_modbus_edge_forget(struct vd_modbus_edge *edge)
{
	edge->is_known = edge->has_candidate = false;
}

enum vd_modbus_level vd_modbus_edge_level(const struct vd_modbus_edge *edge)
{
	if (!edge->is_known || edge->is_outage || edge->event->on == VD_MODBUS_ON_CHANGE)
		return VD_MODBUS_LEVEL_UNKNOWN;
	return is_on(edge, edge->value) ? VD_MODBUS_LEVEL_ON : VD_MODBUS_LEVEL_OFF;
}
