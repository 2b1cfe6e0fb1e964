/* SPDX-License-Identifier: Apache-2.0 */
#include "twin/hub/device_body.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/digest.h"
#include "twin/hub/refusal.h"

enum { KEY_MIN_BYTES = 16, KEY_MAX_BYTES = 64 };

static int refuse(struct vd_fault *fault, const char *pointer, const char *text)
{
	vd_fault_set(fault, 400, pointer, "%s", text);
	return VD_REFUSED_ARGUMENT;
}

/* Absent, null or a text that fits; out stays as it was if absent or null. */
static int read_text(const cJSON *object, const char *key, const char *pointer, char *out,
		     size_t size, struct vd_fault *fault)
{
	const cJSON *value = vd_json_get(object, key);

	if (!value || cJSON_IsNull(value))
		return 0;
	if (!cJSON_IsString(value))
		return refuse(fault, pointer, "is not a text");
	if (strlen(value->valuestring) >= size)
		return refuse(fault, pointer, "is too long");
	(void)snprintf(out, size, "%s", value->valuestring);
	return 0;
}

static int check_id(const cJSON *body, const char *key, const char *pointer, const char *expected,
		    struct vd_fault *fault)
{
	char id[VD_PART_BYTES] = "";
	int r = read_text(body, key, pointer, id, sizeof id, fault);

	if (r == 0 && id[0] && strcmp(id, expected) != 0)
		return refuse(fault, pointer, "is not the id of the path");
	return r;
}

static int read_key(const cJSON *keys, const char *name, const char *pointer,
		    char key[static VD_KEY_BYTES], struct vd_fault *fault)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf bytes = { 0 };
	char given[VD_KEY_BYTES] = "";
	int r = read_text(keys, name, pointer, given, sizeof given, fault);

	if (r != 0 || !given[0])
		return r;
	r = vd_base64_decode(given, strlen(given), &bytes);
	if (bytes.data)
		explicit_bzero(bytes.data, bytes.len);
	if (r < 0 || bytes.len < KEY_MIN_BYTES || bytes.len > KEY_MAX_BYTES)
		return refuse(fault, pointer, "is not base64 of 16 to 64 bytes");
	(void)memcpy(key, given, VD_KEY_BYTES);
	return 0;
}

static int read_keys(const cJSON *authentication, struct vd_device *device, struct vd_fault *fault)
{
	const cJSON *keys = vd_json_object(authentication, "symmetricKey");
	int r = read_key(keys, "primaryKey", "/authentication/symmetricKey/primaryKey",
			 device->key[0], fault);

	if (r == 0)
		r = read_key(keys, "secondaryKey", "/authentication/symmetricKey/secondaryKey",
			     device->key[1], fault);
	return r;
}

static int read_thumbprint(const cJSON *thumbprints, const char *name, const char *pointer,
			   char out[static VD_THUMBPRINT_BYTES], struct vd_fault *fault)
{
	char given[VD_THUMBPRINT_BYTES] = "";
	int r = read_text(thumbprints, name, pointer, given, sizeof given, fault);
	size_t len = strlen(given);

	if (r != 0)
		return r;
	for (size_t i = 0; i < len; i++) {
		if (!isxdigit((unsigned char)given[i]))
			len = 1; /* no length of a thumbprint */
	}
	if (len != 0 && len != 40 && len != 64)
		return refuse(fault, pointer, "is not 40 or 64 hexadecimal digits");
	if (vd_json_get(thumbprints, name))
		(void)memcpy(out, given, VD_THUMBPRINT_BYTES);
	return 0;
}

static int read_thumbprints(const cJSON *authentication, struct vd_device *device,
			    struct vd_fault *fault)
{
	const cJSON *prints = vd_json_object(authentication, "x509Thumbprint");
	int r = read_thumbprint(prints, "primaryThumbprint",
				"/authentication/x509Thumbprint/primaryThumbprint",
				device->thumbprint[0], fault);

	if (r == 0)
		r = read_thumbprint(prints, "secondaryThumbprint",
				    "/authentication/x509Thumbprint/secondaryThumbprint",
				    device->thumbprint[1], fault);
	if (r == 0 && device->auth == VD_AUTH_SELF_SIGNED && !device->thumbprint[0][0] &&
	    !device->thumbprint[1][0])
		return refuse(fault, "/authentication/x509Thumbprint",
			      "a self-signed certificate needs a thumbprint");
	return r;
}

static int read_authentication(const cJSON *body, struct vd_device *device, struct vd_fault *fault)
{
	const cJSON *authentication = vd_json_get(body, "authentication");
	const cJSON *type = vd_json_get(authentication, "type");
	int r;

	if (!authentication || cJSON_IsNull(authentication))
		return 0;
	if (!cJSON_IsObject(authentication))
		return refuse(fault, "/authentication", "is not an object");
	if (cJSON_IsString(type)) {
		if (vd_identity_auth_parse(type->valuestring, &device->auth) < 0)
			return refuse(fault, "/authentication/type",
				      "is none of sas, selfSigned, certificateAuthority, none");
	} else if (type && !cJSON_IsNull(type)) {
		return refuse(fault, "/authentication/type", "is not a text");
	} else if (vd_json_object(authentication, "symmetricKey")) {
		device->auth = VD_AUTH_SAS;
	} else if (vd_json_object(authentication, "x509Thumbprint")) {
		device->auth = VD_AUTH_SELF_SIGNED;
	}
	r = read_keys(authentication, device, fault);
	return r == 0 ? read_thumbprints(authentication, device, fault) : r;
}

static int read_status(const cJSON *body, struct vd_device *device, struct vd_fault *fault)
{
	char status[16] = "";
	int r = read_text(body, "status", "/status", status, sizeof status, fault);

	if (r == 0 && status[0]) {
		if (strcmp(status, "enabled") != 0 && strcmp(status, "disabled") != 0)
			return refuse(fault, "/status", "is neither enabled nor disabled");
		device->enabled = strcmp(status, "enabled") == 0;
	}
	return r ? r
		 : read_text(body, "statusReason", "/statusReason", device->status_reason,
			     sizeof device->status_reason, fault);
}

static int read_capabilities(const cJSON *body, struct vd_device *device, struct vd_fault *fault)
{
	const cJSON *capabilities = vd_json_get(body, "capabilities");
	const cJSON *edge = vd_json_get(capabilities, "iotEdge");

	if (capabilities && !cJSON_IsNull(capabilities) && !cJSON_IsObject(capabilities))
		return refuse(fault, "/capabilities", "is not an object");
	if (edge && !cJSON_IsBool(edge))
		return refuse(fault, "/capabilities/iotEdge", "is neither true nor false");
	if (edge)
		device->is_edge = cJSON_IsTrue(edge);
	return 0;
}

int vd_device_body_read(const cJSON *body, struct vd_device *device, struct vd_fault *fault)
{
	int r = check_id(body, "deviceId", "/deviceId", device->name.device, fault);

	if (r == 0 && device->name.module[0])
		r = check_id(body, "moduleId", "/moduleId", device->name.module, fault);
	else if (r == 0)
		r = read_capabilities(body, device, fault);
	if (r == 0)
		r = read_status(body, device, fault);
	if (r == 0)
		r = read_text(body, "managedBy", "/managedBy", device->managed_by,
			      sizeof device->managed_by, fault);
	if (r == 0)
		r = read_authentication(body, device, fault);
	return r;
}
