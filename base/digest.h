/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"

/* Digests, keyed digests, base64 and random bytes, on nettle. */
enum { VD_SHA256_BYTES = 32, VD_SHA256_TEXT = 65, VD_UUID_TEXT = 37 };

VD_MUST int vd_sha256(const void *data, size_t len, uint8_t digest[static VD_SHA256_BYTES]);

/* Lower-case hexadecimal, NUL-terminated. */
VD_MUST int vd_sha256_text(const void *data, size_t len, char text[static VD_SHA256_TEXT]);

/* The same of what comes in portions. vd_sha256_end frees state and sets it to NULL. */
struct vd_sha256_state;
VD_MUST int vd_sha256_begin(struct vd_sha256_state **ret_state);
VD_MUST int vd_sha256_add(struct vd_sha256_state *state, const void *data, size_t len);
VD_MUST int vd_sha256_end(struct vd_sha256_state **state, char text[static VD_SHA256_TEXT]);
struct vd_sha256_state *vd_sha256_free(struct vd_sha256_state *state);

VD_MUST int vd_hmac_sha256(const void *key, size_t key_len, const void *data, size_t len,
			   uint8_t mac[static VD_SHA256_BYTES]);

/* Standard base64 (RFC 4648 §4) with padding. Decoding is strict: -EINVAL for anything else. */
VD_MUST int vd_base64_encode(const void *data, size_t len, struct vd_buf *out);
VD_MUST int vd_base64_decode(const char *text, size_t len, struct vd_buf *out);

/* From the kernel; never fails short of a bug (then it aborts). */
void vd_random(void *out, size_t len);

/* A random UUID (version 4), NUL-terminated; returns text. */
const char *vd_uuid(char text[static VD_UUID_TEXT]);

/* Constant time. */
VD_MUST int vd_digest_equal(const void *a, const void *b, size_t len);
