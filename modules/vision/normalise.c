/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/vision/normalise.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "modules/vision/kernels.h"

/* Keeps the ratio of two dark windows near one: four grey levels, as sums of cells have them. */
enum { DARK = 4 * 16, GAIN_MOST = 4 * VD_GAIN_ONE, GAIN_LEAST = VD_GAIN_ONE / 4 };

/* Where all cells of a window have clipped, they are still better than nothing. */
enum { SOUND = 64, CLIPPED = 1 };

static int smaller(int a, int b)
{
	return a < b ? a : b;
}

static void add_rows(const struct vd_image *image, int top, int bottom, struct vd_cell_sums *sums)
{
	int y = top;

	memset(sums->pixels, 0, (size_t)image->width * sizeof *sums->pixels);
	memset(sums->most, 0, (size_t)image->width);
	for (; y + 4 <= bottom; y += 4)
		vd_row_accumulate(sums->pixels, sums->most, vd_image_row(image, y), image->stride,
				  image->width);
	for (; y < bottom; y++) {
		const uint8_t *row = vd_image_row(image, y);

		vd_row_max(sums->most, row, image->width);
		for (int x = 0; x < image->width; x++)
			sums->pixels[x] = (uint16_t)(sums->pixels[x] + row[x]);
	}
}

static uint8_t weight_of(const uint8_t *most, int n)
{
	uint8_t largest = 0;

	for (int i = 0; i < n; i++)
		largest = most[i] > largest ? most[i] : largest;
	return largest < VD_CLIPPED ? SOUND : CLIPPED;
}

static void weigh_cells_row(struct vd_cells *cells, int row, const uint8_t *most, int width)
{
	uint8_t *weights = cells->weights + (size_t)row * (size_t)cells->columns;

	for (int column = 0; column < cells->columns; column++) {
		const int left = column * VD_CELL_PX;

		weights[column] = weight_of(most + left, smaller(VD_CELL_PX, width - left));
	}
}

/* sums: a value a pixel, and, behind, one a cell. */
static void measure_cells_row(struct vd_cells *cells, const struct vd_image *image, int row,
			      struct vd_cell_sums *sums)
{
	const int top = row * VD_CELL_PX, bottom = smaller(top + VD_CELL_PX, image->height);
	const int whole = image->width / VD_CELL_PX, rest = image->width % VD_CELL_PX;
	const uint32_t area = (uint32_t)(VD_CELL_PX * (bottom - top));
	uint16_t *means = cells->means + (size_t)row * (size_t)cells->columns;

	add_rows(image, top, bottom, sums);
	weigh_cells_row(cells, row, sums->most, image->width);
	vd_row_cells(sums->pixels, whole, sums->cells);
	for (int column = 0; column < whole; column++)
		means[column] = (uint16_t)(sums->cells[column] * 16 / area);
	if (rest > 0) {
		uint32_t sum = 0;

		for (int x = image->width - rest; x < image->width; x++)
			sum += sums->pixels[x];
		means[whole] = (uint16_t)(sum * 16 / (uint32_t)(rest * (bottom - top)));
	}
}

static int cell_sums_init(struct vd_cell_sums *sums, int width)
{
	*sums = (struct vd_cell_sums){
		.pixels = malloc((size_t)width * sizeof *sums->pixels),
		.most = malloc((size_t)width),
		.cells = malloc(((size_t)width / VD_CELL_PX + 1) * sizeof *sums->cells),
	};
	return sums->pixels && sums->most && sums->cells ? 0 : -ENOMEM;
}

static void cell_sums_fini(struct vd_cell_sums *sums)
{
	free(sums->pixels);
	free(sums->most);
	free(sums->cells);
}

static void cell_sums_fini_p(struct vd_cell_sums *sums)
{
	cell_sums_fini(sums);
}

static int shape(struct vd_cells *cells, int columns, int rows)
{
	if (columns == cells->columns && rows == cells->rows)
		return 0;
	vd_cells_fini(cells);
	cells->means = calloc((size_t)columns * (size_t)rows, sizeof *cells->means);
	cells->weights = calloc((size_t)columns, (size_t)rows);
	if (!cells->means || !cells->weights) {
		vd_cells_fini(cells);
		return -ENOMEM;
	}
	cells->columns = columns;
	cells->rows = rows;
	return 0;
}

