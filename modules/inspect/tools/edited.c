/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/inspect/tools/edited.h"

#include <errno.h>

#include "modules/vision/warp.h"

void vd_edited_fini(struct vd_edited *edited)
{
	vd_image_fini(&edited->grey);
	vd_image_fini(&edited->colour);
	*edited = (struct vd_edited){ 0 };
}

void vd_edit_work_fini(struct vd_edit_work *work)
{
	vd_image_fini(&work->spare);
	vd_image_fini(&work->plane);
	vd_image_fini(&work->moved);
}

/* ---- colours as the part lies ---- */

static void take_channel(const struct vd_image *image, int channel, struct vd_image *plane)
{
	for (int y = 0; y < image->height; y++) {
		const uint8_t *from = vd_image_row(image, y) + channel;
		uint8_t *to = vd_image_row(plane, y);

		for (int x = 0; x < image->width; x++)
			to[x] = from[x * VD_RGB];
	}
}

static void put_channel(const struct vd_image *plane, int channel, struct vd_image *image)
{
	for (int y = 0; y < image->height; y++) {
		const uint8_t *from = vd_image_row(plane, y);
		uint8_t *to = vd_image_row(image, y) + channel;

		for (int x = 0; x < image->width; x++)
			to[x * VD_RGB] = from[x];
	}
}

int vd_warp_rgb(const struct vd_image *image, const struct vd_pose *pose, struct vd_rect where,
		struct vd_edit_work *work, struct vd_image *out)
{
	int r = vd_image_shape(out, where.width, where.height, VD_RGB);

	if (r == 0)
		r = vd_image_shape(&work->plane, image->width, image->height, VD_GREY);
	for (int i = 0; r == 0 && i < VD_RGB; i++) {
		take_channel(image, i, &work->plane);
		r = vd_warp(&work->plane, pose, where, &work->moved);
		if (r == 0)
			put_channel(&work->moved, i, out);
	}
	return r;
}

/* ---- one operation ---- */

static int crop_posed(const struct vd_image *image, const struct vd_pose *pose, struct vd_rect area,
		      struct vd_edit_work *work, struct vd_image *out)
{
	if (!vd_warp_inside(image, pose, area))
		return -ERANGE;
	return image->channels == VD_RGB ? vd_warp_rgb(image, pose, area, work, out)
					 : vd_warp(image, pose, area, out);
}

static int blur_copy(const struct vd_edit *edit, const struct vd_image *image, struct vd_image *out)
{
	const struct vd_rect whole = { 0, 0, image->width, image->height };
	int r = vd_image_crop(image, whole, out);

	return r < 0 ? r : vd_image_blur(out, edit->areas, (size_t)edit->area_count);
}

/* pose: NULL but for a crop that follows a part. */
static int edit_once(const struct vd_edit *edit, const struct vd_image *image,
		     const struct vd_pose *pose, struct vd_edit_work *work, struct vd_image *out)
{
	switch (edit->kind) {
	case VD_EDIT_CROP:
		return pose ? crop_posed(image, pose, edit->area, work, out)
			    : vd_image_crop(image, edit->area, out);
	case VD_EDIT_RESIZE:
		return vd_image_resize(image, edit->width, edit->height, edit->resample, out);
	case VD_EDIT_ROTATE:
		return vd_image_turn(image, edit->quarters, out);
	case VD_EDIT_BLUR:
		return blur_copy(edit, image, out);
	case VD_EDIT_GREY:
		break;
	}
	return vd_image_to_grey(image, out);
}

/* Where what an operation makes lies in what it is made of; before, after: their sizes. */
static struct vd_placement placement_of(const struct vd_edit *edit, const struct vd_image *before,
					const struct vd_image *after)
{
	switch (edit->kind) {
	case VD_EDIT_CROP:
		return vd_placement_shift(edit->area.x, edit->area.y);
	case VD_EDIT_RESIZE:
		return vd_placement_scale((double)before->width / after->width,
					  (double)before->height / after->height);
	case VD_EDIT_ROTATE:
		return vd_placement_turn(edit->quarters, before->width, before->height);
	case VD_EDIT_BLUR:
	case VD_EDIT_GREY:
		break;
	}
	return vd_placement_identity();
}

/* ---- all of them ---- */

static void swap(struct vd_image *a, struct vd_image *b)
{
	const struct vd_image kept = *a;

	*a = *b;
	*b = kept;
}

static void move_place(struct vd_place *place, const struct vd_placement *inner,
		       const struct vd_pose *pose)
{
	place->as_taught = vd_placement_join(&place->as_taught, inner);
	if (pose) {
		const struct vd_placement moved = vd_placement_pose(pose);

		place->in_frame = vd_placement_join(&place->in_frame, &moved);
	}
	place->in_frame = vd_placement_join(&place->in_frame, inner);
}

/* place: NULL where it is known already. */
static int edit_plane(const struct vd_edit *edits, int count, const struct vd_image *image,
		      const struct vd_pose *pose, struct vd_edit_work *work, struct vd_image *out,
		      struct vd_place *place)
{
	for (int i = 0; i < count; i++) {
		const struct vd_pose *here = i == 0 ? pose : NULL;
		const int r = edit_once(&edits[i], image, here, work, &work->spare);
		struct vd_placement inner;

		if (r < 0)
			return r;
		inner = placement_of(&edits[i], image, &work->spare);
		if (place)
			move_place(place, &inner, here);
		swap(out, &work->spare);
		image = out;
	}
	return 0;
}

static bool takes_colours(const struct vd_edit *edits, int count)
{
	for (int i = 0; i < count; i++) {
		if (edits[i].kind == VD_EDIT_GREY)
			return true;
	}
	return false;
}

int vd_edit(const struct vd_edit *edits, int count, const struct vd_edit_source *source,
	    struct vd_edit_work *work, struct vd_edited *out)
{
	const struct vd_placement identity = vd_placement_identity();
	const struct vd_place frame = { identity, identity, source->grey->width,
					source->grey->height };
	int r;

	out->place = source->place ? *source->place : frame;
	out->has_colour = source->colour && !takes_colours(edits, count);
	r = edit_plane(edits, count, source->grey, source->pose, work, &out->grey, &out->place);
	if (r == 0 && out->has_colour)
		r = edit_plane(edits, count, source->colour, source->pose, work, &out->colour,
			       NULL);
	return r;
}
