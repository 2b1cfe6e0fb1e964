/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The station as it comes: a recipe that names regions and nothing else, learnt by itself from good
 * captures, judged by the inspector that runs on the line. Captures and defects are simulated
 * (simulate.h), the photographs are real. README.md says how to read what is printed.
 *
 *	station escapes|drift|grr|pod PHOTOGRAPH.jpg …
 */
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "figures.h"
#include "modules/image/jpeg.h"
#include "modules/inspect/inspector.h"
#include "simulate.h"

enum { LEARNT = 30, MARGIN = 16, FILE_MOST = 64 << 20, TEXT = 4096 };

struct station {
	const char *name;
	struct vd_image photograph, part; /* as it is, and with a defect */
	struct vd_rect where;
	struct vd_inspector *inspector;
	struct vd_recipe_set *set;
	struct sim_random random;
	struct sim_capture habit; /* how this station sees all its parts */
	int alarms;               /* raised so far */
	char excuse[160];         /* of the last part without a decision */
};

static void station_fini(struct station *station)
{
	(void)vd_inspector_free(station->inspector);
	(void)vd_recipe_set_unref(station->set);
	vd_image_fini(&station->photograph);
	vd_image_fini(&station->part);
}

static void station_fini_p(struct station *station)
{
	station_fini(station);
}

/* ---- setting up ---- */

static int read_photograph(const char *path, struct station *station)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf bytes = { 0 };
	const char *name = strrchr(path, '/');
	struct vd_fault fault = { 0 };

	station->name = name ? name + 1 : path;
	if (vd_file_read(path, FILE_MOST, &bytes, &fault) == 0 &&
	    vd_jpeg_decode_grey(bytes.data, bytes.len, NULL, &station->photograph, NULL, &fault) ==
		    0)
		return 0;
	(void)fprintf(stderr, "%s: %s\n", path, fault.text);
	return -EIO;
}

static int parse_recipe(struct station *station)
{
	const int width = station->photograph.width, height = station->photograph.height;
	VD_CLEANUP(vd_json_free) cJSON *parameters = NULL;
	struct vd_fault fault = { 0 };
	char text[TEXT];

	station->where =
		(struct vd_rect){ MARGIN, MARGIN, width - 2 * MARGIN, height - 2 * MARGIN };
	(void)snprintf(
		text, sizeof text,
		"{\"active\":\"part\",\"recipes\":{\"part\":{\"rev\":1,\"cameras\":[\"top\"],"
		"\"steps\":{\"pos\":{\"camera\":\"top\",\"tool\":\"locate\",\"angleDeg\":1,"
		"\"roi\":[%d,%d,%d,%d]},\"print\":{\"camera\":\"top\",\"tool\":\"variation\","
		"\"alignTo\":\"pos\",\"roi\":[%d,%d,%d,%d]}}}}}",
		width / 4, height / 4, width / 2, height / 2, MARGIN, MARGIN, width - 2 * MARGIN,
		height - 2 * MARGIN);
	if (vd_json_parse(text, strlen(text), &parameters, &fault) == 0 &&
	    vd_recipe_set_parse(parameters, &station->set, &fault) == 0)
		return 0;
	(void)fprintf(stderr, "%s: %s\n", fault.pointer, fault.text);
	return -EINVAL;
}

static int set_up(const char *path, struct station *station)
{
	const struct vd_inspector_options options = { .station = "accuracy",
						      .model_folder = "",
						      .now_us = vd_clock_mono_us };
	int r = read_photograph(path, station);

	if (r == 0)
		r = parse_recipe(station);
	return r < 0 ? r : vd_inspector_new(&options, &station->inspector);
}

/* ---- one part ---- */

static int count_alarms(const cJSON *notices)
{
	const cJSON *notice;
	int count = 0;

	cJSON_ArrayForEach(notice, notices)
	{
		const cJSON *body = vd_json_object(notice, "body");

		count += strcmp(vd_json_string(body, "state", ""), "raised") == 0;
	}
	return count;
}

static void note_excuse(struct station *station, const cJSON *body)
{
	const cJSON *reason = cJSON_GetArrayItem(vd_json_array(body, "reasons"), 0);

	(void)snprintf(station->excuse, sizeof station->excuse, "%s",
		       cJSON_IsString(reason) ? reason->valuestring : "");
}

/* What the station says of a capture of station->part. */
static enum vd_verdict inspect(struct station *station, const struct sim_capture *capture)
{
	static struct vd_image image;
	VD_CLEANUP(vd_item_free) struct vd_item *item = NULL;
	struct vd_outcome outcome = { 0 };
	enum vd_verdict verdict;

