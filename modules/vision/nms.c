/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/vision/nms.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

static bool is_sound(const struct vd_detection *detection)
{
	const double area = detection->width * detection->height;

	return isfinite(detection->x) && isfinite(detection->y) && isfinite(detection->score) &&
	       detection->width > 0 && detection->height > 0 && isfinite(area);
}

static double shared(double a, double a_side, double b, double b_side)
{
	return fmax(0, fmin(a + a_side, b + b_side) - fmax(a, b));
}

double vd_iou(const struct vd_detection *a, const struct vd_detection *b)
{
	double both;

	if (!is_sound(a) || !is_sound(b))
		return 0;
	both = shared(a->x, a->width, b->x, b->width) * shared(a->y, a->height, b->y, b->height);
	return both / (a->width * a->height + b->width * b->height - both);
}

static int order(double a, double b)
{
	return (a > b) - (a < b);
}

/* A whole order, so that the same detections come out alike whatever order they came in. */
static int compare(const void *left, const void *right)
{
	const struct vd_detection *a = left, *b = right;
	int r = order(b->score, a->score);

	if (r == 0)
		r = order(a->label, b->label);
	if (r == 0)
		r = order(a->y, b->y);
	if (r == 0)
		r = order(a->x, b->x);
	if (r == 0)
		r = order(a->height, b->height);
	return r ? r : order(a->width, b->width);
}

static size_t drop_unsound(struct vd_detection *list, size_t count)
{
	size_t sound = 0;

	for (size_t i = 0; i < count; i++) {
		if (is_sound(&list[i]))
			list[sound++] = list[i];
	}
	return sound;
}

static bool is_suppressed(const struct vd_detection *kept, size_t count,
			  const struct vd_detection *detection, double iou_most)
{
	for (size_t i = 0; i < count; i++) {
		if (kept[i].label == detection->label && vd_iou(&kept[i], detection) > iou_most)
			return true;
	}
	return false;
}

size_t vd_nms(struct vd_detection *list, size_t count, double iou_most)
{
	const size_t sound = drop_unsound(list, count);
	size_t kept = 0;

	if (sound > 1)
		qsort(list, sound, sizeof *list, compare);
	for (size_t i = 0; i < sound; i++) {
		if (!is_suppressed(list, kept, &list[i], iou_most))
			list[kept++] = list[i];
	}
	return kept;
}
