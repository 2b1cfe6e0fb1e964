#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A lint must be able to fail: each one is run on a small tree that is in order, and on the same
tree with one violation, which it must name with file and line."""

import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
LICENCE = "/* SPDX-License-Identifier: Apache-2.0 */\n"
FUNCTION = "int vd_sum(int a, int b)\n{\n\treturn a + b;\n}\n"
PAGE = """.\\" SPDX-License-Identifier: Apache-2.0
.Dd November 22, 2026
.Dt {title} {section}
.Os
.Sh NAME
.Nm {name}
.Nd what it is
.Sh DESCRIPTION
A page{more}.
"""


def page(name, section, more=""):
    return PAGE.format(title=name.upper(), name=name, section=section, more=more)


GOOD = {
    ".clang-format": open(os.path.join(HERE, "..", "..", ".clang-format"), encoding="utf-8").read(),
    "base/sum.h": LICENCE + "#pragma once\n\nint vd_sum(int a, int b);\n",
    "base/sum.c": LICENCE + '#include "base/sum.h"\n\n' + FUNCTION,
    "twin/document/twin.c": LICENCE + '#include "base/sum.h"\n',
    "twin/document/CMakeLists.txt": "vd_install_man(vedette-twin.5)\n",
    "twin/document/vedette-twin.5": page("vedette-twin", 5, " on colour"),
    "twin/document/desired.json": '{ "properties": { "colour": {} } }\n',
    "agent/vedetted/CMakeLists.txt": "vd_program(vedetted\n\tSOURCES main.c\n\tMAN vedetted.8)\n",
    "agent/vedetted/vedetted.8": page("vedetted", 8),
    "agent/vedetted/main.c": LICENCE + '#include <stdlib.h>\n\n#include "base/sum.h"\n\nint main(void)\n{\n'
                                       "\texit(vd_sum(0, 0));\n}\n",
}
LONG = "int vd_long(int a)\n{\n" + "\ta++;\n" * 101 + "\treturn a;\n}\n"

# Lint, file, its text, what must be reported.
BAD = [
    ("scenarios", "tests/README.md", "It never does: `test_that_nobody_has_ever_written`\n",
     "tests/README.md:1: there is no test test_that_nobody_has_ever_written"),
    ("edges", "base/up.c", LICENCE + '#include "twin/document/twin.h"\n',
     "base/up.c:2: base must not include twin/document"),
    ("edges", "agent/cloud/link.c", LICENCE + '\n#include "agent/store/store.h"\n',
     "agent/cloud/link.c:3: agent/cloud must not include agent/store"),
    ("edges", "modules/camera/a.c", LICENCE + '#include "modules/inspect/b.h"\n',
     "modules/camera/a.c:2: modules/camera must not include modules/inspect"),
    ("edges", "twin/hub/a.c", LICENCE + '#include "twin/broker/spool_format.h"\n',
     "twin/hub/a.c:2: twin/hub must not include twin/broker"),
    ("edges", "twin/document/io.c", LICENCE + "#include <fcntl.h>\n",
     "twin/document/io.c:2: twin/document is pure: no fcntl.h"),
    ("edges", "twin/document/io.c", LICENCE + "long now(void)\n{\n\treturn time(0);\n}\n",
     "twin/document/io.c:4: twin/document is pure: no time()"),
    ("edges", "base/short.c", LICENCE + '#include "sum.h"\n',
     'base/short.c:2: "sum.h" must be included by its path from the top'),
    ("edges", "new/folder.c", LICENCE, "new/folder.c:1: this folder is not in the table of check_edges.py"),
    ("headers", "base/needs.h", LICENCE + "#pragma once\nint vd_f(size_t n);\n",
     "base/needs.h:1: does not compile alone"),
    ("headers", "base/twice.h", LICENCE + "int vd_f(int n);\n", "base/twice.h:1: a header must have #pragma once"),
    ("headers", "base/sum.c", LICENCE + '#include <stdio.h>\n#include "base/sum.h"\n',
     'base/sum.c:2: the first include must be "base/sum.h"'),
    ("headers", "base/free.c", "int vd_free(void);\n", "base/free.c:1: the first line must be"),
    ("banned", "base/a.c", LICENCE + "void f(char *a)\n{\n\tstrcpy" + '(a, "x");\n}\n',
     "base/a.c:4: strcpy() copies without a bound; use snprintf or memcpy"),
    ("banned", "base/a.c", LICENCE + "void f(void)\n{\n\tgoto" + " end;\nend:\n}\n", "base/a.c:4: no goto"),
    ("banned", "base/a.c", LICENCE + "void f(void)\n{\n\texit" + "(1);\n}\n", "base/a.c:4: exit() belongs beside main()"),
    ("banned", "base/a.h", LICENCE + "typedef struct" + " { int a; } vd_a;\n", "base/a.h:2: no typedef of a struct"),
    ("owners", "agent/supervise/a.c", LICENCE + "#include <sqlite3.h>\n",
     "agent/supervise/a.c:2: <sqlite3.h> may be included by agent/store, twin/hub/store only"),
    ("owners", "base/buf.c", LICENCE + "#include <event2/event.h>\n",
     "base/buf.c:2: <event2/event.h> may be included by base/loop.c, twin/hub only"),
    ("manuals", "twin/ctl/CMakeLists.txt", "\nvd_program(vedettectl\n", "twin/ctl/CMakeLists.txt:2: vedettectl has no manual page"),
    ("manuals", "modules/x/CMakeLists.txt", "vd_module(x VERSION 1)\n",
     "modules/x/CMakeLists.txt:1: vedette-x has no manual page"),
    ("manuals", "twin/broker/plugin.c", LICENCE, "twin/broker:1: the contract vedette-broker.7 has no manual page"),
    ("manuals", "agent/vedetted/vedetted.8", page("vedetted", 8) + ".Sh EXAMPLES\n.Bl -tag\n",
     "agent/vedetted/vedetted.8:11: WARNING"),
    ("manuals", "agent/vedetted/vedetted.8", page("vedetted", 8) + ".Xr vedette-nothing 7\n",
     "agent/vedetted/vedetted.8:10: there is no page vedette-nothing(7)"),
    ("manuals", "agent/ipc/vedette-lost.7", page("vedette-lost", 7), "agent/ipc/vedette-lost.7:1: no CMakeLists.txt installs"),
    ("manuals", "twin/document/desired.json", '{ "$defs": { "m": { "properties": { "shape": {} } } } }\n',
     "twin/document/vedette-twin.5:1: does not name shape of twin/document/desired.json"),
    ("format", "base/sum.c", LICENCE + '#include "base/sum.h"\n\nint vd_sum(int a, int b) { return a + b; }\n',
     "base/sum.c:4: not as clang-format lays it out"),
    ("format", "NEWS.md", "one \ntwo\n", "NEWS.md:1: white space at the end of the line"),
    ("format", "NEWS.md", "one\ntwo", "NEWS.md:2: no newline at the end of the file"),
    ("length", "base/long.c", LICENCE + LONG, "base/long.c:2: vd_long() has 102 lines, at most 100"),
    ("length", "base/long.c", LICENCE + "\n" * 1000, "base/long.c:1000: the file has 1001 lines"),
    ("tracked", "run.sh", "cd\ncd /ho" + "me/somebody/src\n", "run.sh:2: the path of one machine"),
    ("tracked", "key.pem", "-----BEGIN EC PRIVATE " + "KEY-----\n", "key.pem:1: a private key"),
    ("tracked", "ci.yml", "token: gh" + "p_" + "a1" * 18 + "\n", "ci.yml:1: an access token"),
    ("tracked", "x.conf", "HostName=h;SharedAccess" + "Key=" + "A" * 43 + "=\n", "x.conf:1: a shared access key"),
    ("tracked", "x.conf", "url = amqp://user:secret" + "@host/\n", "x.conf:1: a password in an address"),
    ("tracked", "program", "\0", "program:1: a binary file"),
]


def run(lint, files):
    with tempfile.TemporaryDirectory() as root:
        for name, text in files.items():
            path = os.path.join(root, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
        return subprocess.run([sys.executable, os.path.join(HERE, f"check_{lint}.py"), "--root", root],
                              check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def main():
    failures = []
    for lint in sorted({lint for lint, *_ in BAD}):
        result = run(lint, GOOD)
        if result.returncode != 0:
            failures.append(f"{lint}: a tree in order is refused:\n{result.stdout}")
    for lint, name, text, expected in BAD:
        result = run(lint, {**GOOD, name: text})
        found = [line for line in result.stdout.splitlines() if line.startswith(expected)]
        if result.returncode != 1 or not found:
            failures.append(f"{lint}: status {result.returncode}, not found: {expected}\n{result.stdout}")
    print("\n".join(failures))
    print(f"{len(BAD)} violations, {len(failures)} not found as they should be")
    sys.exit(1 if failures else 0)


main()
