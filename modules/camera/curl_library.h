/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <curl/curl.h>

#include "base/attr.h"
#include "base/fault.h"

/*
 * libcurl, loaded when the first camera needs it: with everything that it stands on it costs
 * 0.7 MB of private memory, which no camera of another kind should pay. The library is never
 * unloaded.
 */
struct vd_curl {
	__typeof__((curl_global_init)) *global_init;
	__typeof__((curl_easy_init)) *easy_init;
	__typeof__((curl_easy_setopt)) *easy_setopt;
	__typeof__((curl_easy_perform)) *easy_perform;
	__typeof__((curl_easy_getinfo)) *easy_getinfo;
	__typeof__((curl_easy_strerror)) *easy_strerror;
	__typeof__((curl_easy_cleanup)) *easy_cleanup;
	__typeof__((curl_slist_append)) *slist_append;
	__typeof__((curl_slist_free_all)) *slist_free_all;
};

/* Of the worker's thread. -ENOSYS: it is not installed, and fault says what is missing. */
VD_MUST int vd_curl_load(const struct vd_curl **ret_curl, struct vd_fault *fault);
