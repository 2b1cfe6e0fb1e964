/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/sdk/frame_check.h"

#include <errno.h>
#include <string.h>

static int refuse(struct vd_fault *fault, const char *pointer, const char *text)
{
	vd_fault_set(fault, 400, pointer, "%s", text);
	return -EINVAL;
}

static int check_grey(const struct vd_frame_claim *c, struct vd_fault *fault)
{
	if (c->width == 0 || c->height == 0)
		return refuse(fault, "/width", "a grey frame without a size");
	if (c->stride < c->width)
		return refuse(fault, "/stride", "less than the width");
	if ((int64_t)c->stride * c->height > c->bytes)
		return refuse(fault, "/bytes", "less than stride x height");
	return 0;
}

int vd_frame_check(const cJSON *packet, const struct vd_pool_view *view,
		   struct vd_frame_claim *ret_claim, struct vd_fault *fault)
{
	int64_t slot = vd_json_int(packet, "slot", -1), bytes = vd_json_int(packet, "bytes", -1);
	int64_t width = vd_json_int(packet, "width", 0), height = vd_json_int(packet, "height", 0);
	int64_t stride = vd_json_int(packet, "stride", 0), seq = vd_json_int(packet, "seq", -1);
	int64_t t_mono = vd_json_int(packet, "tMono", 0);
	struct vd_frame_claim c;

	if (!view)
		return refuse(fault, "", "a frame before its pool");
	if (!vd_pool_view_slot(view, slot, bytes))
		return refuse(fault, "/slot", "slot or bytes outside the pool");
	if (width < 0 || width > VD_FRAME_SIDE_PX || height < 0 || height > VD_FRAME_SIDE_PX)
		return refuse(fault, "/width", "width or height out of bounds");
	if (stride < 0 || stride > VD_POOL_SLOT_BYTES)
		return refuse(fault, "/stride", "out of bounds");
	if (seq < 0 || t_mono < 0)
		return refuse(fault, "/seq", "seq is missing, or a time is negative");
	c = (struct vd_frame_claim){ .slot = (unsigned)slot,
				     .width = (unsigned)width,
				     .height = (unsigned)height,
				     .stride = (unsigned)stride,
				     .bytes = bytes,
				     .format = vd_json_string(packet, "format", NULL),
				     .seq = (uint64_t)seq,
				     .t_mono_ms = (uint64_t)t_mono };
	if (!c.format)
		return refuse(fault, "/format", "is missing");
	if (!strcmp(c.format, "grey") && check_grey(&c, fault) < 0)
		return -EINVAL;
	*ret_claim = c;
	return 0;
}
