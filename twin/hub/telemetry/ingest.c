/* SPDX-License-Identifier: Apache-2.0 */
#include "twin/hub/telemetry/ingest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "twin/hub/telemetry/batch.h"
#include "twin/hub/metrics.h"
#include "twin/hub/store/trust.h"

/* One transaction at most; what else happens in the hub waits no longer than that. */
enum { TURN_MESSAGES = 500, TURN_BYTES = 2 << 20, LOOK_MS = 5000, RETRY_MS = 1000 };

struct vd_ingest {
	struct vd_store *store;
	const char *folder;
	struct vd_spool_reader *reader;
	struct vd_spool_position position; /* committed */
	bool is_trim_due;                  /* a segment before the position is there still */
	struct vd_source *timer;
	uint64_t damaged;
	int64_t newest_ms; /* when the broker received the last message that was read */
	vd_fn stored;
	void *argument;
};

static int add_record(const struct vd_record_row *row, void *argument)
{
	int r = vd_store_record_add(argument, row);

	return r == VD_STORE_DUPLICATE ? 0 : r;
}

static int bury(struct vd_store *store, const struct vd_name *name,
		const struct vd_spool_record *message, const struct vd_fault *fault, int bad)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf reason = { 0 };
	struct vd_dead_letter letter = {
		.name = *name,
		.received_ms = message->received_ms,
		.properties = message->bag,
		.payload = message->payload,
		.payload_len = message->payload_len,
	};

	if (vd_buf_printf(&reason, "%s%s%s", fault->pointer, fault->pointer[0] ? ": " : "",
			  fault->text) < 0 ||
	    (bad > 1 && vd_buf_printf(&reason, " (and %d more records)", bad - 1) < 0))
		return -ENOMEM;
	letter.reason = reason.data;
	vd_log(VD_WARN, "ingest.deadLetter", "id=%s reason=\"%s\"", message->identity, reason.data);
	return vd_store_dead_letter_add(store, &letter);
}

static int add_batch(struct vd_store *store, const struct vd_name *name,
		     const struct vd_spool_record *message, const char *text, size_t len,
		     bool is_zstd)
{
	const struct vd_batch_text batch = {
		.device = name->device,
		.received_ms = message->received_ms,
		.text = text,
		.len = len,
		.frame = is_zstd ? message->payload : NULL,
		.frame_len = is_zstd ? message->payload_len : 0,
	};

	return vd_store_batch_add(store, &batch);
}

static int take_batch(struct vd_store *store, const struct vd_name *name,
		      const struct vd_spool_record *message,
		      const struct vd_message_properties *properties)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf inflated = { 0 };
	struct vd_fault fault = { 0 };
	const char *text = message->payload;
	size_t len = message->payload_len;
	int bad = 0, r = 0;

	if (properties->is_zstd) {
		r = vd_batch_inflate(message->payload, message->payload_len, VD_BATCH_BYTES,
				     &inflated, &fault);
		text = inflated.data ? inflated.data : "";
		len = inflated.len;
	}
	if (r == 0)
		r = add_batch(store, name, message, text, len, properties->is_zstd);
	if (r == VD_STORE_NOT_PLAIN)
		r = vd_batch_read(name->device, message->received_ms, text, len, add_record, store,
				  &bad, &fault);
	if (r == -EINVAL || (r == 0 && bad > 0))
		r = bury(store, name, message, &fault, bad);
	return r;
}

static int take_message(struct vd_store *store, const struct vd_name *name,
			const struct vd_spool_record *message)
{
	VD_CLEANUP(vd_message_properties_fini) struct vd_message_properties properties = { 0 };
	struct vd_fault fault = { 0 };
	int r = vd_message_properties_read(message->bag, &properties, &fault);

	if (r == -EINVAL)
		return bury(store, name, message, &fault, 0);
	if (r < 0)
		return r;
	if (properties.is_batch)
		return take_batch(store, name, message, &properties);
	return vd_message_read(name, message->received_ms, &properties, message->payload,
			       message->payload_len, add_record, store);
}

int vd_ingest_take(struct vd_store *store, const struct vd_spool_record *message)
{
	struct vd_name name = { 0 };
	int r;

	if (vd_name_parse(message->identity, &name) < 0)
		return 0; /* the broker admits no such identity */
	r = vd_store_touch(store, &name, message->received_ms);
	if (r >= 0)
		r = vd_store_usage_add(store, name.device, message->received_ms, 1,
				       (int64_t)message->payload_len);
	return r < 0 ? r : take_message(store, &name, message);
}

int vd_ingest_again(struct vd_store *store, const struct vd_dead_letter *letter)
{
	char identity[VD_ID_BYTES];
	const struct vd_spool_record message = {
		.identity = vd_name_text(&letter->name, identity),
		.bag = letter->properties,
		.payload = letter->payload,
		.payload_len = letter->payload_len,
		.received_ms = letter->received_ms,
	};

	return take_message(store, &letter->name, &message);
}

