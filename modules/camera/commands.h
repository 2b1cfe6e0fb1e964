/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "modules/camera/archive.h"
#include "modules/camera/ring.h"
#include "modules/camera/settings.h"
#include "modules/camera/worker.h"
#include "modules/sdk/module.h"

/*
 * What people and other modules ask of a camera beside inspection: photo, keep, clip, preview.
 * They live on frames that come by; none of them ever makes inspection wait. On the loop.
 */
struct vd_commands;

/* The groups ring, kept and clip of schema.json. */
struct vd_commands_settings {
	struct vd_ring_limits ring;
	uint32_t ring_period_us; /* of frames between captures; 0: none are asked for */
	unsigned keep_on;        /* verdicts, a bit each */
	uint64_t before_ms, after_ms;
	struct vd_archive_limits kept;
	uint64_t clip_ms, clip_bytes;
};

/* -EINVAL: 400 in fault, with its pointer. */
VD_MUST int vd_commands_read(const struct vd_camera_settings *settings,
			     struct vd_commands_settings *ret_settings, struct vd_fault *fault);

/* The worker is borrowed and must outlive them. Without a usable state folder nothing is kept. */
VD_MUST int vd_commands_new(struct vd_module *module, struct vd_camera_worker *worker,
			    struct vd_commands **ret_commands);
/* What is being written is finished. */
struct vd_commands *vd_commands_free(struct vd_commands *commands);

/* -ENOMEM: the ring stays as large as it was. */
VD_MUST int vd_commands_set(struct vd_commands *commands,
			    const struct vd_commands_settings *settings);

/* A frame, captured or seen between captures, after it was handed over: may be taken out of it. */
void vd_commands_frame(struct vd_commands *commands, struct vd_camera_event *event);

/* The camera is not there any more, or another one is. */
void vd_commands_lost(struct vd_commands *commands, const char *text);

/* A message on the input keep. */
void vd_commands_message(struct vd_commands *commands, const char *from, const cJSON *body);

/*
 * A direct method: true: it is answered, now or later. false: the arguments are sound, and the
 * caller is to answer: capture, photo and health.
 */
bool vd_commands_call(struct vd_commands *commands, int64_t call, const char *method,
		      const cJSON *arguments);
