/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/inspect/tools/rig.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "modules/image/edit.h"
#include "modules/image/jpeg.h"
#include "modules/inspect/tools/gauge.h"
#include "modules/vision/presence.h"
#include "modules/vision/warp.h"

enum { TEMPLATES = 4, TEMPLATE_BYTES = 64 << 20, PATH_BYTES = 1400, REGION_LEAST = 2 };

/* A template laid out for its step. */
struct template
{
	char *path; /* NULL: unused */
	struct timespec changed;
	off_t size;
	unsigned used; /* larger: later */
	int width, height;
	struct vd_golden *golden;
	struct vd_locator *locator;
	struct vd_image patch; /* VD_PRESENCE */
};

struct tool {
	int frame_width, frame_height; /* of what was learnt */
	struct vd_rect where;          /* VD_TEXTURE */
	struct vd_locator *locator;
	struct vd_variation *variation;
	struct vd_variation_work variation_work;
	const struct vd_texture *texture; /* the model's */
	double texture_threshold;
	struct vd_texture_work texture_work;
	struct vd_image surface;
	struct vd_golden_work golden_work;
	struct vd_edited edited; /* VD_IMAGE */
	struct template templates[TEMPLATES];
	unsigned uses; /* of templates */
};

struct vd_rig {
	const struct vd_recipe *recipe;
	struct tool *tools;
	struct vd_gauge *gauges[VD_LANES_MOST]; /* made when their lane is first used */
	struct vd_edit_work edit_work[VD_LANES_MOST];
};

/* ---- setting up ---- */

static int set_up_locator(struct tool *tool, const struct vd_step *step,
			  const struct vd_model_step *learnt)
{
	const struct vd_rect whole = { 0, 0, learnt->patch.width, learnt->patch.height };
	int r = vd_locator_new(&learnt->patch, whole, &step->locate, &tool->locator);

	if (r == 0)
		vd_locator_place(tool->locator, learnt->where.x, learnt->where.y);
	return r;
}

static int set_up_step(struct tool *tool, const struct vd_step *step,
		       const struct vd_model_step *learnt)
{
	if (step->tool == VD_LOCATE)
		return set_up_locator(tool, step, learnt);
	if (step->tool == VD_VARIATION)
		return vd_variation_new(&learnt->variation, learnt->where, &step->variation,
					&tool->variation);
	tool->texture = learnt->texture;
	tool->texture_threshold =
		step->texture.threshold > 0 ? step->texture.threshold : learnt->threshold;
	tool->where = learnt->where;
	return 0;
}

static int set_up(struct vd_rig *rig, const struct vd_model *model)
{
	int r = 0;

	for (int i = 0; r == 0 && i < rig->recipe->step_count; i++) {
		const struct vd_step *step = &rig->recipe->steps[i];
		const struct vd_model_step *learnt = vd_model_find(model, step->id, step->tool);

		if (!vd_step_learns(step))
			continue;
		if (!learnt)
			return -EINVAL;
		rig->tools[i].frame_width = learnt->frame_width;
		rig->tools[i].frame_height = learnt->frame_height;
		r = set_up_step(&rig->tools[i], step, learnt);
	}
	return r;
}

int vd_rig_new(const struct vd_recipe *recipe, const struct vd_model *model,
	       struct vd_rig **ret_rig)
{
	VD_CLEANUP(vd_rig_free) struct vd_rig *rig = calloc(1, sizeof *rig);
	int r = 0;

	if (!rig)
		return -ENOMEM;
	rig->recipe = recipe;
	rig->tools = calloc((size_t)recipe->step_count, sizeof *rig->tools);
	if (!rig->tools)
		return -ENOMEM;
	if (model)
		r = set_up(rig, model);
	if (r == 0)
		*ret_rig = VD_TAKE(rig);
	return r;
}

static void template_fini(struct template *template)
{
	(void)vd_golden_free(template->golden);
	(void)vd_locator_free(template->locator);
	vd_image_fini(&template->patch);
	free(template->path);
	*template = (struct template){ 0 };
}

