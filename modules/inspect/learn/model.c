/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/inspect/learn/model.h"

#include <endian.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "base/json.h"

enum {
	MAGIC_BYTES = 8,
	HEAD_BYTES = MAGIC_BYTES + VD_SHA256_BYTES,
	LEVEL = 3,
	SIDE_MOST = 16384,
	FORMAT = 3 /* 2: without textures */
};

static const double SCALE_MOST = 1000;
static const char MAGIC[MAGIC_BYTES + 1] = "VDMODEL1";

static void challenge_fini(struct vd_model_challenge *challenge)
{
	for (int i = 0; i < challenge->frame_count; i++)
		vd_buf_fini(&challenge->frames[i].jpeg);
	free(challenge->frames);
}

struct vd_model *vd_model_free(struct vd_model *model)
{
	if (!model)
		return NULL;
	for (int i = 0; i < model->step_count; i++) {
		vd_image_fini(&model->steps[i].patch);
		vd_variation_model_fini(&model->steps[i].variation);
		(void)vd_texture_free(model->steps[i].texture);
	}
	free(model->steps);
	for (int i = 0; i < model->challenge_count; i++)
		challenge_fini(&model->challenges[i]);
	free(model->challenges);
	free(model->references);
	(void)vd_json_free(model->report);
	free(model);
	return NULL;
}

const struct vd_model_step *vd_model_find(const struct vd_model *model, const char *id,
					  enum vd_tool tool)
{
	for (int i = 0; i < model->step_count; i++) {
		if (model->steps[i].tool == tool && strcmp(model->steps[i].id, id) == 0)
			return &model->steps[i];
	}
	return NULL;
}

/* ---- writing ---- */

static bool add_rect(cJSON *json, struct vd_rect where)
{
	return vd_json_add_number(json, "x", where.x) && vd_json_add_number(json, "y", where.y) &&
	       vd_json_add_number(json, "width", where.width) &&
	       vd_json_add_number(json, "height", where.height);
}

static bool add_step(cJSON *steps, const struct vd_model_step *step)
{
	cJSON *json = cJSON_CreateObject();

	if (!json || !cJSON_AddItemToArray(steps, json))
		return false;
	if (step->texture &&
	    !(vd_json_add_number(json, "threshold", step->threshold) &&
	      vd_json_add_bool(json, "isGlobal", step->scope == VD_TEXTURE_GLOBAL)))
		return false;
	return vd_json_add_string(json, "id", step->id) &&
	       vd_json_add_string(json, "tool", vd_tool_name(step->tool)) &&
	       vd_json_add_number(json, "parts", step->variation.parts) &&
	       vd_json_add_number(json, "scale", step->variation.scale) &&
	       vd_json_add_number(json, "frameWidth", step->frame_width) &&
	       vd_json_add_number(json, "frameHeight", step->frame_height) &&
	       add_rect(json, step->where);
}

/* NULL: no memory. */
static cJSON *add_object(cJSON *array)
{
	cJSON *json = cJSON_CreateObject();

	return json && cJSON_AddItemToArray(array, json) ? json : NULL;
}

static bool add_references(cJSON *head, const struct vd_model *model)
{
	cJSON *list = cJSON_AddArrayToObject(head, "references");
	bool ok = list != NULL;

	for (int i = 0; ok && i < model->reference_count; i++) {
		const struct vd_reference *reference = &model->references[i];
		cJSON *json = add_object(list);

		ok = json && vd_json_add_string(json, "name", reference->name) &&
		     vd_json_add_number(json, "mean", reference->mean) &&
		     vd_json_add_number(json, "deviation", reference->deviation);
	}
	return ok;
}

static bool add_challenge(cJSON *list, const struct vd_model_challenge *challenge)
{
	cJSON *json = add_object(list);
	cJSON *frames = json ? cJSON_AddArrayToObject(json, "frames") : NULL;
	bool ok = frames && vd_json_add_string(json, "name", challenge->name) &&
		  vd_json_add_string(json, "verdict", vd_verdict_name(challenge->verdict));

	for (int i = 0; ok && i < challenge->frame_count; i++) {
		cJSON *frame = add_object(frames);

		ok = frame && vd_json_add_string(frame, "camera", challenge->frames[i].camera) &&
		     vd_json_add_number(frame, "bytes", (double)challenge->frames[i].jpeg.len);
	}
	return ok;
}

