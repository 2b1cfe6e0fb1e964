/* SPDX-License-Identifier: Apache-2.0 */
#include "vd_test.h"

#include <errno.h>
#include <string.h>

#include "agent/store/batch.h"
#include "agent/store/db.h"
#include "agent/store/envelope.h"
#include "base/json.h"

static void what_was_packed_unpacks(void **state)
{
	VD_CLEANUP(vd_packer_free) struct vd_packer *packer = vd_packer_new();
	VD_CLEANUP(vd_buf_fini) struct vd_buf packed = { 0 }, text = { 0 };

	(void)state;
	assert_int_equal(vd_batch_pack(packer, "[{\"a\":1}]", 9, &packed), 0);
	assert_int_equal(vd_batch_unpack(packer, packed.data, packed.len, &text), 0);
	assert_string_equal(text.data, "[{\"a\":1}]");
}

static void every_cut_and_every_flipped_bit_of_a_frame_is_survived(void **state)
{
	VD_CLEANUP(vd_packer_free) struct vd_packer *packer = vd_packer_new();
	VD_CLEANUP(vd_buf_fini) struct vd_buf packed = { 0 }, text = { 0 };

	(void)state;
	assert_int_equal(vd_batch_pack(packer, "[{\"a\":1},{\"a\":1},{\"a\":1}]", 25, &packed), 0);
	for (size_t len = 0; len < packed.len; len++)
		assert_int_equal(vd_batch_unpack(packer, packed.data, len, &text), -EBADMSG);
	for (size_t bit = 0; bit < 8 * packed.len; bit++) {
		packed.data[bit / 8] ^= (char)(1 << bit % 8);
		int r = vd_batch_unpack(packer, packed.data, packed.len, &text);
		assert_true(r == 0 || r == -EBADMSG);
		packed.data[bit / 8] ^= (char)(1 << bit % 8);
	}
}

static void an_array_of_another_size_or_shape_is_refused(void **state)
{
	VD_CLEANUP(vd_packer_free) struct vd_packer *packer = vd_packer_new();
	VD_CLEANUP(vd_buf_fini) struct vd_buf packed = { 0 }, text = { 0 };
	static char large[VD_BATCH_UNPACKED_BYTES + 1];

	(void)state;
	assert_int_equal(vd_batch_pack(packer, "{\"a\":1}", 7, &packed), 0);
	assert_int_equal(vd_batch_unpack(packer, packed.data, packed.len, &text), -EBADMSG);
	memset(large, ' ', sizeof large);
	assert_int_equal(vd_batch_pack(packer, large, sizeof large, &packed), 0);
	assert_int_equal(vd_batch_unpack(packer, packed.data, packed.len, &text), -EBADMSG);
}

static void arrays_are_joined(void **state)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf array = { 0 };

	(void)state;
	assert_int_equal(vd_batch_join(&array, "[1]", 3), 0);
	assert_int_equal(vd_batch_join(&array, "[2,3]", 5), 0);
	assert_string_equal(array.data, "[1,2,3]");
}

static void the_checksum_is_crc32c(void **state)
{
	(void)state;
	assert_int_equal(vd_crc32c(0, "123456789", 9),
			 0xe3069283U); /* the standard's check value */
	assert_int_equal(vd_crc32c(vd_crc32c(0, "1234", 4), "56789", 5), 0xe3069283U);
}

static void a_row_with_another_number_or_byte_has_another_checksum(void **state)
{
	struct vd_row row = { .class = VD_VERDICT, .first = 1, .last = 2, .data = "abc", .len = 3 };
	uint64_t crc = vd_row_crc(&row);

	(void)state;
	row.last = 3;
	assert_int_not_equal(vd_row_crc(&row), crc);
	assert_int_not_equal(vd_row_crc(&row) >> 32, crc >> 32);
	row.last = 2;
	row.data = "abd";
	assert_int_not_equal(vd_row_crc(&row), crc);
	assert_int_equal(vd_row_crc(&row) >> 32, crc >> 32); /* that of the range alone */
}

static void an_envelope_is_json_whatever_the_names_are(void **state)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf text = { 0 };
	VD_CLEANUP(vd_json_free) cJSON *json = NULL;
	struct vd_record record = { .class = VD_EVENT,
				    .module = "a\"b\\c\n\x01z",
				    .output = "out",
				    .desired_version = 7,
				    .body = "[1]",
				    .body_len = 3 };
	struct vd_moment moment = { 5, 0, "synchronized" };

	(void)state;
	assert_int_equal(vd_envelope_head("d\x1f\"1", "boot", &text), 0);
	assert_int_equal(vd_buf_append(&text, "17", 2), 0);
	assert_int_equal(vd_envelope_tail(&record, &moment, &text), 0);
	assert_int_equal(vd_json_parse(text.data, text.len, &json, NULL), 0);
	assert_string_equal(vd_json_string(json, "deviceId", ""), "d\x1f\"1");
	assert_string_equal(vd_json_string(json, "module", ""), "a\"b\\c\n\x01z");
	assert_int_equal(vd_json_int(json, "seq", 0), 17);
	assert_int_equal(vd_json_int(json, "desiredVersion", 0), 7);
	assert_null(vd_json_get(json, "moduleVersion"));
	assert_string_equal(vd_json_string(json, "tWall", ""), "1970-01-01T00:00:00.000Z");
	assert_int_equal(cJSON_GetArraySize(vd_json_array(json, "body")), 1);
}

VD_TEST_MAIN(cmocka_unit_test(what_was_packed_unpacks),
	     cmocka_unit_test(every_cut_and_every_flipped_bit_of_a_frame_is_survived),
	     cmocka_unit_test(an_array_of_another_size_or_shape_is_refused),
	     cmocka_unit_test(arrays_are_joined), cmocka_unit_test(the_checksum_is_crc32c),
	     cmocka_unit_test(a_row_with_another_number_or_byte_has_another_checksum),
	     cmocka_unit_test(an_envelope_is_json_whatever_the_names_are), )
