/* SPDX-License-Identifier: Apache-2.0 */
#include "vd_test.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "twin/broker/topics.h"

static void expect_bag(const char *identity, const char *topic, const char *bag)
{
	struct vd_published published;

	assert_int_equal(vd_topic_published(identity, topic, &published), 0);
	assert_int_equal(published.kind, VD_TOPIC_TELEMETRY);
	assert_int_equal(published.bag_len, strlen(bag));
	assert_memory_equal(published.bag, bag, strlen(bag));
}

static void telemetry_is_taken_with_every_form_of_bag(void **state)
{
	expect_bag("d", "devices/d/messages/events", "");
	expect_bag("d", "devices/d/messages/events/", "");
	expect_bag("d", "devices/d/messages/events/a=b&c=d", "a=b&c=d");
	expect_bag("d", "devices/d/messages/events/?a=b", "a=b");
	expect_bag("d", "devices/d/messages/events/a=b/", "a=b");
	expect_bag("d/m", "devices/d/modules/m/messages/events/%24.on=o/", "%24.on=o");
	expect_bag("$edge:Agent", "devices/$edge:Agent/messages/events/", "");
}

static void expect_request(const char *topic, enum vd_topic_kind kind, const char *rid)
{
	struct vd_published published;

	assert_int_equal(vd_topic_published("d", topic, &published), 0);
	assert_int_equal(published.kind, kind);
	assert_int_equal(published.rid_len, strlen(rid));
	assert_memory_equal(published.rid, rid, strlen(rid));
}

static void requests_give_their_rid(void **state)
{
	expect_request("$iothub/twin/GET/?$rid=1", VD_TOPIC_TWIN_GET, "1");
	expect_request("$iothub/twin/PATCH/properties/reported/?$rid=a-b&$version=4",
		       VD_TOPIC_REPORTED, "a-b");
	expect_request("$iothub/twin/PATCH/properties/reported/?$version=4&$rid=x",
		       VD_TOPIC_REPORTED, "x");
	expect_request("$iothub/methods/res/200/?$rid=f", VD_TOPIC_METHOD_RESULT, "f");
	expect_request("$iothub/methods/res/-1/?$rid=f", VD_TOPIC_METHOD_RESULT, "f");
}

static void anything_else_is_no_place_to_publish(void **state)
{
	static const char *const topics[] = {
		"",
		"devices",
		"devices/",
		"devices/d",
		"devices/d/",
		"devices/d2/messages/events/",
		"devices/dd/messages/events/",
		"devices//messages/events/",
		"devices/d/modules/m/messages/events/",
		"devices/d/messages/eventsx",
		"devices/d/messages/events/a/b",
		"devices/d/messages/devicebound/",
		"hub/d/connected",
		"to/1/d/x",
		"kick/d",
		"$iothub/twin/GET/",
		"$iothub/twin/GET/?",
		"$iothub/twin/GET/?$rid=",
		"$iothub/twin/GET/?rid=1",
		"$iothub/twin/GET/x?$rid=1",
		"$iothub/twin/GET/?$rid=1/2",
		"$iothub/twin/res/200/?$rid=1",
		"$iothub/methods/res/?$rid=1",
		"$iothub/methods/res/-/?$rid=1",
		"$iothub/methods/res/2x/?$rid=1",
		"$iothub/methods/res/200?$rid=1",
		"$iothub/methods/POST/x/?$rid=1",
	};
	struct vd_published published;

	for (size_t i = 0; i < VD_COUNT(topics); i++)
		assert_int_equal(vd_topic_published("d", topics[i], &published), -EACCES);
	assert_int_equal(vd_topic_published("d/m", "devices/d/messages/events/", &published),
			 -EACCES);
}

static void expect_filter(const char *identity, const char *filter, int flag)
{
	enum vd_flag got = VD_FLAG_C2D;

	assert_int_equal(vd_topic_subscribed(identity, filter, &got), flag ? 0 : -EACCES);
	if (flag)
		assert_int_equal(got, flag);
}

