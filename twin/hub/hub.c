/* SPDX-License-Identifier: Apache-2.0 */
#include "twin/hub/hub.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/version.h"
#include "twin/hub/api/api.h"
#include "twin/hub/c2d.h"
#include "twin/hub/automation/configurations.h"
#include "twin/hub/devices.h"
#include "twin/hub/dialect.h"
#include "twin/hub/enrol.h"
#include "twin/hub/events.h"
#include "twin/hub/held.h"
#include "twin/hub/http.h"
#include "twin/hub/files/images.h"
#include "twin/hub/files/thumbnails.h"
#include "twin/hub/telemetry/ingest.h"
#include "twin/hub/automation/jobs.h"
#include "twin/hub/link.h"
#include "twin/hub/methods.h"
#include "twin/hub/metrics.h"
#include "twin/hub/files/package_gc.h"
#include "twin/hub/files/packages.h"
#include "twin/hub/policies.h"
#include "twin/hub/queries/queries.h"
#include "twin/hub/queries/query_index.h"
#include "twin/hub/telemetry/quota.h"
#include "twin/hub/queries/slices.h"
#include "twin/hub/store/store.h"
#include "twin/hub/store/trust.h"
#include "twin/hub/telemetry/telemetry.h"
#include "twin/hub/twins.h"

enum { CHORE_MS = 30000, EXPIRE_ROWS = 2000, SHRINK_PAGES = 1000, EXPIRE_AGAIN_MS = 20 };
/* Used up or expired tokens are kept for a while, so that a replay can be told from a guess. */
enum { DAY_MS = 86400000, USAGE_DAYS = 400 };
#define TOKENS_KEPT_MS (30LL * DAY_MS)

struct vd_hub {
	const struct vd_config *config;
	struct vd_loop *loop;
	struct vd_store *store;
	struct vd_identities_writer *writer;
	struct vd_devices *devices;
	struct vd_twins *twins;
	struct vd_methods *methods;
	struct vd_configurations *configurations;
	struct vd_jobs *jobs;
	struct vd_query_index *query_index;
	struct vd_queries *queries;
	struct vd_slices *slices;
	struct vd_quota *quota;
	int64_t audit_day; /* that old entries were deleted on, or before */
	struct vd_events *events;
	struct vd_c2d *c2d;
	struct vd_images *images;
	struct vd_thumbnails *thumbnails;
	char image_folder[PATH_MAX];
	struct vd_packages *packages;
	struct vd_package_gc *package_gc;
	char package_folder[PATH_MAX];
	struct vd_dialect *dialect;
	struct vd_ingest *ingest;
	struct vd_link *link;
	struct vd_buf held; /* to be published when the group of transactions is durable */
	struct vd_http *http;
	struct vd_ca *ca;
	struct vd_enrol *enrol;
	struct vd_source *chores;
	struct vd_api api;
};

/* --- what one part tells another --- */

static void kick_device(const struct vd_name *name, void *argument)
{
	struct vd_hub *hub = argument;

	vd_dialect_kick(hub->dialect, name);
}

static void identity_changed(const struct vd_name *name, const char *operation, void *argument)
{
	struct vd_hub *hub = argument;

	vd_events_publish(hub->events, "identity", operation, name, NULL);
	if (hub->configurations)
		vd_configurations_identity_changed(hub->configurations, name, operation);
}

static void desired_changed(const struct vd_name *name, const cJSON *notice, int64_t version,
			    void *argument)
{
	struct vd_hub *hub = argument;

	if (hub->package_gc)
		vd_package_gc_changed(hub->package_gc, name);
	vd_dialect_notify(hub->dialect, name, notice, version);
}

static void twin_changed(const struct vd_name *name, const char *operation, const cJSON *body,
			 void *argument)
{
	struct vd_hub *hub = argument;

	vd_events_publish(hub->events, "twin", operation, name, body);
	if (hub->configurations)
		vd_configurations_twin_changed(hub->configurations, name, operation, body);
}

static bool send_method(const struct vd_name *name, const char *method, const char *rid,
			const char *payload, void *argument)
{
	struct vd_hub *hub = argument;

	return vd_dialect_send_method(hub->dialect, name, method, rid, payload);
}

static bool hand_message(const struct vd_name *name, const char *token, const char *bag,
			 const void *body, size_t len, void *argument)
{
	struct vd_hub *hub = argument;

	return vd_dialect_hand(hub->dialect, name, token, bag, body, len);
}

static bool publish(const char *topic, const void *payload, size_t len, int qos, void *argument)
{
	struct vd_hub *hub = argument;

	if (!hub->link)
		return false;
	if (vd_store_is_grouping(hub->store))
		return vd_link_is_up(hub->link) &&
		       vd_held_add(&hub->held, topic, payload, len, qos) == 0;
	return vd_link_publish(hub->link, topic, payload, len, qos);
}

