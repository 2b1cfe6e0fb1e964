/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vedette-broker.so: mosquitto's events, told apart by who is behind them.
 *
 * TICK comes after every round of mosquitto's loop; disconnecting others is safe only there.
 */
#include "twin/broker/plugin.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <mosquitto.h>
#include <mosquitto_plugin.h>

#include "base/clock.h"
#include "base/log.h"
#include "twin/broker/auth.h"
#include "twin/broker/certificate.h"

enum { LOOK_MS = 500 };

int mosquitto_plugin_version(int supported_version_count, const int *supported_versions);
int mosquitto_plugin_init(mosquitto_plugin_id_t *identifier, void **userdata,
			  struct mosquitto_opt *options, int option_count);
int mosquitto_plugin_cleanup(void *userdata, struct mosquitto_opt *options, int option_count);

static int on_basic_auth(int event, void *data, void *userdata)
{
	struct mosquitto_evt_basic_auth *auth = data;

	if (vd_hub_is(userdata, auth->client))
		return vd_hub_connect(userdata, auth->client);
	return vd_device_connect(userdata, auth->client, auth->username, auth->password);
}

static int on_disconnect(int event, void *data, void *userdata)
{
	struct mosquitto_evt_disconnect *disconnect = data;

	if (vd_hub_is(userdata, disconnect->client))
		vd_hub_disconnected(userdata, disconnect->client);
	else
		vd_device_disconnected(userdata, disconnect->client);
	return MOSQ_ERR_SUCCESS;
}

static int on_acl_check(int event, void *data, void *userdata)
{
	struct mosquitto_evt_acl_check *check = data;

	return vd_hub_is(userdata, check->client) ? vd_hub_acl(userdata, check)
						  : vd_device_acl(userdata, check);
}

static int on_message(int event, void *data, void *userdata)
{
	struct mosquitto_evt_message *message = data;

	return vd_hub_is(userdata, message->client) ? vd_hub_message(userdata, message)
						    : vd_device_message(userdata, message);
}

void vd_plugin_kick_later(struct vd_plugin *plugin, const char *identity)
{
	if (vd_buf_append(&plugin->kicks, identity, strlen(identity) + 1) < 0)
		vd_log(VD_ERROR, "broker.kick", "identity=%s error=memory", identity);
}

static void kick_all(struct vd_plugin *plugin)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf kicks = plugin->kicks;

	/* Each disconnection comes back as an event, and may ask for more. */
	plugin->kicks = (struct vd_buf){ 0 };
	for (size_t i = 0; i < kicks.len; i += strlen(kicks.data + i) + 1) {
		const struct vd_session *session =
			vd_presence_find(plugin->presence, kicks.data + i);

		if (!session || !session->client)
			continue;
		vd_log(VD_NOTICE, "broker.kicked", "identity=%s", kicks.data + i);
		(void)mosquitto_kick_client_by_clientid(kicks.data + i, true);
	}
}

static void kick_if_expired(const struct vd_session *session, void *argument)
{
	if (session->client && session->expires_s &&
	    session->expires_s <= vd_clock_wall_ms() / 1000)
		vd_plugin_kick_later(argument, session->identity);
}

static void kick_if_changed(const struct vd_session *session, void *argument)
{
	struct vd_plugin *plugin = argument;

	if (session->client &&
	    vd_auth_fingerprint(plugin->identities, session->identity) != session->fingerprint)
		vd_plugin_kick_later(plugin, session->identity);
}

struct unknown {
	struct vd_plugin *plugin;
	struct vd_buf names;
};

static void note_if_unknown(const struct vd_session *session, void *argument)
{
	struct unknown *unknown = argument;

	if (session->flags && !vd_identities_find(unknown->plugin->identities, session->identity) &&
	    vd_buf_append(&unknown->names, session->identity, strlen(session->identity) + 1) < 0)
		vd_log(VD_ERROR, "broker.forget", "identity=%s error=memory", session->identity);
}

/*
 * An identity that is made again later must not inherit subscriptions. A journal without any
 * identity is one that the hub has not written yet.
 */
