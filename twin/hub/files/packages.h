/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdint.h>

#include "base/fault.h"
#include "base/json.h"
#include "base/loop.h"
#include "base/signature.h"
#include "twin/hub/call.h"
#include "twin/hub/store/packages.h"

/*
 * The registry of packages, vedette-package(5). A manifest comes first and has to be signed with a
 * trusted key; the archive that it names by digest comes second, through the front, and is hashed in
 * portions. Nothing is unpacked here: the signature covers the archive's digest.
 *
 *   (none) --manifest, signed--> awaiting --archive, digest fits--> stored --collected--> deleted
 *                                   '--a day without it--> (none)
 *
 * A name, version and arch stands for the same bytes for ever, also after it was deleted.
 */
enum { VD_PACKAGE_KEYS_MAX = 16, VD_PACKAGE_AWAITED_S = 86400 };

struct vd_packages_settings {
	const char *folder;
	int64_t package_bytes; /* of one archive */
	int64_t store_bytes;   /* of all */
	const cJSON *keys;     /* texts: public keys as signature.h has them */
};

struct vd_packages;
/* Everything is borrowed for its life. */
VD_MUST int vd_packages_new(struct vd_loop *loop, struct vd_store *store,
			    const struct vd_packages_settings *settings,
			    struct vd_packages **ret_packages, struct vd_fault *fault);
/* Before the server: what is being stored is answered 503. */
struct vd_packages *vd_packages_free(struct vd_packages *packages);
VD_DEFINE_CLEANUP(struct vd_packages, vd_packages_free)

/* Up to VD_PACKAGE_KEYS_MAX of them. 400 in fault and -EINVAL. */
VD_MUST int vd_packages_read_keys(const cJSON *list,
				  struct vd_public_key keys[static VD_PACKAGE_KEYS_MAX],
				  size_t *ret_count, struct vd_fault *fault);

/* Each returns 0, an enum vd_refusal with its text in fault, or -errno. */

/*
 * {"manifest":"text","signature":"text"}: registers it. The same again is the same answer;
 * ret_is_new: it was not known before.
 */
VD_MUST int vd_packages_put(struct vd_packages *packages, const struct vd_package_id *id,
			    const cJSON *body, const char *author, int64_t now_ms, cJSON **ret_json,
			    bool *ret_is_new, struct vd_fault *fault);
/* Does a package wait for this archive? */
VD_MUST int vd_packages_check(struct vd_packages *packages, const char *sha256,
			      struct vd_fault *fault);
/* The archive, in call->body_file; VD_API_KEPT (api.h): answered later. */
VD_MUST int vd_packages_put_archive(struct vd_packages *packages, struct vd_call *call,
				    int64_t now_ms, struct vd_fault *fault);
/* The front shall send it: fills in call->reply. */
VD_MUST int vd_packages_send(struct vd_packages *packages, struct vd_call *call, const char *sha256,
			     struct vd_fault *fault);

/* {"version":"…","comment"?}, or NULL to remove: the channel points there from now on. */
VD_MUST int vd_packages_move(struct vd_packages *packages, const char *name, const char *arch,
			     const char *channel, const cJSON *body, const char *author,
			     int64_t now_ms, struct vd_fault *fault);

/* Deletes the package, and its archive unless another has the same. */
VD_MUST int vd_packages_delete(struct vd_packages *packages, const struct vd_package_id *id,
			       const char *sha256, int64_t now_ms);

/* Manifests whose archive never came. */
void vd_packages_sweep(struct vd_packages *packages, int64_t now_ms);

/* As the API shows it; NULL: no memory. with_texts: manifest and signature, too. */
cJSON *vd_package_json(const struct vd_package_row *row, bool with_texts);
cJSON *vd_channel_json(const struct vd_channel_row *row, bool is_move);
