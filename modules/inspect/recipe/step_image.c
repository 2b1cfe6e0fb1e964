/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Steps that make images, and who looks at them. Sizes are followed from the frame through the
 * operations as far as they are known, so that a region outside is refused before a part comes.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "modules/inspect/recipe/step.h"

/* ---- operations ---- */

static enum vd_resample resample_of(const cJSON *json)
{
	const char *name = vd_json_string(json, "resample", "bilinear");

	return strcmp(name, "nearest") == 0   ? VD_NEAREST
	       : strcmp(name, "lanczos") == 0 ? VD_LANCZOS
					      : VD_BILINEAR;
}

static int parse_crop(struct vd_edit *edit, const cJSON *json, struct vd_fault *fault)
{
	edit->area = vd_step_area(json);
	return edit->area.width > 0 && edit->area.height > 0
		       ? 0
		       : vd_recipe_refuse(fault, "", "the area is empty", NULL);
}

static int parse_resize(struct vd_edit *edit, const cJSON *json, struct vd_fault *fault)
{
	edit->width = (int)vd_json_int(json, "width", 0);
	edit->height = (int)vd_json_int(json, "height", 0);
	edit->resample = resample_of(json);
	if ((int64_t)edit->width * edit->height <= VD_EDIT_PIXELS_MOST)
		return 0;
	return vd_recipe_refuse(fault, "", "more than 16777216 pixels", NULL);
}

static int parse_rotate(struct vd_edit *edit, const cJSON *json, struct vd_fault *fault)
{
	(void)fault;
	edit->quarters = (int)json->valuedouble / 90;
	return 0;
}

static int parse_blur(struct vd_edit *edit, const cJSON *json, struct vd_fault *fault)
{
	const cJSON *area;

	(void)fault;
	cJSON_ArrayForEach(area, json)
	{
		if (edit->area_count < VD_EDIT_AREAS_MOST)
			edit->areas[edit->area_count++] = vd_step_area(area);
	}
	return 0;
}

static int parse_grey(struct vd_edit *edit, const cJSON *json, struct vd_fault *fault)
{
	(void)edit;
	(void)json;
	(void)fault;
	return 0;
}

static const struct {
	const char *name;
	int (*parse)(struct vd_edit *edit, const cJSON *json, struct vd_fault *fault);
} EDITS[] = {
	[VD_EDIT_CROP] = { "crop", parse_crop },
	[VD_EDIT_RESIZE] = { "resize", parse_resize },
	[VD_EDIT_ROTATE] = { "rotate", parse_rotate },
	[VD_EDIT_BLUR] = { "blur", parse_blur },
	[VD_EDIT_GREY] = { "grey", parse_grey },
};

/* Refused at one operation: 400 and -EINVAL, as the fault says already. */
static int refused_at(const struct vd_edit *edit, int i, struct vd_fault *fault)
{
	vd_fault_under(fault, EDITS[edit->kind].name);
	vd_fault_under_index(fault, i);
	vd_fault_under(fault, "operations");
	return -EINVAL;
}

static int parse_operation(struct vd_image_step *made, const cJSON *json, struct vd_fault *fault)
{
	struct vd_edit *edit = &made->edits[made->edit_count];

	for (size_t kind = 0; kind < VD_COUNT(EDITS); kind++) {
		const cJSON *argument = vd_json_get(json, EDITS[kind].name);

		if (!argument)
			continue;
		edit->kind = (enum vd_edit_kind)kind;
		made->is_grey |= edit->kind == VD_EDIT_GREY;
		if (EDITS[kind].parse(edit, argument, fault) < 0)
			return refused_at(edit, made->edit_count, fault);
		made->edit_count++;
	}
	return 0;
}

int vd_step_parse_image(struct vd_step *step, const cJSON *json, struct vd_fault *fault)
{
	struct vd_image_step *made = &step->made;
	const cJSON *operation;
	int r = 0;

	made->keep = vd_json_bool(json, "keep", false);
	made->quality = (int)vd_json_int(json, "quality", 90);
	made->edits = calloc(VD_EDITS_MOST, sizeof *made->edits);
	if (!made->edits)
		return -ENOMEM;
	cJSON_ArrayForEach(operation, vd_json_array(json, "operations"))
	{
		if (r == 0 && made->edit_count < VD_EDITS_MOST)
			r = parse_operation(made, operation, fault);
	}
	if (r == 0 && made->keep && !vd_name_is_plain(step->id))
		return vd_recipe_refuse(fault, "/keep",
					"names a file: letters, digits, '.', '_', '-', not",
					step->id);
	return r;
}

/* ---- who looks at which image ---- */

static int resolve_input(struct vd_recipe *recipe, struct vd_step *step, const cJSON *json,
			 struct vd_fault *fault)
{
	const char *id = vd_json_string(json, "input", NULL);
	const int input = id ? vd_recipe_step(recipe, id) : -1;

	if (!id)
		return 0;
	if (input < 0)
		return vd_recipe_refuse(fault, "/input", "the recipe has no step", id);
	if (recipe->steps[input].tool != VD_IMAGE)
		return vd_recipe_refuse(fault, "/input", "makes no image: step", id);
	if (recipe->steps[input].camera != step->camera)
		return vd_recipe_refuse(fault, "/input", "another camera's step:", id);
	if (vd_step_learns(step))
		return vd_recipe_refuse(fault, "/input",
					"what is learnt is learnt from frames as they come; not:",
					vd_tool_name(step->tool));
	step->input = input;
	return 0;
}