static bool add_evidence(cJSON *head, const struct vd_model *model)
{
	cJSON *list = cJSON_AddArrayToObject(head, "challenges");
	bool ok = list && add_references(head, model);

	if (ok && model->report)
		ok = vd_json_add_copy(head, "report", model->report);
	for (int i = 0; ok && i < model->challenge_count; i++)
		ok = add_challenge(list, &model->challenges[i]);
	return ok;
}

static int append_head(const struct vd_model *model, struct vd_buf *out)
{
	VD_CLEANUP(vd_json_free) cJSON *head = cJSON_CreateObject();
	VD_CLEANUP(vd_free) char *text = NULL;
	cJSON *steps = head ? cJSON_AddArrayToObject(head, "steps") : NULL;
	bool ok = steps && vd_json_add_number(head, "format", FORMAT) &&
		  vd_json_add_number(head, "version", model->version) &&
		  vd_json_add_number(head, "parts", model->parts) &&
		  vd_json_add_string(head, "key", model->key);

	for (int i = 0; ok && i < model->step_count; i++)
		ok = add_step(steps, &model->steps[i]);
	ok = ok && add_evidence(head, model);
	text = ok ? vd_json_text(head) : NULL;
	return text ? vd_buf_printf(out, "%s\n", text) : -ENOMEM;
}

static int append_u16(struct vd_buf *out, const uint16_t *values, size_t count)
{
	enum { CHUNK = 1024 };
	uint16_t chunk[CHUNK];

	for (size_t done = 0; done < count;) {
		const size_t n = count - done < CHUNK ? count - done : CHUNK;
		int r;

		for (size_t i = 0; i < n; i++)
			chunk[i] = htole16(values[done + i]);
		r = vd_buf_append(out, chunk, n * sizeof *chunk);
		if (r < 0)
			return r;
		done += n;
	}
	return 0;
}

/* Floats as their bits. */
static int append_texture(const struct vd_model_step *step, struct vd_buf *out)
{
	const size_t count = vd_texture_numbers(step->where.width, step->where.height, step->scope);
	VD_CLEANUP(vd_free) uint32_t *numbers = calloc(count, sizeof *numbers);

	_Static_assert(sizeof(float) == sizeof(uint32_t), "numbers are single");
	if (!numbers)
		return -ENOMEM;
	vd_texture_write(step->texture, (float *)(void *)numbers);
	for (size_t i = 0; i < count; i++)
		numbers[i] = htole32(numbers[i]);
	return vd_buf_append(out, numbers, count * sizeof *numbers);
}

static int append_arrays(const struct vd_model_step *step, struct vd_buf *out)
{
	const size_t count = (size_t)step->where.width * (size_t)step->where.height;
	int r = 0;

	if (step->tool == VD_VARIATION) {
		r = append_u16(out, step->variation.mean, count);
		return r < 0 ? r : append_u16(out, step->variation.spread, count);
	}
	if (step->tool == VD_TEXTURE)
		return append_texture(step, out);
	for (int y = 0; r == 0 && y < step->where.height; y++)
		r = vd_buf_append(out, vd_image_row(&step->patch, y), (size_t)step->where.width);
	return r;
}

static int append_frames(const struct vd_model *model, struct vd_buf *out)
{
	int r = 0;

	for (int i = 0; i < model->challenge_count; i++) {
		const struct vd_model_challenge *challenge = &model->challenges[i];

		for (int k = 0; r == 0 && k < challenge->frame_count; k++)
			r = vd_buf_append(out, challenge->frames[k].jpeg.data,
					  challenge->frames[k].jpeg.len);
	}
	return r;
}

static int compress(const struct vd_buf *payload, struct vd_buf *out)
{
	const size_t bound = ZSTD_compressBound(payload->len);
	VD_CLEANUP(vd_free) char *packed = malloc(bound);
	size_t n;

	if (!packed)
		return -ENOMEM;
	n = ZSTD_compress(packed, bound, payload->data, payload->len, LEVEL);
	return ZSTD_isError(n) ? -ENOMEM : vd_buf_append(out, packed, n);
}

int vd_model_encode(struct vd_model *model, struct vd_buf *out)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf payload = { .limit = VD_MODEL_BYTES };
	uint8_t digest[VD_SHA256_BYTES];
	int r = append_head(model, &payload);

	for (int i = 0; r == 0 && i < model->step_count; i++)
		r = append_arrays(&model->steps[i], &payload);
	if (r == 0)
		r = append_frames(model, &payload);
	if (r == 0)
		r = vd_sha256_text(payload.data, payload.len, model->sha256);
	if (r == 0)
		r = vd_sha256(payload.data, payload.len, digest);
	if (r == 0)
		r = vd_buf_append(out, MAGIC, MAGIC_BYTES);
	if (r == 0)
		r = vd_buf_append(out, digest, sizeof digest);
	return r < 0 ? r : compress(&payload, out);
}

