/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The picture is taken somewhere between request and answer, by a camera whose clock nobody
 * knows. So the frame is stamped with the time of its request, which goes out after the trigger,
 * and what could be an earlier picture after all is refused (http_answer.h).
 */
#include "modules/camera/http.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/version.h"
#include "base/curl_library.h"
#include "modules/camera/http_answer.h"
#include "modules/camera/secret.h"
#include "modules/image/jpeg.h"

struct http {
	struct vd_camera_source source;
	char state_folder[PATH_MAX];
	const struct vd_curl *curl;
	CURL *easy; /* NULL: not open */
	struct curl_slist *headers;
	char error[CURL_ERROR_SIZE];
	struct vd_http_answer answer;
	struct vd_http_picture last;
	struct vd_buf first; /* the picture that opening asked for; its memory */
	uint64_t pictures;   /* captured */
};

static struct http *http_of(struct vd_camera_source *source)
{
	return VD_CONTAINER(source, struct http, source);
}

/* --- The transfer --- */

static size_t on_header(char *bytes, size_t one, size_t len, void *argument)
{
	return vd_http_answer_header(argument, bytes, len) == 0 ? len : 0;
}

static size_t on_body(char *bytes, size_t one, size_t len, void *argument)
{
	return vd_buf_append(argument, bytes, len) == 0 ? len : 0;
}

static void set_trust(const struct http *h)
{
	__typeof__((curl_easy_setopt)) *set = h->curl->easy_setopt;
	const char *ca_file = h->source.settings->ca_file;

	(void)set(h->easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (!ca_file)
		return;
	(void)set(h->easy, CURLOPT_CAINFO, ca_file);
	(void)set(h->easy, CURLOPT_CAPATH, NULL); /* this CA only */
}

/* What is the same for each request. */
static void set_options(const struct http *h)
{
	__typeof__((curl_easy_setopt)) *set = h->curl->easy_setopt;
	const struct vd_camera_settings *s = h->source.settings;

	(void)set(h->easy, CURLOPT_URL, s->path);
	(void)set(h->easy, CURLOPT_PROTOCOLS_STR, s->is_encrypted ? "https" : "http");
	(void)set(h->easy, CURLOPT_PROXY, ""); /* also none of the environment */
	(void)set(h->easy, CURLOPT_FOLLOWLOCATION, 0L);
	(void)set(h->easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	(void)set(h->easy, CURLOPT_NOSIGNAL, 1L);
	(void)set(h->easy, CURLOPT_USERAGENT, "vedette-camera/" VD_VERSION);
	(void)set(h->easy, CURLOPT_HTTPHEADER, h->headers);
	(void)set(h->easy, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)s->max_bytes);
	(void)set(h->easy, CURLOPT_ERRORBUFFER, h->error);
	(void)set(h->easy, CURLOPT_HEADERFUNCTION, on_header);
	(void)set(h->easy, CURLOPT_HEADERDATA, &h->answer);
	(void)set(h->easy, CURLOPT_WRITEFUNCTION, on_body);
	set_trust(h);
}

/* In the clear a password is never sent, only Digest's proof that it is known. */
static int set_credentials(const struct http *h, struct vd_fault *fault)
{
	const struct vd_camera_settings *s = h->source.settings;
	struct vd_camera_secret secret;
	unsigned long ways = CURLAUTH_DIGEST | (s->is_encrypted ? CURLAUTH_BASIC : 0);
	int r;

	if (!s->secret)
		return 0;
	r = vd_camera_secret_read(h->state_folder, s->secret, &secret, fault);
	if (r < 0)
		return r;
	(void)h->curl->easy_setopt(h->easy, CURLOPT_HTTPAUTH, ways);
	(void)h->curl->easy_setopt(h->easy, CURLOPT_USERNAME, secret.user);
	(void)h->curl->easy_setopt(h->easy, CURLOPT_PASSWORD, secret.password);
	vd_camera_secret_wipe(&secret);
	return 0;
}

/* Is the camera there, so that only this picture failed? */
static int outcome_of(CURLcode code)
{
	switch (code) {
	case CURLE_WRITE_ERROR:
	case CURLE_FILESIZE_EXCEEDED:
	case CURLE_PARTIAL_FILE:
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_LOGIN_DENIED:
	case CURLE_WEIRD_SERVER_REPLY:
	case CURLE_UNSUPPORTED_PROTOCOL: /* also: an answer that is no HTTP */
		return VD_SOURCE_FAILED;
	default:
		return VD_SOURCE_LOST;
	}
}

static int transfer_failed(const struct http *h, CURLcode code, struct vd_fault *fault)
{
	const struct vd_camera_settings *s = h->source.settings;

	if (code == CURLE_OUT_OF_MEMORY)
		return -ENOMEM;
	if (code == CURLE_FILESIZE_EXCEEDED || code == CURLE_WRITE_ERROR)
		vd_fault_set(fault, 413, NULL, "%s: the answer is above maxBytes, %zu bytes",
			     s->host, s->max_bytes);
	else if (code == CURLE_OPERATION_TIMEDOUT)
		vd_fault_set(fault, 504, NULL, "%s: no whole answer in time: %s", s->host,
			     h->error);
	else
		vd_fault_set(fault, 503, NULL, "%s: %s", s->host,
			     h->error[0] ? h->error : h->curl->easy_strerror(code));
	return outcome_of(code);
}

static int check_status(const struct http *h, struct vd_fault *fault)
{
	const char *host = h->source.settings->host, *more = "";
	long status = 0;

	(void)h->curl->easy_getinfo(h->easy, CURLINFO_RESPONSE_CODE, &status);
	if (status == 200)
		return 0;
	if (status >= 300 && status < 400)
		more = ": redirects are not followed";
	else if (status == 401)
		more = h->source.settings->secret ? ": it does not take the credentials"
						  : ": it wants credentials";
	vd_fault_set(fault, 502, NULL, "%s answers %ld%s", host, status, more);
	return VD_SOURCE_FAILED;
}

/* One request: 0 with the body of a 200, or an outcome. */
static int fetch(struct http *h, uint64_t deadline_ms, struct vd_buf *body, struct vd_fault *fault)
{
	const struct vd_camera_settings *s = h->source.settings;
	uint64_t now_ms = vd_clock_mono_ms();
	uint64_t left_ms = deadline_ms > now_ms ? deadline_ms - now_ms : 1;
	uint64_t connect_ms = s->connect_ms < left_ms ? s->connect_ms : left_ms;
	CURLcode code;

	vd_buf_clear(body);
	body->limit = s->max_bytes;
	h->error[0] = '\0';
	vd_http_answer_begin(&h->answer);
	(void)h->curl->easy_setopt(h->easy, CURLOPT_WRITEDATA, body);
	(void)h->curl->easy_setopt(h->easy, CURLOPT_TIMEOUT_MS, (long)left_ms);
	(void)h->curl->easy_setopt(h->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)connect_ms);
	code = h->curl->easy_perform(h->easy);
	body->limit = 0;
	if (code != CURLE_OK)
		return transfer_failed(h, code, fault);
	return check_status(h, fault);
}

