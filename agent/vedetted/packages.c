/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/vedetted/packages.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/schema.h"

enum { MANIFEST_BYTES = 64 * 1024, SCHEMA_BYTES = 256 * 1024, PROTOCOL = 1 };

struct vd_package *vd_package_free(struct vd_package *p)
{
	if (p) {
		free(p->folder);
		free(p->program);
		vd_json_free(p->manifest);
		vd_json_free(p->schema);
		free(p);
	}
	return NULL;
}

static bool is_plain_name(const char *name)
{
	return *name && *name != '.' && !strchr(name, '/') && strlen(name) < 128;
}

static int read_json(const char *folder, const char *name, size_t limit, cJSON **ret_json,
		     struct vd_fault *fault)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf text = { 0 };
	char path[PATH_MAX];
	int r;

	if (snprintf(path, sizeof path, "%s/%s", folder, name) >= (int)sizeof path)
		return -ENAMETOOLONG;
	r = vd_file_read(path, limit, &text, fault);
	if (r < 0)
		return r;
	r = vd_json_parse(text.data ? text.data : "", text.len, ret_json, fault);
	if (r < 0)
		vd_fault_prefix(fault, "%s", path);
	return r;
}

static int check_manifest(const struct vd_package *p, const char *name, const char *version,
			  struct vd_fault *fault)
{
	const cJSON *range = vd_json_array(p->manifest, "protocol");
	const cJSON *low = cJSON_GetArrayItem(range, 0), *high = cJSON_GetArrayItem(range, 1);

	if (strcmp(vd_json_string(p->manifest, "name", ""), name) ||
	    strcmp(vd_json_string(p->manifest, "version", ""), version)) {
		vd_fault_set(fault, 500, "", "%s/manifest.json is of another name or version",
			     p->folder);
		return -EINVAL;
	}
	if (!cJSON_IsNumber(low) || !cJSON_IsNumber(high) || low->valueint > PROTOCOL ||
	    high->valueint < PROTOCOL) {
		vd_fault_set(fault, 500, "", "%s does not speak module protocol %d", p->folder,
			     PROTOCOL);
		return -EPROTO;
	}
	if (access(p->program, X_OK) < 0) {
		vd_fault_set(fault, 500, "", "%s: %s", p->program, strerror(errno));
		return -ENOEXEC;
	}
	return vd_schema_verify(p->schema, fault);
}

static int load(struct vd_package *p, const char *name, const char *version, struct vd_fault *fault)
{
	const char *entry;
	int r = read_json(p->folder, "manifest.json", MANIFEST_BYTES, &p->manifest, fault);

	if (r < 0)
		return r;
	entry = vd_json_string(p->manifest, "entryPoint", "");
	if (!is_plain_name(entry)) {
		vd_fault_set(fault, 500, "", "%s/manifest.json: entryPoint is no plain file name",
			     p->folder);
		return -EINVAL;
	}
	if (asprintf(&p->program, "%s/%s", p->folder, entry) < 0) {
		p->program = NULL;
		return -ENOMEM;
	}
	r = read_json(p->folder, "schema.json", SCHEMA_BYTES, &p->schema, fault);
	return r < 0 ? r : check_manifest(p, name, version, fault);
}

/* "; installed: 1.0.0 1.1.0" or "". */
static void list_versions(const cJSON *folders, const char *name, char *out, size_t size)
{
	VD_CLEANUP(vd_json_free) cJSON *all = vd_packages_list(folders);
	const cJSON *item;
	size_t n = 0;

	out[0] = '\0';
	cJSON_ArrayForEach(item, all)
	{
		if (strcmp(vd_json_string(item, "name", ""), name) || n + 40 > size)
			continue;
		n += (size_t)snprintf(out + n, size - n, "%s %.32s",
				      n ? "" : "; installed:", vd_json_string(item, "version", ""));
	}
}

static int find_folder(const cJSON *folders, const char *name, const char *version,
		       char **ret_folder)
{
	const cJSON *folder;

	if (!is_plain_name(name) || !is_plain_name(version))
		return -ENOENT;
	cJSON_ArrayForEach(folder, folders)
	{
		VD_CLEANUP(vd_free) char *path = NULL;

		if (asprintf(&path, "%s/%s/%s", folder->valuestring, name, version) < 0) {
			path = NULL;
			return -ENOMEM;
		}
		if (access(path, F_OK) == 0) {
			*ret_folder = realpath(path, NULL);
			return *ret_folder ? 0 : -errno;
		}
	}
	return -ENOENT;
}

int vd_package_load(const cJSON *folders, const char *name, const char *version,
		    struct vd_package **ret_package, struct vd_fault *fault)
{
	VD_CLEANUP(vd_package_free) struct vd_package *p = calloc(1, sizeof *p);
	int r = p ? find_folder(folders, name, version, &p->folder) : -ENOMEM;

	if (r == -ENOENT) {
		char versions[160];

		list_versions(folders, name, versions, sizeof versions);
		vd_fault_set(fault, 404, "", "package %.60s %.40s is not installed%s", name,
			     version, versions);
	}
	if (r < 0)
		return r;
	r = load(p, name, version, fault);
	if (r == 0)
		*ret_package = VD_TAKE(p);
	return r;
}

static enum vd_port_kind port_kind(const cJSON *ports, const char *name)
{
	const cJSON *port = vd_json_object(ports, name);

	if (!port)
		return VD_PORT_UNKNOWN;
	return strcmp(vd_json_string(port, "kind", "message"), "frames") ? VD_PORT_MESSAGE
									 : VD_PORT_FRAMES;
}

enum vd_port_kind vd_package_output(const struct vd_package *package, const char *name)
{
	return port_kind(vd_json_object(package->manifest, "outputs"), name);
}

enum vd_port_kind vd_package_input(const struct vd_package *package, const char *name)
{
	return port_kind(vd_json_object(package->manifest, "inputs"), name);
}

static int is_visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

/* Sorted by strverscmp; freed by the caller, each and the array. */
static int list_folder(const char *path, struct dirent ***ret_entries)
{
	int n = scandir(path, ret_entries, is_visible, versionsort);

	return n < 0 ? 0 : n;
}

static void add_versions(cJSON *list, const char *folder, const char *name)
{
	struct dirent **versions = NULL;
	char path[PATH_MAX];
	int n = 0;

	if (snprintf(path, sizeof path, "%s/%s", folder, name) < (int)sizeof path)
		n = list_folder(path, &versions);
	for (int i = 0; i < n; i++) {
		cJSON *item = cJSON_CreateObject();

		if (item && vd_json_add_string(item, "name", name) &&
		    vd_json_add_string(item, "version", versions[i]->d_name) &&
		    vd_json_add_string(item, "folder", path) && cJSON_AddItemToArray(list, item))
			item = NULL;
		vd_json_free(item);
		free(versions[i]);
	}
	free(versions);
}

cJSON *vd_packages_list(const cJSON *folders)
{
	cJSON *list = cJSON_CreateArray();
	const cJSON *folder;

	cJSON_ArrayForEach(folder, folders)
	{
		struct dirent **names = NULL;
		int n = list ? list_folder(folder->valuestring, &names) : 0;

		for (int i = 0; i < n; i++) {
			add_versions(list, folder->valuestring, names[i]->d_name);
			free(names[i]);
		}
		free(names);
	}
	return list;
}
