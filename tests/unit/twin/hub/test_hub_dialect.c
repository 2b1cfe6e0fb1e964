/* SPDX-License-Identifier: Apache-2.0 */
#include "vd_test.h"

#include "base/loop.h"
#include "twin/hub/c2d.h"
#include "twin/hub/dialect.h"
#include "twin/hub/events.h"
#include "twin/hub/given.h"
#include "twin/hub/methods.h"
#include "unit/twin/hub/hub_fixture.h"

/* A hub without sockets: what it would publish is kept. */
struct hub {
	struct fixture *f;
	struct vd_loop *loop;
	struct vd_events *events;
	struct vd_methods *methods;
	struct vd_c2d *c2d;
	struct vd_dialect *dialect;
	bool is_away;
	int published, wakes;
	char topic[512], payload[2048];
};

static bool publish(const char *topic, const void *payload, size_t len, int qos, void *argument)
{
	struct hub *h = argument;

	if (h->is_away)
		return false;
	h->published++;
	(void)snprintf(h->topic, sizeof h->topic, "%s", topic);
	(void)snprintf(h->payload, sizeof h->payload, "%.*s", (int)len, (const char *)payload);
	return true;
}

static void wake(void *argument)
{
	((struct hub *)argument)->wakes++;
}

static bool send_method(const struct vd_name *name, const char *method, const char *rid,
			const char *payload, void *argument)
{
	return vd_dialect_send_method(((struct hub *)argument)->dialect, name, method, rid,
				      payload);
}

static bool hand(const struct vd_name *name, const char *token, const char *bag, const void *body,
		 size_t len, void *argument)
{
	return vd_dialect_hand(((struct hub *)argument)->dialect, name, token, bag, body, len);
}

static int set_up(void **state)
{
	const struct vd_c2d_settings settings = { .ttl_ms = 3600000, .max_delivery_count = 2 };
	struct hub *h = calloc(1, sizeof *h);
	void *fixture = NULL;
	struct vd_dialect_parts parts = { .publish = publish, .spool = wake, .argument = h };

	assert_int_equal(fixture_set_up(&fixture), 0);
	h->f = fixture;
	assert_int_equal(vd_loop_new(&h->loop), 0);
	assert_int_equal(vd_events_new(h->loop, h->f->store, &h->events), 0);
	assert_int_equal(vd_methods_new(h->loop, send_method, h, &h->methods), 0);
	assert_int_equal(vd_c2d_new(h->f->store, h->events, &settings, hand, h, &h->c2d), 0);
	parts.c2d = h->c2d;
	parts.store = h->f->store;
	parts.twins = h->f->twins;
	parts.methods = h->methods;
	parts.events = h->events;
	assert_int_equal(vd_dialect_new(&parts, &h->dialect), 0);
	register_device(h->f, "d1", "{}");
	*state = h;
	return 0;
}

static int tear_down(void **state)
{
	struct hub *h = *state;
	void *fixture = h->f;

	h->methods = vd_methods_free(h->methods);
	h->c2d = vd_c2d_free(h->c2d);
	h->events = vd_events_free(h->events);
	h->dialect = vd_dialect_free(h->dialect);
	h->loop = vd_loop_free(h->loop);
	assert_int_equal(fixture_tear_down(&fixture), 0);
	free(h);
	return 0;
}

static void say(struct hub *h, const char *topic, const char *payload)
{
	vd_dialect_message(h->dialect, topic, payload, strlen(payload), 5000);
}

/* As hub.c does it: the change, then the notice to the device. */
static void set_desired(struct hub *h, const char *desired)
{
	struct vd_name name = name_of("d1");
	char body[512];
	cJSON *json, *twin = NULL, *notice;
	struct vd_twin_update update = { .if_match = "*", .author = "service", .now_ms = 4000 };

	(void)snprintf(body, sizeof body, "{\"properties\":{\"desired\":%s}}", desired);
	update.body = json = json_of(body);
	assert_int_equal(vd_twins_update(h->f->twins, &name, &update, &twin, NULL), 0);
	notice = json_of(h->f->last_notice);
	vd_dialect_notify(h->dialect, &name, notice, h->f->last_version);
	(void)vd_json_free(json);
	(void)vd_json_free(twin);
	(void)vd_json_free(notice);
}

static void a_get_is_answered_with_its_rid_as_it_came(void **state)
{
	struct hub *h = *state;

	say(h, "hub/d1/iothub/twin/GET/?$rid=0f%20-a", " ");
	assert_string_equal(h->topic, "to/0/d1/$iothub/twin/res/200/?$rid=0f%20-a");
	assert_string_equal(h->payload,
			    "{\"desired\":{\"$version\":1},\"reported\":{\"$version\":1}}");
}

