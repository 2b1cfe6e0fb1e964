/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/modbus/poll.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "modules/modbus/event.h"
#include "modules/modbus/quality.h"

enum {
	BODY_BYTES = 40000,  /* of samples in one publication: a packet holds 65536 */
	FAILURES_A_POLL = 2, /* silent reads after which the rest of a poll is not tried */
	ILLEGAL_ADDRESS = 2, /* Modbus exception codes */
	ILLEGAL_VALUE = 3,
	TEXT_BYTES = 160,
};

struct area {
	size_t *tags; /* indices into the device's tags */
	struct vd_modbus_range *spans;
	bool *left_out;
	size_t count;
	struct vd_modbus_plan plan;
	struct vd_modbus_cost cost;
};

struct group {
	struct vd_modbus_schedule schedule;
	size_t first, count; /* tags */
	bool has_events, is_under_way;
	struct area areas[VD_MODBUS_AREAS];
};

struct counts {
	uint64_t polls, requests, failures, skipped, samples, good;
	uint64_t latency_sum_us, latency_max_us, latency_count;
};

struct vd_modbus_poll_device {
	const struct vd_modbus_device *device;
	struct vd_modbus_sample *samples;
	struct vd_modbus_edge *edges; /* of its events */
	struct group *groups;
	size_t group_count;
	struct vd_modbus_refused refused[VD_MODBUS_AREAS];
	bool must_plan;
	unsigned polls_under_way;
	struct vd_modbus_backoff backoff;
	enum vd_modbus_status status;
	bool status_changed;
	struct counts counts;
	char text[TEXT_BYTES]; /* of the last failure */
};

static void free_group(struct group *group)
{
	for (size_t i = 0; i < VD_MODBUS_AREAS; i++) {
		vd_modbus_plan_fini(&group->areas[i].plan);
		free(group->areas[i].tags);
		free(group->areas[i].spans);
		free(group->areas[i].left_out);
	}
}

struct vd_modbus_poll_device *vd_modbus_poll_device_free(struct vd_modbus_poll_device *device)
{
	if (!device)
		return NULL;
	for (size_t i = 0; i < device->group_count; i++)
		free_group(&device->groups[i]);
	free(device->groups);
	free(device->samples);
	free(device->edges);
	free(device);
	return NULL;
}
VD_DEFINE_CLEANUP(struct vd_modbus_poll_device, vd_modbus_poll_device_free)

static struct vd_modbus_cost cost_of(const struct vd_modbus_device *device,
				     const struct vd_modbus_transport *transport,
				     enum vd_modbus_area area)
{
	bool bits = vd_modbus_area_is_bits(area);
	uint32_t most = bits ? device->max_bits : device->max_registers;
	int character =
		1 + transport->data_bits + (transport->parity != 'N') + transport->stop_bits;

	if (transport->type == VD_MODBUS_TCP)
		return vd_modbus_cost_tcp(bits, most);
	return vd_modbus_cost_serial(bits, most, transport->baud, (uint32_t)character,
				     5000 + transport->frame_gap_ms * 1000);
}

static int fill_area(const struct vd_modbus_poll_device *device, const struct group *group,
		     enum vd_modbus_area number, struct area *area)
{
	area->tags = calloc(group->count + 1, sizeof *area->tags);
	area->spans = calloc(group->count + 1, sizeof *area->spans);
	area->left_out = calloc(group->count + 1, sizeof *area->left_out);
	if (!area->tags || !area->spans || !area->left_out)
		return -ENOMEM;
	for (size_t i = group->first; i < group->first + group->count; i++) {
		const struct vd_modbus_tag *tag = &device->device->tags[i];

		if (tag->area != number)
			continue;
		area->tags[area->count] = i;
		area->spans[area->count++] = (struct vd_modbus_range){ tag->address, tag->count };
	}
	return 0;
}

static int fill_group(struct vd_modbus_poll_device *device,
		      const struct vd_modbus_transport *transport, struct group *group,
		      uint64_t start_us)
{
	uint32_t interval_ms = device->device->tags[group->first].interval_ms;
	int r = 0;

	vd_modbus_schedule_init(&group->schedule, start_us, interval_ms * 1000ULL);
	for (size_t i = 0; i < VD_MODBUS_AREAS && r == 0; i++) {
		group->areas[i].cost = cost_of(device->device, transport, (enum vd_modbus_area)i);
		r = fill_area(device, group, (enum vd_modbus_area)i, &group->areas[i]);
	}
	return r;
}

