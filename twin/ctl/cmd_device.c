/* SPDX-License-Identifier: Apache-2.0 */
/* vedettectl device … */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "twin/ctl/client.h"
#include "twin/ctl/ctl.h"
#include "twin/ctl/say.h"
#include "twin/ctl/table.h"

static const char *auth_of(const cJSON *device)
{
	return vd_json_string(vd_json_get(device, "authentication"), "type", NULL);
}

static const char *key_of(const cJSON *device)
{
	return vd_json_string(vd_json_get(vd_json_get(device, "authentication"), "symmetricKey"),
			      "primaryKey", NULL);
}

/* Azure's "never". */
static const char *time_of(const cJSON *device, const char *key)
{
	const char *text = vd_json_string(device, key, NULL);

	return text && strncmp(text, "0001-", 5) == 0 ? NULL : text;
}

int vd_cmd_device_list(struct vd_ctl *ctl)
{
	static const char *const headings[] = { "DEVICE",         "STATUS",        "CONNECTION",
						"AUTHENTICATION", "LAST ACTIVITY", NULL };
	const struct vd_request request = { .method = "GET", .path = "/devices/" };
	VD_CLEANUP(vd_json_free) cJSON *list = NULL;
	VD_CLEANUP(vd_table_free) struct vd_table *table = NULL;
	const cJSON *device;
	int r = vd_client_call(ctl->client, &request, &list);

	if (r != VD_EXIT_OK)
		return r;
	if (ctl->is_json)
		return vd_say_json(list);
	if (vd_table_new(headings, &table) < 0)
		return VD_EXIT_FAILED;
	cJSON_ArrayForEach(device, list)
	{
		const char *const cells[] = { vd_json_string(device, "deviceId", NULL),
					      vd_json_string(device, "status", NULL),
					      vd_json_string(device, "connectionState", NULL),
					      auth_of(device),
					      time_of(device, "lastActivityTime") };

		if (vd_table_add(table, cells) < 0)
			return VD_EXIT_FAILED;
	}
	vd_table_print(table, stdout);
	return VD_EXIT_OK;
}

static int get_device(struct vd_ctl *ctl, const char *id, cJSON **ret_device)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf path = { 0 };
	struct vd_request request = { .method = "GET" };
	int r = vd_say_path(ctl, "/devices", id, &path);

	if (r < 0)
		return r == -EINVAL ? VD_EXIT_USAGE : VD_EXIT_FAILED;
	request.path = path.data;
	return vd_client_call(ctl->client, &request, ret_device);
}

static int print_connection(const struct vd_ctl *ctl, const cJSON *device)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf text = { 0 };

	if (vd_connection_of_device(ctl->connection.host, vd_json_string(device, "deviceId", ""),
				    vd_json_string(device, "moduleId", NULL), key_of(device),
				    &text) < 0)
		return VD_EXIT_FAILED;
	return puts(text.data) >= 0 ? VD_EXIT_OK : VD_EXIT_FAILED;
}

static void print_line(const char *label, const char *value)
{
	if (value && value[0])
		(void)printf("%-16s %s\n", label, value);
}

static void print_device(const cJSON *device)
{
	const cJSON *prints = vd_json_get(vd_json_get(device, "authentication"), "x509Thumbprint");

	print_line("device", vd_json_string(device, "deviceId", NULL));
	print_line("module", vd_json_string(device, "moduleId", NULL));
	print_line("status", vd_json_string(device, "status", NULL));
	print_line("reason", vd_json_string(device, "statusReason", NULL));
	print_line("connection", vd_json_string(device, "connectionState", NULL));
	print_line("changed", time_of(device, "connectionStateUpdatedTime"));
	print_line("last activity", time_of(device, "lastActivityTime"));
	print_line("authentication", auth_of(device));
	print_line("thumbprint", vd_json_string(prints, "primaryThumbprint", NULL));
	print_line("second", vd_json_string(prints, "secondaryThumbprint", NULL));
	print_line("generation", vd_json_string(device, "generationId", NULL));
	print_line("etag", vd_json_string(device, "etag", NULL));
}

static int print_modules(struct vd_ctl *ctl, const char *id)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf path = { 0 };
	VD_CLEANUP(vd_json_free) cJSON *list = NULL;
	struct vd_request request = { .method = "GET" };
	const cJSON *module;
	int r;

	if (vd_say_path(ctl, "/devices", id, &path) < 0 || vd_buf_printf(&path, "/modules") < 0)
		return VD_EXIT_FAILED;
	request.path = path.data;
	r = vd_client_call(ctl->client, &request, &list);
	cJSON_ArrayForEach(module, list)
	{
		(void)printf("%-16s %s (%s)\n", "identity of",
			     vd_json_string(module, "moduleId", ""),
			     vd_json_string(module, "connectionState", ""));
	}
	return r;
}

