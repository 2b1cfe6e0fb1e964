/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

/*
 * Is a GigE Vision camera still there? Aravis asks it too, but waits five seconds for an answer.
 * This asks over a socket of its own, without waiting: a read of one register by GVCP (UDP port
 * 3956), which any host may do at any time.
 */
enum { VD_GVCP_BYTES = 12, VD_GVCP_PERIOD_MS = 300, VD_GVCP_UNANSWERED = 3 };

struct vd_gvcp {
	int fd; /* -1: no address of the internet, nothing is asked; poll it for input */
	uint16_t id;
	unsigned unanswered;
	uint64_t next_ms;
};

/* address: "192.0.2.7", or anything else for a camera that is not on the network. */
void vd_gvcp_open(struct vd_gvcp *probe, const char *address, uint64_t now_ms);
void vd_gvcp_close(struct vd_gvcp *probe);

/* Takes answers, asks when it is time. false: the camera did not answer VD_GVCP_UNANSWERED times. */
bool vd_gvcp_tend(struct vd_gvcp *probe, uint64_t now_ms);

void vd_gvcp_request(uint16_t id, uint8_t packet[static VD_GVCP_BYTES]);
bool vd_gvcp_is_answer(const void *packet, size_t len, uint16_t id);
