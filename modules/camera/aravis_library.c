/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/camera/aravis_library.h"

#include <errno.h>
#include <stdbool.h>

#include "base/library.h"

#define NAME(result, name, arguments) "arv_" #name,
static const char *const names[] = { VD_ARAVIS_FUNCTIONS(NAME) "g_object_unref", "g_error_free",
				     "g_free" };

int vd_aravis_load(const struct vd_aravis **ret_aravis, struct vd_fault *fault)
{
	static struct vd_aravis aravis;
	static bool is_loaded;

	_Static_assert(sizeof aravis == VD_COUNT(names) * sizeof(void *), "one name each");
	if (!is_loaded)
		is_loaded = vd_library_load("libaravis-0.8.so.0", names, VD_COUNT(names),
					    (void **)&aravis) == 0;
	if (!is_loaded) {
		vd_fault_set(fault, 501, NULL,
			     "an aravis camera needs libaravis-0.8.so.0, which is not there "
			     "(libaravis-0.8-0)");
		return -ENOSYS;
	}
	*ret_aravis = &aravis;
	return 0;
}
