/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/modbus/decode.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "vd_test.h"

enum { A = VD_MODBUS_ABCD, D = VD_MODBUS_DCBA, B = VD_MODBUS_BADC, C = VD_MODBUS_CDAB };

static struct vd_modbus_value decode(const struct vd_modbus_format *format, const uint16_t *words)
{
	struct vd_modbus_value value = { 0 };
	const char *why;

	assert_int_equal(
		vd_modbus_decode(format, words, vd_modbus_format_words(format), &value, &why), 0);
	return value;
}

struct number {
	enum vd_modbus_type type;
	int order;
	uint16_t words[4];
	double wanted;
};

/* The first ones are the seeds' vectors: 3-2-1-0, 1-0-3-2, 2-3-0-1, 0-1-2-3. */
static const struct number numbers[] = {
	{ VD_MODBUS_FLOAT32, A, { 0x4148, 0x0000 }, 12.5 },
	{ VD_MODBUS_FLOAT32, C, { 0x0000, 0x4148 }, 12.5 },
	{ VD_MODBUS_FLOAT32, B, { 0x4841, 0x0000 }, 12.5 },
	{ VD_MODBUS_FLOAT32, D, { 0x0000, 0x4841 }, 12.5 },
	{ VD_MODBUS_UINT32, A, { 1, 2 }, 65538 },
	{ VD_MODBUS_FLOAT64, A, { 0x4029, 0, 0, 0 }, 12.5 },
	{ VD_MODBUS_FLOAT64, D, { 0, 0, 0, 0x2940 }, 12.5 },
	{ VD_MODBUS_INT16, A, { 0xFF85 }, -123 },
	{ VD_MODBUS_INT16, C, { 0xFF85 }, -123 },
	{ VD_MODBUS_INT16, B, { 0x85FF }, -123 },
	{ VD_MODBUS_INT16, D, { 0x85FF }, -123 },
	{ VD_MODBUS_UINT16, A, { 0x1234 }, 0x1234 },
	{ VD_MODBUS_UINT16, D, { 0x3412 }, 0x1234 },
	{ VD_MODBUS_INT32, A, { 0xFFFF, 0xFFFE }, -2 },
	{ VD_MODBUS_INT32, C, { 0xFFFE, 0xFFFF }, -2 },
	{ VD_MODBUS_INT32, B, { 0xFFFF, 0xFEFF }, -2 },
	{ VD_MODBUS_INT32, D, { 0xFEFF, 0xFFFF }, -2 },
	{ VD_MODBUS_INT32, A, { 0x8000, 0 }, -2147483648.0 },
	{ VD_MODBUS_UINT32, A, { 0xFFFF, 0xFFFF }, 4294967295.0 },
	{ VD_MODBUS_INT48, A, { 0xFFFF, 0xFFFF, 0xFF00 }, -256 },
	{ VD_MODBUS_INT48, C, { 0xFF00, 0xFFFF, 0xFFFF }, -256 },
	{ VD_MODBUS_UINT48, A, { 0x0001, 0, 0 }, 4294967296.0 },
	{ VD_MODBUS_UINT48, D, { 0, 0, 0x0100 }, 4294967296.0 },
	{ VD_MODBUS_INT64, A, { 0xFFFF, 0xFFFF, 0xFFFF, 0xFFFF }, -1 },
	{ VD_MODBUS_INT64, B, { 0xFFFF, 0xFFFF, 0xFFFF, 0xFEFF }, -2 },
	{ VD_MODBUS_UINT64, C, { 5, 0, 0, 0 }, 5 },
	{ VD_MODBUS_BCD16, A, { 0x1234 }, 1234 },
	{ VD_MODBUS_BCD16, B, { 0x3412 }, 1234 },
	{ VD_MODBUS_BCD24, A, { 0x0012, 0x3456 }, 123456 },
	{ VD_MODBUS_BCD32, A, { 0x1234, 0x5678 }, 12345678 },
	{ VD_MODBUS_BCD32, C, { 0x5678, 0x1234 }, 12345678 },
	{ VD_MODBUS_BCD32, D, { 0x7856, 0x3412 }, 12345678 },
};

static void every_type_is_read_in_every_order(void **state)
{
	for (size_t i = 0; i < VD_COUNT(numbers); i++) {
		struct vd_modbus_format format = vd_modbus_format_plain(
			numbers[i].type, (enum vd_modbus_order)numbers[i].order);
		struct vd_modbus_value value = decode(&format, numbers[i].words);

		assert_true(vd_modbus_value_number(&value, NAN) == numbers[i].wanted);
	}
}

