/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/fault.h"

/*
 * The key of this box and the certificate for it. The key is made here and written nowhere but
 * into files of mode 0600. -errno with the reason in fault.
 */
struct vd_key;
struct vd_key *vd_key_free(struct vd_key *key);
VD_DEFINE_CLEANUP(struct vd_key, vd_key_free)

/*
 * The key in path, or a new one (P-256) that is put there before it is used: a request that got
 * no answer is repeated with the same key, and the hub knows it again.
 */
VD_MUST int vd_key_keep(const char *path, struct vd_key **ret_key, struct vd_fault *fault);

/* Appends a certificate request (PEM) with that common name. */
VD_MUST int vd_key_request(const struct vd_key *key, const char *common_name, struct vd_buf *out,
			   struct vd_fault *fault);

/*
 * Writes certificate and key into one file, so that a power cut never leaves one of the two.
 * The certificate must be for the key and the name.
 */
VD_MUST int vd_identity_write(const char *path, const char *certificate, const struct vd_key *key,
			      const char *common_name, struct vd_fault *fault);

struct vd_identity_dates {
	char common_name[65];
	int64_t not_before_ms, not_after_ms;
};
VD_MUST int vd_identity_read(const char *path, struct vd_identity_dates *ret_dates,
			     struct vd_fault *fault);

/* Two thirds of its life are over. */
bool vd_identity_is_due(const struct vd_identity_dates *dates, int64_t now_ms);
