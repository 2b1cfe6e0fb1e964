/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/vision/recognise.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

static int wrong(const char **ret_why, const char *why)
{
	*ret_why = why;
	return -EBADMSG;
}

static bool are_finite(const float *values, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (!isfinite(values[i]))
			return false;
	}
	return true;
}

static double activated(enum vd_activation activation, double value)
{
	return activation == VD_SIGMOID ? 1 / (1 + exp(-value)) : value;
}

/* The likeliest of count logits or probabilities that stand stride apart; its probability. */
static int likeliest(const float *values, size_t count, size_t stride,
		     enum vd_activation activation, double *ret_score)
{
	size_t best = 0;
	double sum = 0;

	for (size_t i = 1; i < count; i++) {
		if (values[i * stride] > values[best * stride])
			best = i;
	}
	for (size_t i = 0; activation == VD_SOFTMAX && i < count; i++)
		sum += exp((double)values[i * stride] - (double)values[best * stride]);
	*ret_score = activation == VD_SOFTMAX
			     ? 1 / sum
			     : activated(activation, (double)values[best * stride]);
	return (int)best;
}

int vd_recognise_class(const struct vd_tensor *scores, int classes, enum vd_activation activation,
		       struct vd_found_class *ret_class, const char **ret_why)
{
	double score;

	if (classes < 1 || scores->count != (size_t)classes)
		return wrong(ret_why, "not one score for each class");
	if (!are_finite(scores->values, scores->count))
		return wrong(ret_why, "a score is not a number");
	ret_class->label = likeliest(scores->values, scores->count, 1, activation, &score);
	ret_class->score = score;
	if (score < 0 || score > 1.0001)
		return wrong(ret_why, "a score is no probability");
	return 0;
}

/* ---- objects ---- */

void vd_detections_fini(struct vd_detections *found)
{
	free(found->list);
	*found = (struct vd_detections){ 0 };
}

static int add(struct vd_detections *found, const struct vd_detection *one)
{
	if (found->count == VD_FOUND_MOST)
		return -E2BIG;
	if (found->count == found->capacity) {
		const size_t capacity = found->capacity ? 2 * found->capacity : 32;
		struct vd_detection *list = realloc(found->list, capacity * sizeof *list);

		if (!list)
			return -ENOMEM;
		found->list = list;
		found->capacity = capacity;
	}
	found->list[found->count++] = *one;
	return 0;
}

/* What all boxes have in common while they are read. */
struct reading {
	const struct vd_boxes *boxes;
	const struct vd_feed_place *place;
	int width, height;
	const double *thresholds;
	int classes;
	struct vd_detections *found;
	const char **why;
};

/* Corners in what was fed become a box in the image; one without an inside is dropped. */
static int take(const struct reading *reading, int label, double score, const double corners[4])
{
	const struct vd_feed_place *place = reading->place;
	const double across = reading->boxes->is_relative ? place->width : 1;
	const double down = reading->boxes->is_relative ? place->height : 1;
	const double left = fmax(0, (corners[0] * across - place->x_at) / place->scale_x);
	const double top = fmax(0, (corners[1] * down - place->y_at) / place->scale_y);
	const double right =
		fmin(reading->width, (corners[2] * across - place->x_at) / place->scale_x);
	const double low =
		fmin(reading->height, (corners[3] * down - place->y_at) / place->scale_y);

	if (!(right > left) || !(low > top))
		return 0;
	return add(reading->found,
		   &(struct vd_detection){ left, top, right - left, low - top, score, label });
}

/* ---- SSD ---- */

struct ssd {
	const struct vd_tensor *boxes, *labels, *scores;
	size_t count;
};

static const struct vd_tensor *answer(const struct vd_answers *answers, const char *name)
{
	const int i = vd_answers_find(answers, name);

	return i < 0 || !name[0] ? NULL : &answers->list[i];
}

static int open_ssd(const struct reading *reading, const struct vd_answers *answers,
		    struct ssd *ssd)
{
	const struct vd_boxes *boxes = reading->boxes;
	const struct vd_tensor *count = answer(answers, boxes->count);

	*ssd = (struct ssd){ answer(answers, boxes->boxes), answer(answers, boxes->labels),
			     answer(answers, boxes->scores), 0 };
	if (!ssd->boxes || !ssd->labels || !ssd->scores || (boxes->count[0] && !count))
		return wrong(reading->why, "there is no answer of that name");
	ssd->count = ssd->scores->count;
	if (ssd->labels->count != ssd->count || ssd->boxes->count != 4 * ssd->count)
		return wrong(reading->why, "not one box and label for each score");
	if (!count)
		return 0;
	if (count->count != 1 || !(count->values[0] >= 0) ||
	    (double)count->values[0] > (double)ssd->count)
		return wrong(reading->why, "the count of boxes is none");
	ssd->count = (size_t)count->values[0];
	return 0;
}

