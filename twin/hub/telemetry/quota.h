/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "twin/hub/config.h"
#include "twin/hub/events.h"
#include "twin/hub/store/store.h"

/*
 * What a device may send in a day (UTC): messages and bytes, of the configuration or of its own twin's
 * tags.quota = {"messages","bytes"}; 0 is no bound. At 80 and at 100 per cent it is told as an event,
 * once a day each. Nothing is refused: what a device sends late is often what matters most, and
 * who wants to shut one out disables it.
 */
enum { VD_QUOTA_A_TURN = 500 }; /* devices */

struct vd_quota;
/* All borrowed for its life. */
VD_MUST int vd_quota_new(struct vd_store *store, struct vd_events *events,
			 const struct vd_config *config, struct vd_quota **ret_quota);
struct vd_quota *vd_quota_free(struct vd_quota *quota);
VD_DEFINE_CLEANUP(struct vd_quota, vd_quota_free)

/* Looks at some of the devices that sent something today. true: at more next time, and soon. */
bool vd_quota_look(struct vd_quota *quota, int64_t now_ms);