	if (vd_item_new(station->set, vd_clock_mono_us(), &item) < 0 ||
	    sim_take(&station->part, capture, &station->random, &image, &item->shots[0].bytes) < 0)
		abort();
	item->shots[0].state = VD_SHOT_TAKEN;
	item->shots[0].is_jpeg = true;
	vd_inspector_run(station->inspector, item, &outcome);
	verdict = outcome.verdict;
	station->alarms += count_alarms(outcome.notices);
	if (verdict == VD_NO_DECISION)
		note_excuse(station, outcome.body);
	vd_outcome_fini(&outcome);
	return verdict;
}

static void restore(struct station *station)
{
	const struct vd_image *from = &station->photograph;

	if (vd_image_shape(&station->part, from->width, from->height, VD_GREY) < 0)
		abort();
	for (int y = 0; y < from->height; y++)
		memcpy(vd_image_row(&station->part, y), vd_image_row(from, y), (size_t)from->width);
}

static struct sim_capture capture_of(struct station *station)
{
	struct sim_capture capture = sim_draw(&station->random);

	capture.dx += station->habit.dx;
	capture.dy += station->habit.dy;
	capture.angle_deg += station->habit.angle_deg;
	capture.gain *= 1 + station->habit.gain;
	capture.offset += station->habit.offset;
	capture.slope_x += station->habit.slope_x;
	return capture;
}

static enum vd_verdict inspect_good(struct station *station)
{
	const struct sim_capture capture = capture_of(station);

	restore(station);
	return inspect(station, &capture);
}

static enum vd_verdict inspect_bad(struct station *station, enum sim_kind kind, double contrast)
{
	const struct sim_capture capture = capture_of(station);

	restore(station);
	sim_draw_defect(&station->part, station->where, kind, contrast, &station->random);
	return inspect(station, &capture);
}

/* Learns from LEARNT good parts; says what learning itself promises. */
static int teach(struct station *station)
{
	VD_CLEANUP(vd_json_free) cJSON *state = NULL;
	const cJSON *model, *report;
	uint64_t last_us = 0;

	for (int i = 0; i < LEARNT; i++) {
		last_us = vd_clock_mono_us();
		(void)inspect_good(station);
	}
	last_us = vd_clock_mono_us() - last_us;
	state = vd_inspector_state(station->inspector, station->set);
	model = vd_json_object(state, "model");
	report = vd_json_object(model, "report");
	(void)printf("%-20s %s within %.1f s, scale %.2f, %s\n", station->name,
		     vd_json_string(model, "state", "?"), (double)last_us / 1e6,
		     vd_json_number(vd_json_object(vd_json_object(report, "steps"), "print"),
				    "scale", NAN),
		     vd_json_string(report, "text", "no report"));
	return strcmp(vd_json_string(model, "state", ""), "armed") == 0 ? 0 : -EAGAIN;
}

static int begin(const char *path, uint64_t seed, struct station *station)
{
	int r;

	station->random.state = seed;
	r = set_up(path, station);
	return r < 0 ? r : teach(station);
}

/* ---- escapes and false rejects ---- */

enum { GOOD = 200, BAD = 150, CONTRASTS = 3 };

static const double CONTRAST[CONTRASTS] = { 10, 20, 40 };

struct escapes {
	int goods, rejected, undecided;
	int bads[CONTRASTS][SIM_KINDS], escaped[CONTRASTS][SIM_KINDS];
};

static int sum(const int counts[static SIM_KINDS])
{
	int all = 0;

	for (int i = 0; i < SIM_KINDS; i++)
		all += counts[i];
	return all;
}

static void print_share(const char *what, int hits, int n)
{
	const struct interval i = wilson(hits, n);

	(void)printf("%s %5.2f %% (%.2f - %.2f)", what, 100.0 * hits / n, 100 * i.low,
		     100 * i.high);
}

static void print_escapes(const char *name, const struct escapes *escapes)
{
	(void)printf("%-20s ", name);
	print_share("false rejects", escapes->rejected, escapes->goods);
	(void)printf(", undecided %d;", escapes->undecided);
	for (int c = 0; c < CONTRASTS; c++) {
		(void)printf(" contrast %.0f", CONTRAST[c]);
		print_share(" escapes", sum(escapes->escaped[c]), sum(escapes->bads[c]));
	}
	(void)printf("\n");
}

