/* SPDX-License-Identifier: Apache-2.0 */
/* vedettectl audit …: the chain is computed here, so that the hub need not be believed. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "twin/ctl/client.h"
#include "twin/ctl/ctl.h"
#include "twin/ctl/say.h"
#include "twin/ctl/table.h"
#include "twin/document/audit.h"

enum { LIMIT_DEFAULT = 50, PAGE = 1000 };

static int print_entries(struct vd_ctl *ctl, const cJSON *page)
{
	static const char *const headings[] = { "ID", "TIME", "ACTOR", "ACTION", "TARGET", NULL };
	VD_CLEANUP(vd_table_free) struct vd_table *table = NULL;
	const cJSON *entry;

	if (vd_table_new(headings, &table) < 0)
		return VD_EXIT_FAILED;
	cJSON_ArrayForEach(entry, vd_json_array(page, "items"))
	{
		char id[24];
		const char *const cells[] = { id, vd_json_string(entry, "time", NULL),
					      vd_json_string(entry, "actor", NULL),
					      vd_json_string(entry, "action", NULL),
					      vd_json_string(entry, "target", NULL) };

		(void)snprintf(id, sizeof id, "%lld", (long long)vd_json_int(entry, "id", 0));
		if (ctl->is_json)
			(void)vd_say_json(entry);
		else if (vd_table_add(table, cells) < 0)
			return VD_EXIT_FAILED;
	}
	if (!ctl->is_json)
		vd_table_print(table, stdout);
	return VD_EXIT_OK;
}

int vd_cmd_audit_list(struct vd_ctl *ctl)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf path = { 0 };
	VD_CLEANUP(vd_json_free) cJSON *page = NULL;
	struct vd_request request = { .method = "GET" };
	int limit = ctl->limit >= 0 ? ctl->limit : LIMIT_DEFAULT, r;

	if (limit < 1 || limit > PAGE)
		return vd_say_error(VD_EXIT_USAGE, "--limit has to be 1 to %d", PAGE);
	if (vd_buf_printf(&path, "/audit?order=newest&limit=%d", limit) < 0 ||
	    vd_say_filter(ctl, "target", ctl->device, &path) < 0 ||
	    vd_say_filter(ctl, "actor", ctl->actor, &path) < 0 ||
	    vd_say_filter(ctl, "action", ctl->action, &path) < 0)
		return VD_EXIT_FAILED;
	request.path = path.data;
	r = vd_client_call(ctl->client, &request, &page);
	return r == VD_EXIT_OK ? print_entries(ctl, page) : r;
}

/* Where the check stands, and the entry that was noted down elsewhere. */
struct chain {
	int64_t id;
	char hash[VD_SHA256_TEXT];
	int64_t anchor_id; /* 0: none */
	const char *anchor_hash;
	int64_t begun; /* what was before it went for its age */
	char begun_hash[VD_SHA256_TEXT];
	bool is_confirmed; /* by an entry of the log itself */
	bool is_printed;
};

static int broken(int64_t id, const char *text)
{
	return vd_say_error(VD_EXIT_FAILED, "the audit log is BROKEN at entry %lld: %s",
			    (long long)id, text);
}

/* The hub says where the chain begins, and the log itself must say so later: an entry audit.expire. */
static int begin(struct chain *chain, const cJSON *anchor)
{
	if (chain->id > 0 || !anchor)
		return VD_EXIT_OK;
	chain->id = chain->begun = vd_json_int(anchor, "id", 0);
	(void)snprintf(chain->hash, sizeof chain->hash, "%s", vd_json_string(anchor, "hash", ""));
	(void)memcpy(chain->begun_hash, chain->hash, sizeof chain->hash);
	if (chain->anchor_id == chain->id && strcmp(chain->hash, chain->anchor_hash) != 0)
		return broken(chain->id, "it is not what was noted");
	return VD_EXIT_OK;
}

static bool says_so(const struct chain *chain, const cJSON *entry)
{
	const cJSON *details = vd_json_get(entry, "details");

	return strcmp(vd_json_string(entry, "action", ""), "audit.expire") == 0 &&
	       vd_json_int(details, "id", 0) == chain->begun &&
	       strcmp(vd_json_string(details, "hash", ""), chain->begun_hash) == 0;
}

