/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <cjson/cJSON.h>

#include "base/attr.h"

/*
 * How the hub says no: Azure's error names and codes in one table. A service's call returns
 * 0, one of these with the text in its fault, or -errno.
 */
enum vd_refusal {
	VD_REFUSED_ARGUMENT = 1,         /* 400 ArgumentInvalid */
	VD_REFUSED_UNAUTHORIZED,         /* 401 */
	VD_REFUSED_FORBIDDEN,            /* 401 the policy lacks the right */
	VD_REFUSED_NO_DEVICE,            /* 404 DeviceNotFound */
	VD_REFUSED_NO_MODULE,            /* 404 ModuleNotFound */
	VD_REFUSED_NO_SUCH,              /* 404 anything else */
	VD_REFUSED_NOT_ONLINE,           /* 404 DeviceNotOnline */
	VD_REFUSED_METHOD,               /* 405 */
	VD_REFUSED_DEVICE_EXISTS,        /* 409 */
	VD_REFUSED_MODULE_EXISTS,        /* 409 */
	VD_REFUSED_ETAG,                 /* 412 */
	VD_REFUSED_TOO_LARGE,            /* 413 */
	VD_REFUSED_TOO_MANY,             /* 429 */
	VD_REFUSED_SERVER,               /* 500 */
	VD_REFUSED_NOT_BUILT,            /* 501 */
	VD_REFUSED_UNAVAILABLE,          /* 503 */
	VD_REFUSED_TIMEOUT,              /* 504 GatewayTimeout */
	VD_REFUSED_BAD_RESPONSE,         /* 502 */
	VD_REFUSED_NO_CONFIGURATION,     /* 404 ConfigurationNotFound */
	VD_REFUSED_CONFIGURATION_EXISTS, /* 409 */
	VD_REFUSED_IMMUTABLE,            /* 400 a configuration's content */
	VD_REFUSED_NO_JOB,               /* 404 JobNotFound */
	VD_REFUSED_JOB_EXISTS,           /* 409 */
	VD_REFUSED_QUEUE_FULL,           /* 403 DeviceMaximumQueueDepthExceeded */
	VD_REFUSED_QUOTA,                /* 403 IotHubQuotaExceeded */
	VD_REFUSED_CONFLICT,             /* 409 what exists is another */
};

struct vd_refusal_info {
	int status;       /* HTTP's, and the twin answer's */
	int code;         /* Azure's */
	const char *name; /* Azure's */
};

/* Anything that is no refusal, -errno above all, is VD_REFUSED_SERVER. */
const struct vd_refusal_info *vd_refusal_info(int refusal);

/* {"Message":"ErrorCode:…;text","ExceptionMessage":"Tracking ID:…"}; NULL: no memory. */
cJSON *vd_refusal_rest_body(int refusal, const char *text);

/* {"errorCode":…,"trackingId":…,"message":…,"timestampUtc":…}: what device SDKs read. */
cJSON *vd_refusal_twin_body(int refusal, const char *text);