static void forget_deleted(struct vd_plugin *plugin)
{
	struct unknown unknown = { .plugin = plugin };

	if (vd_identities_count(plugin->identities) == 0)
		return;
	vd_presence_each(plugin->presence, note_if_unknown, &unknown);
	for (size_t i = 0; i < unknown.names.len; i += strlen(unknown.names.data + i) + 1)
		(void)!vd_presence_forget(plugin->presence, unknown.names.data + i);
	vd_buf_fini(&unknown.names);
}

static void look_around(struct vd_plugin *plugin)
{
	uint64_t now_ms = vd_clock_mono_ms();

	if (now_ms - plugin->last_look_ms < LOOK_MS)
		return;
	plugin->last_look_ms = now_ms;
	if (vd_identities_reload(plugin->identities) == VD_IDENTITIES_CHANGED) {
		vd_presence_each(plugin->presence, kick_if_changed, plugin);
		forget_deleted(plugin);
	}
	vd_presence_each(plugin->presence, kick_if_expired, plugin);
}

static int on_tick(int event, void *data, void *userdata)
{
	struct vd_plugin *plugin = userdata;

	look_around(plugin);
	kick_all(plugin);
	if (plugin->wake && plugin->hub) {
		plugin->wake = false;
		(void)mosquitto_broker_publish_copy(NULL, "hub/spool", 0, "", 0, false, NULL);
	}
	return MOSQ_ERR_SUCCESS;
}

int mosquitto_plugin_version(int supported_version_count, const int *supported_versions)
{
	for (int i = 0; i < supported_version_count; i++) {
		if (supported_versions[i] == MOSQ_PLUGIN_VERSION)
			return MOSQ_PLUGIN_VERSION;
	}
	return -1;
}

static const char *option(const struct mosquitto_opt *options, int count, const char *key)
{
	for (int i = 0; i < count; i++) {
		if (!strcmp(options[i].key, key))
			return options[i].value;
	}
	return NULL;
}

static int required(const struct mosquitto_opt *options, int count, const char *key,
		    const char **ret_value, struct vd_fault *fault)
{
	*ret_value = option(options, count, key);
	if (*ret_value && **ret_value)
		return 0;
	vd_fault_set(fault, 400, "", "plugin_opt_%s is missing", key);
	return -EINVAL;
}

static int number_option(const struct mosquitto_opt *options, int count, const char *key,
			 uint64_t least, uint64_t most, uint64_t *number, struct vd_fault *fault)
{
	const char *text = option(options, count, key);
	char *end;
	uint64_t got;

	if (!text)
		return 0;
	errno = 0;
	got = strtoull(text, &end, 10);
	if (errno || end == text || *end || got < least || got > most) {
		vd_fault_set(fault, 400, "", "plugin_opt_%s: %s is not between %llu and %llu", key,
			     text, (unsigned long long)least, (unsigned long long)most);
		return -EINVAL;
	}
	*number = got;
	return 0;
}

static struct vd_plugin *plugin_free(struct vd_plugin *plugin)
{
	if (!plugin)
		return NULL;
	plugin->spool = vd_spool_writer_free(plugin->spool);
	plugin->requests = vd_requests_free(plugin->requests);
	plugin->presence = vd_presence_free(plugin->presence);
	plugin->identities = vd_identities_free(plugin->identities);
	X509_STORE_free(plugin->ca);
	vd_buf_fini(&plugin->kicks);
	free(plugin->hosts);
	free(plugin->hub_socket);
	free(plugin->hub_id);
	free(plugin);
	return NULL;
}
VD_DEFINE_CLEANUP(struct vd_plugin, plugin_free)

struct settings {
	const char *hosts, *hub_socket, *identities, *subscriptions, *spool, *ca_file;
	struct vd_spool_limits limits;
	uint64_t requests_per_second;
};

static int read_options(const struct mosquitto_opt *options, int count, struct settings *settings,
			struct vd_fault *fault)
{
	int r = required(options, count, "host_name", &settings->hosts, fault);

