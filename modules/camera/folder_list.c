/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/camera/folder_list.h"

#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static int by_bytes(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool is_wanted(const struct dirent *entry, const char *pattern)
{
	if (entry->d_type != DT_REG && entry->d_type != DT_LNK && entry->d_type != DT_UNKNOWN)
		return false;
	return fnmatch(pattern, entry->d_name, FNM_PERIOD) == 0;
}

static int add(struct vd_folder_list *list, size_t *capacity, const char *name)
{
	if (list->count == *capacity) {
		size_t larger = *capacity ? *capacity * 2 : 64;
		char **names = reallocarray(list->names, larger, sizeof *names);

		if (!names)
			return -ENOMEM;
		list->names = names;
		*capacity = larger;
	}
	list->names[list->count] = strdup(name);
	if (!list->names[list->count])
		return -ENOMEM;
	list->count++;
	return 0;
}

static int read_entries(struct vd_folder_list *list, DIR *folder, const char *pattern)
{
	size_t capacity = 0;

	for (;;) {
		struct dirent *entry;
		int r;

		errno = 0;
		entry = readdir(folder);
		if (!entry)
			return -errno;
		r = is_wanted(entry, pattern) ? add(list, &capacity, entry->d_name) : 0;
		if (r < 0)
			return r;
	}
}

int vd_folder_list_read(struct vd_folder_list *list, const char *path, const char *pattern)
{
	struct vd_folder_list fresh = { 0 };
	DIR *folder = opendir(path);
	int r;

	if (!folder)
		return -errno;
	r = read_entries(&fresh, folder, pattern);
	(void)closedir(folder);
	if (r < 0) {
		vd_folder_list_fini(&fresh);
		return r;
	}
	if (fresh.count > 1)
		qsort(fresh.names, fresh.count, sizeof *fresh.names, by_bytes);
	vd_folder_list_fini(list);
	*list = fresh;
	return 0;
}

/* splitmix64 */
static uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15U;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9U;
	z = (z ^ z >> 27) * 0x94d049bb133111ebU;
	return z ^ z >> 31;
}

void vd_folder_list_shuffle(struct vd_folder_list *list, uint32_t seed, uint64_t round)
{
	uint64_t state = (uint64_t)seed << 32 ^ round;

	for (size_t i = list->count; i > 1; i--) {
		size_t j = (size_t)(next_random(&state) % i);
		char *name = list->names[i - 1];

		list->names[i - 1] = list->names[j];
		list->names[j] = name;
	}
}

size_t vd_folder_list_after_sorted(const struct vd_folder_list *list, const char *name)
{
	size_t low = 0, high = list->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(list->names[middle], name) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

size_t vd_folder_list_after_shuffled(const struct vd_folder_list *list, const char *name)
{
	for (size_t i = 0; i < list->count; i++) {
		if (strcmp(list->names[i], name) == 0)
			return i + 1;
	}
	return 0;
}

void vd_folder_list_fini(struct vd_folder_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->names[i]);
	free(list->names);
	*list = (struct vd_folder_list){ 0 };
}
