/* SPDX-License-Identifier: Apache-2.0 */
/*
 * On nettle: each module hashes its frames, and nettle costs a process 0.1 MB where libcrypto costs
 * 1.6 (PSS of three processes that hash), at nine tenths of its speed; both use SHA-NI. Debian's
 * libmd and libmbedcrypto are small too, but four times slower.
 */
#include "base/digest.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <nettle/base64.h>
#include <nettle/hmac.h>
#include <nettle/memops.h>
#include <nettle/sha2.h>

int vd_sha256(const void *data, size_t len, uint8_t digest[static VD_SHA256_BYTES])
{
	struct sha256_ctx context;

	sha256_init(&context);
	sha256_update(&context, len, data);
	sha256_digest(&context, VD_SHA256_BYTES, digest);
	return 0;
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
	struct sha256_ctx context;
};

int vd_sha256_begin(struct vd_sha256_state **ret_state)
{
	struct vd_sha256_state *state = calloc(1, sizeof *state);

	if (!state)
		return -ENOMEM;
	sha256_init(&state->context);
	*ret_state = state;
	return 0;
}

int vd_sha256_add(struct vd_sha256_state *state, const void *data, size_t len)
{
	sha256_update(&state->context, len, data);
	return 0;
}

int vd_sha256_end(struct vd_sha256_state **state, char text[static VD_SHA256_TEXT])
{
	uint8_t digest[VD_SHA256_BYTES];

	sha256_digest(&(*state)->context, sizeof digest, digest);
	*state = vd_sha256_free(*state);
	write_hex(digest, text);
	return 0;
}

struct vd_sha256_state *vd_sha256_free(struct vd_sha256_state *state)
{
	free(state);
	return NULL;
}

int vd_hmac_sha256(const void *key, size_t key_len, const void *data, size_t len,
		   uint8_t mac[static VD_SHA256_BYTES])
{
	struct hmac_sha256_ctx context;

	hmac_sha256_set_key(&context, key_len, key);
	hmac_sha256_update(&context, len, data);
	hmac_sha256_digest(&context, VD_SHA256_BYTES, mac);
	explicit_bzero(&context, sizeof context);
	return 0;
}

int vd_base64_encode(const void *data, size_t len, struct vd_buf *out)
{
	VD_CLEANUP(vd_free) char *text = NULL;

	if (len > INT_MAX / 2)
		return -E2BIG;
	text = malloc(BASE64_ENCODE_RAW_LENGTH(len) + 1);
	if (!text)
		return -ENOMEM;
	base64_encode_raw(text, len, data);
	return vd_buf_append(out, text, BASE64_ENCODE_RAW_LENGTH(len));
}

/* Nettle forgives white space; a credential must not. */
static int check_base64(const char *text, size_t len)
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
	return 0;
}

int vd_base64_decode(const char *text, size_t len, struct vd_buf *out)
{
	VD_CLEANUP(vd_free) uint8_t *data = NULL;
	struct base64_decode_ctx context;
	size_t n = BASE64_DECODE_LENGTH(len);
	int r = check_base64(text, len);

	if (r < 0)
		return r;
	data = malloc(n + 1);
	if (!data)
		return -ENOMEM;
	base64_decode_init(&context);
	if (!base64_decode_update(&context, &n, data, len, text) || !base64_decode_final(&context))
		return -EINVAL;
	return vd_buf_append(out, data, n);
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
	return memeql_sec(a, b, len);
}
