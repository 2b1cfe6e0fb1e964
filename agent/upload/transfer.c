/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/upload/transfer.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/json.h"
#include "base/log.h"
#include "base/sas.h"

#define API_VERSION "2021-04-12"
enum { HEADERS = 4, REASON_BYTES = 160 };

void vd_transfer_begin(struct vd_transfer *t, const struct vd_uploader_config *config,
		       const struct vd_uploader_file *file)
{
	*t = (struct vd_transfer){ .config = config, .file = *file, .fd = -1 };
}

void vd_transfer_end(struct vd_transfer *t)
{
	vd_close(&t->fd);
	free(t->block);
	t->block = NULL;
}

static void set_stage(struct vd_transfer *t, enum vd_stage stage)
{
	static const char *const names[] = { "ask", "send", "join", "notify" };

	vd_log(VD_DEBUG, "upload.stage", "blob=%s from=%s to=%s block=%u", t->file.blob,
	       names[t->stage], names[stage], t->next_block);
	t->stage = stage;
}

static unsigned block_count(const struct vd_transfer *t)
{
	uint64_t size = t->config->block_bytes;

	return (unsigned)((t->file.bytes + size - 1) / size);
}

/* --- the file --- */

static int refuse(struct vd_fault *fault, int code, const char *text)
{
	vd_fault_set(fault, code, "", "%s", text);
	return VD_COURSE_REFUSE;
}

static int read_block(struct vd_transfer *t, unsigned number, size_t *ret_len)
{
	uint64_t from = (uint64_t)number * t->config->block_bytes;
	uint64_t len = t->file.bytes - from;
	size_t at = 0;

	if (len > t->config->block_bytes)
		len = t->config->block_bytes;
	while (at < len) {
		ssize_t n = pread(t->fd, t->block + at, len - at, (off_t)(from + at));

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 0)
			return -ENODATA;
		at += n > 0 ? (size_t)n : 0;
	}
	*ret_len = at;
	return 0;
}

static int digest_file(struct vd_transfer *t, char sha256[static VD_SHA256_TEXT])
{
	struct vd_sha256_state *state = NULL;
	size_t len = 0;
	int r = vd_sha256_begin(&state);

	for (unsigned i = 0; r == 0 && i < block_count(t); i++) {
		r = read_block(t, i, &len);
		if (r == 0)
			r = vd_sha256_add(state, t->block, len);
	}
	if (r == 0)
		return vd_sha256_end(&state, sha256);
	(void)vd_sha256_free(state);
	return r;
}

/* What rotted on the disk is not sent: the hub would keep it under another name than the record's. */
static int verify(struct vd_transfer *t, struct vd_fault *fault)
{
	char sha256[VD_SHA256_TEXT] = "";
	struct stat st;
	int r;

	if (t->is_verified)
		return 0;
	if (!t->block && !(t->block = malloc(t->config->block_bytes)))
		return -ENOMEM;
	if (t->fd < 0)
		t->fd = open(t->file.path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (t->fd < 0 || fstat(t->fd, &st) < 0)
		return refuse(fault, 404, strerrordesc_np(errno));
	if ((uint64_t)st.st_size != t->file.bytes || t->file.bytes == 0)
		return refuse(fault, 422, "the file has another length than it had");
	r = digest_file(t, sha256);
	if (r == -ENOMEM)
		return r;
	if (r < 0)
		return refuse(fault, 500, strerrordesc_np(-r));
	if (strcmp(sha256, t->file.sha256) != 0)
		return refuse(fault, 422, "the file's digest is another than it was");
	t->is_verified = true;
	return 0;
}

/* --- requests --- */

struct words {
	char texts[HEADERS][1536];
	const char *list[HEADERS];
	size_t count;
};

static void add_header(struct words *w, const char *name, const char *value)
{
	int len = snprintf(w->texts[w->count], sizeof w->texts[0], "%s: %s", name, value);

	if (len > 0 && (size_t)len < sizeof w->texts[0]) {
		w->list[w->count] = w->texts[w->count];
		w->count++;
	}
}

static int add_token(const struct vd_transfer *t, struct words *words)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf resource = { 0 }, token = { 0 };
	int64_t expires_s = vd_clock_wall_ms() / 1000 + t->config->token_lifetime_s;
	int r;

	if (!t->config->key)
		return 0; /* the certificate says who we are */
	r = vd_buf_printf(&resource, "%s/devices/%s", t->config->host, t->config->device_id);
	if (r == 0)
		r = vd_sas_make(resource.data, t->config->key, NULL, expires_s, &token);
	if (r == 0)
		add_header(words, "Authorization", token.data);
	return r;
}

