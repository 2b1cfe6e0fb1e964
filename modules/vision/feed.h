/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "base/attr.h"
#include "modules/image/edit.h"
#include "modules/image/image.h"
#include "modules/vision/onnx.h"

/* What a network is fed with: an image, brought to the size, order and scale that it was taught. */

enum vd_feed_channels { VD_FEED_GREY, VD_FEED_RGB, VD_FEED_BGR };

enum vd_feed_fit {
	VD_FEED_STRETCH,   /* to width and height, whatever the image's own proportions */
	VD_FEED_LETTERBOX, /* proportions kept, centred, the rest padded */
	VD_FEED_LINE, /* to the height; as wide as that makes it, at least width, padded on the right */
};

struct vd_feed {
	int width, height;
	enum vd_feed_channels channels;
	bool is_planar; /* N C H W, else N H W C */
	enum vd_tensor_type type;
	enum vd_feed_fit fit;
	enum vd_resample resample;
	double scale; /* a sample s becomes (s * scale - mean) / deviation; of floats only */
	double mean[3], deviation[3]; /* in the order of channels */
	int pad;                      /* grey level beside the image; VD_FEED_LINE: the mean */
};

/* Where the image lies in what is fed: x_fed = x * scale_x + x_at. */
struct vd_feed_place {
	double scale_x, scale_y;
	double x_at, y_at;
	int width, height; /* fed */
};

/* Memory that serves one image after the other. Starts as { 0 }. */
struct vd_feed_work {
	struct vd_image coloured, sized;
	void *values;
	size_t capacity;
};

void vd_feed_work_fini(struct vd_feed_work *work);

enum { VD_FEED_STRETCH_MOST = 16 /* times width: the longest line */ };

/*
 * Borrows work until the next call. A grey image is fed to a network for colours as grey. -ENOMEM;
 * -EINVAL: a size that cannot be made.
 */
VD_MUST int vd_feed_make(const struct vd_feed *feed, const struct vd_image *image,
			 struct vd_feed_work *work, struct vd_tensor_view *ret_view,
			 struct vd_feed_place *ret_place);
