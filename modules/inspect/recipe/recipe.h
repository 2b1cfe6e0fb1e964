/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/fault.h"
#include "base/json.h"
#include "modules/inspect/tools/edited.h"
#include "modules/inspect/expression/expression.h"
#include "modules/vision/caliper.h"
#include "modules/vision/code.h"
#include "modules/vision/colour.h"
#include "modules/vision/count.h"
#include "modules/vision/golden.h"
#include "modules/vision/locate.h"
#include "modules/inspect/recipe/rules.h"
#include "modules/vision/stain.h"
#include "modules/vision/texture.h"
#include "modules/vision/variation.h"

/*
 * The station's parameters as the inspection reads them. A set is parsed whole or refused whole,
 * and never changes afterwards: each item holds the set it was triggered under, so that a change
 * never reaches into an item that waits.
 */
enum { VD_NAME_BYTES = 65, VD_CAMERAS_MOST = 8, VD_STEPS_MOST = 32 };

enum vd_tool {
	VD_LOCATE,
	VD_VARIATION,
	VD_GOLDEN,
	VD_TEXTURE,
	VD_IMAGE,   /* edited.h: makes an image for other steps, and judges nothing */
	VD_CALIPER, /* from here on: gauge.h, nothing learnt */
	VD_BLOB,
	VD_PRESENCE,
	VD_STAIN,
	VD_COLOUR,
	VD_FOCUS,
	VD_CODE,
	VD_MODEL, /* infer.h */
	VD_OCR,
};

enum { VD_TOOLS = VD_OCR + 1 };

const char *vd_tool_name(enum vd_tool tool);

/* What a tool measures and limits apply to. */
enum vd_measure {
	VD_MEASURE_SCORE,
	VD_MEASURE_DEFECTS,
	VD_MEASURE_AREA,
	VD_MEASURE_DX,
	VD_MEASURE_DY,
	VD_MEASURE_ANGLE,
	VD_MEASURE_COUNT,
	VD_MEASURE_POSITION_PX,
	VD_MEASURE_WIDTH_PX,
	VD_MEASURE_PITCH_PX,
	VD_MEASURE_POSITION_MM,
	VD_MEASURE_WIDTH_MM,
	VD_MEASURE_PITCH_MM,
	VD_MEASURE_CONTRAST,
	VD_MEASURE_OBJECT_AREA,
	VD_MEASURE_MEAN,
	VD_MEASURE_SPREAD,
	VD_MEASURE_LEVEL,
	VD_MEASURE_DELTA_E,
	VD_MEASURE_LAB_L,
	VD_MEASURE_LAB_A,
	VD_MEASURE_LAB_B,
	VD_MEASURE_SHARPNESS,
	VD_MEASURE_NOISE,
	VD_MEASURE_DARK,
	VD_MEASURE_BRIGHT,
	VD_MEASURES
};

const char *vd_measure_name(enum vd_measure measure); /* as in the schema */

/* Where a golden template is found; path holds "{serial}" where the serial number goes. */
struct vd_golden_source {
	char *path; /* NULL: none, the template is learnt */
};

struct vd_caliper_step {
	bool has_line; /* else through the middle of roi */
	struct vd_line line;
	bool along_y;
	bool is_bar; /* widths and pitches of bars, not edges */
	struct vd_caliper_options options;
	double px_per_mm; /* 0: not known */
};

struct vd_texture_step {
	enum vd_texture_scope scope;
	double threshold; /* 0: the one that was learnt */
};

struct vd_code_step {
	unsigned kinds;
	int timeout_ms;
	struct vd_code_expectation *expectation;
};

/* What a step counts as that looked at nothing, though nothing failed. */
enum vd_stead {
	VD_STEAD_NO_DECISION,
	VD_STEAD_OK, /* not against the part, and not for it: rules.h */
	VD_STEAD_NG
};

/* A step that is run on the box of each object of another one. */
struct vd_each {
	bool is_set;
	int step;
	char label[VD_NAME_BYTES]; /* "": any */
	int max;
	enum vd_stead when_empty;
};

/* When a step is run: plan.h. */
struct vd_turn {
	uint32_t needs; /* steps that end before it begins, as bits: said, implied, or by a gate */
	uint32_t gates; /* those whose shutting stops it, however far before */
	struct vd_expression *condition; /* NULL: none */
	enum vd_stead when_skipped;
	struct vd_each each;
	int max_ms; /* 0: any */
};

/* VD_IMAGE */
struct vd_image_step {
	struct vd_edit *edits;
	int edit_count;
	bool is_grey; /* takes the colours */
	bool keep;    /* its image goes with the verdict */
	int quality;
};

struct vd_package;

/* VD_MODEL and VD_OCR */
struct vd_network_step {
	char *folder;                /* of the package */
	char sha256[VD_SHA256_TEXT]; /* of its model.json */
	int threads, timeout_ms;
	int quarters;          /* of a turn, clockwise, before the model sees the region */
	double confidence_min; /* instead of the package's thresholds; NaN: those */
	const cJSON *expected, *unexpected; /* labels, in the recipe's source; NULL: none */
	struct vd_package *package;         /* NULL until vd_recipe_set_equip (shelf.h) */
};

