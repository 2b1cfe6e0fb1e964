/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What each stage of registration and normalisation is worth, on photographs of real things
 * with simulated captures and drawn defects (simulate.h). For each photograph and rung: learn
 * from good captures, fix the limit on other good ones so that 1 % of them is rejected, only
 * then look at defects. README.md says how to read the table.
 *
 *	ladder [good=N] [defects=N] [var=2.5] … PHOTOGRAPH.jpg … [unseen] PHOTOGRAPH.jpg …
 */
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "figures.h"
#include "modules/image/jpeg.h"
#include "modules/vision/locate.h"
#include "modules/vision/variation.h"
#include "modules/vision/warp.h"
#include "simulate.h"

enum { LEARNT = 40, MOST = 2000, MARGIN = 16, FILE_MOST = 64 << 20, CONTRASTS = 3, PARTS = 64 };

enum rung { NONE, WHOLE, SUBPIXEL, TURNED, LIT, RUNGS };

static const char *const RUNG_NAMES[] = { "none", "integer", "sub-pixel", "+ rotation",
					  "+ local gain" };
static const double CONTRAST[CONTRASTS] = { 10, 20, 40 };

struct settings {
	int good, defects;
	int from; /* the first rung that is looked at */
	struct vd_variation_options options;
};

/* One photograph, with what a rung has learnt of it. */
struct bench {
	const struct settings *settings;
	struct vd_image part;
	struct vd_rect where;
	struct vd_locator *shifting, *turning;
	struct vd_variation *models[RUNGS];
	struct vd_variation_work work;
	int refused; /* captures on which a rung came to no score */
};

struct scores {
	double fixing[MOST], good[MOST], bad[CONTRASTS][MOST];
	enum sim_kind kinds[MOST];
};

/* Sums over photographs. */
struct sum {
	int parts, goods, rejected, bads[CONTRASTS], escaped[CONTRASTS];
	double auroc[CONTRASTS], worst[CONTRASTS];
	int kind_bads[CONTRASTS][SIM_KINDS], kind_escaped[CONTRASTS][SIM_KINDS];
};

/* 0, or VD_NOT_LOCATED. */
static int pose_of(const struct bench *bench, enum rung rung, const struct vd_image *image,
		   struct vd_pose *pose)
{
	int r;

	*pose = vd_pose_identity();
	if (rung == NONE)
		return 0;
	r = vd_locator_find(rung >= TURNED ? bench->turning : bench->shifting, image, pose);
	if (rung == WHOLE) {
		pose->dx = round(pose->dx);
		pose->dy = round(pose->dy);
	}
	return r;
}

static struct vd_variation_options options_of(const struct bench *bench, enum rung rung)
{
	struct vd_variation_options options = bench->settings->options;

	if (rung != LIT)
		options.window_px = 0;
	return options;
}

static int learn_rung(struct bench *bench, enum rung rung, uint64_t seed)
{
	const struct vd_variation_options options = options_of(bench, rung);
	VD_CLEANUP(vd_variation_learner_free) struct vd_variation_learner *learner = NULL;
	VD_CLEANUP(vd_image_fini) struct vd_image image = { 0 };
	VD_CLEANUP(vd_image_fini) struct vd_image registered = { 0 };
	VD_CLEANUP(vd_buf_fini) struct vd_buf bytes = { 0 };
	struct sim_random random = { seed };
	struct vd_variation_model model = { 0 };
	int r = vd_variation_learner_new(bench->where.width, bench->where.height, options.window_px,
					 &learner);

	for (int i = 0; r == 0 && i < LEARNT; i++) {
		const struct sim_capture capture = sim_draw(&random);
		struct vd_pose pose;

		r = sim_take(&bench->part, &capture, &random, &image, &bytes);
		if (r == 0)
			r = pose_of(bench, rung, &image, &pose);
		if (r == 0)
			r = vd_warp_soft(&image, &pose, bench->where, &registered);
		if (r == 0)
			r = vd_variation_learn(learner, &registered);
	}
	if (r == 0)
		r = vd_variation_finish(learner, &model);
	if (r == 0)
		r = vd_variation_new(&model, bench->where, &options, &bench->models[rung]);
	vd_variation_model_fini(&model);
	return r;
}

