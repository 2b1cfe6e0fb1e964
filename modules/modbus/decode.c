/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every type goes through one array of bytes, most significant first, and one 64-bit integer;
 * so a new byte order or width is one line of a table, and no type has a path of its own that
 * could forget the order (the seeds' UINT16 and INT16 did).
 */
#include "modules/modbus/decode.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PLACES = 18 };

enum family { FLAG, SIGNED, UNSIGNED, FLOAT, BCD, CHARS };

static const struct {
	const char *name;
	enum family family;
	unsigned words;
	unsigned digits; /* of BCD */
} types[] = {
	[VD_MODBUS_BOOL] = { "bool", FLAG, 1, 0 },
	[VD_MODBUS_INT16] = { "int16", SIGNED, 1, 0 },
	[VD_MODBUS_UINT16] = { "uint16", UNSIGNED, 1, 0 },
	[VD_MODBUS_INT32] = { "int32", SIGNED, 2, 0 },
	[VD_MODBUS_UINT32] = { "uint32", UNSIGNED, 2, 0 },
	[VD_MODBUS_INT48] = { "int48", SIGNED, 3, 0 },
	[VD_MODBUS_UINT48] = { "uint48", UNSIGNED, 3, 0 },
	[VD_MODBUS_INT64] = { "int64", SIGNED, 4, 0 },
	[VD_MODBUS_UINT64] = { "uint64", UNSIGNED, 4, 0 },
	[VD_MODBUS_FLOAT32] = { "float32", FLOAT, 2, 0 },
	[VD_MODBUS_FLOAT64] = { "float64", FLOAT, 4, 0 },
	[VD_MODBUS_BCD16] = { "bcd16", BCD, 1, 4 },
	[VD_MODBUS_BCD24] = { "bcd24", BCD, 2, 6 },
	[VD_MODBUS_BCD32] = { "bcd32", BCD, 2, 8 },
	[VD_MODBUS_STRING] = { "string", CHARS, 0, 0 },
};

static const struct {
	const char *name;
	bool words_reversed, bytes_swapped;
} orders[] = {
	[VD_MODBUS_ABCD] = { "ABCD", false, false },
	[VD_MODBUS_DCBA] = { "DCBA", true, true },
	[VD_MODBUS_BADC] = { "BADC", false, true },
	[VD_MODBUS_CDAB] = { "CDAB", true, false },
};

struct vd_modbus_format vd_modbus_format_plain(enum vd_modbus_type type, enum vd_modbus_order order)
{
	struct vd_modbus_format format = { .type = type,
					   .order = order,
					   .string_bytes = type == VD_MODBUS_STRING,
					   .clamp_low = -INFINITY,
					   .clamp_high = INFINITY };

	vd_modbus_format_scale(&format, 1, 0);
	return format;
}

void vd_modbus_format_scale(struct vd_modbus_format *format, double scale, double offset)
{
	format->scale = scale;
	format->offset = offset;
	format->is_exact = vd_decimal_from(scale, &format->exact_scale) == 0 &&
			   vd_decimal_from(offset, &format->exact_offset) == 0;
}

int vd_modbus_type_parse(const char *name, enum vd_modbus_type *ret_type)
{
	for (size_t i = 0; i < VD_COUNT(types); i++) {
		if (!strcmp(name, types[i].name)) {
			*ret_type = (enum vd_modbus_type)i;
			return 0;
		}
	}
	return -EINVAL;
}

int vd_modbus_order_parse(const char *name, enum vd_modbus_order *ret_order)
{
	for (size_t i = 0; i < VD_COUNT(orders); i++) {
		if (!strcmp(name, orders[i].name)) {
			*ret_order = (enum vd_modbus_order)i;
			return 0;
		}
	}
	return -EINVAL;
}

const char *vd_modbus_type_name(enum vd_modbus_type type)
{
	return types[type].name;
}

bool vd_modbus_type_is_integer(enum vd_modbus_type type)
{
	enum family family = types[type].family;

	return family == SIGNED || family == UNSIGNED || family == BCD;
}

size_t vd_modbus_format_words(const struct vd_modbus_format *format)
{
	return format->type == VD_MODBUS_STRING ? (format->string_bytes + 1) / 2
						: types[format->type].words;
}

static uint16_t swap_bytes(uint16_t word)
{
	return (uint16_t)(word << 8 | word >> 8);
}

/* At most four words to one integer, most significant first. */
static uint64_t join_words(const uint16_t *words, size_t count, enum vd_modbus_order order)
{
	uint64_t bits = 0;

	for (size_t i = 0; i < count; i++) {
		uint16_t word = words[orders[order].words_reversed ? count - 1 - i : i];

		bits = bits << 16 | (orders[order].bytes_swapped ? swap_bytes(word) : word);
	}
	return bits;
}

static void split_words(uint64_t bits, uint16_t *words, size_t count, enum vd_modbus_order order)
{
	for (size_t i = count; i-- > 0; bits >>= 16) {
		uint16_t word = (uint16_t)bits;

		words[orders[order].words_reversed ? count - 1 - i : i] =
			orders[order].bytes_swapped ? swap_bytes(word) : word;
	}
}

int vd_decimal_from(double number, struct vd_decimal *ret_decimal)
{
	char text[40], *point;
	long exponent;
	int64_t digits;

	if (!isfinite(number))
		return -ERANGE;
	for (int precision = 14; precision <= 16; precision++) {
		(void)snprintf(text, sizeof text, "%.*e", precision, number);
		if (strtod(text, NULL) == number) /* NOLINT: exactly that */
			break;
	}
	point = strchr(text, 'e');
	exponent = strtol(point + 1, NULL, 10);
	*point = '\0';
	point = strchr(text, '.');
	exponent -= (long)strlen(point + 1);
	memmove(point, point + 1, strlen(point));
	digits = strtoll(text, NULL, 10);
	for (; digits != 0 && digits % 10 == 0; exponent++)
		digits /= 10;
	if (digits == 0)
		exponent = 0;
	for (; exponent > 0; exponent--) {
		if (llabs(digits) > INT64_MAX / 10)
			return -ERANGE;
		digits *= 10;
	}
	if (exponent < -PLACES)
		return -ERANGE;
	*ret_decimal = (struct vd_decimal){ digits, (unsigned)-exponent };
	return 0;
}

static __int128 power_of_ten(unsigned places)
{
	__int128 power = 1;

	for (unsigned i = 0; i < places; i++)
		power *= 10;
	return power;
}

/* raw * scale + offset as (*ret_top / 10^*ret_places); false: it does not fit. */
static bool scale_exactly(const struct vd_modbus_format *format, __int128 raw, __int128 *ret_top,
			  unsigned *ret_places)
{
	struct vd_decimal a = format->exact_scale, b = format->exact_offset;
	unsigned places = a.places > b.places ? a.places : b.places;
	__int128 left, right;

	if (!format->is_exact || __builtin_mul_overflow(raw, (__int128)a.digits, &left) ||
	    __builtin_mul_overflow(left, power_of_ten(places - a.places), &left) ||
	    __builtin_mul_overflow((__int128)b.digits, power_of_ten(places - b.places), &right) ||
	    __builtin_add_overflow(left, right, ret_top))
		return false;
	*ret_places = places;
	return true;
}

static void set_integer(struct vd_modbus_value *value, __int128 integer)
{
	value->kind = VD_MODBUS_INTEGER;
	value->integer = integer;
}

static int set_number(struct vd_modbus_value *value, double number, const char **ret_why)
{
	if (!isfinite(number)) {
		*ret_why = "the number is not finite";
		return -EBADMSG;
	}
	value->kind = VD_MODBUS_NUMBER;
	value->number = number;
	return 0;
}

static int scale_integer(const struct vd_modbus_format *format, __int128 raw,
			 struct vd_modbus_value *value, const char **ret_why)
{
	__int128 top, power;
	unsigned places;

	if (format->scale == 1 && format->offset == 0) {
		set_integer(value, raw);
		return 0;
	}
	if (!scale_exactly(format, raw, &top, &places))
		return set_number(value, (double)raw * format->scale + format->offset, ret_why);
	power = power_of_ten(places);
	if (top % power != 0)
		return set_number(value, (double)top / (double)power, ret_why);
	set_integer(value, top / power);
	return 0;
}

static void clamp(const struct vd_modbus_format *format, struct vd_modbus_value *value)
{
	double number = vd_modbus_value_number(value, 0);

	if (number < format->clamp_low)
		*value = (struct vd_modbus_value){ VD_MODBUS_NUMBER, .number = format->clamp_low };
	else if (number > format->clamp_high)
		*value = (struct vd_modbus_value){ VD_MODBUS_NUMBER, .number = format->clamp_high };
}

static __int128 sign_extended(uint64_t bits, size_t words)
{
	__int128 integer = bits;

	if (bits >> (16 * words - 1) & 1)
		integer -= (__int128)1 << (16 * words);
	return integer;
}

static int read_bcd(uint64_t bits, unsigned digits, __int128 *ret_integer, const char **ret_why)
{
	__int128 integer = 0;

	if (digits < 16 && bits >> (4 * digits)) {
		*ret_why = "the byte above a BCD number is not 0";
		return -EBADMSG;
	}
	for (unsigned i = digits; i-- > 0;) {
		unsigned digit = (unsigned)(bits >> (4 * i)) & 0xF;

		if (digit > 9) {
			*ret_why = "a BCD digit is above 9";
			return -EBADMSG;
		}
		integer = integer * 10 + (__int128)digit;
	}
	*ret_integer = integer;
	return 0;
}

static int decode_integer(const struct vd_modbus_format *format, uint64_t bits,
			  struct vd_modbus_value *value, const char **ret_why)
{
	__int128 integer = bits;
	int r = 0;

	if (types[format->type].family == BCD)
		r = read_bcd(bits, types[format->type].digits, &integer, ret_why);
	else if (format->mask)
		integer = (bits & format->mask) >> __builtin_ctzll(format->mask);
	else if (types[format->type].family == SIGNED)
		integer = sign_extended(bits, types[format->type].words);
	return r < 0 ? r : scale_integer(format, integer, value, ret_why);
}

static double float_of(uint64_t bits, size_t words)
{
	uint32_t half = (uint32_t)bits;
	double number;
	float single;

	if (words == 2) {
		memcpy(&single, &half, sizeof single);
		return (double)single;
	}
	memcpy(&number, &bits, sizeof number);
	return number;
}

/* Up to NUL, spaces at the end cut; a byte above 127 is Latin-1, so that the text is UTF-8. */
static void decode_text(const struct vd_modbus_format *format, const uint16_t *words,
			struct vd_modbus_value *value)
{
	bool swapped = orders[format->order].bytes_swapped;
	size_t used = 0, kept = 0;

	value->kind = VD_MODBUS_CHARS;
	for (size_t i = 0; i < format->string_bytes; i++) {
		bool high = (i % 2 == 0) != swapped;
		unsigned char c = (unsigned char)(high ? words[i / 2] >> 8 : words[i / 2] & 0xFF);

		if (c == 0)
			break;
		if (c > 127)
			value->text[used++] = (char)(0xC0 | c >> 6);
		value->text[used++] = (char)(c > 127 ? 0x80 | (c & 0x3F) : c);
		if (c != ' ')
			kept = used;
	}
	value->text[kept] = '\0';
}

int vd_modbus_decode(const struct vd_modbus_format *format, const uint16_t *words, size_t count,
		     struct vd_modbus_value *ret_value, const char **ret_why)
{
	uint64_t bits;
	int r = 0;

	*ret_why = "";
	if (count != vd_modbus_format_words(format) || count == 0 || count > VD_MODBUS_WORDS) {
		*ret_why = "the count of registers does not fit the type";
		return -EBADMSG;
	}
	if (format->type == VD_MODBUS_STRING) {
		decode_text(format, words, ret_value);
		return 0;
	}
	bits = join_words(words, count, format->order);
	if (format->type == VD_MODBUS_BOOL) {
		vd_modbus_decode_bit(bits & (format->mask ? format->mask : UINT64_MAX), ret_value);
		return 0;
	}
	if (types[format->type].family == FLOAT)
		r = set_number(ret_value, float_of(bits, count) * format->scale + format->offset,
			       ret_why);
	else
		r = decode_integer(format, bits, ret_value, ret_why);
	if (r == 0)
		clamp(format, ret_value);
	return r;
}

void vd_modbus_decode_bit(bool bit, struct vd_modbus_value *ret_value)
{
	ret_value->kind = VD_MODBUS_FLAG;
	ret_value->flag = bit;
}

static int encode_integer(enum vd_modbus_type type, double number, uint64_t *ret_bits)
{
	unsigned width = 16 * types[type].words;
	bool is_signed = types[type].family == SIGNED;
	double low = is_signed ? -ldexp(1, (int)width - 1) : 0;
	double above = ldexp(1, (int)width - (is_signed ? 1 : 0));

	number = round(number);
	if (number < low || number >= above)
		return -ERANGE;
	*ret_bits = number < 0 ? (uint64_t)(int64_t)number : (uint64_t)number;
	return 0;
}

static int encode_bcd(unsigned digits, double number, uint64_t *ret_bits)
{
	uint64_t left, bits = 0;

	number = round(number);
	if (number < 0 || number >= pow(10, digits))
		return -ERANGE;
	left = (uint64_t)number;
	for (unsigned i = 0; i < digits; i++, left /= 10)
		bits |= left % 10 << (4 * i);
	*ret_bits = bits;
	return 0;
}

static int encode_float(size_t words, double number, uint64_t *ret_bits)
{
	float single = (float)number;
	uint32_t half;

	if (words == 2 && !isfinite(single))
		return -ERANGE;
	memcpy(&half, &single, sizeof half);
	memcpy(ret_bits, &number, sizeof number);
	if (words == 2)
		*ret_bits = half;
	return 0;
}

int vd_modbus_encode(const struct vd_modbus_format *format, double number, uint16_t *words,
		     size_t count)
{
	enum family family = types[format->type].family;
	uint64_t bits = 0;
	int r = 0;

	if (family == CHARS || count != vd_modbus_format_words(format))
		return -EINVAL;
	if (family != FLAG)
		number = (number - format->offset) / format->scale;
	if (!isfinite(number))
		return -ERANGE;
	if (family == FLAG)
		bits = number != 0 ? (format->mask ? format->mask : 1) : 0;
	else if (family == FLOAT)
		r = encode_float(count, number, &bits);
	else if (family == BCD)
		r = encode_bcd(types[format->type].digits, number, &bits);
	else
		r = encode_integer(format->type, number, &bits);
	if (r == 0)
		split_words(bits, words, count, format->order);
	return r;
}

double vd_modbus_value_number(const struct vd_modbus_value *value, double fallback)
{
	switch (value->kind) {
	case VD_MODBUS_FLAG:
		return value->flag;
	case VD_MODBUS_INTEGER:
		return (double)value->integer;
	case VD_MODBUS_NUMBER:
		return value->number;
	case VD_MODBUS_NONE:
	case VD_MODBUS_CHARS:
		break;
	}
	return fallback;
}

void vd_modbus_value_copy(struct vd_modbus_value *to, const struct vd_modbus_value *from)
{
	to->kind = from->kind;
	if (from->kind == VD_MODBUS_CHARS)
		memcpy(to->text, from->text, strlen(from->text) + 1);
	else if (from->kind == VD_MODBUS_FLAG)
		to->flag = from->flag;
	else if (from->kind == VD_MODBUS_NUMBER)
		to->number = from->number;
	else if (from->kind == VD_MODBUS_INTEGER)
		to->integer = from->integer;
}

const char *vd_modbus_integer_text(__int128 integer, char text[static 48])
{
	unsigned __int128 left =
		integer < 0 ? -(unsigned __int128)integer : (unsigned __int128)integer;
	char digits[40];
	size_t n = 0, used = 0;

	do {
		digits[n++] = (char)('0' + (int)(left % 10));
		left /= 10;
	} while (left);
	if (integer < 0)
		text[used++] = '-';
	while (n > 0)
		text[used++] = digits[--n];
	text[used] = '\0';
	return text;
}