static void print_kinds(const struct escapes *escapes)
{
	for (int c = 0; c < CONTRASTS; c++) {
		(void)printf("    contrast %2.0f, escapes by category:", CONTRAST[c]);
		for (int kind = 0; kind < SIM_KINDS; kind++)
			(void)printf("  %s %.1f %%", sim_kind_name((enum sim_kind)kind),
				     100.0 * escapes->escaped[c][kind] / escapes->bads[c][kind]);
		(void)printf("\n");
	}
}

static void add(struct escapes *all, const struct escapes *one)
{
	all->goods += one->goods;
	all->rejected += one->rejected;
	all->undecided += one->undecided;
	for (int c = 0; c < CONTRASTS; c++) {
		for (int kind = 0; kind < SIM_KINDS; kind++) {
			all->bads[c][kind] += one->bads[c][kind];
			all->escaped[c][kind] += one->escaped[c][kind];
		}
	}
}

static int study_escapes(const char *path)
{
	static struct escapes all;
	VD_CLEANUP(station_fini) struct station station = { 0 };
	struct escapes one = { .goods = GOOD };
	int r;

	if (!path) {
		if (all.goods > 0) {
			print_escapes("all", &all);
			print_kinds(&all);
		}
		return 0;
	}
	r = begin(path, 1, &station);
	for (int i = 0; r == 0 && i < GOOD; i++) {
		const enum vd_verdict verdict = inspect_good(&station);

		one.rejected += verdict != VD_OK;
		one.undecided += verdict == VD_NO_DECISION;
	}
	for (int i = 0; r == 0 && i < CONTRASTS * BAD; i++) {
		const enum sim_kind kind = (enum sim_kind)(i % SIM_KINDS);
		const int c = i / BAD;

		one.bads[c][kind]++;
		one.escaped[c][kind] += inspect_bad(&station, kind, CONTRAST[c]) == VD_OK;
	}
	if (r == 0) {
		print_escapes(station.name, &one);
		add(&all, &one);
	}
	return r;
}

/* ---- drift ---- */

enum { SERIES = 60, SETTLED = 40 };

enum drift { LAMP, DEFOCUS, BUMP };

static const char *const DRIFTS[] = { "lamp %", "defocus px", "bump px" };

/* The lamp's gain is the whole gain here: parts do not bring one of their own. */
static struct sim_capture drifted(struct station *station, enum drift drift, double amount)
{
	struct sim_capture capture = sim_draw(&station->random);

	if (drift == LAMP)
		capture.gain = 1 + amount / 100;
	else if (drift == DEFOCUS)
		capture.blur_px = amount;
	else
		capture.dx += amount;
	return capture;
}

struct series {
	int goods, rejected, undecided, bads, escaped, unalarmed;
};

/* Every second part has a defect that is found without drift. */
static void put_drifted(struct station *station, enum drift drift, double amount, bool is_bad,
			struct series *series)
{
	const struct sim_capture capture = drifted(station, drift, amount);
	enum vd_verdict verdict;

	restore(station);
	if (is_bad)
		sim_draw_defect(&station->part, station->where, SIM_BLOB, 40, &station->random);
	verdict = inspect(station, &capture);
	series->goods += !is_bad;
	series->bads += is_bad;
	series->undecided += verdict == VD_NO_DECISION;
	series->rejected += !is_bad && verdict != VD_OK;
	series->escaped += is_bad && verdict == VD_OK;
	series->unalarmed += is_bad && verdict == VD_OK && station->alarms == 0;
}

static void print_series(const struct station *station, const char *what, double amount,
			 const struct series *series)
{
	(void)printf("%-20s %-10s %+6.1f ", station->name, what, amount);
	print_share("good rejected", series->rejected, series->goods);
	(void)printf(", without a decision %d of %d, escaped %d of %d, without an alarm %d, "
		     "alarms %d %s\n",
		     series->undecided, series->goods + series->bads, series->escaped, series->bads,
		     series->unalarmed, station->alarms,
		     series->undecided > 0 ? station->excuse : "");
}

/* Its own station each: charts and alarms begin anew. */
static int drift_by(const char *path, enum drift drift, double amount)
{
	VD_CLEANUP(station_fini) struct station station = { 0 };
	struct series series = { 0 };
	int r = begin(path, 3, &station);

	for (int i = 0; r == 0 && i < SETTLED; i++)
		(void)inspect_good(&station);
	for (int i = 0; r == 0 && i < 2 * SERIES; i++)
		put_drifted(&station, drift, amount, i % 2 == 1, &series);
	if (r == 0)
		print_series(&station, DRIFTS[drift], amount, &series);
	return r;
}

