/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stddef.h>

#include "base/fault.h"
#include "base/json.h"
#include "base/loop.h"
#include "twin/hub/call.h"
#include "twin/hub/store/store.h"

/*
 * Direct methods: a REST call that waits for a device's answer. One answer a request; what
 * comes later is dropped. Once a method may have reached its device it ends in 200 or 504, never
 * in a status that a client would try again.
 */
struct vd_methods;

/* Sends a request to the device; false: the broker is away and it was not sent. */
typedef bool (*vd_method_send_fn)(const struct vd_name *name, const char *method, const char *rid,
				  const char *payload, void *argument);

VD_MUST int vd_methods_new(struct vd_loop *loop, vd_method_send_fn send, void *argument,
			   struct vd_methods **ret_methods);
/* Answers what is pending with 504. */
struct vd_methods *vd_methods_free(struct vd_methods *methods);
VD_DEFINE_CLEANUP(struct vd_methods, vd_methods_free)

/* A request as REST brings it, checked and taken apart. */
struct vd_method_request {
	const char *name;     /* of the method */
	const cJSON *payload; /* NULL: null */
	int response_s, connect_s;
};
/* VD_REFUSED_ARGUMENT, VD_REFUSED_TOO_LARGE with the pointer in fault. */
VD_MUST int vd_method_request_read(const cJSON *body, struct vd_method_request *ret_request,
				   struct vd_fault *fault);

/*
 * 0: the exchange was kept and will be answered. VD_REFUSED_NOT_ONLINE at once if the device is
 * not there and the request does not wait for it; other refusals; -errno.
 */
VD_MUST int vd_methods_invoke(struct vd_methods *methods, const struct vd_device *device,
			      const cJSON *body, struct vd_exchange *exchange,
			      struct vd_fault *fault);

/* As vd_methods_invoke, for the hub itself: done is told the reply, once, if this returns 0. */
typedef void (*vd_method_done_fn)(const struct vd_reply *reply, void *argument);
VD_MUST int vd_methods_call(struct vd_methods *methods, const struct vd_device *device,
			    const cJSON *body, vd_method_done_fn done, void *argument,
			    struct vd_fault *fault);

/* The device is connected and listens for methods: sends what waited for it. */
void vd_methods_online(struct vd_methods *methods, const struct vd_name *name);

/* The device's answer; payload "" is null. */
void vd_methods_answer(struct vd_methods *methods, const struct vd_name *name, const char *rid,
		       int status, const char *payload, size_t len);
