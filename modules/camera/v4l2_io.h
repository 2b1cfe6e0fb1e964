/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <poll.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What the V4L2 source asks of the kernel, so that tests can put a driver of their own in its
 * place. Each returns what the system call returns, or -errno.
 */
struct vd_v4l2_io {
	int (*open)(void *context, const char *path);
	void (*close)(void *context, int fd);
	int (*ioctl)(void *context, int fd, unsigned long request, void *argument);
	int (*map)(void *context, int fd, size_t len, uint32_t offset, void **ret_memory);
	void (*unmap)(void *context, void *memory, size_t len);
	int (*poll)(void *context, struct pollfd *fds, unsigned count, int timeout_ms);
	void *context;
	const char *sysfs; /* NULL: there is none */
};

extern const struct vd_v4l2_io vd_v4l2_kernel;