static void a_report_is_answered_204_with_the_new_version(void **state)
{
	struct hub *h = *state;

	say(h, "hub/d1/iothub/twin/PATCH/properties/reported/?$rid=7", "{\"a\":1}");
	assert_string_equal(h->topic, "to/0/d1/$iothub/twin/res/204/?$rid=7&$version=2");
	assert_string_equal(h->payload, "");
	say(h, "hub/d1/iothub/twin/PATCH/properties/reported/?$rid=8&$version=1", "{\"a\":2}");
	assert_string_equal(h->topic, "to/0/d1/$iothub/twin/res/412/?$rid=8");
	assert_non_null(strstr(h->payload, "\"errorCode\":412001"));
}

static void every_refusal_has_an_error_code_and_a_message(void **state)
{
	struct hub *h = *state;

	say(h, "hub/d1/iothub/twin/PATCH/properties/reported/?$rid=1", "{");
	assert_string_equal(h->topic, "to/0/d1/$iothub/twin/res/400/?$rid=1");
	assert_non_null(strstr(h->payload, "\"errorCode\":400004"));
	assert_non_null(strstr(h->payload, "\"message\":"));
	assert_non_null(strstr(h->payload, "\"trackingId\":"));
	say(h, "hub/gone/iothub/twin/GET/?$rid=2", "");
	assert_string_equal(h->topic, "to/0/gone/$iothub/twin/res/404/?$rid=2");
}

static void only_a_connected_subscriber_is_told_of_a_change(void **state)
{
	struct hub *h = *state;

	set_desired(h, "{\"a\":1}");
	say(h, "hub/d1/connected", "");
	set_desired(h, "{\"a\":2}");
	assert_int_equal(h->published, 0);
	say(h, "hub/d1/subscriptions", "[\"desired\",\"twinres\"]");
	assert_int_equal(h->published, 0); /* its GET comes */
	set_desired(h, "{\"a\":3}");
	assert_string_equal(h->topic, "to/0/d1/$iothub/twin/PATCH/properties/desired/?$version=4");
	assert_string_equal(h->payload, "{\"a\":3,\"$version\":4}");
	say(h, "hub/d1/disconnected", "");
	set_desired(h, "{\"a\":4}");
	assert_int_equal(h->published, 1);
}

static void a_subscription_after_the_get_brings_what_changed_between(void **state)
{
	struct hub *h = *state;

	say(h, "hub/d1/connected", "");
	say(h, "hub/d1/subscriptions", "[\"twinres\"]");
	set_desired(h, "{\"a\":1,\"b\":1}");
	say(h, "hub/d1/iothub/twin/GET/?$rid=1", "");
	set_desired(h, "{\"a\":null}");
	assert_int_equal(h->published, 1);
	say(h, "hub/d1/subscriptions", "[\"twinres\",\"desired\"]");
	assert_string_equal(h->payload, "{\"a\":null,\"$version\":3}");
	say(h, "hub/d1/subscriptions", "[\"twinres\",\"desired\",\"methods\"]");
	assert_int_equal(h->published, 2); /* nothing twice */
}

static void flags_outlive_the_connection(void **state)
{
	struct hub *h = *state;

	say(h, "hub/d1/connected", "");
	say(h, "hub/d1/subscriptions", "[\"desired\"]");
	say(h, "hub/d1/disconnected", "");
	say(h, "hub/start", "");
	say(h, "hub/d1/connected", "");
	set_desired(h, "{\"a\":1}");
	assert_int_equal(h->published, 1);
}

static void the_start_of_the_broker_forgets_who_was_connected_and_looks_into_the_spool(void **state)
{
	struct hub *h = *state;
	struct vd_device_counts counts;

	say(h, "hub/d1/connected", "");
	assert_int_equal(vd_store_device_counts(h->f->store, &counts), 0);
	assert_int_equal(counts.connected, 1);
	say(h, "hub/start", "");
	assert_int_equal(vd_store_device_counts(h->f->store, &counts), 0);
	assert_int_equal(counts.connected, 0);
	say(h, "hub/spool", "");
	assert_int_equal(h->wakes, 2);
}

static void a_module_is_one_level_of_its_topics(void **state)
{
	struct hub *h = *state;
	struct vd_name name = name_of("d1/m%1");

	register_device(h->f, "d1/m%1", "{}");
	say(h, "hub/d1%2Fm%251/iothub/twin/GET/?$rid=1", "");
	assert_string_equal(h->topic, "to/0/d1%2Fm%251/$iothub/twin/res/200/?$rid=1");
	vd_dialect_kick(h->dialect, &name);
	assert_string_equal(h->topic, "kick/d1%2Fm%251");
}

