/* SPDX-License-Identifier: Apache-2.0 */
#include "twin/hub/files/device_access.h"

#include <stdio.h>
#include <string.h>

#include "base/sas.h"
#include "twin/hub/policies.h"

static int refuse(struct vd_fault *fault, int refusal, const char *text)
{
	vd_fault_set(fault, vd_refusal_info(refusal)->status, "", "%s", text);
	return refusal;
}

static int check_keys(const struct vd_sas *sas, const struct vd_device *device,
		      const char *host_name, int64_t now_ms, struct vd_fault *fault)
{
	char wanted[sizeof sas->resource];
	int len = snprintf(wanted, sizeof wanted, "%s/devices/%s", host_name, device->name.device);
	bool is_good = false;

	if (len < 0 || (size_t)len >= sizeof wanted || device->auth != VD_AUTH_SAS)
		return refuse(fault, VD_REFUSED_UNAUTHORIZED, "the device has no keys");
	for (int i = 0; i < 2 && !is_good; i++)
		is_good = device->key[i][0] &&
			  vd_sas_verify(sas, device->key[i], wanted, now_ms / 1000, NULL) == 0;
	if (!is_good)
		return refuse(fault, VD_REFUSED_UNAUTHORIZED,
			      "the token is not of this device, or has expired");
	return 0;
}

int vd_device_access(struct vd_store *store, const char *host_name, int64_t now_ms,
		     struct vd_call *call, const struct vd_name *name, struct vd_fault *fault)
{
	struct vd_device device;
	struct vd_sas sas;
	int r;

	if (!call->authorization)
		return refuse(fault, VD_REFUSED_UNAUTHORIZED,
			      "the Authorization header is missing");
	if (vd_sas_parse(call->authorization, strlen(call->authorization), &sas, fault) < 0)
		return VD_REFUSED_UNAUTHORIZED;
	if (sas.policy[0]) {
		r = vd_policies_authorize(store, host_name, VD_RIGHT_DEVICE, now_ms, call, fault);
		if (r != 0)
			return r;
	}
	r = vd_store_device_get(store, name, &device);
	if (r == VD_STORE_NONE) /* as for a wrong key: ids are not to be found out here */
		return refuse(fault, VD_REFUSED_UNAUTHORIZED,
			      "the token is not of this device, or has expired");
	if (r == 0 && !sas.policy[0])
		r = check_keys(&sas, &device, host_name, now_ms, fault);
	explicit_bzero(device.key, sizeof device.key);
	if (r == 0 && !device.enabled)
		return refuse(fault, VD_REFUSED_UNAUTHORIZED, "the device is disabled");
	return r;
}
