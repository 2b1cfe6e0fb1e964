/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/fault.h"
#include "base/json.h"
#include "base/loop.h"

/*
 * What a module's author includes; library vd_sdk. The SDK speaks vedette-module(7) on
 * descriptor 3 and runs the module's event loop; the author supplies callbacks:
 *
 *	int main(int argc, char **argv)
 *	{
 *		static const struct vd_module_program program = {
 *			.name = "counter", .version = "1.0.0",
 *			.schema = vd_schema_json, .on_start = start, .on_end = end,
 *		};
 *		struct counter counter = { 0 };
 *		return vd_module_run(argc, argv, &program, &counter);
 *	}
 *
 * Everything is called from, and must be called on, the loop's thread, except where it says
 * "any thread". JSON given to a callback is borrowed for the call; JSON given to the SDK is
 * copied. All work between two callbacks delays `alive`: what takes longer than a heartbeat
 * belongs in a thread of the author's that comes back by vd_module_post.
 */
struct vd_module;

enum {
	VD_MODULE_LATER = 1, /* from on_start, on_parameters, on_stop: the answer follows */
	VD_MODULE_FULL =
		2, /* from publish, report, answer: the agent is slow, nothing was queued */
	VD_MODULE_GONE = 3, /* the agent is gone; the loop is about to end */
};

struct vd_module_program {
	const char *name, *version; /* of the package */
	const char *schema;         /* text of schema.json: vd_schema_json */

	/*
	 * The first parameters, checked against the schema and with its defaults filled in.
	 * 0: they are in force and the module is ready (`applied`, `ready` are sent).
	 * VD_MODULE_LATER: as on_parameters. Negative: refused with `fault` (set code, pointer
	 * and text); the module then idles until on_start is called with other parameters.
	 */
	int (*on_start)(struct vd_module *module, const cJSON *parameters, void *argument,
			struct vd_fault *fault);

	/*
	 * A new set, whole, checked and filled in; it arrives between two callbacks, so between
	 * two items for whoever works on the loop. 0: now in force. Negative: refused with
	 * fault; the old set must still be in force. VD_MODULE_LATER: the author will call
	 * vd_module_applied or vd_module_refused; parameters that arrive meanwhile wait, and of
	 * several waiting sets only the newest is handed over. `parameters` may be kept until
	 * that answer. NULL: changes are refused; they take a restart.
	 */
	int (*on_parameters)(struct vd_module *module, const cJSON *parameters, void *argument,
			     struct vd_fault *fault);

	/* From a route. body is never NULL. NULL: messages are counted and dropped. */
	void (*on_message)(struct vd_module *module, const char *input, const char *from,
			   const cJSON *body, void *argument);

	/* A direct method: answer it once by vd_module_answer, now or later. NULL: 404. */
	void (*on_call)(struct vd_module *module, int64_t id, const char *method, const cJSON *body,
			void *argument);

	/*
	 * Finish what is in hand. 0: done, the loop ends. VD_MODULE_LATER: the author ends it by
	 * vd_module_exit, within stopTimeoutMs. NULL: ends at once. Also called on SIGTERM.
	 */
	int (*on_stop)(struct vd_module *module, void *argument);

	/*
	 * Last of all and always, also when the agent vanished: join threads, free sources and
	 * frame ports. Afterwards the loop is gone. May be NULL.
	 */
	void (*on_end)(struct vd_module *module, void *argument);

	/* true: `ready` is not sent with the first `applied`; the author calls vd_module_ready. */
	bool is_ready_by_hand;
};

/*
 * Answers --schema, --explain and --version, else serves descriptor 3 until stop, the agent's
 * end or vd_module_exit. Returns main's exit status; 2: bad usage, or no agent there.
 */
int vd_module_run(int argc, char **argv, const struct vd_module_program *program, void *argument);

