/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdint.h>

#include "base/fault.h"
#include "base/json.h"
#include "base/loop.h"
#include "twin/hub/call.h"
#include "twin/hub/store/images.h"

/*
 * File upload as Azure's: a device asks for an address with a signature, PUTs its file there as
 * one blob or as blocks and a list of them, and notifies. The file is kept in the hub's own store
 * under its digest and served to operators, with a policy's token or by a link that expires.
 *
 *   offered --PUT--> staged --joined, digest--> stored --notification--> done
 *      '--expired, or notified of a failure--> dropped
 */
enum {
	VD_UPLOADS_MAX = 10, /* of one device at a time */
	VD_UPLOAD_TTL_S = 3600,
	VD_BLOCK_LIST_BYTES = 1 << 20,
	VD_LINK_TTL_S = 300,
	VD_LINK_TTL_MAX_S = 86400,
};
#define VD_IMAGE_CONTAINER "device-files"

struct vd_images_settings {
	const char *folder, *host_name;
	int64_t image_bytes; /* of one file */
	int64_t store_bytes; /* of all */
	int retention_days;  /* 0: for ever */
};

struct vd_events;
struct vd_images;
/* Everything is borrowed for its life. */
VD_MUST int vd_images_new(struct vd_loop *loop, struct vd_store *store, struct vd_events *events,
			  const struct vd_images_settings *settings, struct vd_images **ret_images,
			  struct vd_fault *fault);
/* Before the server: what is being joined is answered 503. */
struct vd_images *vd_images_free(struct vd_images *images);
VD_DEFINE_CLEANUP(struct vd_images, vd_images_free)

/* Each returns 0, an enum vd_refusal with its text in fault, or -errno. */
VD_MUST int vd_images_offer(struct vd_images *images, const char *device, const char *blob_name,
			    int64_t now_ms, cJSON **ret_json, struct vd_fault *fault);
/* Is this PUT (or the front's question about it) signed, in time, and is there room? */
VD_MUST int vd_images_check(struct vd_images *images, const struct vd_call *call, int64_t now_ms,
			    struct vd_upload *ret_upload, struct vd_fault *fault);
/* The PUT itself; VD_API_KEPT (api.h) when it is answered later. */
VD_MUST int vd_images_put(struct vd_images *images, struct vd_call *call, int64_t now_ms,
			  struct vd_fault *fault);
VD_MUST int vd_images_notified(struct vd_images *images, const char *device,
			       const char *correlation_id, const cJSON *body,
			       struct vd_fault *fault);

/* "/images/{digest}?se=…&sig=…" for valid_s seconds, and whether such a one is good. */
VD_MUST int vd_images_link(struct vd_images *images, const char *digest, int64_t valid_s,
			   int64_t now_ms, cJSON **ret_json, struct vd_fault *fault);
VD_MUST int vd_images_check_link(struct vd_images *images, const struct vd_call *call,
				 int64_t now_ms, struct vd_fault *fault);

/* Uploads that have expired, and images that are older than the retention. */
void vd_images_sweep(struct vd_images *images, int64_t now_ms);

/*
 * The block ids of Azure's Put Block List, as part names (hexadecimal), each with its NUL, appended.
 * VD_REFUSED_ARGUMENT: no such list, or none in it.
 */
VD_MUST int vd_block_list_read(const char *xml, size_t len, struct vd_buf *parts,
			       struct vd_fault *fault);
/* A block id as the name of its part; -EINVAL: empty or too long. */
VD_MUST int vd_block_part(const char *id, size_t len, struct vd_buf *out);
