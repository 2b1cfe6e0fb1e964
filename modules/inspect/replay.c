/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/inspect/replay.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/schema.h"
#include "modules/inspect/inspector.h"
#include "modules/inspect/tools/shelf.h"

enum { PATH_BYTES = 4096, FILE_BYTES_MOST = 256 << 20, DEPTH_MOST = 3, NAMES_MOST = 1 << 20 };
enum { UNKNOWN = VD_VERDICTS }; /* there is no old verdict */

struct picture {
	char *path;
	char sha256[VD_SHA256_TEXT]; /* "": not read yet */
	bool is_used;
};

struct names {
	char **list;
	size_t count, room;
};

struct side {
	struct vd_recipe_set *set;
	struct vd_inspector *inspector;
};

struct replay {
	const struct vd_replay_options *options;
	FILE *out, *errors;
	struct names jsons, paths;
	struct picture *pictures; /* one a path */
	struct side now, old;     /* old.set NULL: stored verdicts */
	unsigned matrix[VD_VERDICTS + 1][VD_VERDICTS];
	unsigned items, changed, unreadable;
};

/* ---- parameters ---- */

static int read_json(const char *path, cJSON **ret_json, struct vd_fault *fault)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf bytes = { 0 };
	int r = vd_file_read(path, FILE_BYTES_MOST, &bytes, fault);

	return r < 0 ? r : vd_json_parse_commented(bytes.data, bytes.len, ret_json, fault);
}

static int check(const char *schema_text, cJSON *parameters, struct vd_fault *fault)
{
	VD_CLEANUP(vd_json_free) cJSON *schema = NULL;
	int r = vd_json_parse(schema_text, strlen(schema_text), &schema, fault);

	if (r == 0)
		r = vd_schema_check(schema, parameters, fault);
	return r < 0 ? r : vd_schema_fill(schema, parameters);
}

static int open_side(struct replay *replay, const char *path, struct side *side)
{
	const struct vd_inspector_options options = {
		.station = "replay",
		.model_folder = replay->options->models ? replay->options->models : "",
		.is_read_only = true,
		.is_untimed = true, /* this machine may be slower, or busier */
		.now_us = vd_clock_mono_us,
	};
	VD_CLEANUP(vd_json_free) cJSON *parameters = NULL;
	struct vd_fault fault = { 0 };
	int r = read_json(path, &parameters, &fault);

	if (r == 0)
		r = check(replay->options->schema, parameters, &fault);
	if (r == 0)
		r = vd_recipe_set_parse(parameters, &side->set, &fault);
	if (r == 0)
		r = vd_recipe_set_equip(side->set, &fault);
	if (r == 0)
		r = vd_inspector_new(&options, &side->inspector);
	if (r < 0)
		(void)fprintf(replay->errors, "%s: %s%s%s\n", path, fault.pointer,
			      fault.pointer[0] ? ": " : "", fault.code ? fault.text : strerror(-r));
	return r;
}

static void close_side(struct side *side)
{
	(void)vd_inspector_free(side->inspector);
	(void)vd_recipe_set_unref(side->set);
}

/* ---- files ---- */

static int add_name(struct names *names, const char *path)
{
	char *copy;

	if (names->count == NAMES_MOST)
		return -E2BIG;
	if (names->count == names->room) {
		const size_t room = names->room ? 2 * names->room : 64;
		char **list = realloc(names->list, room * sizeof *list);

		if (!list)
			return -ENOMEM;
		names->list = list;
		names->room = room;
	}
	copy = strdup(path);
	if (!copy)
		return -ENOMEM;
	names->list[names->count++] = copy;
	return 0;
}

static void free_names(struct names *names)
{
	for (size_t i = 0; i < names->count; i++)
		free(names->list[i]);
	free(names->list);
}

static bool ends_with(const char *name, const char *end)
{
	const size_t n = strlen(name), m = strlen(end);

	return n > m && strcasecmp(name + n - m, end) == 0;
}

static int list(struct replay *replay, const char *folder, int depth);