/* From on_start on. Strings and parameters live until the next callback of parameters. */
struct vd_loop *vd_module_loop(struct vd_module *module); /* the author's timers and descriptors */
const char *vd_module_instance(const struct vd_module *module);
const char *vd_module_device_id(const struct vd_module *module);
const char *vd_module_state_folder(const struct vd_module *module); /* "": none was given */
int64_t vd_module_version(const struct vd_module *module);          /* of the set in force */
const cJSON *vd_module_parameters(const struct vd_module *module);  /* in force; NULL: none yet */

/* The answers after VD_MODULE_LATER. */
void vd_module_applied(struct vd_module *module);
void vd_module_refused(struct vd_module *module, const struct vd_fault *fault);
void vd_module_ready(struct vd_module *module); /* once; only with is_ready_by_hand */
void vd_module_exit(struct vd_module *module, int status);

/* Any thread. Counts work done; says whether work is waiting. Both go out with each `alive`. */
void vd_module_work(struct vd_module *module, uint64_t count);
void vd_module_due(struct vd_module *module, bool is_due);

/* Any thread: calls fn on the loop, in order. Not after on_end began: -ESHUTDOWN. -ENOMEM. */
VD_MUST int vd_module_post(struct vd_module *module, vd_fn fn, void *argument);

/* --- Publishing --- */

enum { VD_ATTACHMENTS = 4, VD_KEY_BYTES = 64 };

struct vd_attachment {
	const char *name, *type; /* "overlay", "image/jpeg" */
	const void *data;        /* copied into a memfd; NULL: fd has it */
	int fd;                  /* a file or memfd, read from its beginning; borrowed */
	size_t bytes;
	const char *sha256; /* hex; NULL with data: computed here; NULL with fd: left out */
};

/*
 * The agent's answer to one publication: text NULL: durable on this machine under record number
 * `seq`; else refused, and why. Not called for publications open when the module ends.
 */
typedef void (*vd_stored_fn)(struct vd_module *module, uint64_t id, int64_t seq, const char *text,
			     void *argument);

struct vd_publication {
	const char *output;       /* "verdict", as in the manifest */
	const char *record_class; /* "alarm" "verdict" "event" "telemetry" "raw" */
	const cJSON *body;
	const struct vd_attachment *attachments;
	unsigned attachment_count;
	vd_stored_fn on_stored; /* NULL: no answer is wanted */
	void *argument;
	/*
	 * What the author calls this record: at most VD_KEY_BYTES. The agent keeps the last 4096 keys
	 * of an instance as safely as their records: publish again, under the same key, whatever
	 * was not answered before a restart of either side, and it is stored once. NULL: none.
	 */
	const char *key;
};

/* ret_id may be NULL. VD_MODULE_FULL, VD_MODULE_GONE; -E2BIG: body too large; -EINVAL; -errno. */
VD_MUST int vd_module_publish(struct vd_module *module, const struct vd_publication *publication,
			      uint64_t *ret_id);

/* A merge patch into this instance's reported state. Small and seldom. */
VD_MUST int vd_module_report(struct vd_module *module, const cJSON *body);

/* status as in HTTP; body may be NULL. */
VD_MUST int vd_module_answer(struct vd_module *module, int64_t id, int status, const cJSON *body);

/* --- Frames out: what a producer of an output of kind "frames" makes, usually in on_start --- */

/*
 * All consumers of one output and its pool. Channels that the agent hands over find the port by
 * its name. Each frame goes to every consumer; a consumer that keeps its slots gets no more
 * frames, but `captureFailed` "no free slot", and does not starve the others.
 */
struct vd_frame_out;

/* What travels with a frame. NULL strings are left out, except sha256: NULL is computed. */
struct vd_frame_about {
	const char *format; /* "jpeg" or "grey" */
	unsigned width, height, stride;
	uint64_t seq;       /* of the capture, counted by the source, gaps allowed */
	const char *source; /* NULL: the instance */
	uint64_t t_mono_ms; /* of the capture; vd_clock_mono_ms */
	int64_t t_wall_ms;
	const char *sha256; /* of the bytes, hex */
	const char *serial;
	const cJSON *trigger; /* {"source","seq","tMono"}; NULL: left out */
};