/* The tags stand sorted by interval. */
static int fill_groups(struct vd_modbus_poll_device *device,
		       const struct vd_modbus_transport *transport, uint64_t start_us)
{
	const struct vd_modbus_device *is = device->device;
	size_t next = 0;
	int r = 0;

	while (next < is->tag_count && r == 0) {
		struct group *group = &device->groups[device->group_count++];

		group->first = next;
		while (next < is->tag_count &&
		       is->tags[next].interval_ms == is->tags[group->first].interval_ms)
			next++;
		group->count = next - group->first;
		for (size_t i = group->first; i < next; i++)
			group->has_events |= is->tags[i].event != NULL;
		r = fill_group(device, transport, group, start_us);
	}
	return r;
}

int vd_modbus_poll_device_new(const struct vd_modbus_device *is,
			      const struct vd_modbus_transport *transport, uint64_t start_us,
			      struct vd_modbus_poll_device **ret_device)
{
	VD_CLEANUP(vd_modbus_poll_device_free)
	struct vd_modbus_poll_device *device = calloc(1, sizeof *device);
	int r;

	if (!device)
		return -ENOMEM;
	device->device = is;
	device->must_plan = true;
	device->backoff = (struct vd_modbus_backoff){ .first_ms = is->back_off_ms,
						      .most_ms = is->back_off_most_ms };
	device->samples = calloc(is->tag_count + 1, sizeof *device->samples);
	device->groups = calloc(is->tag_count + 1, sizeof *device->groups);
	device->edges = calloc(is->event_count + 1, sizeof *device->edges);
	if (!device->samples || !device->groups || !device->edges)
		return -ENOMEM;
	for (size_t i = 0; i < is->event_count; i++)
		vd_modbus_edge_init(&device->edges[i], &is->events[i]);
	r = fill_groups(device, transport, start_us);
	if (r < 0)
		return r;
	*ret_device = VD_TAKE(device);
	return 0;
}

const char *vd_modbus_poll_name(const struct vd_modbus_poll_device *device)
{
	return device->device->name;
}

uint64_t vd_modbus_poll_due_us(const struct vd_modbus_poll_device *device)
{
	uint64_t due = UINT64_MAX;

	for (size_t i = 0; i < device->group_count; i++) {
		if (device->groups[i].schedule.next_us < due)
			due = device->groups[i].schedule.next_us;
	}
	return due;
}

static int plan_area(struct area *area, const struct vd_modbus_refused *refused)
{
	struct vd_modbus_plan plan;
	int r = vd_modbus_plan_init(&plan, area->spans, area->count, &area->cost, refused,
				    area->left_out);

	if (r < 0)
		return r;
	vd_modbus_plan_fini(&area->plan);
	area->plan = plan;
	return 0;
}

/*
 * Out of memory leaves the old plans, and the next poll tries again. So does a poll between the
 * requests of another one, which goes by these plans.
 */
static void plan_all(struct vd_modbus_poll_device *device, uint64_t now_ms)
{
	if (device->polls_under_way > 1)
		return;
	for (size_t i = 0; i < VD_MODBUS_AREAS; i++)
		device->must_plan |= vd_modbus_refused_expire(&device->refused[i], now_ms) > 0;
	if (!device->must_plan)
		return;
	device->must_plan = false;
	for (size_t g = 0; g < device->group_count; g++) {
		for (size_t i = 0; i < VD_MODBUS_AREAS; i++)
			device->must_plan |=
				plan_area(&device->groups[g].areas[i], &device->refused[i]) < 0;
	}
}

/* One poll under way. */
struct poll {
	struct vd_modbus_poll_device *device;
	struct group *group;
	struct area *area;
	enum vd_modbus_area number;
	const struct vd_modbus_poll_reader *reader;
	const struct vd_modbus_poll_events *events;
	uint64_t now_ms;
	uint16_t words[VD_MODBUS_MAX_BITS]; /* of the last range read */
	unsigned answers, failures;
	int over; /* < 0: the rest of the poll is not tried, and this is why */
	int64_t wall_ms;
};

static void count_latency(struct counts *counts, uint64_t us)
{
	counts->latency_count++;
	counts->latency_sum_us += us;
	if (us > counts->latency_max_us)
		counts->latency_max_us = us;
}

