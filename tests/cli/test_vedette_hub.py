#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""vedette-hub(8) as text: options, configuration, policies, and a hub without its broker."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("VD_BUILD", ROOT / "build" / "dev"))
HUB = BUILD / "bin" / "vedette-hub"
CTL = BUILD / "bin" / "vedettectl"


class VedetteHubTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="vh-")
        self.at = Path(self.folder.name)
        self.config = self.at / "hub.json"
        self.hub = None
        self.configure()

    def tearDown(self):
        if self.hub:
            self.hub.kill()
            self.hub.wait(10)
            self.hub.stderr.close()
        self.folder.cleanup()

    def configure(self, **changes):
        config = {"hostName": "hub.vedette.test", "stateFolder": str(self.at / "state"),
                  "socket": str(self.at / "hub.sock"), "brokerSocket": str(self.at / "broker.sock"),
                  "spoolFolder": str(self.at / "spool"),
                  "identitiesFile": str(self.at / "identities")}
        config.update(changes)
        config = {key: value for key, value in config.items() if value is not None}
        self.config.write_text("// comments are allowed\n" + json.dumps(config))

    def run_hub(self, *arguments, status=0):
        done = subprocess.run([HUB, *arguments], capture_output=True, text=True, timeout=30,
                              check=False)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done

    def start(self):
        self.hub = subprocess.Popen([HUB, "--config", self.config], stderr=subprocess.PIPE, text=True)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            with socket.socket(socket.AF_UNIX) as s:
                try:
                    s.connect(str(self.at / "hub.sock"))
                    return
                except OSError:
                    self.assertIsNone(self.hub.poll())
                    time.sleep(0.05)
        self.fail("the hub does not answer")

    def stop(self):
        self.hub.send_signal(signal.SIGTERM)
        status = self.hub.wait(20)
        self.hub.stderr.close()
        self.hub = None
        return status

    def ctl(self, *arguments, status=0):
        connection = self.run_hub("--config", self.config, "--show-policy", "iothubowner").stdout
        done = subprocess.run(
            [CTL, "--socket", self.at / "hub.sock", *arguments], capture_output=True, text=True,
            env=dict(os.environ, VEDETTE_HUB_CONNECTION=connection.strip()), timeout=30, check=False)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done.stdout

    def test_wrong_usage_is_status_2(self):
        for arguments in ((), ("--config",), ("--nonsense",), ("--config", "x", "y")):
            self.assertIn("vedette-hub", self.run_hub(*arguments, status=2).stderr)
        self.assertRegex(self.run_hub("--version").stdout, r"^vedette-hub \d+\.\d+\.\d+\n$")
        self.assertIn("telemetryRetentionDays", self.run_hub("--explain").stdout)

    def test_the_configuration_is_checked_with_file_place_and_reason(self):
        self.assertEqual(self.run_hub("--config", self.config, "--check-config").stdout,
                         f"{self.config}: good\n")
        for changes, place in (({"logLevel": "loud"}, "/logLevel"), ({"hostName": None}, "hostName"),
                               ({"telemetryRetentionDays": -1}, "/telemetryRetentionDays"),
                               ({"colour": "red"}, "colour")):
            self.configure(**changes)
            done = self.run_hub("--config", self.config, "--check-config", status=1)
            self.assertIn(str(self.config), done.stderr)
            self.assertIn(place, done.stderr)
        self.config.write_text("{")
        self.assertIn(str(self.config),
                      self.run_hub("--config", self.config, "--check-config", status=1).stderr)
        self.assertIn("No such file", self.run_hub("--config", self.at / "none", status=1).stderr)

    def test_a_policy_is_shown_only_once_the_hub_has_made_its_keys(self):
        show = ("--config", self.config, "--show-policy")
        self.assertIn("hub.sqlite", self.run_hub(*show, "service", status=1).stderr)
        self.start()
        first = self.run_hub(*show, "service").stdout
        self.assertRegex(first, r"^HostName=hub\.vedette\.test;SharedAccessKeyName=service;"
                                r"SharedAccessKey=[A-Za-z0-9+/]{43}=\n$")
        self.assertNotEqual(first, self.run_hub(*show, "iothubowner").stdout)
        self.assertIn('"nobody"', self.run_hub(*show, "nobody", status=1).stderr)
        self.assertEqual(self.stop(), 0)
        self.start()
        self.assertEqual(self.run_hub(*show, "service").stdout, first)

    def test_files_with_keys_are_for_the_hub_alone(self):
        self.start()
        for name in ("state/hub.sqlite", "identities"):
            self.assertEqual(stat.S_IMODE((self.at / name).stat().st_mode), 0o600, name)
        self.assertEqual(stat.S_IMODE((self.at / "state").stat().st_mode), 0o700)
        self.assertEqual(stat.S_IMODE((self.at / "hub.sock").stat().st_mode), 0o660)

    def test_without_a_broker_the_registry_works_and_survives_kill_9(self):
        self.start()
        self.ctl("device", "create", "d1")
        self.ctl("twin", "set", "d1", "a=1")
        self.hub.kill()
        self.hub.wait(10)
        self.hub.stderr.close()
        (self.at / "identities").unlink()
        self.start()
        self.assertEqual(json.loads(self.ctl("twin", "get", "d1", "--section", "desired",
                                             "-o", "json"))["a"], 1)
        self.assertIn('"d1"', (self.at / "identities").read_text())

    def test_a_second_hub_on_the_same_socket_is_refused(self):
        self.start()
        done = self.run_hub("--config", self.config, status=1)
        self.assertIn("/socket: ", done.stderr)
        self.assertIn("Address already in use", done.stderr)

    def test_a_client_that_sends_half_a_request_stops_nobody(self):
        self.start()
        slow = [socket.socket(socket.AF_UNIX) for _ in range(50)]
        for s in slow:
            s.connect(str(self.at / "hub.sock"))
            s.send(b"PUT /devices/x HTTP/1.1\r\nContent-Length: 100000\r\n\r\n{")
        self.assertIn("DEVICE", self.ctl("device", "list"))
        for s in slow:
            s.close()

    def test_what_is_too_large_is_refused(self):
        self.start()
        for head in (b"GET /health HTTP/1.1\r\nX: " + b"a" * 100000 + b"\r\n\r\n",
                     b"PUT /devices/x HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n"):
            with socket.socket(socket.AF_UNIX) as s:
                s.settimeout(10)
                s.connect(str(self.at / "hub.sock"))
                try:
                    s.sendall(head)
                    answer = s.recv(100)
                except (BrokenPipeError, ConnectionResetError):
                    answer = b""
                self.assertRegex(answer, b"^(HTTP/1.1 4..|$)")
        self.assertIn("DEVICE", self.ctl("device", "list"))


if __name__ == "__main__":
    unittest.main()
