/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/inspect/line/panel.h"

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

int vd_panel_word_parse(const cJSON *call, int64_t now_wall_ms, struct vd_panel_word *ret_word,
			struct vd_fault *fault)
{
	struct vd_panel_word word = { .by = "" };

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

const char *vd_panel_recipe(struct vd_panel *panel, const char *active)
{
	if (!panel->recipe[0])
		return active;
	if (strcmp(panel->instead, active) == 0)
		return panel->recipe;
	panel->recipe[0] = panel->instead[0] = '\0';
	panel->selection = (struct vd_panel_word){ .by = "" };
	return active;
}

static bool add_word(cJSON *json, const struct vd_panel_word *word)
{
	return vd_json_add_string(json, "by", word->by) &&
	       vd_json_add_string(json, "reason", word->reason) &&
	       vd_json_add_string(json, "at", word->at);
}

cJSON *vd_panel_json(const struct vd_panel *panel)
{
	VD_CLEANUP(vd_json_free) cJSON *json = cJSON_CreateObject();
	cJSON *hold = panel->is_held ? cJSON_AddObjectToObject(json, "hold") : NULL;
	cJSON *selection = panel->recipe[0] ? cJSON_AddObjectToObject(json, "selection") : NULL;

	if (!json || (panel->is_held && (!hold || !add_word(hold, &panel->hold))))
		return NULL;
	if (panel->recipe[0] &&
	    (!selection || !vd_json_add_string(selection, "recipe", panel->recipe) ||
	     !vd_json_add_string(selection, "instead", panel->instead) ||
	     !add_word(selection, &panel->selection)))
		return NULL;
	return VD_TAKE(json);
}

static void take_word(const cJSON *json, struct vd_panel_word *word)
{
	(void)copy(word->by, sizeof word->by, vd_json_string(json, "by", ""));
	(void)copy(word->reason, sizeof word->reason, vd_json_string(json, "reason", ""));
	(void)copy(word->at, sizeof word->at, vd_json_string(json, "at", ""));
}

void vd_panel_parse(const cJSON *json, struct vd_panel *ret_panel)
{
	const cJSON *hold = vd_json_object(json, "hold");
	const cJSON *selection = vd_json_object(json, "selection");

	*ret_panel = (struct vd_panel){ .is_held = hold != NULL };
	take_word(hold, &ret_panel->hold);
	take_word(selection, &ret_panel->selection);
	if (!copy(ret_panel->recipe, sizeof ret_panel->recipe,
		  vd_json_string(selection, "recipe", "")) ||
	    !copy(ret_panel->instead, sizeof ret_panel->instead,
		  vd_json_string(selection, "instead", "")))
		ret_panel->recipe[0] = '\0';
}

void vd_panel_read(const char *path, struct vd_panel *ret_panel)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf text = { 0 };
	VD_CLEANUP(vd_json_free) cJSON *json = NULL;
	struct vd_fault fault = { 0 };
	int r = vd_file_read(path, FILE_MOST, &text, &fault);

	if (r == 0)
		r = vd_json_parse(text.data, text.len, &json, &fault);
	if (r < 0 && r != -ENOENT)
		vd_log(VD_ERROR, "panel.forgotten", "path=%s text=\"%s\"", path, fault.text);
	vd_panel_parse(json, ret_panel);
}

int vd_panel_write(const struct vd_panel *panel, const char *path)
{
	VD_CLEANUP(vd_json_free) cJSON *json = vd_panel_json(panel);
	VD_CLEANUP(vd_free) char *text = json ? vd_json_text(json) : NULL;

	return text ? vd_file_write(path, text, strlen(text), 0600) : -ENOMEM;
}
