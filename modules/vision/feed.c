/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/vision/feed.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

void vd_feed_work_fini(struct vd_feed_work *work)
{
	vd_image_fini(&work->coloured);
	vd_image_fini(&work->sized);
	free(work->values);
	*work = (struct vd_feed_work){ 0 };
}

/* The image's own size in what is fed. */
struct size {
	int width, height;
};

static struct size fitted(const struct vd_feed *feed, const struct vd_image *image)
{
	const double x = (double)feed->width / image->width;
	const double y = (double)feed->height / image->height;
	const double least = fmin(x, y);
	double width;

	switch (feed->fit) {
	case VD_FEED_STRETCH:
		break;
	case VD_FEED_LETTERBOX:
		return (struct size){ (int)fmax(1, rint(image->width * least)),
				      (int)fmax(1, rint(image->height * least)) };
	case VD_FEED_LINE:
		width = fmin(ceil(image->width * y), (double)feed->width * VD_FEED_STRETCH_MOST);
		return (struct size){ (int)fmax(1, width), feed->height };
	}
	return (struct size){ feed->width, feed->height };
}

static struct vd_feed_place place(const struct vd_feed *feed, const struct vd_image *image,
				  struct size size)
{
	struct vd_feed_place place = { .scale_x = (double)size.width / image->width,
				       .scale_y = (double)size.height / image->height,
				       .width = feed->width,
				       .height = feed->height };

	if (feed->fit == VD_FEED_LETTERBOX) {
		place.x_at = (feed->width - size.width) / 2;
		place.y_at = (feed->height - size.height) / 2;
	} else if (feed->fit == VD_FEED_LINE && size.width > feed->width) {
		place.width = size.width;
	}
	return place;
}

static int reserve(struct vd_feed_work *work, size_t bytes)
{
	void *values;

	if (bytes <= work->capacity)
		return 0;
	values = malloc(bytes);
	if (!values)
		return -ENOMEM;
	free(work->values);
	work->values = values;
	work->capacity = bytes;
	return 0;
}

/* One channel of the fed image: number tells where a pixel's sample goes. */
struct plane {
	const struct vd_feed *feed;
	const struct vd_feed_place *place;
	int channels, channel;
	float table[256]; /* what each grey level becomes */
	void *values;
};

static void fill_table(struct plane *plane)
{
	const struct vd_feed *feed = plane->feed;

	for (int i = 0; i < 256; i++)
		plane->table[i] = feed->type == VD_TENSOR_BYTES
					  ? (float)i
					  : (float)((i * feed->scale - feed->mean[plane->channel]) /
						    feed->deviation[plane->channel]);
}

static void put(const struct plane *plane, int x, int y, float value)
{
	const size_t width = (size_t)plane->place->width, height = (size_t)plane->place->height;
	const size_t pixel = (size_t)y * width + (size_t)x, channel = (size_t)plane->channel;
	const size_t at = plane->feed->is_planar ? channel * width * height + pixel
						 : pixel * (size_t)plane->channels + channel;

	if (plane->feed->type == VD_TENSOR_FLOAT)
		((float *)plane->values)[at] = value;
	else
		((uint8_t *)plane->values)[at] = (uint8_t)value;
}

static float pad_of(const struct plane *plane)
{
	if (plane->feed->fit == VD_FEED_LINE && plane->feed->type == VD_TENSOR_FLOAT)
		return 0;
	return plane->table[plane->feed->pad & 255];
}

static void fill_plane(struct plane *plane, const struct vd_image *sized)
{
	const bool is_bgr = plane->feed->channels == VD_FEED_BGR;
	const int sample = is_bgr ? plane->channels - 1 - plane->channel : plane->channel;
	const int left = (int)plane->place->x_at, top = (int)plane->place->y_at;

	fill_table(plane);
	for (int y = 0; y < plane->place->height; y++) {
		const bool has_row = y >= top && y < top + sized->height;
		const uint8_t *row = has_row ? vd_image_row(sized, y - top) : NULL;

		for (int x = 0; x < plane->place->width; x++) {
			const bool is_in = row && x >= left && x < left + sized->width;

			put(plane, x, y,
			    is_in ? plane->table[row[(x - left) * plane->channels + sample]]
				  : pad_of(plane));
		}
	}
}

static void describe(const struct vd_feed *feed, const struct vd_feed_place *place, int channels,
		     const void *values, struct vd_tensor_view *view)
{
	*view = (struct vd_tensor_view){ .type = feed->type, .values = values, .rank = 4 };
	view->sides[0] = 1;
	view->sides[1] = feed->is_planar ? channels : place->height;
	view->sides[2] = feed->is_planar ? place->height : place->width;
	view->sides[3] = feed->is_planar ? place->width : channels;
}

int vd_feed_make(const struct vd_feed *feed, const struct vd_image *image,
		 struct vd_feed_work *work, struct vd_tensor_view *ret_view,
		 struct vd_feed_place *ret_place)
{
	const int channels = feed->channels == VD_FEED_GREY ? 1 : 3;
	const struct size size = fitted(feed, image);
	const size_t bytes_a_sample = feed->type == VD_TENSOR_FLOAT ? sizeof(float) : 1;
	struct plane plane = { .feed = feed, .place = ret_place, .channels = channels };
	int r;

	*ret_place = place(feed, image, size);
	r = channels == 1 ? vd_image_to_grey(image, &work->coloured)
			  : vd_image_to_rgb(image, &work->coloured);
	if (r == 0)
		r = vd_image_resize(&work->coloured, size.width, size.height, feed->resample,
				    &work->sized);
	if (r == 0)
		r = reserve(work, (size_t)ret_place->width * (size_t)ret_place->height *
					  (size_t)channels * bytes_a_sample);
	if (r < 0)
		return r;
	plane.values = work->values;
	for (plane.channel = 0; plane.channel < channels; plane.channel++)
		fill_plane(&plane, &work->sized);
	describe(feed, ret_place, channels, work->values, ret_view);
	return 0;
}
