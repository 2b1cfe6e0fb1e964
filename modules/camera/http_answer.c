/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/camera/http_answer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

enum { TAIL_BYTES = 1024, LINE_BYTES = 256 };

void vd_http_answer_begin(struct vd_http_answer *answer)
{
	*answer = (struct vd_http_answer){ .date_ms = -1 };
}

/* "Sun, 06 Nov 1994 08:49:37 GMT", the only form that servers may send. */
static int64_t date_of(const char *text)
{
	struct tm t = { 0 };
	const char *end = strptime(text, "%a, %d %b %Y %H:%M:%S GMT", &t);

	return end && !*end ? (int64_t)timegm(&t) * 1000 : -1;
}

static void copy(char *to, size_t size, const char *value)
{
	(void)snprintf(to, size, "%s", value);
}

static void take_value(struct vd_http_answer *answer, const char *name, const char *value)
{
	if (strcasecmp(name, "Content-Type") == 0)
		copy(answer->type, sizeof answer->type, value);
	else if (strcasecmp(name, "ETag") == 0)
		copy(answer->etag, sizeof answer->etag, value);
	else if (strcasecmp(name, "Last-Modified") == 0)
		copy(answer->modified, sizeof answer->modified, value);
	else if (strcasecmp(name, "Date") == 0)
		answer->date_ms = date_of(value);
	else if (strcasecmp(name, "Age") == 0)
		answer->age_s = strtoull(value, NULL, 10);
}

int vd_http_answer_header(struct vd_http_answer *answer, const char *line, size_t len)
{
	size_t sum = answer->header_bytes + len, used = len < LINE_BYTES ? len : LINE_BYTES - 1;
	char text[LINE_BYTES], *value;

	if (sum > VD_HTTP_HEADER_BYTES)
		return -E2BIG;
	if (len >= 5 && memcmp(line, "HTTP/", 5) == 0)
		vd_http_answer_begin(answer); /* of another answer: 100, or 401 before the login */
	answer->header_bytes = sum;
	memcpy(text, line, used);
	text[used] = '\0';
	text[strcspn(text, "\r\n")] = '\0';
	value = strchr(text, ':');
	if (!value)
		return 0;
	*value++ = '\0';
	value += strspn(value, " \t");
	take_value(answer, text, value);
	return 0;
}

static bool is_jpeg_type(const char *type)
{
	static const char *const types[] = { "image/jpeg", "image/jpg", "image/pjpeg",
					     "application/octet-stream" };
	size_t len = strcspn(type, "; \t");

	for (size_t i = 0; i < VD_COUNT(types); i++) {
		if (len == strlen(types[i]) && strncasecmp(type, types[i], len) == 0)
			return true;
	}
	return len == 0;
}

/* Without a length of the body its cut is seen here only; padding may follow the end marker. */
static bool has_end(const uint8_t *bytes, size_t len)
{
	size_t first = len > TAIL_BYTES ? len - TAIL_BYTES : 0;

	for (size_t i = first; i + 1 < len; i++) {
		if (bytes[i] == 0xff && bytes[i + 1] == 0xd9)
			return true;
	}
	return false;
}

int vd_http_answer_check(const struct vd_http_answer *answer, const void *body, size_t len,
			 struct vd_fault *fault)
{
	if (!is_jpeg_type(answer->type)) {
		vd_fault_set(fault, 502, NULL, "answers with %s, not with image/jpeg",
			     answer->type);
		return -EBADMSG;
	}
	if (!has_end(body, len)) {
		vd_fault_set(fault, 502, NULL, "the JPEG of %zu bytes has no end", len);
		return -EBADMSG;
	}
	return 0;
}

static bool says_newer(const struct vd_http_answer *answer, const struct vd_http_picture *last,
		       int64_t trigger_wall_ms)
{
	if (answer->etag[0] || answer->modified[0])
		return strcmp(answer->etag, last->etag) != 0 ||
		       strcmp(answer->modified, last->modified) != 0;
	return answer->date_ms >= 0 && answer->date_ms + 999 >= trigger_wall_ms; /* whole seconds */
}

int vd_http_answer_fresh(const struct vd_http_answer *answer, const void *body, size_t len,
			 const struct vd_http_picture *last, int64_t trigger_wall_ms,
			 struct vd_http_picture *ret_picture, struct vd_fault *fault)
{
	struct vd_http_picture picture = { .is_known = true };
	int r = vd_sha256(body, len, picture.digest);

	if (r < 0)
		return r;
	if (answer->age_s > 0) {
		vd_fault_set(fault, 502, NULL, "the picture is %llu s old, from a cache",
			     (unsigned long long)answer->age_s);
		return -ESTALE;
	}
	if (last->is_known && memcmp(last->digest, picture.digest, sizeof picture.digest) == 0 &&
	    !says_newer(answer, last, trigger_wall_ms)) {
		vd_fault_set(fault, 502, NULL,
			     "the picture is the last one again, not one of this trigger");
		return -ESTALE;
	}
	copy(picture.etag, sizeof picture.etag, answer->etag);
	copy(picture.modified, sizeof picture.modified, answer->modified);
	*ret_picture = picture;
	return 0;
}
