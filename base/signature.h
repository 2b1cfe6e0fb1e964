/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/fault.h"

/*
 * Ed25519 signatures over small texts, on OpenSSL. Public keys and signatures are files of OpenBSD's
 * signify(1), a line of comment and a line of base64, so that its own program checks them:
 *   key        "Ed" id[8] key[32]
 *   signature  "Ed" id[8] signature[64]
 * Private keys are PKCS#8 in PEM, as openssl(1) reads and makes them, encrypted or not: signify's own
 * encryption needs a function that OpenSSL has not. A key's id is the beginning of the SHA-256 of
 * the public key.
 */
enum {
	VD_KEY_ID_BYTES = 8,
	VD_PUBLIC_KEY_BYTES = 32,
	VD_KEY_ID_TEXT = 2 * VD_KEY_ID_BYTES + 1,
	VD_SIGNATURE_FILE_BYTES = 4096, /* of a key's or signature's file */
};

struct vd_public_key {
	uint8_t id[VD_KEY_ID_BYTES];
	uint8_t key[VD_PUBLIC_KEY_BYTES];
};

/* The file, or its base64 line alone. 400 in fault and -EINVAL, -ENOMEM. */
VD_MUST int vd_public_key_read(const char *text, size_t len, struct vd_public_key *ret_key,
			       struct vd_fault *fault);
/* Appends the base64 line, without its end. */
VD_MUST int vd_public_key_write(const struct vd_public_key *key, struct vd_buf *out);
/* Hexadecimal; returns text. */
const char *vd_key_id_text(const struct vd_public_key *key, char text[static VD_KEY_ID_TEXT]);

struct vd_private_key;
VD_MUST int vd_private_key_new(struct vd_private_key **ret_key); /* a fresh one */
/* passphrase NULL: it has none. -EACCES: it needs one, or another one; -EINVAL: no such key. */
VD_MUST int vd_private_key_read(const char *pem, size_t len, const char *passphrase,
				struct vd_private_key **ret_key, struct vd_fault *fault);
VD_MUST int vd_private_key_write(const struct vd_private_key *key, const char *passphrase,
				 struct vd_buf *out);
VD_MUST int vd_private_key_public(const struct vd_private_key *key, struct vd_public_key *ret_key);
struct vd_private_key *vd_private_key_free(struct vd_private_key *key);
VD_DEFINE_CLEANUP(struct vd_private_key, vd_private_key_free)

/* Appends a signature's file. comment: one line. */
VD_MUST int vd_signature_make(const struct vd_private_key *key, const char *comment,
			      const void *data, size_t len, struct vd_buf *out);
/*
 * Is it the signature of data by one of the keys? *ret_key is that key. In fault: -EINVAL no
 * signature (400); -ENOKEY of none of the keys, -EBADMSG it does not fit the data (403). -ENOMEM.
 */
VD_MUST int vd_signature_check(const char *signature, size_t signature_len,
			       const struct vd_public_key *keys, size_t key_count, const void *data,
			       size_t len, const struct vd_public_key **ret_key,
			       struct vd_fault *fault);
