/* SPDX-License-Identifier: Apache-2.0 */
/* What modules/camera says about libaravis against Aravis's own headers: it compiles or it does not. */
#include <arv.h>

#define VD_WITH_GLIB 1
#include "modules/camera/aravis_library.h"

#include "vd_test.h"

#define SAME(result, name, arguments)                                                              \
	_Static_assert(__builtin_types_compatible_p(__typeof__(&arv_##name), result(*) arguments), \
		       "arv_" #name);
VD_ARAVIS_FUNCTIONS(SAME)

_Static_assert((int)ARV_STREAM_CALLBACK_TYPE_BUFFER_DONE == (int)VD_ARAVIS_BUFFER_DONE, "callback");
_Static_assert((int)ARV_BUFFER_STATUS_SUCCESS == (int)VD_ARAVIS_SUCCESS, "status");
_Static_assert((int)ARV_BUFFER_PAYLOAD_TYPE_IMAGE == (int)VD_ARAVIS_IMAGE, "payload");
_Static_assert((int)ARV_AUTO_OFF == 0, "automatic");

static void the_library_has_every_function_that_is_wanted(void **state)
{
	const struct vd_aravis *aravis;
	struct vd_fault fault = { 0 };

	assert_int_equal(vd_aravis_load(&aravis, &fault), 0);
	assert_non_null(aravis->update_device_list);
	assert_non_null(aravis->free);
}

VD_TEST_MAIN(cmocka_unit_test(the_library_has_every_function_that_is_wanted))
