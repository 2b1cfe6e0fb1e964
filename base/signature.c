/* SPDX-License-Identifier: Apache-2.0 */
#include "base/signature.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "base/digest.h"

enum { TAG_BYTES = 2, HEAD_BYTES = TAG_BYTES + VD_KEY_ID_BYTES, SIGNATURE_BYTES = 64 };

static const char tag[TAG_BYTES] = { 'E', 'd' };
static const char comment_start[] = "untrusted comment: ";

struct vd_private_key {
	EVP_PKEY *pkey;
};

static int refuse(struct vd_fault *fault, int code, int r, const char *text)
{
	vd_fault_set(fault, code, "", "%s", text);
	return r;
}

/* --- lines --- */

/* The base64 line behind the comment, if there is one; decoded. */
static int read_lines(const char *text, size_t len, size_t want, struct vd_buf *out,
		      struct vd_fault *fault)
{
	const char *end;
	int r;

	if (len > VD_SIGNATURE_FILE_BYTES)
		return refuse(fault, 400, -EINVAL, "is too long for a key or a signature");
	if (len >= strlen(comment_start) && !memcmp(text, comment_start, strlen(comment_start))) {
		end = memchr(text, '\n', len);
		if (!end)
			return refuse(fault, 400, -EINVAL, "ends with its comment");
		len -= (size_t)(end + 1 - text);
		text = end + 1;
	}
	if (len > 0 && text[len - 1] == '\n')
		len--;
	r = vd_base64_decode(text, len, out);
	if (r == -EINVAL || (r == 0 && (out->len != want || memcmp(out->data, tag, TAG_BYTES))))
		return refuse(fault, 400, -EINVAL, "is no Ed25519 key or signature of signify");
	return r;
}

static int add_line(const uint8_t id[static VD_KEY_ID_BYTES], const uint8_t *data, size_t len,
		    struct vd_buf *out)
{
	uint8_t bytes[HEAD_BYTES + SIGNATURE_BYTES];

	(void)memcpy(bytes, tag, TAG_BYTES);
	(void)memcpy(bytes + TAG_BYTES, id, VD_KEY_ID_BYTES);
	(void)memcpy(bytes + HEAD_BYTES, data, len);
	return vd_base64_encode(bytes, HEAD_BYTES + len, out);
}

/* --- keys --- */

int vd_public_key_read(const char *text, size_t len, struct vd_public_key *ret_key,
		       struct vd_fault *fault)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf bytes = { 0 };
	int r = read_lines(text, len, HEAD_BYTES + VD_PUBLIC_KEY_BYTES, &bytes, fault);

	if (r < 0)
		return r;
	(void)memcpy(ret_key->id, bytes.data + TAG_BYTES, VD_KEY_ID_BYTES);
	(void)memcpy(ret_key->key, bytes.data + HEAD_BYTES, VD_PUBLIC_KEY_BYTES);
	return 0;
}

int vd_public_key_write(const struct vd_public_key *key, struct vd_buf *out)
{
	return add_line(key->id, key->key, VD_PUBLIC_KEY_BYTES, out);
}

const char *vd_key_id_text(const struct vd_public_key *key, char text[static VD_KEY_ID_TEXT])
{
	for (size_t i = 0; i < VD_KEY_ID_BYTES; i++)
		(void)snprintf(text + 2 * i, 3, "%02x", key->id[i]);
	return text;
}

static int take_key(EVP_PKEY *pkey, struct vd_private_key **ret_key)
{
	struct vd_private_key *key = calloc(1, sizeof *key);

	if (!key) {
		EVP_PKEY_free(pkey);
		return -ENOMEM;
	}
	key->pkey = pkey;
	*ret_key = key;
	return 0;
}

int vd_private_key_new(struct vd_private_key **ret_key)
{
	EVP_PKEY *pkey = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");

	return pkey ? take_key(pkey, ret_key) : -EIO;
}

struct asked {
	const char *passphrase;
	bool is_asked;
};

static int give_passphrase(char *out, int size, int is_writing, void *argument)
{
	struct asked *asked = argument;
	size_t len = asked->passphrase ? strlen(asked->passphrase) : 0;

	asked->is_asked = true;
	if (len == 0 || len > (size_t)size)
		return -1;
	(void)memcpy(out, asked->passphrase, len);
	return (int)len;
}

int vd_private_key_read(const char *pem, size_t len, const char *passphrase,
			struct vd_private_key **ret_key, struct vd_fault *fault)
{
	struct asked asked = { .passphrase = passphrase };
	BIO *bio = len <= VD_SIGNATURE_FILE_BYTES ? BIO_new_mem_buf(pem, (int)len) : NULL;
	EVP_PKEY *pkey = bio ? PEM_read_bio_PrivateKey(bio, NULL, give_passphrase, &asked) : NULL;

