/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stddef.h>

/*
 * Detections of one thing told apart from detections of two: greedy non-maximum suppression,
 * class by class.
 */
struct vd_detection {
	double x, y, width, height; /* any unit; left, top */
	double score;
	int label; /* class */
};

/* Area in both over area in either, 0 to 1; 0 where a box has no area or is not finite. */
double vd_iou(const struct vd_detection *a, const struct vd_detection *b);

/*
 * Keeps, of detections of one class that overlap by more than iou_most, the one with the highest
 * score, and leaves out those whose box or score is not finite or whose box has no area. The
 * detections kept move to the front, highest score first, ties by class and place; returns how many.
 */
size_t vd_nms(struct vd_detection *list, size_t count, double iou_most);
