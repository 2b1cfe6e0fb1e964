/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "vd_test.h"

#include <stdbool.h>
#include <sys/types.h>

#include <mosquitto.h>

/*
 * Debian's mosquitto on loopback with TLS, certificates made on the spot, and beside it a client
 * in the hub's place that answers twin requests. One folder, one process; both end in broker_free.
 */
struct broker {
	char folder[64];
	int tls_port, plain_port;
	pid_t pid;
	struct mosquitto *hub;
	bool is_mute; /* the hub answers nothing */
	char events_topic[512], events_payload[512], answer_topic[256], answer_payload[256];
	unsigned events, answers;
};

enum { BROKER_ANONYMOUS = 1, BROKER_CLIENT_CERTIFICATES = 2 };

struct broker *broker_new(const char *certified_name); /* certificates for this host name */
void broker_start(struct broker *broker, int flags);
/* A TLS server that speaks one version only ("-tls1_1"), and no MQTT, in the broker's place. */
void broker_start_tls(struct broker *broker, const char *version);
void broker_stop(struct broker *broker); /* kill -9 */
void broker_free(struct broker *broker);
const char *broker_path(const struct broker *broker, const char *file); /* in a static buffer */
void broker_send(struct broker *broker, const char *topic, const char *payload);
int free_port(void);