static int call_hub(const struct vd_transfer *t, struct vd_requester *requester, const char *path,
		    const cJSON *body, long *ret_status, struct vd_buf *answer)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf address = { 0 };
	VD_CLEANUP(vd_free) char *text = vd_json_text(body);
	struct words words = { .count = 0 };
	int r = text ? vd_buf_printf(&address, "/devices/") : -ENOMEM;

	if (r == 0)
		r = vd_offer_encode(t->config->device_id, false, &address);
	if (r == 0)
		r = vd_buf_printf(&address, "/files%s?api-version=" API_VERSION, path);
	if (r == 0)
		r = add_token(t, &words);
	if (r < 0)
		return r;
	add_header(&words, "Content-Type", "application/json; charset=utf-8");
	struct vd_request request = { .method = "POST",
				      .host = t->config->host,
				      .port = t->config->port,
				      .address = address.data,
				      .headers = words.list,
				      .header_count = words.count,
				      .body = text,
				      .len = strlen(text),
				      .shows_certificate = true };

	r = vd_request(requester, &request, ret_status, answer);
	explicit_bzero(words.texts, sizeof words.texts);
	return r;
}

/* The hub's own storage is behind the hub's front. */
static uint16_t port_of(const struct vd_transfer *t)
{
	return strcasecmp(t->offer.host, t->config->host) == 0 ? t->config->port : 443;
}

static int put(const struct vd_transfer *t, struct vd_requester *requester, const char *suffix,
	       const struct words *words, const void *body, size_t len, uint64_t bytes_per_second,
	       long *ret_status, struct vd_buf *answer)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf address = { 0 };
	int r = vd_buf_printf(&address, "%s%s", t->offer.address, suffix);
	const struct vd_request request = { .method = "PUT",
					    .host = t->offer.host,
					    .port = port_of(t),
					    .address = address.data,
					    .headers = words->list,
					    .header_count = words->count,
					    .body = body,
					    .len = len,
					    .bytes_per_second = bytes_per_second };

	return r < 0 ? r : vd_request(requester, &request, ret_status, answer);
}

/* Of what is whole with this request; the hub holds it against the digest. */
static void add_properties(const struct vd_transfer *t, struct words *words)
{
	add_header(words, "x-ms-blob-content-type", t->file.media_type);
	add_header(words, "x-ms-meta-sha256", t->file.sha256);
}

/* --- steps --- */

static int ask(struct vd_transfer *t, struct vd_requester *requester, long *status,
	       struct vd_buf *answer)
{
	VD_CLEANUP(vd_json_free) cJSON *body = cJSON_CreateObject();

	if (!body || !vd_json_add_string(body, "blobName", t->file.blob))
		return -ENOMEM;
	return call_hub(t, requester, "", body, status, answer);
}

static int send_block(struct vd_transfer *t, struct vd_requester *requester,
		      uint64_t bytes_per_second, long *status, struct vd_buf *answer, size_t *len)
{
	struct words words = { .count = 0 };
	char id[VD_BLOCK_ID_BYTES], suffix[64] = "";
	int r = read_block(t, t->next_block, len);

	if (r < 0)
		return r;
	if (block_count(t) == 1) {
		add_header(&words, "x-ms-blob-type", "BlockBlob");
		add_header(&words, "Content-Type", t->file.media_type);
		add_properties(t, &words);
	} else {
		vd_block_id(t->next_block, id);
		(void)snprintf(suffix, sizeof suffix, "&comp=block&blockid=%s", id);
		add_header(&words, "Content-Type", "application/octet-stream");
	}
	return put(t, requester, suffix, &words, t->block, *len, bytes_per_second, status, answer);
}