static void turn(bool is_begin, void *argument)
{
	struct vd_hub *hub = argument;

	if (is_begin)
		vd_store_group_begin(hub->store);
	else
		vd_store_group_end(hub->store);
}

/* Nobody hears of what is not on the disk. */
static void group_ended(int result, void *argument)
{
	struct vd_hub *hub = argument;
	VD_CLEANUP(vd_buf_fini) struct vd_buf held = hub->held;
	struct vd_held message;

	hub->held = (struct vd_buf){ 0 };
	if (result < 0) {
		vd_log(VD_ERROR, "store.groupLost", "reason=\"%s\"", strerror(-result));
		vd_link_reset(hub->link);
		return;
	}
	for (size_t at = 0; vd_held_next(&held, &at, &message);)
		(void)vd_link_publish(hub->link, message.topic, message.payload, message.len,
				      message.qos);
}

static void spool_grew(void *argument)
{
	struct vd_hub *hub = argument;

	vd_ingest_wake(hub->ingest);
}

static void records_stored(void *argument)
{
	struct vd_hub *hub = argument;

	vd_events_records(hub->events);
}

static void message_came(const char *topic, const void *payload, size_t len, void *argument)
{
	struct vd_hub *hub = argument;

	vd_dialect_message(hub->dialect, topic, payload, len, vd_clock_wall_ms());
}

/* Who is connected is not known without the broker; it tells all when it is back. */
static void link_changed(bool is_up, void *argument)
{
	struct vd_hub *hub = argument;

	if (!is_up)
		(void)!vd_store_disconnect_all(hub->store, vd_clock_wall_ms());
}

static int http_call(struct vd_call *call, void *argument)
{
	struct vd_hub *hub = argument;

	return vd_api_handle(&hub->api, call, vd_clock_wall_ms());
}

static cJSON *health(void *argument)
{
	struct vd_hub *hub = argument;
	VD_CLEANUP(vd_json_free) cJSON *json = cJSON_CreateObject();
	bool is_up = vd_link_is_up(hub->link);

	if (!json || !vd_json_add_string(json, "status", is_up ? "ok" : "degraded") ||
	    !vd_json_add_string(json, "version", VD_VERSION) ||
	    !vd_json_add_bool(json, "brokerConnected", is_up) ||
	    !vd_json_add_number(json, "spoolBacklogBytes", (double)vd_ingest_backlog(hub->ingest)))
		return NULL;
	return VD_TAKE(json);
}

static void measure(struct vd_metrics_view *view, void *argument)
{
	struct vd_hub *hub = argument;

	view->is_broker_connected = vd_link_is_up(hub->link);
	view->spool_bytes = vd_ingest_backlog(hub->ingest);
	view->ca_end_ms = hub->ca ? vd_ca_end_ms(hub->ca) : 0;
}

/* --- chores --- */

/* A bite at a time, so that deleting a day's records stops nobody. */
static int expire(struct vd_hub *hub)
{
	int64_t days = hub->config->retention_days;
	int count;

	if (days == 0)
		return 0;
	count = vd_store_expire(hub->store, vd_clock_wall_ms() - days * 86400000, EXPIRE_ROWS);
	if (count > 0) {
		vd_log(VD_INFO, "telemetry.expired", "rows=%d", count);
		(void)!vd_store_shrink(hub->store, SHRINK_PAGES);
	}
	return count;
}

/* Once a day: each time leaves an entry in the log itself. */
static bool expire_audit(struct vd_hub *hub, int64_t now_ms)
{
	int64_t days = hub->config->audit_days;
	int count;

	if (days == 0 || hub->audit_day == now_ms / DAY_MS)
		return false;
	count = vd_store_audit_expire(hub->store, now_ms - days * DAY_MS, EXPIRE_ROWS, now_ms);
	if (count >= EXPIRE_ROWS)
		return true;
	hub->audit_day = now_ms / DAY_MS;
	return false;
}

static void do_chores(void *argument)
{
	struct vd_hub *hub = argument;
	bool is_more = expire(hub) >= EXPIRE_ROWS;

	is_more |= expire_audit(hub, vd_clock_wall_ms());
	is_more |= vd_quota_look(hub->quota, vd_clock_wall_ms());
	(void)!vd_devices_flush(hub->devices);
	(void)!vd_store_enrolment_expire(hub->store, vd_clock_wall_ms() - TOKENS_KEPT_MS);
	(void)!vd_store_usage_expire(hub->store, vd_clock_wall_ms() / DAY_MS - USAGE_DAYS);
	vd_c2d_sweep(hub->c2d, vd_clock_wall_ms());
	vd_images_sweep(hub->images, vd_clock_wall_ms());
	vd_packages_sweep(hub->packages, vd_clock_wall_ms());
	(void)!vd_timer_arm(hub->chores, is_more ? EXPIRE_AGAIN_MS : CHORE_MS);
}

