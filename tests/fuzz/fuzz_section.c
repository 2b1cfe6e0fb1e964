/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stored section and patches of it, each after a NUL. What is accepted stays within the
 * limits, and comes back as it was stored.
 */
#include <assert.h>
#include <string.h>

#include "twin/document/limits.h"
#include "twin/document/merge.h"
#include "twin/document/section.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void store_and_load(const struct vd_section *section)
{
	VD_CLEANUP(vd_section_free) struct vd_section *loaded = NULL;
	VD_CLEANUP(vd_json_free) cJSON *json = NULL;
	VD_CLEANUP(vd_json_free) cJSON *again = NULL;

	assert(vd_section_json(section, true, &json) == 0);
	assert(vd_section_load(VD_SECTION_DESIRED, json, &loaded, NULL) == 0);
	assert(vd_section_json(loaded, true, &again) == 0);
	assert(vd_merge_is_equal(json, again));
}

static void apply(struct vd_section *section, const cJSON *json, bool as_patch)
{
	VD_CLEANUP(vd_json_free) cJSON *effect = NULL;
	struct vd_fault fault = { 0 };
	int64_t version = vd_section_version(section);
	int r = as_patch ? vd_section_patch(section, json, version, 1795304970123, &fault)
			 : vd_section_replace(section, json, version, 1795304970123, &effect,
					      &fault);

	assert(r == 0 ? vd_section_version(section) == version + 1 : fault.code >= 400);
	if (r < 0)
		return;
	assert(vd_limits_check(vd_section_data(section), VD_LIMITS_SECTION_BYTES, NULL) == 0);
	store_and_load(section);
}

static size_t parse_part(const uint8_t *data, size_t size, cJSON **ret_json)
{
	const uint8_t *end = memchr(data, '\0', size);
	size_t len = end ? (size_t)(end - data) : size;

	(void)!vd_json_parse((const char *)data, len, ret_json, NULL);
	return len + (end != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	VD_CLEANUP(vd_section_free) struct vd_section *section = NULL;

	for (int n = 0; size > 0 && n < 8; n++) {
		VD_CLEANUP(vd_json_free) cJSON *json = NULL;
		size_t used = parse_part(data, size, &json);

		data += used;
		size -= used;
		if (!json)
			continue;
		if (section)
			apply(section, json, n % 2);
		else if (vd_section_load(VD_SECTION_DESIRED, json, &section, NULL) < 0)
			assert(vd_section_new(VD_SECTION_DESIRED, &section) == 0);
	}
	return 0;
}
