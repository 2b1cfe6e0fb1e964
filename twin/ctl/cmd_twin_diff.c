/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vedettectl twin diff: what is asked for, what is in force, and why they differ. A device reports
 * the version of the document that it runs; the hub's history has that document.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "twin/ctl/client.h"
#include "twin/ctl/ctl.h"
#include "twin/ctl/outcome.h"
#include "twin/ctl/say.h"
#include "twin/ctl/table.h"
#include "twin/document/merge.h"

struct diff {
	struct vd_ctl *ctl;
	struct vd_outcome outcome;
	struct vd_table *table;
	cJSON *list; /* for -o json */
	int differing;
};

static int get_document(struct vd_ctl *ctl, const char *suffix, bool is_quiet, cJSON **ret_json)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf path = { 0 };
	struct vd_request request = { .method = "GET", .is_quiet = is_quiet };
	int r = vd_say_path(ctl, "/twins", ctl->arguments[0], &path);

	if (r == 0)
		r = vd_buf_printf(&path, "%s", suffix);
	if (r < 0)
		return r == -EINVAL ? VD_EXIT_USAGE : VD_EXIT_FAILED;
	request.path = path.data;
	return vd_client_call(ctl->client, &request, ret_json);
}

static int add_json_row(struct diff *d, const char *pointer, const cJSON *desired,
			const cJSON *in_force, const char *state)
{
	VD_CLEANUP(vd_json_free) cJSON *row = cJSON_CreateObject();

	if (!row || !vd_json_add_string(row, "pointer", pointer) ||
	    (desired && !vd_json_add_copy(row, "desired", desired)) ||
	    (in_force && !vd_json_add_copy(row, "inForce", in_force)) ||
	    !vd_json_add_string(row, "state", state) || !cJSON_AddItemToArray(d->list, row))
		return -ENOMEM;
	row = NULL;
	return 0;
}

/* "/modules/cam/parameters/fps" is module cam, parameter fps. */
static int add_text_row(struct diff *d, const char *pointer, const cJSON *desired,
			const cJSON *in_force, const char *state)
{
	VD_CLEANUP(vd_free) char *wanted = vd_say_value(desired);
	VD_CLEANUP(vd_free) char *present = vd_say_value(in_force);
	char module[128] = "";
	const char *rest = pointer + 1;
	const char *cells[] = { module, rest, wanted, present, state };

	if (strncmp(pointer, "/modules/", 9) == 0) {
		size_t len = strcspn(pointer + 9, "/");

		(void)snprintf(module, sizeof module, "%.*s", (int)len, pointer + 9);
		rest = pointer[9 + len] ? pointer + 9 + len + 1 : "";
		if (strncmp(rest, "parameters/", 11) == 0)
			rest += 11;
		cells[1] = rest;
	}
	return vd_table_add(d->table, cells);
}

static int add_row(struct diff *d, const char *pointer, const cJSON *desired, const cJSON *in_force)
{
	bool is_same = vd_merge_is_equal(desired, in_force);
	const char *state = is_same ? "in force" : vd_outcome_name(d->outcome.state);

	/* Applied, but the document in force lacks it: the device has not said so yet. */
	if (!is_same && d->outcome.state == VD_OUTCOME_APPLIED)
		state = vd_outcome_name(VD_OUTCOME_PENDING);
	d->differing += !is_same;
	if (is_same && !d->ctl->is_all)
		return 0;
	return d->ctl->is_json ? add_json_row(d, pointer, desired, in_force, state)
			       : add_text_row(d, pointer, desired, in_force, state);
}

static int walk(struct diff *d, struct vd_buf *pointer, const cJSON *desired,
		const cJSON *in_force);

static int walk_member(struct diff *d, struct vd_buf *pointer, const char *key,
		       const cJSON *desired, const cJSON *in_force)
{
	size_t len = pointer->len;
	int r = key[0] == '$' ? 0 : vd_buf_printf(pointer, "/%s", key);

	if (r == 0 && key[0] != '$')
		r = walk(d, pointer, desired, in_force);
	if (pointer->data) {
		pointer->len = len;
		pointer->data[len] = '\0';
	}
	return r;
}

