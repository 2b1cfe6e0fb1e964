/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "base/json.h"

/*
 * A route: "FROM <module>/<output> INTO <module>/<input>" or "... INTO $upstream". Keywords in
 * any case, words set apart by spaces or tabs, "/" without spaces around it.
 */
enum { VD_ROUTE_WORD = 129 }; /* 1 to 128 of A-Z a-z 0-9 _ -, not '-' first; and a NUL */

struct vd_route {
	const char *name;  /* its key among the routes; borrowed by vd_route_read, NULL by _parse */
	const char *class; /* "alarm" … the class to store it under; NULL: the publisher's */
	char source_module[VD_ROUTE_WORD], source_output[VD_ROUTE_WORD];
	bool is_upstream;
	char sink_module[VD_ROUTE_WORD], sink_input[VD_ROUTE_WORD]; /* "" if is_upstream */
};

/* Reads the text. 400 in fault, without pointer, and -EINVAL: which word is wrong, and why. */
VD_MUST int vd_route_parse(const char *text, struct vd_route *ret_route, struct vd_fault *fault);

/*
 * Reads a member of "routes": a text, or {"route": text, "class": class}. A class is allowed
 * INTO $upstream only. 400 in fault with the pointer below the member, and -EINVAL.
 */
VD_MUST int vd_route_read(const cJSON *member, struct vd_route *ret_route, struct vd_fault *fault);

/* Is text a legal name of a module, an output or an input? */
bool vd_route_is_name(const char *text);