/* --- life --- */

static int open_store(struct vd_hub *hub, struct vd_fault *fault)
{
	char path[PATH_MAX];
	int r = vd_file_make_folders(hub->config->state_folder, 0700);

	if (r < 0) {
		vd_fault_set(fault, 500, "/stateFolder", "%s: %s", hub->config->state_folder,
			     strerror(-r));
		return r;
	}
	(void)snprintf(path, sizeof path, "%s/hub.sqlite", hub->config->state_folder);
	r = vd_store_open(path, true, &hub->store, fault);
	if (r == 0)
		r = vd_policies_seed(hub->store);
	if (r == 0)
		r = vd_store_disconnect_all(hub->store, vd_clock_wall_ms());
	return r;
}

static int open_images(struct vd_hub *hub, struct vd_fault *fault)
{
	const struct vd_config *config = hub->config;
	const struct vd_images_settings settings = {
		.folder = hub->image_folder,
		.host_name = config->host_name,
		.image_bytes = config->image_bytes,
		.store_bytes = config->image_store_bytes,
		.retention_days = config->image_retention_days,
	};
	bool is_own = config->image_folder[0];

	(void)snprintf(hub->image_folder, sizeof hub->image_folder, "%s%s",
		       is_own ? config->image_folder : config->state_folder,
		       is_own ? "" : "/images");
	int r = vd_images_new(hub->loop, hub->store, hub->events, &settings, &hub->images, fault);

	return r < 0 ? r : vd_thumbnails_new(hub->loop, settings.folder, &hub->thumbnails);
}

static int open_packages(struct vd_hub *hub, struct vd_fault *fault)
{
	const struct vd_config *config = hub->config;
	const struct vd_packages_settings settings = {
		.folder = hub->package_folder,
		.package_bytes = config->package_bytes,
		.store_bytes = config->package_store_bytes,
		.keys = config->package_keys,
	};
	bool is_own = config->package_folder[0];
	int r;

	(void)snprintf(hub->package_folder, sizeof hub->package_folder, "%s%s",
		       is_own ? config->package_folder : config->state_folder,
		       is_own ? "" : "/packages");
	r = vd_packages_new(hub->loop, hub->store, &settings, &hub->packages, fault);
	return r == 0 ? vd_package_gc_new(hub->loop, hub->store, hub->packages, &hub->package_gc)
		      : r;
}

static int make_services(struct vd_hub *hub, struct vd_fault *fault)
{
	const struct vd_devices_events device_events = { kick_device, identity_changed, hub };
	const struct vd_twins_events twin_events = { desired_changed, twin_changed, hub };
	const struct vd_c2d_settings messages = {
		.ttl_ms = hub->config->message_ttl_s * 1000LL,
		.max_delivery_count = hub->config->message_max_delivery_count,
	};
	int r = vd_identities_writer_new(hub->config->identities_file, &hub->writer, fault);

	if (r == 0)
		r = vd_devices_new(hub->store, hub->writer, &device_events, &hub->devices);
	if (r == 0)
		r = vd_twins_new(hub->store, &twin_events, &hub->twins);
	if (r == 0)
		r = vd_query_index_new(hub->loop, hub->store, hub->config, &hub->query_index,
				       fault);
	if (r == 0)
		r = vd_configurations_new(hub->loop, hub->store, hub->devices, hub->twins,
					  &hub->configurations);
	if (r == 0)
		r = vd_methods_new(hub->loop, send_method, hub, &hub->methods);
	if (r == 0)
		r = vd_jobs_new(hub->loop, hub->store, hub->twins, hub->methods, &hub->jobs);
	if (r == 0)
		r = vd_queries_new(hub->loop, hub->store, &hub->queries);
	if (r == 0)
		r = vd_slices_new(hub->loop, VD_TELEMETRY_RUNS_MAX, &hub->slices);
	if (r == 0)
		r = vd_events_new(hub->loop, hub->store, &hub->events);
	if (r == 0)
		r = vd_c2d_new(hub->store, hub->events, &messages, hand_message, hub, &hub->c2d);
	if (r == 0)
		r = open_images(hub, fault);
	if (r == 0)
		r = open_packages(hub, fault);
	if (r == 0)
		r = vd_quota_new(hub->store, hub->events, hub->config, &hub->quota);
	if (r == 0)
		r = vd_devices_export(hub->devices);
	return r;
}

