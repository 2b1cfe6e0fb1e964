/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/inspect/tools/package.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "base/schema.h"
#include "modules/image/jpeg.h"

extern const char vd_package_schema_json[];
extern const size_t vd_package_schema_json_len;

enum { MODEL_JSON_BYTES = 1 << 20, PATH_BYTES = 1400, DICTIONARY_BYTES = 1 << 20 };

/* A script instead of a network. */
struct fake {
	const cJSON *script;
	int latency_ms, next;
};

struct vd_package {
	int references; /* atomic */
	char sha256[VD_SHA256_TEXT], name[VD_PACKAGE_NAME], version[VD_PACKAGE_NAME];
	int threads;
	cJSON *json; /* labels and the script point into it */
	enum vd_package_kind kind;
	struct vd_feed feed;
	struct vd_boxes boxes;
	enum vd_activation activation;
	const char *answer;
	const char **labels; /* classes, or the dictionary's symbols */
	int label_count;
	double *thresholds; /* one a class */
	double iou;
	struct vd_buf dictionary;
	struct vd_onnx *onnx; /* NULL: fake */
	struct fake fake;
	pthread_mutex_t lock; /* of what follows: one image after the other */
	struct vd_feed_work work;
	struct vd_buf text;
	double *raised; /* thresholds of a call */
};

/* ---- life ---- */

static void package_free(struct vd_package *package)
{
	(void)vd_onnx_free(package->onnx);
	(void)pthread_mutex_destroy(&package->lock);
	vd_feed_work_fini(&package->work);
	vd_buf_fini(&package->text);
	vd_buf_fini(&package->dictionary);
	free(package->labels);
	free(package->thresholds);
	free(package->raised);
	(void)vd_json_free(package->json);
	free(package);
}

struct vd_package *vd_package_ref(struct vd_package *package)
{
	(void)__atomic_add_fetch(&package->references, 1, __ATOMIC_RELAXED);
	return package;
}

struct vd_package *vd_package_unref(struct vd_package *package)
{
	if (package && __atomic_sub_fetch(&package->references, 1, __ATOMIC_ACQ_REL) == 0)
		package_free(package);
	return NULL;
}

bool vd_package_is_shared(const struct vd_package *package)
{
	return __atomic_load_n(&package->references, __ATOMIC_ACQUIRE) > 1;
}

const char *vd_package_name(const struct vd_package *package)
{
	return package->name;
}

const char *vd_package_version(const struct vd_package *package)
{
	return package->version;
}

const char *vd_package_sha256(const struct vd_package *package)
{
	return package->sha256;
}

const char *vd_package_backend(const struct vd_package *package)
{
	return package->onnx ? "onnx" : "fake";
}

int vd_package_threads(const struct vd_package *package)
{
	return package->threads;
}

enum vd_package_kind vd_package_kind(const struct vd_package *package)
{
	return package->kind;
}

bool vd_package_sees_colour(const struct vd_package *package)
{
	return package->feed.channels != VD_FEED_GREY;
}

const char *vd_package_label(const struct vd_package *package, int label)
{
	return package->labels[label];
}

int vd_package_label_index(const struct vd_package *package, const char *label)
{
	for (int i = 0; package->kind != VD_PACKAGE_TEXTS && i < package->label_count; i++) {
		if (strcmp(package->labels[i], label) == 0)
			return i;
	}
	return -1;
}

bool vd_package_add(const struct vd_package *package, cJSON *json)
{
	return vd_json_add_string(json, "name", vd_package_name(package)) &&
	       vd_json_add_string(json, "version", vd_package_version(package)) &&
	       vd_json_add_string(json, "sha256", vd_package_sha256(package)) &&
	       vd_json_add_string(json, "backend", vd_package_backend(package));
}

/* ---- model.json ---- */

static int refuse(struct vd_fault *fault, const char *pointer, const char *text)
{
	vd_fault_set(fault, 400, pointer, "%s", text);
	return -EBADMSG;
}

