/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

/*
 * Random twin documents from a seed: few keys, so that two of them meet in most; awkward ones
 * among them (empty, '/', '~', case, characters beyond the BMP).
 */
struct random_json {
	uint32_t state;
	bool with_nulls; /* as members of objects: a patch */
};

static inline uint32_t random_below(struct random_json *random, uint32_t bound)
{
	random->state ^= random->state << 13;
	random->state ^= random->state >> 17;
	random->state ^= random->state << 5;
	return random->state % bound;
}

static inline const char *random_key(struct random_json *random)
{
	static const char *const keys[] = { "a",
					    "b",
					    "c",
					    "A",
					    "",
					    "a/b",
					    "a~b",
					    "\xF0\x9F\x98\x80",
					    "\xEF\xBF\xBD",
					    "long-key-of-some-length",
					    "d",
					    "e" };

	return keys[random_below(random, VD_COUNT(keys))];
}

static inline cJSON *random_scalar(struct random_json *random)
{
	static const double numbers[] = {
		0, 1, -1, 0.1, 1.0000000000000002, 1e300, 5e-324, 4503599627370495
	};
	static const char *const texts[] = { "", "x", "X", "\xC3\xA9\n\"", "null" };

	switch (random_below(random, random->with_nulls ? 5 : 4)) {
	case 0:
		return cJSON_CreateNumber(numbers[random_below(random, VD_COUNT(numbers))]);
	case 1:
		return cJSON_CreateString(texts[random_below(random, VD_COUNT(texts))]);
	case 2:
		return cJSON_CreateBool((int)random_below(random, 2));
	case 3:
		return cJSON_CreateNumber(random_below(random, 1000));
	default:
		return cJSON_CreateNull();
	}
}

static inline cJSON *random_object(struct random_json *random, unsigned depth);

static inline cJSON *random_array(struct random_json *random, unsigned depth)
{
	struct random_json inside = { .state = random->state + 1 };
	cJSON *array = cJSON_CreateArray();

	for (uint32_t n = random_below(random, 4); n > 0; n--)
		cJSON_AddItemToArray(array, depth && random_below(random, 3) == 0
						    ? random_object(&inside, depth - 1)
						    : random_scalar(&inside));
	return array;
}

static inline cJSON *random_value(struct random_json *random, unsigned depth)
{
	uint32_t kind = depth ? random_below(random, 6) : 0;

	if (kind >= 4)
		return random_object(random, depth - 1);
	return kind == 3 ? random_array(random, depth - 1) : random_scalar(random);
}

static inline cJSON *random_object(struct random_json *random, unsigned depth)
{
	cJSON *object = cJSON_CreateObject();

	for (uint32_t n = random_below(random, 7); n > 0; n--) {
		const char *key = random_key(random);

		if (!vd_json_get(object, key))
			cJSON_AddItemToObject(object, key, random_value(random, depth));
	}
	return object;
}

/* Allocation failure by countdown, for what allocates through cJSON. */
static int allocations_left;

static inline void *limited_malloc(size_t size)
{
	return allocations_left > 0 && allocations_left-- ? malloc(size) : NULL;
}

static inline void limit_allocations(int count)
{
	cJSON_Hooks hooks = { .malloc_fn = limited_malloc, .free_fn = free };

	allocations_left = count;
	cJSON_InitHooks(&hooks);
}

static inline void unlimit_allocations(void)
{
	cJSON_InitHooks(NULL);
}
