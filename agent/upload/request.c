/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/upload/request.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#include <curl/curl.h>

#include "base/version.h"

enum { CONNECT_S = 20, STALL_S = 60, ANSWER_BYTES = 64 * 1024, POLL_MS = 60000 };

struct vd_requester {
	struct vd_requester_config config;
	CURLM *multi;
	CURL *easy;
	atomic_bool is_cancelled;
};

int vd_requester_new(const struct vd_requester_config *config, struct vd_requester **ret_requester)
{
	struct vd_requester *r = calloc(1, sizeof *r);

	if (!r)
		return -ENOMEM;
	r->config = *config;
	r->multi = curl_multi_init();
	r->easy = curl_easy_init();
	if (!r->multi || !r->easy) {
		(void)vd_requester_free(r);
		return -ENOMEM;
	}
	*ret_requester = r;
	return 0;
}

struct vd_requester *vd_requester_free(struct vd_requester *r)
{
	if (r) {
		curl_easy_cleanup(r->easy);
		(void)curl_multi_cleanup(r->multi);
		free(r);
	}
	return NULL;
}

void vd_requester_cancel(struct vd_requester *r)
{
	atomic_store(&r->is_cancelled, true);
	(void)curl_multi_wakeup(r->multi);
}

static struct curl_slist *list_free(struct curl_slist *list)
{
	curl_slist_free_all(list);
	return NULL;
}
VD_DEFINE_CLEANUP(struct curl_slist, list_free)

/* Nobody needs more of an answer than its beginning. */
static size_t collect(char *bytes, size_t one, size_t len, void *argument)
{
	struct vd_buf *body = argument;
	size_t room = ANSWER_BYTES - body->len;

	(void)one;
	return vd_buf_append(body, bytes, len < room ? len : room) == 0 ? len : 0;
}

static int make_headers(const struct vd_request *request, struct curl_slist **list)
{
	for (size_t i = 0; i <= request->header_count; i++) {
		struct curl_slist *longer = curl_slist_append(
			*list, i == request->header_count ? "Expect:" : request->headers[i]);

		if (!longer)
			return -ENOMEM;
		*list = longer;
	}
	return 0;
}

static void set_trust(CURL *easy, const struct vd_requester_config *config, bool shows_certificate)
{
	(void)curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "https");
	(void)curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (config->trust_file) {
		(void)curl_easy_setopt(easy, CURLOPT_CAINFO, config->trust_file);
		(void)curl_easy_setopt(easy, CURLOPT_CAPATH, NULL); /* these only */
	}
	if (config->certificate_file && shows_certificate) {
		(void)curl_easy_setopt(easy, CURLOPT_SSLCERT, config->certificate_file);
		(void)curl_easy_setopt(easy, CURLOPT_SSLKEY, config->key_file);
	}
}

/* A request that moves is never too slow; one that stands still for a minute is over. */
static void set_up(struct vd_requester *r, const struct vd_request *request, const char *url,
		   struct curl_slist *headers, struct vd_buf *body)
{
	CURL *easy = r->easy;

	curl_easy_reset(easy); /* connections stay */
	set_trust(easy, &r->config, request->shows_certificate);
	(void)curl_easy_setopt(easy, CURLOPT_URL, url);
	(void)curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
	(void)curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request->len ? request->body : "");
	(void)curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->len);
	(void)curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
	(void)curl_easy_setopt(easy, CURLOPT_USERAGENT, "vedette/" VD_VERSION);
	(void)curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_S);
	(void)curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
	(void)curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, (long)STALL_S);
	(void)curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, 16384L);
	(void)curl_easy_setopt(easy, CURLOPT_MAX_SEND_SPEED_LARGE,
			       (curl_off_t)request->bytes_per_second);
	(void)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, collect);
	(void)curl_easy_setopt(easy, CURLOPT_WRITEDATA, body);
}

/* 0, and the transfer's result; or -ECANCELED. */
static int drive(struct vd_requester *r, CURLcode *ret_code)
{
	int running = 1, left = 0;
	const CURLMsg *message;

	while (!atomic_load(&r->is_cancelled)) {
		if (curl_multi_perform(r->multi, &running) != CURLM_OK)
			return -ENOMEM;
		if (running) {
			(void)curl_multi_poll(r->multi, NULL, 0, POLL_MS, NULL);
			continue;
		}
		message = curl_multi_info_read(r->multi, &left);
		*ret_code = message ? message->data.result : CURLE_RECV_ERROR;
		return 0;
	}
	return -ECANCELED;
}

int vd_request(struct vd_requester *r, const struct vd_request *request, long *ret_status,
	       struct vd_buf *ret_body)
{
	VD_CLEANUP(list_free) struct curl_slist *headers = NULL;
	VD_CLEANUP(vd_buf_fini) struct vd_buf url = { 0 };
	char error[CURL_ERROR_SIZE] = "";
	CURLcode code = CURLE_OK;
	int result = make_headers(request, &headers);

	vd_buf_clear(ret_body);
	if (result == 0)
		result = vd_buf_printf(&url, "https://%s:%u%s", request->host,
				       (unsigned)request->port, request->address);
	if (result < 0)
		return result;
	set_up(r, request, url.data, headers, ret_body);
	(void)curl_easy_setopt(r->easy, CURLOPT_ERRORBUFFER, error);
	if (curl_multi_add_handle(r->multi, r->easy) != CURLM_OK)
		return -ENOMEM;
	result = drive(r, &code);
	(void)curl_easy_getinfo(r->easy, CURLINFO_RESPONSE_CODE, ret_status);
	(void)curl_multi_remove_handle(r->multi, r->easy);
	curl_easy_reset(r->easy); /* nothing of the caller's is kept */
	if (result < 0 || code == CURLE_OK)
		return result;
	vd_buf_clear(ret_body);
	result = vd_buf_printf(ret_body, "%s", error[0] ? error : curl_easy_strerror(code));
	return result < 0 ? result : -EHOSTUNREACH;
}
