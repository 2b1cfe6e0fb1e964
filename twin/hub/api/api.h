/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdint.h>

#include "base/fault.h"
#include "twin/hub/call.h"
#include "twin/hub/store/name.h"
#include "twin/hub/store/store.h"

/*
 * The REST API: Azure's paths and shapes, and a few of our own. api.c has the table of routes
 * and the rights each one needs; the other files have one resource each.
 */
struct vd_metrics_view;
struct vd_api {
	const char *host_name;
	struct vd_store *store;
	struct vd_devices *devices;
	struct vd_twins *twins;
	struct vd_methods *methods;
	struct vd_configurations *configurations;
	struct vd_jobs *jobs;
	struct vd_queries *queries;
	struct vd_slices *slices; /* NULL: all is answered at once */
	struct vd_events *events;
	struct vd_c2d *c2d;
	struct vd_images *images;
	struct vd_thumbnails *thumbnails;
	struct vd_packages *packages;
	struct vd_package_gc *package_gc;
	int package_days;       /* how long a package that nobody names is kept */
	struct vd_enrol *enrol; /* NULL: this hub has no CA */
	void (*measure)(struct vd_metrics_view *view, void *argument); /* NULL in tests */
	cJSON *(*health)(void *argument); /* the body of GET /health; NULL: no memory */
	void *argument;
};

enum { VD_API_LATER = 1 };

/*
 * Authorizes and answers a call at time now_ms: 0, and the reply is filled in; or
 * VD_API_LATER, and whoever kept call->exchange answers.
 */
VD_MUST int vd_api_handle(struct vd_api *api, struct vd_call *call, int64_t now_ms);

/*
 * What a route calls: 0 with call->reply filled in, enum vd_refusal with its text in fault, or
 * -errno; VD_API_KEPT when the exchange was kept.
 */
enum { VD_API_KEPT = 1000 };
typedef int (*vd_api_fn)(struct vd_api *api, struct vd_call *call, int64_t now_ms,
			 struct vd_fault *fault);

/* Whether the call is of the device that its path names: by its token, or its certificate. */
VD_MUST int vd_api_from_device(struct vd_api *api, struct vd_call *call, int64_t now_ms,
			       struct vd_name *ret_name, struct vd_fault *fault);