/* A capture that cannot be judged would be NO_DECISION: rejected, whatever the limit. */
static double score_of(struct bench *bench, enum rung rung, const struct vd_image *image)
{
	struct vd_blobs blobs = { 0 };
	struct vd_pose pose;
	double score = INFINITY;

	if (pose_of(bench, rung, image, &pose) == 0 &&
	    vd_variation_compare(bench->models[rung], image, &pose, &bench->work, &blobs) == 0)
		score = blobs.score;
	else
		bench->refused++;
	vd_blobs_fini(&blobs);
	return score;
}

static int copy_part(const struct vd_image *from, struct vd_image *to)
{
	const int r = vd_image_shape(to, from->width, from->height, VD_GREY);

	for (int y = 0; r == 0 && y < from->height; y++)
		memcpy(vd_image_row(to, y), vd_image_row(from, y), (size_t)from->width);
	return r;
}

/* One capture, scored on every rung: scores[rung][at]. contrast 0: a good part. */
static int score_capture(struct bench *bench, struct sim_random *random, enum sim_kind kind,
			 double contrast, double *const scores[RUNGS])
{
	static struct vd_image part, image;
	static struct vd_buf bytes;
	const struct sim_capture capture = sim_draw(random);
	int r = copy_part(&bench->part, &part);

	if (r < 0)
		return r;
	if (contrast > 0)
		sim_draw_defect(&part, bench->where, kind, contrast, random);
	r = sim_take(&part, &capture, random, &image, &bytes);
	for (int rung = bench->settings->from; r == 0 && rung < RUNGS; rung++)
		*scores[rung] = score_of(bench, (enum rung)rung, &image);
	return r;
}

static int score_all(struct bench *bench, struct scores *scores, uint64_t seed)
{
	struct sim_random random = { seed };
	double *at[RUNGS];
	int r = 0;

	for (int i = 0; r == 0 && i < 2 * bench->settings->good; i++) {
		for (int rung = 0; rung < RUNGS; rung++)
			at[rung] = i % 2 ? &scores[rung].good[i / 2] : &scores[rung].fixing[i / 2];
		r = score_capture(bench, &random, SIM_KINDS, 0, at);
	}
	for (int c = 0; c < CONTRASTS; c++) {
		for (int i = 0; r == 0 && i < bench->settings->defects; i++) {
			for (int rung = 0; rung < RUNGS; rung++) {
				at[rung] = &scores[rung].bad[c][i];
				scores[rung].kinds[i] = (enum sim_kind)(i % SIM_KINDS);
			}
			r = score_capture(bench, &random, (enum sim_kind)(i % SIM_KINDS),
					  CONTRAST[c], at);
		}
	}
	return r;
}

static void sum_contrast(const struct settings *settings, struct scores *scores, double limit,
			 int c, struct sum *sum, struct sum *single)
{
	const double area = auroc(scores->good, settings->good, scores->bad[c], settings->defects);

	sum->auroc[c] += area;
	sum->worst[c] = sum->parts ? fmin(sum->worst[c], area) : area;
	single->auroc[c] = area;
	for (int i = 0; i < settings->defects; i++) {
		const bool escaped = scores->bad[c][i] <= limit;

		sum->bads[c]++;
		sum->escaped[c] += escaped;
		single->escaped[c] += escaped;
		sum->kind_bads[c][scores->kinds[i]]++;
		sum->kind_escaped[c][scores->kinds[i]] += escaped;
	}
}

/* The limit is fixed here, before any defect is looked at. */
static void sum_up(const char *name, const struct settings *settings, struct scores *scores,
		   enum rung rung, struct sum *sum)
{
	const double limit = limit_for(scores->fixing, settings->good, 0.01);
	struct sum single = { 0 };

