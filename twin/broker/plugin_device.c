/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A device's side. Azure knows two refusals: a subscription is answered with 0x80, anything
 * else ends the connection. mosquitto acknowledges and drops what is only "denied", so a refused
 * publish returns another error, which closes.
 */
#include "twin/broker/plugin.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <mosquitto.h>
#include <mosquitto_plugin.h>

#include "base/clock.h"
#include "base/log.h"
#include "twin/broker/auth.h"
#include "twin/broker/certificate.h"
#include "twin/broker/topics.h"

/* Nobody may subscribe to it, nor does the hub, whose filter is hub/#. */
static const char no_topic[] = "none";

/* 1: the client presented one, 0: it did not, -EINVAL. */
static int read_certificate(const struct vd_plugin *plugin, const struct mosquitto *client,
			    struct vd_certificate *certificate)
{
	X509 *x509 = mosquitto_client_certificate(client);
	int r;

	if (!x509)
		return 0;
	r = vd_certificate_read(x509, plugin->ca, certificate);
	X509_free(x509);
	return r < 0 ? r : 1;
}

static int check(const struct vd_plugin *plugin, const struct mosquitto *client,
		 const char *username, const char *password, struct vd_grant *ret_grant,
		 struct vd_fault *fault)
{
	struct vd_certificate certificate = { 0 };
	struct vd_connect connect = {
		.client_id = mosquitto_client_id(client),
		.username = username,
		.password = password,
		.now_s = vd_clock_wall_ms() / 1000,
	};
	int r;

	if (!connect.client_id || mosquitto_client_protocol_version(client) != 4) {
		vd_fault_set(fault, 400, "", "not MQTT 3.1.1");
		return -EACCES;
	}
	if (vd_hub_owns(plugin, connect.client_id)) {
		vd_fault_set(fault, 403, "", "the client id is the hub's");
		return -EACCES;
	}
	r = read_certificate(plugin, client, &certificate);
	if (r < 0)
		return r;
	connect.certificate = r ? &certificate : NULL;
	return vd_auth_check(plugin->identities, plugin->hosts, &connect, ret_grant, fault);
}

static const char *printable(const char *text)
{
	return text ? text : "";
}

int vd_device_connect(struct vd_plugin *plugin, struct mosquitto *client, const char *username,
		      const char *password)
{
	struct vd_fault fault = { 0 };
	struct vd_grant grant;
	int r;

	if (vd_identities_reload(plugin->identities) < 0)
		vd_log(VD_ERROR, "broker.identities", "error=unreadable");
	r = check(plugin, client, username, password, &grant, &fault);
	if (r == 0)
		r = vd_presence_connect(plugin->presence, grant.identity, client, grant.expires_s,
					vd_auth_fingerprint(plugin->identities, grant.identity),
					mosquitto_client_clean_session(client));
	if (r < 0) {
		vd_log(VD_NOTICE, "broker.refused",
		       "client=%.300s address=%s code=%d reason=\"%s\"",
		       printable(mosquitto_client_id(client)),
		       printable(mosquitto_client_address(client)), fault.code,
		       fault.code ? fault.text : strerror(-r));
		return MOSQ_ERR_AUTH;
	}
	vd_requests_forget(plugin->requests, grant.identity);
	vd_hub_tell_connected(plugin, vd_presence_find(plugin->presence, grant.identity));
	return MOSQ_ERR_SUCCESS;
}

void vd_device_disconnected(struct vd_plugin *plugin, struct mosquitto *client)
{
	const char *identity = mosquitto_client_id(client);

	/* Refused clients have no id any more. */
	if (!identity || !vd_presence_disconnect(plugin->presence, identity, client))
		return;
	vd_requests_forget(plugin->requests, identity);
	vd_hub_tell(plugin, identity, "disconnected", "");
}

static int spool(struct vd_plugin *plugin, const char *identity,
		 const struct vd_published *published, const void *payload, size_t payload_len,
		 unsigned flags)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf bag = { 0 };
	struct vd_spool_record record = {
		.identity = identity,
		.payload = payload,
		.payload_len = payload_len,
		.received_ms = vd_clock_wall_ms(),
		.flags = flags,
	};
	int r = vd_buf_append(&bag, published->bag, published->bag_len);

	if (r < 0)
		return r;
	record.bag = bag.data ? bag.data : "";
	r = vd_spool_append(plugin->spool, &record);
	if (r < 0)
		vd_log(VD_ERROR, "broker.spool", "identity=%s error=\"%s\"", identity,
		       strerror(-r));
	else
		vd_hub_wake(plugin);
	return r;
}

static int subscribe(struct vd_plugin *plugin, const char *identity, const char *filter, bool on)
{
	enum vd_flag flag;

	if (vd_topic_subscribed(identity, filter, &flag) < 0) {
		vd_log(VD_NOTICE, "broker.subscriptionRefused", "identity=%s filter=%.200s",
		       identity, filter);
		return MOSQ_ERR_ACL_DENIED;
	}
	if (vd_presence_set_flag(plugin->presence, identity, flag, on) < 0)
		return MOSQ_ERR_ACL_DENIED;
	vd_hub_tell_flags(plugin, vd_presence_find(plugin->presence, identity));
	return MOSQ_ERR_SUCCESS;
}

static size_t size_limit(const struct vd_published *published)
{
	return published->kind == VD_TOPIC_TELEMETRY ? VD_MESSAGE_MAX - published->bag_len
						     : VD_REQUEST_MAX;
}

