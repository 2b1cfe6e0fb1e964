/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/modbus/outbound.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { URGENT = 256, TELEMETRY = 512 };

struct ring {
	struct vd_modbus_message *items;
	size_t capacity, first, count;
};

struct vd_modbus_outbound {
	pthread_mutex_t lock;
	struct ring urgent, telemetry;
	struct vd_modbus_message
		held; /* what peek showed: out of the rings, so that none can drop it */
	bool is_held;
	uint64_t lost;
};

int vd_modbus_outbound_new(struct vd_modbus_outbound **ret_outbound)
{
	VD_CLEANUP(vd_modbus_outbound_free)
	struct vd_modbus_outbound *outbound = calloc(1, sizeof *outbound);

	if (!outbound)
		return -ENOMEM;
	(void)pthread_mutex_init(&outbound->lock, NULL);
	outbound->urgent =
		(struct ring){ calloc(URGENT, sizeof(struct vd_modbus_message)), URGENT, 0, 0 };
	outbound->telemetry = (struct ring){ calloc(TELEMETRY, sizeof(struct vd_modbus_message)),
					     TELEMETRY, 0, 0 };
	if (!outbound->urgent.items || !outbound->telemetry.items)
		return -ENOMEM;
	*ret_outbound = VD_TAKE(outbound);
	return 0;
}

static bool take(struct ring *ring, struct vd_modbus_message *ret_message)
{
	if (ring->count == 0)
		return false;
	*ret_message = ring->items[ring->first];
	ring->first = (ring->first + 1) % ring->capacity;
	ring->count--;
	return true;
}

/* Frees and returns whether a message had to give way. */
static bool put(struct ring *ring, const struct vd_modbus_message *message)
{
	struct vd_modbus_message oldest;
	bool is_full = ring->count == ring->capacity;

	if (is_full && take(ring, &oldest))
		(void)vd_json_free(oldest.body);
	ring->items[(ring->first + ring->count++) % ring->capacity] = *message;
	return is_full;
}

static void empty(struct ring *ring)
{
	struct vd_modbus_message message;

	while (take(ring, &message))
		(void)vd_json_free(message.body);
	free(ring->items);
}

struct vd_modbus_outbound *vd_modbus_outbound_free(struct vd_modbus_outbound *outbound)
{
	if (!outbound)
		return NULL;
	empty(&outbound->urgent);
	empty(&outbound->telemetry);
	(void)vd_json_free(outbound->held.body);
	(void)pthread_mutex_destroy(&outbound->lock);
	free(outbound);
	return NULL;
}

bool vd_modbus_outbound_put(struct vd_modbus_outbound *outbound, struct vd_modbus_message *message)
{
	struct vd_modbus_message own = *message;
	bool is_telemetry = own.record_class && !strcmp(own.record_class, "telemetry");
	bool was_empty;

	message->body = NULL;
	(void)pthread_mutex_lock(&outbound->lock);
	was_empty = !outbound->is_held && outbound->urgent.count + outbound->telemetry.count == 0;
	outbound->lost += put(is_telemetry ? &outbound->telemetry : &outbound->urgent, &own);
	(void)pthread_mutex_unlock(&outbound->lock);
	return was_empty;
}

bool vd_modbus_outbound_peek(struct vd_modbus_outbound *outbound,
			     struct vd_modbus_message *ret_message)
{
	(void)pthread_mutex_lock(&outbound->lock);
	if (!outbound->is_held)
		outbound->is_held = take(&outbound->urgent, &outbound->held) ||
				    take(&outbound->telemetry, &outbound->held);
	*ret_message = outbound->held;
	(void)pthread_mutex_unlock(&outbound->lock);
	return outbound->is_held;
}

void vd_modbus_outbound_drop(struct vd_modbus_outbound *outbound)
{
	(void)pthread_mutex_lock(&outbound->lock);
	outbound->held.body = vd_json_free(outbound->held.body);
	outbound->is_held = false;
	(void)pthread_mutex_unlock(&outbound->lock);
}

uint64_t vd_modbus_outbound_lost(struct vd_modbus_outbound *outbound)
{
	uint64_t lost;

	(void)pthread_mutex_lock(&outbound->lock);
	lost = outbound->lost;
	(void)pthread_mutex_unlock(&outbound->lock);
	return lost;
}
