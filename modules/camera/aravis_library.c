/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/camera/aravis_library.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>

#define NAME(result, name, arguments) "arv_" #name,
static const char *const names[] = { VD_ARAVIS_FUNCTIONS(NAME) "g_object_unref", "g_error_free",
				     "g_free" };

/* What Aravis stands on is found through its handle too. */
static bool resolve(void *library, struct vd_aravis *aravis)
{
	void **slots = (void **)aravis; /* POSIX: functions fit in data pointers */

	_Static_assert(sizeof *aravis == VD_COUNT(names) * sizeof(void *), "one name each");
	for (size_t i = 0; i < VD_COUNT(names); i++) {
		slots[i] = dlsym(library, names[i]);
		if (!slots[i])
			return false;
	}
	return true;
}

int vd_aravis_load(const struct vd_aravis **ret_aravis, struct vd_fault *fault)
{
	static struct vd_aravis aravis;
	static bool is_loaded;
	void *library;

	if (!is_loaded) {
		library = dlopen("libaravis-0.8.so.0", RTLD_NOW | RTLD_LOCAL);
		is_loaded = library && resolve(library, &aravis);
	}
	if (!is_loaded) {
		vd_fault_set(fault, 501, NULL,
			     "an aravis camera needs libaravis-0.8.so.0, which is not there "
			     "(libaravis-0.8-0)");
		return -ENOSYS;
	}
	*ret_aravis = &aravis;
	return 0;
}
