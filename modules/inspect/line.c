/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/inspect/line.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"

enum { FILE_MOST = 16384 };

static bool copy(char *to, size_t bytes, const char *text)
{
	return snprintf(to, bytes, "%s", text) < (int)bytes;
}

int vd_line_word_parse(const cJSON *call, int64_t now_wall_ms, struct vd_line_word *ret_word,
		       struct vd_fault *fault)
{
	struct vd_line_word word = { .by = "" };

	if (!copy(word.by, sizeof word.by, vd_json_string(call, "by", "")) || !word.by[0]) {
		vd_fault_set(fault, 400, "/by", "a text of 1 to %zu bytes", sizeof word.by - 1);
		return -EINVAL;
	}
	if (!copy(word.reason, sizeof word.reason, vd_json_string(call, "reason", ""))) {
		vd_fault_set(fault, 400, "/reason", "a text of at most %zu bytes",
			     sizeof word.reason - 1);
		return -EINVAL;
	}
	(void)vd_time_text(now_wall_ms, word.at);
	*ret_word = word;
	return 0;
}

const char *vd_line_recipe(struct vd_line *line, const char *active)
{
	if (!line->recipe[0])
		return active;
	if (strcmp(line->instead, active) == 0)
		return line->recipe;
	line->recipe[0] = line->instead[0] = '\0';
	line->selection = (struct vd_line_word){ .by = "" };
	return active;
}

static bool add_word(cJSON *json, const struct vd_line_word *word)
{
	return vd_json_add_string(json, "by", word->by) &&
	       vd_json_add_string(json, "reason", word->reason) &&
	       vd_json_add_string(json, "at", word->at);
}

cJSON *vd_line_json(const struct vd_line *line)
{
	VD_CLEANUP(vd_json_free) cJSON *json = cJSON_CreateObject();
	cJSON *hold = line->is_held ? cJSON_AddObjectToObject(json, "hold") : NULL;
	cJSON *selection = line->recipe[0] ? cJSON_AddObjectToObject(json, "selection") : NULL;

	if (!json || (line->is_held && (!hold || !add_word(hold, &line->hold))))
		return NULL;
	if (line->recipe[0] &&
	    (!selection || !vd_json_add_string(selection, "recipe", line->recipe) ||
	     !vd_json_add_string(selection, "instead", line->instead) ||
	     !add_word(selection, &line->selection)))
		return NULL;
	return VD_TAKE(json);
}

static void take_word(const cJSON *json, struct vd_line_word *word)
{
	(void)copy(word->by, sizeof word->by, vd_json_string(json, "by", ""));
	(void)copy(word->reason, sizeof word->reason, vd_json_string(json, "reason", ""));
	(void)copy(word->at, sizeof word->at, vd_json_string(json, "at", ""));
}

void vd_line_parse(const cJSON *json, struct vd_line *ret_line)
{
	const cJSON *hold = vd_json_object(json, "hold");
	const cJSON *selection = vd_json_object(json, "selection");

	*ret_line = (struct vd_line){ .is_held = hold != NULL };
	take_word(hold, &ret_line->hold);
	take_word(selection, &ret_line->selection);
	if (!copy(ret_line->recipe, sizeof ret_line->recipe,
		  vd_json_string(selection, "recipe", "")) ||
	    !copy(ret_line->instead, sizeof ret_line->instead,
		  vd_json_string(selection, "instead", "")))
		ret_line->recipe[0] = '\0';
}

void vd_line_read(const char *path, struct vd_line *ret_line)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf text = { 0 };
	VD_CLEANUP(vd_json_free) cJSON *json = NULL;
	struct vd_fault fault = { 0 };
	int r = vd_file_read(path, FILE_MOST, &text, &fault);

	if (r == 0)
		r = vd_json_parse(text.data, text.len, &json, &fault);
	if (r < 0 && r != -ENOENT)
		vd_log(VD_ERROR, "line.forgotten", "path=%s text=\"%s\"", path, fault.text);
	vd_line_parse(json, ret_line);
}

int vd_line_write(const struct vd_line *line, const char *path)
{
	VD_CLEANUP(vd_json_free) cJSON *json = vd_line_json(line);
	VD_CLEANUP(vd_free) char *text = json ? vd_json_text(json) : NULL;

	return text ? vd_file_write(path, text, strlen(text), 0600) : -ENOMEM;
}
