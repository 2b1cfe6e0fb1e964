#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tests/README.md names tests by their functions: each of them is there."""

import re

from tree import Tree

PAGE = "tests/README.md"
NAME = re.compile(r"`([a-z]\w{20,})`")
FUNCTION = re.compile(r"^(?:static void|\s+def) (\w+)\(", re.MULTILINE)


def main():
    tree = Tree(__doc__)
    there = set()
    for name in tree.named(".c", ".py", under="tests/"):
        there.update(FUNCTION.findall(tree.read(name)))
    named = 0
    for line, text in enumerate(tree.read(PAGE).splitlines() if PAGE in tree.files else [], 1):
        for function in NAME.findall(text):
            named += 1
            if function not in there:
                tree.report(PAGE, line, f"there is no test {function}")
    tree.finish(f"{named} tests")


main()