static int take_ssd(const struct reading *reading, const struct ssd *ssd, size_t i)
{
	const float *box = ssd->boxes->values + 4 * i;
	const double label = (double)ssd->labels->values[i] - reading->boxes->first_label;
	const double score = activated(reading->boxes->activation, (double)ssd->scores->values[i]);
	const int x = reading->boxes->y_first ? 1 : 0;
	const double corners[4] = { box[x], box[1 - x], box[2 + x], box[3 - x] };

	if (!are_finite(box, 4) || !isfinite(label) || !isfinite(score))
		return wrong(reading->why, "a number is none");
	if (label < 0 || label >= reading->classes)
		return score > 0.01 ? wrong(reading->why, "a label is none of the classes") : 0;
	return score < reading->thresholds[(int)label] ? 0
						       : take(reading, (int)label, score, corners);
}

static int read_ssd(const struct reading *reading, const struct vd_answers *answers)
{
	struct ssd ssd;
	int r = open_ssd(reading, answers, &ssd);

	for (size_t i = 0; r == 0 && i < ssd.count; i++)
		r = take_ssd(reading, &ssd, i);
	return r;
}

/* ---- YOLO ---- */

/* Numbers of one place stand step apart, those of the next place stride further. */
struct yolo {
	const float *values;
	size_t places, step, stride;
};

static int open_yolo(const struct reading *reading, const struct vd_answers *answers,
		     struct yolo *yolo)
{
	const struct vd_boxes *boxes = reading->boxes;
	const size_t wanted = 4 + (size_t)boxes->has_objectness + (size_t)reading->classes;
	const struct vd_tensor *tensor;
	size_t numbers;
	int at;

	if (answers->count < 1 || answers->list[0].rank < 2)
		return wrong(reading->why, "not an answer of places and numbers");
	tensor = &answers->list[0];
	at = tensor->rank - (boxes->is_by_column ? 2 : 1);
	numbers = (size_t)tensor->sides[at];
	yolo->places = (size_t)tensor->sides[tensor->rank - (boxes->is_by_column ? 1 : 2)];
	if (numbers != wanted || tensor->count != numbers * yolo->places)
		return wrong(reading->why, "not a box and a score for each class");
	yolo->values = tensor->values;
	yolo->step = boxes->is_by_column ? yolo->places : 1;
	yolo->stride = boxes->is_by_column ? 1 : numbers;
	return 0;
}

static int take_yolo(const struct reading *reading, const struct yolo *yolo, size_t place)
{
	const float *at = yolo->values + place * yolo->stride;
	const enum vd_activation activation = reading->boxes->activation;
	const size_t first = 4 + (size_t)reading->boxes->has_objectness;
	double box[4], score, whole = 1;
	int label;

	for (size_t i = 0; i < first + (size_t)reading->classes; i++) {
		if (!isfinite(at[i * yolo->step]))
			return wrong(reading->why, "a number is none");
	}
	for (size_t i = 0; i < 4; i++)
		box[i] = (double)at[i * yolo->step];
	if (reading->boxes->has_objectness)
		whole = activated(activation, (double)at[4 * yolo->step]);
	label = likeliest(at + first * yolo->step, (size_t)reading->classes, yolo->step, activation,
			  &score);
	score *= whole;
	if (score < reading->thresholds[label])
		return 0;
	return take(reading, label, score,
		    (const double[4]){ box[0] - box[2] / 2, box[1] - box[3] / 2,
				       box[0] + box[2] / 2, box[1] + box[3] / 2 });
}

static int read_yolo(const struct reading *reading, const struct vd_answers *answers)
{
	struct yolo yolo;
	int r = open_yolo(reading, answers, &yolo);

	for (size_t i = 0; r == 0 && i < yolo.places; i++)
		r = take_yolo(reading, &yolo, i);
	return r;
}

int vd_recognise_boxes(const struct vd_boxes *boxes, const struct vd_answers *answers,
		       const struct vd_feed_place *place, int image_width, int image_height,
		       const double *thresholds, int classes, struct vd_detections *found,
		       const char **ret_why)
{
	const struct reading reading = { boxes,      place,   image_width, image_height,
					 thresholds, classes, found,       ret_why };

	found->count = 0;
	return boxes->kind == VD_BOXES_SSD ? read_ssd(&reading, answers)
					   : read_yolo(&reading, answers);
}

/* ---- text ---- */

int vd_recognise_text(const struct vd_tensor *scores, const char *const *symbols, int symbol_count,
		      enum vd_activation activation, struct vd_buf *text, double *ret_score,
		      const char **ret_why)
{
	const size_t classes = (size_t)symbol_count + 1;
	double sum = 0;
	int last = 0, read = 0, r = 0;

	if (scores->rank < 2 || scores->sides[scores->rank - 1] != (int64_t)classes)
		return wrong(ret_why, "not a score for the blank and each symbol");
	if (!are_finite(scores->values, scores->count))
		return wrong(ret_why, "a score is not a number");
	for (size_t step = 0; r == 0 && step < scores->count / classes; step++) {
		double score;
		const int symbol =
			likeliest(scores->values + step * classes, classes, 1, activation, &score);

		if (symbol != 0 && symbol != last) {
			r = vd_buf_printf(text, "%s", symbols[symbol - 1]);
			sum += score;
			read++;
		}
		last = symbol;
	}
	*ret_score = read > 0 ? sum / read : 0;
	return r < 0 ? r : vd_buf_printf(text, "%s", "");
}
