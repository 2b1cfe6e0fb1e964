/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "twin/hub/store/store.h"

/*
 * What the hub counts, one registry a process, and how Prometheus reads it (text format
 * 0.0.4). Counters start at 0 with the process; what the database knows is asked for when it
 * is read. The label sets are bounded: what does not fit is "other".
 */

/* The process serves since now_ms. */
void vd_metrics_start(int64_t now_ms);

/* An answered REST call; texts that live for ever. route NULL: none of ours. */
void vd_metrics_request(const char *method, const char *route, int status);

enum vd_twin_operation { VD_TWIN_GET, VD_TWIN_REPORT, VD_TWIN_NOTIFY, VD_TWIN_REFUSED };
void vd_metrics_twin(enum vd_twin_operation operation);

/* A committed turn of the ingest: messages, and how long the last one of them had waited. */
void vd_metrics_ingested(int64_t messages, int64_t lag_ms);

/* What only the hub's parts know at the moment of reading. */
struct vd_metrics_view {
	struct vd_store *store;
	int64_t now_ms;
	bool is_broker_connected;
	uint64_t spool_bytes;
	int64_t ca_end_ms;     /* 0: there is no CA */
	bool with_each_device; /* a row a device: last seen, connected */
};
VD_MUST int vd_metrics_write(const struct vd_metrics_view *view, struct vd_buf *out);
