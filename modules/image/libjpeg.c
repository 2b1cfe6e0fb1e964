/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/image/libjpeg.h"

#include <errno.h>

#include <jerror.h>

#include "base/attr.h"

void vd_libjpeg_escape(struct vd_libjpeg_errors *errors, int code)
{
	errors->code = code;
	longjmp(errors->escape, 1);
}

static void error_exit(j_common_ptr cinfo)
{
	struct vd_libjpeg_errors *errors = (struct vd_libjpeg_errors *)(void *)cinfo->err;
	bool memory = errors->manager.msg_code == JERR_OUT_OF_MEMORY;

	errors->manager.format_message(cinfo, errors->text);
	vd_libjpeg_escape(errors, memory ? -ENOMEM : errors->code_fatal);
}

/* Level -1 is a warning about damaged data; 0 and above are remarks. */
static void emit_message(j_common_ptr cinfo, int level)
{
	struct vd_libjpeg_errors *errors = (struct vd_libjpeg_errors *)(void *)cinfo->err;

	if (level >= 0)
		return;
	if (errors->warnings++ == 0)
		errors->manager.format_message(cinfo, errors->warning);
}

static void output_message(j_common_ptr cinfo VD_UNUSED)
{
}

struct jpeg_error_mgr *vd_libjpeg_errors_init(struct vd_libjpeg_errors *errors, int code_fatal)
{
	(void)jpeg_std_error(&errors->manager);
	errors->manager.error_exit = error_exit;
	errors->manager.emit_message = emit_message;
	errors->manager.output_message = output_message;
	errors->code = 0;
	errors->code_fatal = code_fatal;
	errors->text[0] = '\0';
	errors->warnings = 0;
	errors->warning[0] = '\0';
	return &errors->manager;
}

int vd_libjpeg_guard(struct vd_libjpeg_errors *errors, int (*step)(void *argument), void *argument)
{
	if (setjmp(errors->escape) != 0)
		return errors->code;
	return step(argument);
}
