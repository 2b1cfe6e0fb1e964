/* SPDX-License-Identifier: Apache-2.0 */
#include "twin/hub/metrics.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/version.h"
#include "twin/hub/store/trust.h"

enum { ROUTES = 400, DEVICES_SHOWN = 100000 };

/* The hub has one thread; these are its own. */
static struct {
	struct {
		const char *method, *route;
		int status;
		uint64_t count;
	} requests[ROUTES];
	size_t request_count;
	uint64_t other_requests;
	uint64_t twins[VD_TWIN_REFUSED + 1];
	uint64_t messages;
	int64_t lag_ms, start_ms;
} counted;

void vd_metrics_start(int64_t now_ms)
{
	counted.start_ms = now_ms;
}

void vd_metrics_request(const char *method, const char *route, int status)
{
	size_t i = 0;

	if (!route)
		method = route = "other";
	while (i < counted.request_count && (counted.requests[i].status != status ||
					     strcmp(counted.requests[i].route, route) != 0 ||
					     strcmp(counted.requests[i].method, method) != 0))
		i++;
	if (i == ROUTES) {
		counted.other_requests++;
		return;
	}
	if (i == counted.request_count) {
		counted.requests[i].method = method;
		counted.requests[i].route = route;
		counted.requests[i].status = status;
		counted.request_count++;
	}
	counted.requests[i].count++;
}

void vd_metrics_twin(enum vd_twin_operation operation)
{
	counted.twins[operation]++;
}

void vd_metrics_ingested(int64_t messages, int64_t lag_ms)
{
	counted.messages += (uint64_t)messages;
	counted.lag_ms = lag_ms < 0 ? 0 : lag_ms;
}

/* --- the text --- */