struct vd_step {
	char id[VD_NAME_BYTES];
	enum vd_tool tool;
	int camera;         /* index in the recipe's cameras */
	int input;          /* index of an image step; -1: the camera's frame */
	int align_to;       /* index of a locate step; -1: none */
	struct vd_rect roi; /* width 0: the whole frame, or image */
	struct vd_golden_source golden;
	struct vd_limits limits[VD_MEASURES];
	struct vd_locate_options locate;
	struct vd_variation_options variation;
	struct vd_golden_options band;
	struct vd_texture_step texture;
	struct vd_caliper_step caliper;
	struct vd_count_options count;
	int search_px; /* VD_PRESENCE */
	struct vd_stain_options stain;
	struct vd_lab reference;  /* VD_COLOUR */
	struct vd_code_step code; /* VD_OCR: its expectation */
	struct vd_network_step network;
	struct vd_image_step made;
	bool gate; /* NG or without a decision: the steps after it are not run */
	struct vd_turn turn;
};

/* Does the step need a model learnt from good parts? */
bool vd_step_learns(const struct vd_step *step);

/* Does it locate the part in the frame, where learnt steps look? Not in an edited image. */
bool vd_step_locates(const struct vd_step *step);

/* What limits and conditions may speak of. */
bool vd_tool_measures(enum vd_tool tool, enum vd_measure measure);

/* Does the tool find objects (object.h)? */
bool vd_tool_finds_objects(enum vd_tool tool);

/* Does the tool measure directly, with gauge.h? */
bool vd_tool_gauges(enum vd_tool tool);

/* What must not be recognised in what is stored of a camera's frames. */
enum { VD_VEIL_AREAS_MOST = 16 };

struct vd_veil_areas {
	bool is_set; /* also with a list of none: the camera's frames are encoded anew */
	struct vd_rect list[VD_VEIL_AREAS_MOST];
	int count;
};

enum { VD_IMAGES_MOST = 4 }; /* that go with a verdict: overlay, frames, images of steps */

/* How many images to keep of a verdict: 0 none, 1 all, n every nth. */
struct vd_keep {
	int every[VD_VERDICTS];
	bool overlay;
	int quality;
};

struct vd_exposure_options {
	double mean_min, mean_max, spread_min;
	bool refuse_repeated;
};

/* What learning must reach before its model may judge. */
struct vd_learning_options {
	double false_reject_rate; /* of good parts, all steps together */
	int challenge_area_px, challenge_levels;
	bool arms_by_hand;
};

struct vd_drift_options {
	double photometric;  /* share of gain or brightness; 0: not bounded */
	double alarm_sigma;  /* 0: no alarms */
	int challenge_every; /* items; 0: only after changes */
};

/* Which frames to copy aside under a label. */
struct vd_gather_order {
	char label[VD_NAME_BYTES]; /* "": none */
	int64_t until_wall_ms;
	int count;
	int64_t bytes_most;
};

/* None: every step must be OK. */
struct vd_camera_rules {
	struct vd_camera_rule *list;
	size_t count;
};

struct vd_recipe {
	char name[VD_NAME_BYTES];
	int rev;
	char cameras[VD_CAMERAS_MOST][VD_NAME_BYTES];
	int camera_count;
	int width, height; /* of every frame; 0: any */
	struct vd_step *steps;
	int step_count;
	int order[VD_STEPS_MOST]; /* of the steps: each stands after what it needs */
	int max_ms;               /* from the item's start; 0: any */
	bool stops_early;         /* NG whatever the others say: they are not run */
	struct vd_camera_rules camera_rules[VD_CAMERAS_MOST];
	struct vd_item_rule item_rule;
	bool item_is_steps; /* the item's parts are item_steps, not the cameras */
	int item_steps[VD_STEPS_MOST], item_step_count;
	int vetoes[VD_STEPS_MOST], veto_count;
	struct vd_keep keep;
	struct vd_veil_areas veils[VD_CAMERAS_MOST];
	struct vd_exposure_options exposure;
	int learning_parts;
	bool learns_by_itself;
	struct vd_learning_options learning;
	struct vd_drift_options drift;
	/* SHA-256 over all that a learnt model depends on: regions and tools, not limits. */
	char model_key[VD_SHA256_TEXT];
	cJSON *source; /* strings of the rules point into it */
};

struct vd_recipe_set {
	int references;              /* atomic */
	char station[VD_NAME_BYTES]; /* "": the instance's name */
	struct vd_recipe *recipes;
	int count, active;
	int shadow; /* a recipe that decides nothing; -1: none */
	struct vd_gather_order gather;
	int queue_max, deadline_ms;
	int workers;     /* steps of an item at once */
	int64_t version; /* of the parameters; the caller sets it */
};

/*
 * parameters: checked against the schema before. 400 in fault, with the pointer, and -EINVAL for
 * what a schema cannot say: a step that is not there, a region outside the frame, min above max …
 * -ENOMEM. The set has one reference.
 */
VD_MUST int vd_recipe_set_parse(const cJSON *parameters, struct vd_recipe_set **ret_set,
				struct vd_fault *fault);

/* Any thread. */
struct vd_recipe_set *vd_recipe_set_ref(struct vd_recipe_set *set);
struct vd_recipe_set *vd_recipe_set_unref(struct vd_recipe_set *set); /* returns NULL */
VD_DEFINE_CLEANUP(struct vd_recipe_set, vd_recipe_set_unref)

/* Letters, digits, '.', '_', '-', none hidden: fit to name a file. */
bool vd_name_is_plain(const char *name);

/* -1: none of this name. */
int vd_recipe_camera(const struct vd_recipe *recipe, const char *name);
int vd_recipe_step(const struct vd_recipe *recipe, const char *id);

/* Does a step look at the camera's colours? */
bool vd_recipe_sees_colour(const struct vd_recipe *recipe, int camera);

/* Has the recipe steps that learn? */
bool vd_recipe_learns(const struct vd_recipe *recipe);
