/* SPDX-License-Identifier: Apache-2.0 */
#include "twin/broker/presence.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/log.h"

struct presence_entry {
	const char *name; /* first, for the comparison */
	struct vd_session session;
	char text[];
};

struct vd_presence {
	char *path;
	void *entries; /* tsearch tree */
	size_t connected, count;
	size_t appended; /* lines since the journal was written anew */
};

/* The journal is written anew when most of it is history. */
enum { APPENDED_MIN = 4096 };

static int compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static struct presence_entry *find(const struct vd_presence *presence, const char *identity)
{
	void *const *node = tfind(&identity, &presence->entries, compare);

	return node ? *node : NULL;
}

static struct presence_entry *find_or_add(struct vd_presence *presence, const char *identity)
{
	struct presence_entry *entry = find(presence, identity);
	size_t size = strlen(identity) + 1;

	if (entry)
		return entry;
	entry = calloc(1, sizeof *entry + size);
	if (!entry)
		return NULL;
	memcpy(entry->text, identity, size);
	entry->name = entry->session.identity = entry->text;
	if (tsearch(entry, &presence->entries, compare)) {
		presence->count++;
		return entry;
	}
	free(entry);
	return NULL;
}

static void drop_if_empty(struct vd_presence *presence, struct presence_entry *entry)
{
	if (entry->session.client || entry->session.flags)
		return;
	(void)tdelete(&entry->name, &presence->entries, compare);
	presence->count--;
	free(entry);
}

/* The journal's line: {"id":"dev","subscriptions":["c2d"]}. */
static int write_line(const struct vd_session *session, struct vd_buf *out)
{
	VD_CLEANUP(vd_json_free) cJSON *id = cJSON_CreateString(session->identity);
	VD_CLEANUP(vd_free) char *text = id ? vd_json_text(id) : NULL;
	int r = text ? vd_buf_printf(out, "{\"id\":%s,\"subscriptions\":", text) : -ENOMEM;

	if (r == 0)
		r = vd_flags_text(session->flags, out);
	return r < 0 ? r : vd_buf_append(out, "}\n", 2);
}

struct file_text {
	struct vd_buf text;
	int error;
};

static void add_to_file(const struct vd_session *session, void *argument)
{
	struct file_text *file = argument;

	if (session->flags && file->error == 0)
		file->error = write_line(session, &file->text);
}

static int rewrite(struct vd_presence *presence)
{
	struct file_text file = { 0 };
	int r;

	presence->appended = 0;
	vd_presence_each(presence, add_to_file, &file);
	r = file.error;
	if (r == 0)
		r = vd_file_write(presence->path, file.text.data ? file.text.data : "",
				  file.text.len, 0600);
	vd_buf_fini(&file.text);
	return r;
}

static int keep(struct vd_presence *presence, const struct vd_session *session)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf line = { 0 };
	int r;

	if (!presence->path)
		return 0;
	if (presence->appended >= APPENDED_MIN && presence->appended > 4 * presence->count)
		(void)!rewrite(presence); /* the longer journal is as good */
	r = write_line(session, &line);
	if (r == 0)
		r = vd_journal_append(presence->path, line.data, line.len);
	if (r < 0)
		vd_log(VD_ERROR, "presence.journal", "file=%s error=\"%s\"", presence->path,
		       strerror(-r));
	else
		presence->appended++;
	return r;
}

static int set_flags(struct vd_presence *presence, struct presence_entry *entry, unsigned flags)
{
	struct vd_session changed = entry->session;
	int r;

	if (entry->session.flags == flags)
		return 0;
	changed.flags = flags;
	r = keep(presence, &changed);
	if (r < 0)
		return r;
	entry->session.flags = flags;
	return VD_PRESENCE_CHANGED;
}

static int read_flags(const cJSON *line, unsigned *ret_flags)
{
	const cJSON *name, *list = vd_json_array(line, "subscriptions");
	unsigned flags = 0;

	cJSON_ArrayForEach(name, list)
	{
		enum vd_flag flag;

		if (!cJSON_IsString(name) || vd_flag_parse(name->valuestring, &flag) < 0)
			return -EINVAL;
		flags |= (unsigned)flag;
	}
	*ret_flags = flags;
	return list ? 0 : -EINVAL;
}

static int on_line(void *argument, const char *text, size_t len)
{
	struct vd_presence *presence = argument;
	VD_CLEANUP(vd_json_free) cJSON *line = NULL;
	struct presence_entry *entry;
	unsigned flags = 0;
	int r = vd_json_parse(text, len, &line, NULL);

	if (r == 0 && *vd_json_string(line, "id", "") == '\0')
		r = -EINVAL;
	if (r == 0)
		r = read_flags(line, &flags);
	if (r == -EINVAL) {
		vd_log(VD_WARN, "presence.badLine", "file=%s bytes=%zu", presence->path, len);
		return 0;
	}
	if (r < 0)
		return r;
	entry = find_or_add(presence, vd_json_string(line, "id", ""));
	if (!entry)
		return -ENOMEM;
	entry->session.flags = flags;
	drop_if_empty(presence, entry);
	return 0;
}

