/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "base/fault.h"
#include "base/loop.h"
#include "twin/hub/config.h"

/* The hub, put together: the only place where its parts meet. */
struct vd_hub;

/* config is borrowed for its life. -errno with the reason in fault. */
VD_MUST int vd_hub_new(struct vd_loop *loop, const struct vd_config *config,
		       struct vd_hub **ret_hub, struct vd_fault *fault);
struct vd_hub *vd_hub_free(struct vd_hub *hub);
VD_DEFINE_CLEANUP(struct vd_hub, vd_hub_free)
