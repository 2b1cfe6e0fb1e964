/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>

#include "base/attr.h"
#include "base/digest.h"
#include "base/fault.h"
#include "base/json.h"
#include "modules/image/image.h"
#include "modules/vision/recognise.h"

/*
 * A model as it is delivered: a folder with model.json (its table is package.json), the network, and an
 * image with the answer that the model gives to it. model.json names the digests of the other
 * files, and is itself asked for by digest, so that one number stands for all of it. A package is
 * only ever used after it has answered its own image as it should, on this machine.
 *
 * Once loaded it never changes. Any thread; reads of one package come one after the other.
 */
enum { VD_PACKAGE_TEXT = 128, VD_PACKAGE_NAME = 65, VD_PACKAGE_BYTES = 1 << 29 };

enum vd_package_kind { VD_PACKAGE_CLASS, VD_PACKAGE_OBJECTS, VD_PACKAGE_TEXTS };

struct vd_package;

/*
 * folder: where model.json lies. sha256: of model.json. threads: that one answer may use. In
 * fault: -ENOENT and other errors of files (404, 413, 500); -EBADMSG a digest does not fit, or what stands in
 * model.json contradicts itself (400); -ENOSYS there is no runtime (501); -EINVAL the network is
 * refused by it (400); -EPROTO the self-test failed (409); -ENOMEM. The package has one reference.
 */
VD_MUST int vd_package_load(const char *folder, const char *sha256, int threads,
			    struct vd_package **ret_package, struct vd_fault *fault);

struct vd_package *vd_package_ref(struct vd_package *package);
struct vd_package *vd_package_unref(struct vd_package *package); /* returns NULL */
VD_DEFINE_CLEANUP(struct vd_package, vd_package_unref)
bool vd_package_is_shared(const struct vd_package *package); /* by more than one reference */

const char *vd_package_name(const struct vd_package *package);
const char *vd_package_version(const struct vd_package *package);
const char *vd_package_sha256(const struct vd_package *package);
const char *vd_package_backend(const struct vd_package *package); /* "onnx" "fake" */
int vd_package_threads(const struct vd_package *package);
enum vd_package_kind vd_package_kind(const struct vd_package *package);
bool vd_package_sees_colour(const struct vd_package *package);
/* Adds name, version, digest and backend; false: no memory. */
bool vd_package_add(const struct vd_package *package, cJSON *json);

const char *vd_package_label(const struct vd_package *package, int label);
int vd_package_label_index(const struct vd_package *package, const char *label); /* -1: none */

/* What the model says about an image. Starts as { 0 }; its memory serves the next one. */
struct vd_answer {
	struct vd_found_class class; /* VD_PACKAGE_CLASS */
	bool is_sure;                /* and its score reaches its threshold */
	struct vd_detections
		detections; /* VD_PACKAGE_OBJECTS: above their thresholds, without overlaps */
	char text[VD_PACKAGE_TEXT]; /* VD_PACKAGE_TEXTS */
	double score;               /* of the class, the best object, the text; 0: nothing */
};

void vd_answer_fini(struct vd_answer *answer);

/*
 * image: grey, or RGB for a package that sees colour. threshold: instead of the package's own; NaN: its
 * own. In fault: -ETIMEDOUT; -EBADMSG the answer makes no sense; -EINVAL the network failed; -ENOMEM.
 */
VD_MUST int vd_package_ask(struct vd_package *package, const struct vd_image *image,
			   double threshold, int timeout_ms, struct vd_answer *answer,
			   struct vd_fault *fault);

/*
 * The text of a model.json against its table, with defaults filled in, and what a table cannot
 * say. For loading, and for who makes packages. In fault and -EBADMSG; -ENOMEM.
 */
VD_MUST int vd_package_parse(const char *text, size_t len, cJSON **ret_json,
			     struct vd_fault *fault);