static void only_azures_filters_of_ones_own_are_granted(void **state)
{
	expect_filter("d", "devices/d/messages/devicebound/#", VD_FLAG_C2D);
	expect_filter("d", "$iothub/twin/res/#", VD_FLAG_TWINRES);
	expect_filter("d", "$iothub/twin/PATCH/properties/desired/#", VD_FLAG_DESIRED);
	expect_filter("d", "$iothub/methods/POST/#", VD_FLAG_METHODS);
	expect_filter("d/m", "devices/d/modules/m/inputs/#", VD_FLAG_INPUTS);
	expect_filter("d/m", "devices/d/modules/m/#", VD_FLAG_INPUTS);
	expect_filter("d", "devices/d/#", 0);
	expect_filter("d", "devices/d/inputs/#", 0);
	expect_filter("d", "devices/+/messages/devicebound/#", 0);
	expect_filter("d", "devices/d/messages/devicebound/+", 0);
	expect_filter("d", "#", 0);
	expect_filter("d", "$iothub/#", 0);
	expect_filter("d/m", "devices/d/messages/devicebound/#", 0);
}

static void deliveries_reach_only_what_a_device_listens_to(void **state)
{
	assert_true(vd_topic_is_deliverable("d", "devices/d/messages/devicebound/%24.mid=1"));
	assert_true(vd_topic_is_deliverable("d", "$iothub/twin/res/200/?$rid=1"));
	assert_true(vd_topic_is_deliverable("d/m", "devices/d/modules/m/inputs/i/a=b"));
	assert_false(vd_topic_is_deliverable("d", "devices/e/messages/devicebound/"));
	assert_false(vd_topic_is_deliverable("d", "devices/d/inputs/i"));
	assert_false(vd_topic_is_deliverable("d", "devices/d/messages/devicebound/#"));
	assert_false(vd_topic_is_deliverable("d", "hub/x"));
}

static void identities_become_one_level_and_back(void **state)
{
	static const char *const identities[] = { "d", "d/m", "a%b", "a%2Fb/m%25" };

	for (size_t i = 0; i < VD_COUNT(identities); i++) {
		VD_CLEANUP(vd_buf_fini) struct vd_buf level = { 0 };
		char back[VD_TOPIC_IDENTITY];

		assert_int_equal(vd_topic_encode(identities[i], &level), 0);
		assert_null(strchr(level.data, '/'));
		assert_int_equal(vd_topic_decode(level.data, level.len, back), 0);
		assert_string_equal(back, identities[i]);
	}
}

static void only_that_encoding_is_decoded(void **state)
{
	static const char *const levels[] = { "",    "a%",        "a%2", "a%2f", "a%20",
					      "%2F", "a%2Fb%2Fc", "a b", "a+",   "a/b" };
	char identity[VD_TOPIC_IDENTITY];

	for (size_t i = 0; i < VD_COUNT(levels); i++)
		assert_int_equal(vd_topic_decode(levels[i], strlen(levels[i]), identity), -EINVAL);
	assert_int_equal(vd_topic_decode("a\0b", 3, identity), -EINVAL);
}

