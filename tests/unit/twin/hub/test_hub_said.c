/* SPDX-License-Identifier: Apache-2.0 */
#include "vd_test.h"

#include <errno.h>
#include <string.h>

#include <zstd.h>

#include "twin/document/section.h"
#include "twin/hub/telemetry/batch.h"
#include "twin/hub/dialect.h"

static void each_topic_of_the_broker_is_understood(void **state)
{
	struct vd_said said;

	assert_int_equal(vd_said_parse("hub/d1/iothub/twin/GET/?$rid=a-1", &said), 0);
	assert_int_equal(said.kind, VD_SAID_TWIN_GET);
	assert_string_equal(said.name.device, "d1");
	assert_string_equal(said.rid, "a-1");
	assert_int_equal(
		vd_said_parse("hub/d1%2Fm/iothub/twin/PATCH/properties/reported/?$rid=2&$version=7",
			      &said),
		0);
	assert_int_equal(said.kind, VD_SAID_REPORTED);
	assert_string_equal(said.name.module, "m");
	assert_int_equal(said.version, 7);
	assert_int_equal(
		vd_said_parse("hub/d1/iothub/twin/PATCH/properties/reported/?$rid=2", &said), 0);
	assert_int_equal(said.version, VD_SECTION_ANY_VERSION);
	assert_int_equal(vd_said_parse("hub/d1/iothub/methods/res/-5/?$rid=ff", &said), 0);
	assert_int_equal(said.status, -5);
	assert_int_equal(vd_said_parse("hub/d1/connected", &said), 0);
	assert_int_equal(said.kind, VD_SAID_CONNECTED);
	assert_int_equal(vd_said_parse("hub/spool", &said), 0);
	assert_int_equal(said.kind, VD_SAID_SPOOL);
	assert_int_equal(vd_said_parse("hub/start", &said), 0);
	assert_int_equal(said.kind, VD_SAID_START);
}

static void anything_else_is_refused(void **state)
{
	static const char *const topics[] = {
		"",
		"hub",
		"hub/",
		"hub/nothing",
		"other/d1/connected",
		"hub//connected",
		"hub/d1/iothub/twin/PUT/?$rid=1",
		"hub/d1/iothub/methods/res//?$rid=1",
		"hub/d1/iothub/methods/res/99999999999/?$rid=1",
		"hub/d1/iothub/methods/res/200",
		"hub/d1/iothub/twin/PATCH/properties/reported/?$version=x",
		"hub/d%ZZ/connected",
		"hub/a%2Fb%2Fc/connected",
	};
	struct vd_said said;

	for (size_t i = 0; i < VD_COUNT(topics); i++)
		assert_int_equal(vd_said_parse(topics[i], &said), -EINVAL);
}

static void a_compressed_batch_is_unpacked_up_to_its_limit(void **state)
{
	static char zeros[200000];
	char packed[4096];
	size_t len = ZSTD_compress(packed, sizeof packed, zeros, sizeof zeros, 1);
	struct vd_buf out = { 0 };
	struct vd_fault fault = { 0 };

	assert_false(ZSTD_isError(len));
	assert_int_equal(vd_batch_inflate(packed, len, sizeof zeros, &out, &fault), 0);
	assert_int_equal(out.len, sizeof zeros);
	vd_buf_clear(&out);
	assert_int_equal(vd_batch_inflate(packed, len, sizeof zeros - 1, &out, &fault), -EINVAL);
	assert_non_null(strstr(fault.text, "too large"));
	vd_buf_clear(&out);
	assert_int_equal(vd_batch_inflate(packed, len - 1, sizeof zeros, &out, &fault), -EINVAL);
	vd_buf_clear(&out);
	assert_int_equal(vd_batch_inflate("", 0, 100, &out, &fault), -EINVAL);
	vd_buf_fini(&out);
}

static void a_property_bag_is_read_in_every_spelling(void **state)
{
	VD_CLEANUP(vd_message_properties_fini) struct vd_message_properties p = { 0 };

	assert_int_equal(vd_message_properties_read("a%20b=x%2fy&%24.mid=m%201&vd-batch=1&$.ce=zstd"
						    "&empty=&bare",
						    &p, NULL),
			 0);
	assert_string_equal(vd_json_string(p.all, "a b", ""), "x/y");
	assert_string_equal(p.message_id, "m 1");
	assert_true(p.is_batch);
	assert_true(p.is_zstd);
	assert_string_equal(vd_json_string(p.all, "empty", "-"), "");
	assert_true(cJSON_IsNull(vd_json_get(p.all, "bare")));
}

static int append_text(const struct vd_record_row *row, void *argument)
{
	return vd_buf_printf(argument, "%s\n", row->text);
}

static void a_record_keeps_the_text_that_its_device_wrote(void **state)
{
	static const char batch[] =
		" [ "
		"{\"bootId\":\"b\",\"seq\":1,\"class\":\"event\",\"body\":{\"x\":0.10,\"t\":\"],{"
		"\\\"\"}} "
		",17,{\"seq\":2,\"bootId\":\"b\",\"class\":\"raw\",\"id\":9,\"receivedTime\":"
		"\"never\"}"
		",{\"bootId\":\"b\",\n\"seq\":3,\"class\":\"raw\",\"a\":[[1],[2]]}]";
	VD_CLEANUP(vd_buf_fini) struct vd_buf all = { 0 };
	int bad = 0;

	assert_int_equal(
		vd_batch_read("d1", 1, batch, sizeof batch - 1, append_text, &all, &bad, NULL), 0);
	assert_int_equal(bad, 1);
	assert_string_equal(all.data,
			    "{\"bootId\":\"b\",\"seq\":1,\"class\":\"event\","
			    "\"body\":{\"x\":0.10,\"t\":\"],{\\\"\"}}\n"
			    "{\"seq\":2,\"bootId\":\"b\",\"class\":\"raw\"}\n"
			    "{\"bootId\":\"b\",\"seq\":3,\"class\":\"raw\",\"a\":[[1],[2]]}\n");
}

VD_TEST_MAIN(cmocka_unit_test(each_topic_of_the_broker_is_understood),
	     cmocka_unit_test(anything_else_is_refused),
	     cmocka_unit_test(a_compressed_batch_is_unpacked_up_to_its_limit),
	     cmocka_unit_test(a_record_keeps_the_text_that_its_device_wrote),
	     cmocka_unit_test(a_property_bag_is_read_in_every_spelling))
