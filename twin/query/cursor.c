/* SPDX-License-Identifier: Apache-2.0 */
#include "twin/query/cursor.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"

enum { FORM = 1, DIGEST_SHOWN = 16, CURSOR_BYTES = 1024, WORDS = 5 };

/* The beginning of a digest of the canonical text. */
static int digest_query(const struct vd_query *query, char digest[static VD_SHA256_TEXT])
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf text = { 0 };
	int r = vd_query_print(query, &text);

	if (r == 0)
		r = vd_sha256_text(text.data, text.len, digest);
	digest[DIGEST_SHOWN] = '\0';
	return r;
}

int vd_query_cursor_write(const struct vd_query *query, const struct vd_query_cursor *cursor,
			  struct vd_buf *out)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf plain = { 0 };
	char digest[VD_SHA256_TEXT];
	int r = digest_query(query, digest);

	if (r == 0)
		r = vd_buf_printf(&plain, "%d %s %" PRId64 " %s %s", FORM, digest, cursor->given,
				  cursor->device, cursor->module);
	return r < 0 ? r : vd_base64_encode(plain.data, plain.len, out);
}

static int refuse(struct vd_fault *fault, const char *text)
{
	vd_fault_set(fault, 400, "", "%s", text);
	return -EINVAL;
}

/* Cuts text at its spaces into exactly WORDS words, which may be empty. */
static bool split(char *text, char *words[static WORDS])
{
	size_t count = 0;

	for (char *p = text; p; count++) {
		if (count == WORDS)
			return false;
		words[count] = p;
		p = strchr(p, ' ');
		if (p)
			*p++ = '\0';
	}
	return count == WORDS;
}

static bool read_words(char *const *words, struct vd_query_cursor *cursor)
{
	char *end = NULL;

	errno = 0;
	cursor->given = strtoll(words[2], &end, 10);
	if (errno || end == words[2] || *end || cursor->given < 0 || strcmp(words[0], "1") != 0)
		return false;
	if (strlen(words[3]) >= sizeof cursor->device || strlen(words[4]) >= sizeof cursor->module)
		return false;
	memcpy(cursor->device, words[3], strlen(words[3]) + 1);
	memcpy(cursor->module, words[4], strlen(words[4]) + 1);
	return true;
}

int vd_query_cursor_read(const struct vd_query *query, const char *text, size_t len,
			 struct vd_query_cursor *ret_cursor, struct vd_fault *fault)
{
	static const char foreign[] = "the continuation token is not one of this hub";
	VD_CLEANUP(vd_buf_fini) struct vd_buf plain = { 0 };
	struct vd_query_cursor cursor;
	char digest[VD_SHA256_TEXT], *words[WORDS];
	int r = len > CURSOR_BYTES ? -EINVAL : vd_base64_decode(text, len, &plain);

	if (r == -ENOMEM)
		return r;
	if (r < 0 || !plain.len || strlen(plain.data) != plain.len || !split(plain.data, words) ||
	    !read_words(words, &cursor))
		return refuse(fault, foreign);
	r = digest_query(query, digest);
	if (r < 0)
		return r;
	if (strcmp(words[1], digest) != 0)
		return refuse(fault, "the continuation token belongs to another query");
	*ret_cursor = cursor;
	return 0;
}
