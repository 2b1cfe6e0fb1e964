/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Golden template on real boards: every pair NAME_temp.jpg, NAME_test.jpg, NAME.txt of the
 * folder given (or of $VEDETTE_DEEPPCB). Prints recall, precision, F1, false positives an
 * image and milliseconds a pair; for all pairs, and apart for those with an odd place in the
 * list, on which nothing was tuned.
 *
 * Judged class-agnostic and one to one: a found box is right if it overlaps a box of the list
 * by more than .33 (intersection over union) or has its centre in it, highest score first;
 * a second box on the same defect counts as false.
 *
 * Every test board of the set has defects. To see false rejects too, each template is inspected
 * against itself as a simulated second capture: shifted by a fraction of a pixel, with lens blur,
 * gain and noise. Those are simulated and printed apart.
 */
#include <dirent.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "modules/image/jpeg.h"
#include "modules/vision/golden.h"
#include "modules/vision/warp.h"

enum { PAIRS_MOST = 4096, BOXES_MOST = 64, FILE_MOST = 16 << 20 };

struct truth {
	struct vd_rect boxes[BOXES_MOST];
	int kinds[BOXES_MOST];
	bool found[BOXES_MOST];
	int count;
};

struct tally {
	int pairs, boxes, hits, false_boxes, images_with_false, rejected, polarity_right;
	double milliseconds;
	int kind_boxes[7], kind_hits[7];
};

struct bench {
	const char *folder;
	struct vd_golden_options options;
	bool verbose;
	struct tally tuned, held, good;
	double slowest;
};

static int read_image(const char *folder, const char *name, const char *what,
		      struct vd_image *image)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf bytes = { 0 };
	struct vd_fault fault = { 0 };
	char path[4096];

	(void)snprintf(path, sizeof path, "%s/%s_%s.jpg", folder, name, what);
	if (vd_file_read(path, FILE_MOST, &bytes, &fault) < 0 ||
	    vd_jpeg_decode_grey(bytes.data, bytes.len, NULL, image, NULL, &fault) != 0) {
		(void)fprintf(stderr, "%s: %s\n", path, fault.text);
		return -1;
	}
	return 0;
}

static int read_truth(const char *folder, const char *name, struct truth *truth)
{
	char path[4096];
	int x0, y0, x1, y1, kind;
	FILE *file;

	(void)snprintf(path, sizeof path, "%s/%s.txt", folder, name);
	file = fopen(path, "re");
	if (!file)
		return -1;
	*truth = (struct truth){ 0 };
	while (truth->count < BOXES_MOST &&
	       fscanf(file, "%d %d %d %d %d", &x0, &y0, &x1, &y1, &kind) == 5) {
		truth->kinds[truth->count] = kind >= 1 && kind <= 6 ? kind : 0;
		truth->boxes[truth->count++] = (struct vd_rect){ x0, y0, x1 - x0, y1 - y0 };
	}
	(void)fclose(file);
	return 0;
}

static bool is_match(const struct vd_rect *found, const struct vd_rect *wanted)
{
	const int right = (int)fmin(found->x + found->width, wanted->x + wanted->width);
	const int bottom = (int)fmin(found->y + found->height, wanted->y + wanted->height);
	const int width = right - (found->x > wanted->x ? found->x : wanted->x);
	const int height = bottom - (found->y > wanted->y ? found->y : wanted->y);
	const double shared = width > 0 && height > 0 ? (double)width * height : 0;
	const double all = (double)found->width * found->height +
			   (double)wanted->width * wanted->height - shared;
	const double x = found->x + found->width / 2.0, y = found->y + found->height / 2.0;

	return shared > 0.33 * all || (x >= wanted->x && x <= wanted->x + wanted->width &&
				       y >= wanted->y && y <= wanted->y + wanted->height);
}

/* Copper is dark: open, mousebite and pin-hole lack it, so they are bright. */
static bool has_polarity(const struct vd_defect *defect, int kind)
{
	const bool lacks = kind == 1 || kind == 3 || kind == 6;

	return (defect->polarity == VD_BRIGHT) == lacks;
}

static void judge(struct tally *tally, struct truth *truth, const struct vd_blobs *blobs)
{
	int false_boxes = 0;

	for (size_t i = 0; i < blobs->count; i++) {
		int k = 0;

		while (k < truth->count &&
		       (truth->found[k] || !is_match(&blobs->defects[i].box, &truth->boxes[k])))
			k++;
		if (k == truth->count) {
			false_boxes++;
			continue;
		}
		truth->found[k] = true;
		tally->hits++;
		tally->kind_hits[truth->kinds[k]]++;
		tally->polarity_right += has_polarity(&blobs->defects[i], truth->kinds[k]);
	}
	for (int k = 0; k < truth->count; k++)
		tally->kind_boxes[truth->kinds[k]]++;
	tally->boxes += truth->count;
	tally->false_boxes += false_boxes;
	tally->images_with_false += false_boxes > 0;
	tally->rejected += blobs->count > 0;
	tally->pairs++;
}

