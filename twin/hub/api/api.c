/* SPDX-License-Identifier: Apache-2.0 */
#include "twin/hub/api/api.h"

#include <errno.h>
#include <string.h>

#include "twin/hub/audit.h"
#include "twin/hub/files/device_access.h"
#include "twin/hub/enrol.h"
#include "twin/hub/http.h"
#include "twin/hub/policies.h"

enum { READ = VD_RIGHT_REGISTRY_READ, WRITE = VD_RIGHT_REGISTRY_WRITE, SERVICE = VD_RIGHT_SERVICE };

static int health(struct vd_api *api, struct vd_call *call, int64_t now_ms, struct vd_fault *fault)
{
	cJSON *body = api->health(api->argument);

	vd_reply_json(&call->reply, 200, &body);
	return 0;
}

static int not_built(struct vd_api *api, struct vd_call *call, int64_t now_ms,
		     struct vd_fault *fault)
{
	vd_fault_set(fault, 501, "", "this hub does not offer /%s/%s yet", call->segments[0],
		     call->segment_count > 1 ? call->segments[1] : "");
	return VD_REFUSED_NOT_BUILT;
}

/* The first that fits: so the fixed words stand before the wildcards. rights 0: for anybody. */
static const struct {
	enum vd_verb verb;
	const char *path;
	unsigned rights;
	vd_api_fn fn;
} routes[] = {
	{ VD_VERB_GET, "health", 0, health },
	{ VD_VERB_GET, "metrics", 0, vd_api_metrics },
	{ VD_VERB_POST, "enrol", 0, vd_api_enrol },
	{ VD_VERB_POST, "enrol/renew", 0, vd_api_renew },
	{ VD_VERB_GET, "enrolments", READ, vd_api_enrolments_list },
	{ VD_VERB_POST, "enrolments", WRITE, vd_api_enrolment_post },
	{ VD_VERB_DELETE, "enrolments/*", WRITE, vd_api_enrolment_delete },
	{ VD_VERB_GET, "certificates", READ, vd_api_certificates_list },
	{ VD_VERB_GET, "devices/*/certificates", READ, vd_api_certificates_list },
	{ VD_VERB_POST, "devices/*/certificates/revoke", WRITE, vd_api_certificate_revoke },
	{ VD_VERB_GET, "audit", READ | SERVICE, vd_api_audit_list },
	{ VD_VERB_GET, "drift", SERVICE, vd_api_drift_list },
	{ VD_VERB_GET, "deadletters", SERVICE, vd_api_letters_list },
	{ VD_VERB_POST, "deadletters/replay", SERVICE, vd_api_letters_replay },
	{ VD_VERB_GET, "deadletters/*", SERVICE, vd_api_letter_get },
	{ VD_VERB_DELETE, "deadletters/*", SERVICE, vd_api_letter_delete },
	{ VD_VERB_GET, "usage", SERVICE, vd_api_usage_list },
	{ VD_VERB_POST, "devices/query", READ, vd_api_query_post },
	{ VD_VERB_POST, "devices", WRITE, vd_api_devices_bulk },
	{ VD_VERB_POST, "devices/*/applyConfigurationContent", WRITE, vd_api_content_apply },
	{ VD_VERB_GET, "configurations", READ, vd_api_configurations_list },
	{ VD_VERB_POST, "configurations/testQueries", READ, vd_api_configurations_test },
	{ VD_VERB_GET, "configurations/*", READ, vd_api_configuration_get },
	{ VD_VERB_PUT, "configurations/*", WRITE, vd_api_configuration_put },
	{ VD_VERB_DELETE, "configurations/*", WRITE, vd_api_configuration_delete },
	{ VD_VERB_GET, "jobs/v2/query", READ, vd_api_jobs_list },
	{ VD_VERB_GET, "jobs/v2/*", READ, vd_api_job_get },
	{ VD_VERB_PUT, "jobs/v2/*", WRITE, vd_api_job_put },
	{ VD_VERB_POST, "jobs/v2/*/cancel", WRITE, vd_api_job_cancel },
	{ VD_VERB_POST, "jobs/create", WRITE, not_built },
	{ VD_VERB_GET, "jobs", READ, not_built },
	{ VD_VERB_GET, "jobs/*", READ, not_built },
	{ VD_VERB_DELETE, "jobs/*", WRITE, not_built },
	{ VD_VERB_GET, "devices", READ, vd_api_devices_list },
	{ VD_VERB_GET, "devices/*", READ, vd_api_device_get },
	{ VD_VERB_PUT, "devices/*", WRITE, vd_api_device_put },
	{ VD_VERB_DELETE, "devices/*", WRITE, vd_api_device_delete },
	{ VD_VERB_POST, "devices/*/messages/deviceBound", SERVICE, vd_api_message_post },
	/* A device's token or a signed address: they judge themselves. */
	{ VD_VERB_POST, "devices/*/files", 0, vd_api_file_offer },
	{ VD_VERB_POST, "devices/*/files/notifications", 0, vd_api_file_notify },
	{ VD_VERB_POST, "devices/*/files/notifications/*", 0, vd_api_file_notify },
	{ VD_VERB_GET, "device-files/**", 0, vd_api_file_check },
	{ VD_VERB_PUT, "device-files/**", 0, vd_api_file_put },
	{ VD_VERB_GET, "images", SERVICE, vd_api_images_list },
	{ VD_VERB_GET, "images/*", 0, vd_api_image_get },
	{ VD_VERB_POST, "images/*/link", SERVICE, vd_api_image_link },
	{ VD_VERB_GET, "labels", SERVICE, vd_api_labels_list },
	{ VD_VERB_POST, "labels", SERVICE, vd_api_label_post },
	{ VD_VERB_GET, "packages", READ, vd_api_packages_list },
	{ VD_VERB_POST, "packages/gc", WRITE, vd_api_packages_collect },
	{ VD_VERB_GET, "packages/*", READ, vd_api_packages_list },
	{ VD_VERB_GET, "packages/*/*/*", READ, vd_api_package_get },
	{ VD_VERB_PUT, "packages/*/*/*", WRITE, vd_api_package_put },
	{ VD_VERB_GET, "package-uploads/*", WRITE, vd_api_archive_check },
	{ VD_VERB_PUT, "package-uploads/*", WRITE, vd_api_archive_put },
	{ VD_VERB_GET, "package-files/*", READ, vd_api_archive_get },
	{ VD_VERB_GET, "devices/*/packages/*/*/*", 0, vd_api_device_package_get },
	{ VD_VERB_GET, "devices/*/package-files/*", 0, vd_api_device_archive_get },
	{ VD_VERB_GET, "channels", READ, vd_api_channels_list },
	{ VD_VERB_PUT, "channels/*/*/*", WRITE, vd_api_channel_put },
	{ VD_VERB_DELETE, "channels/*/*/*", WRITE, vd_api_channel_delete },
	{ VD_VERB_GET, "channels/*/*/*/history", READ, vd_api_channel_history },
	{ VD_VERB_DELETE, "devices/*/commands", SERVICE, vd_api_messages_purge },
	{ VD_VERB_GET, "devices/*/modules", READ, vd_api_modules_list },
	{ VD_VERB_GET, "devices/*/modules/*", READ, vd_api_device_get },
	{ VD_VERB_PUT, "devices/*/modules/*", WRITE, vd_api_device_put },
	{ VD_VERB_DELETE, "devices/*/modules/*", WRITE, vd_api_device_delete },
	{ VD_VERB_GET, "statistics/devices", READ, vd_api_statistics_devices },
	{ VD_VERB_GET, "statistics/service", READ, vd_api_statistics_service },
	{ VD_VERB_GET, "twins/*", SERVICE, vd_api_twin_get },
	{ VD_VERB_PATCH, "twins/*", SERVICE, vd_api_twin_patch },
	{ VD_VERB_PUT, "twins/*", SERVICE, vd_api_twin_put },
	{ VD_VERB_GET, "twins/*/modules/*", SERVICE, vd_api_twin_get },
	{ VD_VERB_PATCH, "twins/*/modules/*", SERVICE, vd_api_twin_patch },
	{ VD_VERB_PUT, "twins/*/modules/*", SERVICE, vd_api_twin_put },
	{ VD_VERB_GET, "twins/*/history", SERVICE, vd_api_history_list },
	{ VD_VERB_GET, "twins/*/history/*", SERVICE, vd_api_history_get },
	{ VD_VERB_GET, "twins/*/modules/*/history", SERVICE, vd_api_history_list },
	{ VD_VERB_GET, "twins/*/modules/*/history/*", SERVICE, vd_api_history_get },
	{ VD_VERB_POST, "twins/*/methods", SERVICE, vd_api_method_post },
	{ VD_VERB_POST, "twins/*/modules/*/methods", SERVICE, vd_api_method_post },
	{ VD_VERB_GET, "telemetry", SERVICE, vd_api_telemetry_list },
	{ VD_VERB_GET, "telemetry/series", SERVICE, vd_api_telemetry_series },
	{ VD_VERB_GET, "telemetry/statistics", SERVICE, vd_api_telemetry_statistics },
	{ VD_VERB_GET, "events", SERVICE, vd_api_events_get },
};

