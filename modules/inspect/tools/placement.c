/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/inspect/tools/placement.h"

#include <math.h>

struct vd_placement vd_placement_identity(void)
{
	return vd_placement_scale(1, 1);
}

struct vd_placement vd_placement_shift(double x, double y)
{
	return (struct vd_placement){ .xx = 1, .x = x, .yy = 1, .y = y };
}

struct vd_placement vd_placement_scale(double x, double y)
{
	return (struct vd_placement){ .xx = x, .yy = y };
}

struct vd_placement vd_placement_turn(int quarters, int width, int height)
{
	switch (quarters) {
	case 1:
		return (struct vd_placement){ .xy = 1, .yx = -1, .y = height };
	case 2:
		return (struct vd_placement){ .xx = -1, .x = width, .yy = -1, .y = height };
	case 3:
		return (struct vd_placement){ .xy = -1, .x = width, .yx = 1 };
	default:
		return vd_placement_identity();
	}
}

/* A pose is about the middles of pixels. */
struct vd_placement vd_placement_pose(const struct vd_pose *pose)
{
	const double turn = pose->angle_deg * M_PI / 180, c = cos(turn), s = sin(turn);
	struct vd_placement placement = { .xx = c, .xy = -s, .yx = s, .yy = c };
	double x, y;

	vd_pose_map(pose, -0.5, -0.5, &x, &y);
	placement.x = x + 0.5;
	placement.y = y + 0.5;
	return placement;
}

struct vd_placement vd_placement_join(const struct vd_placement *outer,
				      const struct vd_placement *inner)
{
	struct vd_placement both = {
		.xx = outer->xx * inner->xx + outer->xy * inner->yx,
		.xy = outer->xx * inner->xy + outer->xy * inner->yy,
		.yx = outer->yx * inner->xx + outer->yy * inner->yx,
		.yy = outer->yx * inner->xy + outer->yy * inner->yy,
	};

	vd_placement_map(outer, inner->x, inner->y, &both.x, &both.y);
	return both;
}

struct vd_placement vd_placement_back(const struct vd_placement *placement)
{
	const double area = placement->xx * placement->yy - placement->xy * placement->yx;
	struct vd_placement back = {
		.xx = placement->yy / area,
		.xy = -placement->xy / area,
		.yx = -placement->yx / area,
		.yy = placement->xx / area,
	};
	double x, y;

	vd_placement_map(&back, placement->x, placement->y, &x, &y);
	back.x = -x;
	back.y = -y;
	return back;
}

void vd_placement_map(const struct vd_placement *placement, double x, double y, double *ret_x,
		      double *ret_y)
{
	*ret_x = placement->xx * x + placement->xy * y + placement->x;
	*ret_y = placement->yx * x + placement->yy * y + placement->y;
}

/* Images of images of single pixels have places that no integer holds, or no number. */
static int whole_px(double at)
{
	static const double most = 1 << 29;

	return (int)fmin(fmax(at, -most), most);
}

struct vd_rect vd_placement_box(const struct vd_placement *placement, struct vd_rect box)
{
	static const double least = 1e-6; /* px: what rounding leaves is no pixel more */
	double left = INFINITY, top = INFINITY, right = -INFINITY, low = -INFINITY;

	for (int corner = 0; corner < 4; corner++) {
		double x, y;

		vd_placement_map(placement, box.x + (corner & 1 ? (double)box.width : 0),
				 box.y + (corner & 2 ? (double)box.height : 0), &x, &y);
		left = fmin(left, x);
		right = fmax(right, x);
		top = fmin(top, y);
		low = fmax(low, y);
	}
	box.x = whole_px(floor(left + least));
	box.y = whole_px(floor(top + least));
	box.width = whole_px(ceil(right - least)) - box.x;
	box.height = whole_px(ceil(low - least)) - box.y;
	return box;
}
