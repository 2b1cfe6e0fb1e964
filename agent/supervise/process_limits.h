/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"

/*
 * Limits of a running module. Memory is a data segment limit (RLIMIT_DATA) set from outside
 * right after the start; where a cgroup v2 folder is delegated to the agent, there is a leaf
 * a module as well, with memory.max and pids.max for all of its processes together. The
 * number of processes needs the leaf: the kernel's other limit counts a whole user.
 */
struct vd_limits {
	uint64_t memory_bytes; /* 0: none */
	uint32_t processes;    /* 0: none */
};

/* cgroup_folder NULL: none is delegated. -errno of the first limit that could not be set. */
VD_MUST int vd_limits_apply(const struct vd_limits *limits, const char *cgroup_folder,
			    const char *instance, pid_t pid);

/*
 * How often the kernel killed for want of memory: in the module's leaf, or without one on the
 * whole machine. It only grows; 0: not known.
 */
uint64_t vd_limits_oom_kills(const char *cgroup_folder, const char *instance);

void vd_limits_forget(const char *cgroup_folder, const char *instance); /* the leaf goes */
