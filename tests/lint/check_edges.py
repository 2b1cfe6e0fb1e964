#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Which folder may include which: dependencies run one way, base <- document <- {parts of the
agent, hub} <- programs. An edge is an #include, by its path from the top."""

import re

from tree import Tree, code_only, includes

# A folder may include itself, what stands here, and what is generated (base/version.h).
# An entry that ends with ".h" is that header alone.
ALLOWED = {
    "base": [],
    "twin/document": ["base"],
    "twin/query": ["base", "twin/document"],
    "agent/ipc": ["base"],
    "agent/store": ["base", "twin/document"],
    "agent/cloud": ["base", "twin/document"],
    "agent/upload": ["base", "agent/cloud/backoff.h"],
    "agent/supervise": ["base", "agent/ipc"],
    "agent/rollout": ["base", "twin/document"],
    "agent/vedetted": ["base", "twin/document", "agent/ipc", "agent/store", "agent/cloud",
                       "agent/upload", "agent/supervise", "agent/rollout"],
    "agent/vedette": ["base", "agent/ipc", "twin/document"],
    "agent/vedette-enrol": ["base"],
    "agent/vedette-exec": ["base"],
    "modules/sdk": ["base", "agent/ipc"],
    "modules/image": ["base"],
    "modules/vision": ["base", "modules/image"],
    "modules/inspect": ["base", "agent/ipc", "modules/sdk", "modules/image", "modules/vision"],
    "modules": ["base", "agent/ipc", "modules/sdk", "modules/image"],  # each other module
    "twin/broker": ["base"],
    "twin/hub/store": ["base", "twin/document", "twin/broker/identities.h",
                       "twin/hub/automation/configuration.h", "twin/query/value.h",
                       "twin/query/values.h"],
    "twin/hub/api": ["base", "twin/document", "twin/hub", "twin/hub/store"],
    # The JPEG codec stands on base alone: small copies of images need one.
    "twin/hub": ["base", "twin/document", "twin/query", "modules/image/jpeg.h", "twin/broker/spool.h",
                 "twin/broker/identities.h", "twin/broker/topics.h", "twin/hub/store",
                 "twin/hub/api/api.h"],
    "twin/ctl": ["base", "twin/document", "modules/image/jpeg.h"],
    "twin/import": ["base", "twin/document"],
    "deploy": ["base", "modules/image"],  # simulators of the demonstration
}

# The twin as data: no input or output, no clock but as an argument.
PURE = ("twin/document", "twin/query")
PURE_HEADERS = {"base/file.h", "base/loop.h", "unistd.h", "fcntl.h", "sys/stat.h", "sys/socket.h",
                "sys/time.h", "dirent.h", "pthread.h"}
PURE_CALLS = re.compile(r"\b(fopen|open|read|write|printf|fprintf|puts|fputs|time|gettimeofday|"
                        r"clock_gettime|getenv|vd_clock_\w+|vd_log|vd_random|vd_uuid|vd_file_\w+)\s*\(")


def folder_of(name):
    """The longest folder of the table that name lies in; a module is its own folder."""
    parts = name.split("/")
    if parts[0] == "modules" and len(parts) > 2:
        return "/".join(parts[:2])
    for count in range(len(parts) - 1, 0, -1):
        folder = "/".join(parts[:count])
        if folder in ALLOWED:
            return folder
    return None


def check_include(tree, name, folder, line, header):
    target = folder_of(header)
    allowed = ALLOWED.get(folder, ALLOWED["modules"])
    if "/" not in header:
        tree.report(name, line, f'"{header}" must be included by its path from the top')
    elif target is None:
        tree.report(name, line, f'"{header}" lies in no folder that may be included')
    elif target != folder and target not in allowed and header not in allowed:
        tree.report(name, line, f"{folder} must not include {target}")


def check_purity(tree, name, text):
    for line, _, header in includes(text):
        if header in PURE_HEADERS:
            tree.report(name, line, f"{folder_of(name)} is pure: no {header}")
    for line, code in enumerate(code_only(text).splitlines(), 1):
        for match in PURE_CALLS.finditer(code):
            tree.report(name, line, f"{folder_of(name)} is pure: no {match.group(1)}()")


def main():
    tree = Tree(__doc__)
    names = [name for name in tree.named(".c", ".h") if not name.startswith("tests/")]
    for name in names:
        folder, text = folder_of(name), tree.read(name)
        if folder is None:
            tree.report(name, 1, "this folder is not in the table of check_edges.py")
            continue
        for line, kind, header in includes(text):
            if kind == "quoted":
                check_include(tree, name, folder, line, header)
        if folder in PURE:
            check_purity(tree, name, text)
    tree.finish(f"edges of {len(names)} files")


main()
