/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

/*
 * Registers to values and back; pure. Registers are host integers as libmodbus gives them.
 * The byte orders are named by where the bytes of the number 0xAABBCCDD stand on the wire:
 * ABCD big-endian, CDAB low word first, BADC bytes swapped in each word, DCBA little-endian.
 * Wider types follow: CDAB reverses all words, BADC swaps in each, DCBA does both. A text
 * knows only the swap of bytes.
 *
 * Integers stay integers: scale and offset are decimal fractions as written (0.1 is 1/10),
 * so that a counter is never rounded on its way through a binary fraction.
 */
enum vd_modbus_type {
	VD_MODBUS_BOOL,
	VD_MODBUS_INT16,
	VD_MODBUS_UINT16,
	VD_MODBUS_INT32,
	VD_MODBUS_UINT32,
	VD_MODBUS_INT48,
	VD_MODBUS_UINT48,
	VD_MODBUS_INT64,
	VD_MODBUS_UINT64,
	VD_MODBUS_FLOAT32,
	VD_MODBUS_FLOAT64,
	VD_MODBUS_BCD16, /* 4 digits in one register */
	VD_MODBUS_BCD24, /* 6 digits in two registers, the highest byte 0 */
	VD_MODBUS_BCD32, /* 8 digits in two registers */
	VD_MODBUS_STRING,
};

enum vd_modbus_order { VD_MODBUS_ABCD, VD_MODBUS_DCBA, VD_MODBUS_BADC, VD_MODBUS_CDAB };

enum {
	VD_MODBUS_WORDS = 125,                           /* the most one read brings */
	VD_MODBUS_STRING_BYTES = 2 * VD_MODBUS_WORDS,    /* the longest text */
	VD_MODBUS_TEXT = 2 * VD_MODBUS_STRING_BYTES + 1, /* as UTF-8, with its NUL */
};

/* digits / 10^places */
struct vd_decimal {
	int64_t digits;
	unsigned places;
};

struct vd_modbus_format {
	enum vd_modbus_type type;
	enum vd_modbus_order order;
	size_t string_bytes; /* of a string: 1 to VD_MODBUS_STRING_BYTES */
	uint64_t mask;       /* 0: none. Integer types: the bits kept, then shifted down to bit 0 */
	double scale, offset; /* value = raw * scale + offset; set by vd_modbus_format_scale */
	struct vd_decimal exact_scale, exact_offset;
	bool is_exact;
	double clamp_low, clamp_high; /* -INFINITY, INFINITY: none */
};

/* A format of one type that neither masks, scales nor clamps. */
struct vd_modbus_format vd_modbus_format_plain(enum vd_modbus_type type,
					       enum vd_modbus_order order);

/* scale must not be 0. What has no short decimal fraction is reckoned in binary. */
void vd_modbus_format_scale(struct vd_modbus_format *format, double scale, double offset);

enum vd_modbus_kind {
	VD_MODBUS_NONE,
	VD_MODBUS_FLAG,
	VD_MODBUS_INTEGER,
	VD_MODBUS_NUMBER,
	VD_MODBUS_CHARS
};

struct vd_modbus_value {
	enum vd_modbus_kind kind;
	union {
		bool flag;
		__int128 integer;
		double number; /* finite */
		char text[VD_MODBUS_TEXT];
	};
};

/* Names as in the parameters: "uint16", "CDAB". -EINVAL. */
VD_MUST int vd_modbus_type_parse(const char *name, enum vd_modbus_type *ret_type);
VD_MUST int vd_modbus_order_parse(const char *name, enum vd_modbus_order *ret_order);
const char *vd_modbus_type_name(enum vd_modbus_type type);
bool vd_modbus_type_is_integer(enum vd_modbus_type type); /* BCD included */

/* Registers that a value takes; a bool takes one. */
size_t vd_modbus_format_words(const struct vd_modbus_format *format);

/*
 * Reads a value, masked, scaled and clamped. Why not, in *ret_why (a constant text), and
 * -EBADMSG: a BCD digit above 9, an infinite or undefined float, a count of words that does not fit.
 */
VD_MUST int vd_modbus_decode(const struct vd_modbus_format *format, const uint16_t *words,
			     size_t count, struct vd_modbus_value *ret_value, const char **ret_why);

/* As vd_modbus_decode for one coil or discrete input. */
void vd_modbus_decode_bit(bool bit, struct vd_modbus_value *ret_value);

/*
 * Writes number in the format's type and order, scale and offset undone; count is
 * vd_modbus_format_words. -ERANGE: the type cannot hold it; -EINVAL: a string.
 */
VD_MUST int vd_modbus_encode(const struct vd_modbus_format *format, double number, uint16_t *words,
			     size_t count);

/* The double nearest to an integer or a number; a flag is 0 or 1; else fallback. */
double vd_modbus_value_number(const struct vd_modbus_value *value, double fallback);

/* Copies what the kind needs, which is little but for a text. */
void vd_modbus_value_copy(struct vd_modbus_value *to, const struct vd_modbus_value *from);

/* Decimal digits of an integer; text holds 48 bytes; returns text. */
const char *vd_modbus_integer_text(__int128 integer, char text[static 48]);

/* The shortest decimal fraction that reads back as number. -ERANGE: not within 18 places and 18 digits. */
VD_MUST int vd_decimal_from(double number, struct vd_decimal *ret_decimal);
