/* SPDX-License-Identifier: Apache-2.0 */
#include "vd_test.h"

#include "base/loop.h"
#include "twin/broker/topics.h"
#include "twin/hub/c2d.h"
#include "twin/hub/events.h"
#include "twin/hub/refusal.h"
#include "unit/twin/hub/hub_fixture.h"

enum { DELIVERIES = 3 };

/* The queue without a broker: what it hands out is noted. */
struct queue {
	struct fixture *f;
	struct vd_loop *loop;
	struct vd_events *events;
	struct vd_c2d *c2d;
	bool is_away;
	int handed;
	char token[32], bag[4096], body[256];
};

static bool hand(const struct vd_name *name, const char *token, const char *bag, const void *body,
		 size_t len, void *argument)
{
	struct queue *q = argument;

	if (q->is_away)
		return false;
	q->handed++;
	(void)snprintf(q->token, sizeof q->token, "%s", token);
	(void)snprintf(q->bag, sizeof q->bag, "%s", bag);
	memset(q->body, 0, sizeof q->body);
	memcpy(q->body, body, len < sizeof q->body ? len : sizeof q->body - 1);
	return true;
}

static int set_up(void **state)
{
	const struct vd_c2d_settings settings = { .ttl_ms = 60000,
						  .max_delivery_count = DELIVERIES };
	struct queue *q = calloc(1, sizeof *q);
	void *fixture = NULL;

	assert_int_equal(fixture_set_up(&fixture), 0);
	q->f = fixture;
	assert_int_equal(vd_loop_new(&q->loop), 0);
	assert_int_equal(vd_events_new(q->loop, q->f->store, &q->events), 0);
	assert_int_equal(vd_c2d_new(q->f->store, q->events, &settings, hand, q, &q->c2d), 0);
	register_device(q->f, "d1", "{}");
	*state = q;
	return 0;
}

static int tear_down(void **state)
{
	struct queue *q = *state;
	void *fixture = q->f;

	q->c2d = vd_c2d_free(q->c2d);
	q->events = vd_events_free(q->events);
	q->loop = vd_loop_free(q->loop);
	assert_int_equal(fixture_tear_down(&fixture), 0);
	free(q);
	return 0;
}

static struct vd_device device_of(struct queue *q)
{
	struct vd_name name = name_of("d1");
	struct vd_device device;

	assert_int_equal(vd_store_device_get(q->f->store, &name, &device), 0);
	return device;
}

static int send_at(struct queue *q, const char *text, int64_t now_ms, struct vd_fault *fault)
{
	struct vd_device device = device_of(q);
	cJSON *json = json_of(text), *sent = NULL;
	int r = vd_c2d_send(q->c2d, &device, json, now_ms, &sent, fault);

	(void)vd_json_free(json);
	(void)vd_json_free(sent);
	return r;
}

static void go_online(struct queue *q)
{
	struct vd_name name = name_of("d1");

	assert_int_equal(vd_store_set_connected(q->f->store, &name, true, 1000), 0);
	assert_int_equal(vd_store_set_subscriptions(q->f->store, &name, VD_FLAG_C2D), 0);
	vd_c2d_online(q->c2d, &name, 1000);
}

static void give_receipt(struct queue *q, const char *text, int64_t now_ms)
{
	struct vd_name name = name_of("d1");

	vd_c2d_receipt(q->c2d, &name, text, strlen(text), now_ms);
}

static void receipt_of_last(struct queue *q, const char *word)
{
	char text[64];

	(void)snprintf(text, sizeof text, "%s %s", q->token, word);
	give_receipt(q, text, 1000);
}

static void messages_wait_and_go_out_one_at_a_time_oldest_first(void **state)
{
	struct queue *q = *state;

	assert_int_equal(send_at(q, "{\"body\":\"1\"}", 1000, NULL), 0);
	assert_int_equal(send_at(q, "{\"body\":\"2\"}", 1000, NULL), 0);
	assert_int_equal(q->handed, 0);
	assert_int_equal(device_of(q).message_count, 2);
	go_online(q);
	assert_int_equal(q->handed, 1);
	assert_string_equal(q->body, "1");
	assert_int_equal(send_at(q, "{\"body\":\"3\"}", 1000, NULL), 0);
	assert_int_equal(q->handed, 1); /* the first has no receipt yet */
	receipt_of_last(q, "yes");
	assert_string_equal(q->body, "2");
	receipt_of_last(q, "yes");
	assert_string_equal(q->body, "3");
	receipt_of_last(q, "yes");
	assert_int_equal(q->handed, 3);
	assert_int_equal(device_of(q).message_count, 0);
}

