/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Azure's pages say that a lower-case, lower-case-encoded sr is signed; the device libraries in
 * the field sign what they put into the token, encoded (Node) or raw (C). So the text is signed
 * and checked as it stands, and decoded only afterwards, to be compared.
 */
#include "base/sas.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/digest.h"

enum { TOKEN_BYTES = 2048, EXPIRES_DIGITS = 15 };

static const char scheme[] = "SharedAccessSignature ";

struct field {
	const char *text; /* NULL: absent */
	size_t len;
};

static int refuse(struct vd_fault *fault, int error, const char *text)
{
	vd_fault_set(fault, 401, "", "%s", text);
	return error;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Percent-decodes into out, NUL-terminated. false: too long, a bad escape or a control character. */
static bool decode_field(const struct field *field, char *out, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < field->len; i++) {
		unsigned char c = (unsigned char)field->text[i];

		if (c == '%') {
			int high = i + 2 < field->len ? hex_digit(field->text[i + 1]) : -1;
			int low = i + 2 < field->len ? hex_digit(field->text[i + 2]) : -1;

			if (high < 0 || low < 0)
				return false;
			c = (unsigned char)(high << 4 | low);
			i += 2;
		}
		if (c < 0x20 || c == 0x7F || n + 1 >= size)
			return false;
		out[n++] = (char)c;
	}
	out[n] = '\0';
	return true;
}

enum { SR, SIG, SE, SKN, FIELDS };

static int split_fields(const char *text, size_t len, struct field fields[static FIELDS])
{
	static const char *const names[FIELDS] = { "sr=", "sig=", "se=", "skn=" };
	const char *end = text + len;

	while (text < end) {
		const char *stop = memchr(text, '&', (size_t)(end - text));
		size_t n = (size_t)((stop ? stop : end) - text);

		for (size_t i = 0; i < FIELDS; i++) {
			size_t head = strlen(names[i]);

			if (n < head || memcmp(text, names[i], head) != 0)
				continue;
			if (fields[i].text)
				return -EINVAL;
			fields[i] = (struct field){ text + head, n - head };
		}
		text += n + (stop != NULL);
	}
	return 0;
}

static bool read_expiry(const struct field *field, int64_t *ret_expires_s)
{
	int64_t expires_s = 0;

	if (!field->len || field->len > EXPIRES_DIGITS)
		return false;
	for (size_t i = 0; i < field->len; i++) {
		if (field->text[i] < '0' || field->text[i] > '9')
			return false;
		expires_s = expires_s * 10 + (field->text[i] - '0');
	}
	*ret_expires_s = expires_s;
	return true;
}

static int read_signature(const struct field *field, uint8_t signature[static VD_SHA256_BYTES])
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf bytes = { 0 };
	char text[128];
	int r;

	if (!decode_field(field, text, sizeof text))
		return -EINVAL;
	r = vd_base64_decode(text, strlen(text), &bytes);
	if (r < 0)
		return r;
	if (bytes.len != VD_SHA256_BYTES)
		return -EINVAL;
	memcpy(signature, bytes.data, VD_SHA256_BYTES);
	return 0;
}

static size_t host_length(const char *resource)
{
	return strcspn(resource, "/");
}

static bool read_resource(const struct field *sr, const struct field *se, struct vd_sas *sas)
{
	int n = snprintf(sas->signed_text, sizeof sas->signed_text, "%.*s\n%.*s", (int)sr->len,
			 sr->text, (int)se->len, se->text);

	if (n < 0 || n >= (int)sizeof sas->signed_text ||
	    !decode_field(sr, sas->resource, sizeof sas->resource))
		return false;
	for (size_t i = 0, host = host_length(sas->resource); i < host; i++)
		sas->resource[i] = (char)tolower((unsigned char)sas->resource[i]);
	return host_length(sas->resource) > 0;
}

int vd_sas_parse(const char *token, size_t len, struct vd_sas *ret_sas, struct vd_fault *fault)
{
	struct field fields[FIELDS] = { 0 };
	struct vd_sas sas = { 0 };
	size_t head = sizeof scheme - 1;
	int r;

	if (len > TOKEN_BYTES || len < head || strncasecmp(token, scheme, head) != 0)
		return refuse(fault, -EINVAL, "not a SharedAccessSignature");
	if (memchr(token, '\0', len))
		return refuse(fault, -EINVAL, "a NUL in the token");
	if (split_fields(token + head, len - head, fields) < 0)
		return refuse(fault, -EINVAL, "a field stands twice in the token");
	if (!fields[SR].text || !fields[SIG].text || !fields[SE].text)
		return refuse(fault, -EINVAL, "the token must have sr, sig and se");
	if (!read_expiry(&fields[SE], &sas.expires_s))
		return refuse(fault, -EINVAL, "se is not a time in seconds since 1970");
	if (!read_resource(&fields[SR], &fields[SE], &sas))
		return refuse(fault, -EINVAL, "sr is not a resource");
	if (fields[SKN].text && !decode_field(&fields[SKN], sas.policy, sizeof sas.policy))
		return refuse(fault, -EINVAL, "skn is not the name of a policy");
	r = read_signature(&fields[SIG], sas.signature);
	if (r == -ENOMEM)
		return r;
	if (r < 0)
		return refuse(fault, -EINVAL, "sig is not base64 of 32 bytes");
	*ret_sas = sas;
	return 0;
}

