/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/json.h"

/*
 * A picture of a known part, inspected now and then through the whole path: does the station still
 * say what it should? When, and what is remembered of it. Pure.
 */
struct vd_selftest_options {
	uint64_t every_ms; /* 0: never */
	cJSON *frames;     /* paths by camera */
	char expected[16]; /* verdict */
};

/* parameters: checked. -ENOMEM. */
VD_MUST int vd_selftest_options_parse(const cJSON *parameters,
				      struct vd_selftest_options *ret_options);
void vd_selftest_options_fini(struct vd_selftest_options *options);
VD_UNUSED static inline void vd_selftest_options_fini_p(struct vd_selftest_options *options)
{
	vd_selftest_options_fini(options);
}

struct vd_selftest {
	uint64_t due_ms;         /* when the next one is; 0: at once */
	bool is_running;         /* its item is in hand */
	bool is_failing;         /* the last one differed */
	uint64_t passed, failed; /* counts */
	char last[16];           /* verdict; "": there was none yet */
};

/* Now? Then it is running, and the next one is set. Starts as { 0 }. */
bool vd_selftest_start(struct vd_selftest *test, const struct vd_selftest_options *options,
		       uint64_t now_ms);

/* true: is_failing has changed. */
bool vd_selftest_end(struct vd_selftest *test, const struct vd_selftest_options *options,
		     const char *verdict);

/* "selfTest": {passed, failed, last, expected}, or null. false: no memory. */
bool vd_selftest_add(const struct vd_selftest *test, const struct vd_selftest_options *options,
		     cJSON *json);
