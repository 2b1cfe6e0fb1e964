/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/fault.h"
#include "base/json.h"
#include "modules/inspect/line/admission.h"

/*
 * What begins an item, as the parameters "trigger" and "select" say; and what a message says. Pure.
 */
enum { VD_POINTER_BYTES = 129, VD_TRIGGER_PATH_BYTES = 1025, VD_TRIGGER_TEXT_BYTES = 129 };

/* What a message must say. */
struct vd_trigger_condition {
	bool is_set; /* else any will do */
	char pointer[VD_POINTER_BYTES], equals[VD_TRIGGER_TEXT_BYTES];
};

/* json: {"pointer", "equals"}, or NULL: any message. */
void vd_trigger_condition_parse(const cJSON *json, struct vd_trigger_condition *condition);

struct vd_trigger_options {
	bool is_on[VD_TRIGGER_SOURCES];
	struct vd_admission_limits limits[VD_TRIGGER_SOURCES];
	char serial_pointer[VD_POINTER_BYTES];
	struct vd_trigger_condition when;
	uint64_t interval_ms; /* of the timer; 0: none */
	char folder[VD_TRIGGER_PATH_BYTES], done_folder[VD_TRIGGER_PATH_BYTES];
	bool file_is_frame, camera_is_durable;
	int kept_items; /* with their frames, for another inspection */
	struct vd_pressure_limits pressure;
	bool selects_by_call, selects_by_message;
	struct vd_trigger_condition select_when;
	char select_pointer[VD_POINTER_BYTES];
	cJSON *select_values; /* NULL: the message says the name */
};

/* parameters: checked against the schema and filled. -EINVAL with 400 in fault; -ENOMEM. */
VD_MUST int vd_trigger_options_parse(const cJSON *parameters,
				     struct vd_trigger_options *ret_options,
				     struct vd_fault *fault);
void vd_trigger_options_fini(struct vd_trigger_options *options);
VD_UNUSED static inline void vd_trigger_options_fini_p(struct vd_trigger_options *options)
{
	vd_trigger_options_fini(options);
}

/* Does this message say so? Other messages on the route are passed over. */
bool vd_trigger_holds(const struct vd_trigger_condition *condition, const cJSON *body);

/* The text or number at pointer, as text. false: there is none, or it is too long. */
bool vd_trigger_text_at(const cJSON *body, const char *pointer, char *text, size_t bytes);

/* The recipe that a message on the input select asks for; false: none. */
bool vd_trigger_recipe(const struct vd_trigger_options *options, const cJSON *body, char *recipe,
		       size_t bytes);

/* A file's name without its last suffix. */
void vd_trigger_file_serial(const char *name, char *serial, size_t bytes);