/* A lamp that loses 30 % over 300 parts. */
static int decay(const char *path)
{
	enum { PARTS = 300, STRETCH = 60 };
	VD_CLEANUP(station_fini) struct station station = { 0 };
	struct series series = { 0 };
	int r = begin(path, 5, &station), alarm_at = -1;

	for (int i = 0; r == 0 && i < PARTS; i++) {
		put_drifted(&station, LAMP, -30.0 * i / PARTS, i % 4 == 3, &series);
		if (alarm_at < 0 && station.alarms > 0)
			alarm_at = i;
		if (i % STRETCH != STRETCH - 1)
			continue;
		print_series(&station, "decay to %", -30.0 * i / PARTS, &series);
		series = (struct series){ 0 };
	}
	if (r == 0)
		(void)printf("%-20s the first alarm came at %.1f %%\n", station.name,
			     alarm_at < 0 ? NAN : -30.0 * alarm_at / PARTS);
	return r;
}

static int study_drift(const char *path)
{
	int r = 0;

	for (int gain = -30; path && r == 0 && gain <= 30; gain += 5)
		r = drift_by(path, LAMP, gain);
	if (path && r == 0)
		r = decay(path);
	for (int tenths = 5; path && r == 0 && tenths <= 20; tenths += 5)
		r = drift_by(path, DEFOCUS, tenths / 10.0);
	return path && r == 0 ? drift_by(path, BUMP, 12) : r;
}

/* ---- attribute gauge R&R ---- */

enum { PARTS = 50, GOODS = 20, CLEARLY_BAD = 20, STATIONS = 3, TRIALS = 3 };

/* Parts 0 .. 19 are good, 20 .. 39 bad, the rest marginal: defects near what can be seen. */
static void become(struct station *station, int part)
{
	struct sim_random random = { 1000U + (uint64_t)part };

	restore(station);
	if (part >= GOODS + CLEARLY_BAD)
		sim_draw_defect(&station->part, station->where, (enum sim_kind)(part % SIM_KINDS),
				10 + 2.0 * (part % 5), &random);
	else if (part >= GOODS)
		sim_draw_defect(&station->part, station->where, (enum sim_kind)(part % SIM_KINDS),
				40, &random);
}

struct grr {
	bool is_rejected[STATIONS][PARTS][TRIALS];
	bool truth[PARTS];
};

static int run_station(const char *path, int index, struct grr *grr)
{
	VD_CLEANUP(station_fini) struct station station = { 0 };
	struct sim_random lot = { 9000U + (uint64_t)index };
	int r;

	station.habit = (struct sim_capture){ .dx = sim_uniform(&lot, -4, 4),
					      .dy = sim_uniform(&lot, -4, 4),
					      .angle_deg = sim_uniform(&lot, -0.3, 0.3),
					      .gain = sim_uniform(&lot, -0.08, 0.08),
					      .offset = sim_uniform(&lot, -4, 4),
					      .slope_x = sim_uniform(&lot, -0.04, 0.04) };
	r = begin(path, 7000U + (uint64_t)index, &station);
	for (int trial = 0; r == 0 && trial < TRIALS; trial++) {
		for (int part = 0; part < PARTS; part++) {
			const struct sim_capture capture = capture_of(&station);

			become(&station, part);
			grr->is_rejected[index][part][trial] = inspect(&station, &capture) != VD_OK;
		}
	}
	return r;
}

/* Cohen's, of a station's decisions and the truth. */
static double kappa(const struct grr *grr, int station)
{
	double both = 0, rejected = 0, bad = 0, agreed, by_chance;
	const double n = PARTS * TRIALS;

	for (int part = 0; part < PARTS; part++) {
		for (int trial = 0; trial < TRIALS; trial++) {
			both += grr->is_rejected[station][part][trial] == grr->truth[part];
			rejected += grr->is_rejected[station][part][trial];
			bad += grr->truth[part];
		}
	}
	agreed = both / n;
	by_chance = (rejected * bad + (n - rejected) * (n - bad)) / (n * n);
	return (agreed - by_chance) / (1 - by_chance);
}