static void nothing_is_sent_and_nothing_breaks_while_the_broker_is_away(void **state)
{
	struct hub *h = *state;

	say(h, "hub/d1/connected", "");
	say(h, "hub/d1/subscriptions", "[\"desired\"]");
	h->is_away = true;
	set_desired(h, "{\"a\":1}");
	say(h, "hub/d1/iothub/twin/GET/?$rid=1", "");
	say(h, "hub/d1/subscriptions", "no array");
	say(h, "hub/d1/iothub/methods/res/200/?$rid=77", "{}");
	say(h, "somewhere/else", "");
	assert_int_equal(h->published, 0);
}

static void
a_change_while_the_link_was_away_is_told_when_the_broker_announces_its_devices(void **state)
{
	struct hub *h = *state;

	say(h, "hub/d1/connected", "");
	say(h, "hub/d1/subscriptions", "[\"desired\"]");
	say(h, "hub/d1/iothub/twin/GET/?$rid=1", "");
	h->is_away = true;
	set_desired(h, "{\"a\":1}");
	h->is_away = false;
	h->published = 0;
	say(h, "hub/start", "");
	say(h, "hub/d1/connected", "");
	assert_int_equal(h->published, 0);
	say(h, "hub/d1/subscriptions", "[\"desired\"]");
	assert_int_equal(h->published, 1);
	assert_string_equal(h->payload, "{\"a\":1,\"$version\":2}");
}

static void a_notice_is_sure_once_the_connection_has_outlived_every_keep_alive(void **state)
{
	struct vd_given given = vd_given_answered(3, 1000);

	assert_int_equal(vd_given_base(&given, 1000), 3);
	given = vd_given_told(&given, 4, 2000);
	assert_int_equal(vd_given_base(&given, 3000), 3);
	assert_int_equal(vd_given_base(&given, 2000 + 1766000), 4);
	assert_int_equal(vd_given_base(&given, 0), 3); /* the clock was set back */
	given = vd_given_told(&given, 5, 3000);
	assert_int_equal(given.sure_version, 3);
	given = vd_given_told(&given, 6, 3000 + 1766000);
	assert_int_equal(given.sure_version, 5);
	given = vd_given_told(NULL, 6, 0);
	assert_int_equal(given.sure_version, -1);
}

static void a_message_is_handed_out_with_a_token_and_its_topic(void **state)
{
	struct hub *h = *state;
	struct vd_device device;
	struct vd_name name = name_of("d1");
	cJSON *body = json_of("{\"body\":\"x\",\"messageId\":\"m\"}"), *sent = NULL;

	say(h, "hub/d1/connected", "");
	say(h, "hub/d1/subscriptions", "[\"c2d\"]");
	assert_int_equal(vd_store_device_get(h->f->store, &name, &device), 0);
	assert_int_equal(vd_c2d_send(h->c2d, &device, body, 5000, &sent, NULL), 0);
	assert_string_equal(h->topic, "hand/1/d1/devices/d1/messages/devicebound/"
				      "%24.mid=m&%24.to=%2Fdevices%2Fd1%2Fmessages%2FdeviceBound");
	assert_string_equal(h->payload, "x");
	say(h, "hub/d1/handed", "1 yes");
	assert_int_equal(vd_store_device_get(h->f->store, &name, &device), 0);
	assert_int_equal(device.message_count, 0);
	(void)vd_json_free(body);
	(void)vd_json_free(sent);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

VD_TEST_MAIN(T(a_get_is_answered_with_its_rid_as_it_came),
	     T(a_report_is_answered_204_with_the_new_version),
	     T(every_refusal_has_an_error_code_and_a_message),
	     T(only_a_connected_subscriber_is_told_of_a_change),
	     T(a_subscription_after_the_get_brings_what_changed_between),
	     T(flags_outlive_the_connection),
	     T(the_start_of_the_broker_forgets_who_was_connected_and_looks_into_the_spool),
	     T(a_module_is_one_level_of_its_topics),
	     T(nothing_is_sent_and_nothing_breaks_while_the_broker_is_away),
	     T(a_change_while_the_link_was_away_is_told_when_the_broker_announces_its_devices),
	     T(a_notice_is_sure_once_the_connection_has_outlived_every_keep_alive),
	     T(a_message_is_handed_out_with_a_token_and_its_topic))
