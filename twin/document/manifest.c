/* SPDX-License-Identifier: Apache-2.0 */
#include "twin/document/manifest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/schema.h"

extern const char vd_manifest_schema_json[];
extern const size_t vd_manifest_schema_json_len;

enum { NAME_MAX_LEN = 64, DIGEST_LEN = 64 };
#define ALNUM "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

bool vd_manifest_is_name(const char *text)
{
	size_t len = strlen(text);

	return len > 0 && len <= NAME_MAX_LEN && strchr(ALNUM, text[0]) &&
	       strspn(text, ALNUM "._+~-") == len && strcmp(text, "latest") != 0;
}

bool vd_manifest_is_digest(const char *text)
{
	return strlen(text) == DIGEST_LEN && strspn(text, "0123456789abcdef") == DIGEST_LEN;
}

bool vd_manifest_is_path(const char *path)
{
	if (!path[0] || strlen(path) > 255 || strspn(path, ALNUM "._+~-/ ") != strlen(path))
		return false;
	for (;;) {
		size_t len = strcspn(path, "/");

		if (len == 0 || path[0] == ' ' || path[len - 1] == ' ' ||
		    (path[0] == '.' && (len == 1 || (len == 2 && path[1] == '.'))))
			return false;
		if (!path[len])
			return true;
		path += len + 1;
	}
}

static int refuse(struct vd_fault *fault, const char *pointer, const char *text)
{
	vd_fault_set(fault, 400, pointer, "%s", text);
	return -EINVAL;
}

static int check_names(const cJSON *json, struct vd_fault *fault)
{
	static const char *const keys[] = { "name", "version", "arch" };

	for (size_t i = 0; i < VD_COUNT(keys); i++) {
		if (!vd_manifest_is_name(vd_json_string(json, keys[i], ""))) {
			(void)refuse(fault, "", "is no name: letters, digits and ._+~- only");
			vd_fault_under(fault, keys[i]);
			return -EINVAL;
		}
	}
	if (!vd_manifest_is_digest(vd_json_string(vd_json_get(json, "archive"), "sha256", "")))
		return refuse(fault, "/archive/sha256", "is no lower-case SHA-256");
	return 0;
}

/* --- files --- */

static int compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* None twice, and none that is another's folder: those stand together when sorted. */
static int check_paths(const char **paths, size_t count, struct vd_fault *fault)
{
	qsort(paths, count, sizeof *paths, compare);
	for (size_t i = 0; i < count; i++) {
		size_t len = strlen(paths[i]);

		for (size_t k = i + 1; k < count && !strncmp(paths[i], paths[k], len); k++) {
			if (paths[k][len] == '\0' || paths[k][len] == '/') {
				vd_fault_set(fault, 400, "/files", "\"%.100s\" stands twice",
					     paths[i]);
				return -EINVAL;
			}
		}
	}
	return 0;
}

static int check_files(const cJSON *files, struct vd_fault *fault)
{
	size_t count = (size_t)cJSON_GetArraySize(files), i = 0;
	VD_CLEANUP(vd_free) const char **paths = calloc(count, sizeof *paths);
	const cJSON *file;

	if (!paths)
		return -ENOMEM;
	cJSON_ArrayForEach(file, files)
	{
		paths[i] = vd_json_string(file, "path", "");
		if (!vd_manifest_is_path(paths[i]) ||
		    !vd_manifest_is_digest(vd_json_string(file, "sha256", ""))) {
			(void)refuse(fault, "", "its path leads astray, or its digest is none");
			vd_fault_under_index(fault, (int)i);
			vd_fault_under(fault, "files");
			return -EINVAL;
		}
		i++;
	}
	return check_paths(paths, count, fault);
}

static const cJSON *find_file(const cJSON *files, const char *path)
{
	const cJSON *file;

	cJSON_ArrayForEach(file, files)
	{
		if (strcmp(vd_json_string(file, "path", ""), path) == 0)
			return file;
	}
	return NULL;
}

static int check_module(const cJSON *json, struct vd_fault *fault)
{
	const cJSON *files = vd_json_get(json, "files"), *protocol = vd_json_get(json, "protocol");
	const cJSON *program = find_file(files, vd_json_string(json, "entryPoint", ""));

	if (!program || !vd_json_bool(program, "executable", false))
		return refuse(fault, "/entryPoint", "is none of the executable files");
	if (!protocol || protocol->child->valuedouble > protocol->child->next->valuedouble)
		return refuse(fault, "/protocol", "is missing, or its first is above its second");
	if (!find_file(files, "manifest.json"))
		return refuse(fault, "/files", "a module's package has a manifest.json");
	return 0;
}

static int check_kind(const cJSON *json, struct vd_fault *fault)
{
	if (strcmp(vd_json_string(json, "kind", ""), "module") == 0)
		return check_module(json, fault);
	if (vd_json_get(json, "entryPoint") || vd_json_get(json, "protocol"))
		return refuse(fault, "/entryPoint", "a model has no program");
	if (!find_file(vd_json_get(json, "files"), "model.json"))
		return refuse(fault, "/files", "a model's package has a model.json");
	return 0;
}

static int check(cJSON *json, struct vd_fault *fault)
{
	VD_CLEANUP(vd_json_free) cJSON *schema = NULL;
	int r = vd_json_parse(vd_manifest_schema_json, vd_manifest_schema_json_len, &schema, fault);

	if (r == 0)
		r = vd_schema_check(schema, json, fault);
	if (r == 0)
		r = check_names(json, fault);
	if (r == 0)
		r = check_files(vd_json_get(json, "files"), fault);
	return r == 0 ? check_kind(json, fault) : r;
}

int vd_manifest_parse(const char *text, size_t len, struct vd_manifest *ret_manifest,
		      struct vd_fault *fault)
{
	VD_CLEANUP(vd_json_free) cJSON *json = NULL;
	int r;

	if (len > VD_MANIFEST_BYTES) {
		vd_fault_set(fault, 413, "", "is larger than %d bytes", VD_MANIFEST_BYTES);
		return -EINVAL;
	}
	r = vd_json_parse(text, len, &json, fault);
	if (r == 0)
		r = check(json, fault);
	if (r < 0)
		return r;
	*ret_manifest = (struct vd_manifest){
		.kind = vd_json_string(json, "kind", ""),
		.name = vd_json_string(json, "name", ""),
		.version = vd_json_string(json, "version", ""),
		.arch = vd_json_string(json, "arch", ""),
		.sha256 = vd_json_string(vd_json_get(json, "archive"), "sha256", ""),
		.bytes = vd_json_int(vd_json_get(json, "archive"), "bytes", 0),
		.files = vd_json_array(json, "files"),
	};
	ret_manifest->json = VD_TAKE(json);
	return 0;
}

void vd_manifest_fini(struct vd_manifest *manifest)
{
	manifest->json = vd_json_free(manifest->json);
}
