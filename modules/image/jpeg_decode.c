/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decoding in steps that each run under the guard: header, checks against the limits, and only
 * then memory and pixels. A colour picture decoded as grey costs no chroma transform.
 */
#include "modules/image/jpeg.h"

#include <errno.h>
#include <string.h>

#include "modules/image/exif.h"
#include "modules/image/jpeg_restart.h"
#include "modules/image/libjpeg.h"

enum {
	ROWS = 8,          /* asked of libjpeg at once */
	EXIF_BYTES = 4096, /* of EXIF looked at: its first directory stands at the front */
};

struct decoder {
	struct jpeg_decompress_struct cinfo;
	struct vd_libjpeg_errors errors;
	struct jpeg_progress_mgr progress;
	const void *bytes;
	size_t len;
	struct vd_jpeg_limits limits;
	struct vd_jpeg_info *info;
	J_COLOR_SPACE space;
	const struct vd_rect *region; /* NULL: the whole */
	int fit_width;                /* 0: as it is */
	struct vd_excerpt excerpt;
	bool is_broken; /* restart markers are */
	struct vd_image *image;
	struct vd_fault *fault;
};

static struct vd_jpeg_limits limits_filled(const struct vd_jpeg_limits *limits)
{
	struct vd_jpeg_limits filled = limits ? *limits : (struct vd_jpeg_limits){ 0 };

	if (!filled.pixels)
		filled.pixels = VD_JPEG_PIXELS;
	if (filled.scans <= 0)
		filled.scans = VD_JPEG_SCANS;
	return filled;
}

/* A progressive file of many tiny scans costs a pass over all coefficients for each of them. */
static void check_scans(j_common_ptr cinfo)
{
	struct decoder *decoder = VD_CONTAINER(cinfo->progress, struct decoder, progress);

	if (decoder->cinfo.input_scan_number > decoder->limits.scans) {
		vd_fault_set(decoder->fault, 413, NULL, "JPEG: more than %d scans",
			     decoder->limits.scans);
		vd_libjpeg_escape(&decoder->errors, -EFBIG);
	}
}

static bool is_without_tables(const struct jpeg_decompress_struct *cinfo)
{
	for (int i = 0; i < NUM_HUFF_TBLS; i++) {
		if (cinfo->dc_huff_tbl_ptrs[i] || cinfo->ac_huff_tbl_ptrs[i])
			return false;
	}
	return !cinfo->arith_code;
}

static int orientation_of(const struct jpeg_decompress_struct *cinfo)
{
	int orientation = 0;

	for (jpeg_saved_marker_ptr at = cinfo->marker_list; at && orientation == 0; at = at->next)
		orientation = vd_exif_orientation(at->data, at->data_length);
	return orientation;
}

static int check_size(struct decoder *decoder)
{
	const struct vd_jpeg_limits *limits = &decoder->limits;
	int width = decoder->info->width, height = decoder->info->height;

	if ((uint64_t)width * (uint64_t)height > limits->pixels) {
		vd_fault_set(decoder->fault, 413, NULL, "JPEG: %dx%d is more than %llu pixels",
			     width, height, (unsigned long long)limits->pixels);
		return -EFBIG;
	}
	if ((limits->width && width != limits->width) ||
	    (limits->height && height != limits->height)) {
		vd_fault_set(decoder->fault, 409, NULL, "JPEG: is %dx%d, expected %dx%d", width,
			     height, limits->width, limits->height);
		return -ERANGE;
	}
	return 0;
}

static int read_head(struct decoder *decoder)
{
	struct jpeg_decompress_struct *cinfo = &decoder->cinfo;

	jpeg_create_decompress(cinfo);
	cinfo->progress = &decoder->progress;
	decoder->progress.progress_monitor = check_scans;
	jpeg_mem_src(cinfo, decoder->bytes, (unsigned long)decoder->len);
	jpeg_save_markers(cinfo, JPEG_APP0 + 1, EXIF_BYTES);
	(void)jpeg_read_header(cinfo, TRUE);
	decoder->info->width = (int)cinfo->image_width;
	decoder->info->height = (int)cinfo->image_height;
	decoder->info->components = cinfo->num_components;
	decoder->info->progressive = cinfo->progressive_mode != FALSE;
	decoder->info->without_tables = is_without_tables(cinfo);
	decoder->info->orientation = orientation_of(cinfo);
	return check_size(decoder);
}

