#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Small functions are the invariant: none beyond 100 lines, the median below 20. A file ends before
line 1000."""

import statistics

from tree import Tree, code_only

FUNCTION_LINES, MEDIAN_LINES, FILE_LINES = 100, 20, 1000
EXCEPTIONS = {}  # "file:function": why


def functions(text):
    """(line, name, lines) of every function: from a '{' in the first column to its '}'."""
    lines = code_only(text).splitlines()
    start = None
    for number, line in enumerate(lines, 1):
        if line.startswith("{"):
            start = number
        elif line.startswith("}") and start:
            head = start - 1
            while head > 1 and (lines[head - 1][:1] in "\t " or "(" not in lines[head - 1]):
                head -= 1
            name = lines[head - 1].split("(")[0].split()[-1:] or ["?"]
            yield head, name[0].lstrip("*"), number - start - 1
            start = None


def main():
    tree = Tree(__doc__)
    names = tree.named(".c", ".h")
    lengths = []
    for name in names:
        text = tree.read(name)
        if text.count("\n") > FILE_LINES:
            tree.report(name, FILE_LINES, f"the file has {text.count(chr(10))} lines, at most {FILE_LINES}")
        for line, function, length in functions(text):
            if not name.startswith("tests/"):
                lengths.append(length)
            if length > FUNCTION_LINES and f"{name}:{function}" not in EXCEPTIONS:
                tree.report(name, line, f"{function}() has {length} lines, at most {FUNCTION_LINES}")
    median = statistics.median(lengths) if lengths else 0
    if median >= MEDIAN_LINES:
        tree.report(".", 1, f"the median function has {median} lines, less than {MEDIAN_LINES} is wanted")
    tree.finish(f"{len(lengths)} functions, median {median:g} lines, longest {max(lengths, default=0)}")


main()
