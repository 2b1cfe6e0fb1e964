#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The whole hub as it is deployed: exactly once through kill -9, the front, run-hub, make-ca."""

import json
import os
import random
import signal
import socket
import ssl
import stat
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import warnings
from pathlib import Path

sys.dont_write_bytecode = True
ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "harness"))
import cloud as harness  # noqa: E402
import hubstack  # noqa: E402
import mqtt  # noqa: E402

BUILD = os.environ.get("VD_BUILD") or str(ROOT / "build" / "dev")


class HubTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="vd-")
        cls.cloud = harness.Cloud(cls.folder.name, BUILD)
        cls.cloud.__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.cloud.__exit__(None)
        cls.folder.cleanup()


class Sender(threading.Thread):
    """A device that numbers its messages and sends each until it is acknowledged."""

    def __init__(self, cloud, identity, key):
        super().__init__(daemon=True)
        self.cloud, self.identity, self.key = cloud, identity, key
        self.acknowledged, self.enough = 0, threading.Event()

    def run(self):
        while not self.enough.is_set():
            try:
                with self.cloud.client(self.identity, self.key, clean=False).connect() as client:
                    while not self.enough.is_set():
                        i = self.acknowledged
                        client.publish(f"devices/{self.identity}/messages/events/%24.mid={i}",
                                       json.dumps({"i": i}))
                        self.acknowledged += 1
            except (OSError, mqtt.Closed, mqtt.Refused):
                time.sleep(0.02)


class ExactlyOnce(HubTest):
    KILLS = 15

    def stored(self, device):
        """The numbers of all stored messages, in the order of storage."""
        numbers, after = [], 0
        while True:
            page = self.cloud.must("GET", f"/telemetry?deviceId={device}&order=oldest"
                                          f"&limit=1000&after={after}")
            numbers += [item["body"]["i"] for item in page["items"]]
            if not page["items"] or page.get("continuation") in (None, after):
                return numbers
            after = page["continuation"]

    def explain(self, numbers, count):
        missing = sorted(set(range(count)) - set(numbers))
        spool = [p.name + f" {p.stat().st_size}" for p in sorted(self.cloud.spool.iterdir())]
        return (f"{len(numbers)} of {count}, missing {missing[:5]}…{missing[-5:]}, spool {spool}\n"
                + "\n".join(self.cloud.log_tail(part, 40) for part in ("broker", "hub")))

    def test_hub_and_broker_killed_at_random(self):
        key = self.cloud.create_device("counter")
        sender = Sender(self.cloud, "counter", key)
        sender.start()
        dice = random.Random(7)
        for _ in range(self.KILLS):
            time.sleep(dice.uniform(0.05, 0.25))
            part = dice.choice(("hub", "hub", "broker"))
            self.cloud.kill(part)
            time.sleep(dice.uniform(0, 0.1))
            self.cloud.start(part)
        sender.enough.set()
        sender.join(30)
        self.assertFalse(sender.is_alive())
        count, end = sender.acknowledged, time.monotonic() + 30
        self.assertGreater(count, self.KILLS)
        while len(numbers := self.stored("counter")) < count:
            self.assertLess(time.monotonic(), end, self.explain(numbers, count))
            time.sleep(0.2)
        # The last one may have been stored without its acknowledgement having arrived.
        self.assertEqual(numbers, list(range(max(count, len(numbers)))))
        self.assertLessEqual(len(numbers), count + 1)
        print(f"{count} messages, {self.KILLS} kills", file=sys.stderr)


