/* SPDX-License-Identifier: Apache-2.0 */
#include "base/curl_library.h"

#include <errno.h>
#include <stdbool.h>

#include "base/library.h"

static const char *const names[] = {
	"curl_global_init",      "curl_easy_init",           "curl_easy_setopt",
	"curl_easy_reset",       "curl_easy_perform",        "curl_easy_getinfo",
	"curl_easy_strerror",    "curl_easy_cleanup",        "curl_multi_init",
	"curl_multi_add_handle", "curl_multi_remove_handle", "curl_multi_perform",
	"curl_multi_poll",       "curl_multi_wakeup",        "curl_multi_info_read",
	"curl_multi_cleanup",    "curl_slist_append",        "curl_slist_free_all",
};

int vd_curl_load(const struct vd_curl **ret_curl, struct vd_fault *fault)
{
	static struct vd_curl curl;
	static bool is_loaded;

	_Static_assert(sizeof curl == VD_COUNT(names) * sizeof(void *), "one name each");
	if (!is_loaded)
		is_loaded = vd_library_load("libcurl.so.4", names, VD_COUNT(names),
					    (void **)&curl) == 0 &&
			    curl.global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
	if (!is_loaded) {
		vd_fault_set(fault, 501, NULL, "libcurl.so.4 is not there (libcurl4)");
		return -ENOSYS;
	}
	*ret_curl = &curl;
	return 0;
}