static void what_is_encoded_is_decoded_again(void **state)
{
	static const double tried[] = { 0, 1, 9, 1234, -1, -123 };

	for (int type = VD_MODBUS_INT16; type <= VD_MODBUS_BCD32; type++) {
		for (int order = VD_MODBUS_ABCD; order <= VD_MODBUS_CDAB; order++) {
			struct vd_modbus_format format = vd_modbus_format_plain(
				(enum vd_modbus_type)type, (enum vd_modbus_order)order);

			for (size_t i = 0; i < VD_COUNT(tried); i++) {
				uint16_t words[4];
				struct vd_modbus_value value;
				int r = vd_modbus_encode(&format, tried[i], words,
							 vd_modbus_format_words(&format));

				if (r == -ERANGE && tried[i] < 0)
					continue;
				assert_int_equal(r, 0);
				value = decode(&format, words);
				assert_true(vd_modbus_value_number(&value, NAN) == tried[i]);
			}
		}
	}
}

static void a_number_that_does_not_fit_is_not_written(void **state)
{
	static const struct {
		enum vd_modbus_type type;
		double number;
	} table[] = { { VD_MODBUS_UINT16, 65536 },  { VD_MODBUS_UINT16, -1 },
		      { VD_MODBUS_INT16, 32768 },   { VD_MODBUS_INT16, -32769 },
		      { VD_MODBUS_BCD16, 10000 },   { VD_MODBUS_BCD16, -1 },
		      { VD_MODBUS_FLOAT32, 1e300 }, { VD_MODBUS_UINT64, 1e20 },
		      { VD_MODBUS_INT32, NAN } };
	uint16_t words[4];

	for (size_t i = 0; i < VD_COUNT(table); i++) {
		struct vd_modbus_format format =
			vd_modbus_format_plain(table[i].type, VD_MODBUS_ABCD);

		assert_int_equal(vd_modbus_encode(&format, table[i].number, words,
						  vd_modbus_format_words(&format)),
				 -ERANGE);
	}
}

static void expect_bad(enum vd_modbus_type type, const uint16_t *words, size_t count)
{
	struct vd_modbus_format format = vd_modbus_format_plain(type, VD_MODBUS_ABCD);
	struct vd_modbus_value value;
	const char *why = "";

	assert_int_equal(vd_modbus_decode(&format, words, count, &value, &why), -EBADMSG);
	assert_true(why[0] != '\0');
}

static void a_bcd_digit_above_nine_is_an_error(void **state)
{
	expect_bad(VD_MODBUS_BCD16, (const uint16_t[]){ 0x12A4 }, 1);
	expect_bad(VD_MODBUS_BCD16, (const uint16_t[]){ 0xF000 }, 1);
	expect_bad(VD_MODBUS_BCD32, (const uint16_t[]){ 0x1234, 0x567B }, 2);
	expect_bad(VD_MODBUS_BCD24, (const uint16_t[]){ 0x0100, 0 }, 2);
}

static void a_float_that_is_no_number_is_an_error(void **state)
{
	expect_bad(VD_MODBUS_FLOAT32, (const uint16_t[]){ 0x7F80, 0 }, 2);
	expect_bad(VD_MODBUS_FLOAT32, (const uint16_t[]){ 0x7FC0, 0 }, 2);
	expect_bad(VD_MODBUS_FLOAT64, (const uint16_t[]){ 0xFFF0, 0, 0, 0 }, 4);
}

static void a_wrong_count_of_registers_is_an_error(void **state)
{
	expect_bad(VD_MODBUS_UINT32, (const uint16_t[]){ 1 }, 1);
	expect_bad(VD_MODBUS_UINT16, (const uint16_t[]){ 1, 2 }, 2);
	expect_bad(VD_MODBUS_UINT16, NULL, 0);
}

