/* SPDX-License-Identifier: Apache-2.0 */
#include "twin/hub/policies.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/digest.h"
#include "base/sas.h"

enum { KEY_RANDOM_BYTES = 32 };

static const struct {
	const char *name;
	unsigned rights;
} defaults[] = {
	{ "iothubowner",
	  VD_RIGHT_REGISTRY_READ | VD_RIGHT_REGISTRY_WRITE | VD_RIGHT_SERVICE | VD_RIGHT_DEVICE },
	{ "service", VD_RIGHT_SERVICE },
	{ "device", VD_RIGHT_DEVICE },
	{ "registryRead", VD_RIGHT_REGISTRY_READ },
	{ "registryReadWrite", VD_RIGHT_REGISTRY_READ | VD_RIGHT_REGISTRY_WRITE },
};

int vd_key_make(char key[static VD_KEY_BYTES])
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf text = { 0 };
	uint8_t bytes[KEY_RANDOM_BYTES];
	int r;

	vd_random(bytes, sizeof bytes);
	r = vd_base64_encode(bytes, sizeof bytes, &text);
	if (r == 0)
		(void)snprintf(key, VD_KEY_BYTES, "%s", text.data);
	explicit_bzero(bytes, sizeof bytes);
	return r;
}

int vd_policies_seed(struct vd_store *store)
{
	int r = vd_store_begin(store);

	for (size_t i = 0; r == 0 && i < VD_COUNT(defaults); i++) {
		struct vd_policy_row row = { .rights = defaults[i].rights };

		(void)snprintf(row.name, sizeof row.name, "%s", defaults[i].name);
		r = vd_key_make(row.key[0]);
		if (r == 0)
			r = vd_key_make(row.key[1]);
		if (r == 0)
			r = vd_store_policy_add(store, &row);
		if (r == VD_STORE_DUPLICATE)
			r = 0;
	}
	if (r == 0)
		return vd_store_commit(store);
	vd_store_rollback(store);
	return r;
}

static int wanted_resource(const char *host_name, const struct vd_call *call, char *out,
			   size_t size)
{
	int len = snprintf(out, size, "%s", host_name);

	for (int i = 0; i < call->segment_count && len >= 0 && (size_t)len < size; i++)
		len += snprintf(out + len, size - (size_t)len, "/%s", call->segments[i]);
	return len < 0 || (size_t)len >= size ? -ENAMETOOLONG : 0;
}

static int unauthorized(struct vd_fault *fault, const char *text)
{
	vd_fault_set(fault, 401, "", "%s", text);
	return VD_REFUSED_UNAUTHORIZED;
}

int vd_policies_authorize(struct vd_store *store, const char *host_name, unsigned needed_rights,
			  int64_t now_ms, struct vd_call *call, struct vd_fault *fault)
{
	struct vd_policy_row policy;
	struct vd_sas sas;
	char wanted[1024];
	int r;

	if (!call->authorization)
		return unauthorized(fault, "the Authorization header is missing");
	if (vd_sas_parse(call->authorization, strlen(call->authorization), &sas, fault) < 0)
		return VD_REFUSED_UNAUTHORIZED;
	if (wanted_resource(host_name, call, wanted, sizeof wanted) < 0)
		return unauthorized(fault, "the path is too long");
	r = vd_store_policy_get(store, sas.policy, &policy);
	if (r == VD_STORE_NONE)
		return unauthorized(fault, "the token names no policy of this hub (skn)");
	if (r < 0)
		return r;
	r = vd_sas_verify(&sas, policy.key[0], wanted, now_ms / 1000, fault);
	if (r < 0)
		r = vd_sas_verify(&sas, policy.key[1], wanted, now_ms / 1000, fault);
	explicit_bzero(policy.key, sizeof policy.key);
	if (r < 0)
		return VD_REFUSED_UNAUTHORIZED;
	if (fault)
		fault->code = 0; /* of the first key */
	if ((policy.rights & needed_rights) != needed_rights) {
		vd_fault_set(fault, 401, "", "policy %s lacks the right that this call needs",
			     policy.name);
		return VD_REFUSED_FORBIDDEN;
	}
	(void)snprintf(call->author, sizeof call->author, "%s", policy.name);
	return 0;
}

int vd_policies_show(struct vd_store *store, const char *host_name, const char *name,
		     struct vd_buf *out)
{
	struct vd_policy_row policy;
	int r = vd_store_policy_get(store, name, &policy);

	if (r != 0)
		return r;
	return vd_buf_printf(out, "HostName=%s;SharedAccessKeyName=%s;SharedAccessKey=%s",
			     host_name, policy.name, policy.key[0]);
}
