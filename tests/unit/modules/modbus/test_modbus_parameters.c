/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/modbus/parameters.h"

#include <errno.h>
#include <string.h>

#include "base/schema.h"
#include "vd_test.h"

extern const char vd_modbus_schema_json[];
extern const size_t vd_modbus_schema_json_len;

/* As the SDK does: checked by the schema, filled, then read. */
static int read_text(const char *text, struct vd_modbus_parameters **ret, struct vd_fault *fault)
{
	VD_CLEANUP(vd_json_free) cJSON *schema = NULL;
	VD_CLEANUP(vd_json_free) cJSON *json = NULL;
	int r;

	assert_int_equal(
		vd_json_parse(vd_modbus_schema_json, vd_modbus_schema_json_len, &schema, fault), 0);
	assert_int_equal(vd_schema_verify(schema, fault), 0);
	assert_int_equal(vd_json_parse(text, strlen(text), &json, fault), 0);
	r = vd_schema_check(schema, json, fault);
	if (r == 0)
		assert_int_equal(vd_schema_fill(schema, json), 0);
	return r < 0 ? r : vd_modbus_parameters_new(json, ret, fault);
}

#define TCP "\"transport\":{\"type\":\"tcp\",\"host\":\"127.0.0.1\",\"port\":1502}"
#define RTU "\"transport\":{\"type\":\"rtu\",\"device\":\"/dev/ttyS0\"}"

static void defaults_come_from_the_schema(void **state)
{
	VD_CLEANUP(vd_modbus_parameters_free) struct vd_modbus_parameters *p = NULL;
	struct vd_fault fault = { 0 };

	assert_int_equal(read_text("{\"devices\":{\"d\":{" RTU
				   ",\"tags\":{\"b\":{\"address\":7,\"area\":\"coil\"},"
				   "\"a\":{\"address\":3,\"intervalMs\":50}}}}}",
				   &p, &fault),
			 0);
	assert_int_equal(p->device_count, 1);
	assert_int_equal(p->devices[0].unit, 1);
	assert_int_equal(p->devices[0].response_timeout_ms, 500);
	assert_int_equal(p->buses[0].baud, 19200);
	assert_int_equal(p->buses[0].parity, 'E');
	assert_string_equal(p->devices[0].tags[0].name, "a");
	assert_int_equal(p->devices[0].tags[0].format.type, VD_MODBUS_UINT16);
	assert_int_equal(p->devices[0].tags[1].format.type, VD_MODBUS_BOOL);
	assert_int_equal(p->devices[0].tags[1].interval_ms, 1000);
	assert_true(p->devices[0].tags[1].deadband < 0);
	assert_null(p->verdicts.device);
}

static void devices_at_one_end_share_a_connection(void **state)
{
	VD_CLEANUP(vd_modbus_parameters_free) struct vd_modbus_parameters *p = NULL;

	assert_int_equal(read_text("{\"devices\":{\"a\":{" TCP ",\"unit\":1},\"b\":{" TCP
				   ",\"unit\":2},\"c\":{" RTU "}}}",
				   &p, NULL),
			 0);
	assert_int_equal(p->bus_count, 2);
	assert_int_equal(p->devices[1].bus, 0);
	assert_int_equal(p->devices[2].bus, 1);
}

static void verdicts_find_their_outputs(void **state)
{
	VD_CLEANUP(vd_modbus_parameters_free) struct vd_modbus_parameters *p = NULL;

	assert_int_equal(read_text("{\"devices\":{\"a\":{" TCP
				   ",\"outputs\":{\"no\":{\"address\":4},"
				   "\"seq\":{\"area\":\"holding\",\"address\":9}}}},"
				   "\"verdicts\":{\"device\":\"a\",\"ngOutput\":\"no\","
				   "\"sequenceOutput\":\"seq\"}}",
				   &p, NULL),
			 0);
	assert_int_equal(p->verdicts.ng->address, 4);
	assert_int_equal(p->verdicts.hold_ms, 80);
	assert_int_equal(p->verdicts.no_decision, VD_MODBUS_REJECT);
	assert_null(p->verdicts.ok);
}

#define EVENT(text)                                                                                \
	"{\"devices\":{\"d\":{" TCP ",\"tags\":{\"t\":{\"address\":7,\"mask\":4,\"scale\":0.1},"   \
	"\"f\":{\"address\":8,\"type\":\"float32\"}},\"outputs\":{\"o\":{\"address\":4}},"         \
	"\"events\":{\"a\":{\"address\":1,\"acknowledge\":\"o\"},\"e\":{" text "}}}}}"

static void an_event_watches_the_place_of_a_tag_or_its_own(void **state)
{
	VD_CLEANUP(vd_modbus_parameters_free) struct vd_modbus_parameters *p = NULL;
	const struct vd_modbus_device *device;

	assert_int_equal(read_text(EVENT("\"tag\":\"t\",\"on\":\"fall\",\"serial\":{\"address\":20,"
					 "\"type\":\"string\",\"length\":5}"),
				   &p, NULL),
			 0);
	device = p->devices;
	assert_int_equal(device->event_count, 2);
	assert_int_equal(device->events[1].on, VD_MODBUS_ON_FALL);
	assert_int_equal(device->events[1].serial.count, 3);
	assert_ptr_equal(device->events[0].acknowledge, &device->outputs[0]);
	assert_null(device->events[0].serial.name);
	assert_int_equal(device->tag_count, 4);
	assert_ptr_equal(device->tags[1].event, &device->events[1]);
	assert_int_equal(device->tags[1].address, 7);
	assert_int_equal(device->tags[1].interval_ms, 20);
	assert_int_equal(device->tags[1].format.mask, 4);
	assert_true(device->tags[1].format.scale == 1);
}

