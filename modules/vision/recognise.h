/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/buf.h"
#include "modules/vision/feed.h"
#include "modules/vision/nms.h"
#include "modules/vision/onnx.h"

/*
 * What a network's answers mean: a class, objects in boxes, or a line of text. Numbers come from a
 * model that may be wrong in any way: every one that is used is checked to be finite, and every
 * index to be one of the classes.
 *
 * All return -EBADMSG for answers of another shape than said, and for numbers that are not finite;
 * ret_why is then a static text.
 */
enum vd_activation {
	VD_AS_IS,   /* the answers are probabilities */
	VD_SOFTMAX, /* they are logits */
	VD_SIGMOID,
};

struct vd_found_class {
	int label;
	double score;
};

/* One answer of so many numbers, its sides of 1 left out. */
VD_MUST int vd_recognise_class(const struct vd_tensor *scores, int classes,
			       enum vd_activation activation, struct vd_found_class *ret_class,
			       const char **ret_why);

/* ---- objects ---- */

/* Boxes in px of the image that was fed, before it was brought to size. */
struct vd_detections {
	struct vd_detection *list;
	size_t count, capacity;
};

void vd_detections_fini(struct vd_detections *found);

enum vd_boxes_kind {
	VD_BOXES_SSD,  /* boxes, labels and scores in answers of their own */
	VD_BOXES_YOLO, /* one answer: a box and a score a class for each of many places */
};

struct vd_boxes {
	enum vd_boxes_kind kind;
	char boxes[VD_ONNX_NAME], labels[VD_ONNX_NAME], scores[VD_ONNX_NAME]; /* SSD: answers */
	char count[VD_ONNX_NAME];      /* SSD: how many are meant; "": all */
	bool y_first;                  /* SSD: y, x, y, x; else x, y, x, y */
	bool is_relative;              /* 0 to 1, else px of what is fed */
	int first_label;               /* SSD: the number of the first class */
	bool has_objectness;           /* YOLO: a score of its own before the classes' */
	bool is_by_column;             /* YOLO: places last (8 and later), else first (5) */
	enum vd_activation activation; /* of scores: VD_AS_IS or VD_SIGMOID */
};

enum { VD_FOUND_MOST = 4096 };

/*
 * thresholds: one a class; boxes below, and such without an inside, are left out. Boxes are clipped to the
 * image of image_width x image_height; overlaps are not looked at. -E2BIG: more than VD_FOUND_MOST.
 */
VD_MUST int vd_recognise_boxes(const struct vd_boxes *boxes, const struct vd_answers *answers,
			       const struct vd_feed_place *place, int image_width, int image_height,
			       const double *thresholds, int classes, struct vd_detections *found,
			       const char **ret_why);

/* ---- text ---- */

/*
 * Connectionist temporal classification, read greedily: the likeliest symbol at each step, repeats
 * and blanks (symbol 0) left out. symbols: the text of each but the blank. text is appended to and
 * ends with NUL; ret_score: mean probability of the symbols read, 0 when there is none.
 */
VD_MUST int vd_recognise_text(const struct vd_tensor *scores, const char *const *symbols,
			      int symbol_count, enum vd_activation activation, struct vd_buf *text,
			      double *ret_score, const char **ret_why);