static void tool_fini(struct tool *tool)
{
	for (int i = 0; i < TEMPLATES; i++)
		template_fini(&tool->templates[i]);
	(void)vd_locator_free(tool->locator);
	(void)vd_variation_free(tool->variation);
	vd_variation_work_fini(&tool->variation_work);
	vd_texture_work_fini(&tool->texture_work);
	vd_image_fini(&tool->surface);
	vd_golden_work_fini(&tool->golden_work);
	vd_edited_fini(&tool->edited);
}

struct vd_rig *vd_rig_free(struct vd_rig *rig)
{
	if (!rig)
		return NULL;
	for (int i = 0; rig->tools && i < rig->recipe->step_count; i++)
		tool_fini(&rig->tools[i]);
	free(rig->tools);
	for (int i = 0; i < VD_LANES_MOST; i++) {
		(void)vd_gauge_free(rig->gauges[i]);
		vd_edit_work_fini(&rig->edit_work[i]);
	}
	free(rig);
	return NULL;
}

/* ---- golden templates ---- */

/* A serial number comes from outside and becomes part of a file name. */
static bool is_file_name(const char *serial)
{
	return serial[0] != '\0' && serial[0] != '.' && !strchr(serial, '/');
}

static bool make_path(const struct vd_step *step, const char *serial, char path[static PATH_BYTES],
		      struct vd_step_result *result)
{
	static const char mark[] = "{serial}";
	const char *pattern = step->golden.path, *at = strstr(pattern, mark);
	int n;

	if (at && !is_file_name(serial)) {
		vd_step_undecided(result, "no_template",
				  serial[0] ? "serial number is no file name: %s"
					    : "the item has no serial number%s",
				  serial);
		return false;
	}
	n = at ? snprintf(path, PATH_BYTES, "%.*s%s%s", (int)(at - pattern), pattern, serial,
			  at + sizeof mark - 1)
	       : snprintf(path, PATH_BYTES, "%s", pattern);
	if (n > 0 && n < PATH_BYTES)
		return true;
	vd_step_undecided(result, "no_template", "the path is too long");
	return false;
}

static int read_template(const char *path, struct vd_image *image, struct vd_fault *fault)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf bytes = { 0 };
	int r = vd_file_read(path, TEMPLATE_BYTES, &bytes, fault);

	if (r < 0)
		return r;
	r = vd_jpeg_decode_grey(bytes.data, bytes.len, NULL, image, NULL, fault);
	if (r == VD_JPEG_DAMAGED)
		vd_fault_set(fault, 400, "", "the file is damaged");
	return r == VD_JPEG_DAMAGED ? -EBADMSG : r;
}

/* Tiles cannot be larger than what they tile. */
static struct vd_golden_options fitted(const struct vd_step *step, struct vd_rect where)
{
	const int side = where.width < where.height ? where.width : where.height;
	struct vd_golden_options options = step->band;

	if (options.tiles.tile_px > side)
		options.tiles.tile_px = side;
	if (side < 16)
		options.tiles.search_px = 0;
	return options;
}

static int lay_out_patch(struct template *template, struct vd_rect where,
			 const struct vd_image *image)
{
	const struct vd_pose identity = vd_pose_identity();
	int r;

	if (where.x > image->width - where.width || where.y > image->height - where.height)
		return -EINVAL;
	r = vd_warp(image, &identity, where, &template->patch);
	return r < 0 || vd_presence_can_teach(&template->patch) ? r : -ENODATA;
}

static int lay_out(struct template *template, const struct vd_step *step,
		   const struct vd_image *image)
{
	struct vd_golden_options options;
	struct vd_rect where = step->roi;

	if (where.width == 0)
		where = (struct vd_rect){ 0, 0, image->width, image->height };
	if (step->tool == VD_LOCATE)
		return vd_locator_new(image, where, &step->locate, &template->locator);
	if (step->tool == VD_PRESENCE)
		return lay_out_patch(template, where, image);
	options = fitted(step, where);
	return vd_golden_new(image, where, &options, &template->golden);
}

static const char *reason_of(int r)
{
	switch (r) {
	case -EINVAL:
		return "the region is not inside the template";
	case -ENODATA:
		return "the region has no texture";
	default:
		return "out of memory";
	}
}

