/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <linux/videodev2.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/buf.h"
#include "modules/camera/v4l2_io.h"

/*
 * A V4L2 driver in memory. Each poll lets one frame happen, by the script; behind its end all
 * frames are good, or none comes any more.
 */
enum fake_frame {
	FAKE_GOOD,
	FAKE_GAP,    /* two frames are dropped before this one */
	FAKE_ERROR,  /* V4L2_BUF_FLAG_ERROR */
	FAKE_EMPTY,  /* bytesused 0 */
	FAKE_OLD,    /* stamped ten seconds ago */
	FAKE_UNPLUG, /* ENODEV from now on */
	FAKE_NONE,   /* nothing comes within the time waited */
};

enum { FAKE_BUFFERS = 4, FAKE_CONTROLS = 3, FAKE_FD = 1000 };

struct fake_driver {
	atomic_bool is_there; /* may be set from another thread */
	bool is_open, is_streaming, is_busy;
	uint32_t formats[4];                 /* ends with 0 */
	uint32_t given_format;               /* what S_FMT answers, 0: what was asked */
	uint32_t width, height, stride_more; /* the only size it has */
	uint32_t capabilities;
	const enum fake_frame *script;
	size_t script_len, at;
	enum fake_frame rest; /* behind the script */

	struct vd_buf picture; /* what each frame holds */
	uint8_t memory[FAKE_BUFFERS][65536];
	bool is_queued[FAKE_BUFFERS], is_done[FAKE_BUFFERS];
	struct v4l2_buffer buffers[FAKE_BUFFERS];
	unsigned next_queued; /* buffers are filled round robin */
	uint32_t sequence;
	unsigned opens, mapped;
	bool has_timestamps;
	int32_t controls[FAKE_CONTROLS];
	bool refuses_controls, hides_controls, endless_modes;
};

/* Exposure from 1 to 1000 (read back as a multiple of 10), gain from 0 to 255, a switch. */
struct vd_v4l2_io fake_driver_init(struct fake_driver *driver, uint32_t format);
void fake_driver_fini(struct fake_driver *driver);