/* The host of a resource without its port. */
static size_t name_length(const char *resource)
{
	size_t host = host_length(resource), n = host;

	while (n > 0 && isdigit((unsigned char)resource[n - 1]))
		n--;
	return n > 0 && n < host && resource[n - 1] == ':' ? n - 1 : host;
}

static bool covers(const char *resource, const char *wanted)
{
	size_t name = name_length(resource), n;

	if (name != name_length(wanted) || strncasecmp(resource, wanted, name) != 0)
		return false;
	resource += host_length(resource);
	wanted += host_length(wanted);
	n = strlen(resource);
	while (n > 0 && resource[n - 1] == '/')
		n--;
	return strncmp(resource, wanted, n) == 0 && (!wanted[n] || wanted[n] == '/');
}

static int sign(const char *key_base64, const char *text, uint8_t mac[static VD_SHA256_BYTES])
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf key = { 0 };
	int r = vd_base64_decode(key_base64, strlen(key_base64), &key);

	if (r == 0 && !key.len)
		r = -EINVAL;
	if (r == 0)
		r = vd_hmac_sha256(key.data, key.len, text, strlen(text), mac);
	if (key.data)
		explicit_bzero(key.data, key.len);
	return r;
}

int vd_sas_verify(const struct vd_sas *sas, const char *key_base64, const char *wanted_resource,
		  int64_t now_s, struct vd_fault *fault)
{
	uint8_t mac[VD_SHA256_BYTES];
	int r = sign(key_base64, sas->signed_text, mac);

	if (r == -EINVAL)
		return refuse(fault, -EACCES, "the identity's key is not base64");
	if (r < 0)
		return r;
	if (!vd_digest_equal(mac, sas->signature, sizeof mac))
		return refuse(fault, -EACCES, "the signature is not made with this identity's key");
	if (!covers(sas->resource, wanted_resource))
		return refuse(fault, -EACCES, "the token is for another resource");
	if (sas->expires_s < now_s) {
		vd_fault_set(fault, 401, "", "the token expired %" PRId64 " s ago",
			     now_s - sas->expires_s);
		return -EACCES;
	}
	return 0;
}

static int append_encoded(struct vd_buf *out, const char *text)
{
	int r = 0;

	for (; *text && r == 0; text++) {
		unsigned char c = (unsigned char)*text;

		r = (c < 0x80 && isalnum(c)) || strchr("-_.~", c) ? vd_buf_append(out, text, 1)
								  : vd_buf_printf(out, "%%%02X", c);
	}
	return r;
}

static int append_signature(struct vd_buf *out, const char *signed_text, const char *key_base64)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf text = { 0 };
	uint8_t mac[VD_SHA256_BYTES];
	int r = sign(key_base64, signed_text, mac);

	if (r == 0)
		r = vd_base64_encode(mac, sizeof mac, &text);
	return r == 0 ? append_encoded(out, text.data) : r;
}

static int make_token(const char *resource, const char *key_base64, const char *policy,
		      int64_t expires_s, struct vd_buf *out)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf signed_text = { 0 };
	int r = append_encoded(&signed_text, resource);

	if (r == 0)
		r = vd_buf_printf(out, "%ssr=%s&sig=", scheme,
				  signed_text.data ? signed_text.data : "");
	if (r == 0)
		r = vd_buf_printf(&signed_text, "\n%" PRId64, expires_s);
	if (r == 0)
		r = append_signature(out, signed_text.data, key_base64);
	if (r == 0)
		r = vd_buf_printf(out, "&se=%" PRId64, expires_s);
	if (r == 0 && policy)
		r = vd_buf_printf(out, "&skn=");
	return r == 0 && policy ? append_encoded(out, policy) : r;
}

int vd_sas_make(const char *resource, const char *key_base64, const char *policy, int64_t expires_s,
		struct vd_buf *out)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf token = { 0 };
	int r = make_token(resource, key_base64, policy, expires_s, &token);

	return r == 0 ? vd_buf_append(out, token.data, token.len) : r;
}
