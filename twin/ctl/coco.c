/* SPDX-License-Identifier: Apache-2.0 */
#include "twin/ctl/coco.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

struct vd_coco {
	cJSON *json, *images, *annotations, *categories;
	void *digests; /* a tree of texts */
	int image_count, annotation_count, category_count;
	double width, height; /* of the last image */
};

static int compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

int vd_coco_new(struct vd_coco **ret_coco)
{
	VD_CLEANUP(vd_coco_free) struct vd_coco *c = calloc(1, sizeof *c);

	if (!c || !(c->json = cJSON_CreateObject()))
		return -ENOMEM;
	c->images = cJSON_AddArrayToObject(c->json, "images");
	c->annotations = cJSON_AddArrayToObject(c->json, "annotations");
	c->categories = cJSON_AddArrayToObject(c->json, "categories");
	if (!c->images || !c->annotations || !c->categories)
		return -ENOMEM;
	*ret_coco = VD_TAKE(c);
	return 0;
}

struct vd_coco *vd_coco_free(struct vd_coco *c)
{
	if (c) {
		tdestroy(c->digests, free);
		vd_json_free(c->json);
		free(c);
	}
	return NULL;
}

bool vd_coco_has(const struct vd_coco *c, const char *sha256)
{
	return tfind(sha256, &c->digests, compare) != NULL;
}

static int remember(struct vd_coco *c, const char *sha256)
{
	char *copy = strdup(sha256);

	if (copy && tsearch(copy, &c->digests, compare))
		return 0;
	free(copy);
	return -ENOMEM;
}

static bool add_text(cJSON *json, const char *key, const char *text)
{
	return !text || !*text || vd_json_add_string(json, key, text);
}

int vd_coco_add_image(struct vd_coco *c, const struct vd_coco_image *image)
{
	VD_CLEANUP(vd_json_free) cJSON *json = cJSON_CreateObject();

	if (vd_coco_has(c, image->sha256))
		return -EEXIST;
	if (!json || !vd_json_add_number(json, "id", c->image_count + 1) ||
	    !vd_json_add_string(json, "file_name", image->file) ||
	    !vd_json_add_number(json, "width", image->width) ||
	    !vd_json_add_number(json, "height", image->height) ||
	    !add_text(json, "date_captured", image->time) ||
	    !vd_json_add_string(json, "sha256", image->sha256) ||
	    !add_text(json, "deviceId", image->device) || !add_text(json, "itemId", image->item) ||
	    !add_text(json, "verdict", image->verdict) || !add_text(json, "label", image->label) ||
	    remember(c, image->sha256) < 0 || !cJSON_AddItemToArray(c->images, json))
		return -ENOMEM;
	json = NULL;
	c->image_count++;
	c->width = image->width;
	c->height = image->height;
	return 0;
}

/* The category's id; 0: no memory. */
static int find_category(struct vd_coco *c, const char *name)
{
	VD_CLEANUP(vd_json_free) cJSON *json = NULL;
	const cJSON *category;

	cJSON_ArrayForEach(category, c->categories)
	{
		if (strcmp(vd_json_string(category, "name", ""), name) == 0)
			return (int)vd_json_int(category, "id", 0);
	}
	json = cJSON_CreateObject();
	if (!json || !vd_json_add_number(json, "id", c->category_count + 1) ||
	    !vd_json_add_string(json, "name", name) || !cJSON_AddItemToArray(c->categories, json))
		return 0;
	json = NULL;
	return ++c->category_count;
}

/* Cuts [from, from + length) to [0, bound). False: nothing is left. */
static bool cut(double *from, double *length, double bound)
{
	double end = *from + *length;

	if (*from < 0)
		*from = 0;
	if (end > bound)
		end = bound;
	*length = end - *from;
	return *length > 0;
}

int vd_coco_add_box(struct vd_coco *c, const cJSON *box, const char *category, const char *source)
{
	VD_CLEANUP(vd_json_free) cJSON *json = NULL;
	double side[4] = { vd_json_number(box, "x", 0), vd_json_number(box, "y", 0),
			   vd_json_number(box, "width", 0), vd_json_number(box, "height", 0) };
	cJSON *numbers;
	int id;

	if (!cut(&side[0], &side[2], c->width) || !cut(&side[1], &side[3], c->height))
		return 0;
	id = find_category(c, vd_json_string(box, "label", category));
	json = cJSON_CreateObject();
	numbers = cJSON_CreateDoubleArray(side, 4);
	if (!id || !vd_json_add_number(json, "id", c->annotation_count + 1) ||
	    !vd_json_add_number(json, "image_id", c->image_count) ||
	    !vd_json_add_number(json, "category_id", id) ||
	    !vd_json_add_take(json, "bbox", &numbers) ||
	    !vd_json_add_number(json, "area", side[2] * side[3]) ||
	    !vd_json_add_number(json, "iscrowd", 0) ||
	    !vd_json_add_string(json, "source", source) ||
	    !cJSON_AddItemToArray(c->annotations, json)) {
		vd_json_free(numbers);
		return -ENOMEM;
	}
	json = NULL;
	c->annotation_count++;
	return 0;
}

const cJSON *vd_coco_json(const struct vd_coco *c)
{
	return c->json;
}
