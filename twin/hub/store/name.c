/* SPDX-License-Identifier: Apache-2.0 */
#include "twin/hub/store/name.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "twin/broker/identities.h"

int vd_name_make(const char *device, const char *module, struct vd_name *ret_name)
{
	struct vd_name name = { 0 };

	if (!vd_identity_part_is_valid(device, strlen(device)))
		return -EINVAL;
	if (module && module[0] && !vd_identity_part_is_valid(module, strlen(module)))
		return -EINVAL;
	(void)snprintf(name.device, sizeof name.device, "%s", device);
	(void)snprintf(name.module, sizeof name.module, "%s", module ? module : "");
	*ret_name = name;
	return 0;
}

int vd_name_parse(const char *id, struct vd_name *ret_name)
{
	const char *slash = strchr(id, '/');
	char device[VD_PART_BYTES];

	if (!slash)
		return vd_name_make(id, NULL, ret_name);
	if ((size_t)(slash - id) >= sizeof device || !slash[1])
		return -EINVAL;
	(void)snprintf(device, sizeof device, "%.*s", (int)(slash - id), id);
	return vd_name_make(device, slash + 1, ret_name);
}

const char *vd_name_text(const struct vd_name *name, char text[static VD_ID_BYTES])
{
	(void)snprintf(text, VD_ID_BYTES, "%s%s%s", name->device, name->module[0] ? "/" : "",
		       name->module);
	return text;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int vd_percent_decode(char *text)
{
	char *out = text;

	for (const char *in = text; *in; in++) {
		if (*in != '%') {
			*out++ = *in;
			continue;
		}
		int high = hex_digit(in[1]), low = high < 0 ? -1 : hex_digit(in[2]);

		if (low < 0 || high * 16 + low == 0)
			return -EINVAL;
		*out++ = (char)(high * 16 + low);
		in += 2;
	}
	*out = '\0';
	return (int)(out - text);
}