static int shape_cells(struct vd_cells *cells, const struct vd_image *image)
{
	return shape(cells, (image->width + VD_CELL_PX - 1) / VD_CELL_PX,
		     (image->height + VD_CELL_PX - 1) / VD_CELL_PX);
}

int vd_cells_measure(struct vd_cells *cells, const struct vd_image *image)
{
	VD_CLEANUP(cell_sums_fini) struct vd_cell_sums sums = { 0 };
	int r = cell_sums_init(&sums, image->width);

	if (r == 0)
		r = shape_cells(cells, image);
	for (int row = 0; r == 0 && row < cells->rows; row++)
		measure_cells_row(cells, image, row, &sums);
	return r;
}

double vd_cells_ratio(const struct vd_cells *cells, const struct vd_cells *others)
{
	const size_t count = (size_t)cells->columns * (size_t)cells->rows;
	uint64_t sum = 0, other = 0;

	for (size_t i = 0; i < count; i++) {
		const uint64_t weight = (uint64_t)smaller(cells->weights[i], others->weights[i]);

		sum += weight * (cells->means[i] + 1U);
		other += weight * (others->means[i] + 1U);
	}
	return other > 0 ? (double)sum / (double)other : 1;
}

void vd_cells_fini(struct vd_cells *cells)
{
	free(cells->means);
	free(cells->weights);
	*cells = (struct vd_cells){ 0 };
}

/*
 * wanted[column], found[column]: of the cells of this column from radius above row to radius below,
 * each + DARK, both weighed as the worse of the two.
 */