static void note_failure(struct poll *poll, int r, struct vd_modbus_range range)
{
	struct vd_modbus_poll_device *device = poll->device;

	device->counts.failures++;
	(void)snprintf(device->text, sizeof device->text, "%s %u to %u: %s",
		       vd_modbus_area_name(poll->number), range.address,
		       range.address + range.count - 1, poll->reader->text(poll->reader->argument));
	if (r > 0)
		return;
	poll->failures++;
	if ((r != -ETIMEDOUT && r != -EPROTO) || poll->answers == 0 ||
	    poll->failures >= FAILURES_A_POLL)
		poll->over = r;
}

static int read_range(struct vd_modbus_range range, void *argument)
{
	struct poll *poll = argument;
	struct vd_modbus_poll_device *device = poll->device;
	uint64_t before_us = vd_clock_mono_us();
	int r = poll->over;

	if (r == 0 && poll->reader->is_stopped(poll->reader->argument))
		poll->over = r = -ECANCELED;
	if (r < 0)
		return r;
	r = poll->reader->read(device->device, poll->number, range, poll->words,
			       poll->reader->argument);
	device->counts.requests++;
	poll->wall_ms = vd_clock_wall_ms();
	if (r >= 0) {
		poll->answers++;
		count_latency(&device->counts, vd_clock_mono_us() - before_us);
	}
	if (r != 0)
		note_failure(poll, r, range);
	/* Only these two say something about addresses; other exceptions are the device's state. */
	return r == ILLEGAL_ADDRESS || r == ILLEGAL_VALUE ? r : r > 0 ? -r - 100000 : r;
}

static enum vd_modbus_quality quality_of(int r)
{
	if (r > 0)
		return VD_MODBUS_BAD_ADDRESS;
	if (r <= -100000)
		return VD_MODBUS_EXCEPTION;
	if (r == -ETIMEDOUT)
		return VD_MODBUS_TIMED_OUT;
	return r == -EPROTO ? VD_MODBUS_BAD_REPLY : VD_MODBUS_DISCONNECTED;
}

static void mark_bad(struct poll *poll, size_t index, int r)
{
	struct vd_modbus_poll_device *device = poll->device;
	struct vd_modbus_sample *sample = &device->samples[index];
	enum vd_modbus_quality quality = quality_of(r);
	bool is_new = sample->quality != quality;

	vd_modbus_sample_bad(sample, quality, quality == VD_MODBUS_EXCEPTION ? -r - 100000 : 0,
			     device->device->fail_after, poll->wall_ms);
	if (is_new && (quality == VD_MODBUS_BAD_ADDRESS || quality == VD_MODBUS_BAD_REPLY))
		vd_log(VD_WARN, "modbus.tagBad", "device=%s tag=%s quality=%s text=\"%s\"",
		       device->device->name, device->device->tags[index].name,
		       vd_modbus_quality_name(quality), device->text);
}

static void publish_outage(const struct vd_modbus_poll_device *device,
			   const struct vd_modbus_edge *edge, const char *text,
			   const struct vd_modbus_poll_events *events)
{
	VD_CLEANUP(vd_json_free) cJSON *body = vd_modbus_event_outage(edge, device->device, text);

	if (body)
		events->publish("status", "event", &body, events->argument);
}

void vd_modbus_poll_reconnected(struct vd_modbus_poll_device *device,
				const struct vd_modbus_poll_events *events)
{
	for (size_t i = 0; i < device->device->event_count; i++) {
		if (vd_modbus_edge_reconnected(&device->edges[i]))
			publish_outage(device, &device->edges[i], "the connection was made anew",
				       events);
	}
}

/* What a read means for the event whose source it is. */
static void watch_source(const struct poll *poll, const struct vd_modbus_tag *tag,
			 const struct vd_modbus_sample *sample)
{
	struct vd_modbus_edge *edge = &poll->device->edges[tag->event->index];

	if (sample->quality == VD_MODBUS_GOOD)
		(void)vd_modbus_edge_take(edge, &sample->value, poll->now_ms);
	else if (vd_modbus_edge_fail(edge))
		publish_outage(poll->device, edge, poll->device->text, poll->events);
}

static void serve_edge(const struct poll *poll, struct vd_modbus_edge *edge,
		       enum vd_modbus_edge_outcome outcome)
{
	VD_CLEANUP(vd_json_free) cJSON *body = NULL;
	const struct vd_modbus_poll_events *events = poll->events;
	int r = vd_modbus_event_make(edge, outcome, poll->device->device, poll->reader,
				     poll->now_ms, &body);