static int check_entry(struct chain *chain, const cJSON *entry)
{
	int64_t id = vd_json_int(entry, "id", 0);
	char hash[VD_SHA256_TEXT];

	if (id != chain->id + 1)
		return broken(chain->id + 1, "it is missing");
	if (vd_audit_hash(chain->hash, entry, hash) < 0)
		return VD_EXIT_FAILED;
	if (strcmp(hash, vd_json_string(entry, "hash", "")) != 0)
		return broken(id, "it was changed, or one before it");
	if (id == chain->anchor_id && strcmp(hash, chain->anchor_hash) != 0)
		return broken(id, "it is not what was noted");
	chain->is_confirmed |= says_so(chain, entry);
	chain->id = id;
	(void)memcpy(chain->hash, hash, sizeof hash);
	if (chain->is_printed)
		return vd_say_json(entry);
	return VD_EXIT_OK;
}

/* 1: there is more; else an enum vd_exit, negated. */
static int check_page(struct vd_ctl *ctl, struct chain *chain)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf path = { 0 };
	VD_CLEANUP(vd_json_free) cJSON *page = NULL;
	struct vd_request request = { .method = "GET" };
	const cJSON *entry, *items;
	int r;

	if (vd_buf_printf(&path, "/audit?limit=%d&after=%lld", PAGE, (long long)chain->id) < 0)
		return -VD_EXIT_FAILED;
	request.path = path.data;
	r = vd_client_call(ctl->client, &request, &page);
	items = vd_json_array(page, "items");
	if (r == VD_EXIT_OK)
		r = begin(chain, vd_json_get(page, "anchor"));
	cJSON_ArrayForEach(entry, items)
	{
		if (r == VD_EXIT_OK)
			r = check_entry(chain, entry);
	}
	if (r != VD_EXIT_OK)
		return -r;
	return cJSON_GetArraySize(items) == PAGE;
}

static int read_anchor(const char *text, struct chain *chain)
{
	char *end = NULL;

	if (!text)
		return VD_EXIT_OK;
	chain->anchor_id = strtoll(text, &end, 10);
	if (chain->anchor_id < 1 || *end != ':' || strlen(end + 1) != VD_SHA256_TEXT - 1)
		return vd_say_error(VD_EXIT_USAGE, "--anchor: \"%s\" is no ID:HASH", text);
	chain->anchor_hash = end + 1;
	return VD_EXIT_OK;
}

static int walk(struct vd_ctl *ctl, struct chain *chain)
{
	int r = read_anchor(ctl->anchor, chain), more = 1;

	if (r != VD_EXIT_OK)
		return r;
	while (more > 0)
		more = check_page(ctl, chain);
	if (more < 0)
		return -more;
	if (chain->anchor_id > chain->id)
		return broken(chain->id + 1, "entries up to the one that was noted are missing");
	if (chain->begun && !chain->is_confirmed)
		return broken(chain->begun + 1, "no entry of the log says what went before it");
	return VD_EXIT_OK;
}

int vd_cmd_audit_verify(struct vd_ctl *ctl)
{
	struct chain chain = { .hash = VD_AUDIT_START };
	int r = walk(ctl, &chain);

	if (r != VD_EXIT_OK)
		return r;
	if (ctl->is_json)
		(void)printf("{\"entries\":%lld,\"last\":%lld,\"hash\":\"%s\"}\n",
			     (long long)(chain.id - chain.begun), (long long)chain.id, chain.hash);
	else
		(void)printf("good: %lld entries, note %lld:%s\n",
			     (long long)(chain.id - chain.begun), (long long)chain.id, chain.hash);
	return VD_EXIT_OK;
}

/* A line an entry, checked on the way; the note goes to stderr, for it belongs elsewhere. */
int vd_cmd_audit_export(struct vd_ctl *ctl)
{
	struct chain chain = { .hash = VD_AUDIT_START, .is_printed = true };
	int r = walk(ctl, &chain);

	if (r == VD_EXIT_OK)
		(void)fprintf(stderr, "good: %lld entries, note %lld:%s\n",
			      (long long)(chain.id - chain.begun), (long long)chain.id, chain.hash);
	return r;
}