/* The file's name stays inside the package. */
static bool is_inside(const cJSON *file)
{
	const char *name = vd_json_string(file, "file", "");

	return name[0] && name[0] != '.' && !strchr(name, '/');
}

static int check_files(const cJSON *json, struct vd_fault *fault)
{
	static const char *const pointers[] = { "/weights", "/dictionary", "/selfTest/image" };

	for (size_t i = 0; i < VD_COUNT(pointers); i++) {
		const cJSON *file = vd_json_at(json, pointers[i]);

		if (file && !is_inside(file))
			return refuse(fault, pointers[i], "a file of the package, without a path");
	}
	return 0;
}

static enum vd_package_kind kind_of(const cJSON *json)
{
	const char *type = vd_json_string(vd_json_object(json, "output"), "type", "");

	if (strcmp(type, "text") == 0)
		return VD_PACKAGE_TEXTS;
	return strcmp(type, "classification") == 0 ? VD_PACKAGE_CLASS : VD_PACKAGE_OBJECTS;
}

static int check_self_test(const cJSON *json, struct vd_fault *fault)
{
	static const char *const wanted[] = { [VD_PACKAGE_CLASS] = "label",
					      [VD_PACKAGE_OBJECTS] = "objects",
					      [VD_PACKAGE_TEXTS] = "text" };
	const cJSON *expected = vd_json_at(json, "/selfTest/expected");

	if (vd_json_get(expected, wanted[kind_of(json)]))
		return 0;
	return refuse(fault, "/selfTest/expected", "not what this type of output answers");
}

static int check_meaning(const cJSON *json, struct vd_fault *fault)
{
	const bool is_fake = strcmp(vd_json_string(json, "backend", ""), "fake") == 0;
	const bool is_text = kind_of(json) == VD_PACKAGE_TEXTS;
	const cJSON *input = vd_json_object(json, "input"), *value;
	int r = check_files(json, fault);

	if (r < 0)
		return r;
	if (!is_fake && !vd_json_get(json, "weights"))
		return refuse(fault, "", "onnx needs weights");
	if (is_fake && !vd_json_get(json, "script"))
		return refuse(fault, "", "fake needs a script");
	if (is_text && !vd_json_get(json, "dictionary"))
		return refuse(fault, "", "text needs a dictionary");
	if (!is_text && !vd_json_get(json, "classes"))
		return refuse(fault, "", "labels need classes");
	cJSON_ArrayForEach(value, vd_json_array(input, "std"))
	{
		if (value->valuedouble == 0)
			return refuse(fault, "/input/std", "0 is no deviation");
	}
	return check_self_test(json, fault);
}

int vd_package_parse(const char *text, size_t len, cJSON **ret_json, struct vd_fault *fault)
{
	VD_CLEANUP(vd_json_free) cJSON *schema = NULL, *json = NULL;
	int r = vd_json_parse(vd_package_schema_json, vd_package_schema_json_len, &schema, fault);

	if (r == 0)
		r = vd_json_parse(text, len, &json, fault);
	if (r == 0)
		r = vd_schema_check(schema, json, fault);
	if (r == 0)
		r = vd_schema_fill(schema, json);
	if (r < 0)
		return r == -ENOMEM ? r : -EBADMSG;
	r = check_meaning(json, fault);
	if (r == 0)
		*ret_json = VD_TAKE(json);
	return r;
}

/* ---- reading it ---- */

/* Which of the words stands under key; the table allows no other. */
static int word(const cJSON *json, const char *key, const char *const *words, int count)
{
	const char *text = vd_json_string(json, key, words[0]);

	for (int i = 0; i < count; i++) {
		if (strcmp(text, words[i]) == 0)
			return i;
	}
	return 0;
}

#define WORD(json, key, ...)                                                                       \
	word(json, key, (const char *const[]){ __VA_ARGS__ },                                      \
	     (int)VD_COUNT(((const char *const[]){ __VA_ARGS__ })))

