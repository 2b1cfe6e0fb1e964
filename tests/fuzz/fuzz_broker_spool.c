/* SPDX-License-Identifier: Apache-2.0 */
/* A segment file as a sick disk may leave it: read whole, twice, with the same outcome. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/attr.h"
#include "twin/broker/spool.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_file(const char *path, const uint8_t *data, size_t size)
{
	FILE *f = fopen(path, "wbe");

	if (!f)
		abort();
	if (size && fwrite(data, 1, size, f) != size)
		abort();
	(void)fclose(f);
}

static unsigned read_all(const char *folder)
{
	VD_CLEANUP(vd_spool_reader_free) struct vd_spool_reader *reader = NULL;
	struct vd_spool_position at = { 0 }, after;
	struct vd_spool_record record;
	unsigned count = 0;

	if (vd_spool_reader_new(folder, at, &reader) < 0)
		abort();
	while (vd_spool_next(reader, &record, &after) == 0) {
		if (after.segment < at.segment ||
		    (after.segment == at.segment && after.offset <= at.offset))
			abort();
		if (strlen(record.identity) > VD_SPOOL_IDENTITY_MAX)
			abort();
		at = after;
		count++;
	}
	return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char folder[] = "/tmp/vd-fuzz-spool-XXXXXX", path[64], newer[64];

	if (!mkdtemp(folder))
		abort();
	(void)snprintf(path, sizeof path, "%s/0000000000000001.spool", folder);
	(void)snprintf(newer, sizeof newer, "%s/0000000000000002.spool", folder);
	write_file(path, data, size);
	unsigned live = read_all(folder);
	write_file(newer, NULL, 0);
	if (read_all(folder) < live)
		abort();
	(void)unlink(newer);
	(void)unlink(path);
	return rmdir(folder) < 0 ? -1 : 0;
}
