/* SPDX-License-Identifier: Apache-2.0 */
/* A fitted model's evidence: the report, references for drift and the challenge set. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "modules/image/jpeg.h"
#include "modules/inspect/learn/drift.h"
#include "modules/inspect/learn/fitting.h"
#include "modules/vision/statistic.h"

enum { QUALITY = 95, EXCLUDED_TOLD = 8 };

/* ---- report ---- */

static double rounded(double v)
{
	return round(v * 1000) / 1000;
}

static double significant(double v)
{
	const double unit = v > 0 ? pow(10, floor(log10(v)) - 1) : 1;

	return round(v / unit) * unit;
}

static bool add_excluded(cJSON *report, const struct fitting *fitting)
{
	cJSON *list = cJSON_AddArrayToObject(report, "excluded");
	bool ok = list != NULL;

	for (int i = 0, told = 0; ok && i < fitting->lesson->parts && told < EXCLUDED_TOLD; i++) {
		const struct vd_sample *sample = &fitting->lesson->samples[i];
		cJSON *json;

		if (!sample->is_out)
			continue;
		json = cJSON_CreateObject();
		told++;
		ok = json && cJSON_AddItemToArray(list, json) &&
		     vd_json_add_number(json, "part", i + 1) &&
		     vd_json_add_string(json, "text", sample->why) &&
		     (!sample->serial[0] || vd_json_add_string(json, "serial", sample->serial));
	}
	return ok;
}

static bool add_step(cJSON *steps, const struct fitting *fitting, int i)
{
	const struct pupil *pupil = &fitting->lesson->pupils[i];
	const struct vd_gumbel gumbel = vd_gumbel_fit(pupil->factors, pupil->factor_count);
	cJSON *json = cJSON_AddObjectToObject(steps, fitting->lesson->recipe->steps[i].id);
	bool ok = json && vd_json_add_number(json, "scale", rounded(pupil->scale)) &&
		  vd_json_add_number(json, "challenge", rounded(pupil->challenge));

	if (!ok || pupil->factor_count == 0)
		return ok;
	ok = vd_json_add_number(json, "median",
				rounded(vd_quantile(pupil->factors, pupil->factor_count, 0.5))) &&
	     vd_json_add_number(json, "largest",
				rounded(vd_quantile(pupil->factors, pupil->factor_count, 1)));
	if (ok && pupil->factor_count >= VD_FENCED_LEAST)
		ok = vd_json_add_number(json, "falseRejectRate",
					significant(vd_gumbel_above(&gumbel, pupil->scale)));
	return ok && vd_json_add_number(json, "falseRejectRateMost",
					rounded(vd_wilson_upper(0, pupil->factor_count)));
}

static bool add_sensitivity(cJSON *report, const struct fitting *fitting)
{
	const struct sensitivity *best = vd_fitting_usual(fitting);
	cJSON *json = cJSON_AddObjectToObject(report, "sensitivity");
	cJSON *found = json ? cJSON_AddObjectToObject(json, "areaPxByLevels") : NULL;
	bool ok = found != NULL;

	for (size_t i = 0; ok && i < VD_LEVELS; i++) {
		char name[16];

		(void)snprintf(name, sizeof name, "%d", vd_fitting_levels[i]);
		if (fitting->least[i].area_px > 0)
			ok = vd_json_add_number(found, name, fitting->least[i].area_px);
	}
	if (ok && best)
		ok = vd_json_add_number(json, "areaPx", best->area_px) &&
		     vd_json_add_number(json, "greyLevels", best->levels);
	return ok;
}

int vd_fitting_report(struct fitting *fitting, bool is_valid)
{
	const struct sensitivity *best = vd_fitting_usual(fitting);
	cJSON *report = fitting->fit->report = cJSON_CreateObject();
	cJSON *steps = report ? cJSON_AddObjectToObject(report, "steps") : NULL;
	bool ok = steps && vd_json_add_number(report, "parts", vd_fitting_usable(fitting)) &&
		  vd_json_add_number(report, "leftOutOneByOne", fitting->tried);

	for (int i = 0; ok && i < fitting->lesson->recipe->step_count; i++) {
		if (vd_fitting_compares(fitting, i))
			ok = add_step(steps, fitting, i);
	}
	if (is_valid && best)
		(void)snprintf(fitting->fit->text, sizeof fitting->fit->text,
			       "smallest reliably found defect: %d px at %d grey levels",
			       best->area_px, best->levels);
	ok = ok && add_excluded(report, fitting) && add_sensitivity(report, fitting) &&
	     vd_json_add_bool(report, "valid", is_valid) &&
	     vd_json_add_string(report, "text", fitting->fit->text);
	return ok ? 0 : -ENOMEM;
}

/* ---- the model ---- */