/* Both sides' members: those of desired, then those that only are in force. */
static int walk(struct diff *d, struct vd_buf *pointer, const cJSON *desired, const cJSON *in_force)
{
	bool has_members = (cJSON_IsObject(desired) && desired->child) ||
			   (cJSON_IsObject(in_force) && in_force->child);
	const cJSON *member;
	int r = 0;

	if (!has_members || (desired && !cJSON_IsObject(desired)) ||
	    (in_force && !cJSON_IsObject(in_force)))
		return add_row(d, pointer->len ? pointer->data : "", desired, in_force);
	cJSON_ArrayForEach(member, desired)
	{
		if (r == 0)
			r = walk_member(d, pointer, member->string, member,
					vd_json_get(in_force, member->string));
	}
	cJSON_ArrayForEach(member, in_force)
	{
		if (r == 0 && !vd_json_get(desired, member->string))
			r = walk_member(d, pointer, member->string, NULL, member);
	}
	return r;
}

static void say_summary(const struct diff *d, int64_t version)
{
	const struct vd_outcome *o = &d->outcome;

	(void)printf("%s: desired version %lld %s", d->ctl->arguments[0], (long long)version,
		     vd_outcome_name(o->state));
	if (o->in_force >= 0 && o->in_force != version)
		(void)printf(", version %lld in force", (long long)o->in_force);
	(void)fputc('\n', stdout);
	if (o->state == VD_OUTCOME_REFUSED)
		(void)printf("  %s%s%s (%d)\n", o->pointer, o->pointer[0] ? ": " : "", o->text,
			     o->code);
}

static int say_json(const struct diff *d, int64_t version)
{
	VD_CLEANUP(vd_json_free) cJSON *json = cJSON_CreateObject();
	const struct vd_outcome *o = &d->outcome;

	if (!json || !vd_json_add_string(json, "id", d->ctl->arguments[0]) ||
	    !vd_json_add_number(json, "version", (double)version) ||
	    !vd_json_add_string(json, "state", vd_outcome_name(o->state)) ||
	    (o->in_force >= 0 && !vd_json_add_number(json, "inForce", (double)o->in_force)) ||
	    !vd_json_add_number(json, "code", o->code) ||
	    !vd_json_add_string(json, "pointer", o->pointer) ||
	    !vd_json_add_string(json, "text", o->text) ||
	    !vd_json_add_copy(json, "differences", d->list))
		return VD_EXIT_FAILED;
	return vd_say_json(json);
}

static int compare(struct diff *d, const cJSON *twin, const cJSON *in_force)
{
	static const char *const headings[] = { "MODULE",   "MEMBER", "DESIRED",
						"IN FORCE", "STATE",  NULL };
	int64_t version = vd_outcome_desired_version(twin);
	VD_CLEANUP(vd_buf_fini) struct vd_buf pointer = { 0 };
	VD_CLEANUP(vd_table_free) struct vd_table *table = NULL;
	VD_CLEANUP(vd_json_free) cJSON *list = cJSON_CreateArray();

	if (!list || vd_table_new(headings, &table) < 0)
		return VD_EXIT_FAILED;
	d->table = table;
	d->list = list;
	if (walk(d, &pointer, vd_json_at(twin, "/properties/desired"), in_force) < 0)
		return VD_EXIT_FAILED;
	if (d->ctl->is_json)
		return say_json(d, version);
	say_summary(d, version);
	if (d->differing == 0)
		(void)puts("nothing differs");
	if (d->differing > 0 || d->ctl->is_all)
		vd_table_print(table, stdout);
	return VD_EXIT_OK;
}

int vd_cmd_twin_diff(struct vd_ctl *ctl)
{
	VD_CLEANUP(vd_json_free) cJSON *twin = NULL;
	VD_CLEANUP(vd_json_free) cJSON *in_force = NULL;
	struct diff diff = { .ctl = ctl };
	char suffix[48];
	int r = get_document(ctl, "", false, &twin);

	if (r != VD_EXIT_OK)
		return r;
	diff.outcome = vd_outcome_of(twin, vd_outcome_desired_version(twin));
	if (diff.outcome.in_force >= 0) {
		(void)snprintf(suffix, sizeof suffix, "/history/%lld",
			       (long long)diff.outcome.in_force);
		r = get_document(ctl, suffix, true, &in_force);
	}
	if (r != VD_EXIT_OK && r != VD_EXIT_NOT_FOUND)
		return r;
	return compare(&diff, twin, in_force);
}
