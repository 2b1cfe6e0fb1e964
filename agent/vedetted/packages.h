/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "base/json.h"

/*
 * The module versions installed on this box: NAME/VERSION below the package folders,
 * each with manifest.json and schema.json (vedette-package(5)). Versions lie side by side;
 * a desired document names the one that runs. Folders are read when a package is asked
 * for, so that one installed while the agent runs is found.
 */
struct vd_package {
	char *folder;  /* absolute path of NAME/VERSION */
	char *program; /* absolute path of the entry point */
	cJSON *manifest, *schema;
};

/*
 * Finds, reads and checks one. Fault 404: not installed, with the versions that are; 500: its
 * manifest or schema is bad. A name or version with '/' or a leading '.' is not installed.
 */
VD_MUST int vd_package_load(const cJSON *folders, const char *name, const char *version,
			    struct vd_package **ret_package, struct vd_fault *fault);
struct vd_package *vd_package_free(struct vd_package *package);
VD_DEFINE_CLEANUP(struct vd_package, vd_package_free)

/* The kind of an output or input by the manifest. */
enum vd_port_kind { VD_PORT_UNKNOWN, VD_PORT_MESSAGE, VD_PORT_FRAMES };
enum vd_port_kind vd_package_output(const struct vd_package *package, const char *name);
enum vd_port_kind vd_package_input(const struct vd_package *package, const char *name);

/* Array of {"name","version","folder"} of all that is installed, for the inventory. NULL: no memory. */
cJSON *vd_packages_list(const cJSON *folders);