static bool load_template(struct template *template, const struct vd_step *step, const char *path,
			  const struct stat *status, struct vd_step_result *result)
{
	VD_CLEANUP(vd_image_fini) struct vd_image image = { 0 };
	struct vd_fault fault = { 0 };
	int r = read_template(path, &image, &fault);

	template_fini(template);
	if (r < 0) {
		vd_step_undecided(result, "no_template", "%s: %s", path, fault.text);
		return false;
	}
	r = lay_out(template, step, &image);
	template->path = r == 0 ? strdup(path) : NULL;
	template->changed = status->st_mtim;
	template->size = status->st_size;
	template->width = image.width;
	template->height = image.height;
	if (template->path)
		return true;
	vd_step_undecided(result, "no_template", "%s: %s", path, reason_of(r));
	template_fini(template);
	return false;
}

static bool is_same_file(const struct template *template, const struct stat *status)
{
	return template->size == status->st_size &&
	       template->changed.tv_sec == status->st_mtim.tv_sec &&
	       template->changed.tv_nsec == status->st_mtim.tv_nsec;
}

/* The template for this item; a file that changed is read again. NULL: result says why. */
static struct template *find_template(struct vd_rig *rig, int index, const char *serial,
				      struct vd_step_result *result)
{
	const struct vd_step *step = &rig->recipe->steps[index];
	struct template *all = rig->tools[index].templates, *oldest = all;
	char path[PATH_BYTES];
	struct stat status;

	if (!make_path(step, serial, path, result))
		return NULL;
	if (stat(path, &status) < 0) {
		vd_step_undecided(result, "no_template", "%s: %s", path, strerror(errno));
		return NULL;
	}
	for (int i = 0; i < TEMPLATES; i++) {
		if (all[i].path && strcmp(all[i].path, path) == 0) {
			oldest = &all[i];
			break;
		}
		if (all[i].used < oldest->used)
			oldest = &all[i];
	}
	oldest->used = ++rig->tools[index].uses;
	if (oldest->path && strcmp(oldest->path, path) == 0 && is_same_file(oldest, &status))
		return oldest;
	return load_template(oldest, step, path, &status, result) ? oldest : NULL;
}

/* ---- running ---- */

/* A frame of another size is another camera, or another mode of it. */
static bool is_of_size(const struct vd_image *frame, int width, int height,
		       struct vd_step_result *result)
{
	if (frame->width == width && frame->height == height)
		return true;
	vd_step_undecided(result, "wrong_size", "the frame has %d x %d, taught were %d x %d",
			  frame->width, frame->height, width, height);
	return false;
}

static void run_locate(struct vd_rig *rig, int index, const struct vd_image *frame,
		       const char *serial, struct vd_step_result *result)
{
	const struct vd_step *step = &rig->recipe->steps[index];
	const struct vd_locator *locator = rig->tools[index].locator;
	int width = rig->tools[index].frame_width, height = rig->tools[index].frame_height;
	int r;

	if (step->golden.path) {
		const struct template *template = find_template(rig, index, serial, result);

		if (!template)
			return;
		locator = template->locator;
		width = template->width;
		height = template->height;
	}
	if (!locator) {
		vd_step_undecided(result, "no_model", "the part was not taught yet");
		return;
	}
	if (!is_of_size(frame, width, height, result))
		return;
	r = vd_locator_find(locator, frame, &result->pose);
	if (r < 0) {
		vd_step_undecided(result, "not_located", "%s",
				  r == -ENOMEM ? "out of memory" : "the frame is too small");
		return;
	}
	result->values[VD_MEASURE_SCORE] = result->pose.score;
	result->values[VD_MEASURE_DX] = result->pose.dx;
	result->values[VD_MEASURE_DY] = result->pose.dy;
	result->values[VD_MEASURE_ANGLE] = result->pose.angle_deg;
	if (r == 0)
		vd_step_judge(step, result);
	else
		vd_step_undecided(result, "not_located", "score %.3f, at least %.3f is wanted",
				  result->pose.score, step->locate.min_score);
}

static void take_blobs(const struct vd_step *step, struct vd_step_result *result)
{
	vd_step_move_boxes(result, step->roi);
	result->values[VD_MEASURE_SCORE] = result->blobs.score;
	result->values[VD_MEASURE_DEFECTS] = (double)result->blobs.count;
	result->values[VD_MEASURE_AREA] = (double)result->blobs.area_px;
	vd_step_judge(step, result);
}