/* ---- reading ---- */

static int bad(struct vd_fault *fault, const char *text)
{
	vd_fault_set(fault, 400, "", "%s", text);
	return -EINVAL;
}

struct reader {
	const uint8_t *at;
	size_t left;
};

static int read_u16(struct reader *reader, size_t count, uint16_t **ret_values)
{
	uint16_t *values = NULL;

	if (reader->left / sizeof *values < count)
		return -EINVAL;
	values = malloc(count * sizeof *values);
	if (!values)
		return -ENOMEM;
	memcpy(values, reader->at, count * sizeof *values);
	for (size_t i = 0; i < count; i++)
		values[i] = le16toh(values[i]);
	reader->at += count * sizeof *values;
	reader->left -= count * sizeof *values;
	*ret_values = values;
	return 0;
}

static int read_patch(struct reader *reader, struct vd_model_step *step)
{
	const size_t width = (size_t)step->where.width, height = (size_t)step->where.height;
	int r;

	if (reader->left / width < height)
		return -EINVAL;
	r = vd_image_shape(&step->patch, step->where.width, step->where.height, VD_GREY);
	for (int y = 0; r == 0 && y < step->where.height; y++) {
		memcpy(vd_image_row(&step->patch, y), reader->at, width);
		reader->at += width;
		reader->left -= width;
	}
	return r;
}

static int read_texture(struct reader *reader, struct vd_model_step *step)
{
	const size_t count = vd_texture_numbers(step->where.width, step->where.height, step->scope);
	VD_CLEANUP(vd_free) uint32_t *numbers = NULL;

	if (count == 0 || reader->left / sizeof *numbers < count)
		return -EINVAL;
	numbers = malloc(count * sizeof *numbers);
	if (!numbers)
		return -ENOMEM;
	memcpy(numbers, reader->at, count * sizeof *numbers);
	reader->at += count * sizeof *numbers;
	reader->left -= count * sizeof *numbers;
	for (size_t i = 0; i < count; i++)
		numbers[i] = le32toh(numbers[i]);
	return vd_texture_read(step->where.width, step->where.height, step->scope,
			       (const float *)(const void *)numbers, &step->texture);
}

static int read_arrays(struct reader *reader, struct vd_model_step *step)
{
	const size_t count = (size_t)step->where.width * (size_t)step->where.height;
	int r;

	if (step->tool == VD_LOCATE)
		return read_patch(reader, step);
	if (step->tool == VD_TEXTURE)
		return read_texture(reader, step);
	step->variation.width = step->where.width;
	step->variation.height = step->where.height;
	r = read_u16(reader, count, &step->variation.mean);
	return r < 0 ? r : read_u16(reader, count, &step->variation.spread);
}

static bool read_side(const cJSON *json, const char *key, int least, int *ret_value)
{
	const cJSON *value = vd_json_get(json, key);

	if (!cJSON_IsNumber(value) || !(value->valuedouble >= least) ||
	    !(value->valuedouble <= SIDE_MOST))
		return false;
	*ret_value = (int)value->valuedouble;
	return true;
}

static bool read_name(const cJSON *json, const char *key, char *name, size_t size)
{
	const char *text = vd_json_string(json, key, "");
	const size_t n = strlen(text);

	if (n == 0 || n >= size)
		return false;
	memcpy(name, text, n + 1);
	return true;
}

static bool read_tool(const cJSON *json, struct vd_model_step *step)
{
	const char *tool = vd_json_string(json, "tool", "");

	if (strcmp(tool, "locate") == 0) {
		step->tool = VD_LOCATE;
	} else if (strcmp(tool, "variation") == 0) {
		step->tool = VD_VARIATION;
	} else if (strcmp(tool, "texture") == 0) {
		step->tool = VD_TEXTURE;
		step->threshold = vd_json_number(json, "threshold", NAN);
		step->scope = vd_json_bool(json, "isGlobal", false) ? VD_TEXTURE_GLOBAL
								    : VD_TEXTURE_POSITION;
		return step->threshold > 0 && step->threshold <= SCALE_MOST;
	} else {
		return false;
	}
	return true;
}