static void read_triple(const cJSON *json, const char *key, double triple[3])
{
	const cJSON *array = vd_json_array(json, key);
	const int count = cJSON_GetArraySize(array);

	for (int i = 0; i < 3; i++)
		triple[i] = cJSON_GetArrayItem(array, i < count ? i : count - 1)->valuedouble;
}

static void read_input(struct vd_package *package)
{
	const cJSON *json = vd_json_object(package->json, "input");
	struct vd_feed *feed = &package->feed;

	*feed = (struct vd_feed){
		.width = (int)vd_json_int(json, "width", 1),
		.height = (int)vd_json_int(json, "height", 1),
		.channels = (enum vd_feed_channels)WORD(json, "channels", "grey", "rgb", "bgr"),
		.is_planar = WORD(json, "layout", "nchw", "nhwc") == 0,
		.type = (enum vd_tensor_type)WORD(json, "dtype", "float32", "uint8"),
		.fit = (enum vd_feed_fit)WORD(json, "fit", "stretch", "letterbox", "line"),
		.resample =
			(enum vd_resample)WORD(json, "resample", "nearest", "bilinear", "lanczos"),
		.scale = vd_json_number(json, "scale", 1),
		.pad = (int)vd_json_int(json, "pad", 0),
	};
	read_triple(json, "mean", feed->mean);
	read_triple(json, "std", feed->deviation);
}

static void copy_name(char to[static VD_ONNX_NAME], const cJSON *json, const char *key)
{
	(void)snprintf(to, VD_ONNX_NAME, "%s", vd_json_string(json, key, ""));
}

static void read_output(struct vd_package *package)
{
	const cJSON *json = vd_json_object(package->json, "output");
	const char *type = vd_json_string(json, "type", "");
	struct vd_boxes *boxes = &package->boxes;

	package->kind = kind_of(package->json);
	package->answer = vd_json_string(json, "answer", "");
	package->activation =
		(enum vd_activation)WORD(json, "activation", "none", "softmax", "sigmoid");
	*boxes = (struct vd_boxes){
		.kind = strcmp(type, "yolo") == 0 ? VD_BOXES_YOLO : VD_BOXES_SSD,
		.y_first = WORD(json, "order", "yxyx", "xyxy") == 0,
		.is_relative = strcmp(vd_json_string(json, "unit", ""), "relative") == 0,
		.first_label = (int)vd_json_int(json, "firstLabel", 0),
		.has_objectness = vd_json_bool(json, "objectness", false),
		.is_by_column = strcmp(vd_json_string(json, "places", "last"), "last") == 0,
		.activation = package->activation,
	};
	copy_name(boxes->boxes, json, "boxes");
	copy_name(boxes->labels, json, "labels");
	copy_name(boxes->scores, json, "scores");
	copy_name(boxes->count, json, "count");
}

static int read_classes(struct vd_package *package)
{
	const cJSON *classes = vd_json_array(package->json, "classes"), *label;
	const cJSON *thresholds = vd_json_object(package->json, "thresholds");
	const double threshold = vd_json_number(package->json, "threshold", 0.5);
	const size_t count = (size_t)cJSON_GetArraySize(classes);
	int i = 0;

	package->labels = calloc(count + 1, sizeof *package->labels);
	package->thresholds = calloc(count + 1, sizeof *package->thresholds);
	package->raised = calloc(count + 1, sizeof *package->raised);
	if (!package->labels || !package->thresholds || !package->raised)
		return -ENOMEM;
	package->label_count = (int)count;
	package->iou = vd_json_number(package->json, "iou", 0.5);
	cJSON_ArrayForEach(label, classes)
	{
		package->labels[i] = label->valuestring;
		package->thresholds[i++] =
			vd_json_number(thresholds, label->valuestring, threshold);
	}
	return 0;
}

