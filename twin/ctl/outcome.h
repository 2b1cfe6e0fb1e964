/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdint.h>

#include "base/json.h"

/* What a device made of its desired document, read from its twin. Texts are borrowed from it. */
enum vd_outcome_state { VD_OUTCOME_PENDING, VD_OUTCOME_APPLIED, VD_OUTCOME_REFUSED };

struct vd_outcome {
	enum vd_outcome_state state;
	int code;
	const char *text, *pointer; /* of a refusal, "" else */
	int64_t in_force;           /* version that the device runs; -1: it does not say */
};

const char *vd_outcome_name(enum vd_outcome_state state);

/*
 * Of desired version `version`: pending until properties.reported.desired covers it; refused if
 * that, or a module's acknowledgement of this version, has a code of 400 or above.
 */
struct vd_outcome vd_outcome_of(const cJSON *twin, int64_t version);

/* properties.desired.$version, -1 if there is none. */
int64_t vd_outcome_desired_version(const cJSON *twin);
