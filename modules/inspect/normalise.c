/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/inspect/normalise.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "modules/inspect/kernels.h"

/* Keeps the ratio of two dark windows near one: four grey levels, as sums of cells have them. */
enum { DARK = 4 * 16, GAIN_MOST = 4 * VD_GAIN_ONE, GAIN_LEAST = VD_GAIN_ONE / 4 };

static int smaller(int a, int b)
{
	return a < b ? a : b;
}

static void measure_cells_row(struct vd_cells *cells, const struct vd_image *image, int row,
			      uint16_t *sums)
{
	const int top = row * VD_CELL_PX, bottom = smaller(top + VD_CELL_PX, image->height);

	memset(sums, 0, (size_t)image->width * sizeof *sums);
	for (int y = top; y < bottom; y++)
		vd_row_accumulate(sums, vd_image_row(image, y), image->width);
	for (int column = 0; column < cells->columns; column++) {
		const int left = column * VD_CELL_PX;
		const int right = smaller(left + VD_CELL_PX, image->width);
		uint32_t sum = 0;

		for (int x = left; x < right; x++)
			sum += sums[x];
		cells->means[row * cells->columns + column] =
			(uint16_t)(sum * 16 / (uint32_t)((right - left) * (bottom - top)));
	}
}

int vd_cells_measure(struct vd_cells *cells, const struct vd_image *image)
{
	VD_CLEANUP(vd_free) uint16_t *sums = malloc((size_t)image->width * sizeof *sums);
	const int columns = (image->width + VD_CELL_PX - 1) / VD_CELL_PX;
	const int rows = (image->height + VD_CELL_PX - 1) / VD_CELL_PX;

	if (!sums)
		return -ENOMEM;
	if (columns != cells->columns || rows != cells->rows) {
		vd_cells_fini(cells);
		cells->means = calloc((size_t)columns * (size_t)rows, sizeof *cells->means);
		if (!cells->means)
			return -ENOMEM;
		cells->columns = columns;
		cells->rows = rows;
	}
	for (int row = 0; row < rows; row++)
		measure_cells_row(cells, image, row, sums);
	return 0;
}

void vd_cells_fini(struct vd_cells *cells)
{
	free(cells->means);
	*cells = (struct vd_cells){ 0 };
}

/* sums[column]: of the cells of this column from radius above row to radius below, each + DARK. */
static void sum_columns(const struct vd_cells *cells, int row, int radius, uint32_t *sums)
{
	const int top = row < radius ? 0 : row - radius;
	const int bottom = smaller(row + radius, cells->rows - 1);

	memset(sums, 0, (size_t)cells->columns * sizeof *sums);
	for (int y = top; y <= bottom; y++) {
		const uint16_t *means = cells->means + (size_t)y * (size_t)cells->columns;

		for (int x = 0; x < cells->columns; x++)
			sums[x] += means[x] + DARK;
	}
}

/* Moves a window's sum from column - 1 to column. */
static uint64_t slide(uint64_t sum, const uint32_t *sums, int column, int columns, int radius)
{
	if (column + radius < columns)
		sum += sums[column + radius];
	if (column - radius - 1 >= 0)
		sum -= sums[column - radius - 1];
	return sum;
}

static uint64_t first_window(const uint32_t *sums, int columns, int radius)
{
	uint64_t sum = 0;

	for (int x = 0; x < radius && x < columns; x++)
		sum += sums[x];
	return sum;
}

static uint16_t ratio(uint64_t wanted, uint64_t found)
{
	const uint64_t gain = (wanted * VD_GAIN_ONE + found / 2) / found;

	if (gain > GAIN_MOST)
		return GAIN_MOST;
	return gain < GAIN_LEAST ? GAIN_LEAST : (uint16_t)gain;
}

static void measure_gains_row(struct vd_gains *gains, const struct vd_cells *reference,
			      const struct vd_cells *image, int row, int radius, uint32_t *sums)
{
	const int columns = image->columns;
	uint32_t *wanted = sums, *found = sums + columns;
	uint64_t wanted_sum, found_sum;

	sum_columns(reference, row, radius, wanted);
	sum_columns(image, row, radius, found);
	wanted_sum = first_window(wanted, columns, radius);
	found_sum = first_window(found, columns, radius);
	for (int column = 0; column < columns; column++) {
		wanted_sum = slide(wanted_sum, wanted, column, columns, radius);
		found_sum = slide(found_sum, found, column, columns, radius);
		gains->gains[row * columns + column] = ratio(wanted_sum, found_sum);
	}
}

int vd_gains_measure(struct vd_gains *gains, const struct vd_cells *reference,
		     const struct vd_cells *image, int window_px)
{
	const int radius = (window_px + VD_CELL_PX) / (2 * VD_CELL_PX);
	const size_t count = (size_t)image->columns * (size_t)image->rows;
	VD_CLEANUP(vd_free) uint32_t *sums = NULL;
	uint64_t wanted = 0, found = 0;

	if (reference->columns != image->columns || reference->rows != image->rows || count == 0)
		return -EINVAL;
	if (gains->columns != image->columns || gains->rows != image->rows) {
		vd_gains_fini(gains);
		gains->gains = calloc(count, sizeof *gains->gains);
		if (!gains->gains)
			return -ENOMEM;
		gains->columns = image->columns;
		gains->rows = image->rows;
	}
	sums = malloc(2 * (size_t)image->columns * sizeof *sums);
	if (!sums)
		return -ENOMEM;
	for (int row = 0; row < image->rows; row++)
		measure_gains_row(gains, reference, image, row, radius, sums);
	for (size_t i = 0; i < count; i++) {
		wanted += reference->means[i] + 1U;
		found += image->means[i] + 1U;
	}
	gains->mean = (double)wanted / (double)found;
	return 0;
}

void vd_gains_fini(struct vd_gains *gains)
{
	free(gains->gains);
	*gains = (struct vd_gains){ 0 };
}

/* Between the cells of two rows, at y. */
static int between_rows(const struct vd_gains *gains, int column, int y)
{
	const int offset = y - VD_CELL_PX / 2, above = offset < 0 ? 0 : offset / VD_CELL_PX;
	const int below = smaller(offset < 0 ? 0 : above + 1, gains->rows - 1);
	const int part = offset < 0 ? 0 : offset % VD_CELL_PX;

	return gains->gains[smaller(above, gains->rows - 1) * gains->columns + column] *
		       (VD_CELL_PX - part) +
	       gains->gains[below * gains->columns + column] * part;
}

void vd_gains_row(const struct vd_gains *gains, int y, int n, uint16_t *out)
{
	uint16_t segment[VD_CELL_PX];
	int from = between_rows(gains, 0, y);

	for (int i = 0; i < smaller(VD_CELL_PX / 2, n); i++)
		out[i] = (uint16_t)(from / VD_CELL_PX);
	for (int column = 0, x = VD_CELL_PX / 2; x < n; column++, x += VD_CELL_PX) {
		const int to = between_rows(gains, smaller(column + 1, gains->columns - 1), y);

		if (n - x >= VD_CELL_PX) {
			vd_row_ramp((uint32_t)from, (uint32_t)to, out + x);
		} else {
			vd_row_ramp((uint32_t)from, (uint32_t)to, segment);
			memcpy(out + x, segment, (size_t)(n - x) * sizeof *out);
		}
		from = to;
	}
}