int vd_cmd_device_show(struct vd_ctl *ctl)
{
	VD_CLEANUP(vd_json_free) cJSON *device = NULL;
	const char *id = ctl->arguments[0];
	int r = get_device(ctl, id, &device);

	if (r != VD_EXIT_OK)
		return r;
	if (ctl->is_credentials)
		return print_connection(ctl, device);
	if (ctl->is_json)
		return vd_say_json(device);
	print_device(device);
	return strchr(id, '/') ? VD_EXIT_OK : print_modules(ctl, id);
}

static bool add_authentication(const struct vd_ctl *ctl, cJSON *device)
{
	const char *type = ctl->auth ? ctl->auth : ctl->thumbprint[0] ? "selfSigned" : "sas";
	cJSON *auth = cJSON_AddObjectToObject(device, "authentication");
	cJSON *prints;

	if (!auth || !vd_json_add_string(auth, "type", type))
		return false;
	if (!ctl->thumbprint[0])
		return true;
	prints = cJSON_AddObjectToObject(auth, "x509Thumbprint");
	return prints && vd_json_add_string(prints, "primaryThumbprint", ctl->thumbprint[0]) &&
	       (!ctl->thumbprint[1] ||
		vd_json_add_string(prints, "secondaryThumbprint", ctl->thumbprint[1]));
}

static cJSON *new_device(const struct vd_ctl *ctl, const char *id)
{
	VD_CLEANUP(vd_json_free) cJSON *device = cJSON_CreateObject();

	if (!device || !add_authentication(ctl, device) ||
	    (!strchr(id, '/') &&
	     !vd_json_add_string(device, "status", ctl->is_disabled ? "disabled" : "enabled")))
		return NULL;
	return VD_TAKE(device);
}

int vd_cmd_device_create(struct vd_ctl *ctl)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf path = { 0 };
	VD_CLEANUP(vd_json_free) cJSON *body = new_device(ctl, ctl->arguments[0]);
	VD_CLEANUP(vd_json_free) cJSON *device = NULL;
	struct vd_request request = { .method = "PUT", .body = body };
	int r = body ? vd_say_path(ctl, "/devices", ctl->arguments[0], &path) : -ENOMEM;

	if (r < 0)
		return r == -EINVAL ? VD_EXIT_USAGE : VD_EXIT_FAILED;
	request.path = path.data;
	r = vd_client_call(ctl->client, &request, &device);
	if (r != VD_EXIT_OK)
		return r;
	return ctl->is_json ? vd_say_json(device) : print_connection(ctl, device);
}

int vd_cmd_device_delete(struct vd_ctl *ctl)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf path = { 0 };
	struct vd_request request = { .method = "DELETE", .if_match = "*" };
	int r = vd_say_path(ctl, "/devices", ctl->arguments[0], &path);

	if (r < 0)
		return r == -EINVAL ? VD_EXIT_USAGE : VD_EXIT_FAILED;
	request.path = path.data;
	r = vd_client_call(ctl->client, &request, NULL);
	if (r == VD_EXIT_OK && !ctl->is_json)
		(void)printf("%s deleted\n", ctl->arguments[0]);
	return r;
}

static int set_status(struct vd_ctl *ctl, const char *status)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf path = { 0 };
	VD_CLEANUP(vd_json_free) cJSON *body = cJSON_CreateObject();
	VD_CLEANUP(vd_json_free) cJSON *device = NULL;
	struct vd_request request = { .method = "PUT", .body = body, .if_match = "*" };
	int r = body && vd_json_add_string(body, "status", status)
			? vd_say_path(ctl, "/devices", ctl->arguments[0], &path)
			: -ENOMEM;

	if (r < 0)
		return r == -EINVAL ? VD_EXIT_USAGE : VD_EXIT_FAILED;
	request.path = path.data;
	r = vd_client_call(ctl->client, &request, &device);
	if (r != VD_EXIT_OK)
		return r;
	if (ctl->is_json)
		return vd_say_json(device);
	(void)printf("%s %s\n", ctl->arguments[0], status);
	return VD_EXIT_OK;
}

int vd_cmd_device_enable(struct vd_ctl *ctl)
{
	return set_status(ctl, "enabled");
}

int vd_cmd_device_disable(struct vd_ctl *ctl)
{
	return set_status(ctl, "disabled");
}