/* ---- its files ---- */

static int read_file(const char *folder, const char *name, const char *sha256, size_t limit,
		     struct vd_buf *out, struct vd_fault *fault)
{
	char path[PATH_BYTES], digest[VD_SHA256_TEXT];
	const int n = snprintf(path, sizeof path, "%s/%s", folder, name);
	int r = n < PATH_BYTES ? vd_file_read(path, limit, out, fault) : -ENAMETOOLONG;

	if (r == 0)
		r = vd_sha256_text(out->data ? out->data : "", out->len, digest);
	if (r < 0 || strcmp(digest, sha256) == 0)
		return r;
	vd_fault_set(fault, 400, NULL, "%.60s: its SHA-256 is %.12s..., expected was %.12s...",
		     name, digest, sha256);
	return -EBADMSG;
}

static int read_named(const char *folder, const cJSON *file, size_t limit, struct vd_buf *out,
		      struct vd_fault *fault)
{
	return read_file(folder, vd_json_string(file, "file", ""),
			 vd_json_string(file, "sha256", ""), limit, out, fault);
}

/* Lines become symbols in place. */
static int split_dictionary(struct vd_package *package)
{
	const bool has_space = vd_json_bool(package->json, "hasSpace", false);
	char *at = package->dictionary.data;
	size_t lines = 1;

	for (size_t i = 0; i < package->dictionary.len; i++)
		lines += at[i] == '\n';
	package->labels = calloc(lines + 1, sizeof *package->labels);
	if (!package->labels)
		return -ENOMEM;
	while (at && *at) {
		char *end = strchr(at, '\n');

		package->labels[package->label_count++] = at;
		if (end) {
			*end = '\0';
			if (end > at && end[-1] == '\r')
				end[-1] = '\0';
		}
		at = end ? end + 1 : NULL;
	}
	if (has_space)
		package->labels[package->label_count++] = " ";
	return 0;
}

static int read_dictionary(struct vd_package *package, const char *folder, struct vd_fault *fault)
{
	const int r = read_named(folder, vd_json_object(package->json, "dictionary"),
				 DICTIONARY_BYTES, &package->dictionary, fault);

	return r < 0 ? r : split_dictionary(package);
}

static int read_network(struct vd_package *package, const char *folder, struct vd_fault *fault)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf weights = { 0 };
	int r;

	if (strcmp(vd_json_string(package->json, "backend", ""), "fake") == 0) {
		package->fake.script = vd_json_array(package->json, "script");
		package->fake.latency_ms = (int)vd_json_int(package->json, "latencyMs", 0);
		return 0;
	}
	r = read_named(folder, vd_json_object(package->json, "weights"), VD_PACKAGE_BYTES, &weights,
		       fault);
	return r < 0 ? r
		     : vd_onnx_new(weights.data ? weights.data : "", weights.len, package->threads,
				   &package->onnx, fault);
}

/* ---- asking ---- */

static int take_script(const cJSON *json, struct vd_tensor *tensor)
{
	const cJSON *side, *value;
	size_t i = 0;

	(void)snprintf(tensor->name, sizeof tensor->name, "%s", vd_json_string(json, "name", ""));
	tensor->count = 1;
	cJSON_ArrayForEach(side, vd_json_array(json, "sides"))
	{
		tensor->sides[tensor->rank++] = (int64_t)side->valuedouble;
		tensor->count *= (size_t)side->valuedouble;
	}
	if (tensor->count != (size_t)cJSON_GetArraySize(vd_json_array(json, "values")))
		return -EINVAL;
	tensor->values = calloc(tensor->count, sizeof *tensor->values);
	if (!tensor->values)
		return -ENOMEM;
	cJSON_ArrayForEach(value, vd_json_array(json, "values")) tensor->values[i++] =
		(float)value->valuedouble;
	return 0;
}

