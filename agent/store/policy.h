/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "agent/store/class.h"

/* Decisions of the store, without the disk: who goes when room is needed, who is sent next. */

/* The least valuable class that may be evicted for one of class incoming; -1: none. */
int vd_policy_victim(enum vd_class incoming, const bool has_evictable[static VD_CLASSES]);

/* The three streams that are sent from; URGENT is alarms and verdicts, by sequence number. */
enum vd_stream { VD_STREAM_URGENT, VD_STREAM_LIVE, VD_STREAM_BACKLOG };
enum { VD_STREAMS = VD_STREAM_BACKLOG + 1 };

/* The stream to take turn's batch from; -1: all are empty. turn counts up by one a batch. */
int vd_policy_stream(unsigned turn, const bool has_batch[static VD_STREAMS]);

/* How dear an image is, by the verdict of its record (NULL: none): OK 0, WARN 1, others 2. */
int vd_policy_image_worth(const char *verdict);

/* Which images go to the hub first: of alarms 2, of parts that are not good 1, others 0. */
int vd_policy_image_rank(enum vd_class class, const char *verdict);
