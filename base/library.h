/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stddef.h>

#include "base/attr.h"

/*
 * A shared library that only some need, loaded at run time and never unloaded. slots: as
 * many function pointers as there are names. -ENOSYS: it is not installed, or lacks one of them.
 */
VD_MUST int vd_library_load(const char *soname, const char *const *names, size_t count,
			    void **slots);
