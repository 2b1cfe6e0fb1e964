/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/fault.h"
#include "modules/image/image.h"

/*
 * JPEG on libjpeg-turbo, whose headers nobody else includes. Bytes come from outside: the
 * size that a file claims is checked against limits before memory is taken, libjpeg's error
 * exits end in a fault and its warnings in VD_JPEG_DAMAGED: a truncated or flipped file
 * decodes to a full image with nothing but a warning, and must not be judged as if it were
 * whole. Frames of UVC cameras without Huffman tables (MJPEG) are decoded with the standard
 * ones. Every function may be called from any thread, with different outputs.
 */
enum vd_jpeg_outcome {
	VD_JPEG_DAMAGED =
		1 /* decoded, but libjpeg warned: info.warnings > 0, info.warning says why */
};

struct vd_jpeg_limits {
	uint64_t pixels;   /* width * height at most; 0: VD_JPEG_PIXELS */
	int width, height; /* the only size accepted; 0: any */
	int scans;         /* of a progressive file; 0: VD_JPEG_SCANS */
};

enum { VD_JPEG_PIXELS = 50000000, VD_JPEG_SCANS = 32 };

struct vd_jpeg_info {
	int width, height; /* of the whole picture, also when a region was decoded */
	int components;    /* 1 grey, 3 colour, 4 CMYK */
	bool progressive;
	bool without_tables; /* no Huffman table stands in the file */
	int orientation;     /* by EXIF, 1 to 8 (exif.h); 0: not said. Pixels are as they stand */
	int warnings;
	char warning[128]; /* the first one */
};

/*
 * Decode the whole picture as luminance or as RGB. image is shaped (vd_image_shape), so its
 * memory serves the next frame too. limits, ret_info and fault may be NULL.
 * 0; VD_JPEG_DAMAGED, with the image as far as it could be decoded; else fault says what and
 * image holds nothing of use: -EBADMSG no JPEG, broken beyond decoding or of a kind that is
 * not decoded (400); -EFBIG above limits.pixels or limits.scans (413); -ERANGE not of
 * limits.width x limits.height (409); -ENOMEM (500). ret_info is written whenever the header
 * could be read.
 */
VD_MUST int vd_jpeg_decode_grey(const void *bytes, size_t len, const struct vd_jpeg_limits *limits,
				struct vd_image *image, struct vd_jpeg_info *ret_info,
				struct vd_fault *fault);
VD_MUST int vd_jpeg_decode_rgb(const void *bytes, size_t len, const struct vd_jpeg_limits *limits,
			       struct vd_image *image, struct vd_jpeg_info *ret_info,
			       struct vd_fault *fault);

/*
 * As vd_jpeg_decode_grey, but only region; image has the region's size and exactly the pixels
 * that the whole picture has there. Takes 1.2 to 2.3 times less than the whole, and with restart
 * markers at the rows (many cameras write them) nearly as much less as the region is smaller.
 * Of what stands outside the region not everything is looked at, and damage there can go unseen:
 * with restart markers their number, their order and the end of the file are checked, without
 * them nothing below the region is. -EINVAL: region is empty or not inside the picture (400).
 *
 * So nothing is judged by it, however small the regions of a recipe are: a frame that is damaged
 * anywhere, or dark, saturated or covered as a whole, is no evidence, and a flipped bit shows only
 * where it is decoded.
 */
VD_MUST int vd_jpeg_decode_region(const void *bytes, size_t len,
				  const struct vd_jpeg_limits *limits, struct vd_rect region,
				  struct vd_image *image, struct vd_jpeg_info *ret_info,
				  struct vd_fault *fault);

/*
 * As vd_jpeg_decode_rgb, but made smaller while decoding, for people to look at: by the largest
 * number of eighths, one at least, with which it is not wider than width.
 */
VD_MUST int vd_jpeg_decode_small(const void *bytes, size_t len, const struct vd_jpeg_limits *limits,
				 int width, struct vd_image *image, struct vd_jpeg_info *ret_info,
				 struct vd_fault *fault);

/* The header alone, no pixel decoded. Returns as vd_jpeg_decode_grey. */
VD_MUST int vd_jpeg_head(const void *bytes, size_t len, const struct vd_jpeg_limits *limits,
			 struct vd_jpeg_info *ret_info, struct vd_fault *fault);

/*
 * Appends image as a baseline JPEG, colour subsampled 4:2:0. quality: 1 to 100.
 * -EINVAL: no image or quality out of bounds; -ENOMEM; -E2BIG: out's limit. out is unchanged
 * on failure.
 */
VD_MUST int vd_jpeg_encode(const struct vd_image *image, int quality, struct vd_buf *out);

/*
 * As vd_jpeg_encode, from the raw frames of cameras, without a detour over RGB.
 *   VD_RAW_GREY  one byte a pixel             -> grey JPEG
 *   VD_RAW_YUYV  Y0 U Y1 V, width even        -> 4:2:2
 *   VD_RAW_NV12  a plane Y, then a plane UV of half height at the same stride -> 4:2:0
 * stride: bytes from row to row. -EINVAL also when len is too small for the shape.
 */
enum vd_raw_format { VD_RAW_GREY, VD_RAW_YUYV, VD_RAW_NV12 };

struct vd_raw_frame {
	enum vd_raw_format format;
	int width, height;
	size_t stride;
	const uint8_t *bytes;
	size_t len;
};

/* The bytes that a frame of this shape has, by its format, size and stride; 0: no such frame. */
size_t vd_raw_frame_bytes(const struct vd_raw_frame *raw);

VD_MUST int vd_jpeg_encode_raw(const struct vd_raw_frame *frame, int quality, struct vd_buf *out);

/*
 * Appends the file with the standard Huffman tables put in before its first scan, if it has
 * none: what a camera sends as MJPEG, made readable for browsers. A file with tables is
 * appended as it is. -EBADMSG: no scan found; -ENOMEM; -E2BIG.
 */
VD_MUST int vd_jpeg_with_tables(const void *bytes, size_t len, struct vd_buf *out);
