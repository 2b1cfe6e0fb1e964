/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/json.h"

/*
 * What an import cannot carry over, so that nothing is lost in silence: a reader takes out of the
 * document what it understands, and all that is left at the end is the rest, beside what it noted
 * on the way.
 */
struct vd_rest {
	cJSON *taken; /* array: keeps what was taken, so that texts stay */
	cJSON *notes; /* array of {"pointer", "text"} */
};

VD_MUST int vd_rest_init(struct vd_rest *rest);
void vd_rest_fini(struct vd_rest *rest);
VD_UNUSED static inline void vd_rest_fini_p(struct vd_rest *rest)
{
	vd_rest_fini(rest);
}

/* Moves object's member out of the document. NULL: there is none. */
cJSON *vd_rest_take(struct vd_rest *rest, cJSON *object, const char *key);

/* As vd_rest_take, if it is a text: else fallback, and a member of another type stays. */
const char *vd_rest_take_text(struct vd_rest *rest, cJSON *object, const char *key,
			      const char *fallback);

/* parent and "/key", escaped as RFC 6901 says; what does not fit is cut. Returns out. */
enum { VD_PLACE_BYTES = 256 };
const char *vd_rest_place(char out[static VD_PLACE_BYTES], const char *parent, const char *key);

/* Says about the place what came of it. */
VD_MUST VD_PRINTF(3, 4) int vd_rest_note(struct vd_rest *rest, const char *pointer,
					 const char *format, ...);

/* A note for each leaf that is still in the document, with the reason, if why(key) has one. */
VD_MUST int vd_rest_list(struct vd_rest *rest, const cJSON *document,
			 const char *(*why)(const char *key));
