/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "base/fault.h"
#include "base/json.h"

/* One HTTPS call to the hub, which must prove itself by the CA that was given. */
struct vd_post {
	const char *hub;        /* HOST[:PORT] */
	const char *path;       /* "/enrol" */
	const char *ca;         /* PEM file */
	const char *identity;   /* PEM file with certificate and key to show; NULL: none */
	const char *connect_to; /* "ADDR:PORT" instead of what HOST resolves to; NULL */
};

/*
 * 0: answered with 200, and the answer is an object. -EACCES: refused; -EHOSTUNREACH: the hub
 * was not reached, or is busy or away: try again later. Both with the reason in fault.
 */
VD_MUST int vd_post(const struct vd_post *post, const cJSON *body, cJSON **ret_answer,
		    struct vd_fault *fault);
