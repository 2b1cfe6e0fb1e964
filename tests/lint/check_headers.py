#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every header compiles alone, with pragma once; a source file includes its own header first; all
name their licence in the first line."""

import concurrent.futures
import os
import subprocess
import tempfile

from tree import Tree, includes

PACKAGES = ["libcjson", "libevent_core", "libcrypto", "libssl", "sqlite3", "libmodbus", "libzstd",
            "libjpeg", "libturbojpeg", "libcurl", "libsystemd", "cmocka", "libmosquitto", "libpq",
            "libarchive", "libseccomp"]
LICENCE = "/* SPDX-License-Identifier: Apache-2.0 */"


def include_flags():
    flags = []
    for package in PACKAGES:
        result = subprocess.run(["pkg-config", "--cflags-only-I", package], check=False,
                                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        flags += result.stdout.split()
    return sorted(set(flags))


def compile_alone(tree, name, flags):
    """As a file that includes nothing but the header: gcc warns of a pragma once in a main file."""
    result = subprocess.run(
        ["gcc", "-std=gnu17", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-Wno-unused-parameter",
         "-fsyntax-only", "-I", tree.root, *flags, "-x", "c", "-"],
        input=f'#include "{name}"\n', check=False, stderr=subprocess.PIPE, text=True)
    if result.returncode == 0:
        return None
    errors = [line for line in result.stderr.splitlines() if "error" in line]
    return errors[0] if errors else result.stderr.strip()


def own_header(tree, name):
    header = name[:-2] + ".h"
    return header if os.path.exists(tree.path(header)) else None


def check_text(tree, name):
    text = tree.read(name)
    if not text.startswith(LICENCE):
        tree.report(name, 1, f"the first line must be {LICENCE}")
    if name.endswith(".h"):
        if "#pragma once" not in text:
            tree.report(name, 1, "a header must have #pragma once")
        return
    first = next(includes(text), None)
    header = own_header(tree, name)
    if not header or name.startswith("tests/"):
        return
    # store.c may begin with store_sql.h, what its parts share beyond store.h.
    if first is None or (first[2] != header and not first[2].startswith(name[:-2] + "_")):
        tree.report(name, first[0] if first else 1, f'the first include must be "{header}"')


def main():
    tree = Tree(__doc__)
    sources = tree.named(".c", ".h")
    headers = [name for name in sources if name.endswith(".h") and not name.startswith("tests/")]
    for name in sources:
        check_text(tree, name)
    with tempfile.TemporaryDirectory() as generated:
        os.mkdir(os.path.join(generated, "base"))
        with open(os.path.join(generated, "base", "version.h"), "w", encoding="utf-8") as file:
            file.write('#define VD_VERSION "0"\n')
        flags = include_flags() + ["-I", generated]
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            errors = pool.map(lambda name: compile_alone(tree, name, flags), headers)
            for name, error in zip(headers, errors):
                if error:
                    tree.report(name, 1, f"does not compile alone: {error}")
    tree.finish(f"{len(headers)} headers and {len(sources)} source files")


main()
