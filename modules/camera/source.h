/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/fault.h"
#include "base/json.h"
#include "modules/camera/settings.h"

/*
 * Where frames come from. A source is used by one thread, the worker's, and may block it for as
 * long as a capture takes. A capture either gives a frame that was taken for it, or a fault: never
 * an earlier frame.
 */
struct vd_camera_source;

enum vd_source_outcome {
	VD_SOURCE_FAILED = 1, /* this capture failed, and fault says why; the next may succeed */
	VD_SOURCE_LOST = 2, /* device or folder is not there (any more): close, open again later */
	VD_SOURCE_EXHAUSTED = 3,  /* there is nothing more to come */
	VD_SOURCE_INTERRUPTED = 4 /* woken first, or nothing came and nothing had to */
};

enum vd_frame_format { VD_FRAME_JPEG, VD_FRAME_GREY };

/* A frame. Strings are "" where there is nothing to say. */
struct vd_camera_frame {
	struct vd_buf bytes;
	enum vd_frame_format format;
	bool is_encoded_here; /* else the bytes are those that the camera gave */
	uint32_t width, height, stride;
	uint64_t t_mono_ms; /* of the capture */
	int64_t t_wall_ms;
	uint64_t sequence; /* of the device */
	char serial[64];
	char name[256]; /* of the file */
	uint64_t round; /* through the folder */
};

/* Counted since the source was made. */
struct vd_source_counts {
	uint64_t sequence_gaps; /* frames that the driver dropped */
	uint64_t flagged;       /* buffers that the driver marked as broken, or left empty */
	uint64_t stale;         /* frames passed over because they were older than the trigger */
};

/* As the device has them now, which with automatic exposure is news. Below 0: it does not say. */
struct vd_camera_levels {
	double exposure_us, gain; /* gain in the device's unit */
};

struct vd_camera_wish {
	uint64_t not_before_ms; /* monotonic; frames taken earlier are stale. 0: any new one */
	uint64_t deadline_ms;   /* monotonic */
	int wake_fd;            /* -1: none; readable: return VD_SOURCE_INTERRUPTED */
};

struct vd_camera_source_type {
	/* 0 or VD_SOURCE_LOST, or VD_SOURCE_FAILED: there, but not usable as asked; fault is set. */
	int (*open)(struct vd_camera_source *source, struct vd_fault *fault);

	/* Fills frame (its memory is used again). An outcome with fault set, or -errno. */
	int (*capture)(struct vd_camera_source *source, const struct vd_camera_wish *wish,
		       struct vd_camera_frame *frame, struct vd_fault *fault);

	/* Between captures: keeps the device drained, until the deadline. As capture. May be NULL. */
	int (*tend)(struct vd_camera_source *source, const struct vd_camera_wish *wish,
		    struct vd_fault *fault);

	/* The frame has reached its consumers: remember that. May be NULL. */
	void (*handed_over)(struct vd_camera_source *source, const char *name, uint64_t round);

	/* Go on where old stood, if both are the same folder in the same order. May be NULL. */
	void (*inherit)(struct vd_camera_source *source, const struct vd_camera_source *old);

	/*
	 * What the source really is and how it is set, as an object; in its member modes, if there
	 * is one, what else it can do. NULL: no memory.
	 */
	cJSON *(*describe)(const struct vd_camera_source *source);

	/* Asks the open source for its exposure and gain. May be NULL. */
	void (*levels)(struct vd_camera_source *source, struct vd_camera_levels *levels);

	void (*close)(struct vd_camera_source *source); /* may be open or not */
	struct vd_camera_source *(*free)(struct vd_camera_source *source);
};

/* The beginning of each source. settings are borrowed and outlive it. */
struct vd_camera_source {
	const struct vd_camera_source_type *type;
	const struct vd_camera_settings *settings;
	struct vd_source_counts counts;
};

/* Makes the source that the settings name; state_folder "": nothing is remembered. */
VD_MUST int vd_camera_source_new(const struct vd_camera_settings *settings,
				 const char *state_folder, struct vd_camera_source **ret_source);
struct vd_camera_source *vd_camera_source_free(struct vd_camera_source *source); /* closes it */

/* Frees the bytes. */
void vd_camera_frame_fini(struct vd_camera_frame *frame);
