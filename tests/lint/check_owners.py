#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A third-party library has one owner folder: whoever replaces it edits there and nowhere else.
libcrypto, libevent and SQLite have one owner a program: the agent, the broker's plugin, the hub."""

import re

from tree import Tree, includes

# Header, and the folders (or files) that may include it.
OWNERS = [
    (r"cjson/cJSON\.h", ["base", "agent", "modules", "twin"]),
    (r"cjson/", []),
    (r"event2?/", ["base/loop.c", "twin/hub"]),
    (r"openssl/", ["base", "agent/cloud", "agent/rollout", "agent/vedette-enrol", "twin/broker", "twin/hub"]),
    (r"nettle/", ["base"]),
    (r"sqlite3\.h", ["agent/store", "twin/hub/store"]),
    (r"MQTT(Async|Client|Properties|Version)\w*\.h", ["agent/cloud"]),
    (r"mosquitto\.h", ["twin/broker", "twin/hub"]),
    (r"mosquitto_\w+\.h", ["twin/broker"]),
    (r"modbus/", ["modules/modbus"]),
    (r"(jpeglib|jerror|turbojpeg)\.h", ["modules/image"]),
    (r"dmtx\.h", ["modules/vision"]),
    (r"zbar\.h", []),  # loaded at run time, by modules/vision/zbar.c
    (r"zstd\.h", ["agent/store", "modules/inspect", "twin/hub"]),
    (r"zlib\.h", ["agent/store", "twin/broker", "twin/hub"]),
    (r"curl/", ["base/curl_library.h", "agent/rollout", "agent/vedette-enrol", "modules/http-sensor", "twin/ctl"]),
    (r"archive(_entry)?\.h", ["agent/rollout", "twin/ctl"]),
    (r"libpq-fe\.h", ["twin/hub"]),
    (r"seccomp\.h", ["agent/vedette-exec"]),
    (r"systemd/", ["agent/vedetted", "twin/hub"]),
    (r"arv\.h", []),  # loaded at run time, by modules/camera/aravis_library.c
    (r"cmocka\.h", []),
]


def is_owned_by(name, owners):
    return any(name == owner or name.startswith(owner + "/") for owner in owners)


def main():
    tree = Tree(__doc__)
    names = [name for name in tree.named(".c", ".h") if not name.startswith("tests/")]
    for name in names:
        for line, kind, header in includes(tree.read(name)):
            owners = next((owners for pattern, owners in OWNERS if re.match(pattern, header)), None)
            if kind == "system" and owners is not None and not is_owned_by(name, owners):
                tree.report(name, line, f"<{header}> may be included by "
                            f"{', '.join(owners) or 'tests'} only")
    tree.finish(f"includes of {len(names)} files")


main()