static int ask_fake(struct fake *fake, int timeout_ms, struct vd_answers *answers,
		    struct vd_fault *fault)
{
	const cJSON *script = cJSON_GetArrayItem(fake->script, fake->next), *json;
	const int wait_ms = fake->latency_ms < timeout_ms ? fake->latency_ms : timeout_ms;
	int r = 0;

	fake->next = (fake->next + 1) % cJSON_GetArraySize(fake->script);
	(void)nanosleep(&(struct timespec){ wait_ms / 1000, (long)(wait_ms % 1000) * 1000000 },
			NULL);
	if (fake->latency_ms > timeout_ms) {
		vd_fault_set(fault, 504, NULL, "no answer within %d ms", timeout_ms);
		return -ETIMEDOUT;
	}
	cJSON_ArrayForEach(json, script)
	{
		r = take_script(json, &answers->list[answers->count++]);
		if (r < 0)
			break;
	}
	if (r == 0 && answers->count == 0)
		r = -EINVAL;
	if (r == -EINVAL)
		vd_fault_set(fault, 400, NULL, "the script has no answer");
	return r;
}

/* The likeliest label with its threshold, or nothing sure. */
static int judge_class(struct vd_package *package, const struct vd_tensor *scores, double threshold,
		       struct vd_answer *answer, const char **why)
{
	const int r = vd_recognise_class(scores, package->label_count, package->activation,
					 &answer->class, why);

	if (r < 0)
		return r;
	if (isnan(threshold))
		threshold = package->thresholds[answer->class.label];
	answer->score = answer->class.score;
	answer->is_sure = answer->score >= threshold;
	return 0;
}

static int judge_boxes(struct vd_package *package, const struct vd_answers *answers,
		       const struct vd_feed_place *place, const struct vd_image *image,
		       double threshold, struct vd_answer *answer, const char **why)
{
	struct vd_detections *found = &answer->detections;
	int r;

	for (int i = 0; i < package->label_count; i++)
		package->raised[i] = isnan(threshold) ? package->thresholds[i] : threshold;
	r = vd_recognise_boxes(&package->boxes, answers, place, image->width, image->height,
			       package->raised, package->label_count, found, why);
	if (r == -E2BIG) {
		*why = "more objects than can be told apart";
		return -EBADMSG;
	}
	if (r < 0)
		return r;
	found->count = vd_nms(found->list, found->count, package->iou);
	answer->score = found->count > 0 ? found->list[0].score : 0;
	return 0;
}

static int judge_text(struct vd_package *package, const struct vd_tensor *scores,
		      struct vd_answer *answer, const char **why)
{
	int r;

	vd_buf_clear(&package->text);
	r = vd_recognise_text(scores, package->labels, package->label_count, package->activation,
			      &package->text, &answer->score, why);
	if (r < 0)
		return r;
	if (package->text.len >= sizeof answer->text) {
		*why = "more text than a line has";
		return -EBADMSG;
	}
	memcpy(answer->text, package->text.data, package->text.len + 1);
	return 0;
}

static int interpret(struct vd_package *package, const struct vd_answers *answers,
		     const struct vd_feed_place *place, const struct vd_image *image,
		     double threshold, struct vd_answer *answer, const char **why)
{
	const int at = vd_answers_find(answers, package->answer);

	if (package->kind == VD_PACKAGE_OBJECTS)
		return judge_boxes(package, answers, place, image, threshold, answer, why);
	if (at < 0) {
		*why = "there is no answer of that name";
		return -EBADMSG;
	}
	if (package->kind == VD_PACKAGE_CLASS)
		return judge_class(package, &answers->list[at], threshold, answer, why);
	return judge_text(package, &answers->list[at], answer, why);
}