static void tell(const char *name, const struct truth *truth, const struct vd_blobs *blobs)
{
	for (int k = 0; k < truth->count; k++) {
		const struct vd_rect *box = &truth->boxes[k];

		if (!truth->found[k])
			(void)printf("%s missed kind %d at %d,%d %dx%d\n", name, truth->kinds[k],
				     box->x, box->y, box->width, box->height);
	}
	for (size_t i = 0; i < blobs->count; i++) {
		const struct vd_defect *defect = &blobs->defects[i];
		bool any = false;

		for (int k = 0; k < truth->count && !any; k++)
			any = is_match(&defect->box, &truth->boxes[k]);
		if (!any)
			(void)printf("%s false %s at %d,%d %dx%d area %d peak %d score %.0f\n",
				     name, vd_polarity_name(defect->polarity), defect->box.x,
				     defect->box.y, defect->box.width, defect->box.height,
				     defect->area_px, defect->peak, defect->score);
	}
}

static uint32_t random_state = 88172645;

static double noise(void)
{
	double sum = 0;

	for (int i = 0; i < 4; i++) {
		random_state ^= random_state << 13;
		random_state ^= random_state >> 17;
		random_state ^= random_state << 5;
		sum += random_state / 4294967296.0 - 0.5;
	}
	return sum * 1.732; /* variance 1 */
}

/* A second capture of the same board: up to 3 px off, blurred by the half-pixel shift, noise 4. */
static int recapture(const struct vd_image *image, struct vd_image *out)
{
	struct vd_pose pose = vd_pose_identity();
	const double gain = 1 + 0.03 * noise();
	int r;

	pose.dx = 1.5 * noise();
	pose.dy = 1.5 * noise();
	r = vd_warp(image, &pose, (struct vd_rect){ 0, 0, image->width, image->height }, out);
	for (int y = 0; r == 0 && y < out->height; y++) {
		for (int x = 0; x < out->width; x++) {
			const double v = vd_image_row(out, y)[x] * gain + 4 * noise();

			vd_image_row(out, y)[x] = (uint8_t)lrint(fmin(fmax(v, 0), 255));
		}
	}
	return r;
}

static int compare(struct bench *bench, const struct vd_golden *golden,
		   const struct vd_image *image, struct tally *tally, struct vd_blobs *blobs)
{
	static struct vd_golden_work work;
	const struct vd_pose identity = vd_pose_identity();
	const uint64_t start = vd_clock_mono_us();
	const int r = vd_golden_compare(golden, image, &identity, &work, blobs);
	const double took = (double)(vd_clock_mono_us() - start) / 1000;

	tally->milliseconds += took;
	bench->slowest = fmax(bench->slowest, took);
	return r;
}

static int run_pair(struct bench *bench, const char *name, struct tally *tally)
{
	static struct vd_image template, test, again;
	VD_CLEANUP(vd_golden_free) struct vd_golden *golden = NULL;
	struct vd_blobs blobs = { 0 };
	struct truth truth, nothing = { 0 };

	if (read_image(bench->folder, name, "temp", &template) < 0 ||
	    read_image(bench->folder, name, "test", &test) < 0 ||
	    read_truth(bench->folder, name, &truth) < 0 ||
	    vd_golden_new(&template, (struct vd_rect){ 0, 0, template.width, template.height },
			  &bench->options, &golden) < 0)
		return -1;
	if (compare(bench, golden, &test, tally, &blobs) != 0) {
		(void)printf("%s: the board was not recognised\n", name);
		blobs = (struct vd_blobs){ 0 };
	}
	judge(tally, &truth, &blobs);
	if (bench->verbose)
		tell(name, &truth, &blobs);
	vd_blobs_fini(&blobs);
	if (recapture(&template, &again) == 0 &&
	    compare(bench, golden, &again, &bench->good, &blobs) == 0)
		judge(&bench->good, &nothing, &blobs);
	vd_blobs_fini(&blobs);
	return 0;
}

