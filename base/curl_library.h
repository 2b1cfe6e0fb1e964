/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <curl/curl.h>

#include "base/attr.h"
#include "base/fault.h"

/*
 * libcurl, loaded when somebody has something to fetch or to send: with all that it stands on it
 * costs 0.7 MB of private memory and some 4 MB of shared one, which nobody else should pay. It is
 * never unloaded.
 */
struct vd_curl {
	__typeof__((curl_global_init)) *global_init;
	__typeof__((curl_easy_init)) *easy_init;
	__typeof__((curl_easy_setopt)) *easy_setopt;
	__typeof__((curl_easy_reset)) *easy_reset;
	__typeof__((curl_easy_perform)) *easy_perform;
	__typeof__((curl_easy_getinfo)) *easy_getinfo;
	__typeof__((curl_easy_strerror)) *easy_strerror;
	__typeof__((curl_easy_cleanup)) *easy_cleanup;
	__typeof__((curl_multi_init)) *multi_init;
	__typeof__((curl_multi_add_handle)) *multi_add_handle;
	__typeof__((curl_multi_remove_handle)) *multi_remove_handle;
	__typeof__((curl_multi_perform)) *multi_perform;
	__typeof__((curl_multi_poll)) *multi_poll;
	__typeof__((curl_multi_wakeup)) *multi_wakeup;
	__typeof__((curl_multi_info_read)) *multi_info_read;
	__typeof__((curl_multi_cleanup)) *multi_cleanup;
	__typeof__((curl_slist_append)) *slist_append;
	__typeof__((curl_slist_free_all)) *slist_free_all;
};

/* One thread of a process. -ENOSYS: it is not installed, and fault says what is missing. */
VD_MUST int vd_curl_load(const struct vd_curl **ret_curl, struct vd_fault *fault);