static bool path_fits(const char *pattern, const struct vd_call *call)
{
	for (int i = 0; i < call->segment_count; i++) {
		size_t len = strcspn(pattern, "/");
		bool is_any = len == 1 && pattern[0] == '*';

		if (strcmp(pattern, "**") == 0)
			return true;
		if (len == 0 || (!is_any && (strlen(call->segments[i]) != len ||
					     strncmp(call->segments[i], pattern, len) != 0)))
			return false;
		pattern += len + (pattern[len] == '/');
	}
	return pattern[0] == '\0' && call->segment_count > 0;
}

/* The index in routes; the refusal in ret_refusal if there is none. */
static size_t find_route(const struct vd_call *call, int *ret_refusal)
{
	*ret_refusal = VD_REFUSED_NO_SUCH;
	for (size_t i = 0; i < VD_COUNT(routes); i++) {
		if (!path_fits(routes[i].path, call))
			continue;
		if (routes[i].verb == call->verb)
			return i;
		*ret_refusal = VD_REFUSED_METHOD;
	}
	return VD_COUNT(routes);
}

static int run_route(struct vd_api *api, struct vd_call *call, int64_t now_ms,
		     struct vd_fault *fault)
{
	struct vd_audited audited;
	int r;
	size_t i = find_route(call, &r);

