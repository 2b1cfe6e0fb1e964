/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "modules/inspect/line/admission.h"
#include "modules/inspect/assembly.h"
#include "modules/inspect/line/drop.h"
#include "modules/inspect/kept.h"
#include "modules/inspect/line/ledger.h"
#include "modules/inspect/line/panel.h"
#include "modules/inspect/publisher.h"
#include "modules/inspect/line/readings.h"
#include "modules/inspect/recent.h"
#include "modules/inspect/line/selftest.h"
#include "modules/inspect/line/stages.h"
#include "modules/inspect/station.h"
#include "modules/inspect/tally.h"
#include "modules/inspect/line/trigger.h"
#include "modules/inspect/worker.h"

/*
 * What the parts of a station share, all of it on the loop: station.c has its life, its frames and
 * verdicts, station_trigger.c what begins an item, station_method.c what people ask of it,
 * station_selftest.c its trials, station_report.c what it says of itself.
 */
enum { VD_STATION_PATH = 4096, VD_STATION_PEERS = 32, VD_STATION_CALLS = 64 };

/* What came last from a camera, to know a stale frame by. */
struct vd_station_peer {
	char name[VD_NAME_BYTES];
	bool has_frame, is_connected;
	uint64_t seq, t_mono_ms;
};

/* The method inspect is answered once its trigger is on the disk. */
struct vd_station_call {
	int64_t id;
	char item_id[VD_UUID_TEXT]; /* "": free */
};

struct vd_station {
	struct vd_module *module;
	cJSON *parameters; /* in force */
	struct vd_recipe_set *set;
	char digest[VD_SHA256_TEXT]; /* of the active recipe */
	struct vd_assembly *assembly;
	struct vd_worker *worker;
	struct vd_publisher *publisher;
	struct vd_frame_in *frames;
	struct vd_source *deadline, *report;
	struct vd_station_peer peers[VD_STATION_PEERS];
	int peer_count;
	struct vd_tally tally;
	struct vd_stages stages;
	struct vd_recent recent;
	bool is_refused;         /* the alarm that verdicts are refused is raised */
	cJSON *state;            /* the last that the inspector told */
	bool has_told_inventory; /* once is enough: reported state is merged */
	bool is_stopping;

	struct vd_trigger_options triggers;
	struct vd_admission admissions[VD_TRIGGER_SOURCES];
	uint64_t trigger_seq;     /* of them all: a PLC sees it change with each part */
	struct vd_ledger *ledger; /* NULL: there is no state folder */
	cJSON *found;             /* what a start found open in it; some may be closed since */
	bool is_not_durable;      /* the alarm is raised */
	struct vd_station_call calls[VD_STATION_CALLS];
	struct vd_source *tick, *recover, *watch;
	uint64_t next_tick_ms;
	struct vd_drop *drop;
	struct vd_pressure pressure;
	struct vd_panel panel;
	char panel_path[VD_STATION_PATH];
	struct vd_kept kept;
	struct vd_readings_options reading_options;
	struct vd_readings readings;
	struct vd_selftest_options test_options;
	struct vd_selftest test;
	struct vd_source *test_timer;
};

/* ---- station.c ---- */
void vd_station_arm(struct vd_source *timer, uint64_t delay_ms);
const char *vd_station_name(const struct vd_station *station);

/* Hands a complete item to the worker. Takes *item. */
void vd_station_submit(struct vd_station *station, struct vd_item **item);
/* Its verdict without a look, and why. Takes *item. */
void vd_station_refuse(struct vd_station *station, struct vd_item **item, const char *reason);
void vd_station_arm_deadline(struct vd_station *station);

/* A record beside verdicts. Takes *body. */
void vd_station_say(struct vd_station *station, const char *output, const char *record_class,
		    cJSON **body);
void vd_station_alarm(struct vd_station *station, const char *kind, bool is_raised,
		      const char *text);

/* Takes the parameters in force once more, after panel has changed. */
VD_MUST int vd_station_choose(struct vd_station *station, struct vd_fault *fault);
struct vd_recipe_set *vd_station_set(struct vd_station *station); /* in force; borrowed */
/* SHA-256 of the recipe's text. -ENOMEM. */
VD_MUST int vd_station_digest(const struct vd_station *station, int recipe,
			      char digest[static VD_SHA256_TEXT]);
size_t vd_station_in_hand(const struct vd_station *station); /* items, of queueMax */

/* ---- station_trigger.c ---- */
VD_MUST int vd_station_triggers_start(struct vd_station *station);
VD_MUST int vd_station_triggers_configure(struct vd_station *station,
					  struct vd_trigger_options *options,
					  struct vd_fault *fault); /* takes *options */
void vd_station_triggers_stop(struct vd_station *station);

/* May this frame begin an item? Counted; where the item is to be durable, it is opened. */
bool vd_station_admits(struct vd_station *station, const struct vd_arrival *arrival);

/* The verdict of an item is durable: nothing of its trigger is needed any more. */
void vd_station_settled(struct vd_station *station, const char *item_id);

void vd_station_call_inspect(struct vd_station *station, int64_t id, const cJSON *body);
void vd_station_call_reinspect(struct vd_station *station, int64_t id, const cJSON *body);

/* ---- station_selftest.c ---- */
void vd_station_test(void *station);
/* A test item's outcome; its body is taken. */
void vd_station_tested(struct vd_station *station, struct vd_outcome *outcome);
/* Takes *options. */
void vd_station_test_configure(struct vd_station *station, struct vd_selftest_options *options);

/* ---- station_method.c ---- */
void vd_station_answer(struct vd_station *station, int64_t id, int status, const char *key,
		       const char *text);
void vd_station_refuse_call(struct vd_station *station, int64_t id, const struct vd_fault *fault);
/* On behalf of the line: 0, or -EINVAL, -errno with fault. by: who says so. */
VD_MUST int vd_station_select(struct vd_station *station, const char *recipe,
			      const struct vd_panel_word *word, struct vd_fault *fault);

/* ---- station_report.c ---- */
void vd_station_changed(struct vd_station *station);
void vd_station_send_report(void *station);
