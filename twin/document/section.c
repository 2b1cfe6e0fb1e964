/* SPDX-License-Identifier: Apache-2.0 */
/*
 * $metadata has the shape of the data, each level an object that begins with its own stamp:
 *
 *	data      {"fps": 30, "roi": {"x": 1}}
 *	metadata  {"$lastUpdated": t, "fps": {"$lastUpdated": t}, "roi": {"$lastUpdated": t, "x": {…}}}
 *
 * A patch stamps the levels that it names, a removal the level that held what is gone. An array
 * is one value. A stamp cannot meet a key of the data: '$' is not allowed there.
 */
#include "twin/document/section.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "twin/document/limits.h"
#include "twin/document/members.h"
#include "twin/document/merge.h"

struct vd_section {
	enum vd_section_kind kind;
	int64_t version;
	cJSON *data, *metadata;
};

static const char never[] = "0001-01-01T00:00:00Z";

struct stamp {
	const char *time;
	int64_t version; /* 0: not written */
};

const char *vd_section_time(int64_t wall_ms, char text[static VD_SECTION_TIME_TEXT])
{
	char short_text[VD_TIME_TEXT];
	size_t n = strlen(vd_time_text(wall_ms, short_text));

	(void)snprintf(text, VD_SECTION_TIME_TEXT, "%.*s%sZ", (int)(n - 1), short_text,
		       strchr(short_text, '.') ? "0000" : ".0000000");
	return text;
}

struct vd_section *vd_section_free(struct vd_section *section)
{
	if (section) {
		vd_json_free(section->data);
		vd_json_free(section->metadata);
		free(section);
	}
	return NULL;
}

/* Takes both trees. */
static int make_section(enum vd_section_kind kind, int64_t version, cJSON **data, cJSON **metadata,
			struct vd_section **ret_section)
{
	struct vd_section *section = malloc(sizeof *section);

	if (!section)
		return -ENOMEM;
	*section = (struct vd_section){ .kind = kind,
					.version = version,
					.data = VD_TAKE(*data),
					.metadata = VD_TAKE(*metadata) };
	*ret_section = section;
	return 0;
}

int vd_section_new(enum vd_section_kind kind, struct vd_section **ret_section)
{
	VD_CLEANUP(vd_json_free) cJSON *data = cJSON_CreateObject();
	VD_CLEANUP(vd_json_free) cJSON *metadata = cJSON_CreateObject();

	if (!data || !metadata || !vd_json_add_string(metadata, "$lastUpdated", never))
		return -ENOMEM;
	return make_section(kind, 1, &data, &metadata, ret_section);
}

int64_t vd_section_version(const struct vd_section *section)
{
	return section->version;
}

const cJSON *vd_section_data(const struct vd_section *section)
{
	return section->data;
}

const cJSON *vd_section_metadata(const struct vd_section *section)
{
	return section->metadata;
}

static int stamp_level(const struct stamp *stamp, cJSON **ret_level)
{
	VD_CLEANUP(vd_json_free) cJSON *level = cJSON_CreateObject();

	if (!level || !vd_json_add_string(level, "$lastUpdated", stamp->time))
		return -ENOMEM;
	if (stamp->version &&
	    !vd_json_add_number(level, "$lastUpdatedVersion", (double)stamp->version))
		return -ENOMEM;
	*ret_level = VD_TAKE(level);
	return 0;
}

static int stamp_members(const cJSON *data, const cJSON *patch, const cJSON *old,
			 const struct stamp *stamp, cJSON *level);

/*
 * The metadata of data, which came from patch: what the patch names is stamped, the rest is as
 * it was in old. Metadata that lacks a level (a store from elsewhere) is stamped anew there.
 */
static int stamp_value(const cJSON *data, const cJSON *patch, const cJSON *old,
		       const struct stamp *stamp, cJSON **ret_metadata)
{
	VD_CLEANUP(vd_json_free) cJSON *level = NULL;
	int r;

	if (!patch && old) {
		*ret_metadata = cJSON_Duplicate(old, 1);
		return *ret_metadata ? 0 : -ENOMEM;
	}
	r = stamp_level(stamp, &level);
	if (r == 0 && cJSON_IsObject(data))
		r = stamp_members(data, patch, old, stamp, level);
	if (r == 0)
		*ret_metadata = VD_TAKE(level);
	return r;
}

static int stamp_members(const cJSON *data, const cJSON *patch, const cJSON *old,
			 const struct stamp *stamp, cJSON *level)
{
	VD_CLEANUP(vd_members_fini) struct vd_members changes = vd_members_of(patch);
	VD_CLEANUP(vd_members_fini) struct vd_members former = vd_members_of(old);
	const cJSON *member;

	cJSON_ArrayForEach(member, data)
	{
		cJSON *inner = NULL;
		int r = stamp_value(member, vd_members_get(&changes, member->string),
				    vd_members_get(&former, member->string), stamp, &inner);

		if (r == 0 && !vd_json_add_take(level, member->string, &inner))
			r = -ENOMEM;
		if (r < 0)
			return r;
	}
	return 0;
}

/* A copy of a client's document without what is not its to set. */
static int strip_document(const cJSON *document, cJSON **ret_copy)
{
	cJSON *copy = cJSON_Duplicate(document, 1);

	if (!copy)
		return -ENOMEM;
	cJSON_DeleteItemFromObjectCaseSensitive(copy, "$version");
	cJSON_DeleteItemFromObjectCaseSensitive(copy, "$metadata");
	*ret_copy = copy;
	return 0;
}

