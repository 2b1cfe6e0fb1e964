/* SPDX-License-Identifier: Apache-2.0 */
/* Files of keys and signatures: whoever uploads a package brings one. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/signature.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vd_public_key key = { 0 }, again;
	const struct vd_public_key *found = NULL;
	struct vd_private_key *private = NULL;
	struct vd_buf line = { 0 };

	if (vd_public_key_read((const char *)data, size, &key, NULL) == 0 &&
	    (vd_public_key_write(&key, &line) < 0 ||
	     vd_public_key_read(line.data, line.len, &again, NULL) < 0 ||
	     memcmp(&key, &again, sizeof key) != 0))
		abort();
	(void)!vd_signature_check((const char *)data, size, &key, 1, "x", 1, &found, NULL);
	(void)!vd_private_key_read((const char *)data, size, "p", &private, NULL);
	(void)vd_private_key_free(private);
	vd_buf_fini(&line);
	return 0;
}
