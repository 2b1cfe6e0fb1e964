/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "modules/image/image.h"

/*
 * Bar codes, QR codes and Data Matrix. The first two are read by zbar, which is loaded when the
 * first of them is wanted: its development package is 60 times its own size and a station
 * without such codes needs neither. Data Matrix is read by libdmtx. A reader is used by one thread.
 */
enum vd_code_kind {
	VD_CODE_QR = 1 << 0,
	VD_CODE_128 = 1 << 1,
	VD_CODE_39 = 1 << 2,
	VD_CODE_93 = 1 << 3,
	VD_CODE_EAN13 = 1 << 4,
	VD_CODE_EAN8 = 1 << 5,
	VD_CODE_UPCA = 1 << 6,
	VD_CODE_INTERLEAVED25 = 1 << 7,
	VD_CODE_CODABAR = 1 << 8,
	VD_CODE_DATABAR = 1 << 9,
	VD_CODE_DATAMATRIX = 1 << 10,
};

enum { VD_CODE_BYTES = 512, VD_CODES_MOST = 16 };

const char *vd_code_kind_name(enum vd_code_kind kind); /* "qr", "code128" ... */
int vd_code_kind_of(const char *name);                 /* 0: there is none */

struct vd_code {
	enum vd_code_kind kind;
	char text[VD_CODE_BYTES]; /* as read, any bytes; a NUL follows */
	size_t len;
	int quality;        /* more is better; comparable within a kind only. Data Matrix: 0 */
	struct vd_rect box; /* about where; in the image's pixels */
};

struct vd_codes {
	struct vd_code list[VD_CODES_MOST];
	int count;
	bool is_cut; /* there were more, or longer ones, which are not in the list */
};

struct vd_code_reader;

/* -ENOMEM. */
VD_MUST int vd_code_reader_new(struct vd_code_reader **ret_reader);
struct vd_code_reader *vd_code_reader_free(struct vd_code_reader *reader);
VD_DEFINE_CLEANUP(struct vd_code_reader, vd_code_reader_free)

/*
 * Reads what is in image of kinds (or-ed). timeout_ms bounds the search for Data Matrix, which
 * looks everywhere. -ENOSYS: zbar is wanted and not installed; -ENOMEM; -EINVAL: no kind.
 */
VD_MUST int vd_code_read(struct vd_code_reader *reader, const struct vd_image *image,
			 unsigned kinds, int timeout_ms, struct vd_codes *ret_codes);

/* What a station expects to read. */
struct vd_code_expectation;

/*
 * Either a text, byte for byte, or a POSIX extended regular expression that the whole of what
 * was read must match; the other one is NULL. -EINVAL: no such expression, text says why; -ENOMEM.
 */
VD_MUST int vd_code_expectation_new(const char *literal, const char *pattern, char text[static 128],
				    struct vd_code_expectation **ret_expectation);
struct vd_code_expectation *vd_code_expectation_free(struct vd_code_expectation *expectation);
VD_DEFINE_CLEANUP(struct vd_code_expectation, vd_code_expectation_free)

enum vd_code_verdict {
	VD_CODE_FITS,
	VD_CODE_DIFFERS,   /* something was read, and nothing of it fits */
	VD_CODE_NONE,      /* nothing was read */
	VD_CODE_AMBIGUOUS, /* two texts fit that are not the same, or not all was read */
};

/* ret_code: the one that decides; NULL when nothing was read. */
enum vd_code_verdict vd_code_judge(const struct vd_code_expectation *expectation,
				   const struct vd_codes *codes, const struct vd_code **ret_code);

/* The same of any text: is it what is expected? */
bool vd_code_expects(const struct vd_code_expectation *expectation, const char *text, size_t len);

/* For people and JSON: UTF-8 without control characters; what is neither becomes '?'. */
void vd_code_print(const struct vd_code *code, char *text, size_t size);
void vd_code_print_text(const char *text, size_t len, char *out, size_t size);
