/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "base/json.h"

/*
 * A section of a twin: desired or reported properties, their $version, and $metadata, which says
 * of each level when it was last written ($lastUpdated) and, for desired, by which version
 * ($lastUpdatedVersion). The version starts at 1 and grows by 1 with each accepted update, one
 * without effect included. Every change is whole or not at all.
 *
 * Pure: the time is an argument, in wall milliseconds.
 */
enum vd_section_kind { VD_SECTION_DESIRED, VD_SECTION_REPORTED };
enum { VD_SECTION_CONFLICT = 1 };     /* answer 412: base_version is not the present one */
enum { VD_SECTION_ANY_VERSION = -1 }; /* as base_version: whatever it is now */
enum { VD_SECTION_TIME_TEXT = 32 };

struct vd_section;

VD_MUST int vd_section_new(enum vd_section_kind kind, struct vd_section **ret_section);
struct vd_section *vd_section_free(struct vd_section *section); /* returns NULL */
VD_DEFINE_CLEANUP(struct vd_section, vd_section_free)

/* Takes apart what vd_section_json wrote with metadata. 400 in fault and -EINVAL; -ENOMEM. */
VD_MUST int vd_section_load(enum vd_section_kind kind, const cJSON *json,
			    struct vd_section **ret_section, struct vd_fault *fault);

int64_t vd_section_version(const struct vd_section *section);
const cJSON *vd_section_data(const struct vd_section *section);     /* without $version, borrowed */
const cJSON *vd_section_metadata(const struct vd_section *section); /* borrowed */

/*
 * Applies a merge patch. $version and $metadata at its top are a client's and are ignored.
 * 0, VD_SECTION_CONFLICT; -EINVAL with 400 or 413 in fault (the patch, or what it would make);
 * -ENOMEM.
 */
VD_MUST int vd_section_patch(struct vd_section *section, const cJSON *patch, int64_t base_version,
			     int64_t now_ms, struct vd_fault *fault);

/*
 * Makes document the whole content. *ret_patch is what changes, with nulls for what goes: a
 * device that is only told the new document could not see a removal. Outcomes as above; a null
 * member of document is left out of the content, as in a patch.
 */
VD_MUST int vd_section_replace(struct vd_section *section, const cJSON *document,
			       int64_t base_version, int64_t now_ms, cJSON **ret_patch,
			       struct vd_fault *fault);

/* {members…, "$metadata": {…} if wanted, "$version": n}: a service's view, or a device's. -ENOMEM. */
VD_MUST int vd_section_json(const struct vd_section *section, bool with_metadata, cJSON **ret_json);

/* What a device is told of a change: patch, without a client's $-members, and $version. -ENOMEM. */
VD_MUST int vd_section_notice(const struct vd_section *section, const cJSON *patch,
			      cJSON **ret_json);

/* Azure's time stamp, 7 decimals: "2026-11-21T23:49:30.1230000Z"; returns text. */
const char *vd_section_time(int64_t wall_ms, char text[static VD_SECTION_TIME_TEXT]);