static int list_entry(struct replay *replay, const char *folder, const char *name, int depth)
{
	char path[PATH_BYTES];
	struct stat status;

	if (name[0] == '.' || snprintf(path, sizeof path, "%s/%s", folder, name) >= PATH_BYTES ||
	    stat(path, &status) < 0)
		return 0;
	if (S_ISDIR(status.st_mode))
		return depth < DEPTH_MOST ? list(replay, path, depth + 1) : 0;
	if (ends_with(name, ".json") || ends_with(name, ".ndjson"))
		return add_name(&replay->jsons, path);
	if ((ends_with(name, ".jpg") || ends_with(name, ".jpeg") || ends_with(name, ".pgm")) &&
	    !ends_with(name, "overlay.jpg"))
		return add_name(&replay->paths, path);
	return 0;
}

static int list(struct replay *replay, const char *folder, int depth)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;
	int r = dir ? 0 : -errno;

	while (r == 0 && (entry = readdir(dir)))
		r = list_entry(replay, folder, entry->d_name, depth);
	if (dir)
		(void)closedir(dir);
	return r;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int list_all(struct replay *replay)
{
	int r = list(replay, replay->options->folder, 0);

	if (r < 0) {
		(void)fprintf(replay->errors, "%s: %s\n", replay->options->folder, strerror(-r));
		return r;
	}
	if (replay->jsons.count > 0)
		qsort(replay->jsons.list, replay->jsons.count, sizeof(char *), by_name);
	if (replay->paths.count > 0)
		qsort(replay->paths.list, replay->paths.count, sizeof(char *), by_name);
	replay->pictures = calloc(replay->paths.count + 1, sizeof *replay->pictures);
	if (!replay->pictures)
		return -ENOMEM;
	for (size_t i = 0; i < replay->paths.count; i++)
		replay->pictures[i].path = replay->paths.list[i];
	return 0;
}

/* ---- frames ---- */

/* A whole number of a PGM's head, after white space; -1: none. */
static int read_number(const struct vd_buf *bytes, size_t *at)
{
	int value = -1;

	while (*at < bytes->len && isspace((unsigned char)bytes->data[*at]))
		++*at;
	for (; *at < bytes->len && isdigit((unsigned char)bytes->data[*at]); ++*at) {
		value = (value < 0 ? 0 : value) * 10 + (bytes->data[*at] - '0');
		if (value > 65535)
			return -1;
	}
	return value;
}

static bool take_pgm(struct vd_shot *shot)
{
	size_t at = 2;
	const int width = read_number(&shot->bytes, &at), height = read_number(&shot->bytes, &at);
	const int most = read_number(&shot->bytes, &at);

	if (width < 1 || height < 1 || most != 255 || at >= shot->bytes.len)
		return false;
	vd_buf_drop(&shot->bytes, at + 1);
	shot->width = shot->stride = width;
	shot->height = height;
	return true;
}

static bool take_frame(struct picture *picture, struct vd_shot *shot)
{
	struct vd_fault fault = { 0 };

	if (vd_file_read(picture->path, FILE_BYTES_MOST, &shot->bytes, &fault) < 0)
		return false;
	picture->is_used = true;
	shot->state = VD_SHOT_TAKEN;
	shot->is_jpeg = shot->bytes.len < 2 || memcmp(shot->bytes.data, "P5", 2) != 0;
	return shot->is_jpeg || take_pgm(shot);
}

static const char *digest_of(struct picture *picture)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf bytes = { 0 };
	struct vd_fault fault = { 0 };

	if (!picture->sha256[0] &&
	    (vd_file_read(picture->path, FILE_BYTES_MOST, &bytes, &fault) < 0 ||
	     vd_sha256_text(bytes.data, bytes.len, picture->sha256) < 0))
		picture->sha256[0] = '\0';
	return picture->sha256;
}

static struct picture *find_by_digest(struct replay *replay, const char *sha256)
{
	for (size_t i = 0; sha256[0] && i < replay->paths.count; i++) {
		if (strcmp(digest_of(&replay->pictures[i]), sha256) == 0)
			return &replay->pictures[i];
	}
	return NULL;
}

/* A file of this name in the folder of the JSON that speaks of it. */
static struct picture *find_by_name(struct replay *replay, const char *json, const char *name)
{
	const char *slash = strrchr(json, '/');
	const size_t n = slash ? (size_t)(slash - json) + 1 : 0;

