/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A run cannot be interrupted from within, so each network has a thread that asks it to end when
 * its time is over. The library stays loaded once it is: it has threads and thread-local
 * destructors of its own.
 */
#include "modules/vision/onnx.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "modules/vision/ort.h"

static struct {
	pthread_once_t once;
	const void *const *table; /* NULL: not there */
	void *env, *memory, *allocator;
	const char *version;
} library = { .once = PTHREAD_ONCE_INIT };

/* A function of the table, of the type that its use gives it. */
#define ORT(place, type) ((type)(uintptr_t)library.table[place])

/* ---- the library ---- */

static void release(enum ort_place place, void *object)
{
	if (object)
		ORT(place, void (*)(void *))(object);
}

/* false, and what the library says in fault, unless status is NULL. */
static bool succeeded(void *status, struct vd_fault *fault)
{
	if (!status)
		return true;
	vd_fault_set(fault, 400, NULL, "%.200s",
		     ORT(ORT_ERROR_MESSAGE, const char *(*)(const void *))(status));
	release(ORT_RELEASE_STATUS, status);
	return false;
}

static bool set_up(void)
{
	return succeeded(ORT(ORT_CREATE_ENV, void *(*)(int, const char *, void **))(
				 ORT_LOG_ERROR, "vedette", &library.env),
			 NULL) &&
	       succeeded(ORT(ORT_CREATE_CPU_MEMORY_INFO, void *(*)(int, int, void **))(
				 ORT_ARENA, ORT_MEMORY_DEFAULT, &library.memory),
			 NULL) &&
	       succeeded(ORT(ORT_DEFAULT_ALLOCATOR, void *(*)(void **))(&library.allocator), NULL);
}

static void load(void)
{
	void *handle = dlopen("libonnxruntime.so.1", RTLD_NOW | RTLD_LOCAL);
	void *symbol = handle ? dlsym(handle, "OrtGetApiBase") : NULL;
	const struct ort_base *base;

	if (!symbol)
		return;
	base = ((const struct ort_base *(*)(void))(uintptr_t)symbol)();
	library.table = base ? base->interface(ORT_INTERFACE) : NULL;
	if (!library.table)
		return;
	library.version = base->version();
	if (!set_up())
		library.table = NULL;
}

const char *vd_onnx_version(void)
{
	(void)pthread_once(&library.once, load);
	return library.table ? library.version : NULL;
}

/* ---- answers ---- */

void vd_answers_fini(struct vd_answers *answers)
{
	for (int i = 0; i < answers->count; i++)
		free(answers->list[i].values);
	*answers = (struct vd_answers){ 0 };
}

int vd_answers_find(const struct vd_answers *answers, const char *name)
{
	if (!name || !name[0])
		return answers->count > 0 ? 0 : -1;
	for (int i = 0; i < answers->count; i++) {
		if (strcmp(answers->list[i].name, name) == 0)
			return i;
	}
	return -1;
}

/* ---- a network ---- */

struct vd_onnx {
	void *session, *run_options;
	char *input;
	char *outputs[VD_ONNX_OUTPUTS];
	size_t output_count;
	pthread_mutex_t in_use; /* held during a run */
	pthread_t watch;        /* ends a run that takes too long */
	pthread_mutex_t lock;   /* of what follows */
	pthread_cond_t changed;
	struct timespec deadline;
	bool is_watched, is_over, ends, has_watch;
};

static void *watch(void *argument)
{
	struct vd_onnx *onnx = argument;

	pthread_mutex_lock(&onnx->lock);
	while (!onnx->ends) {
		if (!onnx->is_watched) {
			pthread_cond_wait(&onnx->changed, &onnx->lock);
			continue;
		}
		if (pthread_cond_timedwait(&onnx->changed, &onnx->lock, &onnx->deadline) !=
			    ETIMEDOUT ||
		    !onnx->is_watched)
			continue;
		onnx->is_over = true;
		onnx->is_watched = false;
		(void)succeeded(ORT(ORT_RUN_SET_TERMINATE, void *(*)(void *))(onnx->run_options),
				NULL);
	}
	pthread_mutex_unlock(&onnx->lock);
	return NULL;
}