static void print_station(const struct grr *grr, int station)
{
	int effective = 0, missed = 0, bads = 0, alarmed = 0, goods = 0, consistent = 0;

	for (int part = 0; part < PARTS; part++) {
		int wrong = 0;

		for (int trial = 0; trial < TRIALS; trial++)
			wrong += grr->is_rejected[station][part][trial] != grr->truth[part];
		effective += wrong == 0;
		consistent += wrong == 0 || wrong == TRIALS;
		bads += grr->truth[part] ? TRIALS : 0;
		goods += grr->truth[part] ? 0 : TRIALS;
		missed += grr->truth[part] ? wrong : 0;
		alarmed += grr->truth[part] ? 0 : wrong;
	}
	(void)printf("station %d: kappa %.3f (target 0.9), effectiveness %.1f %% (95), same thrice "
		     "%.1f %%, ",
		     station + 1, kappa(grr, station), 100.0 * effective / PARTS,
		     100.0 * consistent / PARTS);
	print_share("miss", missed, bads);
	print_share(" (2), false alarm", alarmed, goods);
	(void)printf(" (5)\n");
}

/* A marginal part is bad where most of the nine looks say so: nobody knows better. */
static void settle_truth(struct grr *grr)
{
	int rejected = 0;

	for (int part = 0; part < PARTS; part++) {
		int votes = 0;

		for (int i = 0; i < STATIONS * TRIALS; i++)
			votes += grr->is_rejected[i / TRIALS][part][i % TRIALS];
		grr->truth[part] = part < GOODS                 ? false
				   : part < GOODS + CLEARLY_BAD ? true
								: 2 * votes > STATIONS * TRIALS;
		rejected += part >= GOODS + CLEARLY_BAD && grr->truth[part];
	}
	(void)printf("of %d marginal parts %d are bad by majority\n", PARTS - GOODS - CLEARLY_BAD,
		     rejected);
}

static int study_grr(const char *path)
{
	static struct grr grr;
	int r = 0;

	for (int i = 0; path && r == 0 && i < STATIONS; i++)
		r = run_station(path, i, &grr);
	if (!path || r < 0)
		return r;
	settle_truth(&grr);
	for (int i = 0; i < STATIONS; i++)
		print_station(&grr, i);
	return 0;
}

/* ---- probability of detection ---- */

enum { SHOWN = 50 };

static const double DIAMETERS[] = { 2, 3, 4, 5, 6, 8, 12 };
static const double LEVELS[] = { 8, 10, 15, 20, 30, 40 };

static int count_found(struct station *station, double diameter, double contrast)
{
	int found = 0;

	for (int i = 0; i < SHOWN; i++) {
		const struct sim_capture capture = capture_of(station);
		double x, y, signed_contrast;

		restore(station);
		signed_contrast = sim_find_place(&station->part, station->where, contrast,
						 &station->random, &x, &y);
		sim_draw_disc(&station->part, x, y, diameter, signed_contrast);
		found += inspect(station, &capture) != VD_OK;
	}
	return found;
}

/* a90: the least diameter from which on 9 in 10 are found. */
static void print_curve(struct station *station, double contrast)
{
	double a90 = INFINITY;

	(void)printf("%-20s contrast %2.0f, found by diameter:", station->name, contrast);
	for (size_t i = 0; i < VD_COUNT(DIAMETERS); i++) {
		const int found = count_found(station, DIAMETERS[i], contrast);

		(void)printf("  %.0f px %3.0f %%", DIAMETERS[i], 100.0 * found / SHOWN);
		if (found * 10 < SHOWN * 9)
			a90 = INFINITY;
		else if (isinf(a90))
			a90 = DIAMETERS[i];
	}
	if (isfinite(a90))
		(void)printf("  a90 %.0f px\n", a90);
	else
		(void)printf("  a90 none\n");
}

static int study_pod(const char *path)
{
	VD_CLEANUP(station_fini) struct station station = { 0 };
	int r = path ? begin(path, 11, &station) : -ENOENT;

	for (size_t i = 0; r == 0 && i < VD_COUNT(LEVELS); i++)
		print_curve(&station, LEVELS[i]);
	return path ? r : 0;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(const char *path); /* once a photograph, and with NULL at the end */
	} studies[] = { { "escapes", study_escapes },
			{ "drift", study_drift },
			{ "grr", study_grr },
			{ "pod", study_pod } };
	int r = 0;

	vd_log_set_level(VD_WARN);
	for (size_t i = 0; argc > 1 && i < VD_COUNT(studies); i++) {
		if (strcmp(argv[1], studies[i].name) != 0)
			continue;
		for (int n = 2; n < argc; n++)
			r |= studies[i].run(argv[n]) < 0;
		return r | (studies[i].run(NULL) < 0);
	}
	(void)fprintf(stderr, "usage: station escapes|drift|grr|pod PHOTOGRAPH.jpg ...\n");
	return 2;
}