static int copy_patch(const struct pupil *pupil, struct vd_image *out)
{
	return vd_fitting_copy(&pupil->patch, out);
}

static int finish_step(const struct vd_lesson *lesson, int i, struct vd_model_step *out)
{
	const struct vd_step *step = &lesson->recipe->steps[i];
	const struct pupil *pupil = &lesson->pupils[i];
	int r;

	memcpy(out->id, step->id, sizeof out->id);
	out->tool = step->tool;
	out->where = pupil->where;
	out->frame_width = pupil->frame_width;
	out->frame_height = pupil->frame_height;
	if (step->tool == VD_TEXTURE) {
		out->threshold = pupil->scale;
		out->scope = step->texture.scope;
		return vd_texture_finish(pupil->texture, &out->texture);
	}
	r = step->tool == VD_LOCATE ? copy_patch(pupil, &out->patch)
				    : vd_variation_finish(pupil->learner, &out->variation);
	out->variation.scale = pupil->scale;
	return r;
}

/* A quantity over the parts that were learnt from. */
static void refer(struct fitting *fitting, struct vd_model *model, const char *of, const char *what,
		  const double *values, size_t count)
{
	struct vd_reference *reference = &model->references[model->reference_count++];

	(void)snprintf(reference->name, sizeof reference->name, "%s/%s", of, what);
	reference->mean = vd_mean(values, count);
	reference->deviation = vd_deviation(values, count);
}

static double pose_value(const struct vd_pose *pose, int i)
{
	return i == 0 ? pose->dx : i == 1 ? pose->dy : pose->angle_deg;
}

static int write_references(struct fitting *fitting, struct vd_model *model)
{
	const struct vd_lesson *lesson = fitting->lesson;
	const struct vd_recipe *recipe = lesson->recipe;
	VD_CLEANUP(vd_free) double *values = calloc((size_t)lesson->parts, sizeof *values);

	model->references = calloc(VD_REFERENCES_MOST, sizeof *model->references);
	if (!values || !model->references)
		return -ENOMEM;
	for (int of = 0; of < recipe->camera_count + recipe->step_count; of++) {
		const int step = of - recipe->camera_count;

		if (step >= 0 && !vd_step_locates(&recipe->steps[step]))
			continue;
		for (int what = 0; what < VD_SIGHTS; what++) {
			size_t count = 0;

			for (int i = 0; i < lesson->parts; i++) {
				const struct vd_sample *sample = &lesson->samples[i];

				if (!sample->is_out)
					values[count++] =
						step < 0 ? sample->sights[of][what]
							 : pose_value(&sample->poses[step], what);
			}
			refer(fitting, model,
			      step < 0 ? recipe->cameras[of] : recipe->steps[step].id,
			      vd_drift_name(step >= 0, what), values, count);
		}
	}
	return 0;
}

/* ---- the challenge set ---- */

static struct vd_model_challenge *new_challenge(struct vd_model *model, int frames)
{
	struct vd_model_challenge *challenge = &model->challenges[model->challenge_count];

	challenge->frames = calloc((size_t)frames, sizeof *challenge->frames);
	if (!challenge->frames)
		return NULL;
	model->challenge_count++;
	return challenge;
}

/* painted: of this camera, instead of the sample's; NULL: none. */
static int add_frames(struct fitting *fitting, struct vd_model_challenge *challenge,
		      const struct vd_sample *sample, int camera, const struct vd_image *painted)
{
	const struct vd_recipe *recipe = fitting->lesson->recipe;
	int r = 0;

	for (int i = 0; r == 0 && i < recipe->camera_count; i++) {
		struct vd_model_frame *frame = &challenge->frames[challenge->frame_count++];
		const struct vd_shot *shot = &sample->shots[i];

		memcpy(frame->camera, recipe->cameras[i], sizeof frame->camera);
		if (painted && i == camera)
			r = vd_jpeg_encode(painted, QUALITY, &frame->jpeg);
		else if (shot->is_jpeg)
			r = vd_buf_append(&frame->jpeg, shot->bytes.data, shot->bytes.len);
		else
			r = vd_jpeg_encode(&fitting->lesson->hands[0].looks[i].image, QUALITY,
					   &frame->jpeg);
	}
	return r;
}

/* The usable sample whose factor is nearest to that of this share of all. */
static struct vd_sample *typical(const struct fitting *fitting, double share)
{
	struct vd_lesson *lesson = fitting->lesson;
	double all[VD_TRIED_MOST], wanted, least = INFINITY;
	struct vd_sample *best = NULL;
	size_t count = 0;

