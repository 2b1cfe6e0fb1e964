/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "base/attr.h"
#include "base/fault.h"

/*
 * A user and a password, which stand in no parameter and in no log: the file STATE/secrets/NAME
 * holds user:password in its first line. Whoever changes parameters can name a file of this
 * folder, and no other: no key of the device can be sent to a server as a password.
 */
enum { VD_SECRET_BYTES = 1024 };

struct vd_camera_secret {
	char user[VD_SECRET_BYTES], password[VD_SECRET_BYTES];
};

/* name: without '/'. -EACCES (others may read it), -EINVAL, -ENOENT and others with fault. */
VD_MUST int vd_camera_secret_read(const char *state_folder, const char *name,
				  struct vd_camera_secret *ret_secret, struct vd_fault *fault);
void vd_camera_secret_wipe(struct vd_camera_secret *secret);
