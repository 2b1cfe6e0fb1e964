/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/buf.h"
#include "modules/image/image.h"
#include "vd_test.h"

/* Codes made by other programs than those that read them. */
extern char **environ;

/* What a program prints; false: it is not there or fails. */
static inline bool program_run(char *const argv[], struct vd_buf *out)
{
	posix_spawn_file_actions_t actions;
	int ends[2], status;
	char bytes[4096];
	ssize_t n;
	pid_t pid;
	int r;

	if (pipe(ends) < 0)
		abort();
	(void)posix_spawn_file_actions_init(&actions);
	(void)posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
	(void)posix_spawn_file_actions_addclose(&actions, ends[0]);
	r = posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ);
	(void)posix_spawn_file_actions_destroy(&actions);
	(void)close(ends[1]);
	while (r == 0 && (n = read(ends[0], bytes, sizeof bytes)) > 0) {
		if (vd_buf_append(out, bytes, (size_t)n) < 0)
			abort();
	}
	(void)close(ends[0]);
	return r == 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
	       WEXITSTATUS(status) == 0;
}

/* By qrencode, which prints two signs a module; false, and says so: it is not installed. */
static inline bool qr_make(const char *text, int scale, struct vd_image *out)
{
	char *const argv[] = {
		(char *)"qrencode", (char *)"-t", (char *)"ASCII", (char *)"-o", (char *)"-",
		(char *)text,       NULL
	};
	VD_CLEANUP(vd_buf_fini) struct vd_buf lines = { 0 };
	size_t wide;
	int side;

	if (!program_run(argv, &lines)) {
		print_message("qrencode is not installed: skipped\n");
		return false;
	}
	wide = (size_t)((const char *)memchr(lines.data, '\n', lines.len) - lines.data);
	side = (int)wide / 2;
	if (vd_image_shape(out, side * scale, side * scale, VD_GREY) < 0)
		abort();
	for (int y = 0; y < side * scale; y++) {
		for (int x = 0; x < side * scale; x++) {
			const size_t at =
				(size_t)(y / scale) * (wide + 1) + (size_t)(x / scale) * 2;

			vd_image_row(out, y)[x] = lines.data[at] == '#' ? 30 : 220;
		}
	}
	return true;
}
