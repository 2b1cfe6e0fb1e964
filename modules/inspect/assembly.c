/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/inspect/assembly.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OPEN_MOST = 96, DONE_MOST = 256, KEY_BYTES = 160 };

struct open {
	char key[KEY_BYTES];
	struct vd_item *item;
	uint64_t deadline_us;
};

struct vd_assembly {
	struct open open[OPEN_MOST]; /* oldest first */
	int count;
	char done[DONE_MOST][KEY_BYTES]; /* a ring of keys whose items have left */
	unsigned next_done;
};

int vd_assembly_new(struct vd_assembly **ret_assembly)
{
	*ret_assembly = calloc(1, sizeof **ret_assembly);
	return *ret_assembly ? 0 : -ENOMEM;
}

struct vd_assembly *vd_assembly_free(struct vd_assembly *assembly)
{
	if (!assembly)
		return NULL;
	for (int i = 0; i < assembly->count; i++)
		(void)vd_item_free(assembly->open[i].item);
	free(assembly);
	return NULL;
}

/* "": it answers no trigger of the station's. */
static const char *answered_by(const struct vd_arrival *arrival)
{
	return vd_json_string(arrival->trigger, "id", "");
}

static void make_asked_key(const char *id, char key[static KEY_BYTES])
{
	(void)snprintf(key, KEY_BYTES, "?%.100s", id);
}

static void make_key(const struct vd_arrival *arrival, char key[static KEY_BYTES])
{
	const cJSON *seq = vd_json_get(arrival->trigger, "seq");

	if (answered_by(arrival)[0])
		make_asked_key(answered_by(arrival), key);
	else if (cJSON_IsNumber(seq))
		(void)snprintf(key, KEY_BYTES, "%.100s#%.17g",
			       vd_json_string(arrival->trigger, "source", ""), seq->valuedouble);
	else
		(void)snprintf(key, KEY_BYTES, "#%llu", (unsigned long long)arrival->seq);
}

static bool is_done(const struct vd_assembly *assembly, const char *key)
{
	for (int i = 0; i < DONE_MOST; i++) {
		if (strcmp(assembly->done[i], key) == 0)
			return true;
	}
	return false;
}

static void note_done(struct vd_assembly *assembly, const char key[static KEY_BYTES])
{
	memcpy(assembly->done[assembly->next_done++ % DONE_MOST], key, KEY_BYTES);
}

static struct vd_item *leave(struct vd_assembly *assembly, int i)
{
	struct vd_item *item = assembly->open[i].item;

	note_done(assembly, assembly->open[i].key);
	assembly->count--;
	memmove(&assembly->open[i], &assembly->open[i + 1],
		(size_t)(assembly->count - i) * sizeof *assembly->open);
	return item;
}

static int start(const struct vd_arrival *arrival, struct vd_recipe_set *set, uint64_t now_us,
		 struct vd_item **ret_item)
{
	VD_CLEANUP(vd_item_free) struct vd_item *item = NULL;
	int r = vd_item_new(set, now_us, &item);

	if (r < 0)
		return r;
	if (arrival->trigger) {
		item->trigger = cJSON_Duplicate(arrival->trigger, true);
		if (!item->trigger)
			return -ENOMEM;
	}
	*ret_item = VD_TAKE(item);
	return 0;
}

static void take_shot(struct vd_item *item, int camera, struct vd_arrival *arrival)
{
	if (arrival->serial && !item->serial[0])
		(void)snprintf(item->serial, sizeof item->serial, "%s", arrival->serial);
	vd_buf_fini(&item->shots[camera].bytes);
	item->shots[camera] = arrival->shot;
	arrival->shot = (struct vd_shot){ 0 };
}

static int find_open(const struct vd_assembly *assembly, const char *key)
{
	for (int i = 0; i < assembly->count; i++) {
		if (strcmp(assembly->open[i].key, key) == 0)
			return i;
	}
	return -1;
}

/* Nothing to put together: no key, nothing to be late for. */
static int put_alone(struct vd_recipe_set *set, struct vd_arrival *arrival, uint64_t now_us,
		     struct vd_item **ret_item)
{
	struct vd_item *item = NULL;
	int r = start(arrival, set, now_us, &item);

	if (r < 0)
		return r;
	take_shot(item, 0, arrival);
	*ret_item = item;
	return VD_ITEM_COMPLETE;
}

/* Takes *item. There must be room. */
static int add_open(struct vd_assembly *assembly, struct vd_item **item, const char *key,
		    uint64_t now_us)
{
	struct open *open = &assembly->open[assembly->count];

	memcpy(open->key, key, KEY_BYTES);
	open->deadline_us = now_us + (uint64_t)(*item)->set->deadline_ms * 1000;
	open->item = VD_TAKE(*item);
	return assembly->count++;
}