	for (int i = 0; i < settings->good; i++)
		single.rejected += scores->good[i] > limit;
	for (int c = 0; c < CONTRASTS; c++)
		sum_contrast(settings, scores, limit, c, sum, &single);
	sum->parts++;
	sum->goods += settings->good;
	sum->rejected += single.rejected;
	(void)printf("%-16s %-12s limit %7.1f  rejected %4.1f %% ", name, RUNG_NAMES[rung], limit,
		     100.0 * single.rejected / settings->good);
	for (int c = 0; c < CONTRASTS; c++)
		(void)printf("  %2.0f: AUROC %.3f escapes %5.1f %%", CONTRAST[c], single.auroc[c],
			     100.0 * single.escaped[c] / settings->defects);
	(void)printf("\n");
}

static int read_part(const char *path, struct vd_image *part)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf bytes = { 0 };
	struct vd_fault fault = { 0 };

	if (vd_file_read(path, FILE_MOST, &bytes, &fault) == 0 &&
	    vd_jpeg_decode_grey(bytes.data, bytes.len, NULL, part, NULL, &fault) == 0)
		return 0;
	(void)fprintf(stderr, "%s: %s\n", path, fault.text);
	return -EIO;
}

static int prepare(struct bench *bench)
{
	const int width = bench->part.width, height = bench->part.height;
	const struct vd_rect patch = { width / 4, height / 4, width / 2, height / 2 };
	struct vd_locate_options locate = { .search_px = 12, .min_score = 0.5 };
	int r = 0;

	bench->where = (struct vd_rect){ MARGIN, MARGIN, width - 2 * MARGIN, height - 2 * MARGIN };
	r = vd_locator_new(&bench->part, patch, &locate, &bench->shifting);
	locate.angle_deg = 0.6;
	if (r == 0)
		r = vd_locator_new(&bench->part, patch, &locate, &bench->turning);
	for (int rung = bench->settings->from; r == 0 && rung < RUNGS; rung++)
		r = learn_rung(bench, (enum rung)rung, 1000);
	return r;
}

static void bench_fini(struct bench *bench)
{
	for (int rung = 0; rung < RUNGS; rung++)
		(void)vd_variation_free(bench->models[rung]);
	(void)vd_locator_free(bench->shifting);
	(void)vd_locator_free(bench->turning);
	vd_variation_work_fini(&bench->work);
	vd_image_fini(&bench->part);
}

/* Captures of their own for each photograph, whatever the others are: else all share their luck. */
static uint64_t seed_of(const char *name)
{
	uint64_t seed = 77;

	for (; *name; name++)
		seed = seed * 1099511628211U + (uint8_t)*name;
	return seed;
}

static int run(const char *path, const struct settings *settings, struct sum sums[static RUNGS])
{
	static struct scores scores[RUNGS];
	struct bench bench = { .settings = settings };
	const char *name = strrchr(path, '/');
	int r = read_part(path, &bench.part);

	if (r == 0)
		r = prepare(&bench);
	if (r == 0)
		r = score_all(&bench, scores, seed_of(name ? name : path));
	for (int rung = settings->from; r == 0 && rung < RUNGS; rung++)
		sum_up(name ? name + 1 : path, settings, &scores[rung], (enum rung)rung,
		       &sums[rung]);
	if (r == 0 && bench.refused > 0)
		(void)printf("%-16s NO_DECISION on %d of the rungs' captures\n",
			     name ? name + 1 : path, bench.refused);
	if (r != 0)
		(void)fprintf(stderr, "%s: %d\n", path, r);
	bench_fini(&bench);
	return r;
}

