/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/modbus/event.h"

#include <errno.h>

#include "base/clock.h"
#include "modules/modbus/sample.h"

enum { SERIAL_TRIES = 2 };

static int read_serial(const struct vd_modbus_tag *tag, const struct vd_modbus_device *device,
		       const struct vd_modbus_poll_reader *reader,
		       struct vd_modbus_value *ret_value, const char **ret_why)
{
	const struct vd_modbus_range range = { tag->address, tag->count };
	uint16_t words[VD_MODBUS_MAX_REGISTERS];
	int r = -EIO;

	for (int i = 0; i < SERIAL_TRIES && r != 0; i++)
		r = reader->read(device, tag->area, range, words, reader->argument);
	if (r != 0) {
		*ret_why = reader->text(reader->argument);
		return -EIO;
	}
	return vd_modbus_decode(&tag->format, words, tag->count, ret_value, ret_why);
}

static bool add_serial(cJSON *body, const struct vd_modbus_edge *edge,
		       const struct vd_modbus_device *device,
		       const struct vd_modbus_poll_reader *reader)
{
	const struct vd_modbus_tag *tag = &edge->event->serial;
	struct vd_modbus_value value; /* large, and written by kind */
	const char *why = NULL;

	if (!tag->name)
		return true;
	if (read_serial(tag, device, reader, &value, &why) == 0)
		return vd_modbus_value_add(body, "serial", &value);
	return vd_json_add_string(body, "serial", NULL) &&
	       vd_json_add_string(body, "serialText", why);
}

static bool add_level(cJSON *body, const char *key, const struct vd_modbus_edge *edge,
		      __int128 level)
{
	const struct vd_modbus_value value = { .kind = VD_MODBUS_INTEGER, .integer = level };

	return edge->is_flag ? vd_json_add_bool(body, key, level != 0)
			     : vd_modbus_value_add(body, key, &value);
}

static bool add_edge(cJSON *body, const struct vd_modbus_edge *edge,
		     const struct vd_modbus_device *device)
{
	const char *kind = edge->was_at_start ? "start" : vd_modbus_on_name(edge->event->on);

	return vd_json_add_string(body, "event", edge->event->name) &&
	       vd_json_add_string(body, "device", device->name) &&
	       vd_json_add_string(body, "edge", kind) &&
	       add_level(body, "value", edge, edge->value) &&
	       (edge->event->on != VD_MODBUS_ON_CHANGE || edge->was_at_start ||
		add_level(body, "before", edge, edge->before));
}

static bool add_times(cJSON *body, const struct vd_modbus_edge *edge, uint64_t now_ms)
{
	const int64_t wall_ms = vd_clock_wall_ms() - (int64_t)(now_ms - edge->edge_ms);
	char text[VD_TIME_TEXT];

	return vd_json_add_number(body, "tMono", (double)edge->edge_ms) &&
	       vd_json_add_string(body, "tWall", vd_time_text(wall_ms, text));
}

/* 1: it stands on; 0: it does not; < 0: unknown. */
static int read_acknowledge(const struct vd_modbus_edge *edge,
			    const struct vd_modbus_device *device,
			    const struct vd_modbus_poll_reader *reader)
{
	const struct vd_modbus_output *output = edge->event->acknowledge;
	const size_t count = vd_modbus_format_words(&output->format);
	const struct vd_modbus_range range = { output->address, (uint32_t)count };
	uint16_t words[4], on[4];

	if (reader->read(device, output->area, range, words, reader->argument) != 0 ||
	    vd_modbus_encode(&output->format, output->active, on, count) < 0)
		return -EAGAIN;
	for (size_t i = 0; i < count; i++) {
		if (words[i] != on[i])
			return 0;
	}
	return VD_MODBUS_EVENT_KNOWN;
}

int vd_modbus_event_make(struct vd_modbus_edge *edge, enum vd_modbus_edge_outcome outcome,
			 const struct vd_modbus_device *device,
			 const struct vd_modbus_poll_reader *reader, uint64_t now_ms,
			 cJSON **ret_body)
{
	VD_CLEANUP(vd_json_free) cJSON *body = cJSON_CreateObject();
	const bool is_missed_unknown = edge->is_missed_unknown;
	int r = 0;

	if (outcome == VD_MODBUS_EDGE_FOUND && edge->event->acknowledge)
		r = read_acknowledge(edge, device, reader);
	if (r == -EAGAIN)
		vd_modbus_edge_forget(edge);
	if (r != 0)
		return r;
	if (!body || !add_edge(body, edge, device) || !add_times(body, edge, now_ms) ||
	    !vd_json_add_number(body, "seq", (double)vd_modbus_edge_told(edge)) ||
	    (is_missed_unknown && !vd_json_add_bool(body, "missedUnknown", true)) ||
	    !add_serial(body, edge, device, reader))
		return -ENOMEM;
	*ret_body = VD_TAKE(body);
	return 0;
}

cJSON *vd_modbus_event_outage(const struct vd_modbus_edge *edge,
			      const struct vd_modbus_device *device, const char *text)
{
	VD_CLEANUP(vd_json_free) cJSON *body = cJSON_CreateObject();

	if (!body || !vd_json_add_string(body, "event", "edgesUnseen") ||
	    !vd_json_add_string(body, "device", device->name) ||
	    !vd_json_add_string(body, "source", edge->event->name) ||
	    !vd_json_add_number(body, "seq", (double)edge->seq) ||
	    !vd_json_add_string(body, "text", text))
		return NULL;
	return VD_TAKE(body);
}
