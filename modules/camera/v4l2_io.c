/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/camera/v4l2_io.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/attr.h"

static int kernel_open(void *context, const char *path)
{
	int fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static void kernel_close(void *context, int fd)
{
	(void)close(fd);
}

static int kernel_ioctl(void *context, int fd, unsigned long request, void *argument)
{
	int r;

	do
		r = ioctl(fd, request, argument);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : r;
}

static int kernel_map(void *context, int fd, size_t len, uint32_t offset, void **ret_memory)
{
	void *memory = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)offset);

	if (memory == MAP_FAILED)
		return -errno;
	*ret_memory = memory;
	return 0;
}

static void kernel_unmap(void *context, void *memory, size_t len)
{
	(void)munmap(memory, len);
}

static int kernel_poll(void *context, struct pollfd *fds, unsigned count, int timeout_ms)
{
	int r = poll(fds, count, timeout_ms);

	return r < 0 ? -errno : r;
}

const struct vd_v4l2_io vd_v4l2_kernel = {
	.open = kernel_open,
	.close = kernel_close,
	.ioctl = kernel_ioctl,
	.map = kernel_map,
	.unmap = kernel_unmap,
	.poll = kernel_poll,
	.sysfs = "/sys",
};