/* --- The source --- */

static int take_picture(struct http *h, const struct vd_buf *body, struct vd_jpeg_info *ret_info,
			struct vd_fault *fault)
{
	const struct vd_jpeg_limits limits = { .pixels = h->source.settings->max_pixels };
	const void *bytes = body->data ? body->data : "";
	int r = vd_http_answer_check(&h->answer, bytes, body->len, fault);

	if (r == 0)
		r = vd_jpeg_head(bytes, body->len, &limits, ret_info, fault);
	if (r == -ENOMEM)
		return r;
	if (r < 0)
		vd_fault_prefix(fault, "%s", h->source.settings->host);
	return r < 0 ? VD_SOURCE_FAILED : 0;
}

static int check_fresh(struct http *h, const struct vd_buf *body, uint64_t trigger_ms,
		       struct vd_fault *fault)
{
	int64_t trigger_wall_ms =
		vd_clock_wall_ms() - ((int64_t)vd_clock_mono_ms() - (int64_t)trigger_ms);
	int r;

	if (!h->source.settings->refuses_repeats)
		return 0;
	r = vd_http_answer_fresh(&h->answer, body->data, body->len, &h->last, trigger_wall_ms,
				 &h->last, fault);
	if (r != -ESTALE)
		return r;
	h->source.counts.stale++;
	vd_fault_prefix(fault, "%s", h->source.settings->host);
	return VD_SOURCE_FAILED;
}

