/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/fault.h"
#include "base/json.h"
#include "twin/hub/store/store.h"

/*
 * The twin service, for operators (REST) and devices (MQTT). Calls return 0, an enum vd_refusal
 * with its text in fault, or -errno. Each change is one transaction; events follow its commit.
 */
struct vd_twins;

struct vd_twins_events {
	/* Tell the device: the patch with its nulls and $version. */
	void (*desired)(const struct vd_name *name, const cJSON *notice, int64_t version,
			void *argument);
	/* Azure's twin change: operation "updateTwin" or "replaceTwin"; body has what changed. */
	void (*changed)(const struct vd_name *name, const char *operation, const cJSON *body,
			void *argument);
	void *argument;
};

/* store is borrowed for the service's life. */
VD_MUST int vd_twins_new(struct vd_store *store, const struct vd_twins_events *events,
			 struct vd_twins **ret_twins);
struct vd_twins *vd_twins_free(struct vd_twins *twins);
VD_DEFINE_CLEANUP(struct vd_twins, vd_twins_free)

/* The empty twin of a new identity; inside the caller's transaction. */
VD_MUST int vd_twins_create(struct vd_store *store, const struct vd_name *name, int64_t now_ms);

/* An operator's view, with $metadata. */
VD_MUST int vd_twins_get(struct vd_twins *twins, const struct vd_name *name, cJSON **ret_json,
			 struct vd_fault *fault);

/* The same without tags and properties, for who has those already (store.h). */
VD_MUST int vd_twins_head(struct vd_store *store, const struct vd_name *name, int64_t version,
			  int64_t etag, cJSON **ret_json, struct vd_fault *fault);

/* An operator's change of tags and desired. author is the policy that signed it. */
struct vd_twin_update {
	const cJSON *body; /* {"tags":{…},"properties":{"desired":{…}}}, each may be absent */
	bool is_replace;   /* the sections present become the whole content, else merge patches */
	const char *if_match;
	const char *author;
	const char *comment; /* why, kept in the history; NULL: not said */
	int64_t now_ms;
	/* Writes what must come or fail with the change, in its transaction; NULL: nothing. */
	int (*also)(struct vd_store *store, void *argument);
	void *argument;
};
VD_MUST int vd_twins_update(struct vd_twins *twins, const struct vd_name *name,
			    const struct vd_twin_update *update, cJSON **ret_json,
			    struct vd_fault *fault);

/* A device's view: {"desired":{…,"$version"},"reported":{…,"$version"}}. */
VD_MUST int vd_twins_device_get(struct vd_twins *twins, const struct vd_name *name,
				cJSON **ret_json, int64_t *ret_desired_version,
				struct vd_fault *fault);

/* A device's patch of its reported properties. base_version: VD_SECTION_ANY_VERSION or its own. */
VD_MUST int vd_twins_report(struct vd_twins *twins, const struct vd_name *name, const cJSON *patch,
			    int64_t base_version, int64_t now_ms, int64_t *ret_version,
			    struct vd_fault *fault);

/*
 * What a device that last saw the desired `version` has missed, as a notice; a version that the
 * history no longer has (or -1) gives the whole document. VD_STORE_NONE: nothing missed.
 */
VD_MUST int vd_twins_missed(struct vd_twins *twins, const struct vd_name *name, int64_t version,
			    cJSON **ret_notice, int64_t *ret_version);
