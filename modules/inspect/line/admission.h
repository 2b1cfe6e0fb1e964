/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/json.h"

/*
 * Whether a trigger is one: a contact that bounces and a source that runs wild are held off before
 * they cost anything. One of these for each source of a station. Pure: time is an argument.
 */
enum vd_trigger_source {
	VD_BY_CALL,    /* the method inspect, from the cloud or the local socket */
	VD_BY_MESSAGE, /* a route into the input trigger */
	VD_BY_TIMER,
	VD_BY_FILE,      /* dropped into a folder */
	VD_BY_CAMERA,    /* a frame that nobody asked for */
	VD_BY_REINSPECT, /* an item once more */
};

enum { VD_TRIGGER_SOURCES = VD_BY_REINSPECT + 1 };

const char *vd_trigger_source_name(enum vd_trigger_source source); /* as in the record */

struct vd_admission_limits {
	uint64_t min_interval_ms; /* since the last one that was admitted; 0: none */
	double per_second;        /* in the long run, with one second's worth at once; 0: any */
};

struct vd_admission {
	uint64_t admitted, bounced, over_rate; /* counts */
	uint64_t last_ms;                      /* of the last admitted one */
	double tokens;
	uint64_t tokens_ms;
};

enum vd_admission_outcome { VD_ADMITTED = 0, VD_BOUNCED, VD_OVER_RATE };

/* now_ms: monotonic. The admission starts as { 0 }. Limits may change at any time. */
enum vd_admission_outcome vd_admission_try(struct vd_admission *admission,
					   const struct vd_admission_limits *limits,
					   uint64_t now_ms);

/* The same, but nothing is counted: for a source that can wait. */
enum vd_admission_outcome vd_admission_would(const struct vd_admission *admission,
					     const struct vd_admission_limits *limits,
					     uint64_t now_ms);

/* Adds {"admitted", "bounced", "overRate"} under the source's name. false: no memory. */
bool vd_admission_add(const struct vd_admission *admission, enum vd_trigger_source source,
		      cJSON *json);

/*
 * Is the line faster than the inspection? So many of its places taken for so long raise the alarm,
 * half of that share for as long clears it.
 */
struct vd_pressure {
	bool is_raised, is_beyond; /* beyond: past the bound that would change is_raised */
	uint64_t beyond_ms;        /* since when */
};

struct vd_pressure_limits {
	double share; /* of the places; 0: never */
	uint64_t for_ms;
};

/* true: is_raised has changed. The pressure starts as { 0 }. */
bool vd_pressure_put(struct vd_pressure *pressure, const struct vd_pressure_limits *limits,
		     double share, uint64_t now_ms);