static void a_message_nobody_took_waits_for_the_device_to_come_back(void **state)
{
	struct queue *q = *state;

	assert_int_equal(send_at(q, "{\"body\":\"1\"}", 1000, NULL), 0);
	go_online(q);
	receipt_of_last(q, "no");
	assert_int_equal(q->handed, 1);
	assert_int_equal(device_of(q).message_count, 1);
	go_online(q);
	assert_int_equal(q->handed, 2);
}

static void receipts_that_mean_nothing_are_ignored(void **state)
{
	struct queue *q = *state;

	give_receipt(q, "1 yes", 1000);
	assert_int_equal(send_at(q, "{\"body\":\"1\"}", 1000, NULL), 0);
	go_online(q);
	give_receipt(q, "7 yes", 1000);
	give_receipt(q, "", 1000);
	give_receipt(q, "0123456789012345678901234567890123456789 yes", 1000);
	assert_int_equal(device_of(q).message_count, 1);
	receipt_of_last(q, "yes");
	assert_int_equal(device_of(q).message_count, 0);
}

static void one_that_is_handed_out_too_often_is_given_up(void **state)
{
	struct queue *q = *state;

	assert_int_equal(send_at(q, "{\"body\":\"1\"}", 1000, NULL), 0);
	assert_int_equal(send_at(q, "{\"body\":\"2\"}", 1000, NULL), 0);
	for (int i = 0; i < DELIVERIES; i++) {
		go_online(q);
		assert_string_equal(q->body, "1");
		vd_c2d_offline(q->c2d); /* the link broke: no receipt comes */
	}
	go_online(q);
	assert_string_equal(q->body, "2");
	assert_int_equal(device_of(q).message_count, 1);
}

static void the_expired_are_dropped_and_make_room(void **state)
{
	struct queue *q = *state;
	struct vd_fault fault = { 0 };

	for (int i = 0; i < VD_C2D_PENDING_MAX; i++)
		assert_int_equal(send_at(q, "{\"body\":\"1\"}", 1000, NULL), 0);
	assert_int_equal(send_at(q, "{\"body\":\"2\"}", 60999, &fault), VD_REFUSED_QUEUE_FULL);
	assert_int_equal(vd_refusal_info(VD_REFUSED_QUEUE_FULL)->code, 403004);
	assert_int_equal(send_at(q, "{\"body\":\"2\"}", 61000, NULL), 0);
	assert_int_equal(device_of(q).message_count, 1);
	vd_c2d_sweep(q->c2d, 121000);
	assert_int_equal(device_of(q).message_count, 0);
}

static void a_purge_counts_what_it_threw_away(void **state)
{
	struct queue *q = *state;
	struct vd_name name = name_of("d1");
	int count = -1;

	assert_int_equal(vd_c2d_purge(q->c2d, &name, &count), 0);
	assert_int_equal(count, 0);
	assert_int_equal(send_at(q, "{}", 1000, NULL), 0);
	assert_int_equal(send_at(q, "{}", 1000, NULL), 0);
	go_online(q);
	assert_int_equal(vd_c2d_purge(q->c2d, &name, &count), 0);
	assert_int_equal(count, 2);
	receipt_of_last(q, "yes"); /* of one that is gone */
	assert_int_equal(device_of(q).message_count, 0);
}

static void messages_outlive_the_hub_and_go_with_their_device(void **state)
{
	struct queue *q = *state;
	struct vd_name name = name_of("d1");
	struct vd_device again;

	assert_int_equal(send_at(q, "{\"body\":\"1\"}", 1000, NULL), 0);
	q->f->store = vd_store_free(q->f->store);
	assert_int_equal(vd_store_open(q->f->database, false, &q->f->store, NULL), 0);
	assert_int_equal(device_of(q).message_count, 1);
	assert_int_equal(vd_store_device_delete(q->f->store, &name), 0);
	again = (struct vd_device){ .name = name, .enabled = true };
	assert_int_equal(vd_store_device_put(q->f->store, &again), 0);
	assert_int_equal(device_of(q).message_count, 0);
}

static void nothing_is_lost_while_the_broker_is_away(void **state)
{
	struct queue *q = *state;

	q->is_away = true;
	go_online(q);
	assert_int_equal(send_at(q, "{\"body\":\"1\"}", 1000, NULL), 0);
	q->is_away = false;
	go_online(q);
	assert_string_equal(q->body, "1");
}

