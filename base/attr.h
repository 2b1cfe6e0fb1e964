/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Attributes and two idioms used everywhere: cleanup at scope end, and taking a
 * pointer out of a variable so that the cleanup no longer frees it.
 */
#define VD_MUST               __attribute__((warn_unused_result))
#define VD_PRINTF(fmt, args)  __attribute__((format(printf, fmt, args)))
#define VD_UNUSED             __attribute__((unused))
#define VD_CLEANUP(free_fn)   __attribute__((cleanup(free_fn##_p)))
#define VD_COUNT(array)       (sizeof(array) / sizeof((array)[0]))
#define VD_CONTAINER(p, t, m) ((t *)(void *)((char *)(p) - __builtin_offsetof(t, m)))

/* For a `T *free_fn(T *)` that returns NULL: VD_CLEANUP(free_fn) T *p = NULL; */
#define VD_DEFINE_CLEANUP(type, free_fn)                                                           \
	VD_UNUSED static inline void free_fn##_p(type **p)                                         \
	{                                                                                          \
		*p = free_fn(*p);                                                                  \
	}

#define VD_TAKE(p)                                                                                 \
	__extension__({                                                                            \
		__typeof__(p) taken_ = (p);                                                        \
		(p) = NULL;                                                                        \
		taken_;                                                                            \
	})

/* Heap memory and file descriptors: VD_CLEANUP(vd_free) char *s = NULL; VD_CLEANUP(vd_close) int fd = -1; */
void vd_free_p(void *pointer_to_pointer);
void vd_close_p(int *fd);

/* Closes *fd if it is one and leaves -1. */
void vd_close(int *fd);
