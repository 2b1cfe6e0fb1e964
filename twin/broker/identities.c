/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table side of the identities journal: two search trees (tsearch), one entry a line.
 */
#include "twin/broker/identities.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "twin/broker/journal.h"

static const char *const auth_names[] = {
	[VD_AUTH_SAS] = "sas",
	[VD_AUTH_SELF_SIGNED] = "selfSigned",
	[VD_AUTH_CA] = "certificateAuthority",
	[VD_AUTH_NONE] = "none",
};

static const struct {
	enum vd_right right;
	const char *name;
} rights[] = {
	{ VD_RIGHT_REGISTRY_READ, "RegistryRead" },
	{ VD_RIGHT_REGISTRY_WRITE, "RegistryWrite" },
	{ VD_RIGHT_SERVICE, "ServiceConnect" },
	{ VD_RIGHT_DEVICE, "DeviceConnect" },
};

/* The name comes first in both, so that one comparison serves both trees. */
struct identity_entry {
	const char *name;
	struct vd_identity identity;
	char text[];
};

struct policy_entry {
	const char *name;
	struct vd_policy policy;
	char text[];
};

struct vd_identities {
	struct vd_journal journal;
	void *identities, *policies; /* tsearch trees */
	size_t count;
	uint64_t bad_lines;
};

const char *vd_identity_auth_name(enum vd_identity_auth auth)
{
	return auth_names[auth];
}

int vd_identity_auth_parse(const char *name, enum vd_identity_auth *ret_auth)
{
	for (size_t i = 0; i < VD_COUNT(auth_names); i++) {
		if (!strcmp(name, auth_names[i])) {
			*ret_auth = (enum vd_identity_auth)i;
			return 0;
		}
	}
	return -EINVAL;
}

const char *vd_right_name(enum vd_right right)
{
	for (size_t i = 0; i < VD_COUNT(rights); i++) {
		if (rights[i].right == right)
			return rights[i].name;
	}
	return "";
}

int vd_right_parse(const char *name, enum vd_right *ret_right)
{
	for (size_t i = 0; i < VD_COUNT(rights); i++) {
		if (!strcmp(name, rights[i].name)) {
			*ret_right = rights[i].right;
			return 0;
		}
	}
	return -EINVAL;
}

bool vd_identity_part_is_valid(const char *part, size_t len)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				      "0123456789-:.%_*?!(),=@;$'";

	return len >= 1 && len <= 128 && strnlen(part, len) == len && strspn(part, allowed) >= len;
}

