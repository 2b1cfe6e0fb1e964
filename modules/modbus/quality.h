/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stddef.h>
#include <stdint.h>

/* What a sample is worth, and what a device is, by names that travel in messages. */
enum vd_modbus_quality {
	VD_MODBUS_UNREAD, /* not read yet */
	VD_MODBUS_GOOD,
	VD_MODBUS_STALE,     /* an older value: newer reads failed, fewer than failAfter in a row */
	VD_MODBUS_TIMED_OUT, /* "timeout": no answer in time */
	VD_MODBUS_EXCEPTION, /* the device refused with a code */
	VD_MODBUS_BAD_ADDRESS,  /* the device has no such register */
	VD_MODBUS_BAD_REPLY,    /* "decode": what came is no value of this type, or no Modbus */
	VD_MODBUS_DISCONNECTED, /* no connection to the device */
};

const char *vd_modbus_quality_name(enum vd_modbus_quality quality);

/* What a device is, from the last read of each of its tags. */
enum vd_modbus_status { VD_MODBUS_UNKNOWN, VD_MODBUS_OK, VD_MODBUS_PARTIAL, VD_MODBUS_DEAD };

const char *vd_modbus_status_name(enum vd_modbus_status status);

/*
 * read counts the tags read or tried at least once, good those whose value stands (good, or
 * stale within what failAfter tolerates). Nothing tried yet is unknown, never ok; tags not yet
 * tried do not make a device partial.
 */
enum vd_modbus_status vd_modbus_status_of(size_t read, size_t good);
