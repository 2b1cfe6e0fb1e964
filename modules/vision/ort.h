/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stddef.h>
#include <stdint.h>

/*
 * Private to onnx.c: what it uses of ONNX Runtime's binary interface. The library exports
 * OrtGetApiBase; that gives a table of functions for a version of the interface, to which later
 * versions only append. These are the places in the table and the numbers, nothing else; a status
 * that is returned is NULL for success, and is released.
 */
enum { ORT_INTERFACE = 17 };

struct ort_base {
	const void *const *(*interface)(uint32_t version);
	const char *(*version)(void);
};

enum ort_place {
	ORT_ERROR_MESSAGE = 2,
	ORT_CREATE_ENV = 3,
	ORT_CREATE_SESSION_FROM_ARRAY = 8,
	ORT_RUN = 9,
	ORT_CREATE_SESSION_OPTIONS = 10,
	ORT_SET_INTRA_THREADS = 24,
	ORT_SET_INTER_THREADS = 25,
	ORT_SESSION_INPUT_COUNT = 30,
	ORT_SESSION_OUTPUT_COUNT = 31,
	ORT_SESSION_INPUT_NAME = 36,
	ORT_SESSION_OUTPUT_NAME = 37,
	ORT_CREATE_RUN_OPTIONS = 39,
	ORT_RUN_SET_TERMINATE = 46,
	ORT_RUN_UNSET_TERMINATE = 47,
	ORT_CREATE_TENSOR_WITH_DATA = 49,
	ORT_IS_TENSOR = 50,
	ORT_TENSOR_DATA = 51,
	ORT_TENSOR_ELEMENT_TYPE = 60,
	ORT_DIMENSIONS_COUNT = 61,
	ORT_DIMENSIONS = 62,
	ORT_TENSOR_TYPE_AND_SHAPE = 65,
	ORT_CREATE_CPU_MEMORY_INFO = 69,
	ORT_ALLOCATOR_FREE = 76,
	ORT_DEFAULT_ALLOCATOR = 78,
	ORT_RELEASE_STATUS = 93,
	ORT_RELEASE_MEMORY_INFO = 94,
	ORT_RELEASE_SESSION = 95,
	ORT_RELEASE_VALUE = 96,
	ORT_RELEASE_RUN_OPTIONS = 97,
	ORT_RELEASE_SHAPE = 99,
	ORT_RELEASE_SESSION_OPTIONS = 100,
};

enum { ORT_LOG_ERROR = 3, ORT_ARENA = 1, ORT_MEMORY_DEFAULT = 0 };

enum ort_element {
	ORT_FLOAT = 1,
	ORT_UINT8 = 2,
	ORT_INT32 = 6,
	ORT_INT64 = 7,
	ORT_DOUBLE = 11,
};
