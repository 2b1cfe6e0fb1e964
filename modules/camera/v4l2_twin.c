/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/camera/v4l2_twin.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { VALUE_BYTES = 128 };

/* What udev makes the name of: the USB device, and which of its video nodes this is. */
struct identity {
	char vendor[VALUE_BYTES], product[VALUE_BYTES], serial[VALUE_BYTES], index[VALUE_BYTES];
};

static bool path_of(const char *folder, const char *node, const char *file,
		    char path[static PATH_MAX])
{
	return (size_t)snprintf(path, PATH_MAX, "%s/%s/%s", folder, node, file) < PATH_MAX;
}

/* The first line; "" if there is none. */
static void read_value(const char *folder, const char *node, const char *file,
		       char value[static VALUE_BYTES])
{
	char path[PATH_MAX];
	VD_CLEANUP(vd_close) int fd = -1;
	ssize_t n = 0;

	if (path_of(folder, node, file, path))
		fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		n = read(fd, value, VALUE_BYTES - 1);
	value[n > 0 ? n : 0] = '\0';
	value[strcspn(value, "\n")] = '\0';
}

/* device is a link to the interface; above it is the USB device. */
static struct identity identify(const char *folder, const char *node)
{
	struct identity identity;

	read_value(folder, node, "device/../idVendor", identity.vendor);
	read_value(folder, node, "device/../idProduct", identity.product);
	read_value(folder, node, "device/../serial", identity.serial);
	read_value(folder, node, "index", identity.index);
	return identity;
}

static bool is_same(const struct identity *a, const struct identity *b)
{
	return strcmp(a->vendor, b->vendor) == 0 && strcmp(a->product, b->product) == 0 &&
	       strcmp(a->serial, b->serial) == 0 && strcmp(a->index, b->index) == 0;
}

static char *usb_device_of(const char *folder, const char *node)
{
	char path[PATH_MAX];

	return path_of(folder, node, "device/..", path) ? realpath(path, NULL) : NULL;
}

/* One USB device may have two cameras (colour, infrared); they have other interfaces and names. */
static bool is_one_device(const char *folder, const char *a, const char *b)
{
	VD_CLEANUP(vd_free) char *left = usb_device_of(folder, a);
	VD_CLEANUP(vd_free) char *right = usb_device_of(folder, b);

	return left && right && strcmp(left, right) == 0;
}

static int find_twin(const char *folder, const char *node, char *ret_other, size_t size)
{
	struct identity own = identify(folder, node);
	const struct dirent *entry;
	int found = 0;
	DIR *nodes;

	if (!own.vendor[0])
		return 0;
	nodes = opendir(folder);
	while (nodes && !found && (entry = readdir(nodes))) {
		struct identity other;

		if (entry->d_name[0] == '.' || strcmp(entry->d_name, node) == 0)
			continue;
		other = identify(folder, entry->d_name);
		found = is_same(&own, &other) && !is_one_device(folder, node, entry->d_name);
		if (found)
			(void)snprintf(ret_other, size, "%s", entry->d_name);
	}
	if (nodes)
		(void)closedir(nodes);
	return found;
}

int vd_v4l2_has_twin(const char *sysfs, const char *path, char *ret_other, size_t size)
{
	VD_CLEANUP(vd_free) char *device = realpath(path, NULL);
	char folder[PATH_MAX];

	if (!device)
		return 0;
	(void)snprintf(folder, sizeof folder, "%s/class/video4linux", sysfs);
	return find_twin(folder, strrchr(device, '/') + 1, ret_other, size);
}