static int ask(struct vd_package *package, const struct vd_image *image, double threshold,
	       int timeout_ms, struct vd_answer *answer, struct vd_fault *fault)
{
	VD_CLEANUP(vd_answers_fini) struct vd_answers answers = { 0 };
	struct vd_tensor_view view;
	struct vd_feed_place place;
	const char *why = "";
	int r = vd_feed_make(&package->feed, image, &package->work, &view, &place);

	if (r < 0)
		return r;
	r = package->onnx ? vd_onnx_run(package->onnx, &view, timeout_ms, &answers, fault)
			  : ask_fake(&package->fake, timeout_ms, &answers, fault);
	if (r < 0)
		return r;
	r = interpret(package, &answers, &place, image, threshold, answer, &why);
	if (r == -EBADMSG)
		vd_fault_set(fault, 400, NULL, "%s", why);
	return r;
}

int vd_package_ask(struct vd_package *package, const struct vd_image *image, double threshold,
		   int timeout_ms, struct vd_answer *answer, struct vd_fault *fault)
{
	int r;

	answer->detections.count = 0;
	answer->text[0] = '\0';
	answer->score = 0;
	answer->is_sure = false;
	pthread_mutex_lock(&package->lock);
	r = ask(package, image, threshold, timeout_ms, answer, fault);
	pthread_mutex_unlock(&package->lock);
	if (r == -ENOMEM)
		vd_fault_set(fault, 500, NULL, "out of memory");
	return r;
}

void vd_answer_fini(struct vd_answer *answer)
{
	vd_detections_fini(&answer->detections);
}

/* ---- self-test ---- */

enum { SELF_TEST_MS = 2000 /* the module's heartbeat waits meanwhile */ };

struct tolerance {
	double score, box_px;
};

static bool is_near(double a, double b, double tolerance)
{
	return fabs(a - b) <= tolerance;
}

static bool is_object(const struct vd_package *package, const struct vd_detection *found,
		      const cJSON *json, const struct tolerance *tolerance)
{
	return strcmp(vd_json_string(json, "label", ""), package->labels[found->label]) == 0 &&
	       is_near(vd_json_number(json, "score", -1), found->score, tolerance->score) &&
	       is_near(vd_json_number(json, "x", NAN), found->x, tolerance->box_px) &&
	       is_near(vd_json_number(json, "y", NAN), found->y, tolerance->box_px) &&
	       is_near(vd_json_number(json, "width", NAN), found->width, tolerance->box_px) &&
	       is_near(vd_json_number(json, "height", NAN), found->height, tolerance->box_px);
}

/* As many as expected, and each of them there. */
static bool are_objects(const struct vd_package *package, const struct vd_detections *found,
			const cJSON *expected, const struct tolerance *tolerance)
{
	const cJSON *json;

	if (found->count != (size_t)cJSON_GetArraySize(expected))
		return false;
	cJSON_ArrayForEach(json, expected)
	{
		bool is_there = false;

		for (size_t i = 0; i < found->count && !is_there; i++)
			is_there = is_object(package, &found->list[i], json, tolerance);
		if (!is_there)
			return false;
	}
	return true;
}

static void describe(const struct vd_package *package, const struct vd_answer *answer,
		     char text[static VD_PACKAGE_TEXT])
{
	switch (package->kind) {
	case VD_PACKAGE_CLASS:
		(void)snprintf(text, VD_PACKAGE_TEXT, "%.64s, %.4f",
			       package->labels[answer->class.label], answer->score);
		return;
	case VD_PACKAGE_OBJECTS:
		(void)snprintf(text, VD_PACKAGE_TEXT, "%zu objects, the best %.4f",
			       answer->detections.count, answer->score);
		return;
	case VD_PACKAGE_TEXTS:
		(void)snprintf(text, VD_PACKAGE_TEXT, "\"%.100s\"", answer->text);
		return;
	}
}

