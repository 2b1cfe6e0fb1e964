/* SPDX-License-Identifier: Apache-2.0 */
/* What is fed to a network, and what its answers mean. */
#include "modules/vision/recognise.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "vd_test.h"

/* ---- feeding ---- */

static struct vd_feed plain(int width, int height)
{
	return (struct vd_feed){ .width = width,
				 .height = height,
				 .channels = VD_FEED_RGB,
				 .is_planar = true,
				 .scale = 1,
				 .deviation = { 1, 1, 1 } };
}

static void paint(struct vd_image *image, int width, int height, const uint8_t rgb[3])
{
	assert_int_equal(vd_image_shape(image, width, height, VD_RGB), 0);
	for (int i = 0; i < width * height; i++)
		memcpy(vd_image_row(image, i / width) + (size_t)(i % width) * 3, rgb, 3);
}

static void channels_are_ordered_and_scaled_as_the_model_was_taught(void **state)
{
	VD_CLEANUP(vd_image_fini) struct vd_image image = { 0 };
	struct vd_feed_work work = { 0 };
	struct vd_tensor_view view;
	struct vd_feed_place place;
	struct vd_feed feed = plain(2, 2);
	const float *values;

	paint(&image, 2, 2, (uint8_t[]){ 10, 20, 30 });
	feed.channels = VD_FEED_BGR;
	feed.scale = 0.1;
	feed.mean[0] = 1;
	feed.deviation[2] = 2;
	assert_int_equal(vd_feed_make(&feed, &image, &work, &view, &place), 0);
	values = view.values;
	assert_float_equal(values[0], 2, 1e-6);   /* blue: 3 - 1 */
	assert_float_equal(values[4], 2, 1e-6);   /* green */
	assert_float_equal(values[8], 0.5, 1e-6); /* red: 1 / 2 */
	assert_int_equal(view.sides[1], 3);
	feed.is_planar = false;
	assert_int_equal(vd_feed_make(&feed, &image, &work, &view, &place), 0);
	values = view.values;
	assert_float_equal(values[0], 2, 1e-6);
	assert_float_equal(values[2], 0.5, 1e-6);
	assert_int_equal(view.sides[3], 3);
	vd_feed_work_fini(&work);
}

static void bytes_are_fed_as_they_are(void **state)
{
	VD_CLEANUP(vd_image_fini) struct vd_image image = { 0 };
	struct vd_feed_work work = { 0 };
	struct vd_tensor_view view;
	struct vd_feed_place place;
	struct vd_feed feed = plain(3, 1);

	paint(&image, 3, 1, (uint8_t[]){ 1, 200, 255 });
	feed.type = VD_TENSOR_BYTES;
	feed.is_planar = false;
	assert_int_equal(vd_feed_make(&feed, &image, &work, &view, &place), 0);
	assert_memory_equal(view.values, ((uint8_t[]){ 1, 200, 255, 1, 200, 255 }), 6);
	vd_feed_work_fini(&work);
}

static void a_letterbox_keeps_proportions_and_pads_beside(void **state)
{
	VD_CLEANUP(vd_image_fini) struct vd_image image = { 0 };
	struct vd_feed_work work = { 0 };
	struct vd_tensor_view view;
	struct vd_feed_place place;
	struct vd_feed feed = plain(40, 40);

	paint(&image, 80, 20, (uint8_t[]){ 200, 200, 200 });
	feed.fit = VD_FEED_LETTERBOX;
	feed.pad = 114;
	assert_int_equal(vd_feed_make(&feed, &image, &work, &view, &place), 0);
	assert_float_equal(place.scale_x, 0.5, 1e-9);
	assert_float_equal(place.y_at, 15, 1e-9);
	assert_float_equal(((const float *)view.values)[0], 114, 1e-6);
	assert_float_equal(((const float *)view.values)[20 * 40], 200, 1e-6);
	vd_feed_work_fini(&work);
}

