/* SPDX-License-Identifier: Apache-2.0 */
#include "made_up.h"

#include <math.h>
#include <stdint.h>

#include "modules/image/jpeg.h"
#include "modules/vision/warp.h"

enum { QUALITY = 85 };

static uint32_t random_state = 88172645;

double made_up_noise(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 17;
	random_state ^= random_state << 5;
	return random_state / 4294967296.0 - 0.5;
}

int made_up_picture(int width, int height, double grain, struct vd_image *out)
{
	int r = vd_image_shape(out, width, height, VD_GREY);

	for (int y = 0; r == 0 && y < height; y++) {
		for (int x = 0; x < width; x++) {
			double v = 120 + 40 * sin(x / 37.0) * cos(y / 29.0) +
				   25 * sin((x + 2 * y) / 91.0) + 2 * made_up_noise();

			v += hypot(fmod(x, 240) - 120, fmod(y, 200) - 100) < 50 ? 30 : 0;
			v += grain * made_up_noise();
			vd_image_row(out, y)[x] = (uint8_t)lrint(fmin(fmax(v, 0), 255));
		}
	}
	return r;
}

/* As a camera sends it: three components, 4:2:0, though grey in content. */
int made_up_encode(const struct vd_image *grey, struct vd_buf *out)
{
	VD_CLEANUP(vd_image_fini) struct vd_image rgb = { 0 };
	int r = vd_image_shape(&rgb, grey->width, grey->height, VD_RGB);

	for (int y = 0; r == 0 && y < grey->height; y++) {
		const uint8_t *from = vd_image_row(grey, y);
		uint8_t *to = vd_image_row(&rgb, y);

		for (int x = 0; x < grey->width; x++, to += 3)
			to[0] = to[1] = to[2] = from[x];
	}
	vd_buf_clear(out);
	return r < 0 ? r : vd_jpeg_encode(&rgb, QUALITY, out);
}

/* Another capture: a sub-pixel shift, fresh noise. */
int made_up_capture(const struct vd_image *image, double dx, double dy, struct vd_image *out)
{
	struct vd_pose pose = vd_pose_identity();
	int r;

	pose.dx = -dx;
	pose.dy = -dy;
	r = vd_warp(image, &pose, (struct vd_rect){ 0, 0, image->width, image->height }, out);
	for (int y = 0; r == 0 && y < out->height; y++) {
		uint8_t *row = vd_image_row(out, y);

		for (int x = 0; x < out->width; x++)
			row[x] = (uint8_t)lrint(fmin(fmax(row[x] + 6 * made_up_noise(), 0), 255));
	}
	return r;
}
