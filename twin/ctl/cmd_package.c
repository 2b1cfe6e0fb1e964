/* SPDX-License-Identifier: Apache-2.0 */
/* vedettectl package upload, list, channel, history and gc: what concerns the hub's registry */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/file.h"
#include "base/signature.h"
#include "twin/ctl/client.h"
#include "twin/ctl/ctl.h"
#include "twin/ctl/say.h"
#include "twin/document/manifest.h"

/* --- upload --- */

struct upload {
	struct vd_buf text, signature;
	struct vd_manifest manifest;
	char archive[PATH_MAX];
};

static void upload_fini_p(struct upload *upload)
{
	vd_buf_fini(&upload->text);
	vd_buf_fini(&upload->signature);
	vd_manifest_fini(&upload->manifest);
}

/* NAME.json, with NAME.json.sig and NAME.tar.zst beside it. */
static int read_files(const char *path, struct upload *upload)
{
	size_t stem = strlen(path) > 5 ? strlen(path) - 5 : 0;
	char signature[PATH_MAX];
	struct vd_fault fault = { 0 };
	int r;

	if (!stem || strcmp(path + stem, ".json") != 0 || strlen(path) > PATH_MAX - 16)
		return vd_say_error(VD_EXIT_USAGE, "\"%s\" is no manifest's name (….json)", path);
	(void)snprintf(signature, sizeof signature, "%.*s.sig", PATH_MAX - 16, path);
	(void)snprintf(upload->archive, sizeof upload->archive, "%.*s.tar.zst", (int)stem, path);
	r = vd_file_read(path, VD_MANIFEST_BYTES, &upload->text, &fault);
	if (r == 0)
		r = vd_file_read(signature, VD_SIGNATURE_FILE_BYTES, &upload->signature, &fault);
	if (r == 0)
		r = vd_manifest_parse(upload->text.data ? upload->text.data : "", upload->text.len,
				      &upload->manifest, &fault);
	return r < 0 ? vd_say_error(VD_EXIT_FAILED, "%s: %s%s%s", path, fault.pointer,
				    fault.pointer[0] ? ": " : "", fault.text)
		     : VD_EXIT_OK;
}

static int put_manifest(struct vd_ctl *ctl, const struct upload *upload, cJSON **ret_json)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf path = { 0 };
	VD_CLEANUP(vd_json_free) cJSON *body = cJSON_CreateObject();
	struct vd_request request = { .method = "PUT", .body = body };

	if (!body || !vd_json_add_string(body, "manifest", upload->text.data) ||
	    !vd_json_add_string(body, "signature",
				upload->signature.data ? upload->signature.data : "") ||
	    vd_buf_printf(&path, "/packages/%s/%s/%s", upload->manifest.name,
			  upload->manifest.version, upload->manifest.arch) < 0)
		return VD_EXIT_FAILED;
	request.path = path.data;
	return vd_client_call(ctl->client, &request, ret_json);
}

int vd_cmd_package_upload(struct vd_ctl *ctl)
{
	VD_CLEANUP(upload_fini) struct upload upload = { 0 };
	VD_CLEANUP(vd_json_free) cJSON *json = NULL;
	char path[100];
	int r = read_files(ctl->arguments[0], &upload);

	if (r == VD_EXIT_OK)
		r = put_manifest(ctl, &upload, &json);
	if (r != VD_EXIT_OK)
		return r;
	if (strcmp(vd_json_string(json, "state", ""), "stored") != 0) {
		(void)snprintf(path, sizeof path, "/package-uploads/%s", upload.manifest.sha256);
		r = vd_client_put_file(ctl->client, path, upload.archive);
		if (r != VD_EXIT_OK)
			return r;
	}
	if (!ctl->is_json)
		(void)printf("%s %s %s stored\n", upload.manifest.name, upload.manifest.version,
			     upload.manifest.arch);
	return VD_EXIT_OK;
}

/* --- lists --- */

static int add_page(struct vd_ctl *ctl, cJSON *all, struct vd_buf *after, const char *name)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf path = { 0 };
	VD_CLEANUP(vd_json_free) cJSON *page = NULL;
	struct vd_request request = { .method = "GET" };
	const char *next;
	cJSON *items;
	int r;

	if (vd_buf_printf(&path, "/packages%s", name ? "/" : "") < 0 ||
	    (name && vd_client_escape(ctl->client, name, &path) < 0) ||
	    vd_buf_printf(&path, "?limit=1000%s", after->len ? "&after=" : "") < 0 ||
	    (after->len && vd_client_escape(ctl->client, after->data, &path) < 0))
		return VD_EXIT_FAILED;
	request.path = path.data;
	r = vd_client_call(ctl->client, &request, &page);
	if (r != VD_EXIT_OK)
		return r;
	items = cJSON_GetObjectItemCaseSensitive(page, "items");
	while (cJSON_GetArraySize(items) > 0)
		(void)cJSON_AddItemToArray(all, cJSON_DetachItemFromArray(items, 0));
	vd_buf_clear(after);
	next = vd_json_string(page, "continuation", "");
	return vd_buf_append(after, next, strlen(next)) < 0 ? VD_EXIT_FAILED : VD_EXIT_OK;
}

