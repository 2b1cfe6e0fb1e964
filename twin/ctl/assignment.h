/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "base/fault.h"
#include "base/json.h"

/*
 * "modules.cam.parameters.fps=30" or "/modules/cam/parameters/fps=30" into a merge patch. What
 * follows '=' is JSON, or a text if it is none; null removes. Several assignments go into one patch.
 */

/* 400 in fault and -EINVAL: no path, or one that contradicts an earlier one. -ENOMEM. */
VD_MUST int vd_assignment_add(cJSON *patch, const char *assignment, struct vd_fault *fault);