static void read_rows(struct decoder *decoder)
{
	struct jpeg_decompress_struct *cinfo = &decoder->cinfo;
	JSAMPROW rows[ROWS];

	while (cinfo->output_scanline < cinfo->output_height) {
		JDIMENSION count = cinfo->output_height - cinfo->output_scanline;

		if (count > ROWS)
			count = ROWS;
		for (JDIMENSION i = 0; i < count; i++)
			rows[i] = vd_image_row(decoder->image, (int)(cinfo->output_scanline + i));
		(void)jpeg_read_scanlines(cinfo, rows, count);
	}
}

/* The inverse transform can leave out eighths, and what is not transformed costs nothing. */
static void choose_scale(struct decoder *decoder)
{
	struct jpeg_decompress_struct *cinfo = &decoder->cinfo;

	cinfo->scale_denom = 8;
	cinfo->scale_num = 9;
	do {
		cinfo->scale_num--;
		jpeg_calc_output_dimensions(cinfo);
	} while (cinfo->scale_num > 1 && cinfo->output_width > (JDIMENSION)decoder->fit_width);
}

static int read_whole(struct decoder *decoder)
{
	struct jpeg_decompress_struct *cinfo = &decoder->cinfo;
	int r;

	if (decoder->fit_width > 0)
		choose_scale(decoder);
	else
		jpeg_calc_output_dimensions(cinfo);
	r = vd_image_shape(decoder->image, (int)cinfo->output_width, (int)cinfo->output_height,
			   decoder->space == JCS_GRAYSCALE ? VD_GREY : VD_RGB);
	if (r < 0)
		return r;
	cinfo->out_color_space = decoder->space;
	(void)jpeg_start_decompress(cinfo);
	read_rows(decoder);
	(void)jpeg_finish_decompress(cinfo); /* reads on to the end marker: a missing one warns */
	return 0;
}

static int check_region(struct decoder *decoder)
{
	const struct vd_rect *r = decoder->region;
	const struct vd_jpeg_info *info = decoder->info;

	if (r->width >= 1 && r->height >= 1 && r->x >= 0 && r->y >= 0 &&
	    r->x <= info->width - r->width && r->y <= info->height - r->height)
		return 0;
	vd_fault_set(decoder->fault, 400, NULL, "region %dx%d at %d,%d is not inside %dx%d",
		     r->width, r->height, r->x, r->y, info->width, info->height);
	return -EINVAL;
}

/*
 * libjpeg widens a crop to whole blocks on the left; a line of that width is read, and the
 * wanted part copied out of it. at: the region, as the picture that is read has it.
 */
static void read_part(struct decoder *decoder, struct vd_rect at)
{
	struct jpeg_decompress_struct *cinfo = &decoder->cinfo;
	JDIMENSION x = (JDIMENSION)at.x, width = (JDIMENSION)at.width;
	JSAMPROW line;

	cinfo->out_color_space = decoder->space;
	(void)jpeg_start_decompress(cinfo);
	jpeg_crop_scanline(cinfo, &x, &width);
	line = cinfo->mem->alloc_large((j_common_ptr)cinfo, JPOOL_IMAGE, width);
	if (at.y > 0)
		(void)jpeg_skip_scanlines(cinfo, (JDIMENSION)at.y);
	for (int y = 0; y < at.height; y++) {
		(void)jpeg_read_scanlines(cinfo, &line, 1);
		memcpy(vd_image_row(decoder->image, y), line + ((JDIMENSION)at.x - x),
		       (size_t)at.width);
	}
}

/* With restart markers a smaller file is made of what the region needs, and read instead. */
static int read_region(struct decoder *decoder)
{
	struct jpeg_decompress_struct *cinfo = &decoder->cinfo;
	struct vd_excerpt *excerpt = &decoder->excerpt;
	struct vd_rect at = *decoder->region;
	int r = check_region(decoder);
	bool is_cut;

	if (r == 0)
		r = vd_image_shape(decoder->image, at.width, at.height, VD_GREY);
	if (r == 0)
		r = vd_excerpt_cut(cinfo, decoder->bytes, decoder->len, at, excerpt);
	if (r < 0)
		return r;
	decoder->is_broken = r == VD_EXCERPT_BROKEN;
	is_cut = r == 0;
	if (is_cut) {
		at.x -= excerpt->x;
		at.y -= excerpt->y;
		jpeg_abort_decompress(cinfo);
		jpeg_mem_src(cinfo, (const unsigned char *)excerpt->bytes.data,
			     (unsigned long)excerpt->bytes.len);
		(void)jpeg_read_header(cinfo, TRUE);
	}
	read_part(decoder, at);
	if (is_cut && cinfo->output_scanline < (JDIMENSION)excerpt->lines)
		(void)jpeg_skip_scanlines(cinfo,
					  (JDIMENSION)excerpt->lines - cinfo->output_scanline);
	return 0;
}

