#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every program and every contract has a manual page, every page passes mandoc, names only pages
that there are, and is installed; the page of a document names each of its members."""

import json
import os
import re
import subprocess

from tree import Tree

# Contracts: the page, and the folder whose existence makes it due.
CONTRACTS = {
    "vedette-twin.5": "twin/document",
    "vedette-package.5": "modules/sdk",
    "vedette-module.7": "modules/sdk",
    "vedette-broker.7": "twin/broker",
    "vedette-query.7": "twin/query",
}
# Schemas of documents that people write, and the page that names each member.
DOCUMENTS = {
    "twin/document/desired.json": "vedette-twin.5",
    "agent/vedetted/config.schema.json": "",  # vedetted --explain prints them all
}
PROGRAM = re.compile(r"^\s*vd_(program|module)\(\s*([\w-]+)", re.MULTILINE)
REFERENCE = re.compile(r"^\.Xr (vedette[\w.-]*) ([1-9])", re.MULTILINE)


def programs(tree):
    for name in tree.files:
        if os.path.basename(name) != "CMakeLists.txt":
            continue
        text = tree.read(name)
        for match in PROGRAM.finditer(text):
            line = text.count("\n", 0, match.start(2)) + 1
            yield name, line, ("vedette-" if match.group(1) == "module" else "") + match.group(2)


def check_mandoc(tree, name):
    result = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", tree.path(name)], check=False,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    for finding in result.stdout.splitlines():
        match = re.match(r"mandoc: [^:]+(?::(\d+))?(?::\d+)?: (.*)", finding)
        if match:
            tree.report(name, int(match.group(1) or 1), match.group(2))
    if result.returncode != 0 and not result.stdout:
        tree.report(name, 1, f"mandoc ends with status {result.returncode}")


def check_references(tree, name, pages):
    text = tree.read(name)
    for match in REFERENCE.finditer(text):
        if f"{match.group(1)}.{match.group(2)}" not in pages:
            tree.report(name, text.count("\n", 0, match.start()) + 1,
                        f"there is no page {match.group(1)}({match.group(2)})")


def check_installed(tree, name):
    folder = os.path.dirname(name)
    while True:
        build = os.path.join(folder, "CMakeLists.txt")
        if build in tree.files and os.path.basename(name) in tree.read(build):
            return
        if not folder:
            break
        folder = os.path.dirname(folder)
    tree.report(name, 1, "no CMakeLists.txt installs this page (MAN, or vd_install_man)")


def members(schema):
    if isinstance(schema, list):
        for item in schema:
            yield from members(item)
    if not isinstance(schema, dict):
        return
    for keyword, value in schema.items():
        if keyword == "properties":
            yield from value
        yield from members(list(value.values()) if keyword in ("properties", "$defs") else value)


def check_members(tree, schema, page):
    text = tree.read(page)
    for member in sorted(set(members(json.loads(tree.read(schema))))):
        if not re.search(rf"(?<![\w]){re.escape(member)}(?![\w])", text):
            tree.report(page, 1, f"does not name {member} of {schema}")


def main():
    tree = Tree(__doc__)
    pages = {os.path.basename(name): name for name in tree.named(*(f".{n}" for n in range(1, 10)))
             if re.search(r"^\.Dt ", tree.read(name), re.MULTILINE)}
    count = 0
    for name, line, program in programs(tree):
        count += 1
        if not any(f"{program}.{section}" in pages for section in (1, 8)):
            tree.report(name, line, f"{program} has no manual page")
    for page, folder in CONTRACTS.items():
        if page not in pages and any(name.startswith(folder + "/") for name in tree.files):
            tree.report(folder, 1, f"the contract {page} has no manual page")
    for name in pages.values():
        check_mandoc(tree, name)
        check_references(tree, name, pages)
        check_installed(tree, name)
    for schema, page in DOCUMENTS.items():
        if schema in tree.files and page in pages:
            check_members(tree, schema, pages[page])
    tree.finish(f"{len(pages)} pages, {count} programs")


main()