static void run_compared(const struct vd_step *step, int r, struct vd_step_result *result)
{
	if (r == 0)
		take_blobs(step, result);
	else if (r == VD_GOLDEN_FOREIGN)
		vd_step_undecided(result, "not_recognised",
				  "hardly any tile of the template was found again");
	else if (r == -EINVAL)
		vd_step_undecided(result, "outside", "the frame does not cover the region");
	else
		vd_step_undecided(result, "internal", "%s", strerror(-r));
}

static void run_variation(struct vd_rig *rig, int index, const struct vd_image *frame,
			  struct vd_step_result *result)
{
	struct tool *tool = &rig->tools[index];

	if (!tool->variation) {
		vd_step_undecided(result, "no_model", "nothing was learnt yet");
		return;
	}
	if (!is_of_size(frame, tool->frame_width, tool->frame_height, result))
		return;
	run_compared(&rig->recipe->steps[index],
		     vd_variation_compare(tool->variation, frame, &result->pose,
					  &tool->variation_work, &result->blobs),
		     result);
}

static int find_texture(struct tool *tool, const struct vd_image *frame,
			struct vd_step_result *result)
{
	struct vd_texture_result found;
	int r;

	if (!vd_warp_inside(frame, &result->pose, tool->where))
		return -EINVAL;
	r = vd_warp_soft(frame, &result->pose, tool->where, &tool->surface); /* as in lesson.c */
	if (r == 0)
		r = vd_texture_find(tool->texture, &tool->surface, tool->texture_threshold,
				    &tool->texture_work, &found);
	if (r < 0)
		return r == -EINVAL ? -EPROTO : r;
	result->blobs = found.blobs;
	result->blobs.score = found.score;
	return 0;
}

static void run_texture(struct vd_rig *rig, int index, const struct vd_image *frame,
			struct vd_step_result *result)
{
	struct tool *tool = &rig->tools[index];

	if (!tool->texture) {
		vd_step_undecided(result, "no_model", "nothing was learnt yet");
		return;
	}
	if (is_of_size(frame, tool->frame_width, tool->frame_height, result))
		run_compared(&rig->recipe->steps[index], find_texture(tool, frame, result), result);
}

static void run_golden(struct vd_rig *rig, int index, const struct vd_image *frame,
		       const char *serial, struct vd_step_result *result)
{
	const struct template *template = find_template(rig, index, serial, result);

	if (!template || !is_of_size(frame, template->width, template->height, result))
		return;
	run_compared(&rig->recipe->steps[index],
		     vd_golden_compare(template->golden, frame, &result->pose,
				       &rig->tools[index].golden_work, &result->blobs),
		     result);
}

static void run_image(struct vd_rig *rig, int index, const struct vd_step *step,
		      const struct vd_step_view *view, struct vd_step_result *result)
{
	const struct vd_edit_source source = {
		.grey = view->frame,
		.colour = view->colour,
		.place = view->place,
		.pose = view->located ? &result->pose : NULL,
	};
	struct vd_edited *edited = &rig->tools[index].edited;
	const int r = vd_edit(step->made.edits, step->made.edit_count, &source,
			      &rig->edit_work[view->lane], edited);

	if (r == -ERANGE) {
		vd_step_undecided(result, "outside", "%s",
				  view->located ? "the image does not cover the area to crop"
						: "a crop leaves nothing of the image");
	} else if (r < 0) {
		vd_step_undecided(result, "internal", "%s", strerror(-r));
	} else {
		result->edited = edited;
		result->width = edited->grey.width;
		result->height = edited->grey.height;
	}
}

static struct vd_gauge *gauge_of(struct vd_rig *rig, int lane)
{
	if (!rig->gauges[lane] && vd_gauge_new(&rig->gauges[lane]) < 0)
		return NULL;
	return rig->gauges[lane];
}

