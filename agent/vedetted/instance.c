/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/vedetted/instance.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct vd_instance *vd_instance_find(struct vd_instance *list, const char *id)
{
	while (list && strcmp(list->id, id))
		list = list->next;
	return list;
}

struct vd_instance *vd_instance_add(struct vd_instance **list, const char *id)
{
	struct vd_instance *instance = vd_instance_find(*list, id);

	if (instance)
		return instance;
	instance = calloc(1, sizeof *instance);
	if (!instance)
		return NULL;
	instance->id = strdup(id);
	if (!instance->id) {
		free(instance);
		return NULL;
	}
	instance->acknowledgement.version = -1;
	instance->sent_version = -1;
	instance->next = *list;
	*list = instance;
	return instance;
}

void vd_instance_remove(struct vd_instance **list, const char *id)
{
	for (; *list; list = &(*list)->next) {
		struct vd_instance *gone = *list;

		if (strcmp(gone->id, id))
			continue;
		*list = gone->next;
		vd_json_free(gone->report);
		vd_json_free(gone->last_exit);
		free(gone->id);
		free(gone);
		return;
	}
}

void vd_instance_acknowledge(struct vd_instance *instance, int64_t version, int code,
			     const char *pointer, const char *text)
{
	struct vd_acknowledgement *a = &instance->acknowledgement;

	a->version = version;
	a->code = code;
	(void)snprintf(a->pointer, sizeof a->pointer, "%s", pointer);
	(void)snprintf(a->text, sizeof a->text, "%s", text);
}