	for (size_t i = 0; name[0] && i < replay->paths.count; i++) {
		const char *path = replay->pictures[i].path;

		if (strncmp(path, json, n) == 0 && strcmp(path + n, name) == 0)
			return &replay->pictures[i];
	}
	return NULL;
}

/* ---- judging ---- */

struct story {
	const char *name; /* for the diff */
	const char *json; /* path; NULL: an image alone */
	const cJSON *body;
	struct picture *picture; /* of an image alone */
};

static struct picture *frame_of(struct replay *replay, const struct story *story,
				const char *camera)
{
	const cJSON *seen = vd_json_object(vd_json_object(story->body, "cameras"), camera);
	struct picture *picture;

	if (!story->json)
		return story->picture;
	picture = find_by_name(replay, story->json,
			       vd_json_string(vd_json_object(story->body, "files"), camera, ""));
	return picture ? picture : find_by_digest(replay, vd_json_string(seen, "sha256", ""));
}

static int make_item(struct replay *replay, const struct story *story, const struct side *side,
		     const char *serial, struct vd_item **ret_item)
{
	VD_CLEANUP(vd_item_free) struct vd_item *item = NULL;
	int r = vd_item_new(side->set, vd_clock_mono_us(), &item);

	if (r < 0)
		return r;
	(void)snprintf(item->serial, sizeof item->serial, "%s", serial);
	item->trigger = cJSON_Duplicate(vd_json_object(story->body, "trigger"), true);
	for (int i = 0; i < item->recipe->camera_count; i++) {
		const char *camera = item->recipe->cameras[i];
		struct picture *picture = frame_of(replay, story, camera);

		if (picture && take_frame(picture, &item->shots[i]))
			continue;
		(void)fprintf(replay->errors, "%s: no frame of camera %s\n", story->name, camera);
		return -ENOENT;
	}
	*ret_item = VD_TAKE(item);
	return 0;
}

/* -errno, or the verdict; reason: the first one. */
static int judge(struct replay *replay, const struct story *story, const struct side *side,
		 const char *serial, char reason[static VD_STEP_TEXT])
{
	VD_CLEANUP(vd_item_free) struct vd_item *item = NULL;
	struct vd_outcome outcome = { 0 };
	const cJSON *first;
	int r = make_item(replay, story, side, serial, &item);

	if (r < 0)
		return r;
	vd_inspector_run(side->inspector, item, &outcome);
	first = cJSON_GetArrayItem(vd_json_array(outcome.body, "reasons"), 0);
	(void)snprintf(reason, VD_STEP_TEXT, "%s", cJSON_IsString(first) ? first->valuestring : "");
	r = (int)outcome.verdict;
	vd_outcome_fini(&outcome);
	return r;
}

static int stored_verdict(const cJSON *body)
{
	const char *name = vd_json_string(body, "verdict", "");

	for (int i = 0; i < VD_VERDICTS; i++) {
		if (strcmp(vd_verdict_name((enum vd_verdict)i), name) == 0)
			return i;
	}
	return UNKNOWN;
}

static const char *name_of(int verdict)
{
	return verdict == UNKNOWN ? "-" : vd_verdict_name((enum vd_verdict)verdict);
}

static void stem(const char *path, char out[static VD_SERIAL_BYTES])
{
	const char *slash = strrchr(path, '/');
	char *dot;

	(void)snprintf(out, VD_SERIAL_BYTES, "%.100s", slash ? slash + 1 : path);
	dot = strrchr(out, '.');
	if (dot)
		*dot = '\0';
}

static void play(struct replay *replay, const struct story *story)
{
	char serial[VD_SERIAL_BYTES], reason[VD_STEP_TEXT] = "", unused[VD_STEP_TEXT] = "";
	int now, old;

	(void)snprintf(serial, sizeof serial, "%.*s", (int)sizeof serial - 1,
		       vd_json_string(story->body, "serial", story->json ? "" : story->name));
	now = judge(replay, story, &replay->now, serial, reason);
	old = replay->old.set ? judge(replay, story, &replay->old, serial, unused)
			      : stored_verdict(story->body);
	if (now < 0 || old < 0) {
		replay->unreadable++;
		return;
	}
	replay->items++;
	replay->matrix[old][now]++;
	if (old == UNKNOWN || old == now)
		return;
	replay->changed++;
	(void)fprintf(replay->out, "%s\t%s -> %s\t%s\n", story->name, name_of(old), name_of(now),
		      reason);
}

