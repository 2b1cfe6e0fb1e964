/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/upload/offer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/digest.h"
#include "base/json.h"

static const char unreserved[] =
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";

static int is_hexadecimal(char c)
{
	return c && strchr("0123456789abcdefABCDEF", c) != NULL;
}

int vd_offer_encode(const char *text, int is_path, struct vd_buf *out)
{
	int r = 0;

	for (const char *c = text; *c && r == 0; c++) {
		bool stays = strchr(unreserved, *c) || (is_path && *c == '/') ||
			     (is_path && *c == '%' && is_hexadecimal(c[1]) && is_hexadecimal(c[2]));

		r = vd_buf_printf(out, stays ? "%c" : "%%%02X", (unsigned char)*c);
	}
	return r;
}

/* --- the offer --- */

static int refuse(struct vd_fault *fault, const char *member)
{
	vd_fault_set(fault, 400, "", "the hub's address for the file has no good %s", member);
	return -EINVAL;
}

static bool is_host(const char *text)
{
	return *text && strlen(text) < sizeof((struct vd_offer *)0)->host && text[0] != '-' &&
	       text[0] != '.' && text[strspn(text, unreserved)] == '\0' && !strpbrk(text, "_~");
}

/* "?name=value&…", all of it printable and nothing that ends it. */
static bool is_signature(const char *text)
{
	if (*text != '?')
		return false;
	for (const char *c = text + 1; *c; c++)
		if (*c <= ' ' || *c > '~' || strchr("#\"<>\\^`{|}", *c))
			return false;
	return true;
}

static int build(const cJSON *json, struct vd_offer *offer)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf address = { .limit = VD_ADDRESS_BYTES - 1 };
	int r = vd_buf_append(&address, "/", 1);

	if (r == 0)
		r = vd_offer_encode(vd_json_string(json, "containerName", ""), true, &address);
	if (r == 0)
		r = vd_buf_append(&address, "/", 1);
	if (r == 0)
		r = vd_offer_encode(vd_json_string(json, "blobName", ""), true, &address);
	if (r == 0)
		r = vd_buf_printf(&address, "%s", vd_json_string(json, "sasToken", ""));
	if (r < 0)
		return r;
	(void)snprintf(offer->correlation_id, sizeof offer->correlation_id, "%s",
		       vd_json_string(json, "correlationId", ""));
	(void)snprintf(offer->host, sizeof offer->host, "%s", vd_json_string(json, "hostName", ""));
	(void)snprintf(offer->address, sizeof offer->address, "%s", address.data);
	return 0;
}

int vd_offer_read(const char *text, size_t len, struct vd_offer *ret_offer, struct vd_fault *fault)
{
	VD_CLEANUP(vd_json_free) cJSON *json = NULL;
	const char *id;
	int r = vd_json_parse(text, len, &json, fault);

	if (r < 0)
		return r;
	id = vd_json_string(json, "correlationId", "");
	if (!*id || strlen(id) >= VD_CORRELATION_BYTES)
		return refuse(fault, "correlationId");
	if (!is_host(vd_json_string(json, "hostName", "")))
		return refuse(fault, "hostName");
	if (!*vd_json_string(json, "containerName", ""))
		return refuse(fault, "containerName");
	if (!*vd_json_string(json, "blobName", ""))
		return refuse(fault, "blobName");
	if (!is_signature(vd_json_string(json, "sasToken", "")))
		return refuse(fault, "sasToken");
	r = build(json, ret_offer);
	return r == -E2BIG ? refuse(fault, "length") : r;
}

/* --- answers --- */

static enum vd_course judge_ask(long status)
{
	if (status == 200)
		return VD_COURSE_ON;
	return status == 400 || status == 413 ? VD_COURSE_REFUSE : VD_COURSE_AGAIN;
}

/* 401, 403, 404: the signature has expired, or the container is another one now. */
static enum vd_course judge_put(long status)
{
	switch (status) {
	case 200:
	case 201:
		return VD_COURSE_ON;
	case 401:
	case 403:
	case 404:
		return VD_COURSE_ANEW;
	case 400:
	case 411:
	case 412:
	case 415:
		return VD_COURSE_DOUBT;
	case 413:
		return VD_COURSE_REFUSE;
	default:
		return VD_COURSE_AGAIN;
	}
}

/* 400, 404: it was told before, and the answer was lost. */
static enum vd_course judge_notify(long status)
{
	return (status >= 200 && status < 300) || status == 400 || status == 404 ? VD_COURSE_ON
										 : VD_COURSE_AGAIN;
}

enum vd_course vd_stage_judge(enum vd_stage stage, long status)
{
	if (stage == VD_STAGE_ASK)
		return judge_ask(status);
	return stage == VD_STAGE_NOTIFY ? judge_notify(status) : judge_put(status);
}

static void copy_line(const char *text, size_t len, char *out, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < len && n + 1 < size; i++)
		out[n++] = (unsigned char)text[i] >= ' ' && text[i] != '"' && text[i] != 127
				   ? text[i]
				   : ' ';
	out[n] = '\0';
}

void vd_answer_reason(const char *text, size_t len, char *out, size_t size)
{
	VD_CLEANUP(vd_json_free) cJSON *json = NULL;
	const char *start = len ? memmem(text, len, "<Message>", 9) : NULL, *message = NULL;

	if (start) {
		size_t left = len - (size_t)(start + 9 - text);
		const char *end = memmem(start + 9, left, "</Message>", 10);

		copy_line(start + 9, end ? (size_t)(end - start - 9) : left, out, size);
		return;
	}
	if (len && vd_json_parse(text, len, &json, NULL) == 0)
		message = vd_json_string(json, "Message", NULL);
	if (message && strchr(message, ';'))
		message = strchr(message, ';') + 1;
	if (message)
		copy_line(message, strlen(message), out, size);
	else
		copy_line(text, len, out, size);
}

/* --- blocks --- */

void vd_block_id(unsigned number, char id[static VD_BLOCK_ID_BYTES])
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf encoded = { 0 };
	char digits[16];

	(void)snprintf(digits, sizeof digits, "%06u", number % 1000000);
	id[0] = '\0';
	if (vd_base64_encode(digits, 6, &encoded) == 0)
		(void)snprintf(id, VD_BLOCK_ID_BYTES, "%s", encoded.data);
}

int vd_block_list(unsigned count, struct vd_buf *out)
{
	char id[VD_BLOCK_ID_BYTES];
	int r = vd_buf_printf(out, "<?xml version=\"1.0\" encoding=\"utf-8\"?><BlockList>");

	for (unsigned i = 0; r == 0 && i < count; i++) {
		vd_block_id(i, id);
		r = vd_buf_printf(out, "<Latest>%s</Latest>", id);
	}
	return r < 0 ? r : vd_buf_printf(out, "</BlockList>");
}