#define TAG(text) "{\"devices\":{\"d\":{" TCP ",\"tags\":{\"t\":{" text "}}}}}"
#define OUT(text, verdicts)                                                                        \
	"{\"devices\":{\"d\":{" TCP ",\"outputs\":{\"o\":{" text "}}}},\"verdicts\":{" verdicts "}}"

static void what_is_wrong_is_named_by_its_place(void **state)
{
	static const struct {
		const char *text, *pointer;
	} table[] = {
		{ TAG("\"address\":1,\"scale\":0"), "/devices/d/tags/t/scale" },
		{ TAG("\"address\":70000"), "/devices/d/tags/t/address" },
		{ TAG("\"address\":65535,\"type\":\"uint32\""), "/devices/d/tags/t/address" },
		{ TAG("\"address\":1,\"type\":\"string\""), "/devices/d/tags/t/length" },
		{ TAG("\"address\":1,\"type\":\"float32\",\"mask\":1"), "/devices/d/tags/t/mask" },
		{ TAG("\"address\":1,\"mask\":65536"), "/devices/d/tags/t/mask" },
		{ TAG("\"address\":1,\"area\":\"coil\",\"type\":\"int16\""),
		  "/devices/d/tags/t/type" },
		{ TAG("\"address\":1,\"clamp\":{\"minimum\":2,\"maximum\":1}"),
		  "/devices/d/tags/t/clamp" },
		{ TAG("\"address\":1,\"order\":\"ACBD\""), "/devices/d/tags/t/order" },
		{ TAG("\"address\":1,\"adress\":1"), "/devices/d/tags/t/adress" },
		{ "{\"devices\":{\"d\":{\"transport\":{\"type\":\"tcp\"}}}}",
		  "/devices/d/transport/host" },
		{ "{\"devices\":{\"d\":{\"transport\":{\"type\":\"rtu\"}}}}",
		  "/devices/d/transport/device" },
		{ "{\"devices\":{\"d\":{" RTU ",\"unit\":248}}}", "/devices/d/unit" },
		{ "{\"devices\":{\"d\":{" RTU
		  "},\"e\":{\"transport\":{\"type\":\"rtu\",\"device\":\"/dev/ttyS0\","
		  "\"baud\":9600}}}}",
		  "/devices/e/transport" },
		{ OUT("\"address\":1,\"type\":\"int16\"", "\"device\":\"d\",\"ngOutput\":\"o\""),
		  "/devices/d/outputs/o/type" },
		{ OUT("\"address\":1,\"area\":\"holding\",\"safe\":70000",
		      "\"device\":\"d\",\"ngOutput\":\"o\""),
		  "/devices/d/outputs/o/safe" },
		{ OUT("\"address\":1", "\"device\":\"x\",\"ngOutput\":\"o\""), "/verdicts/device" },
		{ OUT("\"address\":1", "\"device\":\"d\",\"ngOutput\":\"p\""),
		  "/verdicts/ngOutput" },
		{ OUT("\"address\":1", "\"device\":\"d\",\"ngOutput\":\"o\",\"okOutput\":\"o\""),
		  "/verdicts/okOutput" },
		{ OUT("\"address\":1", "\"device\":\"d\",\"codeOutput\":\"o\""),
		  "/verdicts/codeOutput" },
		{ OUT("\"address\":1", "\"device\":\"d\""), "/verdicts" },
		{ EVENT("\"on\":\"rise\""), "/devices/d/events/e" },
		{ EVENT("\"tag\":\"t\",\"address\":1"), "/devices/d/events/e" },
		{ EVENT("\"tag\":\"u\""), "/devices/d/events/e/tag" },
		{ EVENT("\"tag\":\"f\""), "/devices/d/events/e/tag" },
		{ EVENT("\"address\":1,\"type\":\"float32\""), "/devices/d/events/e/type" },
		{ EVENT("\"address\":1,\"serial\":{\"address\":1,\"type\":\"string\"}"),
		  "/devices/d/events/e/serial/length" },
		{ EVENT("\"address\":1,\"acknowledge\":\"p\""), "/devices/d/events/e/acknowledge" },
		{ EVENT("\"address\":1,\"acknowledge\":\"o\""), "/devices/d/events/e/acknowledge" },
		{ EVENT("\"address\":1,\"on\":\"change\",\"acknowledge\":\"o\""),
		  "/devices/d/events/e/acknowledge" },
		{ "{\"devices\":{\"d\":{" TCP ",\"outputs\":{\"o\":{\"address\":4}},\"events\":{"
		  "\"a\":{\"address\":1,\"acknowledge\":\"o\"}}}},"
		  "\"verdicts\":{\"device\":\"d\",\"ngOutput\":\"o\"}}",
		  "/verdicts/ngOutput" },
		{ OUT("\"address\":1,\"area\":\"holding\"",
		      "\"device\":\"d\",\"codeOutput\":\"o\",\"sequenceOutput\":\"o\""),
		  "/verdicts/sequenceOutput" },
	};

	for (size_t i = 0; i < VD_COUNT(table); i++) {
		struct vd_modbus_parameters *p = NULL;
		struct vd_fault fault = { 0 };

		assert_int_equal(read_text(table[i].text, &p, &fault), -EINVAL);
		assert_string_equal(fault.pointer, table[i].pointer);
		assert_int_equal(fault.code, 400);
		assert_true(fault.text[0] != '\0');
	}
}

VD_TEST_MAIN(cmocka_unit_test(defaults_come_from_the_schema),
	     cmocka_unit_test(devices_at_one_end_share_a_connection),
	     cmocka_unit_test(verdicts_find_their_outputs),
	     cmocka_unit_test(an_event_watches_the_place_of_a_tag_or_its_own),
	     cmocka_unit_test(what_is_wrong_is_named_by_its_place))
