/* SPDX-License-Identifier: Apache-2.0 */
#include "vd_test.h"

#include <errno.h>
#include <string.h>

#include "agent/cloud/topic.h"

static int parse(const char *text, struct vd_topic *topic)
{
	return vd_topic_parse(text, strlen(text), topic);
}

static void a_twin_answer_has_status_rid_and_version(void **state)
{
	struct vd_topic t;

	(void)state;
	assert_int_equal(parse("$iothub/twin/res/204/?$rid=a1&$version=7", &t), 0);
	assert_int_equal(t.kind, VD_TOPIC_TWIN_ANSWER);
	assert_int_equal(t.status, 204);
	assert_string_equal(t.rid, "a1");
	assert_int_equal(t.version, 7);
	assert_int_equal(parse("$iothub/twin/res/200/?%24rid=a%2F1", &t), 0);
	assert_string_equal(t.rid, "a/1");
	assert_int_equal(t.version, -1);
}

static void a_desired_change_has_a_version(void **state)
{
	struct vd_topic t;

	(void)state;
	assert_int_equal(parse("$iothub/twin/PATCH/properties/desired/?$version=41", &t), 0);
	assert_int_equal(t.kind, VD_TOPIC_DESIRED);
	assert_int_equal(t.version, 41);
	assert_int_equal(parse("$iothub/twin/PATCH/properties/desired/", &t), 0);
	assert_int_equal(t.version, -1);
}

static void a_method_has_a_name_and_a_rid(void **state)
{
	struct vd_topic t;

	(void)state;
	assert_int_equal(parse("$iothub/methods/POST/learn%20it/?$rid=3", &t), 0);
	assert_int_equal(t.kind, VD_TOPIC_METHOD);
	assert_string_equal(t.method, "learn it");
	assert_string_equal(t.rid, "3");
}

static void a_message_keeps_its_bag_as_it_came(void **state)
{
	struct vd_topic t;

	(void)state;
	assert_int_equal(parse("devices/d1/messages/devicebound/%24.mid=1&a=b%2F", &t), 0);
	assert_int_equal(t.kind, VD_TOPIC_MESSAGE);
	assert_int_equal(t.bag_len, 16);
	assert_memory_equal(t.bag, "%24.mid=1&a=b%2F", 16);
	assert_int_equal(parse("devices/d1/messages/devicebound/", &t), 0);
	assert_int_equal(t.bag_len, 0);
	assert_int_equal(parse("devices/d1/modules/m/inputs/in/x=1", &t), 0);
	assert_memory_equal(t.bag, "x=1", 3);
}

static void what_is_not_the_hubs_is_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"$iothub",
		"$iothub/twin/res/",
		"$iothub/twin/res/200",
		"$iothub/twin/res/200/",
		"$iothub/twin/res/200/?$rid=",
		"$iothub/twin/res/2x0/?$rid=1",
		"$iothub/twin/res/-1/?$rid=1",
		"$iothub/twin/res/1000/?$rid=1",
		"$iothub/twin/res/200/?$rid=1&$version=x",
		"$iothub/twin/res/200/?$rid=1&$version=9999999999999999999",
		"$iothub/twin/res/200/?$rid=%",
		"$iothub/twin/res/200/?$rid=%0",
		"$iothub/twin/res/200/?$rid=%00",
		"$iothub/twin/PATCH/properties/desired/?$version=-1",
		"$iothub/methods/POST/",
		"$iothub/methods/POST//?$rid=1",
		"$iothub/methods/POST/x/",
		"devices/",
		"devices//messages/devicebound/",
		"devices/d1/messages/events/",
		"devices/d1/messages/deviceboundx",
		"devices/d1/modules//inputs/x/",
		"hub/d1/connected",
	};
	struct vd_topic t;

	(void)state;
	for (size_t i = 0; i < VD_COUNT(bad); i++)
		if (parse(bad[i], &t) != -EINVAL)
			fail_msg("accepted: %s", bad[i]);
}

static void a_long_rid_is_refused(void **state)
{
	char text[256] = "$iothub/twin/res/200/?$rid=";
	struct vd_topic t;

	(void)state;
	memset(text + 27, 'r', VD_RID_TEXT - 1);
	text[27 + VD_RID_TEXT - 1] = '\0';
	assert_int_equal(parse(text, &t), 0);
	text[27 + VD_RID_TEXT - 1] = 'r';
	assert_int_equal(parse(text, &t), -EINVAL);
}

static void a_bag_is_encoded(void **state)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf bag = { 0 };

	(void)state;
	assert_int_equal(vd_bag_add(&bag, "$.ct", "application/json"), 0);
	assert_int_equal(vd_bag_add(&bag, "a b", "x&y=+#\xc3\xa9"), 0);
	assert_string_equal(bag.data, "%24.ct=application%2Fjson&a%20b=x%26y%3D%2B%23%C3%A9");
}

VD_TEST_MAIN(cmocka_unit_test(a_twin_answer_has_status_rid_and_version),
	     cmocka_unit_test(a_desired_change_has_a_version),
	     cmocka_unit_test(a_method_has_a_name_and_a_rid),
	     cmocka_unit_test(a_message_keeps_its_bag_as_it_came),
	     cmocka_unit_test(what_is_not_the_hubs_is_refused),
	     cmocka_unit_test(a_long_rid_is_refused), cmocka_unit_test(a_bag_is_encoded), )
