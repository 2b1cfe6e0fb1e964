/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/vedette-enrol/post.h"

#include <errno.h>
#include <string.h>

#include <curl/curl.h>

#include "base/buf.h"
#include "base/version.h"

enum { CONNECT_S = 15, CALL_S = 60, ANSWER_BYTES = 262144 };

static CURL *curl_free_easy(CURL *curl)
{
	curl_easy_cleanup(curl);
	return NULL;
}
VD_DEFINE_CLEANUP(CURL, curl_free_easy)

static struct curl_slist *list_free(struct curl_slist *list)
{
	curl_slist_free_all(list);
	return NULL;
}
VD_DEFINE_CLEANUP(struct curl_slist, list_free)

static size_t collect(char *bytes, size_t one, size_t len, void *argument)
{
	return vd_buf_append(argument, bytes, len) == 0 ? len : 0;
}

static void set_options(CURL *curl, const struct vd_post *post, const char *url, const char *text,
			struct vd_buf *answer)
{
	(void)curl_easy_setopt(curl, CURLOPT_URL, url);
	(void)curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "https");
	(void)curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	(void)curl_easy_setopt(curl, CURLOPT_CAINFO, post->ca);
	(void)curl_easy_setopt(curl, CURLOPT_CAPATH, NULL); /* this CA only */
	(void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_S);
	(void)curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)CALL_S);
	(void)curl_easy_setopt(curl, CURLOPT_USERAGENT, "vedette-enrol/" VD_VERSION);
	(void)curl_easy_setopt(curl, CURLOPT_POSTFIELDS, text);
	(void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, collect);
	(void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);
	if (post->identity) {
		(void)curl_easy_setopt(curl, CURLOPT_SSLCERT, post->identity);
		(void)curl_easy_setopt(curl, CURLOPT_SSLKEY, post->identity);
	}
}

/* "ErrorCode:Name;text" -> text */
static const char *reason_of(const cJSON *json)
{
	const char *message = vd_json_string(json, "Message", "no reason given");
	const char *text = strchr(message, ';');

	return text ? text + 1 : message;
}

static int read_answer(long status, const struct vd_buf *answer, cJSON **ret_answer,
		       struct vd_fault *fault)
{
	VD_CLEANUP(vd_json_free) cJSON *json = NULL;
	bool is_json =
		vd_json_parse(answer->data ? answer->data : "", answer->len, &json, NULL) == 0;

	if (status == 200 && is_json && cJSON_IsObject(json)) {
		*ret_answer = VD_TAKE(json);
		return 0;
	}
	vd_fault_set(fault, (int)status, "", "the hub answered %ld: %s", status, reason_of(json));
	return status == 429 || status >= 500 ? -EHOSTUNREACH : -EACCES;
}

static int perform(CURL *curl, const struct vd_post *post, struct vd_buf *answer,
		   struct vd_fault *fault)
{
	char error[CURL_ERROR_SIZE] = "";
	CURLcode code;

	(void)curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, error);
	code = curl_easy_perform(curl);
	(void)curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, NULL);
	if (code == CURLE_OK)
		return 0;
	vd_fault_set(fault, 503, "", "%s: %s", post->hub,
		     error[0] ? error : curl_easy_strerror(code));
	/* A hub that cannot prove itself will not do so later. */
	return code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE ||
			       code == CURLE_SSL_CERTPROBLEM
		       ? -EACCES
		       : -EHOSTUNREACH;
}

int vd_post(const struct vd_post *post, const cJSON *body, cJSON **ret_answer,
	    struct vd_fault *fault)
{
	VD_CLEANUP(curl_free_easy) CURL *curl = curl_easy_init();
	VD_CLEANUP(list_free)
	struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
	VD_CLEANUP(list_free) struct curl_slist *connect_to = NULL;
	VD_CLEANUP(vd_buf_fini) struct vd_buf answer = { .limit = ANSWER_BYTES };
	VD_CLEANUP(vd_buf_fini) struct vd_buf url = { 0 }, redirect = { 0 };
	VD_CLEANUP(vd_free) char *text = vd_json_text(body);
	long status = 0;
	int r = curl && headers && text ? vd_buf_printf(&url, "https://%s%s", post->hub, post->path)
					: -ENOMEM;

	if (r < 0)
		return r;
	set_options(curl, post, url.data, text, &answer);
	(void)curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	if (post->connect_to) {
		if (vd_buf_printf(&redirect, "::%s", post->connect_to) < 0)
			return -ENOMEM;
		connect_to = curl_slist_append(NULL, redirect.data);
		(void)curl_easy_setopt(curl, CURLOPT_CONNECT_TO, connect_to);
	}
	r = perform(curl, post, &answer, fault);
	(void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	explicit_bzero(text, strlen(text)); /* the token */
	return r == 0 ? read_answer(status, &answer, ret_answer, fault) : r;
}