static int family(struct vd_buf *out, const char *name, const char *type, const char *help)
{
	return vd_buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static int gauge(struct vd_buf *out, const char *name, const char *help, double value)
{
	int r = family(out, name, "gauge", help);

	return r == 0 ? vd_buf_printf(out, "%s %.17g\n", name, value) : r;
}

static int counter(struct vd_buf *out, const char *name, const char *help, uint64_t value)
{
	int r = family(out, name, "counter", help);

	return r == 0 ? vd_buf_printf(out, "%s %" PRIu64 "\n", name, value) : r;
}

/* A label's value: '\', '"' and line feeds are escaped. */
static int add_label(struct vd_buf *out, const char *name, const char *value)
{
	int r = vd_buf_printf(out, "%s=\"", name);

	for (; r == 0 && *value; value++) {
		if (*value == '\\' || *value == '"')
			r = vd_buf_printf(out, "\\%c", *value);
		else if (*value == '\n')
			r = vd_buf_printf(out, "\\n");
		else
			r = vd_buf_append(out, value, 1);
	}
	return r == 0 ? vd_buf_printf(out, "\"") : r;
}

static int write_process(const struct vd_metrics_view *view, struct vd_buf *out)
{
	int r = family(out, "vedette_hub_build_info", "gauge", "Version of the hub.");

	if (r == 0)
		r = vd_buf_printf(out, "vedette_hub_build_info{version=\"%s\"} 1\n", VD_VERSION);
	if (r == 0)
		r = gauge(out, "vedette_hub_start_time_seconds", "When the process started.",
			  (double)counted.start_ms / 1000);
	return r == 0 ? gauge(out, "vedette_hub_broker_connected", "1: the broker is there.",
			      view->is_broker_connected)
		      : r;
}

static int write_requests(struct vd_buf *out)
{
	int r = family(out, "vedette_hub_requests_total", "counter",
		       "Answered REST calls by route and status.");

	for (size_t i = 0; r == 0 && i < counted.request_count; i++)
		r = vd_buf_printf(out,
				  "vedette_hub_requests_total{method=\"%s\",route=\"/%s\","
				  "code=\"%d\"} %" PRIu64 "\n",
				  counted.requests[i].method, counted.requests[i].route,
				  counted.requests[i].status, counted.requests[i].count);
	if (r == 0 && counted.other_requests)
		r = vd_buf_printf(out,
				  "vedette_hub_requests_total{method=\"other\",route=\"/other\","
				  "code=\"other\"} %" PRIu64 "\n",
				  counted.other_requests);
	return r;
}

static int write_twins(struct vd_buf *out)
{
	static const char *const names[] = { "get", "report", "notify", "refused" };
	int r = family(out, "vedette_hub_twin_operations_total", "counter",
		       "What devices asked of their twins, and changes they were told.");

	for (size_t i = 0; r == 0 && i < VD_COUNT(names); i++)
		r = vd_buf_printf(
			out, "vedette_hub_twin_operations_total{operation=\"%s\"} %" PRIu64 "\n",
			names[i], counted.twins[i]);
	return r;
}

static int write_count(const char *class_name, const char *verdict, int64_t count, void *argument)
{
	struct vd_buf *out = argument;
	int r = vd_buf_printf(out, "vedette_hub_records_total{");

	if (r == 0)
		r = add_label(out, "class", class_name);
	if (r == 0)
		r = vd_buf_printf(out, ",");
	if (r == 0)
		r = add_label(out, "verdict", verdict ? verdict : "");
	return r == 0 ? vd_buf_printf(out, "} %" PRId64 "\n", count) : r;
}

static int write_telemetry(const struct vd_metrics_view *view, struct vd_buf *out)
{
	int64_t letters = 0;
	int r = counter(out, "vedette_hub_ingest_messages_total",
			"Messages taken from the spool by this process.", counted.messages);

	if (r == 0)
		r = gauge(
			out, "vedette_hub_ingest_lag_seconds",
			"From the broker's receipt to the database, of the newest message; 0 when "
			"none waits.",
			view->spool_bytes ? (double)counted.lag_ms / 1000 : 0);
	if (r == 0)
		r = gauge(out, "vedette_hub_spool_bytes", "Telemetry that waits in the spool.",
			  (double)view->spool_bytes);
	if (r == 0)
		r = family(out, "vedette_hub_records_total", "counter",
			   "Records ever taken, expired ones too.");
	if (r == 0)
		r = vd_store_record_counts(view->store, NULL, write_count, out);
	if (r == 0)
		r = vd_store_dead_letter_count(view->store, &letters);
	return r == 0 ? gauge(out, "vedette_hub_dead_letters",
			      "Messages kept because they could not be read.", (double)letters)
		      : r;
}

static int write_fleet(const struct vd_metrics_view *view, struct vd_buf *out)
{
	struct vd_device_counts counts;
	int r = vd_store_device_counts(view->store, &counts);

	if (r == 0)
		r = family(out, "vedette_hub_devices", "gauge", "Devices, by status.");
	if (r == 0)
		r = vd_buf_printf(out,
				  "vedette_hub_devices{status=\"enabled\"} %" PRId64 "\n"
				  "vedette_hub_devices{status=\"disabled\"} %" PRId64 "\n",
				  counts.enabled, counts.disabled);
	return r == 0 ? gauge(out, "vedette_hub_devices_connected", "Devices that are connected.",
			      (double)counts.connected)
		      : r;
}

static int write_database(const struct vd_metrics_view *view, struct vd_buf *out)
{
	int64_t bytes = 0, free_bytes = 0, waiting = 0, entries = 0;
	int r = vd_store_size(view->store, &bytes, &free_bytes);

	if (r == 0)
		r = vd_store_messages_waiting(view->store, &waiting);
	if (r == 0)
		r = vd_store_audit_count(view->store, &entries);
	if (r == 0)
		r = gauge(out, "vedette_hub_database_bytes", "Size of the database.",
			  (double)bytes);
	if (r == 0)
		r = gauge(out, "vedette_hub_database_free_bytes",
			  "Of that, pages that nothing is on.", (double)free_bytes);
	if (r == 0)
		r = gauge(out, "vedette_hub_c2d_messages_waiting",
			  "Cloud-to-device messages that wait for their device.", (double)waiting);
	return r == 0 ? counter(out, "vedette_hub_audit_events_total", "Entries of the audit log.",
				(uint64_t)entries)
		      : r;
}

static int write_quota(const struct vd_metrics_view *view, struct vd_buf *out)
{
	static const int levels[] = { 80, 100 };
	int64_t count = 0;
	int r = family(out, "vedette_hub_quota_devices", "gauge",
		       "Devices that have sent so many per cent of their daily quota today.");

	for (size_t i = 0; r == 0 && i < VD_COUNT(levels); i++) {
		r = vd_store_usage_alarmed(view->store, view->now_ms / 86400000, levels[i], &count);
		if (r == 0)
			r = vd_buf_printf(out,
					  "vedette_hub_quota_devices{percent=\"%d\"} %" PRId64 "\n",
					  levels[i], count);
	}
	return r;
}

static int write_certificates(const struct vd_metrics_view *view, struct vd_buf *out)
{
	int64_t valid = 0, revoked = 0, end_ms = 0;
	int r = vd_store_certificate_counts(view->store, view->now_ms, &valid, &revoked, &end_ms);

	if (r == 0)
		r = family(out, "vedette_hub_certificates", "gauge",
			   "Certificates that the hub issued, by status.");
	if (r == 0)
		r = vd_buf_printf(out,
				  "vedette_hub_certificates{status=\"valid\"} %" PRId64 "\n"
				  "vedette_hub_certificates{status=\"revoked\"} %" PRId64 "\n",
				  valid, revoked);
	if (r == 0 && (end_ms || view->ca_end_ms))
		r = family(out, "vedette_hub_certificate_expiry_timestamp_seconds", "gauge",
			   "Ends of the CA and of the device certificate that ends first.");
	if (r == 0 && view->ca_end_ms)
		r = vd_buf_printf(out,
				  "vedette_hub_certificate_expiry_timestamp_seconds{"
				  "certificate=\"ca\"} %" PRId64 "\n",
				  view->ca_end_ms / 1000);
	if (r == 0 && end_ms)
		r = vd_buf_printf(out,
				  "vedette_hub_certificate_expiry_timestamp_seconds{"
				  "certificate=\"device\"} %" PRId64 "\n",
				  end_ms / 1000);
	return r;
}

/* --- a row a device --- */

struct each {
	struct vd_buf *out;
	const char *name;
	bool is_time;
};

static int write_device(const struct vd_device *device, void *argument)
{
	const struct each *each = argument;
	int r = vd_buf_printf(each->out, "%s{", each->name);

	if (r == 0)
		r = add_label(each->out, "device", device->name.device);
	if (r == 0 && each->is_time)
		return vd_buf_printf(each->out, "} %.17g\n",
				     (double)device->last_activity_ms / 1000);
	return r == 0 ? vd_buf_printf(each->out, "} %d\n", device->connected) : r;
}

static int write_each_device(const struct vd_metrics_view *view, struct vd_buf *out)
{
	struct each seen = { out, "vedette_device_last_seen_timestamp_seconds", true };
	struct each connected = { out, "vedette_device_connected", false };
	int r = family(out, seen.name, "gauge", "When the device was last heard of; 0 never.");

	if (r == 0)
		r = vd_store_devices(view->store, DEVICES_SHOWN, write_device, &seen);
	if (r == 0)
		r = family(out, connected.name, "gauge", "1: the device is connected.");
	return r == 0 ? vd_store_devices(view->store, DEVICES_SHOWN, write_device, &connected) : r;
}

int vd_metrics_write(const struct vd_metrics_view *view, struct vd_buf *out)
{
	int r = write_process(view, out);

	if (r == 0)
		r = write_requests(out);
	if (r == 0)
		r = write_twins(out);
	if (r == 0)
		r = write_telemetry(view, out);
	if (r == 0)
		r = write_fleet(view, out);
	if (r == 0)
		r = write_database(view, out);
	if (r == 0)
		r = write_quota(view, out);
	if (r == 0)
		r = write_certificates(view, out);
	return r == 0 && view->with_each_device ? write_each_device(view, out) : r;
}
