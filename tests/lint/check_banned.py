#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Functions and words that are not used here, and what is used instead."""

import re

from tree import Tree, code_only

BANNED = {
    "strcpy": "copies without a bound; use snprintf or memcpy",
    "strcat": "appends without a bound; use vd_buf",
    "strncpy": "may leave no NUL; use snprintf",
    "strncat": "its bound is not that of the buffer; use vd_buf",
    "sprintf": "writes without a bound; use snprintf",
    "vsprintf": "writes without a bound; use vsnprintf",
    "gets": "reads without a bound; use getline",
    "system": "runs a shell; use posix_spawn",
    "popen": "runs a shell; use posix_spawn",
    "alloca": "takes stack without a bound; use malloc",
    "atoi": "cannot say that it failed; use strtol",
    "atol": "cannot say that it failed; use strtol",
    "atof": "cannot say that it failed; use strtod",
    "tmpnam": "another program may be faster; use mkstemp",
    "mktemp": "another program may be faster; use mkstemp",
    "strtok": "keeps hidden state; use strtok_r or strcspn",
}
CALL = re.compile(r"(?<![\w.>])(" + "|".join(BANNED) + r")\s*\(")
GOTO = re.compile(r"\bgoto\b")
EXIT = re.compile(r"(?<![\w.>])exit\s*\(")
MAIN = re.compile(r"^int main\(", re.MULTILINE)
TYPEDEF = re.compile(r"\btypedef\s+struct\b")


def check(tree, name):
    code = code_only(tree.read(name))
    may_exit = MAIN.search(code) is not None or name.startswith("tests/")
    for line, text in enumerate(code.splitlines(), 1):
        for match in CALL.finditer(text):
            tree.report(name, line, f"{match.group(1)}() {BANNED[match.group(1)]}")
        if GOTO.search(text):
            tree.report(name, line, "no goto: use VD_CLEANUP, or a function of its own")
        if EXIT.search(text) and not may_exit:
            tree.report(name, line, "exit() belongs beside main(): return the error")
        if TYPEDEF.search(text):
            tree.report(name, line, "no typedef of a struct: write struct vd_name")


def main():
    tree = Tree(__doc__)
    names = tree.named(".c", ".h")
    for name in names:
        check(tree, name)
    tree.finish(f"{len(names)} files")


main()