/* 1: there is more, 0: the end. */
static int take_some(struct vd_ingest *in, struct vd_spool_position *position, int *ret_count)
{
	size_t bytes = 0;

	for (*ret_count = 0; *ret_count < TURN_MESSAGES && bytes < TURN_BYTES; (*ret_count)++) {
		struct vd_spool_record message;
		int r = vd_spool_next(in->reader, &message, position);

		if (r != 0)
			return r == VD_SPOOL_END ? 0 : r;
		bytes += message.payload_len;
		in->newest_ms = message.received_ms;
		r = vd_ingest_take(in->store, &message);
		if (r < 0)
			return r;
	}
	return 1;
}

static void trim(struct vd_ingest *in)
{
	int r = vd_spool_trim(in->folder, in->position);

	if (r < 0)
		vd_log(VD_WARN, "ingest.trim", "reason=\"%s\"", strerror(-r));
	in->is_trim_due = false;
}

/*
 * Turns do not wait for the disk: what a power cut takes back is still in the spool, behind the
 * position that goes back with it. Only when a segment was read to its end, the next turn does
 * wait, and then the segment goes.
 */
static int run_turn(struct vd_ingest *in)
{
	struct vd_spool_position position = in->position;
	bool is_durable = in->is_trim_due;
	int r = is_durable ? vd_store_begin(in->store) : vd_store_begin_relaxed(in->store);
	int count = 0, more;

	if (r < 0)
		return r;
	more = take_some(in, &position, &count);
	if (more < 0 || count == 0) {
		vd_store_rollback(in->store);
		return more;
	}
	r = vd_store_spool_set(in->store, position.segment, position.offset);
	if (r != 0) {
		vd_store_rollback(in->store);
		return r;
	}
	r = vd_store_commit(in->store);
	if (r < 0)
		return r;
	in->is_trim_due |= position.segment != in->position.segment;
	in->position = position;
	vd_metrics_ingested(count, vd_clock_wall_ms() - in->newest_ms);
	if (is_durable)
		trim(in);
	in->stored(in->argument);
	return more;
}

static int open_reader(struct vd_ingest *in)
{
	int r = vd_store_spool_get(in->store, &in->position.segment, &in->position.offset);

	in->reader = vd_spool_reader_free(in->reader);
	return r < 0 ? r : vd_spool_reader_new(in->folder, in->position, &in->reader);
}

static void report_damage(struct vd_ingest *in)
{
	uint64_t damaged = vd_spool_damaged_bytes(in->reader);

	if (damaged > in->damaged)
		vd_log(VD_ERROR, "ingest.damagedSpool", "bytes=%llu",
		       (unsigned long long)(damaged - in->damaged));
	in->damaged = damaged;
}

static void on_timer(void *argument)
{
	struct vd_ingest *in = argument;
	int r = in->reader ? 0 : open_reader(in);

	if (r == 0)
		r = run_turn(in);
	if (r < 0) {
		vd_log(VD_ERROR, "ingest.failed", "reason=\"%s\"", strerror(-r));
		in->reader = vd_spool_reader_free(in->reader); /* it stands beyond the position */
		in->damaged = 0;
	} else {
		report_damage(in);
	}
	(void)!vd_timer_arm(in->timer, r < 0 ? RETRY_MS : r > 0 ? 0 : LOOK_MS);
}

int vd_ingest_new(struct vd_loop *loop, struct vd_store *store, const char *folder, vd_fn stored,
		  void *argument, struct vd_ingest **ret_ingest)
{
	VD_CLEANUP(vd_ingest_free) struct vd_ingest *in = calloc(1, sizeof *in);
	int r;

	if (!in)
		return -ENOMEM;
	*in = (struct vd_ingest){
		.store = store, .folder = folder, .stored = stored, .argument = argument
	};
	r = open_reader(in);
	if (r == 0)
		r = vd_loop_timer(loop, on_timer, in, &in->timer);
	if (r == 0)
		r = vd_timer_arm(in->timer, 0);
	if (r == 0)
		*ret_ingest = VD_TAKE(in);
	return r;
}

struct vd_ingest *vd_ingest_free(struct vd_ingest *in)
{
	if (in) {
		in->timer = vd_source_free(in->timer);
		in->reader = vd_spool_reader_free(in->reader);
		free(in);
	}
	return NULL;
}

void vd_ingest_wake(struct vd_ingest *in)
{
	if (in->reader)
		(void)!vd_timer_arm(in->timer, 0);
}

uint64_t vd_ingest_backlog(const struct vd_ingest *in)
{
	uint64_t bytes = 0;

	return vd_spool_backlog(in->folder, in->position, &bytes) < 0 ? 0 : bytes;
}