struct vd_frame_out_counts {
	uint64_t offered, delivered; /* frames; frames x consumers */
	uint64_t no_slot;            /* frames x consumers that got captureFailed instead */
	uint64_t nobody;             /* frames that no consumer was there for */
};

/* slots: 2..64, 4 is usual. slot_bytes may be 0: sized by the first frame; grows when needed. */
VD_MUST int vd_frame_out_new(struct vd_module *module, const char *port, unsigned slots,
			     size_t slot_bytes, struct vd_frame_out **ret_out);
struct vd_frame_out *vd_frame_out_free(struct vd_frame_out *out);
VD_DEFINE_CLEANUP(struct vd_frame_out, vd_frame_out_free)

enum { VD_FRAME_NO_SLOT = 1, VD_FRAME_NOBODY = 2 };

/*
 * Copies the bytes into a slot and hands it to every consumer. 0: at least one got it.
 * VD_FRAME_NO_SLOT: none could (each was told by captureFailed). VD_FRAME_NOBODY: no consumer
 * is connected. -EINVAL, -errno.
 */
VD_MUST int vd_frame_out_offer(struct vd_frame_out *out, const void *bytes, size_t len,
			       const struct vd_frame_about *about);

/*
 * The same without a copy: take a slot with room for `bytes`, fill it (any thread), then send or
 * abandon it on the loop. acquire: VD_FRAME_NO_SLOT; the caller then says vd_frame_out_failed.
 * vd_frame_out_send gives the slot up in any case.
 */
struct vd_frame_slot {
	unsigned index;
	uint64_t pool; /* the pool's generation */
	uint8_t *bytes;
	size_t capacity;
};
VD_MUST int vd_frame_out_acquire(struct vd_frame_out *out, size_t bytes,
				 struct vd_frame_slot *ret_slot);
VD_MUST int vd_frame_out_send(struct vd_frame_out *out, const struct vd_frame_slot *slot,
			      size_t len, const struct vd_frame_about *about);
void vd_frame_out_abandon(struct vd_frame_out *out, const struct vd_frame_slot *slot);

/* Tells every consumer that this capture failed, and why. Of about: seq, source, times, trigger. */
void vd_frame_out_failed(struct vd_frame_out *out, const struct vd_frame_about *about,
			 const char *text);

unsigned vd_frame_out_peers(const struct vd_frame_out *out);
void vd_frame_out_counts(const struct vd_frame_out *out, struct vd_frame_out_counts *ret_counts);

/* --- Frames in: what a consumer of an input of kind "frames" makes --- */

struct vd_frame_in;

/*
 * A frame on loan: bytes and about (the whole `frame` packet, checked: sizes inside the slot,
 * width, height and stride consistent for "grey") stay as they are until vd_frame_release, even
 * when the producer dies. Read it from any thread; release it on the loop.
 */
struct vd_frame {
	const char *peer; /* the producer's instance */
	const uint8_t *bytes;
	size_t len;
	const char *format; /* of about, never NULL */
	unsigned width, height, stride;
	uint64_t seq, t_mono_ms;
	const cJSON *about;
};

struct vd_frame_in_handlers {
	void (*on_frame)(struct vd_frame *frame, void *argument); /* yours until released */
	/* A capture that failed: the whole packet (seq, text, trigger, …). May be NULL. */
	void (*on_failed)(const char *peer, const cJSON *about, void *argument);
	/* A producer came or went. May be NULL. The port must not be freed here. */
	void (*on_peer)(const char *peer, bool is_connected, void *argument);
};

VD_MUST int vd_frame_in_new(struct vd_module *module, const char *port,
			    const struct vd_frame_in_handlers *handlers, void *argument,
			    struct vd_frame_in **ret_in);
struct vd_frame_in *vd_frame_in_free(struct vd_frame_in *in); /* frames on loan outlive it */
VD_DEFINE_CLEANUP(struct vd_frame_in, vd_frame_in_free)

struct vd_frame *vd_frame_release(struct vd_frame *frame); /* gives the slot back; returns NULL */
VD_DEFINE_CLEANUP(struct vd_frame, vd_frame_release)