static int check_chain(const struct vd_recipe *recipe, const struct vd_step *step,
		       struct vd_fault *fault)
{
	const struct vd_step *at = step;

	for (int n = 0; at->input >= 0; n++) {
		if (n == recipe->step_count)
			return vd_recipe_refuse(fault, "/input",
						"a circle: the image would be made of itself",
						NULL);
		at = &recipe->steps[at->input];
		if (at->made.is_grey && step->tool == VD_COLOUR)
			return vd_recipe_refuse(fault, "/input", "its image has no colours: step",
						at->id);
	}
	return 0;
}

/* ---- sizes ---- */

struct size {
	int width, height;
};

static int crop_size(const struct vd_edit *edit, bool is_posed, struct size *size,
		     struct vd_fault *fault)
{
	const struct vd_image frame = { .width = size->width, .height = size->height };
	const struct vd_rect clipped = vd_image_clip(&frame, edit->area);
	const bool is_known = size->width > 0;

	if (is_known && clipped.width == 0)
		return vd_recipe_refuse(fault, "", "leaves nothing of the image", NULL);
	if (is_known && is_posed &&
	    (clipped.width < edit->area.width || clipped.height < edit->area.height))
		return vd_recipe_refuse(fault, "", "the area is not inside the image", NULL);
	if (is_posed)
		*size = (struct size){ edit->area.width, edit->area.height };
	else if (is_known)
		*size = (struct size){ clipped.width, clipped.height };
	return 0;
}

/* size: of what the step looks at; becomes that of what it makes. */
static int follow_size(const struct vd_step *step, struct size *size, struct vd_fault *fault)
{
	for (int i = 0; i < step->made.edit_count; i++) {
		const struct vd_edit *edit = &step->made.edits[i];
		const bool is_posed = i == 0 && step->align_to >= 0;

		if (edit->kind == VD_EDIT_CROP && crop_size(edit, is_posed, size, fault) < 0)
			return refused_at(edit, i, fault);
		if (edit->kind == VD_EDIT_RESIZE)
			*size = (struct size){ edit->width, edit->height };
		if (edit->kind == VD_EDIT_ROTATE && edit->quarters % 2 == 1)
			*size = (struct size){ size->height, size->width };
	}
	return 0;
}

/* Of what the step looks at; 0 x 0: not known. What is wrong on the way is said of its own step. */
static struct size seen_size(const struct vd_recipe *recipe, const struct vd_step *step)
{
	const struct vd_step *chain[VD_STEPS_MOST];
	struct size size = { recipe->width, recipe->height };
	int count = 0;

	for (int i = step->input; i >= 0; i = recipe->steps[i].input)
		chain[count++] = &recipe->steps[i];
	while (count > 0) {
		if (follow_size(chain[--count], &size, NULL) < 0)
			return (struct size){ 0 };
	}
	return size;
}

static bool line_is_inside(const struct vd_line *line, struct size size)
{
	return ceil(fmax(line->x0, line->x1)) <= size.width - 1 &&
	       ceil(fmax(line->y0, line->y1)) <= size.height - 1;
}

static int check_region(const struct vd_recipe *recipe, const struct vd_step *step,
			struct vd_fault *fault)
{
	struct size size = seen_size(recipe, step);
	const struct vd_rect *roi = &step->roi;
	const bool is_frame = step->input < 0;

	if (step->tool == VD_IMAGE)
		return follow_size(step, &size, fault);
	if (size.width == 0 || roi->width == 0)
		return 0;
	if (step->caliper.has_line && !line_is_inside(&step->caliper.line, size))
		return vd_recipe_refuse(fault, "/line",
					is_frame ? "the line is not inside the frame"
						 : "the line is not inside the image",
					NULL);
	if (!step->caliper.has_line &&
	    (roi->x > size.width - roi->width || roi->y > size.height - roi->height))
		return vd_recipe_refuse(fault, "/roi",
					is_frame ? "the region is not inside the frame"
						 : "the region is not inside the image",
					NULL);
	return 0;
}

int vd_recipe_resolve_inputs(struct vd_recipe *recipe, const cJSON *steps, struct vd_fault *fault)
{
	const cJSON *json;
	int i = 0;

	cJSON_ArrayForEach(json, steps)
	{
		if (resolve_input(recipe, &recipe->steps[i++], json, fault) < 0)
			break;
	}
	for (i = 0; !json && i < recipe->step_count; i++) {
		if (check_chain(recipe, &recipe->steps[i], fault) < 0)
			json = cJSON_GetArrayItem(steps, i);
	}
	if (json)
		vd_fault_under(fault, json->string);
	return json ? -EINVAL : 0;
}

int vd_recipe_check_regions(const struct vd_recipe *recipe, struct vd_fault *fault)
{
	for (int i = 0; i < recipe->step_count; i++) {
		if (check_region(recipe, &recipe->steps[i], fault) == 0)
			continue;
		vd_fault_under(fault, recipe->steps[i].id);
		return -EINVAL;
	}
	return 0;
}
