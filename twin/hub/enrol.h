/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdint.h>

#include "base/fault.h"
#include "base/json.h"
#include "twin/hub/ca.h"
#include "twin/hub/devices.h"
#include "twin/hub/store/trust.h"

/*
 * How a device gets, renews and loses the certificate that it connects with. A device proves
 * itself once by a token that an operator made, and from then on by its certificate; its key is
 * made on the device and never seen here.
 *
 * The identity's two thumbprints are the certificates that the broker lets in: the newest, and
 * the one it was renewed with. Calls return 0, an enum vd_refusal with its text in fault, or
 * -errno.
 */
struct vd_enrol;
struct vd_enrol_settings {
	const char *host_name; /* borrowed for its life */
	int certificate_days;
};

/* store, devices and ca are borrowed. */
VD_MUST int vd_enrol_new(struct vd_store *store, struct vd_devices *devices, const struct vd_ca *ca,
			 const struct vd_enrol_settings *settings, struct vd_enrol **ret_enrol);
struct vd_enrol *vd_enrol_free(struct vd_enrol *enrol);
VD_DEFINE_CLEANUP(struct vd_enrol, vd_enrol_free)

/*
 * Makes a token: {"deviceId"?, "expiresInS"?, "tags"?}. The answer has "token", which is
 * shown this once; the store keeps a digest of it.
 */
VD_MUST int vd_enrol_create(struct vd_enrol *enrol, const cJSON *body, const char *author,
			    int64_t now_ms, cJSON **ret_json, struct vd_fault *fault);

/*
 * {"token","csr"}: makes the identity and its first certificate, and uses the token up, all in
 * one transaction. The same token with the same key again gives the same certificate, for a
 * device that did not get the answer; with another key it is refused.
 */
VD_MUST int vd_enrol_use(struct vd_enrol *enrol, const cJSON *body, int64_t now_ms,
			 cJSON **ret_json, struct vd_fault *fault);

/* {"csr"} from a device that presented certificate (PEM): the next one. */
VD_MUST int vd_enrol_renew(struct vd_enrol *enrol, const char *certificate, const cJSON *body,
			   int64_t now_ms, cJSON **ret_json, struct vd_fault *fault);

/*
 * May the device do what it does with this certificate (PEM, percent-encoded as the front sends it)?
 * Its key was checked by the front.
 */
VD_MUST int vd_enrol_check(struct vd_enrol *enrol, const char *certificate,
			   const struct vd_name *name, int64_t now_ms, struct vd_fault *fault);

/*
 * {"serial"?, "reason"?}: revokes one certificate of a device, or all that it has, known here
 * or not. What is revoked is out at once: its connection ends, and it does not come in again.
 */
VD_MUST int vd_enrol_revoke(struct vd_enrol *enrol, const struct vd_name *name, const cJSON *body,
			    int64_t now_ms, struct vd_fault *fault);

/* Shapes of the API; NULL: no memory. */
cJSON *vd_enrolment_json(const struct vd_enrolment *enrolment, int64_t now_ms);
cJSON *vd_certificate_json(const struct vd_certificate_row *row, int64_t now_ms);