static void a_line_is_as_wide_as_its_height_makes_it(void **state)
{
	VD_CLEANUP(vd_image_fini) struct vd_image image = { 0 };
	struct vd_feed_work work = { 0 };
	struct vd_tensor_view view;
	struct vd_feed_place place;
	struct vd_feed feed = plain(16, 8);

	feed.fit = VD_FEED_LINE;
	paint(&image, 100, 20, (uint8_t[]){ 9, 9, 9 });
	assert_int_equal(vd_feed_make(&feed, &image, &work, &view, &place), 0);
	assert_int_equal(view.sides[3], 40);
	paint(&image, 20, 20, (uint8_t[]){ 9, 9, 9 });
	assert_int_equal(vd_feed_make(&feed, &image, &work, &view, &place), 0);
	assert_int_equal(view.sides[3], 16);
	assert_float_equal(((const float *)view.values)[15], 0, 1e-9); /* beside: the mean */
	vd_feed_work_fini(&work);
}

/* ---- classes ---- */

static struct vd_tensor tensor(const char *name, float *values, size_t count)
{
	struct vd_tensor result = { .values = values, .count = count, .rank = 1 };

	(void)snprintf(result.name, sizeof result.name, "%s", name);
	result.sides[0] = (int64_t)count;
	return result;
}

static void the_likeliest_class_comes_with_its_probability(void **state)
{
	float logits[] = { 1, 3, 1 };
	const struct vd_tensor scores = tensor("", logits, 3);
	struct vd_found_class found;
	const char *why;

	assert_int_equal(vd_recognise_class(&scores, 3, VD_SOFTMAX, &found, &why), 0);
	assert_int_equal(found.label, 1);
	assert_float_equal(found.score, (float)(1 / (1 + 2 * exp(-2))), 1e-6);
	assert_int_equal(vd_recognise_class(&scores, 3, VD_SIGMOID, &found, &why), 0);
	assert_float_equal(found.score, (float)(1 / (1 + exp(-3))), 1e-6);
}

static void huge_logits_do_not_overflow(void **state)
{
	float logits[] = { 1e30f, -1e30f };
	const struct vd_tensor scores = tensor("", logits, 2);
	struct vd_found_class found;
	const char *why;

	assert_int_equal(vd_recognise_class(&scores, 2, VD_SOFTMAX, &found, &why), 0);
	assert_float_equal(found.score, 1, 1e-9);
}

static void what_is_no_number_or_no_probability_is_no_answer(void **state)
{
	float nan_values[] = { 0.1f, NAN }, large[] = { 0.1f, 3 };
	struct vd_tensor scores = tensor("", nan_values, 2);
	struct vd_found_class found;
	const char *why = NULL;

	assert_int_equal(vd_recognise_class(&scores, 2, VD_SOFTMAX, &found, &why), -EBADMSG);
	assert_non_null(why);
	scores = tensor("", large, 2);
	assert_int_equal(vd_recognise_class(&scores, 2, VD_AS_IS, &found, &why), -EBADMSG);
	assert_int_equal(vd_recognise_class(&scores, 3, VD_SOFTMAX, &found, &why), -EBADMSG);
}

/* ---- objects ---- */

static const struct vd_feed_place half = {
	.scale_x = 0.5, .scale_y = 0.5, .width = 100, .height = 50
};
static const double thresholds[] = { 0.5, 0.9 };

static struct vd_answers ssd_answers(float *boxes, float *labels, float *scores, size_t count)
{
	struct vd_answers answers = { .count = 3 };

	answers.list[0] = tensor("b", boxes, 4 * count);
	answers.list[1] = tensor("l", labels, count);
	answers.list[2] = tensor("s", scores, count);
	return answers;
}

static const struct vd_boxes ssd = { .kind = VD_BOXES_SSD,
				     .boxes = "b",
				     .labels = "l",
				     .scores = "s",
				     .y_first = true,
				     .is_relative = true };