/* The light may have to stand first. */
static void settle(const struct http *h, const struct vd_camera_wish *wish)
{
	uint64_t at_ms = wish->not_before_ms + h->source.settings->settle_ms;
	uint64_t now_ms = vd_clock_mono_ms();

	if (wish->not_before_ms && at_ms > now_ms)
		(void)poll(NULL, 0, (int)(at_ms - now_ms));
}

static void stamp(struct http *h, struct vd_camera_frame *frame, const struct vd_jpeg_info *info,
		  uint64_t request_ms)
{
	frame->format = VD_FRAME_JPEG;
	frame->width = (uint32_t)info->width;
	frame->height = (uint32_t)info->height;
	frame->stride = 0;
	frame->t_mono_ms = request_ms;
	frame->t_wall_ms = vd_clock_wall_ms() - (int64_t)(vd_clock_mono_ms() - request_ms);
	frame->sequence = ++h->pictures;
	frame->serial[0] = frame->name[0] = '\0';
}

static int http_capture(struct vd_camera_source *source, const struct vd_camera_wish *wish,
			struct vd_camera_frame *frame, struct vd_fault *fault)
{
	struct http *h = http_of(source);
	struct vd_jpeg_info info;
	uint64_t request_ms;
	int r;

	settle(h, wish);
	request_ms = vd_clock_mono_ms();
	r = fetch(h, wish->deadline_ms, &frame->bytes, fault);
	if (r == 0)
		r = take_picture(h, &frame->bytes, &info, fault);
	if (r == 0)
		r = check_fresh(h, &frame->bytes, wish->not_before_ms, fault);
	if (r == 0)
		stamp(h, frame, &info, request_ms);
	return r;
}

static void http_close(struct vd_camera_source *source)
{
	struct http *h = http_of(source);

	if (h->easy)
		h->curl->easy_cleanup(h->easy);
	if (h->headers)
		h->curl->slist_free_all(h->headers);
	h->easy = NULL;
	h->headers = NULL;
	vd_buf_fini(&h->first);
}

static int set_up(struct http *h, struct vd_fault *fault)
{
	int r = vd_curl_load(&h->curl, fault);

	if (r < 0)
		return VD_SOURCE_FAILED;
	h->easy = h->curl->easy_init();
	h->headers = h->curl->slist_append(NULL, "Cache-Control: no-cache");
	if (!h->easy || !h->headers)
		return -ENOMEM;
	set_options(h);
	return set_credentials(h, fault) < 0 ? VD_SOURCE_FAILED : 0;
}

static int http_open(struct vd_camera_source *source, struct vd_fault *fault)
{
	struct http *h = http_of(source);
	struct vd_jpeg_info info;
	int r = set_up(h, fault);

	if (r == 0)
		r = fetch(h, vd_clock_mono_ms() + source->settings->timeout_ms, &h->first, fault);
	if (r == 0)
		r = take_picture(h, &h->first, &info, fault);
	vd_buf_fini(&h->first);
	if (r != 0)
		http_close(source);
	return r;
}

static cJSON *describe(const struct vd_camera_source *source)
{
	cJSON *object = cJSON_CreateObject();

	if (object && vd_json_add_string(object, "kind", "http") &&
	    vd_json_add_string(object, "host", source->settings->host) &&
	    vd_json_add_bool(object, "encrypted", source->settings->is_encrypted))
		return object;
	return vd_json_free(object);
}

static struct vd_camera_source *http_free(struct vd_camera_source *source)
{
	http_close(source);
	free(http_of(source));
	return NULL;
}

static const struct vd_camera_source_type http_type = {
	.open = http_open,
	.capture = http_capture,
	.describe = describe,
	.close = http_close,
	.free = http_free,
};

int vd_http_source_new(const struct vd_camera_settings *settings, const char *state_folder,
		       struct vd_camera_source **ret_source)
{
	struct http *h = calloc(1, sizeof *h);

	if (!h)
		return -ENOMEM;
	h->source = (struct vd_camera_source){ .type = &http_type, .settings = settings };
	(void)snprintf(h->state_folder, sizeof h->state_folder, "%s", state_folder);
	*ret_source = &h->source;
	return 0;
}