static void print_kinds(const struct sum *sum)
{
	for (int c = 0; c < CONTRASTS; c++) {
		(void)printf("    contrast %2.0f, escapes by category:", CONTRAST[c]);
		for (int kind = 0; kind < SIM_KINDS; kind++)
			(void)printf("  %s %.1f %%", sim_kind_name((enum sim_kind)kind),
				     100.0 * sum->kind_escaped[c][kind] / sum->kind_bads[c][kind]);
		(void)printf("\n");
	}
}

static void print_rung(enum rung rung, const struct sum *sum)
{
	const struct interval rejected = wilson(sum->rejected, sum->goods);

	(void)printf("  %-12s false rejects %.2f %% (%.2f - %.2f)", RUNG_NAMES[rung],
		     100.0 * sum->rejected / sum->goods, 100 * rejected.low, 100 * rejected.high);
	for (int c = 0; c < CONTRASTS; c++) {
		const struct interval i = wilson(sum->escaped[c], sum->bads[c]);

		(void)printf("  %2.0f: AUROC %.3f worst %.3f escapes %.1f %% (%.1f - %.1f)",
			     CONTRAST[c], sum->auroc[c] / sum->parts, sum->worst[c],
			     100.0 * sum->escaped[c] / sum->bads[c], 100 * i.low, 100 * i.high);
	}
	(void)printf("\n");
}

static void print_sums(const char *what, const char *target, const struct sum sums[static RUNGS])
{
	if (sums[LIT].parts == 0)
		return;
	(void)printf("\n%s, %d photographs; target at contrast 20: %s\n", what, sums[LIT].parts,
		     target);
	for (int rung = 0; rung < RUNGS; rung++) {
		if (sums[rung].parts > 0)
			print_rung((enum rung)rung, &sums[rung]);
	}
	print_kinds(&sums[LIT]);
}

static bool set_option(struct settings *settings, const char *text)
{
	struct vd_variation_options *o = &settings->options;
	const char *equals = strchr(text, '=');
	const double value = equals ? strtod(equals + 1, NULL) : 0;
	const struct {
		const char *name;
		int *whole;
		double *real, *twice;
	} table[] = {
		{ "good", &settings->good, NULL, NULL },
		{ "defects", &settings->defects, NULL, NULL },
		{ "from", &settings->from, NULL, NULL },
		{ "window", &o->window_px, NULL, NULL },
		{ "open", &o->blobs.open_px, NULL, NULL },
		{ "area", &o->blobs.min_area_px, NULL, NULL },
		{ "merge", &o->blobs.merge_px, NULL, NULL },
		{ "abs", NULL, &o->abs_threshold[0], &o->abs_threshold[1] },
		{ "var", NULL, &o->var_threshold[0], &o->var_threshold[1] },
		{ "edge", NULL, &o->edge_tolerance_px, NULL },
	};

	for (size_t i = 0; equals && i < VD_COUNT(table); i++) {
		if (strncmp(text, table[i].name, (size_t)(equals - text)) != 0)
			continue;
		if (table[i].whole)
			*table[i].whole = (int)value;
		if (table[i].real)
			*table[i].real = value;
		if (table[i].twice)
			*table[i].twice = value;
		return true;
	}
	return false;
}

int main(int argc, char **argv)
{
	static struct sum seen[RUNGS], unseen[RUNGS];
	struct settings settings = { .good = 150,
				     .defects = 150,
				     .options = vd_variation_defaults() };
	struct sum *sums = seen;
	int r = 0, photographs = 0;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "unseen") == 0)
			sums = unseen;
		else if (!set_option(&settings, argv[i]))
			r |= run(argv[i], &settings, sums) != 0, photographs++;
		if (settings.good > MOST || settings.defects > MOST || settings.from < 0)
			return 2;
	}
	if (photographs == 0) {
		(void)printf("skipped: no photographs given; ladder.py finds Debian's\n");
		return 77;
	}
	print_sums("Photographs the settings were chosen on", "AUROC 0.97, escapes 8 %", seen);
	print_sums("Unseen photographs", "AUROC 0.95", unseen);
	return r;
}
