/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/inspect/locate.h"

#include <math.h>

void vd_pose_map(const struct vd_pose *pose, double x, double y, double *ret_x, double *ret_y)
{
	const double turn = pose->angle_deg * M_PI / 180;
	const double c = cos(turn), s = sin(turn), u = x - pose->cx, v = y - pose->cy;

	*ret_x = c * u - s * v + pose->cx + pose->dx;
	*ret_y = s * u + c * v + pose->cy + pose->dy;
}

struct vd_pose vd_pose_identity(void)
{
	return (struct vd_pose){ .score = 1 };
}