int vd_assembly_open(struct vd_assembly *assembly, struct vd_item **item,
		     const struct vd_arrival *like, uint64_t now_us)
{
	char key[KEY_BYTES] = { 0 };

	if (assembly->count == OPEN_MOST)
		return -ENOBUFS;
	if (like)
		make_key(like, key);
	else
		make_asked_key((*item)->id, key);
	(void)add_open(assembly, item, key, now_us);
	return 0;
}

static int open_item(struct vd_assembly *assembly, struct vd_recipe_set *set,
		     const struct vd_arrival *arrival, const char *key, uint64_t now_us)
{
	struct vd_item *item = NULL;
	int r = start(arrival, set, now_us, &item);

	if (r < 0)
		return r;
	r = add_open(assembly, &item, key, now_us);
	/* No room for one more: the oldest has waited long enough. */
	if (assembly->count == OPEN_MOST)
		assembly->open[0].deadline_us = now_us;
	return r;
}

static int join(struct vd_assembly *assembly, int i, struct vd_arrival *arrival,
		struct vd_item **ret_item)
{
	struct vd_item *item = assembly->open[i].item;
	const int camera = vd_recipe_camera(item->recipe, arrival->camera);

	if (camera < 0)
		return VD_CAMERA_UNKNOWN;
	if (item->is_asked && arrival->shot.state == VD_SHOT_TAKEN &&
	    arrival->t_mono_ms < item->triggered_ms)
		return VD_FRAME_OLD;
	if (item->shots[camera].state != VD_SHOT_AWAITED)
		return VD_ITEM_LATE;
	take_shot(item, camera, arrival);
	if (!vd_item_is_complete(item))
		return VD_ITEM_OPEN;
	*ret_item = leave(assembly, i);
	return VD_ITEM_COMPLETE;
}

static int put(struct vd_assembly *assembly, struct vd_recipe_set *set, struct vd_arrival *arrival,
	       uint64_t now_us, struct vd_item **ret_item)
{
	const struct vd_recipe *recipe = &set->recipes[set->active];
	char key[KEY_BYTES] = { 0 };
	int i;

	make_key(arrival, key);
	i = find_open(assembly, key);
	if (i >= 0)
		return join(assembly, i, arrival, ret_item);
	if (answered_by(arrival)[0])
		return VD_ITEM_LATE;
	if (vd_recipe_camera(recipe, arrival->camera) < 0)
		return VD_CAMERA_UNKNOWN;
	if (recipe->camera_count == 1)
		return put_alone(set, arrival, now_us, ret_item);
	if (is_done(assembly, key) || assembly->count == OPEN_MOST)
		return VD_ITEM_LATE;
	i = open_item(assembly, set, arrival, key, now_us);
	return i < 0 ? i : join(assembly, i, arrival, ret_item);
}

bool vd_assembly_begins(const struct vd_assembly *assembly, const struct vd_recipe_set *set,
			const struct vd_arrival *arrival)
{
	const struct vd_recipe *recipe = &set->recipes[set->active];
	char key[KEY_BYTES] = { 0 };

	make_key(arrival, key);
	return find_open(assembly, key) < 0 && !answered_by(arrival)[0] &&
	       vd_recipe_camera(recipe, arrival->camera) >= 0 &&
	       (recipe->camera_count == 1 ||
		(!is_done(assembly, key) && assembly->count < OPEN_MOST));
}

void vd_assembly_pass_over(struct vd_assembly *assembly, const struct vd_arrival *arrival)
{
	char key[KEY_BYTES] = { 0 };

	make_key(arrival, key);
	note_done(assembly, key);
}

size_t vd_assembly_count(const struct vd_assembly *assembly)
{
	return (size_t)assembly->count;
}

int vd_assembly_put(struct vd_assembly *assembly, struct vd_recipe_set *set,
		    struct vd_arrival *arrival, uint64_t now_us, struct vd_item **ret_item)
{
	const int r = put(assembly, set, arrival, now_us, ret_item);

	vd_buf_fini(&arrival->shot.bytes);
	return r;
}

struct vd_item *vd_assembly_expired(struct vd_assembly *assembly, uint64_t now_us)
{
	for (int i = 0; i < assembly->count; i++) {
		if (assembly->open[i].deadline_us <= now_us)
			return leave(assembly, i);
	}
	return NULL;
}

uint64_t vd_assembly_deadline_us(const struct vd_assembly *assembly)
{
	uint64_t next = UINT64_MAX;

	for (int i = 0; i < assembly->count; i++) {
		if (assembly->open[i].deadline_us < next)
			next = assembly->open[i].deadline_us;
	}
	return next;
}
