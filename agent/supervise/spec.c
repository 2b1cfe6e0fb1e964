/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/supervise/spec.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { INSTANCE_BYTES = 128 };

static void free_list(const char *const *list)
{
	for (size_t i = 0; list && list[i]; i++)
		free((void *)(uintptr_t)list[i]);
	free((void *)(uintptr_t)list);
}

/* NULL becomes an empty list, so that nobody need ask. */
static int copy_list(const char *const *from, const char *const **ret_list)
{
	size_t count = 0;
	const char **list;

	while (from && from[count])
		count++;
	list = calloc(count + 1, sizeof *list);
	if (!list)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		list[i] = strdup(from[i]);
		if (!list[i]) {
			free_list(list);
			return -ENOMEM;
		}
	}
	*ret_list = list;
	return 0;
}

static void fill_defaults(struct vd_module_spec *s)
{
	const struct {
		uint32_t *value, standard;
	} defaults[] = {
		{ &s->ready_timeout_ms, 10000 }, { &s->stop_timeout_ms, 5000 },
		{ &s->heartbeat_ms, 1000 },      { &s->work_deadline_ms, 30000 },
		{ &s->back_off_first_ms, 100 },  { &s->back_off_limit_ms, 60000 },
		{ &s->healthy_ms, 10000 },
	};

	for (size_t i = 0; i < VD_COUNT(defaults); i++) {
		if (*defaults[i].value == 0)
			*defaults[i].value = defaults[i].standard;
	}
	if (s->back_off_first_ms > s->back_off_limit_ms)
		s->back_off_first_ms = s->back_off_limit_ms;
}

VD_DEFINE_CLEANUP(struct vd_module_spec, vd_spec_free)

int vd_spec_copy(const struct vd_module_spec *from, struct vd_module_spec **ret_spec)
{
	VD_CLEANUP(vd_spec_free) struct vd_module_spec *s = malloc(sizeof *s);

	if (!s)
		return -ENOMEM;
	*s = *from;
	s->arguments = NULL;
	s->environment = NULL;
	s->instance = strdup(from->instance);
	s->program = strdup(from->program);
	s->folder = strdup(from->folder ? from->folder : "/");
	if (!s->instance || !s->program || !s->folder ||
	    copy_list(from->arguments, &s->arguments) < 0 ||
	    copy_list(from->environment, &s->environment) < 0)
		return -ENOMEM;
	fill_defaults(s);
	*ret_spec = VD_TAKE(s);
	return 0;
}

struct vd_module_spec *vd_spec_free(struct vd_module_spec *s)
{
	if (s) {
		free((void *)(uintptr_t)s->instance);
		free((void *)(uintptr_t)s->program);
		free((void *)(uintptr_t)s->folder);
		free_list(s->arguments);
		free_list(s->environment);
		free(s);
	}
	return NULL;
}

/* What Azure allows in a module's name; no '/', for it names a folder and a cgroup. */
static bool is_instance_name(const char *name)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				      "0123456789-:.+%_#*?!(),=@$'";

	return name && *name && *name != '.' && strlen(name) <= INSTANCE_BYTES &&
	       strspn(name, allowed) == strlen(name);
}

int vd_spec_check(const struct vd_module_spec *s, struct vd_fault *fault)
{
	if (!is_instance_name(s->instance))
		vd_fault_set(fault, 400, "",
			     "not a module's name: 1 to %d letters, digits or "
			     "-:.+%%_#*?!(),=@$'",
			     INSTANCE_BYTES);
	else if (!s->program || s->program[0] != '/')
		vd_fault_set(fault, 400, "", "%s: the program has no absolute path", s->instance);
	else if (s->back_off_first_ms && s->back_off_limit_ms &&
		 s->back_off_first_ms > s->back_off_limit_ms)
		vd_fault_set(fault, 400, "", "%s: the back-off begins above its limit",
			     s->instance);
	else
		return 0;
	return -EINVAL;
}

static bool is_same_list(const char *const *a, const char *const *b)
{
	size_t i = 0;

	while (a[i] && b[i] && !strcmp(a[i], b[i]))
		i++;
	return !a[i] && !b[i];
}

bool vd_spec_is_same_process(const struct vd_module_spec *a, const struct vd_module_spec *b)
{
	return !strcmp(a->program, b->program) && !strcmp(a->folder, b->folder) &&
	       is_same_list(a->arguments, b->arguments) &&
	       is_same_list(a->environment, b->environment) && a->heartbeat_ms == b->heartbeat_ms &&
	       a->limits.memory_bytes == b->limits.memory_bytes &&
	       a->limits.processes == b->limits.processes;
}
