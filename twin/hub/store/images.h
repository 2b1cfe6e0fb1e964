/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "base/digest.h"
#include "twin/hub/store/store.h"

/* Files that devices upload, as store.h. */
enum { VD_BLOB_NAME_BYTES = 513, VD_CONTENT_TYPE_BYTES = 65 };

struct vd_upload {
	char correlation_id[VD_UUID_TEXT];
	char device[VD_PART_BYTES];
	char blob_name[VD_BLOB_NAME_BYTES]; /* without the device before it */
	int64_t created_ms, expires_ms;
};
VD_MUST int vd_store_upload_add(struct vd_store *store, const struct vd_upload *upload);
VD_MUST int vd_store_upload_get(struct vd_store *store, const char *correlation_id,
				struct vd_upload *ret_upload);
VD_MUST int vd_store_upload_remove(struct vd_store *store, const char *correlation_id);
VD_MUST int vd_store_upload_count(struct vd_store *store, const char *device, int64_t now_ms,
				  int *ret_count);
/* The oldest for this name. */
VD_MUST int vd_store_upload_find(struct vd_store *store, const char *device, const char *blob_name,
				 struct vd_upload *ret_upload);
/* One that has expired. */
VD_MUST int vd_store_upload_expired(struct vd_store *store, int64_t now_ms,
				    struct vd_upload *ret_upload);

struct vd_image {
	char digest[VD_SHA256_TEXT];
	int64_t bytes;
	char content_type[VD_CONTENT_TYPE_BYTES];
	int64_t stored_ms;
	char device[VD_PART_BYTES];
	char blob_name[VD_BLOB_NAME_BYTES];
};
/* The image, if its digest is new (VD_STORE_DUPLICATE if not), and its name in any case. */
VD_MUST int vd_store_image_add(struct vd_store *store, const struct vd_image *image);
/* Without a name. */
VD_MUST int vd_store_image_get(struct vd_store *store, const char *digest,
			       struct vd_image *ret_image);
VD_MUST int vd_store_image_find(struct vd_store *store, const char *device, const char *blob_name,
				struct vd_image *ret_image);
/* VD_STORE_DUPLICATE: that this name is of this image was told before. Of no image: 0. */
VD_MUST int vd_store_image_tell(struct vd_store *store, const struct vd_upload *upload);
/* One that was stored before, oldest first. */
VD_MUST int vd_store_image_expired(struct vd_store *store, int64_t before_ms,
				   struct vd_image *ret_image);
VD_MUST int vd_store_image_remove(struct vd_store *store, const char *digest);
VD_MUST int vd_store_image_bytes(struct vd_store *store, int64_t *ret_bytes);
/* Newest name first; device and digest NULL: any. */
typedef int (*vd_image_fn)(const struct vd_image *image, void *argument);
VD_MUST int vd_store_image_each(struct vd_store *store, const char *device, const char *digest,
				int limit, vd_image_fn fn, void *argument);

/* VD_STORE_DUPLICATE: there is one of that name. */
VD_MUST int vd_store_key_add(struct vd_store *store, const char *name, const char *key);
VD_MUST int vd_store_key_get(struct vd_store *store, const char *name,
			     char ret_key[static VD_KEY_BYTES]);
