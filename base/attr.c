/* SPDX-License-Identifier: Apache-2.0 */
#include "base/attr.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void vd_free_p(void *pointer_to_pointer)
{
	void *p;

	memcpy(&p, pointer_to_pointer, sizeof p);
	free(p);
	p = NULL;
	memcpy(pointer_to_pointer, &p, sizeof p);
}

void vd_close(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
}

void vd_close_p(int *fd)
{
	vd_close(fd);
}
