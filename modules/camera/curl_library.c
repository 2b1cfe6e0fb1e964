/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/camera/curl_library.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>

static const char *const names[] = {
	"curl_global_init",  "curl_easy_init",    "curl_easy_setopt",
	"curl_easy_perform", "curl_easy_getinfo", "curl_easy_strerror",
	"curl_easy_cleanup", "curl_slist_append", "curl_slist_free_all",
};

static int resolve(void *library, struct vd_curl *curl)
{
	void **slots = (void **)curl; /* POSIX: functions fit in data pointers */

	_Static_assert(sizeof *curl == VD_COUNT(names) * sizeof(void *), "one name each");
	for (size_t i = 0; i < VD_COUNT(names); i++) {
		slots[i] = dlsym(library, names[i]);
		if (!slots[i])
			return -ENOSYS;
	}
	return curl->global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? 0 : -ENOMEM;
}

int vd_curl_load(const struct vd_curl **ret_curl, struct vd_fault *fault)
{
	static struct vd_curl curl;
	static bool is_loaded;
	void *library;

	if (!is_loaded) {
		library = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
		is_loaded = library && resolve(library, &curl) == 0;
	}
	if (!is_loaded) {
		vd_fault_set(fault, 501, NULL,
			     "an http camera needs libcurl.so.4, which is not there (libcurl4)");
		return -ENOSYS;
	}
	*ret_curl = &curl;
	return 0;
}
