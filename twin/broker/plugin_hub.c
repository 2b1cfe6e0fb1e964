/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hub's side. The hub is whoever comes through the broker's Unix socket: for such clients
 * mosquitto gives the socket's path as the address, which no address of a network client can equal.
 */
#include "twin/broker/plugin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mosquitto.h>
#include <mosquitto_plugin.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/log.h"
#include "twin/broker/topics.h"

bool vd_hub_is(const struct vd_plugin *plugin, const struct mosquitto *client)
{
	const char *address = mosquitto_client_address(client);

	return address && !strcmp(address, plugin->hub_socket);
}

/* A device of that id would take over the hub's session, or the hub the device's. */
int vd_hub_connect(struct vd_plugin *plugin, struct mosquitto *client)
{
	const char *id = mosquitto_client_id(client);
	char *copy;

	if (!id || vd_identities_find(plugin->identities, id)) {
		vd_log(VD_ERROR, "broker.hubRefused",
		       "client=%s reason=\"a device has this client id\"", id ? id : "");
		return MOSQ_ERR_AUTH;
	}
	copy = strdup(id);
	if (!copy)
		return MOSQ_ERR_NOMEM;
	free(plugin->hub_id);
	plugin->hub_id = copy;
	return MOSQ_ERR_SUCCESS;
}

bool vd_hub_owns(const struct vd_plugin *plugin, const char *client_id)
{
	return plugin->hub_id && !strcmp(plugin->hub_id, client_id);
}

static void refuse_waiting(const char *identity, const char *rid, size_t rid_len, void *argument)
{
	vd_hub_refuse_request(identity, rid, rid_len, 503);
}

void vd_hub_disconnected(struct vd_plugin *plugin, const struct mosquitto *client)
{
	if (plugin->hub != client)
		return;
	plugin->hub = NULL;
	vd_log(VD_WARN, "broker.hubGone", "devices=%zu", vd_presence_connected(plugin->presence));
	vd_requests_drain(plugin->requests, refuse_waiting, plugin);
}

static void tell_session(const struct vd_session *session, void *argument)
{
	if (session->client)
		vd_hub_tell_connected(argument, session);
}

/* Whatever the hub knew before, this is how things are. */
static void greet(struct vd_plugin *plugin, const struct mosquitto *client)
{
	plugin->hub = client;
	vd_log(VD_NOTICE, "broker.hubHere", "devices=%zu", vd_presence_connected(plugin->presence));
	(void)mosquitto_broker_publish_copy(NULL, "hub/start", 0, "", 1, false, NULL);
	vd_presence_each(plugin->presence, tell_session, plugin);
	vd_hub_wake(plugin);
}

int vd_hub_acl(struct vd_plugin *plugin, const struct mosquitto_evt_acl_check *check)
{
	if (check->access == MOSQ_ACL_SUBSCRIBE && !strcmp(check->topic, "hub/#"))
		greet(plugin, check->client);
	return MOSQ_ERR_SUCCESS;
}

/* What the device will see as an answer to a request of its own is no longer awaited. */
static void note_answer(struct vd_plugin *plugin, const struct vd_command *command)
{
	const char *rid = strstr(command->topic, "$rid=");

	if (!rid || strncmp(command->topic, "$iothub/twin/res/", 17) != 0)
		return;
	rid += 5;
	vd_requests_remove(plugin->requests, command->identity, rid, strcspn(rid, "&"));
}

static int deliver(struct vd_plugin *plugin, const struct vd_command *command,
		   const struct mosquitto_evt_message *message)
{
	if (!vd_topic_is_deliverable(command->identity, command->topic)) {
		vd_log(VD_ERROR, "broker.deliveryRefused", "identity=%s topic=%.200s",
		       command->identity, command->topic);
		return MOSQ_ERR_SUCCESS;
	}
	note_answer(plugin, command);
	return mosquitto_broker_publish_copy(
		command->identity, command->topic, (int)message->payloadlen,
		message->payload ? message->payload : "", command->qos, false, NULL);
}