static int check_publish(const char *identity, const struct mosquitto_evt_acl_check *publish,
			 struct vd_published *ret_published)
{
	const char *reason = NULL;

	if (publish->qos > 1)
		reason = "QoS 2";
	else if (vd_topic_published(identity, publish->topic, ret_published) < 0)
		reason = "topic";
	else if (publish->payloadlen > size_limit(ret_published))
		reason = "size";
	if (!reason)
		return 0;
	vd_log(VD_NOTICE, "broker.publishRefused",
	       "identity=%s reason=\"%s\" topic=%.200s bytes=%u", identity, reason, publish->topic,
	       publish->payloadlen);
	return -EACCES;
}

/* A will is asked about once its connection is no longer the present one, and never becomes a message. */
static int take_will(struct vd_plugin *plugin, const char *identity,
		     const struct mosquitto_evt_acl_check *will)
{
	struct vd_published published;

	if (check_publish(identity, will, &published) == 0 && published.kind == VD_TOPIC_TELEMETRY)
		(void)!spool(plugin, identity, &published, will->payload, will->payloadlen,
			     VD_SPOOL_WILL | (will->retain ? VD_SPOOL_RETAIN : 0U));
	return MOSQ_ERR_ACL_DENIED;
}

int vd_device_acl(struct vd_plugin *plugin, const struct mosquitto_evt_acl_check *check_event)
{
	const char *identity = mosquitto_client_id(check_event->client);
	struct vd_published published;

	if (!identity)
		return MOSQ_ERR_ACL_DENIED;
	switch (check_event->access) {
	case MOSQ_ACL_SUBSCRIBE:
		return subscribe(plugin, identity, check_event->topic, true);
	case MOSQ_ACL_UNSUBSCRIBE:
		return subscribe(plugin, identity, check_event->topic, false);
	case MOSQ_ACL_READ:
		return vd_topic_is_deliverable(identity, check_event->topic) ? MOSQ_ERR_SUCCESS
									     : MOSQ_ERR_ACL_DENIED;
	case MOSQ_ACL_WRITE:
		if (!vd_presence_is_current(plugin->presence, identity, check_event->client))
			return take_will(plugin, identity, check_event);
		if (check_publish(identity, check_event, &published) < 0)
			return MOSQ_ERR_PROTOCOL;
		return MOSQ_ERR_SUCCESS;
	default:
		return MOSQ_ERR_ACL_DENIED;
	}
}

/* The message goes to this topic instead, and is never retained. */
static int redirect(struct mosquitto_evt_message *message, const char *topic)
{
	char *copy = mosquitto_strdup(topic);

	if (!copy)
		return MOSQ_ERR_NOMEM;
	mosquitto_free(message->topic);
	message->topic = copy;
	message->retain = false;
	return MOSQ_ERR_SUCCESS;
}

static int drop(struct mosquitto_evt_message *message)
{
	int r = redirect(message, no_topic);

	/* mosquitto frees the old payload when it finds another pointer. */
	if (r == MOSQ_ERR_SUCCESS) {
		message->payload = NULL;
		message->payloadlen = 0;
	}
	return r;
}

static bool is_too_fast(struct vd_plugin *plugin, const char *identity)
{
	int r = vd_presence_take(plugin->presence, identity, plugin->requests_per_second,
				 vd_clock_mono_ms());

	if (r == VD_PRESENCE_LIMITED)
		vd_log(VD_NOTICE, "broker.tooManyRequests", "identity=%s perSecond=%u", identity,
		       plugin->requests_per_second);
	return r != 0;
}

/* Twin requests always get an answer: Node's SDK waits for ever for one. */
static int pass_request(struct vd_plugin *plugin, const char *identity,
			const struct vd_published *published)
{
	int status = !plugin->hub ? 503 : is_too_fast(plugin, identity) ? 429 : 0;

	if (status) {
		vd_hub_refuse_request(identity, published->rid, published->rid_len, status);
		return -EAGAIN;
	}
	if (vd_requests_add(plugin->requests, identity, published->rid, published->rid_len) < 0)
		vd_log(VD_WARN, "broker.requestNotTracked", "identity=%s", identity);
	return 0;
}

static int pass_to_hub(struct vd_plugin *plugin, const char *identity,
		       const struct vd_published *published, struct mosquitto_evt_message *message)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf topic = { 0 };

	if (!plugin->hub && published->kind == VD_TOPIC_METHOD_RESULT)
		return drop(message);
	if (published->kind != VD_TOPIC_METHOD_RESULT &&
	    pass_request(plugin, identity, published) < 0)
		return drop(message);
	if (vd_buf_append(&topic, "hub/", 4) < 0 || vd_topic_encode(identity, &topic) < 0 ||
	    vd_buf_printf(&topic, "/%s", message->topic + 1) < 0)
		return MOSQ_ERR_NOMEM;
	return redirect(message, topic.data);
}

int vd_device_message(struct vd_plugin *plugin, struct mosquitto_evt_message *message)
{
	const char *identity = mosquitto_client_id(message->client);
	struct vd_published published;

	if (!identity || vd_topic_published(identity, message->topic, &published) < 0)
		return MOSQ_ERR_PROTOCOL;
	if (published.kind != VD_TOPIC_TELEMETRY)
		return pass_to_hub(plugin, identity, &published, message);
	/* No PUBACK without the spool: the connection ends, and the device sends it again. */
	if (spool(plugin, identity, &published, message->payload, message->payloadlen,
		  message->retain ? VD_SPOOL_RETAIN : 0U) < 0)
		return MOSQ_ERR_UNKNOWN;
	return drop(message);
}