static bool is_expected(const struct vd_package *package, const struct vd_answer *answer)
{
	const cJSON *test = vd_json_object(package->json, "selfTest");
	const cJSON *expected = vd_json_object(test, "expected");
	const struct tolerance tolerance = { vd_json_number(test, "scoreTolerance", 0),
					     vd_json_number(test, "boxTolerancePx", 0) };

	switch (package->kind) {
	case VD_PACKAGE_CLASS:
		return strcmp(vd_json_string(expected, "label", ""),
			      package->labels[answer->class.label]) == 0 &&
		       is_near(vd_json_number(expected, "score", -1), answer->score,
			       tolerance.score);
	case VD_PACKAGE_OBJECTS:
		return are_objects(package, &answer->detections, vd_json_array(expected, "objects"),
				   &tolerance);
	case VD_PACKAGE_TEXTS:
		return strcmp(vd_json_string(expected, "text", ""), answer->text) == 0;
	}
	return false;
}

static int read_image(const struct vd_package *package, const char *folder, struct vd_image *image,
		      struct vd_fault *fault)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf bytes = { 0 };
	int r = read_named(folder, vd_json_at(package->json, "/selfTest/image"), VD_PACKAGE_BYTES,
			   &bytes, fault);

	if (r < 0)
		return r;
	r = vd_package_sees_colour(package)
		    ? vd_jpeg_decode_rgb(bytes.data, bytes.len, NULL, image, NULL, fault)
		    : vd_jpeg_decode_grey(bytes.data, bytes.len, NULL, image, NULL, fault);
	return r > 0 ? refuse(fault, "/selfTest/image", "the image is damaged") : r;
}

static int self_test(struct vd_package *package, const char *folder, struct vd_fault *fault)
{
	VD_CLEANUP(vd_image_fini) struct vd_image image = { 0 };
	struct vd_answer answer = { 0 };
	char text[VD_PACKAGE_TEXT];
	int r = read_image(package, folder, &image, fault);

	if (r < 0)
		return r;
	r = vd_package_ask(package, &image, NAN, SELF_TEST_MS, &answer, fault);
	if (r < 0) {
		vd_fault_prefix(fault, "self-test");
		r = r == -ENOMEM ? r : -EPROTO;
	} else if (!is_expected(package, &answer)) {
		describe(package, &answer, text);
		vd_fault_set(fault, 409, "/selfTest/expected", "self-test: the answer was %s",
			     text);
		r = -EPROTO;
	}
	vd_answer_fini(&answer);
	return r;
}

/* ---- loading ---- */

static int fill(struct vd_package *package, const char *folder, struct vd_fault *fault)
{
	int r;

	(void)snprintf(package->name, sizeof package->name, "%s",
		       vd_json_string(package->json, "name", ""));
	(void)snprintf(package->version, sizeof package->version, "%s",
		       vd_json_string(package->json, "version", ""));
	read_input(package);
	read_output(package);
	r = package->kind == VD_PACKAGE_TEXTS ? read_dictionary(package, folder, fault)
					      : read_classes(package);
	if (r == 0)
		r = read_network(package, folder, fault);
	return r < 0 ? r : self_test(package, folder, fault);
}

int vd_package_load(const char *folder, const char *sha256, int threads,
		    struct vd_package **ret_package, struct vd_fault *fault)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf text = { 0 };
	VD_CLEANUP(vd_package_unref) struct vd_package *package = calloc(1, sizeof *package);
	int r;

	if (!package)
		return -ENOMEM;
	package->references = 1;
	package->threads = threads;
	(void)pthread_mutex_init(&package->lock, NULL);
	(void)snprintf(package->sha256, sizeof package->sha256, "%s", sha256);
	r = read_file(folder, "model.json", sha256, MODEL_JSON_BYTES, &text, fault);
	if (r == 0)
		r = vd_package_parse(text.data ? text.data : "", text.len, &package->json, fault);
	if (r == 0)
		r = fill(package, folder, fault);
	if (r == -ENOMEM)
		vd_fault_set(fault, 500, NULL, "out of memory");
	if (r == 0)
		*ret_package = VD_TAKE(package);
	return r;
}
