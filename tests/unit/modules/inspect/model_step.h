/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A recipe of one step that asks a model, from parameters to a result. */
#include <stdio.h>
#include <string.h>

#include "base/schema.h"
#include "modules/inspect/tools/rig.h"
#include "modules/inspect/tools/shelf.h"
#include "tests/unit/modules/inspect/model_folder.h"

extern const char vd_inspect_schema_json[];
extern const size_t vd_inspect_schema_json_len;

struct station {
	struct vd_recipe_set *set;
	struct vd_rig *rig;
	struct vd_image frame;
	struct vd_step_result result;
};

static inline int parse(const char *steps, const char *more, struct vd_recipe_set **set,
			struct vd_fault *fault)
{
	VD_CLEANUP(vd_json_free) cJSON *schema = NULL, *parameters = NULL;
	VD_CLEANUP(vd_buf_fini) struct vd_buf text = { 0 };
	int r = vd_json_parse(vd_inspect_schema_json, vd_inspect_schema_json_len, &schema, fault);

	assert_int_equal(
		vd_buf_printf(
			&text,
			"{\"active\":\"r\",\"recipes\":{\"r\":{\"rev\":1,\"cameras\":[\"top\"],"
			"\"steps\":{%s}%s}}}",
			steps, more),
		0);
	if (r == 0)
		r = vd_json_parse(text.data, text.len, &parameters, fault);
	if (r == 0)
		r = vd_schema_check(schema, parameters, fault);
	if (r == 0)
		r = vd_schema_fill(schema, parameters);
	return r < 0 ? r : vd_recipe_set_parse(parameters, set, fault);
}

/* rest: what follows in the step, with a comma before it. */
static inline int open_step(struct station *station, const struct model_folder *folder,
			    const char *tool, const char *rest, struct vd_fault *fault)
{
	char step[1024];
	int r;

	*station = (struct station){ 0 };
	(void)snprintf(
		step, sizeof step,
		"\"m\":{\"camera\":\"top\",\"tool\":\"%s\",\"package\":\"%s\",\"sha256\":\"%s\"%s}",
		tool, folder->path, folder->sha256, rest);
	r = parse(step, "", &station->set, fault);
	if (r == 0)
		r = vd_recipe_set_equip(station->set, fault);
	if (r == 0)
		r = vd_rig_new(&station->set->recipes[0], NULL, &station->rig);
	assert_int_equal(vd_image_shape(&station->frame, 100, 80, VD_GREY), 0);
	memset(station->frame.pixels, 90, station->frame.stride * 80);
	return r;
}

/* What it used stays on the shelf. */
static inline void put_away(struct station *station)
{
	(void)vd_rig_free(station->rig);
	(void)vd_recipe_set_unref(station->set);
	vd_image_fini(&station->frame);
	vd_step_result_fini(&station->result);
}

static inline void close_step(struct station *station)
{
	put_away(station);
	vd_shelf_clear();
}

static inline enum vd_verdict look(struct station *station)
{
	const struct vd_step_view view = { .frame = &station->frame, .serial = "" };

	vd_step_result_fini(&station->result);
	vd_rig_run(station->rig, 0, &view, &station->result);
	return station->result.verdict;
}
