/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/upload/request.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/curl_library.h"
#include "base/version.h"

enum { CONNECT_S = 20, STALL_S = 60, ANSWER_BYTES = 64 * 1024, POLL_MS = 60000 };

struct vd_requester {
	struct vd_requester_config config;
	const struct vd_curl *curl; /* NULL until something is to be sent */
	_Atomic(CURLM *) multi;
	CURL *easy;
	atomic_bool is_cancelled;
};

int vd_requester_new(const struct vd_requester_config *config, struct vd_requester **ret_requester)
{
	struct vd_requester *r = calloc(1, sizeof *r);

	if (!r)
		return -ENOMEM;
	r->config = *config;
	*ret_requester = r;
	return 0;
}

struct vd_requester *vd_requester_free(struct vd_requester *r)
{
	if (r && r->curl) {
		r->curl->easy_cleanup(r->easy);
		(void)r->curl->multi_cleanup(r->multi);
	}
	free(r);
	return NULL;
}

void vd_requester_cancel(struct vd_requester *r)
{
	CURLM *multi = atomic_load(&r->multi);

	atomic_store(&r->is_cancelled, true);
	if (multi)
		(void)r->curl->multi_wakeup(multi);
}

/* The library comes with the first request: most boxes are idle most of the time. */
static int begin(struct vd_requester *r, struct vd_buf *ret_reason)
{
	const struct vd_curl *curl;
	struct vd_fault fault = { 0 };
	CURLM *multi;

	if (r->curl)
		return 0;
	if (vd_curl_load(&curl, &fault) < 0)
		return vd_buf_printf(ret_reason, "%s", fault.text) < 0 ? -ENOMEM : -EHOSTUNREACH;
	multi = curl->multi_init();
	r->easy = curl->easy_init();
	if (!multi || !r->easy) {
		curl->easy_cleanup(r->easy);
		(void)curl->multi_cleanup(multi);
		return -ENOMEM;
	}
	r->curl = curl;
	atomic_store(&r->multi, multi);
	return 0;
}

/* Nobody needs more of an answer than its beginning. */
static size_t collect(char *bytes, size_t one, size_t len, void *argument)
{
	struct vd_buf *body = argument;
	size_t room = ANSWER_BYTES - body->len;

	(void)one;
	return vd_buf_append(body, bytes, len < room ? len : room) == 0 ? len : 0;
}

static int make_headers(const struct vd_curl *curl, const struct vd_request *request,
			struct curl_slist **list)
{
	for (size_t i = 0; i <= request->header_count; i++) {
		struct curl_slist *longer = curl->slist_append(
			*list, i == request->header_count ? "Expect:" : request->headers[i]);

		if (!longer)
			return -ENOMEM;
		*list = longer;
	}
	return 0;
}

static void set_trust(const struct vd_requester *r, bool shows_certificate)
{
	const struct vd_requester_config *config = &r->config;
	const struct vd_curl *curl = r->curl;
	CURL *easy = r->easy;

	(void)curl->easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "https");
	(void)curl->easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (config->trust_file) {
		(void)curl->easy_setopt(easy, CURLOPT_CAINFO, config->trust_file);
		(void)curl->easy_setopt(easy, CURLOPT_CAPATH, NULL); /* these only */
	}
	if (config->certificate_file && shows_certificate) {
		(void)curl->easy_setopt(easy, CURLOPT_SSLCERT, config->certificate_file);
		(void)curl->easy_setopt(easy, CURLOPT_SSLKEY, config->key_file);
	}
}

/* A request that moves is never too slow; one that stands still for a minute is over. */
static void set_up(struct vd_requester *r, const struct vd_request *request, const char *url,
		   struct curl_slist *headers, struct vd_buf *body)
{
	const struct vd_curl *curl = r->curl;
	CURL *easy = r->easy;

	curl->easy_reset(easy); /* connections stay */
	set_trust(r, request->shows_certificate);
	(void)curl->easy_setopt(easy, CURLOPT_URL, url);
	(void)curl->easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
	(void)curl->easy_setopt(easy, CURLOPT_POSTFIELDS, request->len ? request->body : "");
	(void)curl->easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->len);
	(void)curl->easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
	(void)curl->easy_setopt(easy, CURLOPT_USERAGENT, "vedette/" VD_VERSION);
	(void)curl->easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	(void)curl->easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_S);
	(void)curl->easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
	(void)curl->easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, (long)STALL_S);
	(void)curl->easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, 16384L);
	(void)curl->easy_setopt(easy, CURLOPT_MAX_SEND_SPEED_LARGE,
				(curl_off_t)request->bytes_per_second);
	(void)curl->easy_setopt(easy, CURLOPT_WRITEFUNCTION, collect);
	(void)curl->easy_setopt(easy, CURLOPT_WRITEDATA, body);
}

/* 0, and the transfer's result; or -ECANCELED. */
static int drive(struct vd_requester *r, CURLcode *ret_code)
{
	int running = 1, left = 0;
	const CURLMsg *message;

	while (!atomic_load(&r->is_cancelled)) {
		if (r->curl->multi_perform(r->multi, &running) != CURLM_OK)
			return -ENOMEM;
		if (running) {
			(void)r->curl->multi_poll(r->multi, NULL, 0, POLL_MS, NULL);
			continue;
		}
		message = r->curl->multi_info_read(r->multi, &left);
		*ret_code = message ? message->data.result : CURLE_RECV_ERROR;
		return 0;
	}
	return -ECANCELED;
}

static int transfer(struct vd_requester *r, const struct vd_request *request, const char *url,
		    struct curl_slist *headers, long *ret_status, struct vd_buf *ret_body)
{
	const struct vd_curl *curl = r->curl;
	char error[CURL_ERROR_SIZE] = "";
	CURLcode code = CURLE_OK;
	int result;

	set_up(r, request, url, headers, ret_body);
	(void)curl->easy_setopt(r->easy, CURLOPT_ERRORBUFFER, error);
	if (curl->multi_add_handle(r->multi, r->easy) != CURLM_OK)
		return -ENOMEM;
	result = drive(r, &code);
	(void)curl->easy_getinfo(r->easy, CURLINFO_RESPONSE_CODE, ret_status);
	(void)curl->multi_remove_handle(r->multi, r->easy);
	curl->easy_reset(r->easy); /* nothing of the caller's is kept */
	if (result < 0 || code == CURLE_OK)
		return result;
	vd_buf_clear(ret_body);
	result = vd_buf_printf(ret_body, "%s", error[0] ? error : curl->easy_strerror(code));
	return result < 0 ? result : -EHOSTUNREACH;
}

int vd_request(struct vd_requester *r, const struct vd_request *request, long *ret_status,
	       struct vd_buf *ret_body)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf url = { 0 };
	struct curl_slist *headers = NULL;
	int result;

	vd_buf_clear(ret_body);
	result = begin(r, ret_body);
	if (result == 0)
		result = vd_buf_printf(&url, "https://%s:%u%s", request->host,
				       (unsigned)request->port, request->address);
	if (result < 0)
		return result;
	result = make_headers(r->curl, request, &headers);
	if (result == 0)
		result = transfer(r, request, url.data, headers, ret_status, ret_body);
	r->curl->slist_free_all(headers);
	return result;
}
