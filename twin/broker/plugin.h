/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include <openssl/x509.h>

#include <mosquitto_broker.h>

#include "base/buf.h"
#include "twin/broker/identities.h"
#include "twin/broker/presence.h"
#include "twin/broker/requests.h"
#include "twin/broker/spool.h"

/*
 * The plugin's one state. mosquitto calls everything from one thread. The parts: plugin.c takes
 * mosquitto's events apart, plugin_device.c answers for devices, plugin_hub.c talks with the hub.
 */
struct vd_plugin {
	struct vd_identities *identities;
	struct vd_presence *presence;
	struct vd_requests *requests; /* twin requests that the hub has not answered yet */
	struct vd_spool_writer *spool;
	X509_STORE *ca;   /* NULL: no certificate is chained */
	char *hosts;      /* names of this hub, comma-separated */
	char *hub_socket; /* a client from there is the hub */
	char *hub_id;     /* client id that the hub came with; no device may have it */
	const void *hub;  /* the hub's connection once it subscribed to hub/#; NULL: away */
	unsigned requests_per_second; /* of one device; 0: no limit */
	bool wake;                    /* the spool has something new for the hub */
	struct vd_buf kicks;   /* identities to disconnect at the next tick, each with its NUL */
	uint64_t last_look_ms; /* monotonic, of the housekeeping */
};

enum {
	VD_MESSAGE_MAX = 256 * 1024, /* payload and bag, as in Azure */
	VD_REQUEST_MAX = 160 * 1024, /* payload of a twin request or a method's result */
};

/* plugin_device.c; each returns a MOSQ_ERR_ code. */
int vd_device_connect(struct vd_plugin *plugin, struct mosquitto *client, const char *username,
		      const char *password);
void vd_device_disconnected(struct vd_plugin *plugin, struct mosquitto *client);
int vd_device_acl(struct vd_plugin *plugin, const struct mosquitto_evt_acl_check *check);
int vd_device_message(struct vd_plugin *plugin, struct mosquitto_evt_message *message);

/* plugin_hub.c */
bool vd_hub_is(const struct vd_plugin *plugin, const struct mosquitto *client);
int vd_hub_connect(struct vd_plugin *plugin, struct mosquitto *client);
bool vd_hub_owns(const struct vd_plugin *plugin, const char *client_id);
void vd_hub_disconnected(struct vd_plugin *plugin, const struct mosquitto *client);
int vd_hub_acl(struct vd_plugin *plugin, const struct mosquitto_evt_acl_check *check);
int vd_hub_message(struct vd_plugin *plugin, struct mosquitto_evt_message *message);

/* Publishes hub/X/what; nobody is there to hear it while the hub is away. */
void vd_hub_tell(struct vd_plugin *plugin, const char *identity, const char *what,
		 const char *payload);
void vd_hub_tell_connected(struct vd_plugin *plugin, const struct vd_session *session);
void vd_hub_tell_flags(struct vd_plugin *plugin, const struct vd_session *session);
void vd_hub_wake(struct vd_plugin *plugin);

/* $iothub/twin/res/{503 or 429} to the device. */
void vd_hub_refuse_request(const char *identity, const char *rid, size_t rid_len, int status);

/* plugin.c: asks for the identity's disconnection at the next tick. */
void vd_plugin_kick_later(struct vd_plugin *plugin, const char *identity);