	if (r == 0)
		events->edge(edge->event, edge->seq, &body, events->argument);
	else if (r == -ENOMEM)
		vd_log(VD_ERROR, "modbus.edgeLost", "device=%s event=%s text=\"no memory\"",
		       poll->device->device->name, edge->event->name);
}

/* After each block: an edge does not wait for the rest of the poll. */
static void serve_edges(const struct poll *poll)
{
	for (size_t i = 0; i < poll->area->count; i++) {
		const size_t index = poll->area->tags[i];
		const struct vd_modbus_event *event = poll->device->device->tags[index].event;
		struct vd_modbus_edge *edge = event ? &poll->device->edges[event->index] : NULL;
		const enum vd_modbus_edge_outcome outcome = edge ? edge->due : VD_MODBUS_EDGE_NONE;

		if (!edge)
			continue;
		edge->due = VD_MODBUS_EDGE_NONE;
		if (outcome != VD_MODBUS_EDGE_NONE)
			serve_edge(poll, edge, outcome);
		else
			poll->events->level(event, vd_modbus_edge_level(edge),
					    poll->events->argument);
	}
}

static int decode_tag(const struct poll *poll, const struct vd_modbus_tag *tag,
		      struct vd_modbus_range range, struct vd_modbus_value *value,
		      const char **ret_why)
{
	const uint16_t *words = poll->words + (tag->address - range.address);

	if (!vd_modbus_area_is_bits(tag->area))
		return vd_modbus_decode(&tag->format, words, tag->count, value, ret_why);
	vd_modbus_decode_bit(words[0], value);
	return 0;
}

static void take_span(size_t span, int result, struct vd_modbus_range range, void *argument)
{
	struct poll *poll = argument;
	struct vd_modbus_poll_device *device = poll->device;
	size_t index = poll->area->tags[span];
	const struct vd_modbus_tag *tag = &device->device->tags[index];
	struct vd_modbus_value value; /* large, and written by kind */
	const char *why;

	if (result == -ECANCELED)
		return;
	if (result != 0) {
		mark_bad(poll, index, result);
	} else if (decode_tag(poll, tag, range, &value, &why) < 0) {
		(void)snprintf(device->text, sizeof device->text, "tag %.60s: %s", tag->name, why);
		mark_bad(poll, index, -EPROTO);
	} else {
		vd_modbus_sample_good(&device->samples[index], &value, poll->wall_ms);
	}
	if (tag->event)
		watch_source(poll, tag, &device->samples[index]);
}

static void poll_area(struct poll *poll, enum vd_modbus_area number, uint64_t now_ms)
{
	struct vd_modbus_poll_device *device = poll->device;
	const struct vd_modbus_reader reader = { read_range, take_span, poll };
	size_t refused = device->refused[number].count;

	poll->number = number;
	poll->area = &poll->group->areas[number];
	for (size_t i = 0; i < poll->area->plan.count; i++) {
		(void)vd_modbus_plan_read(&poll->area->plan, i, poll->area->spans,
					  &device->refused[number],
					  now_ms + device->device->reprobe_ms, &reader);
		if (poll->group->has_events)
			serve_edges(poll);
	}
	for (size_t i = 0; i < poll->area->count; i++) {
		if (poll->area->left_out[i] && poll->over == 0)
			mark_bad(poll, poll->area->tags[i], ILLEGAL_ADDRESS);
	}
	device->must_plan |= refused != device->refused[number].count;
}

static void publish_body(struct vd_modbus_poll_device *device,
			 const struct vd_modbus_poll_events *events, cJSON **samples)
{
	VD_CLEANUP(vd_json_free) cJSON *body = cJSON_CreateObject();
	VD_CLEANUP(vd_json_free) cJSON *taken = VD_TAKE(*samples);

	if (body && vd_json_add_string(body, "device", device->device->name) &&
	    vd_json_add_take(body, "samples", &taken))
		events->publish("samples", "telemetry", &body, events->argument);
}

