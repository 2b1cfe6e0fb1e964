/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "base/json.h"

/*
 * What Azure's twins may hold; agent and hub both refuse more, so that a document which one of
 * them accepts never fails at the other. vedette-twin(5) has the table.
 */
enum {
	VD_LIMITS_SECTION_BYTES = 32 * 1024, /* desired, reported: each */
	VD_LIMITS_TAGS_BYTES = 8 * 1024,
	VD_LIMITS_DEPTH =
		10, /* objects and arrays inside one another, the document itself not counted */
	VD_LIMITS_KEY_BYTES = 1024,
	VD_LIMITS_STRING_BYTES = 4096,
};

/*
 * Azure's formula: the bytes of all keys and texts (control characters C0 and C1 in a text not
 * counted), 8 a number, 4 a boolean, 0 a null. $version and $metadata of the document are free.
 */
size_t vd_limits_size(const cJSON *document);

/*
 * Is document (a whole section, or a patch of one) an object that a twin of max_bytes may hold?
 * $version and $metadata at its top are not looked at. -EINVAL and the place in fault: 413 too
 * large, 400 everything else.
 */
VD_MUST int vd_limits_check(const cJSON *document, size_t max_bytes, struct vd_fault *fault);

/* May this be a key? No control character, white space, '.', '$' or '#'. 400 in fault, no pointer. */
VD_MUST int vd_limits_check_key(const char *key, struct vd_fault *fault);
