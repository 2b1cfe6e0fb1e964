/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a fuzz target without libFuzzer: every file of a corpus folder, and of each a few
 * hundred mutations by a fixed generator, so that the plain test run exercises every parser.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FILE_BYTES = 1 << 20, MUTATIONS = 300 };

static uint32_t next_random(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

/* The copy has exactly size bytes, so that ASan sees a read past its end. */
static void run_one(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);

	if (!copy)
		abort();
	if (size)
		memcpy(copy, data, size);
	(void)LLVMFuzzerTestOneInput(copy, size);
	free(copy);
}

static void run_mutations(const uint8_t *data, size_t size)
{
	uint8_t *work = malloc(size + 1);
	uint32_t random = 2463534242U;

	if (!work)
		abort();
	for (int i = 0; size && i < MUTATIONS; i++) {
		size_t length = size;

		memcpy(work, data, size);
		for (uint32_t n = next_random(&random) % 4; n > 0; n--)
			work[next_random(&random) % size] = (uint8_t)next_random(&random);
		if (i % 3 == 0)
			length = next_random(&random) % (size + 1);
		run_one(work, length);
	}
	free(work);
}

static int run_file(const char *path)
{
	static uint8_t data[FILE_BYTES];
	FILE *f = fopen(path, "rbe");
	size_t n;

	if (!f)
		return -1;
	n = fread(data, 1, sizeof data, f);
	(void)fclose(f);
	run_one(data, n);
	run_mutations(data, n);
	return 0;
}

int main(int argc, char **argv)
{
	struct dirent *entry;
	int count = 0;
	DIR *folder = argc == 2 ? opendir(argv[1]) : NULL;

	if (!folder) {
		(void)fprintf(stderr, "usage: %s CORPUS-FOLDER\n", argv[0]);
		return 2;
	}
	run_one((const uint8_t *)"", 0);
	while ((entry = readdir(folder))) {
		char path[4096];

		(void)snprintf(path, sizeof path, "%s/%s", argv[1], entry->d_name);
		if (entry->d_name[0] != '.' && run_file(path) == 0)
			count++;
	}
	(void)closedir(folder);
	(void)printf("%d files of the corpus, %d mutations of each\n", count, MUTATIONS);
	return count > 0 ? 0 : 1;
}