static int join(struct vd_transfer *t, struct vd_requester *requester, long *status,
		struct vd_buf *answer)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf list = { 0 };
	struct words words = { .count = 0 };
	int r = vd_block_list(block_count(t), &list);

	add_header(&words, "Content-Type", "application/xml");
	add_properties(t, &words);
	return r < 0 ? r
		     : put(t, requester, "&comp=blocklist", &words, list.data, list.len, 0, status,
			   answer);
}

static int notify(struct vd_transfer *t, struct vd_requester *requester, long *status,
		  struct vd_buf *answer)
{
	VD_CLEANUP(vd_json_free) cJSON *body = cJSON_CreateObject();

	if (!body || !vd_json_add_string(body, "correlationId", t->offer.correlation_id) ||
	    !vd_json_add_bool(body, "isSuccess", true) ||
	    !vd_json_add_number(body, "statusCode", 200) ||
	    !vd_json_add_string(body, "statusDescription", t->file.sha256))
		return -ENOMEM;
	return call_hub(t, requester, "/notifications", body, status, answer);
}

static int request(struct vd_transfer *t, struct vd_requester *requester, uint64_t bytes_per_second,
		   long *status, struct vd_buf *answer, size_t *sent)
{
	switch (t->stage) {
	case VD_STAGE_ASK:
		return ask(t, requester, status, answer);
	case VD_STAGE_SEND:
		return send_block(t, requester, bytes_per_second, status, answer, sent);
	case VD_STAGE_JOIN:
		return join(t, requester, status, answer);
	case VD_STAGE_NOTIFY:
		break;
	}
	return notify(t, requester, status, answer);
}

static int take_offer(struct vd_transfer *t, const struct vd_buf *answer, struct vd_fault *fault)
{
	int r = vd_offer_read(answer->data ? answer->data : "", answer->len, &t->offer, fault);

	if (r < 0)
		return r == -ENOMEM ? r : VD_COURSE_AGAIN;
	t->next_block = 0;
	set_stage(t, VD_STAGE_SEND);
	return VD_COURSE_ON;
}

static int go_on(struct vd_transfer *t, const struct vd_buf *answer, bool *ret_done,
		 struct vd_fault *fault)
{
	switch (t->stage) {
	case VD_STAGE_ASK:
		return take_offer(t, answer, fault);
	case VD_STAGE_SEND:
		if (++t->next_block == block_count(t))
			set_stage(t, block_count(t) == 1 ? VD_STAGE_NOTIFY : VD_STAGE_JOIN);
		break;
	case VD_STAGE_JOIN:
		set_stage(t, VD_STAGE_NOTIFY);
		break;
	case VD_STAGE_NOTIFY:
		*ret_done = true;
		break;
	}
	return VD_COURSE_ON;
}

static void explain(struct vd_fault *fault, long status, const struct vd_buf *answer)
{
	char reason[REASON_BYTES];

	vd_answer_reason(answer->data ? answer->data : "", answer->len, reason, sizeof reason);
	if (status)
		vd_fault_set(fault, (int)status, "", "the hub answered %ld: %s", status, reason);
	else
		vd_fault_set(fault, 503, "", "%s", reason);
}

static int fail(struct vd_transfer *t, enum vd_course course)
{
	if (course == VD_COURSE_DOUBT)
		course = t->doubts++ ? VD_COURSE_REFUSE : VD_COURSE_ANEW;
	if (course == VD_COURSE_ANEW)
		set_stage(t, VD_STAGE_ASK);
	return (int)course;
}

int vd_transfer_step(struct vd_transfer *t, struct vd_requester *requester,
		     uint64_t bytes_per_second, bool *ret_done, uint64_t *ret_sent,
		     struct vd_fault *fault)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf answer = { 0 };
	enum vd_course course;
	long status = 0;
	size_t sent = 0;
	int r = verify(t, fault);

	if (r != 0)
		return r;
	r = request(t, requester, bytes_per_second, &status, &answer, &sent);
	if (r == -ECANCELED || r == -ENOMEM)
		return r;
	if (r < 0 && r != -EHOSTUNREACH)
		return refuse(fault, 500, strerrordesc_np(-r)); /* the disk */
	course = vd_stage_judge(t->stage, r < 0 ? 0 : status);
	if (course == VD_COURSE_ON) {
		*ret_sent += sent;
		return go_on(t, &answer, ret_done, fault);
	}
	explain(fault, r < 0 ? 0 : status, &answer);
	return fail(t, course);
}
