/* SPDX-License-Identifier: Apache-2.0 */
#include "twin/ctl/connection.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

static const struct {
	const char *name;
	size_t offset, size;
} fields[] = {
	{ "HostName", offsetof(struct vd_connection, host),
	  sizeof((struct vd_connection *)0)->host },
	{ "SharedAccessKeyName", offsetof(struct vd_connection, policy),
	  sizeof((struct vd_connection *)0)->policy },
	{ "SharedAccessKey", offsetof(struct vd_connection, key),
	  sizeof((struct vd_connection *)0)->key },
};

static int refuse(struct vd_fault *fault, const char *text, const char *name, size_t len)
{
	vd_fault_set(fault, 400, "", "the connection string %s %.*s", text, (int)len, name);
	return -EINVAL;
}

static int take_field(const char *text, size_t len, struct vd_connection *connection,
		      struct vd_fault *fault)
{
	const char *equals = memchr(text, '=', len);
	size_t name_len = equals ? (size_t)(equals - text) : len;

	for (size_t i = 0; i < VD_COUNT(fields); i++) {
		size_t value_len = len - name_len - 1;
		char *out = (char *)connection + fields[i].offset;

		if (!equals || strlen(fields[i].name) != name_len ||
		    strncmp(fields[i].name, text, name_len) != 0)
			continue;
		if (value_len >= fields[i].size)
			return refuse(fault, "has too long a", text, name_len);
		(void)memcpy(out, equals + 1, value_len);
		out[value_len] = '\0';
		return 0;
	}
	return refuse(fault, "has an unknown field", text, name_len);
}

int vd_connection_parse(const char *text, struct vd_connection *ret_connection,
			struct vd_fault *fault)
{
	struct vd_connection connection = { 0 };

	while (*text) {
		size_t len = strcspn(text, ";");

		if (len > 0 && take_field(text, len, &connection, fault) < 0)
			return -EINVAL;
		text += len + (text[len] == ';');
	}
	for (size_t i = 0; i < VD_COUNT(fields); i++) {
		if (!((char *)&connection)[fields[i].offset])
			return refuse(fault, "lacks", fields[i].name, strlen(fields[i].name));
	}
	*ret_connection = connection;
	return 0;
}

int vd_connection_of_device(const char *host, const char *device, const char *module,
			    const char *key, struct vd_buf *out)
{
	int r = vd_buf_printf(out, "HostName=%s;DeviceId=%s", host, device);

	if (r == 0 && module && module[0])
		r = vd_buf_printf(out, ";ModuleId=%s", module);
	if (r == 0 && key && key[0])
		return vd_buf_printf(out, ";SharedAccessKey=%s", key);
	return r == 0 ? vd_buf_printf(out, ";x509=true") : r;
}
