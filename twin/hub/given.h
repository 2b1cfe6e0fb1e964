/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdint.h>

#include "twin/hub/store/given.h"

/*
 * Which desired version a device was last given, so that a change that was made while device,
 * broker or hub could not reach each other is told afterwards: SDKs that resume a session ask for
 * nothing.
 *
 * What was sent at QoS 0 just before a connection broke may not have arrived. So beside the last
 * version stands the one before it, which is sure once the connection has lived on for longer
 * than a dead one can go unnoticed; until then a device that comes back is told from there. Being
 * told twice changes nothing: the notices are merge patches that carry their version.
 */

/* A device asked and was answered: it needs nothing older. */
struct vd_given vd_given_answered(int64_t version, int64_t now_ms);

/* It was told of version; given is what stood before, NULL: nothing. */
struct vd_given vd_given_told(const struct vd_given *given, int64_t version, int64_t now_ms);

/* From which version on a device that comes back has to be told. */
int64_t vd_given_base(const struct vd_given *given, int64_t now_ms);
