/* SPDX-License-Identifier: Apache-2.0 */
/* vedettectl twin get, set, history */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/file.h"
#include "twin/ctl/assignment.h"
#include "twin/ctl/client.h"
#include "twin/ctl/ctl.h"
#include "twin/ctl/outcome.h"
#include "twin/ctl/say.h"
#include "twin/ctl/table.h"

enum { FILE_BYTES = 1 << 20, POLL_MS = 200, HISTORY_DEFAULT = 20 };

static int call_twin(struct vd_ctl *ctl, const char *method, const cJSON *body, cJSON **ret_twin)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf path = { 0 };
	struct vd_request request = { .method = method, .body = body };
	int r = vd_say_path(ctl, "/twins", ctl->arguments[0], &path);

	if (r == 0 && body && ctl->comment) {
		r = vd_buf_printf(&path, "?comment=");
		if (r == 0)
			r = vd_client_escape(ctl->client, ctl->comment, &path);
	}
	if (r < 0)
		return r == -EINVAL ? VD_EXIT_USAGE : VD_EXIT_FAILED;
	if (body)
		request.if_match = "*";
	request.path = path.data;
	return vd_client_call(ctl->client, &request, ret_twin);
}

int vd_cmd_twin_get(struct vd_ctl *ctl)
{
	VD_CLEANUP(vd_json_free) cJSON *twin = NULL;
	const cJSON *shown;
	int r = call_twin(ctl, "GET", NULL, &twin);

	if (r != VD_EXIT_OK)
		return r;
	shown = twin;
	if (ctl->section && strcmp(ctl->section, "tags") == 0)
		shown = vd_json_get(twin, "tags");
	else if (ctl->section)
		shown = vd_json_get(vd_json_get(twin, "properties"), ctl->section);
	return ctl->is_json ? vd_say_json(shown) : vd_say_pretty(shown);
}

/* --- set --- */

static int read_stdin(struct vd_buf *text)
{
	char block[4096];
	size_t n;

	text->limit = FILE_BYTES;
	while ((n = fread(block, 1, sizeof block, stdin)) > 0) {
		if (vd_buf_append(text, block, n) < 0)
			return -EFBIG;
	}
	return ferror(stdin) ? -EIO : 0;
}

static int read_patch_file(const char *path, cJSON **ret_patch)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf text = { 0 };
	struct vd_fault fault = { 0 };
	int r = strcmp(path, "-") == 0 ? read_stdin(&text)
				       : vd_file_read(path, FILE_BYTES, &text, &fault);

	if (r < 0 && !fault.code)
		return vd_say_error(VD_EXIT_FAILED, "%s: %s", path, strerror(-r));
	if (r == 0)
		r = vd_json_parse(text.len ? text.data : "", text.len, ret_patch, &fault);
	if (r < 0)
		return vd_say_error(VD_EXIT_FAILED, "%s: %s%s%s", path, fault.pointer,
				    fault.pointer[0] ? ": " : "", fault.text);
	if (!cJSON_IsObject(*ret_patch))
		return vd_say_error(VD_EXIT_FAILED, "%s: is not a JSON object", path);
	return VD_EXIT_OK;
}

static int read_assignments(struct vd_ctl *ctl, cJSON **ret_patch)
{
	VD_CLEANUP(vd_json_free) cJSON *patch = cJSON_CreateObject();

	for (int i = 1; patch && i < ctl->argument_count; i++) {
		struct vd_fault fault = { 0 };

		if (vd_assignment_add(patch, ctl->arguments[i], &fault) < 0)
			return vd_say_error(VD_EXIT_USAGE, "%s", fault.text);
	}
	*ret_patch = VD_TAKE(patch);
	return *ret_patch ? VD_EXIT_OK : VD_EXIT_FAILED;
}

static int read_change(struct vd_ctl *ctl, cJSON **ret_patch)
{
	bool has_assignments = ctl->argument_count > 1;

	if ((ctl->file != NULL) == has_assignments)
		return vd_say_error(VD_EXIT_USAGE,
				    "twin set wants either PATH=VALUE or --file FILE");
	return ctl->file ? read_patch_file(ctl->file, ret_patch) : read_assignments(ctl, ret_patch);
}

static cJSON *body_of(const struct vd_ctl *ctl, cJSON **patch)
{
	VD_CLEANUP(vd_json_free) cJSON *body = cJSON_CreateObject();
	bool is_tags = ctl->section && strcmp(ctl->section, "tags") == 0;
	cJSON *parent = body;

	if (body && !is_tags)
		parent = cJSON_AddObjectToObject(body, "properties");
	if (!parent || !vd_json_add_take(parent, is_tags ? "tags" : "desired", patch))
		return NULL;
	return VD_TAKE(body);
}

static void sleep_ms(int ms)
{
	const struct timespec pause = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L };

	(void)nanosleep(&pause, NULL);
}

/* Until the device's acknowledgement covers the version; *twin is replaced by the newest. */
static int wait_for(struct vd_ctl *ctl, int64_t version, cJSON **twin)
{
	uint64_t deadline = vd_clock_mono_ms() + (uint64_t)ctl->wait_s * 1000;

	while (vd_outcome_of(*twin, version).state == VD_OUTCOME_PENDING) {
		int r;

		if (vd_clock_mono_ms() >= deadline)
			return VD_EXIT_TIMED_OUT;
		sleep_ms(POLL_MS);
		*twin = vd_json_free(*twin);
		r = call_twin(ctl, "GET", NULL, twin);
		if (r != VD_EXIT_OK)
			return r;
	}
	return VD_EXIT_OK;
}

