/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>

#include "base/sas.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char key[] = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
	struct vd_fault fault = { 0 };
	struct vd_sas sas;

	if (vd_sas_parse((const char *)data, size, &sas, &fault) < 0) {
		assert(fault.code == 401);
		return 0;
	}
	if (vd_sas_verify(&sas, key, "hub.example/devices/d1", 1700000000, &fault) < 0)
		assert(fault.code == 401 && *fault.text);
	return 0;
}
