/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "agent/upload/offer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vd_offer offer;
	char reason[64];

	vd_answer_reason((const char *)data, size, reason, sizeof reason);
	if (strlen(reason) >= sizeof reason || strpbrk(reason, "\n\""))
		__builtin_trap();
	if (vd_offer_read((const char *)data, size, &offer, NULL) < 0)
		return 0;
	if (offer.address[0] != '/' || strpbrk(offer.address, " \r\n#\"") ||
	    strpbrk(offer.host, "/@: \r\n"))
		__builtin_trap();
	return 0;
}
