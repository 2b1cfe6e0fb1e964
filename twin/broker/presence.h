/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "twin/broker/journal.h"
#include "twin/broker/topics.h"

/*
 * Who is connected, until when, and subscribed to what. Policy only: connections are opaque
 * pointers, times are given.
 *
 * mosquitto 2.0.11 raises DISCONNECT for the old connection of a resumed session after the
 * BASIC_AUTH of the new one, so a connection ends an identity's presence only if it is the one that began it.
 *
 * The SDKs do not subscribe again when they resume a session, so the flags outlive connection,
 * broker and power cut: they stand in a journal (journal.h), which is rewritten at start.
 */
struct vd_presence;

/* path NULL: flags are kept in memory only. */
VD_MUST int vd_presence_new(const char *path, struct vd_presence **ret_presence);
struct vd_presence *vd_presence_free(struct vd_presence *presence);
VD_DEFINE_CLEANUP(struct vd_presence, vd_presence_free)

struct vd_session {
	const char *identity;
	const void *client; /* NULL: not connected */
	int64_t expires_s;  /* 0: never */
	uint64_t fingerprint;
	unsigned flags;      /* enum vd_flag */
	double requests;     /* that it may still make now */
	uint64_t counted_ms; /* monotonic, when `requests` was right; 0: never yet */
	bool limited;        /* the last one was refused */
};

/*
 * A connection was accepted; it replaces an older one. clean_session forgets the flags.
 * -ENOMEM, or the journal's -errno: refuse the connection.
 */
VD_MUST int vd_presence_connect(struct vd_presence *presence, const char *identity,
				const void *client, int64_t expires_s, uint64_t fingerprint,
				bool clean_session);

/* Was it the present connection of the identity? Then the identity is gone. */
bool vd_presence_disconnect(struct vd_presence *presence, const char *identity, const void *client);

/*
 * May the identity make one more twin request now? A bucket of two seconds' worth, filled at
 * per_second; 0: no limit. VD_PRESENCE_LIMITED: no, for the first time since it could;
 * VD_PRESENCE_STILL_LIMITED.
 */
enum { VD_PRESENCE_LIMITED = 1, VD_PRESENCE_STILL_LIMITED };
VD_MUST int vd_presence_take(struct vd_presence *presence, const char *identity,
			     unsigned per_second, uint64_t now_ms);

/* Is it the present one? A publish checked for any other is the will of one that ended. */
bool vd_presence_is_current(const struct vd_presence *presence, const char *identity,
			    const void *client);

/* NULL: neither connected nor subscribed to anything. Valid until the next change. */
const struct vd_session *vd_presence_find(const struct vd_presence *presence, const char *identity);

/* VD_PRESENCE_CHANGED, 0: as before, or -errno of the journal: refuse the subscription. */
enum { VD_PRESENCE_CHANGED = 1 };
VD_MUST int vd_presence_set_flag(struct vd_presence *presence, const char *identity,
				 enum vd_flag flag, bool on);

/* The identity is deleted: its flags too. Its connection stays until it is kicked. */
VD_MUST int vd_presence_forget(struct vd_presence *presence, const char *identity);

/* Calls fn for every identity; fn must not change the presence. */
typedef void (*vd_session_fn)(const struct vd_session *session, void *argument);
void vd_presence_each(const struct vd_presence *presence, vd_session_fn fn, void *argument);

size_t vd_presence_connected(const struct vd_presence *presence);