/* In pieces that a packet holds. What memory is short for stays news until the next poll. */
static void publish_news(struct vd_modbus_poll_device *device, const struct group *group,
			 const struct vd_modbus_poll_events *events, uint64_t now_ms)
{
	VD_CLEANUP(vd_json_free) cJSON *samples = NULL;
	size_t bytes = 0;

	for (size_t i = group->first; i < group->first + group->count; i++) {
		const struct vd_modbus_tag *tag = &device->device->tags[i];
		struct vd_modbus_sample *sample = &device->samples[i];

		if (tag->event || !vd_modbus_sample_is_news(sample, tag, now_ms))
			continue;
		if (bytes + vd_modbus_sample_bytes(sample, tag) > BODY_BYTES) {
			publish_body(device, events, &samples);
			bytes = 0;
		}
		if (!samples)
			samples = cJSON_CreateObject();
		if (!samples || !vd_modbus_sample_add(sample, tag, now_ms, samples))
			break;
		bytes += vd_modbus_sample_bytes(sample, tag);
	}
	if (samples)
		publish_body(device, events, &samples);
}

static bool add_status(cJSON *body, const struct vd_modbus_poll_device *device,
		       enum vd_modbus_status before)
{
	return body && vd_json_add_string(body, "event", "deviceStatus") &&
	       vd_json_add_string(body, "device", device->device->name) &&
	       vd_json_add_string(body, "status", vd_modbus_status_name(device->status)) &&
	       vd_json_add_string(body, "before", vd_modbus_status_name(before)) &&
	       vd_json_add_string(body, "text", device->status == VD_MODBUS_OK ? "" : device->text);
}

static void set_status(struct vd_modbus_poll_device *device, enum vd_modbus_status status,
		       const struct vd_modbus_poll_events *events)
{
	VD_CLEANUP(vd_json_free) cJSON *body = NULL;
	enum vd_modbus_status before = device->status;

	if (status == before)
		return;
	device->status = status;
	device->status_changed = true;
	vd_log(status == VD_MODBUS_OK ? VD_INFO : VD_WARN, "modbus.status",
	       "device=%s from=%s to=%s text=\"%s\"", device->device->name,
	       vd_modbus_status_name(before), vd_modbus_status_name(status),
	       status == VD_MODBUS_OK ? "" : device->text);
	body = cJSON_CreateObject();
	if (add_status(body, device, before))
		events->publish("status", "event", &body, events->argument);
}

static enum vd_modbus_status status_now(const struct vd_modbus_poll_device *device)
{
	size_t read = 0, good = 0;

	for (size_t i = 0; i < device->device->tag_count; i++) {
		enum vd_modbus_quality quality = device->samples[i].quality;

		read += quality != VD_MODBUS_UNREAD;
		good += quality == VD_MODBUS_GOOD || quality == VD_MODBUS_STALE;
	}
	return vd_modbus_status_of(read, good);
}

static void count_samples(struct vd_modbus_poll_device *device, const struct group *group)
{
	device->counts.samples += group->count;
	for (size_t i = group->first; i < group->first + group->count; i++)
		device->counts.good += device->samples[i].quality == VD_MODBUS_GOOD;
}

static struct group *due_group(struct vd_modbus_poll_device *device, bool only_events,
			       uint64_t now_us)
{
	struct group *due = NULL;

	for (size_t i = 0; i < device->group_count; i++) {
		struct group *group = &device->groups[i];

		if (group->is_under_way || (only_events && !group->has_events))
			continue;
		if (group->schedule.next_us <= now_us &&
		    (!due || group->schedule.next_us < due->schedule.next_us))
			due = group;
	}
	return due;
}

static void read_group(struct poll *poll, uint64_t now_ms)
{
	struct vd_modbus_poll_device *device = poll->device;

	device->polls_under_way++;
	poll->group->is_under_way = true;
	plan_all(device, now_ms);
	for (size_t i = 0; i < VD_MODBUS_AREAS; i++)
		poll_area(poll, (enum vd_modbus_area)i, now_ms);
	poll->group->is_under_way = false;
	device->polls_under_way--;
	if (poll->answers > 0)
		vd_modbus_backoff_succeeded(&device->backoff);
	else if (poll->failures > 0)
		vd_modbus_backoff_failed(&device->backoff, now_ms);
}