	(void)BIO_free(bio);
	ERR_clear_error();
	if (!pkey && asked.is_asked)
		return refuse(fault, 403, -EACCES,
			      passphrase ? "the passphrase is wrong" : "a passphrase is needed");
	if (!pkey || EVP_PKEY_get_id(pkey) != EVP_PKEY_ED25519) {
		EVP_PKEY_free(pkey);
		return refuse(fault, 400, -EINVAL, "is no Ed25519 private key in PEM");
	}
	return take_key(pkey, ret_key);
}

int vd_private_key_write(const struct vd_private_key *key, const char *passphrase,
			 struct vd_buf *out)
{
	const EVP_CIPHER *cipher = passphrase ? EVP_aes_256_cbc() : NULL;
	BIO *bio = BIO_new(BIO_s_mem());
	char *data = NULL;
	int r = -EIO;

	if (bio && PEM_write_bio_PKCS8PrivateKey(bio, key->pkey, cipher, passphrase,
						 passphrase ? (int)strlen(passphrase) : 0, NULL,
						 NULL) == 1) {
		long len = BIO_get_mem_data(bio, &data);

		r = vd_buf_append(out, data, (size_t)len);
		OPENSSL_cleanse(data, (size_t)len);
	}
	(void)BIO_free(bio);
	return r;
}

int vd_private_key_public(const struct vd_private_key *key, struct vd_public_key *ret_key)
{
	struct vd_public_key public = { 0 };
	uint8_t digest[VD_SHA256_BYTES];
	size_t len = sizeof public.key;
	int r;

	if (EVP_PKEY_get_raw_public_key(key->pkey, public.key, &len) != 1)
		return -EIO;
	r = vd_sha256(public.key, len, digest);
	if (r < 0)
		return r;
	(void)memcpy(public.id, digest, sizeof public.id);
	*ret_key = public;
	return 0;
}

struct vd_private_key *vd_private_key_free(struct vd_private_key *key)
{
	if (key) {
		EVP_PKEY_free(key->pkey);
		free(key);
	}
	return NULL;
}

/* --- signatures --- */

static int sign(EVP_PKEY *pkey, const void *data, size_t len, uint8_t out[static SIGNATURE_BYTES])
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	size_t out_len = SIGNATURE_BYTES;
	bool is_good = context && EVP_DigestSignInit(context, NULL, NULL, NULL, pkey) == 1 &&
		       EVP_DigestSign(context, out, &out_len, data, len) == 1;

	EVP_MD_CTX_free(context);
	return is_good && out_len == SIGNATURE_BYTES ? 0 : -EIO;
}

int vd_signature_make(const struct vd_private_key *key, const char *comment, const void *data,
		      size_t len, struct vd_buf *out)
{
	uint8_t signature[SIGNATURE_BYTES];
	struct vd_public_key public;
	int r = vd_private_key_public(key, &public);

	if (r == 0)
		r = sign(key->pkey, data, len, signature);
	if (r == 0)
		r = vd_buf_printf(out, "%s%s\n", comment_start, comment);
	if (r == 0)
		r = add_line(public.id, signature, sizeof signature, out);
	return r == 0 ? vd_buf_append(out, "\n", 1) : r;
}

static bool fits(const struct vd_public_key *key, const void *signature, const void *data,
		 size_t len)
{
	EVP_PKEY *pkey =
		EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key->key, sizeof key->key);
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	bool is_good = pkey && context &&
		       EVP_DigestVerifyInit(context, NULL, NULL, NULL, pkey) == 1 &&
		       EVP_DigestVerify(context, signature, SIGNATURE_BYTES, data, len) == 1;

	EVP_MD_CTX_free(context);
	EVP_PKEY_free(pkey);
	ERR_clear_error();
	return is_good;
}

int vd_signature_check(const char *text, size_t text_len, const struct vd_public_key *keys,
		       size_t key_count, const void *data, size_t len,
		       const struct vd_public_key **ret_key, struct vd_fault *fault)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf bytes = { 0 };
	int r = read_lines(text, text_len, HEAD_BYTES + SIGNATURE_BYTES, &bytes, fault);

	if (r < 0)
		return r;
	for (size_t i = 0; i < key_count; i++) {
		if (memcmp(keys[i].id, bytes.data + TAG_BYTES, VD_KEY_ID_BYTES) != 0)
			continue;
		if (!fits(&keys[i], bytes.data + HEAD_BYTES, data, len))
			return refuse(fault, 403, -EBADMSG, "the signature does not fit");
		*ret_key = &keys[i];
		return 0;
	}
	return refuse(fault, 403, -ENOKEY, "it is signed with none of the trusted keys");
}
