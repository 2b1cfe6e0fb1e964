/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/digest.h"
#include "base/fault.h"
#include "base/json.h"
#include "modules/inspect/recipe/recipe.h"
#include "modules/vision/variation.h"

/*
 * What a recipe has learnt, and its file: magic "VDMODEL1", SHA-256 of the payload, then the
 * payload under zstd. The payload is one line of JSON (format, version, recipe key, parts, steps
 * with their regions, what learning found out, references for drift, the challenge set) and then
 * the arrays in the order of the steps, little-endian (a texture's numbers are IEEE singles), and
 * the challenge set's frames. Limits and
 * thresholds are not in it: they may change without learning again.
 */
struct vd_model_step {
	char id[VD_NAME_BYTES];
	enum vd_tool tool;                   /* VD_LOCATE, VD_VARIATION or VD_TEXTURE */
	struct vd_rect where;                /* in the taught frame */
	int frame_width, frame_height;       /* of that frame: others are refused */
	struct vd_image patch;               /* VD_LOCATE: the taught patch */
	struct vd_variation_model variation; /* VD_VARIATION */
	struct vd_texture *texture;          /* VD_TEXTURE, with what follows */
	enum vd_texture_scope scope;
	double threshold; /* that good parts keep below */
};

/* What a quantity was on the good parts; drift is measured against it. */
struct vd_reference {
	char name[VD_NAME_BYTES + 16]; /* "camera/mean", "step/dx" */
	double mean, deviation;
};

/* One frame of a challenge part. */
struct vd_model_frame {
	char camera[VD_NAME_BYTES];
	struct vd_buf jpeg;
};

/* A part, good or with a painted defect, and the verdict it must always have. */
struct vd_model_challenge {
	char name[VD_NAME_BYTES]; /* "good-1", "print-dark" */
	enum vd_verdict verdict;
	struct vd_model_frame *frames;
	int frame_count;
};

enum { VD_REFERENCES_MOST = 3 * (VD_CAMERAS_MOST + VD_STEPS_MOST), VD_CHALLENGES_MOST = 16 };

struct vd_model {
	int version;              /* 1 for the first one a recipe learnt, then one more each time */
	int parts;                /* learnt from so many */
	char key[VD_SHA256_TEXT]; /* model_key of the recipe it fits */
	char sha256[VD_SHA256_TEXT]; /* of the payload */
	struct vd_model_step *steps;
	int step_count;
	cJSON *report; /* what learning found out, for people; NULL: nothing */
	struct vd_reference *references;
	int reference_count;
	struct vd_model_challenge *challenges;
	int challenge_count;
};

struct vd_model *vd_model_free(struct vd_model *model);
VD_DEFINE_CLEANUP(struct vd_model, vd_model_free)

/* NULL: the model has none of this name and tool. */
const struct vd_model_step *vd_model_find(const struct vd_model *model, const char *id,
					  enum vd_tool tool);

enum { VD_MODEL_BYTES = 1 << 28 }; /* the largest payload */

/* Appends the file; sets model->sha256. -ENOMEM, -E2BIG. */
VD_MUST int vd_model_encode(struct vd_model *model, struct vd_buf *out);

/*
 * From outside. 400 in fault and -EINVAL for whatever is not exactly such a file: magic, digest,
 * sizes, regions, trailing bytes. -ENOMEM.
 */
VD_MUST int vd_model_decode(const void *bytes, size_t len, struct vd_model **ret_model,
			    struct vd_fault *fault);
