#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""C is formatted as .clang-format says (clang-format -i mends it); no line of any text file ends
with white space, and each file ends with a newline."""

import re
import subprocess

from tree import Tree

TEXT = (".c", ".h", ".py", ".txt", ".cmake", ".md", ".json", ".sql", ".service", ".sh", ".yml", ".in")
BATCH = 20


def check_layout(tree, names):
    for start in range(0, len(names), BATCH):
        batch = names[start:start + BATCH]
        result = subprocess.run(["clang-format", "--dry-run", "--ferror-limit=1", "--style=file", *batch],
                                cwd=tree.root, check=False, stderr=subprocess.PIPE, text=True)
        for finding in result.stderr.splitlines():
            match = re.match(r"(.*?):(\d+):\d+: (?:warning|error): code should be clang-formatted", finding)
            if match:
                tree.report(match.group(1), int(match.group(2)), "not as clang-format lays it out")
        if result.returncode != 0 and not result.stderr:
            tree.report(batch[0], 1, f"clang-format ends with status {result.returncode}")


def check_ends(tree, name):
    text = tree.read(name)
    for line, content in enumerate(text.split("\n"), 1):
        if content != content.rstrip(" \t\r"):
            tree.report(name, line, "white space at the end of the line")
    if text and not text.endswith("\n"):
        tree.report(name, text.count("\n") + 1, "no newline at the end of the file")


def first_of_each(findings):
    seen = set()
    for name, line, sentence in sorted(findings):
        if (name, sentence) not in seen:
            seen.add((name, sentence))
            yield name, line, sentence


def main():
    tree = Tree(__doc__)
    sources = tree.named(".c", ".h")
    texts = [name for name in tree.named(*TEXT)
             if not name.startswith(("tests/fuzz/corpus/", "tests/fixtures/"))]
    check_layout(tree, sources)
    for name in texts:
        check_ends(tree, name)
    tree.findings = list(first_of_each(tree.findings))
    tree.finish(f"{len(sources)} C files, {len(texts)} text files")


main()
