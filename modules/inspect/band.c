/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/inspect/band.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "modules/inspect/kernels.h"
#include "modules/inspect/warp.h"

/* The gain changes so little from row to row that one row of gains serves this many. */
enum { ROWS_A_GAIN = 8 };

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

struct rows {
	uint16_t *gains;
	uint8_t *row, *scratch; /* one row and a bit, and two such */
};

static void rows_fini(struct rows *rows)
{
	free(rows->gains);
	free(rows->row);
	free(rows->scratch);
}

static void rows_fini_p(struct rows *rows)
{
	rows_fini(rows);
}

static int begin(const struct vd_band *band, struct vd_band_work *work, struct rows *rows)
{
	const size_t n = (size_t)band->upper.width + 1;

	rows->gains = malloc(n * sizeof *rows->gains);
	rows->row = malloc(n);
	rows->scratch = malloc(2 * n);
	work->gains.mean = 1;
	if (!rows->gains || !rows->row || !rows->scratch)
		return -ENOMEM;
	return vd_excess_shape(&work->excess, band->upper.width, band->upper.height);
}

static void judge_row(const struct vd_band *band, struct vd_band_work *work, struct rows *rows,
		      uint8_t *row, int y)
{
	const int n = band->upper.width;

	if (band->window_px > 0 && y % ROWS_A_GAIN == 0)
		vd_gains_row(&work->gains, y, n, rows->gains);
	if (band->window_px > 0)
		vd_row_gain(row, rows->gains, n);
	compare_row(band, row, y, &work->excess, rows->scratch);
}

int vd_band_compare(const struct vd_band *band, struct vd_image *image, struct vd_band_work *work)
{
	VD_CLEANUP(rows_fini) struct rows rows = { 0 };
	int r;

	if (image->width != band->upper.width || image->height != band->upper.height)
		return -EINVAL;
	r = begin(band, work, &rows);
	if (r == 0 && band->window_px > 0)
		r = measure(band, image, work);
	for (int y = 0; r == 0 && y < image->height; y++)
		judge_row(band, work, &rows, vd_image_row(image, y), y);
	return r;
}

static int nearest(double v, int most)
{
	const int n = (int)lrint(fmin(fmax(v, 0), most));

	return n < most ? n : most;
}

/* Half a pixel does not matter to the mean of a cell of 16. */
static int measure_at(const struct vd_band *band, const struct vd_image *image, double x, double y,
		      struct vd_band_work *work)
{
	struct vd_image part = *image;

	part.width = band->upper.width;
	part.height = band->upper.height;
	if (part.width > image->width || part.height > image->height)
		return -EINVAL;
	part.pixels = vd_image_row(image, nearest(y, image->height - part.height)) +
		      nearest(x, image->width - part.width);
	return measure(band, &part, work);
}

int vd_band_compare_at(const struct vd_band *band, const struct vd_image *image, double x, double y,
		       struct vd_band_work *work)
{
	VD_CLEANUP(rows_fini) struct rows rows = { 0 };
	int r = begin(band, work, &rows);

	if (r == 0 && band->window_px > 0)
		r = measure_at(band, image, x, y, work);
	for (int row = 0; r == 0 && row < band->upper.height; row++) {
		vd_warp_row(image, x, y + row, band->upper.width, rows.row, rows.scratch);
		judge_row(band, work, &rows, rows.row, row);
	}
	return r;
}
