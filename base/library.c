/* SPDX-License-Identifier: Apache-2.0 */
#include "base/library.h"

#include <dlfcn.h>
#include <errno.h>

/* What the library stands on is found through its handle too. */
int vd_library_load(const char *soname, const char *const *names, size_t count, void **slots)
{
	void *library = dlopen(soname, RTLD_NOW | RTLD_LOCAL);

	for (size_t i = 0; library && i < count; i++) {
		slots[i] = dlsym(library, names[i]);
		if (!slots[i])
			return -ENOSYS;
	}
	return library ? 0 : -ENOSYS;
}
