# SPDX-License-Identifier: Apache-2.0
"""A network of our own for a test program: real ports 443 and 8883 on its own loopback, and a name
with a dot for the hub, which Azure's SDKs insist on.

    import private_net
    if __name__ == "__main__":
        private_net.enter()      # the program starts again inside, as root of a user namespace
        unittest.main(verbosity=2)

Needs unshare(1), ip(8) and user namespaces; without them the program ends with status 77 (skipped).
"""

import os
import subprocess
import sys
import tempfile

HOST_NAME = "hub.vedette.test"
PORTS = {"mqtts_port": 8883, "https_port": 443}
MARK = "VD_PRIVATE_NET"
SKIPPED = 77


def is_possible():
    try:
        return subprocess.run(["unshare", "-rnm", "ip", "link", "set", "lo", "up"],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                              check=False).returncode == 0
    except OSError:
        return False


def enter():
    """Returns inside of the namespaces only."""
    if os.environ.get(MARK):
        set_up()
        return
    if not is_possible():
        print("no network namespace to be had here: skipped", file=sys.stderr)
        sys.exit(SKIPPED)
    os.environ[MARK] = "1"
    os.execvp("unshare", ["unshare", "-rnm", sys.executable, *sys.argv])


def set_up():
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    with tempfile.NamedTemporaryFile("w", prefix="vd-hosts-", delete=False) as hosts:
        hosts.write(f"127.0.0.1 localhost {HOST_NAME}\n")
    os.chmod(hosts.name, 0o644)
    subprocess.run(["mount", "--bind", hosts.name, "/etc/hosts"], check=True)
    os.unlink(hosts.name)
