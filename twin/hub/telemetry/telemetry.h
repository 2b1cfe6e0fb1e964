/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "twin/hub/queries/slices.h"
#include "twin/hub/store/store.h"

/*
 * Reading telemetry: pages of records, and a measurement as a curve of so many points. Both walk the
 * ids of records in windows that grow as long as each is quick, so that neither a rare value nor a
 * batch that has to be unpacked holds anybody up.
 *
 * from and to are about when something happened (tWall; when it came, if it has none). Records that
 * reach the hub more than VD_TELEMETRY_LATE_DAYS after `to`, or an hour before they happened,
 * are not found.
 */
enum {
	VD_TELEMETRY_LATE_DAYS = 7,
	VD_TELEMETRY_PAGE_MAX = 1000,
	VD_TELEMETRY_PAGE_BYTES = 8 << 20,
	VD_TELEMETRY_DEVICES_MAX = 10000, /* that `where` may select */
	VD_TELEMETRY_POINTS_MAX = 2000,
	VD_TELEMETRY_MS = 10000, /* then an answer ends where it is */
	VD_TELEMETRY_RUNS_MAX = 32,
};

/* Texts are copied. NULL: any. */
struct vd_telemetry_request {
	const char *device, *class_name, *module, *verdict, *serial;
	const char *recipe, *model; /* of verdicts; model: its SHA-256 */
	const char *where;          /* condition of vedette-query(7) on the device's twin */
	int64_t from_ms, to_ms;     /* both inside; to_ms 0: no end */
	int64_t after, before;      /* ids outside; before 0: no end */
	bool newest;                /* pages: the last ones instead of the first */
	int limit;
	const char *path; /* series: JSON pointer below the record */
	int points;
};

/*
 * {"items":[…],"continuation":id,"previous":id}: continuation is `after` of what follows, previous is
 * `before` of what precedes. Results as vd_slices_run. slices may be NULL.
 */
VD_MUST int vd_telemetry_page(struct vd_slices *slices, struct vd_store *store,
			      struct vd_call *call, const struct vd_telemetry_request *request,
			      struct vd_fault *fault);

/*
 * {"bucketMs":n,"points":[{"time","min","max","mean","count"}…],"truncated":bool}: buckets without a number are
 * left out. The request has a path, points, from_ms and to_ms.
 */
VD_MUST int vd_telemetry_series(struct vd_slices *slices, struct vd_store *store,
				struct vd_call *call, const struct vd_telemetry_request *request,
				struct vd_fault *fault);
