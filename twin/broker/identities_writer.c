/* SPDX-License-Identifier: Apache-2.0 */
#include "twin/broker/identities.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/json.h"
#include "twin/broker/journal.h"

struct vd_identities_writer {
	char *path;
	struct vd_buf changes;
	bool rewrite;
};

int vd_identities_writer_new(const char *path, struct vd_identities_writer **ret_writer,
			     struct vd_fault *fault)
{
	VD_CLEANUP(vd_identities_writer_free)
	struct vd_identities_writer *writer = calloc(1, sizeof *writer);
	int r;

	if (!writer)
		return -ENOMEM;
	writer->path = strdup(path);
	if (!writer->path)
		return -ENOMEM;
	r = vd_journal_append(path, "", 0); /* is it writable? */
	if (r < 0) {
		vd_fault_set(fault, 500, "", "%s: %s", path, strerror(-r));
		return r;
	}
	*ret_writer = VD_TAKE(writer);
	return 0;
}

struct vd_identities_writer *vd_identities_writer_free(struct vd_identities_writer *writer)
{
	if (!writer)
		return NULL;
	vd_buf_fini(&writer->changes);
	free(writer->path);
	free(writer);
	return NULL;
}

static bool add_if_set(cJSON *change, const char *key, const char *value)
{
	return !value || !*value || vd_json_add_string(change, key, value);
}

static int add_line(struct vd_identities_writer *writer, const cJSON *change)
{
	VD_CLEANUP(vd_free) char *text = vd_json_text(change);

	return text ? vd_buf_printf(&writer->changes, "%s\n", text) : -ENOMEM;
}

int vd_identities_put(struct vd_identities_writer *writer, const struct vd_identity *identity)
{
	VD_CLEANUP(vd_json_free) cJSON *change = cJSON_CreateObject();

	if (!vd_identity_id_is_valid(identity->id))
		return -EINVAL;
	if (!change || !vd_json_add_string(change, "id", identity->id) ||
	    !vd_json_add_string(change, "status", identity->enabled ? "enabled" : "disabled") ||
	    !vd_json_add_string(change, "auth", vd_identity_auth_name(identity->auth)) ||
	    !add_if_set(change, "primaryKey", identity->key[0]) ||
	    !add_if_set(change, "secondaryKey", identity->key[1]) ||
	    !add_if_set(change, "primaryThumbprint", identity->thumbprint[0]) ||
	    !add_if_set(change, "secondaryThumbprint", identity->thumbprint[1]))
		return -ENOMEM;
	return add_line(writer, change);
}

static int add_deletion(struct vd_identities_writer *writer, const char *key, const char *name)
{
	VD_CLEANUP(vd_json_free) cJSON *change = cJSON_CreateObject();

	if (!change || !vd_json_add_string(change, key, name) ||
	    !vd_json_add_bool(change, "deleted", true))
		return -ENOMEM;
	return add_line(writer, change);
}

int vd_identities_delete(struct vd_identities_writer *writer, const char *id)
{
	return add_deletion(writer, "id", id);
}

static cJSON *list_rights(unsigned rights)
{
	VD_CLEANUP(vd_json_free) cJSON *list = cJSON_CreateArray();

	for (unsigned bit = VD_RIGHT_REGISTRY_READ; list && bit <= VD_RIGHT_DEVICE; bit <<= 1) {
		if ((rights & bit) && !cJSON_AddItemToArray(list, cJSON_CreateString(vd_right_name(
									  (enum vd_right)bit))))
			return NULL;
	}
	return VD_TAKE(list);
}

int vd_identities_put_policy(struct vd_identities_writer *writer, const struct vd_policy *policy)
{
	VD_CLEANUP(vd_json_free) cJSON *change = cJSON_CreateObject();
	VD_CLEANUP(vd_json_free) cJSON *list = list_rights(policy->rights);

	if (!*policy->name)
		return -EINVAL;
	if (!change || !list || !vd_json_add_string(change, "policy", policy->name) ||
	    !vd_json_add_take(change, "rights", &list) ||
	    !add_if_set(change, "primaryKey", policy->key[0]) ||
	    !add_if_set(change, "secondaryKey", policy->key[1]))
		return -ENOMEM;
	return add_line(writer, change);
}

int vd_identities_delete_policy(struct vd_identities_writer *writer, const char *name)
{
	return add_deletion(writer, "policy", name);
}

void vd_identities_abort(struct vd_identities_writer *writer)
{
	vd_buf_clear(&writer->changes);
	writer->rewrite = false;
}

void vd_identities_begin_rewrite(struct vd_identities_writer *writer)
{
	vd_buf_clear(&writer->changes);
	writer->rewrite = true;
}

int vd_identities_flush(struct vd_identities_writer *writer)
{
	const char *text = writer->changes.data ? writer->changes.data : "";
	size_t len = writer->changes.len;
	int r = 0;

	if (writer->rewrite)
		r = vd_file_write(writer->path, text, len, 0600);
	else if (len > 0)
		r = vd_journal_append(writer->path, text, len);
	if (r == 0)
		vd_identities_abort(writer);
	return r;
}