static int decode_step(void *argument)
{
	struct decoder *decoder = argument;
	int r = read_head(decoder);

	if (r < 0 || !decoder->image)
		return r;
	return decoder->region ? read_region(decoder) : read_whole(decoder);
}

static void count_warnings(const struct decoder *decoder, struct vd_jpeg_info *info)
{
	const char *first = decoder->errors.warning;

	info->warnings = decoder->errors.warnings;
	if (decoder->is_broken && info->warnings++ == 0)
		first = "restart markers or the end are missing or out of order";
	(void)snprintf(info->warning, sizeof info->warning, "%.127s", first);
}

/* The fault of an error exit; where a check refused, it set the fault itself. */
static void explain(struct decoder *decoder, int r)
{
	if (r == -ENOMEM || r == -EOVERFLOW)
		vd_fault_set(decoder->fault, 500, NULL, "JPEG: no memory for %dx%d",
			     decoder->info->width, decoder->info->height);
	else if (r == -EBADMSG)
		vd_fault_set(decoder->fault, 400, NULL, "JPEG: %s", decoder->errors.text);
}

static int decode(struct decoder *decoder, const struct vd_jpeg_limits *limits,
		  struct vd_jpeg_info *ret_info)
{
	struct vd_jpeg_info info = { 0 };
	int r;

	decoder->limits = limits_filled(limits);
	decoder->info = &info;
	decoder->cinfo.err = vd_libjpeg_errors_init(&decoder->errors, -EBADMSG);
	if (decoder->len == 0) {
		vd_fault_set(decoder->fault, 400, NULL, "JPEG: is empty");
		return -EBADMSG;
	}
	r = vd_libjpeg_guard(&decoder->errors, decode_step, decoder);
	jpeg_destroy_decompress(&decoder->cinfo);
	vd_buf_fini(&decoder->excerpt.bytes);
	count_warnings(decoder, &info);
	if (ret_info && info.width > 0)
		*ret_info = info;
	if (r < 0) {
		explain(decoder, r);
		return r;
	}
	return info.warnings > 0 ? VD_JPEG_DAMAGED : 0;
}

int vd_jpeg_decode_grey(const void *bytes, size_t len, const struct vd_jpeg_limits *limits,
			struct vd_image *image, struct vd_jpeg_info *ret_info,
			struct vd_fault *fault)
{
	struct decoder decoder = {
		.bytes = bytes, .len = len, .space = JCS_GRAYSCALE, .image = image, .fault = fault
	};

	return decode(&decoder, limits, ret_info);
}

int vd_jpeg_decode_rgb(const void *bytes, size_t len, const struct vd_jpeg_limits *limits,
		       struct vd_image *image, struct vd_jpeg_info *ret_info,
		       struct vd_fault *fault)
{
	struct decoder decoder = {
		.bytes = bytes, .len = len, .space = JCS_RGB, .image = image, .fault = fault
	};

	return decode(&decoder, limits, ret_info);
}

int vd_jpeg_decode_region(const void *bytes, size_t len, const struct vd_jpeg_limits *limits,
			  struct vd_rect region, struct vd_image *image,
			  struct vd_jpeg_info *ret_info, struct vd_fault *fault)
{
	struct decoder decoder = { .bytes = bytes,
				   .len = len,
				   .space = JCS_GRAYSCALE,
				   .region = &region,
				   .image = image,
				   .fault = fault };

	return decode(&decoder, limits, ret_info);
}

int vd_jpeg_decode_small(const void *bytes, size_t len, const struct vd_jpeg_limits *limits,
			 int width, struct vd_image *image, struct vd_jpeg_info *ret_info,
			 struct vd_fault *fault)
{
	struct decoder decoder = { .bytes = bytes,
				   .len = len,
				   .space = JCS_RGB,
				   .fit_width = width > 0 ? width : 1,
				   .image = image,
				   .fault = fault };

	return decode(&decoder, limits, ret_info);
}

int vd_jpeg_head(const void *bytes, size_t len, const struct vd_jpeg_limits *limits,
		 struct vd_jpeg_info *ret_info, struct vd_fault *fault)
{
	struct decoder decoder = { .bytes = bytes, .len = len, .fault = fault };

	return decode(&decoder, limits, ret_info);
}
