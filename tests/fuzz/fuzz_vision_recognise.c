/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a network answers, as if it were from outside: the first four bytes choose how it is read
 * and how many numbers an answer has, the rest are the numbers.
 */
#include <assert.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include "modules/vision/recognise.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CLASSES = 3, NUMBERS = 512, WIDTH = 200, HEIGHT = 100 };

static void name(struct vd_tensor *tensor, const char *text, float *values, size_t count)
{
	(void)snprintf(tensor->name, sizeof tensor->name, "%s", text);
	tensor->values = values;
	tensor->count = count;
	tensor->rank = 1;
	tensor->sides[0] = (int64_t)count;
}

static void read_boxes(const struct vd_boxes *boxes, const struct vd_answers *answers)
{
	static const double thresholds[CLASSES] = { 0, 0.3, 0.9 };
	const struct vd_feed_place place = { 0.5, 0.4, 3, 0, WIDTH, HEIGHT };
	struct vd_detections found = { 0 };
	const char *why;

	if (vd_recognise_boxes(boxes, answers, &place, WIDTH, HEIGHT, thresholds, CLASSES, &found,
			       &why) == 0) {
		for (size_t i = 0; i < found.count; i++) {
			assert(found.list[i].label >= 0 && found.list[i].label < CLASSES);
			assert(isfinite(found.list[i].score));
			assert(found.list[i].x >= 0 && found.list[i].width > 0 &&
			       found.list[i].x + found.list[i].width <= WIDTH + 1e-6);
		}
		found.count = vd_nms(found.list, found.count, 0.5);
	}
	vd_detections_fini(&found);
}

static void read_yolo(uint8_t how, float *values, size_t count)
{
	const struct vd_boxes boxes = { .kind = VD_BOXES_YOLO,
					.has_objectness = how & 1,
					.is_by_column = how & 2,
					.is_relative = how & 4,
					.activation = how & 8 ? VD_SIGMOID : VD_AS_IS };
	const size_t numbers = 4 + CLASSES + (how & 1);
	struct vd_answers answers = { .count = 1 };
	struct vd_tensor *tensor = &answers.list[0];

	name(tensor, "", values, count / numbers * numbers);
	tensor->rank = 2;
	tensor->sides[how & 2 ? 0 : 1] = (int64_t)numbers;
	tensor->sides[how & 2 ? 1 : 0] = (int64_t)(count / numbers);
	read_boxes(&boxes, &answers);
}

static void read_ssd(uint8_t how, float *values, size_t count)
{
	struct vd_boxes boxes = { .kind = VD_BOXES_SSD,
				  .boxes = "b",
				  .labels = "l",
				  .scores = "s",
				  .y_first = how & 1,
				  .is_relative = how & 4,
				  .first_label = how & 2 ? 1 : 0 };
	const size_t n = (count - 1) / 6;
	struct vd_answers answers = { .count = 4 };

	if (how & 8)
		(void)snprintf(boxes.count, sizeof boxes.count, "%s", "n");
	name(&answers.list[0], "n", values, 1);
	name(&answers.list[1], "s", values + 1, n);
	name(&answers.list[2], "l", values + 1 + n, n);
	name(&answers.list[3], "b", values + 1 + 2 * n, 4 * n);
	read_boxes(&boxes, &answers);
}

static void read_text(uint8_t how, float *values, size_t count)
{
	static const char *const symbols[] = { "A", "\xc3\xa4", " " };
	VD_CLEANUP(vd_buf_fini) struct vd_buf text = { 0 };
	struct vd_tensor tensor = { .name = "" };
	struct vd_found_class found;
	const char *why;
	double score;

	name(&tensor, "", values, count / 4 * 4);
	tensor.rank = 2;
	tensor.sides[0] = (int64_t)(count / 4);
	tensor.sides[1] = 4;
	if (vd_recognise_text(&tensor, symbols, 3, how & 1 ? VD_SOFTMAX : VD_AS_IS, &text, &score,
			      &why) == 0)
		assert(text.data[text.len] == '\0');
	tensor.count = CLASSES;
	if (count >= CLASSES &&
	    vd_recognise_class(&tensor, CLASSES, (enum vd_activation)(how % 3), &found, &why) == 0)
		assert(found.label >= 0 && found.label < CLASSES && found.score <= 1.0001);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const readers[])(uint8_t, float *, size_t) = { read_yolo, read_ssd,
								     read_text };
	float values[NUMBERS];
	size_t count;

	if (size < 8)
		return 0;
	count = (size - 4) / sizeof *values;
	if (count > NUMBERS)
		count = NUMBERS;
	memcpy(values, data + 4, count * sizeof *values);
	readers[data[0] % 3](data[1], values, count);
	return 0;
}