static void ssd_boxes_stand_in_the_pixels_of_the_image(void **state)
{
	float boxes[] = { 0.2f, 0.1f, 0.6f, 0.5f, 0, 0, 1, 1, -1, -1, 0.1f, 2 };
	float labels[] = { 0, 1, 0 }, scores[] = { 0.8f, 0.85f, 0.6f };
	const struct vd_answers answers = ssd_answers(boxes, labels, scores, 3);
	struct vd_detections found = { 0 };
	const char *why;

	assert_int_equal(
		vd_recognise_boxes(&ssd, &answers, &half, 200, 100, thresholds, 2, &found, &why),
		0);
	assert_int_equal(found.count, 2); /* the second is below its class's threshold */
	assert_float_equal(found.list[0].x, 20, 1e-4);
	assert_float_equal(found.list[0].y, 20, 1e-4);
	assert_float_equal(found.list[0].width, 80, 1e-4);
	assert_float_equal(found.list[0].height, 40, 1e-4);
	assert_float_equal(found.list[1].width, 200, 1e-4); /* clipped */
	vd_detections_fini(&found);
}

static void ssd_answers_that_contradict_each_other_are_refused(void **state)
{
	float boxes[] = { 0, 0, 1, 1 }, labels[] = { 7 }, scores[] = { 0.9f }, count[] = { 5 };
	struct vd_answers answers = ssd_answers(boxes, labels, scores, 1);
	struct vd_boxes counted = ssd;
	struct vd_detections found = { 0 };
	const char *why;

	assert_int_equal(
		vd_recognise_boxes(&ssd, &answers, &half, 200, 100, thresholds, 2, &found, &why),
		-EBADMSG); /* no such class */
	labels[0] = 0;
	(void)snprintf(counted.count, sizeof counted.count, "%s", "n");
	assert_int_equal(vd_recognise_boxes(&counted, &answers, &half, 200, 100, thresholds, 2,
					    &found, &why),
			 -EBADMSG); /* no such answer */
	answers.list[answers.count++] = tensor("n", count, 1);
	assert_int_equal(vd_recognise_boxes(&counted, &answers, &half, 200, 100, thresholds, 2,
					    &found, &why),
			 -EBADMSG); /* more than there are */
	count[0] = 0;
	assert_int_equal(vd_recognise_boxes(&counted, &answers, &half, 200, 100, thresholds, 2,
					    &found, &why),
			 0);
	assert_int_equal(found.count, 0);
	boxes[2] = INFINITY;
	assert_int_equal(
		vd_recognise_boxes(&ssd, &answers, &half, 200, 100, thresholds, 2, &found, &why),
		-EBADMSG);
	vd_detections_fini(&found);
}

static void yolo_answers_are_read_in_both_orders(void **state)
{
	/* Two places of cx, cy, w, h and two classes. */
	float rows[] = { 50, 25, 20, 10, 0.7f, 0.1f, 5, 5, 4, 4, 0.1f, 0.95f }, columns[12];
	struct vd_boxes yolo = { .kind = VD_BOXES_YOLO };
	struct vd_answers answers = { .count = 1 };
	struct vd_detections found = { 0 };
	const char *why;

	for (int place = 0; place < 2; place++) {
		for (int i = 0; i < 6; i++)
			columns[i * 2 + place] = rows[place * 6 + i];
	}
	for (int i = 0; i < 2; i++) {
		yolo.is_by_column = i == 1;
		answers.list[0] = tensor("", i ? columns : rows, 12);
		answers.list[0].rank = 3;
		answers.list[0].sides[0] = 1;
		answers.list[0].sides[1] = i ? 6 : 2;
		answers.list[0].sides[2] = i ? 2 : 6;
		assert_int_equal(vd_recognise_boxes(&yolo, &answers, &half, 200, 100, thresholds, 2,
						    &found, &why),
				 0);
		assert_int_equal(found.count, 2);
		assert_int_equal(found.list[0].label, 0);
		assert_float_equal(found.list[0].x, 80, 1e-4);
		assert_float_equal(found.list[0].width, 40, 1e-4);
		assert_int_equal(found.list[1].label, 1);
		assert_float_equal(found.list[1].y, 6, 1e-4);
	}
	assert_int_equal(
		vd_recognise_boxes(&yolo, &answers, &half, 200, 100, thresholds, 3, &found, &why),
		-EBADMSG);
	vd_detections_fini(&found);
}