int vd_api_devices_list(struct vd_api *, struct vd_call *, int64_t, struct vd_fault *);
int vd_api_modules_list(struct vd_api *, struct vd_call *, int64_t, struct vd_fault *);
int vd_api_device_get(struct vd_api *, struct vd_call *, int64_t, struct vd_fault *);
int vd_api_device_put(struct vd_api *, struct vd_call *, int64_t, struct vd_fault *);
int vd_api_device_delete(struct vd_api *, struct vd_call *, int64_t, struct vd_fault *);
int vd_api_statistics_devices(struct vd_api *, struct vd_call *, int64_t, struct vd_fault *);
int vd_api_statistics_service(struct vd_api *, struct vd_call *, int64_t, struct vd_fault *);
int vd_api_twin_get(struct vd_api *, struct vd_call *, int64_t, struct vd_fault *);
int vd_api_twin_patch(struct vd_api *, struct vd_call *, int64_t, struct vd_fault *);
int vd_api_twin_put(struct vd_api *, struct vd_call *, int64_t, struct vd_fault *);
int vd_api_history_list(struct vd_api *, struct vd_call *, int64_t, struct vd_fault *);
int vd_api_history_get(struct vd_api *, struct vd_call *, int64_t, struct vd_fault *);
int vd_api_devices_bulk(struct vd_api *, struct vd_call *, int64_t, struct vd_fault *);
int vd_api_configurations_list(struct vd_api *, struct vd_call *, int64_t, struct vd_fault *);
int vd_api_configurations_test(struct vd_api *, struct vd_call *, int64_t, struct vd_fault *);
int vd_api_configuration_get(struct vd_api *, struct vd_call *, int64_t, struct vd_fault *);
int vd_api_configuration_put(struct vd_api *, struct vd_call *, int64_t, struct vd_fault *);
int vd_api_configuration_delete(struct vd_api *, struct vd_call *, int64_t, struct vd_fault *);
int vd_api_content_apply(struct vd_api *, struct vd_call *, int64_t, struct vd_fault *);
int vd_api_job_get(struct vd_api *, struct vd_call *, int64_t, struct vd_fault *);
int vd_api_job_put(struct vd_api *, struct vd_call *, int64_t, struct vd_fault *);
int vd_api_job_cancel(struct vd_api *, struct vd_call *, int64_t, struct vd_fault *);
int vd_api_jobs_list(struct vd_api *, struct vd_call *, int64_t, struct vd_fault *);
int vd_api_query_post(struct vd_api *, struct vd_call *, int64_t, struct vd_fault *);
int vd_api_method_post(struct vd_api *, struct vd_call *, int64_t, struct vd_fault *);
int vd_api_telemetry_list(struct vd_api *, struct vd_call *, int64_t, struct vd_fault *);
int vd_api_telemetry_series(struct vd_api *, struct vd_call *, int64_t, struct vd_fault *);
int vd_api_telemetry_statistics(struct vd_api *, struct vd_call *, int64_t, struct vd_fault *);
int vd_api_message_post(struct vd_api *, struct vd_call *, int64_t, struct vd_fault *);
int vd_api_messages_purge(struct vd_api *, struct vd_call *, int64_t, struct vd_fault *);
int vd_api_metrics(struct vd_api *, struct vd_call *, int64_t, struct vd_fault *);
int vd_api_enrol(struct vd_api *, struct vd_call *, int64_t, struct vd_fault *);
int vd_api_renew(struct vd_api *, struct vd_call *, int64_t, struct vd_fault *);
int vd_api_enrolments_list(struct vd_api *, struct vd_call *, int64_t, struct vd_fault *);
int vd_api_enrolment_post(struct vd_api *, struct vd_call *, int64_t, struct vd_fault *);
int vd_api_enrolment_delete(struct vd_api *, struct vd_call *, int64_t, struct vd_fault *);
int vd_api_certificates_list(struct vd_api *, struct vd_call *, int64_t, struct vd_fault *);
int vd_api_certificate_revoke(struct vd_api *, struct vd_call *, int64_t, struct vd_fault *);
int vd_api_audit_list(struct vd_api *, struct vd_call *, int64_t, struct vd_fault *);
int vd_api_drift_list(struct vd_api *, struct vd_call *, int64_t, struct vd_fault *);
int vd_api_letters_list(struct vd_api *, struct vd_call *, int64_t, struct vd_fault *);
int vd_api_letter_get(struct vd_api *, struct vd_call *, int64_t, struct vd_fault *);
int vd_api_letter_delete(struct vd_api *, struct vd_call *, int64_t, struct vd_fault *);
int vd_api_letters_replay(struct vd_api *, struct vd_call *, int64_t, struct vd_fault *);
int vd_api_usage_list(struct vd_api *, struct vd_call *, int64_t, struct vd_fault *);
int vd_api_file_offer(struct vd_api *, struct vd_call *, int64_t, struct vd_fault *);
int vd_api_file_notify(struct vd_api *, struct vd_call *, int64_t, struct vd_fault *);
int vd_api_file_check(struct vd_api *, struct vd_call *, int64_t, struct vd_fault *);
int vd_api_file_put(struct vd_api *, struct vd_call *, int64_t, struct vd_fault *);
int vd_api_images_list(struct vd_api *, struct vd_call *, int64_t, struct vd_fault *);
int vd_api_image_link(struct vd_api *, struct vd_call *, int64_t, struct vd_fault *);
int vd_api_image_get(struct vd_api *, struct vd_call *, int64_t, struct vd_fault *);
int vd_api_label_post(struct vd_api *, struct vd_call *, int64_t, struct vd_fault *);
int vd_api_labels_list(struct vd_api *, struct vd_call *, int64_t, struct vd_fault *);
int vd_api_packages_list(struct vd_api *, struct vd_call *, int64_t, struct vd_fault *);
int vd_api_package_get(struct vd_api *, struct vd_call *, int64_t, struct vd_fault *);
int vd_api_package_put(struct vd_api *, struct vd_call *, int64_t, struct vd_fault *);
int vd_api_packages_collect(struct vd_api *, struct vd_call *, int64_t, struct vd_fault *);
int vd_api_archive_check(struct vd_api *, struct vd_call *, int64_t, struct vd_fault *);
int vd_api_archive_put(struct vd_api *, struct vd_call *, int64_t, struct vd_fault *);
int vd_api_archive_get(struct vd_api *, struct vd_call *, int64_t, struct vd_fault *);
int vd_api_device_package_get(struct vd_api *, struct vd_call *, int64_t, struct vd_fault *);
int vd_api_device_archive_get(struct vd_api *, struct vd_call *, int64_t, struct vd_fault *);
int vd_api_channels_list(struct vd_api *, struct vd_call *, int64_t, struct vd_fault *);
int vd_api_channel_history(struct vd_api *, struct vd_call *, int64_t, struct vd_fault *);
int vd_api_channel_put(struct vd_api *, struct vd_call *, int64_t, struct vd_fault *);
int vd_api_channel_delete(struct vd_api *, struct vd_call *, int64_t, struct vd_fault *);
int vd_api_events_get(struct vd_api *, struct vd_call *, int64_t, struct vd_fault *);

/* The identity that the path names: segments 1 and, after "modules", 3. VD_REFUSED_ARGUMENT. */
VD_MUST int vd_api_name(const struct vd_call *call, struct vd_name *ret_name,
			struct vd_fault *fault);
/* The identity of that name. VD_REFUSED_NO_DEVICE, VD_REFUSED_NO_MODULE. */
VD_MUST int vd_api_named(struct vd_api *api, const struct vd_call *call,
			 struct vd_device *ret_device, struct vd_fault *fault);