static void properties_are_encoded_as_both_sdks_read_them(void **state)
{
	struct queue *q = *state;

	go_online(q);
	assert_int_equal(
		send_at(q,
			"{\"body\":{\"a\":1},\"messageId\":\"m 1\",\"correlationId\":\"c\","
			"\"userId\":\"u\",\"ack\":\"full\",\"expiryTimeUtc\":\"1970-01-01T00:01:"
			"00Z\","
			"\"properties\":{\"k/1\":\"v&=+#é\",\"empty\":\"\",\"none\":null}}",
			1000, NULL),
		0);
	assert_string_equal(q->body, "{\"a\":1}");
	assert_string_equal(
		q->bag, "%24.mid=m%201&%24.cid=c&%24.uid=u&%24.ct=application%2Fjson&%24.ce=utf-8"
			"&%24.to=%2Fdevices%2Fd1%2Fmessages%2FdeviceBound"
			"&%24.exp=1970-01-01T00%3A01%3A00.000Z&iothub-ack=full"
			"&k%2F1=v%26%3D%2B%23%C3%A9&empty=&none");
	receipt_of_last(q, "yes");
	assert_int_equal(send_at(q, "{\"bodyBase64\":\"AGE=\"}", 1000, NULL), 0);
	assert_int_equal(q->body[0], 0);
	assert_int_equal(q->body[1], 'a');
}

static void what_is_no_message_is_refused_with_its_place(void **state)
{
	static const struct {
		const char *text, *pointer;
	} cases[] = {
		{ "{\"bdy\":1}", "/bdy" },
		{ "{\"messageId\":7}", "/messageId" },
		{ "{\"ack\":\"maybe\"}", "/ack" },
		{ "{\"ack\":1}", "/ack" },
		{ "{\"expiryTimeUtc\":\"soon\"}", "/expiryTimeUtc" },
		{ "{\"expiryTimeUtc\":\"1970-01-01T00:00:01Z\"}", "/expiryTimeUtc" },
		{ "{\"expiryTimeUtc\":\"1970-01-04T00:00:01Z\"}", "/expiryTimeUtc" },
		{ "{\"body\":1,\"bodyBase64\":\"\"}", "/bodyBase64" },
		{ "{\"bodyBase64\":\"?\"}", "/bodyBase64" },
		{ "{\"properties\":[]}", "/properties" },
		{ "{\"properties\":{\"a\":1}}", "/properties" },
		{ "{\"properties\":{\"$.mid\":\"x\"}}", "/properties" },
		{ "{\"properties\":{\"iothub-ack\":\"x\"}}", "/properties" },
		{ "{\"properties\":{\"\":\"x\"}}", "/properties" },
	};
	struct queue *q = *state;

	for (size_t i = 0; i < VD_COUNT(cases); i++) {
		struct vd_fault fault = { 0 };

		assert_int_equal(send_at(q, cases[i].text, 2000, &fault), VD_REFUSED_ARGUMENT);
		assert_string_equal(fault.pointer, cases[i].pointer);
	}
	assert_int_equal(device_of(q).message_count, 0);
}

static void a_message_has_64_kilobytes_with_its_properties(void **state)
{
	struct queue *q = *state;
	struct vd_fault fault = { 0 };
	size_t around = strlen("%24.mid=m&%24.to=%2Fdevices%2Fd1%2Fmessages%2FdeviceBound");
	char *text = calloc(1, VD_C2D_BYTES + 100);
	int start = snprintf(text, 64, "{\"messageId\":\"m\",\"body\":\"");

	memset(text + start, 'x', VD_C2D_BYTES - around);
	memcpy(text + start + VD_C2D_BYTES - around, "\"}", 3);
	assert_int_equal(send_at(q, text, 1000, &fault), 0);
	memcpy(text + start + VD_C2D_BYTES - around, "x\"}", 4);
	assert_int_equal(send_at(q, text, 1000, &fault), VD_REFUSED_TOO_LARGE);
	free(text);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

VD_TEST_MAIN(T(messages_wait_and_go_out_one_at_a_time_oldest_first),
	     T(a_message_nobody_took_waits_for_the_device_to_come_back),
	     T(receipts_that_mean_nothing_are_ignored),
	     T(one_that_is_handed_out_too_often_is_given_up),
	     T(the_expired_are_dropped_and_make_room), T(a_purge_counts_what_it_threw_away),
	     T(messages_outlive_the_hub_and_go_with_their_device),
	     T(nothing_is_lost_while_the_broker_is_away),
	     T(properties_are_encoded_as_both_sdks_read_them),
	     T(what_is_no_message_is_refused_with_its_place),
	     T(a_message_has_64_kilobytes_with_its_properties))
