/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <setjmp.h>
#include <stdbool.h>
#include <stdio.h> /* jpeglib.h needs it before */

#include <jpeglib.h>

/*
 * Private to this folder. libjpeg's error exit calls exit(); here it jumps back to the one
 * setjmp, in vd_libjpeg_guard, and warnings are counted instead of printed.
 */
struct vd_libjpeg_errors {
	struct jpeg_error_mgr manager; /* first: libjpeg hands back its address */
	jmp_buf escape;
	int code;       /* -errno of the error exit */
	int code_fatal; /* what an error exit means if nothing else is said */
	char text[JMSG_LENGTH_MAX];
	int warnings;
	char warning[JMSG_LENGTH_MAX];
};

/* code_fatal: the -errno that an error exit stands for. Give the result to cinfo.err. */
struct jpeg_error_mgr *vd_libjpeg_errors_init(struct vd_libjpeg_errors *errors, int code_fatal);

/* Leaves a callback of libjpeg with this code, as its own error exits do. */
_Noreturn void vd_libjpeg_escape(struct vd_libjpeg_errors *errors, int code);

/*
 * Calls step(argument), and returns what it returns, or the code of an error exit. What
 * step acquires must be owned by argument: a jump skips its end.
 */
int vd_libjpeg_guard(struct vd_libjpeg_errors *errors, int (*step)(void *argument), void *argument);
