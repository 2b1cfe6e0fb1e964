/* SPDX-License-Identifier: Apache-2.0 */
/* Manifests of packages: whatever is taken has only paths that stay inside. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "twin/document/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vd_manifest manifest = { 0 };
	const cJSON *file;

	if (vd_manifest_parse((const char *)data, size, &manifest, NULL) < 0)
		return 0;
	cJSON_ArrayForEach(file, manifest.files)
	{
		const char *path = vd_json_string(file, "path", "/");

		if (path[0] == '/' || strncmp(path, "../", 3) == 0 || strstr(path, "/../"))
			abort();
	}
	vd_manifest_fini(&manifest);
	return 0;
}
