/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stddef.h>

/*
 * The steps of the database's schema, lowest first; migrations.c is made by CMakeLists.txt from
 * migration_N.sql. Step N leads to user_version N.
 */
struct vd_migration {
	int to;
	const char *sql;
};
extern const struct vd_migration vd_migrations[];
extern const size_t vd_migration_count;