static void sum_columns(const struct vd_cells *reference, const struct vd_cells *image, int row,
			int radius, uint32_t *wanted, uint32_t *found)
{
	const int top = row < radius ? 0 : row - radius;
	const int bottom = smaller(row + radius, image->rows - 1);

	memset(wanted, 0, (size_t)image->columns * sizeof *wanted);
	memset(found, 0, (size_t)image->columns * sizeof *found);
	for (int y = top; y <= bottom; y++) {
		const size_t at = (size_t)y * (size_t)image->columns;

		for (int x = 0; x < image->columns; x++) {
			const size_t i = at + (size_t)x;
			const uint32_t weight =
				(uint32_t)smaller(reference->weights[i], image->weights[i]);

			wanted[x] += weight * (uint32_t)(reference->means[i] + DARK);
			found[x] += weight * (uint32_t)(image->means[i] + DARK);
		}
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

static int radius_of(int window_px)
{
	return (window_px + VD_CELL_PX) / (2 * VD_CELL_PX);
}

static void measure_gains_row(struct vd_gains *gains, const struct vd_cells *reference,
			      const struct vd_cells *image, int row, int radius, uint32_t *sums)
{
	const int columns = image->columns;
	uint32_t *wanted = sums, *found = sums + columns;
	uint64_t wanted_sum, found_sum;

	sum_columns(reference, image, row, radius, wanted, found);
	wanted_sum = first_window(wanted, columns, radius);
	found_sum = first_window(found, columns, radius);
	for (int column = 0; column < columns; column++) {
		wanted_sum = slide(wanted_sum, wanted, column, columns, radius);
		found_sum = slide(found_sum, found, column, columns, radius);
		gains->gains[row * columns + column] = ratio(wanted_sum, found_sum);
	}
}

static int shape_gains(struct vd_gains *gains, int columns, int rows)
{
	if (gains->columns == columns && gains->rows == rows)
		return 0;
	vd_gains_fini(gains);
	gains->gains = calloc((size_t)columns * (size_t)rows, sizeof *gains->gains);
	if (!gains->gains)
		return -ENOMEM;
	gains->columns = columns;
	gains->rows = rows;
	return 0;
}

int vd_gains_measure(struct vd_gains *gains, const struct vd_cells *reference,
		     const struct vd_cells *image, int window_px)
{
	VD_CLEANUP(vd_free) uint32_t *sums = NULL;
	int r;

	if (reference->columns != image->columns || reference->rows != image->rows ||
	    image->columns == 0 || image->rows == 0)
		return -EINVAL;
	sums = malloc(2 * (size_t)image->columns * sizeof *sums);
	r = sums ? shape_gains(gains, image->columns, image->rows) : -ENOMEM;
	if (r < 0)
		return r;
	for (int row = 0; row < image->rows; row++)
		measure_gains_row(gains, reference, image, row, radius_of(window_px), sums);
	gains->mean = vd_cells_ratio(reference, image);
	return 0;
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

/* knots: scratch, one a cell and two more. */
static void lay_gains_row(const struct vd_gains *gains, int y, int n, uint32_t *knots,
			  uint16_t *out)
{
	const int half = VD_CELL_PX / 2, whole = n > half ? (n - half) / VD_CELL_PX : 0;
	const int done = half + whole * VD_CELL_PX;
	uint16_t segment[VD_CELL_PX];

	for (int column = 0; column < gains->columns; column++)
		knots[column] = (uint32_t)between_rows(gains, column, y);
	knots[gains->columns] = knots[gains->columns - 1];
	knots[gains->columns + 1] = knots[gains->columns - 1];
	for (int x = 0; x < smaller(half, n); x++)
		out[x] = (uint16_t)(knots[0] / VD_CELL_PX);
	vd_row_ramps(knots, whole, out + half);
	if (n > done) {
		vd_row_ramps(knots + whole, 1, segment);
		memcpy(out + done, segment, (size_t)(n - done) * sizeof *out);
	}
}

int vd_gains_row(const struct vd_gains *gains, int y, int n, uint16_t *out)
{
	VD_CLEANUP(vd_free) uint32_t *knots = malloc(((size_t)gains->columns + 2) * sizeof *knots);

	if (!knots)
		return -ENOMEM;
	lay_gains_row(gains, y, n, knots, out);
	return 0;
}

int vd_cells_level(const struct vd_cells *reference, const struct vd_cells *cells, int window_px,
		   struct vd_gains *gains, struct vd_image *image)
{
	VD_CLEANUP(vd_free) uint16_t *row = malloc((size_t)image->width * sizeof *row);
	int r = row ? vd_gains_measure(gains, reference, cells, window_px) : -ENOMEM;

	for (int y = 0; r == 0 && y < image->height; y++) {
		r = vd_gains_row(gains, y, image->width, row);
		if (r == 0)
			vd_row_gain(vd_image_row(image, y), row, image->width);
	}
	return r;
}

/* ---- row by row ---- */

int vd_lighting_begin(struct vd_lighting *lighting, const struct vd_cells *reference,
		      const struct vd_image *image, int window_px, struct vd_cells *cells,
		      struct vd_gains *gains)
{
	int r = shape_cells(cells, image);

	if (r < 0)
		return r;
	if (reference->columns != cells->columns || reference->rows != cells->rows)
		return -EINVAL;
	r = shape_gains(gains, cells->columns, cells->rows);
	*lighting = (struct vd_lighting){ .reference = reference,
					  .image = image,
					  .cells = cells,
					  .gains = gains,
					  .radius = radius_of(window_px) };
	if (r < 0)
		return r;
	lighting->columns = malloc((2 * (size_t)cells->columns + 2) * sizeof *lighting->columns);
	return lighting->columns ? cell_sums_init(&lighting->sums, image->width) : -ENOMEM;
}

static void measure_until(struct vd_lighting *lighting, int row)
{
	for (; lighting->measured < lighting->cells->rows && lighting->measured <= row;
	     lighting->measured++)
		measure_cells_row(lighting->cells, lighting->image, lighting->measured,
				  &lighting->sums);
}

void vd_lighting_row(struct vd_lighting *lighting, int y, int n, uint16_t *out)
{
	const int needed = smaller(y / VD_CELL_PX + 1, lighting->gains->rows - 1);

	for (; lighting->levelled <= needed; lighting->levelled++) {
		measure_until(lighting, lighting->levelled + lighting->radius);
		measure_gains_row(lighting->gains, lighting->reference, lighting->cells,
				  lighting->levelled, lighting->radius, lighting->columns);
	}
	lay_gains_row(lighting->gains, y, n, lighting->columns, out);
}

void vd_lighting_end(struct vd_lighting *lighting)
{
	measure_until(lighting, lighting->cells->rows);
	lighting->gains->mean = vd_cells_ratio(lighting->reference, lighting->cells);
}

void vd_lighting_fini(struct vd_lighting *lighting)
{
	cell_sums_fini(&lighting->sums);
	free(lighting->columns);
	*lighting = (struct vd_lighting){ 0 };
}

void vd_gains_fini(struct vd_gains *gains)
{
	free(gains->gains);
	*gains = (struct vd_gains){ 0 };
}
