# SPDX-License-Identifier: Apache-2.0
"""What every lint needs: the files of the tree, C without comments and texts, and one way to
report. A lint is a program with --root DIR; it prints `file:line: sentence` and ends with 1."""

import argparse
import os
import re
import subprocess
import sys

SKIPPED_FOLDERS = {".git", "build", "node_modules", "__pycache__"}


class Tree:
    def __init__(self, description, *options):
        parser = argparse.ArgumentParser(description=description)
        parser.add_argument("--root", default=".", help="top folder of the source")
        for name, text in options:
            parser.add_argument(name, default="", help=text)
        self.arguments = parser.parse_args()
        self.root = os.path.abspath(self.arguments.root)
        self.findings = []
        self.files = sorted(self._tracked() or self._walked())

    def _tracked(self):
        """Files that git knows; None outside of a repository."""
        if not os.path.exists(os.path.join(self.root, ".git")):
            return None
        listing = subprocess.run(["git", "-C", self.root, "ls-files", "-z"],
                                 stdout=subprocess.PIPE, check=False)
        names = [name for name in listing.stdout.decode().split("\0") if name]
        return [name for name in names if os.path.isfile(os.path.join(self.root, name))] or None

    def _walked(self):
        for folder, folders, names in os.walk(self.root):
            folders[:] = [name for name in folders if name not in SKIPPED_FOLDERS]
            for name in names:
                yield os.path.relpath(os.path.join(folder, name), self.root)

    def named(self, *endings, under=""):
        return [name for name in self.files if name.endswith(endings) and name.startswith(under)]

    def path(self, name):
        return os.path.join(self.root, name)

    def read(self, name):
        with open(self.path(name), encoding="utf-8", errors="replace") as file:
            return file.read()

    def report(self, name, line, sentence):
        self.findings.append((name, line, sentence))

    def finish(self, looked_at):
        for name, line, sentence in sorted(self.findings):
            print(f"{name}:{line}: {sentence}")
        print(f"{looked_at}, {len(self.findings)} findings")
        sys.exit(1 if self.findings else 0)


NOT_CODE = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.DOTALL)


def code_only(text):
    """C with comments and texts blanked; lines stay where they are."""
    return NOT_CODE.sub(lambda match: re.sub(r"[^\n]", " ", match.group()), text)


def includes(text):
    """(line, "quoted" or "system", header) of every #include."""
    for number, line in enumerate(text.splitlines(), 1):
        match = re.match(r'\s*#\s*include\s*(["<])([^">]+)[">]', line)
        if match:
            yield number, "quoted" if match.group(1) == '"' else "system", match.group(2)
