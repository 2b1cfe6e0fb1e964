/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stddef.h>

#include "base/attr.h"
#include "base/json.h"
#include "modules/camera/source.h"
#include "modules/camera/v4l2_io.h"

/*
 * Sets each control of wanted {"name": integer or boolean} in its order, reads it back and
 * writes into report {"name": {"wanted", "actual", "text"}}: actual is absent when it cannot be read,
 * text says what went wrong. Automatic modes come before what they lock only if wanted says so.
 * Returns how many are not as wanted; -ENODEV: the device went; -ENOMEM.
 */
VD_MUST int vd_v4l2_controls_apply(const struct vd_v4l2_io *io, int fd, const cJSON *wanted,
				   cJSON *report);

/* A driver's name as v4l2-ctl spells it: "White Balance, Automatic" is white_balance_automatic. */
void vd_v4l2_control_name(const char *driver_name, char *text, size_t size);

/* Exposure in microseconds and gain as the driver counts it, by their ids; below 0: it has none. */
void vd_v4l2_levels_read(const struct vd_v4l2_io *io, int fd, struct vd_camera_levels *levels);
