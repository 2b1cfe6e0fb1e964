/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/inspect/band.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "modules/inspect/kernels.h"

/* The gain changes so little from row to row that one row of gains serves this many. */
enum { ROWS_A_GAIN = 4 };

void vd_band_fini(struct vd_band *band)
{
	vd_image_fini(&band->upper);
	vd_image_fini(&band->lower);
	vd_image_fini(&band->sigma);
	vd_cells_fini(&band->cells);
}

void vd_band_work_fini(struct vd_band_work *work)
{
	vd_cells_fini(&work->cells);
	vd_gains_fini(&work->gains);
	vd_excess_fini(&work->excess);
}

static int measure(const struct vd_band *band, const struct vd_image *image,
		   struct vd_band_work *work)
{
	int r = vd_cells_measure(&work->cells, image);

	if (r < 0)
		return r;
	return vd_gains_measure(&work->gains, &band->cells, &work->cells, band->window_px);
}

/* Rows inside the band, nearly all of a good part, cost no write: scratch takes them. */
static void compare_row(const struct vd_band *band, const uint8_t *row, int y,
			struct vd_excess *excess, uint8_t *scratch)
{
	const int n = band->upper.width;
	const uint8_t *upper = vd_image_row(&band->upper, y),
		      *lower = vd_image_row(&band->lower, y);

	excess->any[y] = vd_row_compare(row, upper, lower, n, scratch) != 0;
	if (!excess->any[y])
		return;
	memcpy(vd_image_row(&excess->excess, y), scratch, (size_t)n);
	vd_row_polarity(row, upper, lower, n, vd_image_row(&excess->bits, y));
}

int vd_band_compare(const struct vd_band *band, struct vd_image *image, struct vd_band_work *work)
{
	VD_CLEANUP(vd_free) uint16_t *gains = NULL;
	VD_CLEANUP(vd_free) uint8_t *scratch = NULL;
	int r;

	if (image->width != band->upper.width || image->height != band->upper.height)
		return -EINVAL;
	gains = malloc((size_t)image->width * sizeof *gains);
	scratch = malloc((size_t)image->width);
	r = gains && scratch ? vd_excess_shape(&work->excess, image->width, image->height)
			     : -ENOMEM;
	work->gains.mean = 1;
	if (r == 0 && band->window_px > 0)
		r = measure(band, image, work);
	for (int y = 0; r == 0 && y < image->height; y++) {
		uint8_t *row = vd_image_row(image, y);

		if (band->window_px > 0 && y % ROWS_A_GAIN == 0)
			vd_gains_row(&work->gains, y, image->width, gains);
		if (band->window_px > 0)
			vd_row_gain(row, gains, image->width);
		compare_row(band, row, y, &work->excess, scratch);
	}
	return r;
}