static void add(struct tally *sum, const struct tally *tally)
{
	sum->pairs += tally->pairs;
	sum->boxes += tally->boxes;
	sum->hits += tally->hits;
	sum->false_boxes += tally->false_boxes;
	sum->images_with_false += tally->images_with_false;
	sum->rejected += tally->rejected;
	sum->polarity_right += tally->polarity_right;
	sum->milliseconds += tally->milliseconds;
	for (int k = 0; k < 7; k++) {
		sum->kind_boxes[k] += tally->kind_boxes[k];
		sum->kind_hits[k] += tally->kind_hits[k];
	}
}

static void print(const char *what, const struct tally *t)
{
	const double recall = t->boxes ? (double)t->hits / t->boxes : 0;
	const int found = t->hits + t->false_boxes;
	const double precision = found ? (double)t->hits / found : 0;

	(void)printf("%-14s pairs %3d  boxes %4d  recall %.4f  precision %.4f  F1 %.4f  "
		     "false/image %.3f  images with a false box %.1f %%  NG %d  polarity %.4f  "
		     "%.2f ms a pair\n",
		     what, t->pairs, t->boxes, recall, precision,
		     recall + precision > 0 ? 2 * recall * precision / (recall + precision) : 0,
		     (double)t->false_boxes / t->pairs, 100.0 * t->images_with_false / t->pairs,
		     t->rejected, t->hits ? (double)t->polarity_right / t->hits : 0,
		     t->milliseconds / t->pairs);
}

static void print_all(const struct bench *bench)
{
	static const char *kinds[] = { "?",    "open",   "short",   "mousebite",
				       "spur", "copper", "pin-hole" };
	struct tally all = bench->tuned;

	add(&all, &bench->held);
	print("tuned half", &bench->tuned);
	print("held-out half", &bench->held);
	print("all", &all);
	for (int k = 1; k <= 6; k++)
		(void)printf("  %-10s recall %.4f of %d\n", kinds[k],
			     all.kind_boxes[k] ? (double)all.kind_hits[k] / all.kind_boxes[k] : 0,
			     all.kind_boxes[k]);
	(void)printf("boards with defects judged NG: %d of %d\n", all.rejected, all.pairs);
	(void)printf("simulated second captures of the templates judged OK: %d of %d\n",
		     bench->good.pairs - bench->good.rejected, bench->good.pairs);
	(void)printf("slowest pair %.2f ms\n", bench->slowest);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int list_pairs(const char *folder, char **names)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;
	int count = 0;

	while (dir && count < PAIRS_MOST && (entry = readdir(dir))) {
		const char *end = strstr(entry->d_name, "_temp.jpg");

		if (end)
			names[count++] = strndup(entry->d_name, (size_t)(end - entry->d_name));
	}
	if (dir)
		(void)closedir(dir);
	qsort(names, (size_t)count, sizeof *names, by_name);
	return count;
}

/* tolerance=2 threshold=60 tile=80 search=6 open=2 merge=0 area=5 window=0 verbose=1 */
static bool set_option(struct bench *bench, const char *text)
{
	struct vd_golden_options *options = &bench->options;
	int verbose = 0;
	const struct {
		const char *name;
		int *value;
	} table[] = {
		{ "tolerance=", &options->tolerance_px }, { "threshold=", &options->threshold },
		{ "window=", &options->window_px },       { "tile=", &options->tiles.tile_px },
		{ "search=", &options->tiles.search_px }, { "open=", &options->blobs.open_px },
		{ "merge=", &options->blobs.merge_px },   { "area=", &options->blobs.min_area_px },
		{ "peak=", &options->blobs.min_peak },    { "verbose=", &verbose },
	};

	for (size_t i = 0; i < VD_COUNT(table); i++) {
		const size_t n = strlen(table[i].name);

		if (strncmp(text, table[i].name, n) != 0)
			continue;
		*table[i].value = (int)strtol(text + n, NULL, 10);
		bench->verbose |= verbose != 0;
		return true;
	}
	return false;
}

int main(int argc, char **argv)
{
	static char *names[PAIRS_MOST];
	struct bench bench = { .folder = getenv("VEDETTE_DEEPPCB"),
			       .options = vd_golden_defaults() };
	int count;

	for (int i = 1; i < argc; i++) {
		if (!set_option(&bench, argv[i]))
			bench.folder = argv[i];
	}
	count = bench.folder ? list_pairs(bench.folder, names) : 0;
	if (count == 0) {
		(void)printf(
			"skipped: no DeepPCB pairs; give their folder or set VEDETTE_DEEPPCB\n");
		return 77;
	}
	for (int i = 0; i < count; i++) {
		if (run_pair(&bench, names[i], i % 2 ? &bench.held : &bench.tuned) < 0)
			return 1;
		free(names[i]);
	}
	print_all(&bench);
	return 0;
}