static void on_restart(void *argument)
{
}

static int load(struct vd_presence *presence)
{
	const struct vd_journal_reader reader = { on_restart, on_line, presence };
	struct vd_journal journal;
	int r = vd_journal_init(&journal, presence->path);

	if (r == 0)
		r = vd_journal_follow(&journal, &reader);
	vd_journal_fini(&journal);
	return r < 0 ? r : rewrite(presence);
}

int vd_presence_new(const char *path, struct vd_presence **ret_presence)
{
	VD_CLEANUP(vd_presence_free) struct vd_presence *presence = calloc(1, sizeof *presence);
	int r = 0;

	if (!presence)
		return -ENOMEM;
	if (path) {
		presence->path = strdup(path);
		r = presence->path ? load(presence) : -ENOMEM;
	}
	if (r < 0)
		return r;
	*ret_presence = VD_TAKE(presence);
	return 0;
}

struct vd_presence *vd_presence_free(struct vd_presence *presence)
{
	if (!presence)
		return NULL;
	tdestroy(presence->entries, free);
	free(presence->path);
	free(presence);
	return NULL;
}

int vd_presence_connect(struct vd_presence *presence, const char *identity, const void *client,
			int64_t expires_s, uint64_t fingerprint, bool clean_session)
{
	struct presence_entry *entry = find_or_add(presence, identity);
	int r = 0;

	if (!entry)
		return -ENOMEM;
	if (clean_session)
		r = set_flags(presence, entry, 0);
	if (r < 0) {
		drop_if_empty(presence, entry);
		return r;
	}
	presence->connected += !entry->session.client;
	entry->session.client = client;
	entry->session.expires_s = expires_s;
	entry->session.fingerprint = fingerprint;
	return 0;
}

bool vd_presence_is_current(const struct vd_presence *presence, const char *identity,
			    const void *client)
{
	const struct presence_entry *entry = find(presence, identity);

	return entry && entry->session.client == client;
}

bool vd_presence_disconnect(struct vd_presence *presence, const char *identity, const void *client)
{
	struct presence_entry *entry = find(presence, identity);

	if (!entry || entry->session.client != client)
		return false;
	presence->connected--;
	entry->session.client = NULL;
	entry->session.expires_s = 0;
	drop_if_empty(presence, entry);
	return true;
}

int vd_presence_take(struct vd_presence *presence, const char *identity, unsigned per_second,
		     uint64_t now_ms)
{
	struct presence_entry *entry = find(presence, identity);
	struct vd_session *session = entry ? &entry->session : NULL;
	double full = 2.0 * per_second;

	if (!session || per_second == 0)
		return 0;
	if (session->counted_ms == 0)
		session->requests = full;
	else
		session->requests += (double)(now_ms - session->counted_ms) * per_second / 1000;
	session->counted_ms = now_ms ? now_ms : 1;
	if (session->requests > full)
		session->requests = full;
	if (session->requests < 1) {
		bool first = !session->limited;

		session->limited = true;
		return first ? VD_PRESENCE_LIMITED : VD_PRESENCE_STILL_LIMITED;
	}
	session->limited = false;
	session->requests -= 1;
	return 0;
}

const struct vd_session *vd_presence_find(const struct vd_presence *presence, const char *identity)
{
	const struct presence_entry *entry = find(presence, identity);

	return entry ? &entry->session : NULL;
}

int vd_presence_set_flag(struct vd_presence *presence, const char *identity, enum vd_flag flag,
			 bool on)
{
	struct presence_entry *entry = find_or_add(presence, identity);
	int r;

	if (!entry)
		return -ENOMEM;
	r = set_flags(presence, entry,
		      on ? entry->session.flags | (unsigned)flag
			 : entry->session.flags & ~(unsigned)flag);
	drop_if_empty(presence, entry);
	return r;
}

int vd_presence_forget(struct vd_presence *presence, const char *identity)
{
	struct presence_entry *entry = find(presence, identity);
	int r;

	if (!entry)
		return 0;
	r = set_flags(presence, entry, 0);
	drop_if_empty(presence, entry);
	return r < 0 ? r : 0;
}

struct walk {
	vd_session_fn fn;
	void *argument;
};

static void visit(const void *node, VISIT order, void *closure)
{
	const struct presence_entry *const *entry = node;
	const struct walk *walk = closure;

	if (order == postorder || order == leaf)
		walk->fn(&(*entry)->session, walk->argument);
}

void vd_presence_each(const struct vd_presence *presence, vd_session_fn fn, void *argument)
{
	struct walk walk = { fn, argument };

	twalk_r(presence->entries, visit, &walk);
}

size_t vd_presence_connected(const struct vd_presence *presence)
{
	return presence->connected;
}