static int make_trust(struct vd_hub *hub, struct vd_fault *fault)
{
	const struct vd_config *config = hub->config;
	const struct vd_enrol_settings settings = { config->host_name, config->certificate_days };
	int r = config->ca_file ? vd_ca_new(config->ca_file, config->ca_key_file, &hub->ca, fault)
				: 0;

	if (r == 0 && hub->ca)
		r = vd_enrol_new(hub->store, hub->devices, hub->ca, &settings, &hub->enrol);
	return r;
}

static int connect_broker(struct vd_hub *hub)
{
	const struct vd_dialect_parts parts = {
		.store = hub->store,
		.twins = hub->twins,
		.methods = hub->methods,
		.events = hub->events,
		.c2d = hub->c2d,
		.publish = publish,
		.spool = spool_grew,
		.argument = hub,
	};
	const struct vd_link_events link_events = { message_came, turn, link_changed, hub };
	int r = vd_dialect_new(&parts, &hub->dialect);

	if (r == 0)
		r = vd_ingest_new(hub->loop, hub->store, hub->config->spool_folder, records_stored,
				  hub, &hub->ingest);
	if (r == 0)
		r = vd_link_new(hub->loop, hub->config->broker_socket, &link_events, &hub->link);
	if (r == 0)
		vd_store_on_group_end(hub->store, group_ended, hub);
	return r;
}

static int open_api(struct vd_hub *hub, struct vd_fault *fault)
{
	int r;

	hub->api = (struct vd_api){
		.images = hub->images,
		.thumbnails = hub->thumbnails,
		.packages = hub->packages,
		.package_gc = hub->package_gc,
		.package_days = hub->config->package_days,
		.host_name = hub->config->host_name,
		.store = hub->store,
		.devices = hub->devices,
		.twins = hub->twins,
		.methods = hub->methods,
		.events = hub->events,
		.c2d = hub->c2d,
		.enrol = hub->enrol,
		.measure = measure,
		.configurations = hub->configurations,
		.jobs = hub->jobs,
		.queries = hub->queries,
		.slices = hub->slices,
		.health = health,
		.argument = hub,
	};
	r = vd_http_new(hub->loop, hub->config->socket, http_call, hub, &hub->http, fault);
	if (r == 0)
		r = vd_loop_timer(hub->loop, do_chores, hub, &hub->chores);
	return r == 0 ? vd_timer_arm(hub->chores, CHORE_MS) : r;
}

int vd_hub_new(struct vd_loop *loop, const struct vd_config *config, struct vd_hub **ret_hub,
	       struct vd_fault *fault)
{
	VD_CLEANUP(vd_hub_free) struct vd_hub *hub = calloc(1, sizeof *hub);
	int r;

	if (!hub)
		return -ENOMEM;
	hub->loop = loop;
	hub->config = config;
	vd_metrics_start(vd_clock_wall_ms());
	r = open_store(hub, fault);
	if (r == 0)
		r = make_services(hub, fault);
	if (r == 0)
		r = make_trust(hub, fault);
	if (r == 0)
		r = connect_broker(hub);
	if (r == 0)
		r = open_api(hub, fault);
	if (r == 0)
		*ret_hub = VD_TAKE(hub);
	return r > 0 ? -EIO : r;
}

/* Whoever holds exchanges goes before the server; the database goes last. */
struct vd_hub *vd_hub_free(struct vd_hub *hub)
{
	if (hub) {
		hub->chores = vd_source_free(hub->chores);
		hub->methods = vd_methods_free(hub->methods);
		hub->jobs = vd_jobs_free(hub->jobs);
		hub->queries = vd_queries_free(hub->queries);
		hub->slices = vd_slices_free(hub->slices);
		hub->query_index = vd_query_index_free(hub->query_index);
		hub->package_gc = vd_package_gc_free(hub->package_gc);
		hub->packages = vd_packages_free(hub->packages);
		hub->thumbnails = vd_thumbnails_free(hub->thumbnails);
		hub->images = vd_images_free(hub->images);
		hub->quota = vd_quota_free(hub->quota);
		hub->events = vd_events_free(hub->events);
		hub->http = vd_http_free(hub->http);
		hub->link = vd_link_free(hub->link);
		vd_buf_fini(&hub->held);
		hub->ingest = vd_ingest_free(hub->ingest);
		hub->dialect = vd_dialect_free(hub->dialect);
		hub->enrol = vd_enrol_free(hub->enrol);
		hub->ca = vd_ca_free(hub->ca);
		hub->c2d = vd_c2d_free(hub->c2d);
		hub->configurations = vd_configurations_free(hub->configurations);
		hub->twins = vd_twins_free(hub->twins);
		hub->devices = vd_devices_free(hub->devices);
		hub->writer = vd_identities_writer_free(hub->writer);
		hub->store = vd_store_free(hub->store);
		free(hub);
	}
	return NULL;
}
