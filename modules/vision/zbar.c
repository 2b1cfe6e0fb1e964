/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The interface is that of libzbar.so.0 (0.10 and later): opaque pointers and numbers, which its
 * soname promises to keep. Nothing of the library is copied but names and values.
 */
#include "modules/vision/zbar.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>

enum { ENABLE = 0, EVERY_SYMBOL = 0 };

/* What zbar calls them. */
static const struct {
	enum vd_code_kind kind;
	int symbol;
} symbols[] = {
	{ VD_CODE_QR, 64 },      { VD_CODE_128, 128 },    { VD_CODE_39, 39 },
	{ VD_CODE_93, 93 },      { VD_CODE_EAN13, 13 },   { VD_CODE_EAN8, 8 },
	{ VD_CODE_UPCA, 12 },    { VD_CODE_DATABAR, 34 }, { VD_CODE_INTERLEAVED25, 25 },
	{ VD_CODE_CODABAR, 38 },
};

struct functions {
	void *(*scanner_new)(void);
	void (*scanner_free)(void *scanner);
	int (*scanner_set)(void *scanner, int symbol, int config, int value);
	int (*scan)(void *scanner, void *image);
	void *(*image_new)(void);
	void (*image_free)(void *image);
	void (*image_format)(void *image, unsigned long fourcc);
	void (*image_size)(void *image, unsigned width, unsigned height);
	void (*image_data)(void *image, const void *data, unsigned long len, void (*freed)(void *));
	const void *(*first)(const void *image);
	const void *(*next)(const void *symbol);
	int (*type)(const void *symbol);
	const char *(*data)(const void *symbol);
	unsigned (*data_length)(const void *symbol);
	int (*quality)(const void *symbol);
	unsigned (*points)(const void *symbol);
	int (*point_x)(const void *symbol, unsigned index);
	int (*point_y)(const void *symbol, unsigned index);
};

struct vd_zbar {
	void *library, *scanner;
	struct functions call;
};

static bool resolve(struct vd_zbar *zbar)
{
	static const char *const names[] = {
		"zbar_image_scanner_create",
		"zbar_image_scanner_destroy",
		"zbar_image_scanner_set_config",
		"zbar_scan_image",
		"zbar_image_create",
		"zbar_image_destroy",
		"zbar_image_set_format",
		"zbar_image_set_size",
		"zbar_image_set_data",
		"zbar_image_first_symbol",
		"zbar_symbol_next",
		"zbar_symbol_get_type",
		"zbar_symbol_get_data",
		"zbar_symbol_get_data_length",
		"zbar_symbol_get_quality",
		"zbar_symbol_get_loc_size",
		"zbar_symbol_get_loc_x",
		"zbar_symbol_get_loc_y",
	};
	void **slots = (void **)&zbar->call; /* POSIX: functions fit in data pointers */

	_Static_assert(sizeof zbar->call == VD_COUNT(names) * sizeof(void *), "one name each");
	for (size_t i = 0; i < VD_COUNT(names); i++) {
		slots[i] = dlsym(zbar->library, names[i]);
		if (!slots[i])
			return false;
	}
	return true;
}

int vd_zbar_new(struct vd_zbar **ret_zbar)
{
	struct vd_zbar *zbar = calloc(1, sizeof *zbar);
	int r = -ENOSYS;

	if (!zbar)
		return -ENOMEM;
	zbar->library = dlopen("libzbar.so.0", RTLD_NOW | RTLD_LOCAL);
	if (zbar->library && resolve(zbar)) {
		zbar->scanner = zbar->call.scanner_new();
		r = zbar->scanner ? 0 : -ENOMEM;
	}
	if (r < 0) {
		(void)vd_zbar_free(zbar);
		return r;
	}
	*ret_zbar = zbar;
	return 0;
}

struct vd_zbar *vd_zbar_free(struct vd_zbar *zbar)
{
	if (!zbar)
		return NULL;
	if (zbar->scanner)
		zbar->call.scanner_free(zbar->scanner);
	if (zbar->library)
		(void)dlclose(zbar->library);
	free(zbar);
	return NULL;
}

static int kind_of(int symbol)
{
	for (size_t i = 0; i < VD_COUNT(symbols); i++) {
		if (symbols[i].symbol == symbol)
			return (int)symbols[i].kind;
	}
	return 0;
}

static struct vd_rect box_of(const struct functions *call, const void *symbol)
{
	int left = INT_MAX, top = INT_MAX, right = -1, low = -1;
	const unsigned n = call->points(symbol);

	for (unsigned i = 0; i < n; i++) {
		const int x = call->point_x(symbol, i), y = call->point_y(symbol, i);

		left = x < left ? x : left;
		right = x > right ? x : right;
		top = y < top ? y : top;
		low = y > low ? y : low;
	}
	return right < 0 ? (struct vd_rect){ 0 }
			 : (struct vd_rect){ left, top, right - left + 1, low - top + 1 };
}

static void add_symbol(const struct functions *call, const void *symbol, struct vd_codes *codes)
{
	const int kind = kind_of(call->type(symbol));
	const struct vd_code code = { .kind = (enum vd_code_kind)kind,
				      .quality = call->quality(symbol),
				      .box = box_of(call, symbol) };

	if (kind)
		vd_codes_add(codes, &code, call->data(symbol), call->data_length(symbol));
}

int vd_zbar_read(struct vd_zbar *zbar, const unsigned char *pixels, int width, int height,
		 unsigned kinds, struct vd_codes *codes)
{
	static const unsigned long grey = 0x30303859; /* "Y800" */
	const struct functions *call = &zbar->call;
	void *image = call->image_new();
	int found;

	if (!image)
		return -ENOMEM;
	(void)call->scanner_set(zbar->scanner, EVERY_SYMBOL, ENABLE, 0);
	for (size_t i = 0; i < VD_COUNT(symbols); i++)
		(void)call->scanner_set(zbar->scanner, symbols[i].symbol, ENABLE,
					(kinds & symbols[i].kind) != 0);
	call->image_format(image, grey);
	call->image_size(image, (unsigned)width, (unsigned)height);
	call->image_data(image, pixels, (unsigned long)width * (unsigned long)height, NULL);
	found = call->scan(zbar->scanner, image);
	for (const void *s = found > 0 ? call->first(image) : NULL; s; s = call->next(s))
		add_symbol(call, s, codes);
	call->image_free(image);
	return found < 0 ? -EIO : 0;
}