static int start_watch(struct vd_onnx *onnx)
{
	pthread_condattr_t attributes;
	int r;

	(void)pthread_mutex_init(&onnx->in_use, NULL);
	(void)pthread_mutex_init(&onnx->lock, NULL);
	(void)pthread_condattr_init(&attributes);
	(void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&onnx->changed, &attributes);
	(void)pthread_condattr_destroy(&attributes);
	r = pthread_create(&onnx->watch, NULL, watch, onnx);
	onnx->has_watch = r == 0;
	return -r;
}

static void set_watch(struct vd_onnx *onnx, int timeout_ms)
{
	pthread_mutex_lock(&onnx->lock);
	onnx->is_watched = timeout_ms > 0;
	onnx->is_over = false;
	(void)clock_gettime(CLOCK_MONOTONIC, &onnx->deadline);
	onnx->deadline.tv_sec += timeout_ms / 1000;
	onnx->deadline.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
	if (onnx->deadline.tv_nsec >= 1000000000) {
		onnx->deadline.tv_sec++;
		onnx->deadline.tv_nsec -= 1000000000;
	}
	pthread_cond_signal(&onnx->changed);
	pthread_mutex_unlock(&onnx->lock);
}

/* true: the time was over. */
static bool end_watch(struct vd_onnx *onnx)
{
	bool is_over;

	pthread_mutex_lock(&onnx->lock);
	onnx->is_watched = false;
	is_over = onnx->is_over;
	pthread_mutex_unlock(&onnx->lock);
	if (is_over)
		(void)succeeded(ORT(ORT_RUN_UNSET_TERMINATE, void *(*)(void *))(onnx->run_options),
				NULL);
	return is_over;
}

static void stop_watch(struct vd_onnx *onnx)
{
	if (onnx->has_watch) {
		pthread_mutex_lock(&onnx->lock);
		onnx->ends = true;
		pthread_cond_signal(&onnx->changed);
		pthread_mutex_unlock(&onnx->lock);
		(void)pthread_join(onnx->watch, NULL);
	}
	(void)pthread_cond_destroy(&onnx->changed);
	(void)pthread_mutex_destroy(&onnx->lock);
	(void)pthread_mutex_destroy(&onnx->in_use);
}

/* ---- loading ---- */

static bool open_session(struct vd_onnx *onnx, const void *model, size_t len, int threads,
			 struct vd_fault *fault)
{
	void *options = NULL;
	bool ok = succeeded(ORT(ORT_CREATE_SESSION_OPTIONS, void *(*)(void **))(&options), fault);

	ok = ok &&
	     succeeded(ORT(ORT_SET_INTRA_THREADS, void *(*)(void *, int))(options, threads),
		       fault) &&
	     succeeded(ORT(ORT_SET_INTER_THREADS, void *(*)(void *, int))(options, 1), fault) &&
	     succeeded(ORT(ORT_CREATE_SESSION_FROM_ARRAY,
			   void *(*)(const void *, const void *, size_t, const void *, void **))(
			       library.env, model, len, options, &onnx->session),
		       fault);
	release(ORT_RELEASE_SESSION_OPTIONS, options);
	return ok && succeeded(ORT(ORT_CREATE_RUN_OPTIONS, void *(*)(void **))(&onnx->run_options),
			       fault);
}

static bool count_of(const struct vd_onnx *onnx, enum ort_place place, size_t *ret_count,
		     struct vd_fault *fault)
{
	return succeeded(ORT(place, void *(*)(const void *, size_t *))(onnx->session, ret_count),
			 fault);
}

static bool name_of(const struct vd_onnx *onnx, enum ort_place place, size_t i, char **ret_name,
		    struct vd_fault *fault)
{
	char *name = NULL;

	if (!succeeded(ORT(place, void *(*)(const void *, size_t, void *, char **))(
			       onnx->session, i, library.allocator, &name),
		       fault))
		return false;
	*ret_name = strdup(name);
	(void)succeeded(ORT(ORT_ALLOCATOR_FREE, void *(*)(void *, void *))(library.allocator, name),
			NULL);
	return *ret_name != NULL;
}

