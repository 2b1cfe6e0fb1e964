/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/inspect/object.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static int make_room(struct vd_object_list *objects)
{
	const size_t room = objects->room ? 2 * objects->room : 8;
	struct vd_object *list;

	if (objects->count < objects->room)
		return 0;
	list = realloc(objects->list, room * sizeof *list);
	if (!list)
		return -ENOMEM;
	objects->list = list;
	objects->room = room;
	return 0;
}

int vd_object_add(struct vd_object_list *objects, const char *label, const struct vd_object *object)
{
	struct vd_object copy = *object;

	if (objects->count == VD_OBJECTS_MOST) {
		objects->left_out++;
		return 0;
	}
	if (make_room(objects) < 0)
		return -ENOMEM;
	(void)snprintf(copy.label, sizeof copy.label, "%s", label[0] ? label : "unnamed");
	objects->list[objects->count++] = copy;
	return 0;
}

void vd_object_list_fini(struct vd_object_list *objects)
{
	free(objects->list);
	*objects = (struct vd_object_list){ 0 };
}