/* Takes the data that patch made of the section's. */
static int commit(struct vd_section *section, const cJSON *patch, int64_t now_ms, cJSON **data)
{
	VD_CLEANUP(vd_json_free) cJSON *metadata = NULL;
	char time[VD_SECTION_TIME_TEXT];
	struct stamp stamp = {
		.time = vd_section_time(now_ms, time),
		.version = section->kind == VD_SECTION_DESIRED ? section->version + 1 : 0,
	};
	int r = stamp_value(*data, patch, section->metadata, &stamp, &metadata);

	if (r < 0)
		return r;
	vd_json_free(section->data);
	vd_json_free(section->metadata);
	section->data = VD_TAKE(*data);
	section->metadata = VD_TAKE(metadata);
	section->version++;
	return 0;
}

static bool is_conflict(const struct vd_section *section, int64_t base_version)
{
	return base_version != VD_SECTION_ANY_VERSION && base_version != section->version;
}

/* A clean patch, whose keys and values are checked. */
static int apply_clean(struct vd_section *section, const cJSON *patch, int64_t now_ms,
		       struct vd_fault *fault)
{
	VD_CLEANUP(vd_json_free) cJSON *data = NULL;
	int r = vd_merge_apply(section->data, patch, &data);

	if (r == 0)
		r = vd_limits_check(data, VD_LIMITS_SECTION_BYTES, fault);
	return r == 0 ? commit(section, patch, now_ms, &data) : r;
}

int vd_section_patch(struct vd_section *section, const cJSON *patch, int64_t base_version,
		     int64_t now_ms, struct vd_fault *fault)
{
	VD_CLEANUP(vd_json_free) cJSON *clean = NULL;
	int r = vd_limits_check(patch, SIZE_MAX,
				fault); /* nulls may name more than a section holds */

	if (r < 0)
		return r;
	if (is_conflict(section, base_version))
		return VD_SECTION_CONFLICT;
	r = strip_document(patch, &clean);
	return r == 0 ? apply_clean(section, clean, now_ms, fault) : r;
}

/* RFC 7396 on nothing: leaves out the nulls. */
static int wanted_content(const cJSON *document, cJSON **ret_content)
{
	VD_CLEANUP(vd_json_free) cJSON *clean = NULL;
	int r = strip_document(document, &clean);

	return r == 0 ? vd_merge_apply(NULL, clean, ret_content) : r;
}

int vd_section_replace(struct vd_section *section, const cJSON *document, int64_t base_version,
		       int64_t now_ms, cJSON **ret_patch, struct vd_fault *fault)
{
	VD_CLEANUP(vd_json_free) cJSON *content = NULL;
	VD_CLEANUP(vd_json_free) cJSON *patch = NULL;
	int r = vd_limits_check(document, VD_LIMITS_SECTION_BYTES, fault);

	if (r < 0)
		return r;
	if (is_conflict(section, base_version))
		return VD_SECTION_CONFLICT;
	r = wanted_content(document, &content);
	if (r == 0)
		r = vd_merge_diff(section->data, content, &patch);
	if (r == 0)
		r = apply_clean(section, patch, now_ms, fault);
	if (r == 0)
		*ret_patch = VD_TAKE(patch);
	return r;
}

int vd_section_json(const struct vd_section *section, bool with_metadata, cJSON **ret_json)
{
	VD_CLEANUP(vd_json_free) cJSON *json = cJSON_Duplicate(section->data, 1);

	if (!json || (with_metadata && !vd_json_add_copy(json, "$metadata", section->metadata)) ||
	    !vd_json_add_number(json, "$version", (double)section->version))
		return -ENOMEM;
	*ret_json = VD_TAKE(json);
	return 0;
}

int vd_section_notice(const struct vd_section *section, const cJSON *patch, cJSON **ret_json)
{
	VD_CLEANUP(vd_json_free) cJSON *json = NULL;
	int r = strip_document(patch, &json);

	if (r < 0)
		return r;
	if (!vd_json_add_number(json, "$version", (double)section->version))
		return -ENOMEM;
	*ret_json = VD_TAKE(json);
	return 0;
}

static int load_version(const cJSON *json, int64_t *ret_version, struct vd_fault *fault)
{
	int64_t version = vd_json_int(json, "$version", 0);

	if (version < 1 || fabs((double)version - vd_json_number(json, "$version", 0)) > 0) {
		vd_fault_set(fault, 400, "/$version", "must be an integer from 1");
		return -EINVAL;
	}
	*ret_version = version;
	return 0;
}

/* A document stored without metadata was written at a time unknown. */
static int load_metadata(const cJSON *data, const cJSON *stored, cJSON **ret_metadata)
{
	static const struct stamp stamp = { .time = never };

	return stamp_value(data, stored ? NULL : data, stored, &stamp, ret_metadata);
}

int vd_section_load(enum vd_section_kind kind, const cJSON *json, struct vd_section **ret_section,
		    struct vd_fault *fault)
{
	VD_CLEANUP(vd_json_free) cJSON *data = NULL;
	VD_CLEANUP(vd_json_free) cJSON *metadata = NULL;
	int64_t version;
	int r = vd_limits_check(json, SIZE_MAX, fault);

	if (r == 0)
		r = load_version(json, &version, fault);
	if (r == 0)
		r = strip_document(json, &data);
	if (r == 0)
		r = load_metadata(data, vd_json_object(json, "$metadata"), &metadata);
	return r == 0 ? make_section(kind, version, &data, &metadata, ret_section) : r;
}