/* step: as it stands in the recipe, or with the region of this run. */
static void run_gauge(struct vd_rig *rig, int index, const struct vd_step *step,
		      const struct vd_step_view *view, struct vd_step_result *result)
{
	struct vd_gauge_view seen = { .frame = view->frame, .colour = view->colour };
	struct vd_gauge *gauge = gauge_of(rig, view->lane);

	if (!gauge) {
		vd_step_undecided(result, "internal", "out of memory");
		return;
	}
	if (step->golden.path) {
		const struct template *template = find_template(rig, index, view->serial, result);

		if (!template ||
		    !is_of_size(view->frame, template->width, template->height, result))
			return;
		seen.patch = &template->patch;
	}
	vd_gauge_run(gauge, step, &seen, result);
}

static void run_tool(struct vd_rig *rig, int index, const struct vd_step *step,
		     const struct vd_step_view *view, struct vd_step_result *result)
{
	switch (step->tool) {
	case VD_LOCATE:
		run_locate(rig, index, view->frame, view->serial, result);
		return;
	case VD_VARIATION:
		run_variation(rig, index, view->frame, result);
		return;
	case VD_TEXTURE:
		run_texture(rig, index, view->frame, result);
		return;
	case VD_GOLDEN:
		run_golden(rig, index, view->frame, view->serial, result);
		return;
	case VD_IMAGE:
		run_image(rig, index, step, view, result);
		return;
	default:
		run_gauge(rig, index, step, view, result);
		return;
	}
}

bool vd_step_takes_regions(const struct vd_step *step)
{
	return vd_tool_gauges(step->tool) && !step->golden.path && !step->caliper.has_line;
}

/*
 * Where the region lies in what the step looks at; width 0: not there. All of it that lies in the
 * frame must be in an image that was made of it, but for a pixel of the frame that boxes are rounded
 * by: of half an object nothing is known.
 */
static struct vd_rect region_seen(const struct vd_step_view *view)
{
	const struct vd_place *place = view->place;
	struct vd_image frame = { 0 };
	struct vd_placement back;
	struct vd_rect whole, seen;
	double slack;

	if (!place)
		return vd_image_clip(view->frame, *view->region);
	frame.width = place->frame_width;
	frame.height = place->frame_height;
	back = vd_placement_back(&place->in_frame);
	whole = vd_placement_box(&back, vd_image_clip(&frame, *view->region));
	seen = vd_image_clip(view->frame, whole);
	slack = 2 + fmax(fabs(back.xx) + fabs(back.xy), fabs(back.yx) + fabs(back.yy));
	if (seen.width + slack < whole.width || seen.height + slack < whole.height)
		seen.width = 0;
	return seen;
}

/* false: result says why. */
static bool place(struct vd_step *step, const struct vd_step_view *view,
		  struct vd_step_result *result)
{
	if (!vd_step_takes_regions(step)) {
		vd_step_undecided(result, "bad_region", "%s has a place of its own",
				  vd_tool_name(step->tool));
		return false;
	}
	step->roi = region_seen(view);
	if (step->roi.width >= REGION_LEAST && step->roi.height >= REGION_LEAST)
		return true;
	vd_step_undecided(result, "bad_region", "%d, %d, %d x %d %s", view->region->x,
			  view->region->y, view->region->width, view->region->height,
			  view->place ? "is not in the image" : "leaves nothing in the frame");
	return false;
}

void vd_rig_run(struct vd_rig *rig, int index, const struct vd_step_view *view,
		struct vd_step_result *ret_result)
{
	struct vd_step step = rig->recipe->steps[index];

	vd_step_result_init(ret_result);
	if (view->place)
		ret_result->place = *view->place;
	if (view->region && !place(&step, view, ret_result))
		return;
	if (view->located && view->located->verdict == VD_NO_DECISION) {
		vd_step_undecided(ret_result, "not_located", "the step it aligns to has no result");
		return;
	}
	if (view->located)
		ret_result->pose = view->located->pose;
	run_tool(rig, index, &step, view, ret_result);
	if (vd_step_add_blobs(ret_result) < 0)
		vd_step_undecided(ret_result, "internal", "out of memory");
	if (view->place)
		vd_step_place_boxes(ret_result);
}

static void run_by_rig(void *argument, int index, const struct vd_step_view *view,
		       struct vd_step_result *ret_result)
{
	vd_rig_run(argument, index, view, ret_result);
}

struct vd_runner vd_rig_runner(struct vd_rig *rig)
{
	return (struct vd_runner){ run_by_rig, rig };
}
