/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/inspect/tools/infer.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- objects ---- */

/* A box in the region becomes one in the frame, where the pose has the region. */
static struct vd_rect in_frame(const struct vd_pose *pose, struct vd_rect where, double x, double y,
			       double width, double height)
{
	const int w = (int)fmax(1, rint(width)), h = (int)fmax(1, rint(height));
	double at_x, at_y;

	vd_pose_map(pose, where.x + x + width / 2, where.y + y + height / 2, &at_x, &at_y);
	return (struct vd_rect){ (int)rint(at_x - w / 2.0), (int)rint(at_y - h / 2.0), w, h };
}

static bool add_object(struct vd_step_result *result, const char *label, double score,
		       struct vd_rect box)
{
	const struct vd_object object = { .score = score,
					  .box = box,
					  .area = (double)box.width * box.height };

	if (vd_object_add(&result->objects, label, &object) == 0)
		return true;
	vd_step_undecided(result, "internal", "out of memory");
	return false;
}

/* ---- labels ---- */

static bool has_label(const struct vd_object_list *objects, const char *label)
{
	for (size_t i = 0; i < objects->count; i++) {
		if (strcmp(objects->list[i].label, label) == 0)
			return true;
	}
	return false;
}

static bool is_listed(const cJSON *labels, const char *label)
{
	const cJSON *one;

	cJSON_ArrayForEach(one, labels)
	{
		if (strcmp(one->valuestring, label) == 0)
			return true;
	}
	return false;
}

static void reject(struct vd_step_result *result, const char *text, const char *label)
{
	result->verdict = VD_NG;
	(void)snprintf(result->text, sizeof result->text, "%s \"%.64s\"", text, label);
}

static bool has_unexpected(const struct vd_network_step *network, struct vd_step_result *result)
{
	const cJSON *label;

	cJSON_ArrayForEach(label, network->unexpected)
	{
		if (has_label(&result->objects, label->valuestring)) {
			reject(result, "found", label->valuestring);
			return true;
		}
	}
	return false;
}

/* The class must be one of those expected. */
static void judge_class(const struct vd_network_step *network, const char *label,
			struct vd_step_result *result)
{
	if (result->verdict > VD_WARNING || has_unexpected(network, result))
		return;
	if (network->expected && !is_listed(network->expected, label))
		reject(result, "is", label);
}

/* One of each that is expected must be there. */
static void judge_objects(const struct vd_network_step *network, struct vd_step_result *result)
{
	const cJSON *label;

	if (result->verdict > VD_WARNING || has_unexpected(network, result))
		return;
	cJSON_ArrayForEach(label, network->expected)
	{
		if (has_label(&result->objects, label->valuestring))
			continue;
		reject(result, "did not find", label->valuestring);
		return;
	}
}

/* ---- what was answered ---- */

static void take_class(const struct vd_step *step, const struct vd_answer *answer,
		       struct vd_rect where, struct vd_step_result *result)
{
	const char *label = vd_package_label(step->network.package, answer->class.label);

	result->values[VD_MEASURE_SCORE] = answer->score;
	if (!answer->is_sure) {
		vd_step_undecided(result, "uncertain", "%.64s, at %.3f", label, answer->score);
		return;
	}
	if (!add_object(result, label, answer->score,
			in_frame(&result->pose, where, 0, 0, where.width, where.height)))
		return;
	vd_step_judge(step, result);
	judge_class(&step->network, label, result);
}

/* From the turned region back to the region; size: the region's, not turned. */
static struct vd_detection turned_back(const struct vd_detection *found, int quarters,
				       struct vd_rect size)
{
	struct vd_detection back = *found;

	if (quarters % 2 == 1) {
		back.width = found->height;
		back.height = found->width;
	}
	switch (quarters) {
	case 1:
		back.x = found->y;
		back.y = size.height - found->x - found->width;
		break;
	case 2:
		back.x = size.width - found->x - found->width;
		back.y = size.height - found->y - found->height;
		break;
	case 3:
		back.x = size.width - found->y - found->height;
		back.y = found->x;
		break;
	default:
		break;
	}
	return back;
}

static void take_objects(const struct vd_step *step, const struct vd_answer *answer,
			 struct vd_rect where, struct vd_step_result *result)
{
	const struct vd_detections *found = &answer->detections;
	double area = 0;

	for (size_t i = 0; i < found->count; i++) {
		const struct vd_detection one =
			turned_back(&found->list[i], step->network.quarters, where);

		area += one.width * one.height;
		if (!add_object(
			    result, vd_package_label(step->network.package, one.label), one.score,
			    in_frame(&result->pose, where, one.x, one.y, one.width, one.height)))
			return;
	}
	result->values[VD_MEASURE_SCORE] = answer->score;
	result->values[VD_MEASURE_COUNT] = (double)found->count;
	result->values[VD_MEASURE_OBJECT_AREA] = area;
	vd_step_judge(step, result);
	judge_objects(&step->network, result);
}

static void judge_text(const struct vd_step *step, const struct vd_answer *answer,
		       struct vd_step_result *result)
{
	if (vd_code_expects(step->code.expectation, answer->text, strlen(answer->text)))
		return;
	result->verdict = VD_NG;
	(void)snprintf(result->text, sizeof result->text,
		       "read \"%.80s\", which is not what is expected", result->read);
}

static void take_text(const struct vd_step *step, const struct vd_answer *answer,
		      struct vd_step_result *result)
{
	const double least =
		isnan(step->network.confidence_min) ? 0.5 : step->network.confidence_min;

	result->values[VD_MEASURE_SCORE] = answer->score;
	vd_code_print_text(answer->text, strlen(answer->text), result->read, sizeof result->read);
	result->read_kind = "text";
	if (!answer->text[0]) {
		result->read_kind = NULL;
		vd_step_undecided(result, "not_read", "no text was read");
	} else if (answer->score < least) {
		vd_step_undecided(result, "uncertain", "\"%.80s\", at %.3f", result->read,
				  answer->score);
	} else {
		vd_step_judge(step, result);
		if (result->verdict <= VD_WARNING)
			judge_text(step, answer, result);
	}
}

static const char *code_of(int r)
{
	return r == -ETIMEDOUT ? "timeout" : "model_failed";
}

void vd_infer(struct vd_answer *answer, const struct vd_step *step, const struct vd_image *image,
	      struct vd_rect where, struct vd_step_result *result)
{
	const struct vd_network_step *network = &step->network;
	struct vd_fault fault = { 0 };
	int r;

	if (!network->package) {
		vd_step_undecided(result, "no_model", "the package was not loaded");
		return;
	}
	r = vd_package_ask(network->package, image, network->confidence_min, network->timeout_ms,
			   answer, &fault);
	if (r < 0) {
		vd_step_undecided(result, code_of(r), "%.120s",
				  fault.code ? fault.text : strerror(-r));
		return;
	}
	switch (vd_package_kind(network->package)) {
	case VD_PACKAGE_CLASS:
		take_class(step, answer, where, result);
		return;
	case VD_PACKAGE_OBJECTS:
		take_objects(step, answer, where, result);
		return;
	case VD_PACKAGE_TEXTS:
		take_text(step, answer, result);
		return;
	}
}
