/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/fault.h"

/*
 * Aravis, loaded when the first camera needs it: neither it nor the glib that it stands on is
 * wanted to build, and a device without such a camera pays nothing. What is named here is part
 * of what libaravis-0.8.so.0 promises to keep; tests/unit compares it with Aravis's own headers
 * where they are installed. The library is never unloaded.
 */
struct _ArvCamera;
struct _ArvStream;
struct _ArvBuffer;

#ifndef VD_WITH_GLIB /* whose header says the same */
struct _GError {
	uint32_t domain;
	int code;
	char *message;
};
#endif

enum { VD_ARAVIS_BUFFER_DONE = 3, VD_ARAVIS_SUCCESS = 0, VD_ARAVIS_IMAGE = 1 };

#define VD_ARAVIS_FUNCTIONS(F)                                                                     \
	F(void, update_device_list, (void))                                                        \
	F(unsigned, get_n_devices, (void))                                                         \
	F(const char *, get_device_id, (unsigned))                                                 \
	F(const char *, get_device_serial_nbr, (unsigned))                                         \
	F(const char *, get_device_address, (unsigned))                                            \
	F(struct _ArvCamera *, camera_new, (const char *, struct _GError **))                      \
	F(struct _ArvStream *, camera_create_stream,                                               \
	  (struct _ArvCamera *, void (*)(void *, unsigned, struct _ArvBuffer *), void *,           \
	   struct _GError **))                                                                     \
	F(const char *, camera_get_vendor_name, (struct _ArvCamera *, struct _GError **))          \
	F(const char *, camera_get_model_name, (struct _ArvCamera *, struct _GError **))           \
	F(void, camera_get_sensor_size, (struct _ArvCamera *, int *, int *, struct _GError **))    \
	F(void, camera_set_region, (struct _ArvCamera *, int, int, int, int, struct _GError **))   \
	F(void, camera_get_region,                                                                 \
	  (struct _ArvCamera *, int *, int *, int *, int *, struct _GError **))                    \
	F(const char *, camera_get_pixel_format_as_string,                                         \
	  (struct _ArvCamera *, struct _GError **))                                                \
	F(const char **, camera_dup_available_pixel_formats_as_strings,                            \
	  (struct _ArvCamera *, unsigned *, struct _GError **))                                    \
	F(void, camera_start_acquisition, (struct _ArvCamera *, struct _GError **))                \
	F(void, camera_stop_acquisition, (struct _ArvCamera *, struct _GError **))                 \
	F(int, camera_is_frame_rate_available, (struct _ArvCamera *, struct _GError **))           \
	F(void, camera_set_frame_rate, (struct _ArvCamera *, double, struct _GError **))           \
	F(double, camera_get_frame_rate, (struct _ArvCamera *, struct _GError **))                 \
	F(void, camera_get_frame_rate_bounds,                                                      \
	  (struct _ArvCamera *, double *, double *, struct _GError **))                            \
	F(void, camera_set_trigger, (struct _ArvCamera *, const char *, struct _GError **))        \
	F(void, camera_clear_triggers, (struct _ArvCamera *, struct _GError **))                   \
	F(void, camera_software_trigger, (struct _ArvCamera *, struct _GError **))                 \
	F(int, camera_is_exposure_auto_available, (struct _ArvCamera *, struct _GError **))        \
	F(void, camera_set_exposure_time_auto, (struct _ArvCamera *, unsigned, struct _GError **)) \
	F(void, camera_set_exposure_time, (struct _ArvCamera *, double, struct _GError **))        \
	F(double, camera_get_exposure_time, (struct _ArvCamera *, struct _GError **))              \
	F(int, camera_is_gain_auto_available, (struct _ArvCamera *, struct _GError **))            \
	F(void, camera_set_gain_auto, (struct _ArvCamera *, unsigned, struct _GError **))          \
	F(void, camera_set_gain, (struct _ArvCamera *, double, struct _GError **))                 \
	F(double, camera_get_gain, (struct _ArvCamera *, struct _GError **))                       \
	F(unsigned, camera_get_payload, (struct _ArvCamera *, struct _GError **))                  \
	F(void, camera_set_boolean, (struct _ArvCamera *, const char *, int, struct _GError **))   \
	F(int, camera_get_boolean, (struct _ArvCamera *, const char *, struct _GError **))         \
	F(void, camera_set_string,                                                                 \
	  (struct _ArvCamera *, const char *, const char *, struct _GError **))                    \
	F(const char *, camera_get_string, (struct _ArvCamera *, const char *, struct _GError **)) \
	F(void, camera_set_integer,                                                                \
	  (struct _ArvCamera *, const char *, int64_t, struct _GError **))                         \
	F(int64_t, camera_get_integer, (struct _ArvCamera *, const char *, struct _GError **))     \
	F(void, camera_set_float, (struct _ArvCamera *, const char *, double, struct _GError **))  \
	F(double, camera_get_float, (struct _ArvCamera *, const char *, struct _GError **))        \
	F(void, stream_push_buffer, (struct _ArvStream *, struct _ArvBuffer *))                    \
	F(struct _ArvBuffer *, stream_try_pop_buffer, (struct _ArvStream *))                       \
	F(struct _ArvBuffer *, buffer_new, (size_t, void *))                                       \
	F(int, buffer_get_status, (struct _ArvBuffer *))                                           \
	F(int, buffer_get_payload_type, (struct _ArvBuffer *))                                     \
	F(uint64_t, buffer_get_frame_id, (struct _ArvBuffer *))                                    \
	F(uint64_t, buffer_get_system_timestamp, (struct _ArvBuffer *))                            \
	F(const void *, buffer_get_data, (struct _ArvBuffer *, size_t *))                          \
	F(uint32_t, buffer_get_image_pixel_format, (struct _ArvBuffer *))                          \
	F(int, buffer_get_image_width, (struct _ArvBuffer *))                                      \
	F(int, buffer_get_image_height, (struct _ArvBuffer *))

#define VD_ARAVIS_POINTER(result, name, arguments) result(*name) arguments;
struct vd_aravis {
	VD_ARAVIS_FUNCTIONS(VD_ARAVIS_POINTER) /* arv_NAME */
	void (*object_unref)(void *object);    /* of gobject */
	void (*error_free)(struct _GError *error);
	void (*free)(void *memory); /* of glib */
};

/* Of the worker's thread. -ENOSYS: it is not installed, and fault says what is missing. */
VD_MUST int vd_aravis_load(const struct vd_aravis **ret_aravis, struct vd_fault *fault);