	for (int i = 0; i < lesson->parts && count < VD_TRIED_MOST; i++) {
		if (!lesson->samples[i].is_out && isfinite(lesson->samples[i].factor))
			all[count++] = lesson->samples[i].factor;
	}
	wanted = vd_quantile(all, count, share);
	for (int i = 0; i < lesson->parts; i++) {
		struct vd_sample *sample = &lesson->samples[i];
		const double way = isfinite(sample->factor) && isfinite(wanted)
					   ? fabs(sample->factor - wanted)
					   : 1e9;

		if (!sample->is_out && way < least) {
			least = way;
			best = sample;
		}
	}
	return best;
}

static int add_good(struct fitting *fitting, struct vd_model *model)
{
	static const double shares[] = { 0, 0.5, 1 };
	const struct vd_sample *last = NULL;
	int r = 0;

	for (size_t i = 0; r == 0 && i < VD_COUNT(shares); i++) {
		const struct vd_sample *sample = typical(fitting, shares[i]);
		struct vd_model_challenge *challenge;

		if (!sample || sample == last)
			continue;
		last = sample;
		challenge = new_challenge(model, fitting->lesson->recipe->camera_count);
		if (!challenge)
			return -ENOMEM;
		(void)snprintf(challenge->name, sizeof challenge->name, "good-%zu", i + 1);
		r = vd_fitting_decode(fitting, sample);
		if (r == 0)
			r = add_frames(fitting, challenge, sample, -1, NULL);
	}
	return r;
}

/* Painted into the frame where the pose has the place. */
static int add_bad(struct fitting *fitting, struct vd_model *model, int i, unsigned polarity)
{
	const struct vd_recipe *recipe = fitting->lesson->recipe;
	const struct vd_step *step = &recipe->steps[i];
	const struct vd_sample *sample = typical(fitting, 0.5);
	const struct vd_pose identity = vd_pose_identity();
	const struct vd_pose *pose =
		step->align_to < 0 ? &identity : &sample->poses[step->align_to];
	const struct vd_rect where = fitting->lesson->pupils[i].where;
	VD_CLEANUP(vd_image_fini) struct vd_image frame = { 0 };
	struct vd_challenge challenge = { 0 };
	struct vd_model_challenge *kept;
	double x, y, half;
	int r = vd_fitting_see(fitting, sample);

	if (r == 0)
		r = vd_fitting_find_place(fitting, i, polarity, &challenge);
	if (r <= 0)
		return r;
	half = challenge.side_px / 2.0;
	vd_pose_map(pose, where.x + challenge.x + half, where.y + challenge.y + half, &x, &y);
	challenge.x = (int)lrint(x - half);
	challenge.y = (int)lrint(y - half);
	r = vd_fitting_copy(&fitting->lesson->hands[0].looks[step->camera].image, &frame);
	kept = r == 0 ? new_challenge(model, recipe->camera_count) : NULL;
	if (!kept)
		return -ENOMEM;
	vd_challenge_paint(&challenge, &frame);
	(void)snprintf(kept->name, sizeof kept->name, "%.50s-%s", step->id,
		       challenge.levels > 0 ? "bright" : "dark");
	kept->verdict = VD_NG;
	return add_frames(fitting, kept, sample, step->camera, &frame);
}

static int write_challenges(struct fitting *fitting, struct vd_model *model)
{
	int r;

	model->challenges = calloc(VD_CHALLENGES_MOST, sizeof *model->challenges);
	if (!model->challenges)
		return -ENOMEM;
	r = add_good(fitting, model);
	for (int i = 0; r == 0 && i < fitting->lesson->recipe->step_count; i++) {
		for (unsigned polarity = 0; r == 0 && polarity < 2; polarity++) {
			if (vd_fitting_compares(fitting, i) &&
			    model->challenge_count < VD_CHALLENGES_MOST)
				r = add_bad(fitting, model, i, polarity);
		}
	}
	return r;
}

int vd_fitting_model(struct fitting *fitting, int version)
{
	const struct vd_lesson *lesson = fitting->lesson;
	VD_CLEANUP(vd_model_free) struct vd_model *model = calloc(1, sizeof *model);
	int r = 0;

	if (!model)
		return -ENOMEM;
	model->version = version;
	model->parts = vd_fitting_usable(fitting);
	memcpy(model->key, lesson->recipe->model_key, sizeof model->key);
	model->report = cJSON_Duplicate(fitting->fit->report, true);
	model->steps = calloc((size_t)lesson->recipe->step_count, sizeof *model->steps);
	if (!model->steps || !model->report)
		return -ENOMEM;
	for (int i = 0; r == 0 && i < lesson->recipe->step_count; i++) {
		if (vd_step_learns(&lesson->recipe->steps[i]))
			r = finish_step(lesson, i, &model->steps[model->step_count++]);
	}
	if (r == 0)
		r = write_references(fitting, model);
	if (r == 0)
		r = write_challenges(fitting, model);
	if (r == 0)
		fitting->fit->model = VD_TAKE(model);
	return r;
}
