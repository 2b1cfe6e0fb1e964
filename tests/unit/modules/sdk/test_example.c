/* SPDX-License-Identifier: Apache-2.0 */
/* The example in Python is a package as any other, and speaks the protocol by itself. */
#include "base/file.h"
#include "base/json.h"
#include "base/schema.h"
#include "stage.h"

static cJSON *read_json(const char *path)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf text = { 0 };
	struct vd_fault fault = { 0 };
	cJSON *json = NULL;

	assert_int_equal(vd_file_read(path, 65536, &text, &fault), 0);
	assert_int_equal(vd_json_parse(text.data, text.len, &json, &fault), 0);
	return json;
}

static void its_manifest_and_schema_are_in_order(void **state)
{
	VD_CLEANUP(vd_json_free) cJSON *manifest = read_json(VD_EXAMPLE "/manifest.json");
	VD_CLEANUP(vd_json_free) cJSON *schema = read_json(VD_EXAMPLE "/schema.json");
	struct vd_fault fault = { 0 };

	assert_string_equal(vd_json_string(manifest, "name", ""), "example-python");
	assert_string_equal(vd_json_string(manifest, "version", ""), "1.0.0");
	assert_string_equal(vd_json_string(manifest, "entryPoint", ""), "counter.py");
	assert_int_equal(vd_schema_verify(schema, &fault), 0);
}

static void it_counts_takes_new_parameters_refuses_bad_ones_and_stops(void **state)
{
	struct actor a;
	const cJSON *packet;

	act(&a, VD_EXAMPLE "/counter.py");
	packet = hear(&a, "hello");
	assert_string_equal(vd_json_string(packet, "name", ""), "example-python");
	say(a.fd, NULL, 0,
	    "{\"type\":\"start\",\"instance\":\"c\",\"heartbeatMs\":50,\"version\":1,"
	    "\"parameters\":{\"intervalMs\":20}}");
	assert_int_equal(vd_json_int(hear(&a, "applied"), "version", 0), 1);
	(void)hear(&a, "ready");
	for (int i = 1; i <= 3; i++) {
		packet = hear(&a, "publish");
		assert_string_equal(vd_json_string(packet, "class", ""), "telemetry");
		assert_int_equal(vd_json_int(vd_json_get(packet, "body"), "count", 0), i);
	}
	say(a.fd, NULL, 0,
	    "{\"type\":\"parameters\",\"version\":2,\"parameters\":{\"intervalMs\":1}}");
	say(a.fd, NULL, 0, "{\"type\":\"tomorrow\"}");
	say(a.fd, NULL, 0,
	    "{\"type\":\"parameters\",\"version\":3,"
	    "\"parameters\":{\"intervalMs\":3600000,\"step\":100}}");
	do {
		vd_packet_fini(&a.packet);
		expect_readable(a.fd);
		assert_int_equal(vd_packet_receive(a.fd, &a.packet, NULL), 0);
	} while (strcmp(vd_packet_type(&a.packet), "refused") != 0);
	assert_string_equal(vd_json_string(a.packet.json, "pointer", ""), "/intervalMs");
	assert_int_equal(vd_json_int(hear(&a, "applied"), "version", 0), 3);
	assert_true(vd_json_int(vd_json_get(hear(&a, "publish"), "body"), "count", 0) > 100);
	assert_true(vd_json_int(hear(&a, "alive"), "work", 0) > 100);
	say(a.fd, NULL, 0, "{\"type\":\"stop\"}");
	assert_int_equal(end(&a), 0);
}

static void it_ends_with_the_agent(void **state)
{
	struct actor a;

	act(&a, VD_EXAMPLE "/counter.py");
	(void)hear(&a, "hello");
	assert_int_equal(end(&a), 0);
}

VD_TEST_MAIN(cmocka_unit_test(its_manifest_and_schema_are_in_order),
	     cmocka_unit_test(it_counts_takes_new_parameters_refuses_bad_ones_and_stops),
	     cmocka_unit_test(it_ends_with_the_agent))