/* Only to a connection: what the broker would keep for later, it would lose when it ends. */
static int hand(struct vd_plugin *plugin, const struct vd_command *command,
		const struct mosquitto_evt_message *message)
{
	const struct vd_session *session = vd_presence_find(plugin->presence, command->identity);
	bool is_handed = session && session->client && session->flags & VD_FLAG_C2D;
	char receipt[VD_TOKEN_MAX + 8];
	int r = is_handed ? deliver(plugin, command, message) : MOSQ_ERR_SUCCESS;

	if (r == MOSQ_ERR_SUCCESS) {
		(void)snprintf(receipt, sizeof receipt, "%.*s %s", command->token_len,
			       command->token, is_handed ? "yes" : "no");
		vd_hub_tell(plugin, command->identity, "handed", receipt);
	}
	return r;
}

/*
 * Every message of the hub is acknowledged; nobody subscribes to its topic, so that it goes
 * nowhere else. (A refusal here would end the hub's connection for one bad command.)
 */
int vd_hub_message(struct vd_plugin *plugin, struct mosquitto_evt_message *message)
{
	struct vd_command command;

	if (vd_topic_command(message->topic, &command) < 0) {
		vd_log(VD_ERROR, "broker.commandRefused", "topic=%.200s", message->topic);
		return MOSQ_ERR_SUCCESS;
	}
	message->retain = false;
	if (command.kind == VD_COMMAND_DELIVER)
		return deliver(plugin, &command, message);
	if (command.kind == VD_COMMAND_HAND)
		return hand(plugin, &command, message);
	vd_plugin_kick_later(plugin, command.identity);
	return MOSQ_ERR_SUCCESS;
}

void vd_hub_tell(struct vd_plugin *plugin, const char *identity, const char *what,
		 const char *payload)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf topic = { 0 };

	if (!plugin->hub)
		return;
	if (vd_buf_append(&topic, "hub/", 4) < 0 || vd_topic_encode(identity, &topic) < 0 ||
	    vd_buf_printf(&topic, "/%s", what) < 0 ||
	    mosquitto_broker_publish_copy(NULL, topic.data, (int)strlen(payload), payload, 1, false,
					  NULL) != MOSQ_ERR_SUCCESS)
		vd_log(VD_ERROR, "broker.notice", "identity=%s what=%s error=memory", identity,
		       what);
}

void vd_hub_tell_flags(struct vd_plugin *plugin, const struct vd_session *session)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf text = { 0 };

	if (session && vd_flags_text(session->flags, &text) == 0)
		vd_hub_tell(plugin, session->identity, "subscriptions", text.data);
}

void vd_hub_tell_connected(struct vd_plugin *plugin, const struct vd_session *session)
{
	vd_hub_tell(plugin, session->identity, "connected", "");
	vd_hub_tell_flags(plugin, session);
}

void vd_hub_wake(struct vd_plugin *plugin)
{
	plugin->wake = true;
}

void vd_hub_refuse_request(const char *identity, const char *rid, size_t rid_len, int status)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf topic = { 0 };
	VD_CLEANUP(vd_buf_fini) struct vd_buf body = { 0 };
	const char *text = status == 429 ? "Too many requests." : "The hub is away; try again.";
	char time[VD_TIME_TEXT], id[VD_UUID_TEXT];

	if (vd_buf_printf(&topic, "$iothub/twin/res/%d/?$rid=%.*s", status, (int)rid_len, rid) <
		    0 ||
	    vd_buf_printf(&body,
			  "{\"errorCode\":%d001,\"trackingId\":\"%s\",\"message\":\"%s\","
			  "\"timestampUtc\":\"%s\"}",
			  status, vd_uuid(id), text, vd_time_text(vd_clock_wall_ms(), time)) < 0)
		return;
	(void)mosquitto_broker_publish_copy(identity, topic.data, (int)body.len, body.data, 0,
					    false, NULL);
}