static bool read_step_head(const cJSON *json, struct vd_model_step *step)
{
	if (!read_name(json, "id", step->id, sizeof step->id))
		return false;
	step->variation.scale = vd_json_number(json, "scale", 1);
	if (!(step->variation.scale >= 0) || !(step->variation.scale <= SCALE_MOST))
		return false;
	if (!read_tool(json, step))
		return false;
	return read_side(json, "x", 0, &step->where.x) && read_side(json, "y", 0, &step->where.y) &&
	       read_side(json, "width", 1, &step->where.width) &&
	       read_side(json, "height", 1, &step->where.height) &&
	       read_side(json, "frameWidth", 1, &step->frame_width) &&
	       read_side(json, "frameHeight", 1, &step->frame_height) &&
	       read_side(json, "parts", 0, &step->variation.parts);
}

static int read_steps(struct vd_model *model, const cJSON *steps, struct reader *reader,
		      struct vd_fault *fault)
{
	const int count = cJSON_GetArraySize(steps);
	const cJSON *json;

	if (count > VD_STEPS_MOST)
		return bad(fault, "too many steps");
	model->steps = calloc((size_t)count + 1, sizeof *model->steps);
	if (!model->steps)
		return -ENOMEM;
	cJSON_ArrayForEach(json, steps)
	{
		struct vd_model_step *step = &model->steps[model->step_count++];
		int r = read_step_head(json, step) ? 0 : -EINVAL;

		if (r == 0)
			r = read_arrays(reader, step);
		if (r < 0)
			return r == -EINVAL ? bad(fault, "a step is not as its head says") : r;
	}
	return 0;
}

static int read_references(struct vd_model *model, const cJSON *list, struct vd_fault *fault)
{
	const int count = cJSON_GetArraySize(list);
	const cJSON *json;

	if (count > VD_REFERENCES_MOST)
		return bad(fault, "too many references");
	model->references = calloc((size_t)count + 1, sizeof *model->references);
	if (!model->references)
		return -ENOMEM;
	cJSON_ArrayForEach(json, list)
	{
		struct vd_reference *reference = &model->references[model->reference_count++];

		reference->mean = vd_json_number(json, "mean", NAN);
		reference->deviation = vd_json_number(json, "deviation", NAN);
		if (!read_name(json, "name", reference->name, sizeof reference->name) ||
		    !isfinite(reference->mean) || !(reference->deviation >= 0) ||
		    !isfinite(reference->deviation))
			return bad(fault, "a reference is no name with two numbers");
	}
	return 0;
}

static bool read_verdict(const cJSON *json, enum vd_verdict *ret_verdict)
{
	const char *name = vd_json_string(json, "verdict", "");

	for (int i = 0; i < VD_VERDICTS; i++) {
		if (strcmp(vd_verdict_name((enum vd_verdict)i), name) != 0)
			continue;
		*ret_verdict = (enum vd_verdict)i;
		return true;
	}
	return false;
}

static int read_frame(struct vd_model_frame *frame, const cJSON *json, struct reader *reader)
{
	const int64_t bytes = vd_json_int(json, "bytes", -1);
	int r;

	if (!read_name(json, "camera", frame->camera, sizeof frame->camera) || bytes < 0 ||
	    (uint64_t)bytes > reader->left)
		return -EINVAL;
	r = vd_buf_append(&frame->jpeg, reader->at, (size_t)bytes);
	reader->at += bytes;
	reader->left -= (size_t)bytes;
	return r;
}

static int read_challenge(struct vd_model_challenge *challenge, const cJSON *json,
			  struct reader *reader)
{
	const cJSON *frames = vd_json_array(json, "frames"), *frame;
	const int count = cJSON_GetArraySize(frames);
	int r = 0;

	if (count < 1 || count > VD_CAMERAS_MOST || !read_verdict(json, &challenge->verdict) ||
	    !read_name(json, "name", challenge->name, sizeof challenge->name))
		return -EINVAL;
	challenge->frames = calloc((size_t)count, sizeof *challenge->frames);
	if (!challenge->frames)
		return -ENOMEM;
	cJSON_ArrayForEach(frame, frames)
	{
		if (r == 0)
			r = read_frame(&challenge->frames[challenge->frame_count++], frame, reader);
	}
	return r;
}

static int read_challenges(struct vd_model *model, const cJSON *list, struct reader *reader,
			   struct vd_fault *fault)
{
	const int count = cJSON_GetArraySize(list);
	const cJSON *json;

