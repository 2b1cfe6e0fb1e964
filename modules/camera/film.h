/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "modules/camera/archive.h"
#include "modules/camera/avi.h"
#include "modules/camera/shot.h"

/*
 * The entry of a clip while it is written, by one thread. Each frame stands at the place on the
 * time line that is nearest to when it was taken; places between are empty.
 */
struct vd_film;

struct vd_film_about {
	const char *name, *camera; /* copied */
	uint32_t period_us;
	uint64_t most_bytes;
	uint64_t most_places; /* what room is set aside for in the index */
};

struct vd_film_result {
	uint32_t frames, places, width, height;
	uint64_t bytes; /* of clip.avi */
	char sha256[VD_SHA256_TEXT];
	int fd; /* clip.avi, to read; -1: none. The taker's. */
};

/* Nothing is opened before the first frame, whose size is the film's. */
VD_MUST int vd_film_new(struct vd_archive *archive, const struct vd_film_about *about,
			struct vd_film **ret_film);
struct vd_film *vd_film_free(struct vd_film *film); /* one that was not ended leaves nothing */
VD_DEFINE_CLEANUP(struct vd_film, vd_film_free)

enum { VD_FILM_FULL = 1, VD_FILM_OTHER_SIZE = 2 };
/*
 * 0; VD_FILM_FULL: most_bytes or the archive's bounds are met, what stands can still be ended;
 * VD_FILM_OTHER_SIZE: the picture's size is no longer the film's. -errno with fault: as full.
 */
VD_MUST int vd_film_add(struct vd_film *film, const struct vd_shot *shot, uint32_t place,
			struct vd_fault *fault);

/* Empty places up to there, index, sizes; the entry becomes visible. -ENODATA: no frame came. */
VD_MUST int vd_film_end(struct vd_film *film, uint32_t places, const char *cut_short,
			struct vd_film_result *ret_result, struct vd_fault *fault);

uint64_t vd_film_bytes(const struct vd_film *film);
