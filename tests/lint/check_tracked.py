#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What is tracked is source: no path of one machine, no credential, no binary. The patterns are
put together here so that this file does not match itself."""

import re

from tree import Tree

KEY = "KEY"
PATTERNS = [
    ("the path of one machine", r"(?<![\w.-])/" + r"(?:work|home/[a-z][\w-]*|Users/\w+|tmp/(?:vd|h\d\w*))/"),
    ("a private key", r"-----BEGIN (?:[A-Z]+ )*PRIVATE " + KEY + "-----"),
    ("a key of a cloud account", r"\b(?:AKIA|ASIA)" + r"[0-9A-Z]{16}\b"),
    ("an access token", r"\b(?:gh[pousr]_|github_" + r"pat_|xox[abp]-|npm_|pypi-)[A-Za-z0-9_-]{20,}"),
    ("a shared access key", r"SharedAccess" + r"Key=[A-Za-z0-9+/]{42,}="),
    ("a password in an address", r"\b[a-z][a-z0-9+.-]*://[^\s/:@\"'<>{}$]+:[^\s/:@\"'<>{}$]+" + r"@[\w.-]+"),
    ("a bearer token", r"Bearer ey" + r"J[A-Za-z0-9_-]{20,}"),
]
COMPILED = [(what, re.compile(pattern)) for what, pattern in PATTERNS]

# Files that hold such text with reason: "file": why.
EXCEPTIONS = {}
BINARIES = ("tests/fuzz/corpus/", "tests/fixtures/")


def check(tree, name):
    with open(tree.path(name), "rb") as file:
        data = file.read()
    if b"\0" in data:
        if not name.startswith(BINARIES):
            tree.report(name, 1, "a binary file")
        return
    for line, text in enumerate(data.decode("utf-8", errors="replace").splitlines(), 1):
        for what, pattern in COMPILED:
            if name not in EXCEPTIONS and pattern.search(text):
                tree.report(name, line, f"{what}")


def main():
    tree = Tree(__doc__)
    for name in tree.files:
        check(tree, name)
    tree.finish(f"{len(tree.files)} files")


main()