static void commands_of_the_hub_are_taken_apart(void **state)
{
	static const char *const bad[] = { "",
					   "to/",
					   "to/2/d/x",
					   "to/1/d",
					   "to/1/d/",
					   "to/1//x",
					   "to/1",
					   "to/11/d/x",
					   "kick/",
					   "kick/a/b",
					   "hub/d/x",
					   "hand/",
					   "hand/7",
					   "hand/7/d",
					   "hand/7/d/",
					   "hand//d/x",
					   "hand/123456789012345678901234567890123/d/x" };
	struct vd_command command;

	assert_int_equal(vd_topic_command("to/1/d%2Fm/a/b", &command), 0);
	assert_int_equal(command.kind, VD_COMMAND_DELIVER);
	assert_int_equal(command.qos, 1);
	assert_string_equal(command.identity, "d/m");
	assert_string_equal(command.topic, "a/b");
	assert_int_equal(vd_topic_command("hand/17/d%2Fm/a/b", &command), 0);
	assert_int_equal(command.kind, VD_COMMAND_HAND);
	assert_int_equal(command.qos, 1);
	assert_int_equal(command.token_len, 2);
	assert_memory_equal(command.token, "17/", 3);
	assert_string_equal(command.identity, "d/m");
	assert_string_equal(command.topic, "a/b");
	assert_int_equal(vd_topic_command("kick/d", &command), 0);
	assert_int_equal(command.kind, VD_COMMAND_KICK);
	for (size_t i = 0; i < VD_COUNT(bad); i++)
		assert_int_equal(vd_topic_command(bad[i], &command), -EINVAL);
}

static void bags_are_decoded_pair_by_pair(void **state)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf buf = { 0 };
	const char *bag = "%24.mid=a%2Fb&&null&empty=&k%201=x%3D+y=z", *key, *value;
	size_t len = strlen(bag);

	assert_int_equal(vd_bag_next(&bag, &len, &buf, &key, &value), 0);
	assert_string_equal(key, "$.mid");
	assert_string_equal(value, "a/b");
	assert_int_equal(vd_bag_next(&bag, &len, &buf, &key, &value), 0);
	assert_string_equal(key, "null");
	assert_null(value);
	assert_int_equal(vd_bag_next(&bag, &len, &buf, &key, &value), 0);
	assert_string_equal(key, "empty");
	assert_string_equal(value, "");
	assert_int_equal(vd_bag_next(&bag, &len, &buf, &key, &value), 0);
	assert_string_equal(key, "k 1");
	assert_string_equal(value, "x=+y=z");
	assert_int_equal(vd_bag_next(&bag, &len, &buf, &key, &value), VD_BAG_END);
}

static void bad_escapes_in_bags_are_refused(void **state)
{
	static const char *const bags[] = { "a=%", "a=%4", "a=%zz", "%00=a", "a=%00" };

	for (size_t i = 0; i < VD_COUNT(bags); i++) {
		VD_CLEANUP(vd_buf_fini) struct vd_buf buf = { 0 };
		const char *bag = bags[i], *key, *value;
		size_t len = strlen(bag);

		assert_int_equal(vd_bag_next(&bag, &len, &buf, &key, &value), -EINVAL);
	}
}

static void flags_have_names(void **state)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf text = { 0 };
	enum vd_flag flag;

	assert_int_equal(vd_flags_text(VD_FLAG_C2D | VD_FLAG_METHODS, &text), 0);
	assert_string_equal(text.data, "[\"c2d\",\"methods\"]");
	vd_buf_clear(&text);
	assert_int_equal(vd_flags_text(0, &text), 0);
	assert_string_equal(text.data, "[]");
	assert_int_equal(vd_flag_parse("inputs", &flag), 0);
	assert_int_equal(flag, VD_FLAG_INPUTS);
	assert_int_equal(vd_flag_parse("other", &flag), -EINVAL);
}

VD_TEST_MAIN(cmocka_unit_test(telemetry_is_taken_with_every_form_of_bag),
	     cmocka_unit_test(requests_give_their_rid),
	     cmocka_unit_test(anything_else_is_no_place_to_publish),
	     cmocka_unit_test(only_azures_filters_of_ones_own_are_granted),
	     cmocka_unit_test(deliveries_reach_only_what_a_device_listens_to),
	     cmocka_unit_test(identities_become_one_level_and_back),
	     cmocka_unit_test(only_that_encoding_is_decoded),
	     cmocka_unit_test(commands_of_the_hub_are_taken_apart),
	     cmocka_unit_test(bags_are_decoded_pair_by_pair),
	     cmocka_unit_test(bad_escapes_in_bags_are_refused), cmocka_unit_test(flags_have_names))
