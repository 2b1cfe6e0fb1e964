/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/vision/band.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "modules/vision/kernels.h"
#include "modules/vision/warp.h"

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
	vd_row_polarity(row, upper, scratch, n, vd_image_row(&excess->bits, y));
}

struct rows {
	struct vd_lighting lighting;
	uint16_t *gains;
	uint8_t *row, *scratch;
};

static void rows_fini(struct rows *rows)
{
	vd_lighting_fini(&rows->lighting);
	free(rows->gains);
	free(rows->row);
	free(rows->scratch);
}

static void rows_fini_p(struct rows *rows)
{
	rows_fini(rows);
}

/* lit: what the brightness is measured on, of the band's shape. */
static int begin(const struct vd_band *band, const struct vd_image *lit, struct vd_band_work *work,
		 struct rows *rows)
{
	const size_t n = (size_t)band->upper.width;
	int r;

	rows->gains = malloc(n * sizeof *rows->gains);
	rows->row = malloc(n);
	rows->scratch = malloc(n);
	work->gains.mean = 1;
	if (!rows->gains || !rows->row || !rows->scratch)
		return -ENOMEM;
	r = vd_excess_shape(&work->excess, band->upper.width, band->upper.height);
	if (r < 0 || band->window_px <= 0)
		return r;
	return vd_lighting_begin(&rows->lighting, &band->cells, lit, band->window_px, &work->cells,
				 &work->gains);
}

/* One row, sampled from three, against its part of the band, under the light of where it is. */
static void judge_lit(const struct vd_band *band, struct vd_band_work *work, struct rows *rows,
		      const struct vd_triple *from, int y)
{
	const uint8_t *upper = vd_image_row(&band->upper, y),
		      *lower = vd_image_row(&band->lower, y);
	const int n = band->upper.width;

	if (y % ROWS_A_GAIN == 0)
		vd_lighting_row(&rows->lighting, y, n, rows->gains);
	work->excess.any[y] = vd_row_judge(from->above, from->middle, from->below, from->phase,
					   rows->gains, upper, lower, n, rows->scratch) != 0;
	if (!work->excess.any[y])
		return;
	memcpy(vd_image_row(&work->excess.excess, y), rows->scratch, (size_t)n);
	vd_row_down(from->above, from->middle, from->below, from->phase, n, rows->row);
	vd_row_gain(rows->row, rows->gains, n);
	vd_row_polarity(rows->row, upper, rows->scratch, n, vd_image_row(&work->excess.bits, y));
}

/* A row that is registered already. */
static void judge_registered(const struct vd_band *band, struct vd_band_work *work,
			     struct rows *rows, const uint8_t *row, int y)
{
	const int n = band->upper.width;

	if (band->window_px <= 0) {
		compare_row(band, row, y, &work->excess, rows->scratch);
		return;
	}
	if (y % ROWS_A_GAIN == 0)
		vd_lighting_row(&rows->lighting, y, n, rows->gains);
	memcpy(rows->row, row, (size_t)n);
	vd_row_gain(rows->row, rows->gains, n);
	compare_row(band, rows->row, y, &work->excess, rows->scratch);
}

static void judge_sampled(const struct vd_band *band, struct vd_band_work *work, struct rows *rows,
			  struct vd_sampler *sampler, double y, int row)
{
	const struct vd_triple from = vd_sampler_take(sampler, y);

	if (band->window_px > 0) {
		judge_lit(band, work, rows, &from, row);
		return;
	}
	vd_row_down(from.above, from.middle, from.below, from.phase, band->upper.width, rows->row);
	compare_row(band, rows->row, row, &work->excess, rows->scratch);
}

static void end(const struct vd_band *band, struct rows *rows)
{
	if (band->window_px > 0)
		vd_lighting_end(&rows->lighting);
}

int vd_band_compare(const struct vd_band *band, struct vd_image *image, struct vd_band_work *work)
{
	VD_CLEANUP(rows_fini) struct rows rows = { 0 };
	int r;

	if (image->width != band->upper.width || image->height != band->upper.height)
		return -EINVAL;
	r = begin(band, image, work, &rows);
	if (r < 0)
		return r;
	for (int y = 0; y < image->height; y++)
		judge_registered(band, work, &rows, vd_image_row(image, y), y);
	end(band, &rows);
	return 0;
}

static int nearest(double v, int most)
{
	const int n = (int)lrint(fmin(fmax(v, 0), most));

	return n < most ? n : most;
}

/* Half a pixel does not matter to the mean of a cell of 16. */
static struct vd_image part_at(const struct vd_band *band, const struct vd_image *image, double x,
			       double y)
{
	struct vd_image part = *image;

	part.width = band->upper.width;
	part.height = band->upper.height;
	part.pixels = vd_image_row(image, nearest(y, image->height - part.height)) +
		      nearest(x, image->width - part.width);
	return part;
}

int vd_band_compare_at(const struct vd_band *band, const struct vd_image *image, double x, double y,
		       struct vd_band_work *work)
{
	VD_CLEANUP(vd_sampler_fini) struct vd_sampler sampler = { 0 };
	VD_CLEANUP(rows_fini) struct rows rows = { 0 };
	const int width = band->upper.width;
	struct vd_image part;
	int r;

	if (band->window_px > 0 && (width > image->width || band->upper.height > image->height))
		return -EINVAL;
	part = part_at(band, image, x, y);
	r = begin(band, &part, work, &rows);
	if (r == 0)
		r = vd_sampler_init(&sampler, image, x, width);
	if (r < 0)
		return r;
	for (int row = 0; row < band->upper.height; row++)
		judge_sampled(band, work, &rows, &sampler, y + row, row);
	end(band, &rows);
	return 0;
}