int vd_cmd_package_list(struct vd_ctl *ctl)
{
	static const char *const headings[] = {
		"NAME", "VERSION", "ARCH", "KIND", "CREATED", NULL
	};
	static const char *const keys[] = {
		"name", "version", "arch", "kind", "createdTime", NULL
	};
	VD_CLEANUP(vd_json_free) cJSON *all = cJSON_CreateArray();
	VD_CLEANUP(vd_buf_fini) struct vd_buf after = { 0 };
	int r = all ? VD_EXIT_OK : VD_EXIT_FAILED;

	do {
		if (r == VD_EXIT_OK)
			r = add_page(ctl, all, &after, ctl->arguments[0]);
	} while (r == VD_EXIT_OK && after.len > 0);
	return r == VD_EXIT_OK ? vd_say_list(ctl, all, headings, keys) : r;
}

/* --- channels --- */

static int channel_path(struct vd_ctl *ctl, const char *suffix, struct vd_buf *path)
{
	struct utsname machine = { 0 };
	int r = uname(&machine) < 0 ? -errno : vd_buf_printf(path, "/channels");
	const char *parts[] = { ctl->arguments[0], ctl->arch ? ctl->arch : machine.machine,
				ctl->arguments[1] };

	for (size_t i = 0; r == 0 && i < VD_COUNT(parts); i++) {
		r = vd_buf_append(path, "/", 1);
		if (r == 0)
			r = vd_client_escape(ctl->client, parts[i], path);
	}
	return r == 0 ? vd_buf_printf(path, "%s", suffix) : r;
}

static int list_channels(struct vd_ctl *ctl)
{
	static const char *const headings[] = { "NAME",  "ARCH",   "CHANNEL", "VERSION",
						"MOVED", "AUTHOR", "COMMENT", NULL };
	static const char *const keys[] = { "name",      "arch",   "channel", "version",
					    "movedTime", "author", "comment", NULL };
	VD_CLEANUP(vd_buf_fini) struct vd_buf path = { 0 };
	VD_CLEANUP(vd_json_free) cJSON *list = NULL;
	struct vd_request request = { .method = "GET" };
	int r;

	if (vd_buf_printf(&path, "/channels%s", ctl->argument_count ? "?name=" : "") < 0 ||
	    (ctl->argument_count && vd_client_escape(ctl->client, ctl->arguments[0], &path) < 0))
		return VD_EXIT_FAILED;
	request.path = path.data;
	r = vd_client_call(ctl->client, &request, &list);
	return r == VD_EXIT_OK ? vd_say_list(ctl, list, headings, keys) : r;
}

static int move_channel(struct vd_ctl *ctl, const char *version)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf path = { 0 };
	VD_CLEANUP(vd_json_free) cJSON *body = cJSON_CreateObject();
	struct vd_request request = { .method = "PUT", .body = body };
	int r;

	if (!body || !vd_json_add_string(body, "version", version) ||
	    (ctl->comment && !vd_json_add_string(body, "comment", ctl->comment)) ||
	    channel_path(ctl, "", &path) < 0)
		return VD_EXIT_FAILED;
	request.path = path.data;
	r = vd_client_call(ctl->client, &request, NULL);
	if (r == VD_EXIT_OK && !ctl->is_json)
		(void)printf("%s %s -> %s\n", ctl->arguments[0], ctl->arguments[1], version);
	return r;
}

int vd_cmd_package_channel(struct vd_ctl *ctl)
{
	if (ctl->argument_count == 3)
		return move_channel(ctl, ctl->arguments[2]);
	if (ctl->argument_count < 2)
		return list_channels(ctl);
	return vd_say_error(VD_EXIT_USAGE, "usage: vedettectl package channel [NAME] | NAME "
					   "CHANNEL VERSION [--arch A] [--comment TEXT]");
}

int vd_cmd_package_history(struct vd_ctl *ctl)
{
	static const char *const headings[] = { "MOVED", "FROM", "TO", "AUTHOR", "COMMENT", NULL };
	static const char *const keys[] = { "movedTime", "before",  "version",
					    "author",    "comment", NULL };
	VD_CLEANUP(vd_buf_fini) struct vd_buf path = { 0 };
	VD_CLEANUP(vd_json_free) cJSON *list = NULL;
	struct vd_request request = { .method = "GET" };
	int r;

	if (channel_path(ctl, "/history", &path) < 0)
		return VD_EXIT_FAILED;
	request.path = path.data;
	r = vd_client_call(ctl->client, &request, &list);
	return r == VD_EXIT_OK ? vd_say_list(ctl, list, headings, keys) : r;
}

/* --- collection --- */

int vd_cmd_package_gc(struct vd_ctl *ctl)
{
	static const char *const headings[] = { "NAME", "VERSION", "ARCH", "CREATED", NULL };
	static const char *const keys[] = { "name", "version", "arch", "createdTime", NULL };
	VD_CLEANUP(vd_json_free) cJSON *body = cJSON_CreateObject();
	VD_CLEANUP(vd_json_free) cJSON *answer = NULL;
	const struct vd_request request = {
		.method = "POST", .path = "/packages/gc", .body = body, .timeout_s = 600
	};
	int r;

	if (!body || !vd_json_add_bool(body, "dryRun", ctl->is_dry_run) ||
	    (ctl->days >= 0 && !vd_json_add_number(body, "olderThanDays", ctl->days)))
		return VD_EXIT_FAILED;
	r = vd_client_call(ctl->client, &request, &answer);
	if (r != VD_EXIT_OK || ctl->is_json)
		return r == VD_EXIT_OK ? vd_say_json(answer) : r;
	r = vd_say_list(ctl, vd_json_array(answer, "items"), headings, keys);
	(void)printf("%d packages, %.0f bytes %s\n",
		     cJSON_GetArraySize(vd_json_array(answer, "items")),
		     vd_json_number(answer, "bytes", 0),
		     ctl->is_dry_run ? "would be deleted" : "deleted");
	return r;
}