	if (count > VD_CHALLENGES_MOST)
		return bad(fault, "too many challenges");
	model->challenges = calloc((size_t)count + 1, sizeof *model->challenges);
	if (!model->challenges)
		return -ENOMEM;
	cJSON_ArrayForEach(json, list)
	{
		const int r =
			read_challenge(&model->challenges[model->challenge_count++], json, reader);

		if (r < 0)
			return r == -EINVAL ? bad(fault, "a challenge is not as the head says") : r;
	}
	return reader->left == 0 ? 0 : bad(fault, "bytes after the last array");
}

static int read_model(struct vd_model *model, const char *payload, size_t len,
		      struct vd_fault *fault)
{
	VD_CLEANUP(vd_json_free) cJSON *head = NULL;
	const char *end = memchr(payload, '\n', len);
	struct reader reader;
	const char *key;
	int r;

	if (!end)
		return bad(fault, "no head");
	r = vd_json_parse(payload, (size_t)(end - payload), &head, fault);
	if (r < 0)
		return r;
	key = vd_json_string(head, "key", "");
	if (vd_json_int(head, "format", 0) < 1 || vd_json_int(head, "format", 0) > FORMAT ||
	    strlen(key) != sizeof model->key - 1 || !read_side(head, "parts", 0, &model->parts) ||
	    vd_json_int(head, "version", -1) < 0 || vd_json_int(head, "version", -1) > 1000000000)
		return bad(fault, "the head is not of this format");
	memcpy(model->key, key, sizeof model->key);
	model->version = (int)vd_json_int(head, "version", 0);
	reader.at = (const uint8_t *)end + 1;
	reader.left = len - (size_t)(end + 1 - payload);
	r = read_steps(model, vd_json_array(head, "steps"), &reader, fault);
	if (r == 0)
		r = read_references(model, vd_json_array(head, "references"), fault);
	if (r == 0)
		r = read_challenges(model, vd_json_array(head, "challenges"), &reader, fault);
	if (r == 0 && vd_json_object(head, "report")) {
		model->report = cJSON_Duplicate(vd_json_object(head, "report"), true);
		r = model->report ? 0 : -ENOMEM;
	}
	return r;
}

static int unpack(const uint8_t *bytes, size_t len, char **ret_payload, size_t *ret_len,
		  struct vd_fault *fault)
{
	const unsigned long long size = ZSTD_getFrameContentSize(bytes, len);
	VD_CLEANUP(vd_free) char *payload = NULL;
	size_t n;

	/* Beyond this ratio it is no image but an attempt to take all memory. */
	if (size == ZSTD_CONTENTSIZE_UNKNOWN || size == ZSTD_CONTENTSIZE_ERROR ||
	    size > VD_MODEL_BYTES || size / 20000 > len)
		return bad(fault, "no zstd frame, or one that is too large");
	payload = malloc((size_t)size + 1);
	if (!payload)
		return -ENOMEM;
	n = ZSTD_decompress(payload, (size_t)size, bytes, len);
	if (ZSTD_isError(n) || n != size)
		return bad(fault, "the zstd frame is damaged");
	*ret_payload = VD_TAKE(payload);
	*ret_len = n;
	return 0;
}

int vd_model_decode(const void *bytes, size_t len, struct vd_model **ret_model,
		    struct vd_fault *fault)
{
	VD_CLEANUP(vd_model_free) struct vd_model *model = NULL;
	VD_CLEANUP(vd_free) char *payload = NULL;
	uint8_t digest[VD_SHA256_BYTES];
	size_t size = 0;
	int r;

	if (len < HEAD_BYTES || memcmp(bytes, MAGIC, MAGIC_BYTES) != 0)
		return bad(fault, "not a model file");
	r = unpack((const uint8_t *)bytes + HEAD_BYTES, len - HEAD_BYTES, &payload, &size, fault);
	if (r == 0)
		r = vd_sha256(payload, size, digest);
	if (r < 0)
		return r;
	if (memcmp(digest, (const uint8_t *)bytes + MAGIC_BYTES, sizeof digest) != 0)
		return bad(fault, "the digest does not fit");
	model = calloc(1, sizeof *model);
	if (!model)
		return -ENOMEM;
	r = vd_sha256_text(payload, size, model->sha256);
	if (r == 0)
		r = read_model(model, payload, size, fault);
	if (r == 0)
		*ret_model = VD_TAKE(model);
	return r;
}
