/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "base/json.h"

/*
 * What the agent remembers of one module beside the supervisor: what it was given, what it
 * answered, what it says of itself and how it last ended.
 */
struct vd_acknowledgement {
	int64_t version; /* of the desired document; -1: nothing given yet */
	int code;        /* 200 applied, 202 not answered yet, 400 refused, 504 did not answer */
	char pointer[256], text[256];
};

struct vd_instance {
	struct vd_instance *next;
	char *id;
	struct vd_acknowledgement acknowledgement;
	bool is_awaited;      /* settling waits for its answer */
	int64_t sent_version; /* the parameters it was last given; -1: none */
	cJSON *report;        /* its own part of reported state; may be NULL */
	cJSON *last_exit;     /* evidence; may be NULL */
	uint64_t publications, rejected, dropped_messages, refused_reports;
	uint64_t forget_before; /* starts of the process whose publications are answered */
};

/* NULL: none of this id, or no memory. */
struct vd_instance *vd_instance_find(struct vd_instance *list, const char *id);
struct vd_instance *vd_instance_add(struct vd_instance **list, const char *id); /* finds or makes */
void vd_instance_remove(struct vd_instance **list, const char *id);
void vd_instance_acknowledge(struct vd_instance *instance, int64_t version, int code,
			     const char *pointer, const char *text);