	if (r == 0)
		r = required(options, count, "hub_socket", &settings->hub_socket, fault);
	if (r == 0)
		r = required(options, count, "identities", &settings->identities, fault);
	if (r == 0)
		r = required(options, count, "subscriptions", &settings->subscriptions, fault);
	if (r == 0)
		r = required(options, count, "spool", &settings->spool, fault);
	if (r == 0)
		r = number_option(options, count, "spool_segment_bytes", 65536, 1ULL << 30,
				  &settings->limits.segment_bytes, fault);
	if (r == 0)
		r = number_option(options, count, "spool_total_bytes", 65536, 1ULL << 50,
				  &settings->limits.total_bytes, fault);
	if (r == 0)
		r = number_option(options, count, "requests_per_second", 0, 1000000,
				  &settings->requests_per_second, fault);
	settings->ca_file = option(options, count, "ca_file");
	return r;
}

static int open_all(struct vd_plugin *plugin, const struct settings *settings,
		    struct vd_fault *fault)
{
	int r = vd_requests_new(&plugin->requests);

	plugin->requests_per_second = (unsigned)settings->requests_per_second;
	plugin->hosts = strdup(settings->hosts);
	plugin->hub_socket = strdup(settings->hub_socket);
	if (!plugin->hosts || !plugin->hub_socket)
		r = -ENOMEM;
	if (r == 0)
		r = vd_identities_new(settings->identities, &plugin->identities);
	if (r == 0)
		r = vd_presence_new(settings->subscriptions, &plugin->presence);
	if (r == 0 && settings->ca_file)
		r = vd_certificate_store_new(settings->ca_file, &plugin->ca, fault);
	if (r == 0)
		r = vd_spool_writer_new(settings->spool, &settings->limits, &plugin->spool, fault);
	if (r == 0)
		forget_deleted(plugin);
	return r;
}

static int register_all(mosquitto_plugin_id_t *identifier, struct vd_plugin *plugin)
{
	static const struct {
		int event;
		MOSQ_FUNC_generic_callback fn;
	} callbacks[] = {
		{ MOSQ_EVT_BASIC_AUTH, on_basic_auth },
		{ MOSQ_EVT_DISCONNECT, on_disconnect },
		{ MOSQ_EVT_ACL_CHECK, on_acl_check },
		{ MOSQ_EVT_MESSAGE, on_message },
		{ MOSQ_EVT_TICK, on_tick },
	};

	for (size_t i = 0; i < VD_COUNT(callbacks); i++) {
		int r = mosquitto_callback_register(identifier, callbacks[i].event, callbacks[i].fn,
						    NULL, plugin);

		if (r != MOSQ_ERR_SUCCESS)
			return r;
	}
	return MOSQ_ERR_SUCCESS;
}

int mosquitto_plugin_init(mosquitto_plugin_id_t *identifier, void **userdata,
			  struct mosquitto_opt *options, int option_count)
{
	VD_CLEANUP(plugin_free) struct vd_plugin *plugin = calloc(1, sizeof *plugin);
	struct vd_fault fault = { 0 };
	struct settings settings = { 0 };
	int r = plugin ? read_options(options, option_count, &settings, &fault) : -ENOMEM;

	if (r == 0)
		r = open_all(plugin, &settings, &fault);
	if (r < 0) {
		vd_log(VD_ERROR, "broker.notStarted", "reason=\"%s\"",
		       fault.code ? fault.text : strerror(-r));
		return MOSQ_ERR_INVAL;
	}
	r = register_all(identifier, plugin);
	if (r != MOSQ_ERR_SUCCESS)
		return r;
	vd_log(VD_NOTICE, "broker.started", "hosts=%s identities=%zu", plugin->hosts,
	       vd_identities_count(plugin->identities));
	*userdata = VD_TAKE(plugin);
	return MOSQ_ERR_SUCCESS;
}

int mosquitto_plugin_cleanup(void *userdata, struct mosquitto_opt *options, int option_count)
{
	(void)plugin_free(userdata);
	return MOSQ_ERR_SUCCESS;
}