/* ---- stories ---- */

static void play_body(struct replay *replay, const char *path, const cJSON *json)
{
	const cJSON *body = vd_json_object(json, "body") ? vd_json_object(json, "body") : json;
	const struct story story = { .name = vd_json_string(body, "itemId", path),
				     .json = path,
				     .body = body };

	if (vd_json_object(body, "cameras") || vd_json_object(body, "files"))
		play(replay, &story);
}

static bool play_text(struct replay *replay, const char *path, const char *text, size_t len)
{
	VD_CLEANUP(vd_json_free) cJSON *json = NULL;
	struct vd_fault fault = { 0 };
	const cJSON *item;

	if (vd_json_parse(text, len, &json, &fault) < 0)
		return false;
	if (cJSON_IsArray(json)) {
		cJSON_ArrayForEach(item, json) play_body(replay, path, item);
	} else {
		play_body(replay, path, json);
	}
	return true;
}

static bool play_lines(struct replay *replay, const char *path, const struct vd_buf *bytes)
{
	bool ok = true;

	for (size_t at = 0; at < bytes->len;) {
		const char *line = bytes->data + at;
		const char *end = memchr(line, '\n', bytes->len - at);
		const size_t n = end ? (size_t)(end - line) : bytes->len - at;

		if (n > 0 && !play_text(replay, path, line, n))
			ok = false;
		at += n + 1;
	}
	return ok;
}

static void play_file(struct replay *replay, const char *path)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf bytes = { 0 };
	struct vd_fault fault = { 0 };

	if (vd_file_read(path, FILE_BYTES_MOST, &bytes, &fault) == 0 &&
	    (play_text(replay, path, bytes.data, bytes.len) || play_lines(replay, path, &bytes)))
		return;
	(void)fprintf(replay->errors, "%s: not JSON\n", path);
	replay->unreadable++;
}

static void play_all(struct replay *replay)
{
	const struct vd_recipe *recipe = &replay->now.set->recipes[replay->now.set->active];

	for (size_t i = 0; i < replay->jsons.count; i++)
		play_file(replay, replay->jsons.list[i]);
	for (size_t i = 0; i < replay->paths.count && recipe->camera_count == 1; i++) {
		char name[VD_SERIAL_BYTES];
		const struct story story = { .name = name, .picture = &replay->pictures[i] };

		stem(replay->pictures[i].path, name);
		if (!replay->pictures[i].is_used)
			play(replay, &story);
	}
}

static int sum_up(const struct replay *replay)
{
	for (int old = 0; old <= UNKNOWN; old++) {
		for (int now = 0; now < VD_VERDICTS; now++) {
			if (replay->matrix[old][now] > 0)
				(void)fprintf(replay->out, "%s -> %s: %u\n", name_of(old),
					      name_of(now), replay->matrix[old][now]);
		}
	}
	(void)fprintf(replay->out, "%u items, %u changed, %u unreadable\n", replay->items,
		      replay->changed, replay->unreadable);
	if (replay->items == 0 || replay->unreadable > 0)
		return VD_REPLAY_PARTLY;
	return replay->changed > 0 ? VD_REPLAY_CHANGED : VD_REPLAY_SAME;
}

static int run(struct replay *replay)
{
	const struct vd_replay_options *options = replay->options;

	if (open_side(replay, options->parameters, &replay->now) < 0 ||
	    (options->against && open_side(replay, options->against, &replay->old) < 0))
		return VD_REPLAY_REFUSED;
	if (list_all(replay) < 0)
		return VD_REPLAY_PARTLY;
	play_all(replay);
	return sum_up(replay);
}

int vd_replay(const struct vd_replay_options *options, FILE *out, FILE *errors)
{
	struct replay replay = { .options = options, .out = out, .errors = errors };
	const int r = run(&replay);

	close_side(&replay.now);
	close_side(&replay.old);
	free_names(&replay.jsons);
	free_names(&replay.paths);
	free(replay.pictures);
	return r;
}
