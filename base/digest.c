/* SPDX-License-Identifier: Apache-2.0 */
#include "base/digest.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

int vd_sha256(const void *data, size_t len, uint8_t digest[static VD_SHA256_BYTES])
{
	return EVP_Digest(data, len, digest, NULL, EVP_sha256(), NULL) == 1 ? 0 : -EIO;
}

static void write_hex(const uint8_t digest[static VD_SHA256_BYTES],
		      char text[static VD_SHA256_TEXT])
{
	for (size_t i = 0; i < VD_SHA256_BYTES; i++)
		(void)snprintf(text + 2 * i, 3, "%02x", digest[i]);
}

int vd_sha256_text(const void *data, size_t len, char text[static VD_SHA256_TEXT])
{
	uint8_t digest[VD_SHA256_BYTES];
	int r = vd_sha256(data, len, digest);

	if (r == 0)
		write_hex(digest, text);
	return r;
}

struct vd_sha256_state {
	EVP_MD_CTX *context;
};

int vd_sha256_begin(struct vd_sha256_state **ret_state)
{
	struct vd_sha256_state *state = calloc(1, sizeof *state);

	if (state)
		state->context = EVP_MD_CTX_new();
	if (!state || !state->context ||
	    EVP_DigestInit_ex(state->context, EVP_sha256(), NULL) != 1) {
		(void)vd_sha256_free(state);
		return -ENOMEM;
	}
	*ret_state = state;
	return 0;
}

int vd_sha256_add(struct vd_sha256_state *state, const void *data, size_t len)
{
	return EVP_DigestUpdate(state->context, data, len) == 1 ? 0 : -EIO;
}

int vd_sha256_end(struct vd_sha256_state **state, char text[static VD_SHA256_TEXT])
{
	uint8_t digest[VD_SHA256_BYTES];
	int r = EVP_DigestFinal_ex((*state)->context, digest, NULL) == 1 ? 0 : -EIO;

	*state = vd_sha256_free(*state);
	if (r == 0)
		write_hex(digest, text);
	return r;
}

struct vd_sha256_state *vd_sha256_free(struct vd_sha256_state *state)
{
	if (state) {
		EVP_MD_CTX_free(state->context);
		free(state);
	}
	return NULL;
}

int vd_hmac_sha256(const void *key, size_t key_len, const void *data, size_t len,
		   uint8_t mac[static VD_SHA256_BYTES])
{
	if (key_len > INT_MAX)
		return -EINVAL;
	return HMAC(EVP_sha256(), key, (int)key_len, data, len, mac, NULL) ? 0 : -EIO;
}

int vd_base64_encode(const void *data, size_t len, struct vd_buf *out)
{
	VD_CLEANUP(vd_free) unsigned char *text = NULL;
	int n;

	if (len > INT_MAX / 2)
		return -E2BIG;
	text = malloc(len / 3 * 4 + 5);
	if (!text)
		return -ENOMEM;
	n = EVP_EncodeBlock(text, data, (int)len);
	return vd_buf_append(out, text, (size_t)n);
}

/* EVP_DecodeBlock forgives white space and '=' in odd places; a credential must not. */
static int base64_padding(const char *text, size_t len)
{
	static const char alphabet[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	int padding = 0;

	if (len % 4 || len > INT_MAX / 2)
		return -EINVAL;
	while (padding < 2 && (size_t)padding < len && text[len - 1 - (size_t)padding] == '=')
		padding++;
	for (size_t i = 0; i < len - (size_t)padding; i++) {
		if (!text[i] || !strchr(alphabet, text[i]))
			return -EINVAL;
	}
	return padding;
}

int vd_base64_decode(const char *text, size_t len, struct vd_buf *out)
{
	VD_CLEANUP(vd_free) unsigned char *data = NULL;
	int n, padding = base64_padding(text, len);

	if (padding < 0)
		return padding;
	data = malloc(len / 4 * 3 + 1);
	if (!data)
		return -ENOMEM;
	n = EVP_DecodeBlock(data, (const unsigned char *)text, (int)len);
	if (n < 0)
		return -EINVAL;
	return vd_buf_append(out, data, (size_t)(n - padding));
}

void vd_random(void *out, size_t len)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = getrandom((char *)out + done, len - done, 0);

		if (n < 0 && errno != EINTR)
			abort();
		done += n > 0 ? (size_t)n : 0;
	}
}

const char *vd_uuid(char text[static VD_UUID_TEXT])
{
	uint8_t b[16];
	char *p = text;

	vd_random(b, sizeof b);
	b[6] = (uint8_t)((b[6] & 0x0F) | 0x40);
	b[8] = (uint8_t)((b[8] & 0x3F) | 0x80);
	for (size_t i = 0; i < sizeof b; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*p++ = '-';
		(void)snprintf(p, 3, "%02x", b[i]);
		p += 2;
	}
	return text;
}

int vd_digest_equal(const void *a, const void *b, size_t len)
{
	return CRYPTO_memcmp(a, b, len) == 0;
}
