/* SPDX-License-Identifier: Apache-2.0 */
#include "twin/hub/refusal.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/json.h"

static const struct vd_refusal_info table[] = {
	[VD_REFUSED_ARGUMENT] = { 400, 400004, "ArgumentInvalid" },
	[VD_REFUSED_UNAUTHORIZED] = { 401, 401002, "IotHubUnauthorizedAccess" },
	/* As Azure's: 403 is "too many" to its clients. */
	[VD_REFUSED_FORBIDDEN] = { 401, 401002, "IotHubUnauthorizedAccess" },
	[VD_REFUSED_NO_DEVICE] = { 404, 404001, "DeviceNotFound" },
	[VD_REFUSED_NO_MODULE] = { 404, 404010, "ModuleNotFound" },
	[VD_REFUSED_NO_SUCH] = { 404, 404000, "GenericNotFound" },
	[VD_REFUSED_NOT_ONLINE] = { 404, 404103, "DeviceNotOnline" },
	[VD_REFUSED_METHOD] = { 405, 405000, "GenericMethodNotAllowed" },
	[VD_REFUSED_DEVICE_EXISTS] = { 409, 409001, "DeviceAlreadyExists" },
	[VD_REFUSED_MODULE_EXISTS] = { 409, 409301, "ModuleAlreadyExistsOnDevice" },
	[VD_REFUSED_ETAG] = { 412, 412001, "PreconditionFailed" },
	[VD_REFUSED_TOO_LARGE] = { 413, 413001, "MessageTooLarge" },
	[VD_REFUSED_TOO_MANY] = { 429, 429001, "ThrottlingException" },
	[VD_REFUSED_SERVER] = { 500, 500001, "ServerError" },
	[VD_REFUSED_NOT_BUILT] = { 501, 501000, "GenericNotImplemented" },
	[VD_REFUSED_UNAVAILABLE] = { 503, 503001, "ServiceUnavailable" },
	[VD_REFUSED_TIMEOUT] = { 504, 504101, "GatewayTimeout" },
	[VD_REFUSED_BAD_RESPONSE] = { 502, 502001, "BadDeviceResponse" },
	[VD_REFUSED_NO_CONFIGURATION] = { 404, 404014, "ConfigurationNotFound" },
	[VD_REFUSED_CONFIGURATION_EXISTS] = { 409, 409201, "ConfigurationAlreadyExists" },
	[VD_REFUSED_IMMUTABLE] = { 400, 400030, "CannotModifyImmutableConfigurationContent" },
	[VD_REFUSED_NO_JOB] = { 404, 404011, "JobNotFound" },
	[VD_REFUSED_JOB_EXISTS] = { 409, 409005, "JobAlreadyExists" },
	[VD_REFUSED_QUEUE_FULL] = { 403, 403004, "DeviceMaximumQueueDepthExceeded" },
	[VD_REFUSED_QUOTA] = { 403, 403002, "IotHubQuotaExceeded" },
	[VD_REFUSED_CONFLICT] = { 409, 409000, "GenericConflict" },
};

const struct vd_refusal_info *vd_refusal_info(int refusal)
{
	if (refusal < 1 || (size_t)refusal >= VD_COUNT(table))
		refusal = VD_REFUSED_SERVER;
	return &table[refusal];
}

/* Azure's clients split at ';'. */
static void plain(const char *text, char *out, size_t size)
{
	(void)snprintf(out, size, "%s", text && text[0] ? text : "no further reason");
	for (char *p = out; (p = strchr(p, ';'));)
		*p = ',';
}

cJSON *vd_refusal_rest_body(int refusal, const char *text)
{
	const struct vd_refusal_info *info = vd_refusal_info(refusal);
	char reason[640], message[768], exception[128], uuid[VD_UUID_TEXT], time[VD_TIME_TEXT];
	VD_CLEANUP(vd_json_free) cJSON *body = cJSON_CreateObject();

	plain(text, reason, sizeof reason);
	(void)snprintf(message, sizeof message, "ErrorCode:%s;%s", info->name, reason);
	(void)snprintf(exception, sizeof exception, "Tracking ID:%s-TimeStamp:%s", vd_uuid(uuid),
		       vd_time_text(vd_clock_wall_ms(), time));
	if (!body || !vd_json_add_string(body, "Message", message) ||
	    !vd_json_add_string(body, "ExceptionMessage", exception))
		return NULL;
	return VD_TAKE(body);
}

cJSON *vd_refusal_twin_body(int refusal, const char *text)
{
	char reason[640], uuid[VD_UUID_TEXT], time[VD_TIME_TEXT];
	VD_CLEANUP(vd_json_free) cJSON *body = cJSON_CreateObject();

	plain(text, reason, sizeof reason);
	if (!body || !vd_json_add_number(body, "errorCode", vd_refusal_info(refusal)->code) ||
	    !vd_json_add_string(body, "trackingId", vd_uuid(uuid)) ||
	    !vd_json_add_string(body, "message", reason) ||
	    !vd_json_add_string(body, "timestampUtc", vd_time_text(vd_clock_wall_ms(), time)))
		return NULL;
	return VD_TAKE(body);
}