static bool poll_due(struct vd_modbus_poll_device *device, bool only_events,
		     const struct vd_modbus_poll_reader *reader,
		     const struct vd_modbus_poll_events *events, uint64_t now_us)
{
	uint64_t now_ms = now_us / 1000;
	struct poll poll = { .device = device,
			     .reader = reader,
			     .events = events,
			     .now_ms = now_ms,
			     .wall_ms = vd_clock_wall_ms() };

	poll.group = due_group(device, only_events, now_us);
	if (!poll.group)
		return false;
	(void)vd_modbus_schedule_take(&poll.group->schedule, now_us);
	if (now_ms < device->backoff.until_ms) {
		device->counts.skipped++;
		return false;
	}
	device->counts.polls++;
	read_group(&poll, now_ms);
	if (poll.over == -ECANCELED)
		return true;
	count_samples(device, poll.group);
	publish_news(device, poll.group, events, now_ms);
	set_status(device, status_now(device), events);
	return true;
}

bool vd_modbus_poll_once(struct vd_modbus_poll_device *device,
			 const struct vd_modbus_poll_reader *reader,
			 const struct vd_modbus_poll_events *events, uint64_t now_us)
{
	return poll_due(device, false, reader, events, now_us);
}

bool vd_modbus_poll_events_once(struct vd_modbus_poll_device *device,
				const struct vd_modbus_poll_reader *reader,
				const struct vd_modbus_poll_events *events, uint64_t now_us)
{
	return poll_due(device, true, reader, events, now_us);
}

enum vd_modbus_status vd_modbus_poll_status(const struct vd_modbus_poll_device *device)
{
	return device->status;
}

bool vd_modbus_poll_take_change(struct vd_modbus_poll_device *device)
{
	bool changed = device->status_changed;

	device->status_changed = false;
	return changed;
}

static double milliseconds(uint64_t us)
{
	return (double)(us / 10) / 100;
}

static bool add_schedule(cJSON *body, const struct vd_modbus_poll_device *device)
{
	uint64_t missed = 0, taken = 0, late_sum = 0, late_max = 0;

	for (size_t i = 0; i < device->group_count; i++) {
		const struct vd_modbus_schedule *schedule = &device->groups[i].schedule;

		missed += schedule->missed;
		taken += schedule->taken;
		late_sum += schedule->late_sum_us;
		if (schedule->late_max_us > late_max)
			late_max = schedule->late_max_us;
	}
	return vd_json_add_number(body, "missedPolls", (double)missed) &&
	       vd_json_add_number(body, "jitterMs", milliseconds(taken ? late_sum / taken : 0)) &&
	       vd_json_add_number(body, "jitterMostMs", milliseconds(late_max));
}

static bool add_counts(cJSON *body, const struct counts *counts)
{
	uint64_t mean = counts->latency_count ? counts->latency_sum_us / counts->latency_count : 0;
	double share = counts->samples ? (double)counts->good / (double)counts->samples : 0;

	return vd_json_add_number(body, "polls", (double)counts->polls) &&
	       vd_json_add_number(body, "requests", (double)counts->requests) &&
	       vd_json_add_number(body, "failures", (double)counts->failures) &&
	       vd_json_add_number(body, "skippedPolls", (double)counts->skipped) &&
	       vd_json_add_number(body, "goodShare", (double)(int)(share * 10000) / 10000) &&
	       vd_json_add_number(body, "latencyMs", milliseconds(mean)) &&
	       vd_json_add_number(body, "latencyMostMs", milliseconds(counts->latency_max_us));
}

/* {NAME: {"edges", "outages"}} */
static bool add_events(cJSON *body, const struct vd_modbus_poll_device *device)
{
	cJSON *events =
		device->device->event_count ? cJSON_AddObjectToObject(body, "events") : NULL;
	bool ok = device->device->event_count == 0 || events;

	for (size_t i = 0; ok && i < device->device->event_count; i++) {
		const struct vd_modbus_edge *edge = &device->edges[i];
		cJSON *json = cJSON_AddObjectToObject(events, edge->event->name);

		ok = json && vd_json_add_number(json, "edges", (double)edge->seq) &&
		     vd_json_add_number(json, "outages", (double)edge->outages);
	}
	return ok;
}

cJSON *vd_modbus_poll_report(struct vd_modbus_poll_device *device)
{
	VD_CLEANUP(vd_json_free) cJSON *body = cJSON_CreateObject();
	struct counts *counts = &device->counts;

	if (!body || !vd_json_add_string(body, "status", vd_modbus_status_name(device->status)) ||
	    !add_counts(body, counts) || !add_schedule(body, device) || !add_events(body, device) ||
	    !vd_json_add_string(body, "lastError", device->text[0] ? device->text : NULL))
		return NULL;
	counts->latency_count = counts->latency_sum_us = counts->latency_max_us = 0;
	return VD_TAKE(body);
}
