/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/camera/aravis_closing.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

/* Held by the thread and by whoever began it; the last one frees it. */
struct vd_aravis_closing {
	struct vd_aravis_ends ends;
	atomic_bool has_ended;
	atomic_int holders;
};

void vd_aravis_close(const struct vd_aravis_ends *ends)
{
	int done_fd = ends->done_fd;

	if (ends->stream)
		ends->arv->object_unref(ends->stream); /* ends its thread */
	if (ends->camera)
		ends->arv->object_unref(ends->camera);
	vd_close(&done_fd);
}

struct vd_aravis_closing *vd_aravis_closing_free(struct vd_aravis_closing *closing)
{
	if (closing && atomic_fetch_sub(&closing->holders, 1) == 1)
		free(closing);
	return NULL;
}

static void *run(void *argument)
{
	struct vd_aravis_closing *closing = argument;

	vd_aravis_close(&closing->ends);
	atomic_store(&closing->has_ended, true);
	(void)vd_aravis_closing_free(closing);
	return NULL;
}

struct vd_aravis_closing *vd_aravis_close_aside(const struct vd_aravis_ends *ends)
{
	struct vd_aravis_closing *closing = calloc(1, sizeof *closing);
	pthread_t thread;

	if (closing) {
		closing->ends = *ends;
		atomic_store(&closing->holders, 2);
		if (pthread_create(&thread, NULL, run, closing) == 0) {
			(void)pthread_detach(thread);
			return closing;
		}
	}
	free(closing);
	vd_aravis_close(ends);
	return NULL;
}

bool vd_aravis_closing_ended(const struct vd_aravis_closing *closing)
{
	return !closing || atomic_load(&closing->has_ended);
}