bool vd_identity_id_is_valid(const char *id)
{
	const char *slash = strchr(id, '/');

	if (!slash)
		return vd_identity_part_is_valid(id, strlen(id));
	return vd_identity_part_is_valid(id, (size_t)(slash - id)) &&
	       vd_identity_part_is_valid(slash + 1, strlen(slash + 1));
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void *find(void *const *tree, const char *name)
{
	void *const *node = tfind(&name, tree, compare_names);

	return node ? *node : NULL;
}

static bool remove_name(void **tree, const char *name)
{
	void *entry = find(tree, name);

	if (!entry)
		return false;
	(void)tdelete(&name, tree, compare_names);
	free(entry);
	return true;
}

static int insert(void **tree, void *entry)
{
	if (tsearch(entry, tree, compare_names))
		return 0;
	free(entry);
	return -ENOMEM;
}

/* Copies value to *at, which moves behind it. */
static const char *place(char **at, const char *value)
{
	char *begin = *at;
	size_t size = strlen(value) + 1;

	memcpy(begin, value, size);
	*at = begin + size;
	return begin;
}

static size_t sum_sizes(const char *const *values, size_t count)
{
	size_t size = 0;

	for (size_t i = 0; i < count; i++)
		size += strlen(values[i]) + 1;
	return size;
}

static int put_identity(struct vd_identities *table, const struct vd_identity *from)
{
	const char *values[] = { from->id, from->key[0], from->key[1], from->thumbprint[0],
				 from->thumbprint[1] };
	struct identity_entry *entry =
		calloc(1, sizeof *entry + sum_sizes(values, VD_COUNT(values)));
	char *at;

	if (!entry)
		return -ENOMEM;
	at = entry->text;
	entry->identity = *from;
	entry->name = entry->identity.id = place(&at, from->id);
	for (int i = 0; i < 2; i++) {
		entry->identity.key[i] = place(&at, from->key[i]);
		entry->identity.thumbprint[i] = place(&at, from->thumbprint[i]);
	}
	if (remove_name(&table->identities, from->id))
		table->count--;
	table->count++;
	return insert(&table->identities, entry);
}

static int put_policy(struct vd_identities *table, const struct vd_policy *from)
{
	const char *values[] = { from->name, from->key[0], from->key[1] };
	struct policy_entry *entry = calloc(1, sizeof *entry + sum_sizes(values, VD_COUNT(values)));
	char *at;

	if (!entry)
		return -ENOMEM;
	at = entry->text;
	entry->policy = *from;
	entry->name = entry->policy.name = place(&at, from->name);
	for (int i = 0; i < 2; i++)
		entry->policy.key[i] = place(&at, from->key[i]);
	(void)remove_name(&table->policies, from->name);
	return insert(&table->policies, entry);
}

static int apply_policy(struct vd_identities *table, const char *name, const cJSON *change)
{
	const cJSON *right, *list = vd_json_array(change, "rights");
	struct vd_policy policy = {
		.name = name,
		.key = { vd_json_string(change, "primaryKey", ""),
			 vd_json_string(change, "secondaryKey", "") },
	};

	if (vd_json_bool(change, "deleted", false)) {
		(void)remove_name(&table->policies, name);
		return 0;
	}
	cJSON_ArrayForEach(right, list)
	{
		enum vd_right bit;

		if (!cJSON_IsString(right) || vd_right_parse(right->valuestring, &bit) < 0)
			return -EINVAL;
		policy.rights |= (unsigned)bit;
	}
	return put_policy(table, &policy);
}

static int apply_identity(struct vd_identities *table, const char *id, const cJSON *change)
{
	const char *status = vd_json_string(change, "status", "");
	struct vd_identity identity = {
		.id = id,
		.enabled = !strcmp(status, "enabled"),
		.key = { vd_json_string(change, "primaryKey", ""),
			 vd_json_string(change, "secondaryKey", "") },
		.thumbprint = { vd_json_string(change, "primaryThumbprint", ""),
				vd_json_string(change, "secondaryThumbprint", "") },
	};

	if (!vd_identity_id_is_valid(id))
		return -EINVAL;
	if (vd_json_bool(change, "deleted", false)) {
		if (remove_name(&table->identities, id))
			table->count--;
		return 0;
	}
	if (!identity.enabled && strcmp(status, "disabled") != 0)
		return -EINVAL;
	if (vd_identity_auth_parse(vd_json_string(change, "auth", ""), &identity.auth) < 0)
		return -EINVAL;
	return put_identity(table, &identity);
}

int vd_identities_apply_line(struct vd_identities *table, const char *line, size_t len)
{
	VD_CLEANUP(vd_json_free) cJSON *change = NULL;
	const char *id, *policy;
	int r = vd_json_parse(line, len, &change, NULL);

	if (r < 0)
		return r;
	id = vd_json_string(change, "id", "");
	policy = vd_json_string(change, "policy", "");
	if (*policy)
		return apply_policy(table, policy, change);
	return apply_identity(table, id, change);
}

static void clear(struct vd_identities *table)
{
	tdestroy(table->identities, free);
	tdestroy(table->policies, free);
	table->identities = table->policies = NULL;
	table->count = 0;
}

static void on_restart(void *argument)
{
	clear(argument);
}

static int on_line(void *argument, const char *line, size_t len)
{
	struct vd_identities *table = argument;
	int r = vd_identities_apply_line(table, line, len);

	if (r != -EINVAL)
		return r;
	table->bad_lines++;
	vd_log(VD_WARN, "identities.badLine", "file=%s bytes=%zu", table->journal.path, len);
	return 0;
}

int vd_identities_new(const char *path, struct vd_identities **ret_table)
{
	VD_CLEANUP(vd_identities_free) struct vd_identities *table = calloc(1, sizeof *table);
	int r = table ? vd_journal_init(&table->journal, path) : -ENOMEM;

	if (r == 0)
		r = vd_identities_reload(table);
	if (r < 0)
		return r;
	*ret_table = VD_TAKE(table);
	return 0;
}

struct vd_identities *vd_identities_free(struct vd_identities *table)
{
	if (!table)
		return NULL;
	clear(table);
	vd_journal_fini(&table->journal);
	free(table);
	return NULL;
}

int vd_identities_reload(struct vd_identities *table)
{
	const struct vd_journal_reader reader = { on_restart, on_line, table };

	return vd_journal_follow(&table->journal, &reader);
}

const struct vd_identity *vd_identities_find(const struct vd_identities *table, const char *id)
{
	const struct identity_entry *entry = find(&table->identities, id);

	return entry ? &entry->identity : NULL;
}

const struct vd_policy *vd_identities_policy(const struct vd_identities *table, const char *name)
{
	const struct policy_entry *entry = find(&table->policies, name);

	return entry ? &entry->policy : NULL;
}

size_t vd_identities_count(const struct vd_identities *table)
{
	return table->count;
}

uint64_t vd_identities_bad_lines(const struct vd_identities *table)
{
	return table->bad_lines;
}
