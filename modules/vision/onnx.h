/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/fault.h"

/*
 * Networks in ONNX, run by ONNX Runtime on the processor. The library (libonnxruntime.so.1 with C API
 * version 17 or later) is loaded when the first network is; without it there are no networks.
 * Any thread; runs of one network come one after the other.
 */
enum { VD_TENSOR_SIDES = 6, VD_ONNX_OUTPUTS = 8, VD_ONNX_NAME = 64 };

enum vd_tensor_type { VD_TENSOR_FLOAT, VD_TENSOR_BYTES };

struct vd_tensor_view {
	enum vd_tensor_type type;
	const void *values; /* borrowed */
	int64_t sides[VD_TENSOR_SIDES];
	int rank;
};

/* An answer, as floats whatever the network calls them. */
struct vd_tensor {
	char name[VD_ONNX_NAME];
	float *values;
	size_t count; /* the product of the sides */
	int64_t sides[VD_TENSOR_SIDES];
	int rank;
};

struct vd_answers {
	struct vd_tensor list[VD_ONNX_OUTPUTS];
	int count;
};

void vd_answers_fini(struct vd_answers *answers);

VD_UNUSED static inline void vd_answers_fini_p(struct vd_answers *answers)
{
	vd_answers_fini(answers);
}

/* -1: none of this name; NULL or "" is the first. */
int vd_answers_find(const struct vd_answers *answers, const char *name);

struct vd_onnx;

/*
 * threads: that one run may use, 1 to 64. In fault: -ENOSYS the library is not there or too old
 * (501); -EINVAL the network cannot be loaded, has not exactly one input or too many outputs (400);
 * -ENOMEM (500).
 */
VD_MUST int vd_onnx_new(const void *model, size_t len, int threads, struct vd_onnx **ret_onnx,
			struct vd_fault *fault);
struct vd_onnx *vd_onnx_free(struct vd_onnx *onnx);
VD_DEFINE_CLEANUP(struct vd_onnx, vd_onnx_free)

/*
 * answers starts as { 0 } and is filled on success. In fault: -ETIMEDOUT it took longer than timeout_ms
 * and was ended, between two of the network's layers (504); -EINVAL the network refuses the input or
 * answers with something else than numbers (400); -ENOMEM (500).
 */
VD_MUST int vd_onnx_run(struct vd_onnx *onnx, const struct vd_tensor_view *input, int timeout_ms,
			struct vd_answers *answers, struct vd_fault *fault);

/* "1.30.0"; NULL: the library is not there. Loads it. Static. */
const char *vd_onnx_version(void);
