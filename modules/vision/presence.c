/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/vision/presence.h"

#include <errno.h>
#include <math.h>

#include "modules/vision/kernels.h"
#include "modules/vision/ncc.h"

/* Grey levels of variance below which a patch is a plain surface; samples looked at a place. */
enum { VARIANCE_LEAST = 4, SAMPLES_MOST = 1 << 14 };

static struct vd_patch whole(const struct vd_image *image)
{
	return vd_patch_of(image, (struct vd_rect){ 0, 0, image->width, image->height },
			   SAMPLES_MOST);
}

bool vd_presence_can_teach(const struct vd_image *patch)
{
	const struct vd_patch taught = whole(patch);

	return vd_patch_variance(&taught) >= VARIANCE_LEAST;
}

static void measure_levels(const struct vd_image *image, int margin, struct vd_presence *presence)
{
	const int width = image->width - 2 * margin, height = image->height - 2 * margin;
	const double pixels = (double)width * height;
	struct vd_products sums = { 0 };

	for (int y = margin; y < margin + height; y++) {
		const uint8_t *row = vd_image_row(image, y) + margin;

		for (int x = 0; x < width; x += VD_PRODUCTS_MOST) {
			const int left = width - x;

			vd_row_products(row + x, row + x,
					left < VD_PRODUCTS_MOST ? left : VD_PRODUCTS_MOST, &sums);
		}
	}
	presence->mean = (double)sums.b / pixels;
	presence->spread =
		sqrt(fmax(0, (double)sums.bb / pixels - presence->mean * presence->mean));
}

int vd_presence_measure(const struct vd_image *image, int margin, const struct vd_image *patch,
			struct vd_presence *ret_presence)
{
	struct vd_presence presence = { .score = NAN };

	if (margin < 0 || image->width <= 2 * margin || image->height <= 2 * margin ||
	    (patch &&
	     (patch->width != image->width - 2 * margin ||
	      patch->height != image->height - 2 * margin || patch->width > VD_PRODUCTS_MOST)))
		return -EINVAL;
	measure_levels(image, margin, &presence);
	if (patch) {
		const struct vd_patch taught = whole(patch);
		const struct vd_match best =
			vd_patch_search(&taught, image, margin, margin, margin, 0);

		presence.score = best.score;
		presence.dx = best.x - margin;
		presence.dy = best.y - margin;
	}
	*ret_presence = presence;
	return 0;
}