class Front(HubTest):
    def test_too_large_a_body_is_413_in_azures_shape(self):
        status, _, body = self.cloud.request("PUT", "/devices/x", b"x" * (5 << 20))
        self.assertEqual((status, body["Message"].split(";")[0]),
                         (413, "ErrorCode:MessageTooLarge"))

    def test_hub_away_is_503_and_a_lost_method_504(self):
        token = harness.sas_token("localhost", harness.make_key(), "iothubowner")
        self.cloud.stop("hub")
        try:
            status, _, body = self.cloud.request("GET", "/devices/x", token=token)
            self.assertEqual((status, body["Message"].split(";")[0]),
                             (503, "ErrorCode:ServiceUnavailable"))
            status, _, _ = self.cloud.request("POST", "/twins/x/methods", {}, token=token)
            self.assertEqual(status, 504)
        finally:
            self.cloud.start("hub")

    def test_a_body_that_nobody_wants_is_refused_with_the_hubs_own_words(self):
        for path, status, code in (("/package-uploads/" + "0" * 64, 404, "ErrorCode:"),
                                   ("/device-files/nobody/x.jpg", 401, "ErrorCode:")):
            got, _, body = self.cloud.request("PUT", path, b"x" * 100000)
            self.assertEqual((got, body["Message"][:len(code)]), (status, code), path)

    def test_no_token_is_401(self):
        status, _, _ = self.cloud.request("GET", "/devices/x", token="nonsense")
        self.assertEqual(status, 401)

    def test_old_tls_is_refused_on_both_ports(self):
        for port in self.cloud.https_port, self.cloud.mqtts_port:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            context.set_ciphers("ALL:@SECLEVEL=0")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                context.minimum_version = ssl.TLSVersion.TLSv1
                context.maximum_version = ssl.TLSVersion.TLSv1_1
            with socket.create_connection(("127.0.0.1", port)) as s:
                with self.assertRaises((ssl.SSLError, ConnectionError)):
                    context.wrap_socket(s)

    def test_another_host_name_is_noticed_by_clients(self):
        for port in self.cloud.https_port, self.cloud.mqtts_port:
            context = ssl.create_default_context(cafile=self.cloud.ca_file)
            with socket.create_connection(("127.0.0.1", port)) as s:
                with self.assertRaises(ssl.SSLCertVerificationError):
                    context.wrap_socket(s, server_hostname="hub.example")

    def test_nothing_listens_beyond_loopback(self):
        ours = {self.cloud.https_port, self.cloud.mqtts_port, self.cloud.websocket_port}
        listening = set()
        for name, loopback in ("tcp", "0100007F"), ("tcp6", "0" * 24 + "01000000"):
            for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]:
                address, port = line.split()[1].split(":")
                if line.split()[3] == "0A" and int(port, 16) in ours:
                    self.assertEqual(address, loopback)
                    listening.add(int(port, 16))
        self.assertEqual(listening, ours)

    def test_too_many_requests_are_429(self):
        with tempfile.TemporaryDirectory(prefix="vd-") as folder:
            with harness.Cloud(folder, BUILD, requests_per_second=5) as cloud:
                statuses = [cloud.request("GET", "/devices/x", token="x")[0] for _ in range(20)]
        self.assertEqual(set(statuses[:5]), {401})
        self.assertIn(429, statuses)


class RunHub(unittest.TestCase):
    def children(self, pid):
        return [int(p.name) for p in Path("/proc").iterdir() if p.name.isdigit()
                and self.parent(p) == pid]

    @staticmethod
    def parent(folder):
        try:
            return int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1])
        except OSError:
            return 0

    def start(self, folder):
        ports = [hubstack.free_port(), hubstack.free_port()]
        process = subprocess.Popen(
            [str(ROOT / "deploy" / "hub" / "run-hub"), "--state", folder + "/s", "--build", BUILD,
             "--mqtts-port", str(ports[0]), "--https-port", str(ports[1])],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stderr.close)
        return process

    def test_says_ready_and_ends_all_on_term(self):
        with tempfile.TemporaryDirectory(prefix="vd-") as folder:
            process = self.start(folder)
            self.assertTrue(process.stdout.readline().startswith("ready https=127.0.0.1:"))
            children = self.children(process.pid)
            self.assertEqual(len(children), 3)
            process.send_signal(signal.SIGTERM)
            self.assertEqual(process.wait(20), 0)
            for child in children:
                self.assertFalse(Path(f"/proc/{child}").exists())

    def test_ends_with_1_when_a_part_ends(self):
        with tempfile.TemporaryDirectory(prefix="vd-") as folder:
            process = self.start(folder)
            self.assertTrue(process.stdout.readline().startswith("ready"))
            os.kill(self.children(process.pid)[1], signal.SIGKILL)
            self.assertEqual(process.wait(20), 1)
            self.assertIn("hub ended by itself", process.stderr.read())


class MakeCa(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="vd-")
        self.addCleanup(self.folder.cleanup)

    def make(self, *arguments):
        return subprocess.run([str(ROOT / "deploy" / "hub" / "make-ca"), self.folder.name,
                               *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, check=False)

    def test_keys_are_the_owners_and_the_ca_stays(self):
        for arguments in ("init",), ("server", "hub.example"), ("device", "d/m"):
            self.assertEqual(self.make(*arguments).returncode, 0, arguments)
        before = Path(self.folder.name, "ca.pem").read_bytes()
        self.assertEqual(self.make("init").returncode, 0)
        self.assertEqual(Path(self.folder.name, "ca.pem").read_bytes(), before)
        names = {str(p.relative_to(self.folder.name)): stat.S_IMODE(p.stat().st_mode)
                 for p in Path(self.folder.name).rglob("*") if p.is_file()}
        self.assertEqual(names, {"ca.key": 0o600, "ca.pem": 0o644, "server.key": 0o600,
                                 "server.pem": 0o644, "devices/d%2Fm.key": 0o600,
                                 "devices/d%2Fm.pem": 0o644})

    def test_what_is_wrong_is_said(self):
        for arguments, text in ((("device", "d"), "has no CA"), (("device", "a+b"), "not a device"),
                                (("device", "x" * 65), "64 characters"),
                                (("server", "a b"), "neither a DNS name")):
            done = self.make(*arguments)
            self.assertEqual(done.returncode, 1)
            self.assertIn(text, done.stderr)
        self.assertEqual(self.make("nonsense").returncode, 2)
        self.assertEqual([p.name for p in Path(self.folder.name).iterdir()], ["devices"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