	if (i == VD_COUNT(routes)) {
		vd_fault_set(fault, 404, "", "%s",
			     r == VD_REFUSED_METHOD ? "the resource has no such method"
						    : "there is no such resource");
		return r;
	}
	if (call->exchange)
		vd_exchange_set_route(call->exchange, vd_verb_name(call->verb), routes[i].path);
	if (!routes[i].rights)
		return routes[i].fn(api, call, now_ms, fault);
	r = vd_policies_authorize(api->store, api->host_name, routes[i].rights, now_ms, call,
				  fault);
	if (r == 0)
		r = vd_audited_begin(&audited, api->store, call, now_ms);
	if (r != 0)
		return r;
	r = routes[i].fn(api, call, now_ms, fault);
	vd_audited_end(&audited, r);
	return r;
}

int vd_api_handle(struct vd_api *api, struct vd_call *call, int64_t now_ms)
{
	struct vd_fault fault = { 0 };
	int r = run_route(api, call, now_ms, &fault);

	if (r == VD_API_KEPT)
		return VD_API_LATER;
	if (r != 0)
		vd_reply_refuse(&call->reply, r, &fault);
	return 0;
}

int vd_api_from_device(struct vd_api *api, struct vd_call *call, int64_t now_ms,
		       struct vd_name *ret_name, struct vd_fault *fault)
{
	if (vd_name_make(call->segments[1], NULL, ret_name) != 0) {
		vd_fault_set(fault, 401, "", "there is no such device");
		return VD_REFUSED_UNAUTHORIZED;
	}
	if (!call->authorization && call->client_certificate && call->client_certificate[0] &&
	    api->enrol)
		return vd_enrol_check(api->enrol, call->client_certificate, ret_name, now_ms,
				      fault);
	return vd_device_access(api->store, api->host_name, now_ms, call, ret_name, fault);
}

int vd_api_name(const struct vd_call *call, struct vd_name *ret_name, struct vd_fault *fault)
{
	bool has_module = call->segment_count > 3 && strcmp(call->segments[2], "modules") == 0;

	if (vd_name_make(call->segments[1], has_module ? call->segments[3] : NULL, ret_name) == 0)
		return 0;
	vd_fault_set(fault, 400, "",
		     "an id has 1 to 128 ASCII letters, digits or -:._%%*?!(),=@$' and no + # /");
	return VD_REFUSED_ARGUMENT;
}

int vd_api_named(struct vd_api *api, const struct vd_call *call, struct vd_device *ret_device,
		 struct vd_fault *fault)
{
	struct vd_name name;
	int r = vd_api_name(call, &name, fault);

	return r == 0 ? vd_devices_get(api->devices, &name, ret_device, fault) : r;
}
