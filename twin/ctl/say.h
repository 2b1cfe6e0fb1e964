/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "base/buf.h"
#include "base/json.h"
#include "twin/ctl/ctl.h"

/* What the commands share: arguments, paths of the API, and output. */

/* "d1" or "d1/cam": "prefix/d1[/modules/cam]", escaped; appends. -EINVAL (said): no id. */
VD_MUST int vd_say_path(struct vd_ctl *ctl, const char *prefix, const char *id, struct vd_buf *out);

/* "&name=value", escaped; nothing if value is NULL. */
VD_MUST int vd_say_filter(struct vd_ctl *ctl, const char *name, const char *value,
			  struct vd_buf *path);

/* JSON for -o json: one compact line. VD_EXIT_OK or VD_EXIT_FAILED. */
int vd_say_json(const cJSON *json);
/* JSON for people: indented. */
int vd_say_pretty(const cJSON *json);

/*
 * A list of objects for either: a table with one member a column. headings and keys end with NULL, at
 * most 8. Returns an enum vd_exit.
 */
int vd_say_list(const struct vd_ctl *ctl, const cJSON *list, const char *const *headings,
		const char *const *keys);

/* "vedettectl: …" on stderr; returns code. */
int vd_say_error(enum vd_exit code, const char *format, ...) VD_PRINTF(2, 3);

/* A value in a table's cell: text as it is, the rest as JSON; NULL stays. Free with free(). */
char *vd_say_value(const cJSON *value);
