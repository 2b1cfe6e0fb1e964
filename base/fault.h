/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "base/attr.h"

/*
 * A reason that a person must be able to read: a text, the place in a document
 * (JSON pointer, RFC 6901) and a status code in HTTP's sense (400 bad input, 404,
 * 409, 412, 413, 500 …). Fixed size, no heap: it can be filled when memory is out.
 *
 * The function that finds the cause sets it; callers wrap it on the way up:
 *   "/exposureUs" "90000000 is above 1000000"  ->  under "parameters", prefix "camera"
 *   ->  "/parameters/exposureUs" "camera: 90000000 is above 1000000"
 *
 * Every function here accepts fault == NULL and then does nothing.
 */
struct vd_fault {
	int code;          /* 0: no fault */
	char pointer[256]; /* "" is the whole document */
	char text[256];
};

/* Sets code, pointer (NULL is "") and text; longer ones are cut at a character. */
void vd_fault_set(struct vd_fault *fault, int code, const char *pointer, const char *format, ...)
	VD_PRINTF(4, 5);

/* Puts "prefix: " before the text. */
void vd_fault_prefix(struct vd_fault *fault, const char *format, ...) VD_PRINTF(2, 3);

/* Puts "/key" before the pointer; '~' and '/' in key are escaped as RFC 6901 says. */
void vd_fault_under(struct vd_fault *fault, const char *key);
void vd_fault_under_index(struct vd_fault *fault, int index);