static void integers_are_scaled_exactly(void **state)
{
	static const struct {
		double scale, offset;
		uint16_t words[4];
		const char *wanted;
	} table[] = {
		{ 1, 0, { 0x7FFF, 0xFFFF, 0xFFFF, 0xFFFF }, "9223372036854775807" },
		{ 10, -7, { 0x7FFF, 0xFFFF, 0xFFFF, 0xFFFF }, "92233720368547758063" },
		{ 0.1, 0, { 0, 0, 0, 70 }, "7" },
		{ -1, 0, { 0x8000, 0, 0, 0 }, "9223372036854775808" },
		{ 1e15, 0, { 0, 0, 0, 3 }, "3000000000000000" },
	};
	char text[48];

	for (size_t i = 0; i < VD_COUNT(table); i++) {
		struct vd_modbus_format format =
			vd_modbus_format_plain(VD_MODBUS_INT64, VD_MODBUS_ABCD);
		struct vd_modbus_value value;

		vd_modbus_format_scale(&format, table[i].scale, table[i].offset);
		value = decode(&format, table[i].words);
		assert_int_equal(value.kind, VD_MODBUS_INTEGER);
		assert_string_equal(vd_modbus_integer_text(value.integer, text), table[i].wanted);
	}
}

static void a_decimal_scale_leaves_no_binary_dust(void **state)
{
	struct vd_modbus_format format = vd_modbus_format_plain(VD_MODBUS_INT16, VD_MODBUS_ABCD);

	vd_modbus_format_scale(&format, 0.1, 0);
	for (int raw = -1000; raw <= 1000; raw++) {
		uint16_t word = (uint16_t)raw;
		struct vd_modbus_value value = decode(&format, &word);

		assert_true(vd_modbus_value_number(&value, NAN) == raw / 10.0);
	}
}

static void a_mask_keeps_its_bits_at_bit_zero(void **state)
{
	struct vd_modbus_format format = vd_modbus_format_plain(VD_MODBUS_UINT16, VD_MODBUS_ABCD);
	struct vd_modbus_value value;

	format.mask = 0x00F0;
	value = decode(&format, (const uint16_t[]){ 0xAB5C });
	assert_true(vd_modbus_value_number(&value, NAN) == 5);
	format.type = VD_MODBUS_BOOL;
	format.mask = 0x8000;
	value = decode(&format, (const uint16_t[]){ 0x7FFF });
	assert_false(value.flag);
	value = decode(&format, (const uint16_t[]){ 0x8000 });
	assert_true(value.flag);
}

static void a_value_is_limited_to_its_clamp(void **state)
{
	struct vd_modbus_format format = vd_modbus_format_plain(VD_MODBUS_INT16, VD_MODBUS_ABCD);
	struct vd_modbus_value value;

	format.clamp_low = 0;
	format.clamp_high = 100;
	value = decode(&format, (const uint16_t[]){ 0xFFFF });
	assert_true(vd_modbus_value_number(&value, NAN) == 0);
	value = decode(&format, (const uint16_t[]){ 101 });
	assert_true(vd_modbus_value_number(&value, NAN) == 100);
	value = decode(&format, (const uint16_t[]){ 100 });
	assert_int_equal(value.kind, VD_MODBUS_INTEGER);
}

static void a_text_ends_at_its_nul_and_loses_its_padding(void **state)
{
	struct vd_modbus_format format = vd_modbus_format_plain(VD_MODBUS_STRING, VD_MODBUS_ABCD);
	struct vd_modbus_value value;

	format.string_bytes = 4;
	value = decode(&format, (const uint16_t[]){ 0x4142, 0x4300 });
	assert_string_equal(value.text, "ABC");
	value = decode(&format, (const uint16_t[]){ 0x4120, 0x2020 });
	assert_string_equal(value.text, "A");
	format.order = VD_MODBUS_BADC;
	value = decode(&format, (const uint16_t[]){ 0x4241, 0x4443 });
	assert_string_equal(value.text, "ABCD");
	format.order = VD_MODBUS_CDAB;
	format.string_bytes = 3;
	value = decode(&format, (const uint16_t[]){ 0x41B0, 0x4358 });
	assert_string_equal(value.text, "A\xC2\xB0"
					"C");
}

VD_TEST_MAIN(cmocka_unit_test(every_type_is_read_in_every_order),
	     cmocka_unit_test(what_is_encoded_is_decoded_again),
	     cmocka_unit_test(a_number_that_does_not_fit_is_not_written),
	     cmocka_unit_test(a_bcd_digit_above_nine_is_an_error),
	     cmocka_unit_test(a_float_that_is_no_number_is_an_error),
	     cmocka_unit_test(a_wrong_count_of_registers_is_an_error),
	     cmocka_unit_test(integers_are_scaled_exactly),
	     cmocka_unit_test(a_decimal_scale_leaves_no_binary_dust),
	     cmocka_unit_test(a_mask_keeps_its_bits_at_bit_zero),
	     cmocka_unit_test(a_value_is_limited_to_its_clamp),
	     cmocka_unit_test(a_text_ends_at_its_nul_and_loses_its_padding))