static bool read_names(struct vd_onnx *onnx, struct vd_fault *fault)
{
	size_t inputs = 0, outputs = 0;
	bool ok;

	if (!count_of(onnx, ORT_SESSION_INPUT_COUNT, &inputs, fault) ||
	    !count_of(onnx, ORT_SESSION_OUTPUT_COUNT, &outputs, fault))
		return false;
	if (inputs != 1 || outputs < 1 || outputs > VD_ONNX_OUTPUTS) {
		vd_fault_set(fault, 400, NULL,
			     "the network has %zu inputs and %zu outputs, wanted are 1 and 1 to %d",
			     inputs, outputs, VD_ONNX_OUTPUTS);
		return false;
	}
	ok = name_of(onnx, ORT_SESSION_INPUT_NAME, 0, &onnx->input, fault);
	for (size_t i = 0; ok && i < outputs; i++, onnx->output_count++)
		ok = name_of(onnx, ORT_SESSION_OUTPUT_NAME, i, &onnx->outputs[i], fault);
	return ok;
}

int vd_onnx_new(const void *model, size_t len, int threads, struct vd_onnx **ret_onnx,
		struct vd_fault *fault)
{
	struct vd_onnx *onnx;
	int r;

	if (!vd_onnx_version()) {
		vd_fault_set(fault, 501, NULL, "ONNX Runtime (libonnxruntime.so.1) is not there");
		return -ENOSYS;
	}
	onnx = calloc(1, sizeof *onnx);
	if (!onnx)
		return -ENOMEM;
	r = start_watch(onnx);
	if (r == 0 && !(open_session(onnx, model, len, threads, fault) && read_names(onnx, fault)))
		r = -EINVAL;
	if (r < 0)
		(void)vd_onnx_free(onnx);
	else
		*ret_onnx = onnx;
	return r;
}

struct vd_onnx *vd_onnx_free(struct vd_onnx *onnx)
{
	if (!onnx)
		return NULL;
	stop_watch(onnx);
	release(ORT_RELEASE_RUN_OPTIONS, onnx->run_options);
	release(ORT_RELEASE_SESSION, onnx->session);
	for (size_t i = 0; i < onnx->output_count; i++)
		free(onnx->outputs[i]);
	free(onnx->input);
	free(onnx);
	return NULL;
}

/* ---- running ---- */

static float number_at(const void *data, enum ort_element element, size_t i)
{
	switch (element) {
	case ORT_FLOAT:
		return ((const float *)data)[i];
	case ORT_DOUBLE:
		return (float)((const double *)data)[i];
	case ORT_INT64:
		return (float)((const int64_t *)data)[i];
	case ORT_INT32:
		return (float)((const int32_t *)data)[i];
	case ORT_UINT8:
		return ((const uint8_t *)data)[i];
	}
	return 0;
}

static bool is_number(enum ort_element element)
{
	return element == ORT_FLOAT || element == ORT_DOUBLE || element == ORT_INT64 ||
	       element == ORT_INT32 || element == ORT_UINT8;
}

/* Shape and type of a value; false: no tensor of numbers, or of too many sides. */
static bool read_shape(void *value, struct vd_tensor *tensor, enum ort_element *ret_element)
{
	void *shape = NULL;
	size_t rank = 0;
	int element = 0, is_tensor = 0;
	bool ok = succeeded(ORT(ORT_IS_TENSOR, void *(*)(const void *, int *))(value, &is_tensor),
			    NULL) &&
		  is_tensor &&
		  succeeded(ORT(ORT_TENSOR_TYPE_AND_SHAPE,
				void *(*)(const void *, void **))(value, &shape),
			    NULL) &&
		  succeeded(ORT(ORT_TENSOR_ELEMENT_TYPE, void *(*)(const void *, int *))(shape,
											 &element),
			    NULL) &&
		  succeeded(ORT(ORT_DIMENSIONS_COUNT, void *(*)(const void *, size_t *))(shape,
											 &rank),
			    NULL) &&
		  rank <= VD_TENSOR_SIDES &&
		  succeeded(ORT(ORT_DIMENSIONS, void *(*)(const void *, int64_t *, size_t))(
				    shape, tensor->sides, rank),
			    NULL);

	release(ORT_RELEASE_SHAPE, shape);
	tensor->rank = (int)rank;
	*ret_element = (enum ort_element)element;
	return ok && is_number(*ret_element);
}