static int say_set_json(const struct vd_ctl *ctl, int64_t version, const struct vd_outcome *outcome)
{
	VD_CLEANUP(vd_json_free) cJSON *json = cJSON_CreateObject();

	if (!json || !vd_json_add_string(json, "id", ctl->arguments[0]) ||
	    !vd_json_add_number(json, "version", (double)version) ||
	    !vd_json_add_string(json, "state", vd_outcome_name(outcome->state)) ||
	    !vd_json_add_number(json, "code", outcome->code) ||
	    !vd_json_add_string(json, "pointer", outcome->pointer) ||
	    !vd_json_add_string(json, "text", outcome->text))
		return VD_EXIT_FAILED;
	return vd_say_json(json);
}

static void say_set(const struct vd_ctl *ctl, int64_t version, const struct vd_outcome *outcome)
{
	if (outcome->state == VD_OUTCOME_REFUSED)
		(void)printf("%s: version %lld refused (%d): %s%s%s\n", ctl->arguments[0],
			     (long long)version, outcome->code, outcome->pointer,
			     outcome->pointer[0] ? ": " : "", outcome->text);
	else
		(void)printf("%s: version %lld %s\n", ctl->arguments[0], (long long)version,
			     ctl->wait_s < 0 ? "sent" : vd_outcome_name(outcome->state));
}

static int finish_set(struct vd_ctl *ctl, cJSON **twin)
{
	int64_t version = vd_outcome_desired_version(*twin);
	struct vd_outcome outcome;
	int r = ctl->wait_s >= 0 ? wait_for(ctl, version, twin) : VD_EXIT_OK;

	if (r != VD_EXIT_OK && r != VD_EXIT_TIMED_OUT)
		return r;
	outcome = vd_outcome_of(*twin, version);
	if (ctl->is_json)
		(void)say_set_json(ctl, version, &outcome);
	else
		say_set(ctl, version, &outcome);
	if (r == VD_EXIT_TIMED_OUT)
		return vd_say_error(VD_EXIT_TIMED_OUT, "%s: no acknowledgement within %d s",
				    ctl->arguments[0], ctl->wait_s);
	return ctl->wait_s >= 0 && outcome.state == VD_OUTCOME_REFUSED ? VD_EXIT_FAILED
								       : VD_EXIT_OK;
}

int vd_cmd_twin_set(struct vd_ctl *ctl)
{
	VD_CLEANUP(vd_json_free) cJSON *patch = NULL;
	VD_CLEANUP(vd_json_free) cJSON *body = NULL;
	VD_CLEANUP(vd_json_free) cJSON *twin = NULL;
	int r = read_change(ctl, &patch);

	if (r != VD_EXIT_OK)
		return r;
	body = body_of(ctl, &patch);
	if (!body)
		return VD_EXIT_FAILED;
	r = call_twin(ctl, ctl->is_replace ? "PUT" : "PATCH", body, &twin);
	if (r != VD_EXIT_OK)
		return r;
	if (vd_json_get(body, "tags")) {
		(void)printf("%s: tags set\n", ctl->arguments[0]);
		return VD_EXIT_OK;
	}
	return finish_set(ctl, &twin);
}

/* --- history --- */

static int print_history(const cJSON *list)
{
	static const char *const headings[] = { "VERSION",   "TIME",    "AUTHOR",
						"OPERATION", "COMMENT", NULL };
	VD_CLEANUP(vd_table_free) struct vd_table *table = NULL;
	const cJSON *entry;

	if (vd_table_new(headings, &table) < 0)
		return VD_EXIT_FAILED;
	cJSON_ArrayForEach(entry, list)
	{
		char version[32];
		const char *const cells[] = { version, vd_json_string(entry, "changedTime", NULL),
					      vd_json_string(entry, "author", NULL),
					      vd_json_string(entry, "operation", NULL),
					      vd_json_string(entry, "comment", NULL) };

		(void)snprintf(version, sizeof version, "%lld",
			       (long long)vd_json_int(entry, "version", 0));
		if (vd_table_add(table, cells) < 0)
			return VD_EXIT_FAILED;
	}
	vd_table_print(table, stdout);
	return VD_EXIT_OK;
}

int vd_cmd_twin_history(struct vd_ctl *ctl)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf path = { 0 };
	VD_CLEANUP(vd_json_free) cJSON *answer = NULL;
	struct vd_request request = { .method = "GET" };
	int r = vd_say_path(ctl, "/twins", ctl->arguments[0], &path);
	bool is_one = ctl->argument_count > 1;

	if (r == 0 && is_one) {
		r = vd_buf_printf(&path, "/history/");
		if (r == 0)
			r = vd_client_escape(ctl->client, ctl->arguments[1], &path);
	} else if (r == 0) {
		r = vd_buf_printf(&path, "/history?limit=%d",
				  ctl->limit > 0 ? ctl->limit : HISTORY_DEFAULT);
	}
	if (r < 0)
		return r == -EINVAL ? VD_EXIT_USAGE : VD_EXIT_FAILED;
	request.path = path.data;
	r = vd_client_call(ctl->client, &request, &answer);
	if (r != VD_EXIT_OK)
		return r;
	if (ctl->is_json)
		return vd_say_json(answer);
	return is_one ? vd_say_pretty(answer) : print_history(answer);
}
