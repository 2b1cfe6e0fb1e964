/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

/* The file names of a folder that match a pattern, in the order of one round. */
struct vd_folder_list {
	char **names;
	size_t count;
};

/*
 * Sorted in byte order; folders, pipes, sockets, devices and hidden files are left out. -errno, as of
 * opendir; -ENOMEM. An empty list is a success.
 */
VD_MUST int vd_folder_list_read(struct vd_folder_list *list, const char *path, const char *pattern);

/* The order of a round that this seed gives: the same for the same names, on every machine. */
void vd_folder_list_shuffle(struct vd_folder_list *list, uint32_t seed, uint64_t round);

/* The index behind name: of a sorted list also if name itself is gone. 0: nothing is before it. */
size_t vd_folder_list_after_sorted(const struct vd_folder_list *list, const char *name);
size_t vd_folder_list_after_shuffled(const struct vd_folder_list *list, const char *name);

void vd_folder_list_fini(struct vd_folder_list *list);