static int take_tensor(void *value, const char *name, struct vd_tensor *tensor,
		       struct vd_fault *fault)
{
	enum ort_element element;
	void *data = NULL;

	(void)snprintf(tensor->name, sizeof tensor->name, "%.63s", name);
	tensor->count = 1;
	if (!read_shape(value, tensor, &element)) {
		vd_fault_set(fault, 400, NULL, "the output %.60s has no numbers", name);
		return -EINVAL;
	}
	for (int i = 0; i < tensor->rank; i++)
		tensor->count *= (size_t)tensor->sides[i];
	if (!succeeded(ORT(ORT_TENSOR_DATA, void *(*)(void *, void **))(value, &data), fault))
		return -EINVAL;
	tensor->values = malloc((tensor->count + 1) * sizeof *tensor->values);
	if (!tensor->values)
		return -ENOMEM;
	for (size_t i = 0; i < tensor->count; i++)
		tensor->values[i] = number_at(data, element, i);
	return 0;
}

static int take_answers(const struct vd_onnx *onnx, void **values, struct vd_answers *answers,
			struct vd_fault *fault)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < onnx->output_count; i++) {
		answers->count++;
		r = take_tensor(values[i], onnx->outputs[i], &answers->list[i], fault);
	}
	if (r < 0)
		vd_answers_fini(answers);
	return r;
}

/* The input as the library has it; it borrows the numbers. NULL: fault says why. */
static void *wrap(const struct vd_tensor_view *input, struct vd_fault *fault)
{
	size_t bytes = input->type == VD_TENSOR_FLOAT ? sizeof(float) : 1;
	void *value = NULL;

	for (int i = 0; i < input->rank; i++)
		bytes *= (size_t)input->sides[i];
	if (!succeeded(ORT(ORT_CREATE_TENSOR_WITH_DATA,
			   void *(*)(const void *, const void *, size_t, const int64_t *, size_t,
				     int, void **))(
			       library.memory, input->values, bytes, input->sides,
			       (size_t)input->rank,
			       input->type == VD_TENSOR_FLOAT ? ORT_FLOAT : ORT_UINT8, &value),
		       fault))
		return NULL;
	return value;
}

static bool run(struct vd_onnx *onnx, void *input, int timeout_ms, void **values, bool *ret_is_over,
		struct vd_fault *fault)
{
	const void *const inputs[1] = { input };
	bool ok;

	set_watch(onnx, timeout_ms);
	ok = succeeded(ORT(ORT_RUN,
			   void *(*)(void *, const void *, const char *const *, const void *const *,
				     size_t, const char *const *, size_t, void **))(
			       onnx->session, onnx->run_options,
			       (const char *const[]){ onnx->input }, inputs, 1,
			       (const char *const *)onnx->outputs, onnx->output_count, values),
		       fault);
	*ret_is_over = end_watch(onnx);
	return ok;
}

int vd_onnx_run(struct vd_onnx *onnx, const struct vd_tensor_view *input, int timeout_ms,
		struct vd_answers *answers, struct vd_fault *fault)
{
	void *values[VD_ONNX_OUTPUTS] = { NULL };
	bool is_over = false, ok;
	void *value = wrap(input, fault);
	int r = -EINVAL;

	if (!value)
		return -EINVAL;
	pthread_mutex_lock(&onnx->in_use);
	ok = run(onnx, value, timeout_ms, values, &is_over, fault);
	pthread_mutex_unlock(&onnx->in_use);
	if (is_over) {
		vd_fault_set(fault, 504, NULL, "no answer within %d ms", timeout_ms);
		r = -ETIMEDOUT;
	} else if (ok) {
		r = take_answers(onnx, values, answers, fault);
	}
	for (size_t i = 0; i < onnx->output_count; i++)
		release(ORT_RELEASE_VALUE, values[i]);
	release(ORT_RELEASE_VALUE, value);
	return r;
}