static void objectness_weighs_each_class(void **state)
{
	float rows[] = { 50, 25, 20, 10, 0.5f, 0.9f, 0.1f };
	const struct vd_boxes yolo = { .kind = VD_BOXES_YOLO, .has_objectness = true };
	struct vd_answers answers = { .count = 1 };
	struct vd_detections found = { 0 };
	const char *why;

	answers.list[0] = tensor("", rows, 7);
	answers.list[0].rank = 2;
	answers.list[0].sides[0] = 1;
	answers.list[0].sides[1] = 7;
	assert_int_equal(
		vd_recognise_boxes(&yolo, &answers, &half, 200, 100, thresholds, 2, &found, &why),
		0);
	assert_int_equal(found.count, 0); /* 0.45 */
	rows[4] = 0.9f;
	assert_int_equal(
		vd_recognise_boxes(&yolo, &answers, &half, 200, 100, thresholds, 2, &found, &why),
		0);
	assert_int_equal(found.count, 1);
	assert_float_equal(found.list[0].score, 0.81, 1e-6);
	vd_detections_fini(&found);
}

/* ---- text ---- */

static int read_steps(const int *steps, size_t count, char *text, double *score)
{
	static const char *const symbols[] = { "A", "\xc3\xa4", "7" };
	float values[64] = { 0 };
	struct vd_tensor scores = tensor("", values, count * 4);
	VD_CLEANUP(vd_buf_fini) struct vd_buf read = { 0 };
	const char *why;
	int r;

	scores.rank = 3;
	scores.sides[0] = 1;
	scores.sides[1] = (int64_t)count;
	scores.sides[2] = 4;
	for (size_t i = 0; i < count; i++)
		values[i * 4 + (size_t)steps[i]] = 0.8f;
	r = vd_recognise_text(&scores, symbols, 3, VD_AS_IS, &read, score, &why);
	(void)snprintf(text, 32, "%s", read.data ? read.data : "");
	return r;
}

static void repeats_and_blanks_are_left_out_of_a_text(void **state)
{
	char text[32];
	double score;

	assert_int_equal(read_steps((int[]){ 0, 1, 1, 0, 1, 2, 2, 0, 3 }, 9, text, &score), 0);
	assert_string_equal(text, "AA\xc3\xa4"
				  "7");
	assert_float_equal(score, 0.8, 1e-6);
	assert_int_equal(read_steps((int[]){ 0, 0 }, 2, text, &score), 0);
	assert_string_equal(text, "");
	assert_float_equal(score, 0, 1e-9);
}

VD_TEST_MAIN(cmocka_unit_test(channels_are_ordered_and_scaled_as_the_model_was_taught),
	     cmocka_unit_test(bytes_are_fed_as_they_are),
	     cmocka_unit_test(a_letterbox_keeps_proportions_and_pads_beside),
	     cmocka_unit_test(a_line_is_as_wide_as_its_height_makes_it),
	     cmocka_unit_test(the_likeliest_class_comes_with_its_probability),
	     cmocka_unit_test(huge_logits_do_not_overflow),
	     cmocka_unit_test(what_is_no_number_or_no_probability_is_no_answer),
	     cmocka_unit_test(ssd_boxes_stand_in_the_pixels_of_the_image),
	     cmocka_unit_test(ssd_answers_that_contradict_each_other_are_refused),
	     cmocka_unit_test(yolo_answers_are_read_in_both_orders),
	     cmocka_unit_test(objectness_weighs_each_class),
	     cmocka_unit_test(repeats_and_blanks_are_left_out_of_a_text))
