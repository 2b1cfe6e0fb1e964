#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Azure's device SDK for Node.js, unmodified, against the whole hub."""

import json
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "harness"))
import cloud as harness  # noqa: E402

BUILD = Path(os.environ.get("VD_BUILD") or HERE.parents[1] / "build" / "dev")


def install():
    """The pinned packages, once a build folder."""
    folder = BUILD / "interop"
    folder.mkdir(parents=True, exist_ok=True)
    wanted = (HERE / "package-lock.json").read_text()
    stamp = folder / "installed.json"
    if not stamp.exists() or stamp.read_text() != wanted:
        for name in "package.json", "package-lock.json", ".npmrc":
            shutil.copy(HERE / name, folder / name)
        subprocess.run(["npm", "ci", "--ignore-scripts"], cwd=folder, check=True, timeout=300,
                       stdout=sys.stderr)
        stamp.write_text(wanted)
    return folder / "node_modules"


class Device:
    """device.js in a process of its own."""

    def __init__(self, cloud, modules, identity, key=None, certificate=None,
                 more=()):
        environment = dict(os.environ, NODE_PATH=str(modules), CA_FILE=cloud.ca_file,
                           CONNECTION_STRING=cloud.device_connection_string(identity, key))
        environment.update(more)
        environment.pop("LD_PRELOAD", None)
        if certificate:
            environment["CERTIFICATE"] = certificate
        self.lines = queue.Queue()
        self.process = subprocess.Popen(["node", str(HERE / "device.js")], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        env=environment)
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stdout:
            self.lines.put(json.loads(line))
        self.lines.put({"what": "end"})

    def wait(self, what, timeout=30):
        """The data of the next line of this kind."""
        end = time.monotonic() + timeout
        while True:
            line = self.lines.get(timeout=max(0.01, end - time.monotonic()))
            if line["what"] == what:
                return line.get("data")
            if line["what"] in ("failed", "end"):
                raise AssertionError(f"waiting for {what}: {line}")

    def tell(self, text):
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


class AzureDeviceSdk(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.modules = install()
        cls.folder = tempfile.TemporaryDirectory(prefix="vd-")
        cls.cloud = harness.Cloud(cls.folder.name, BUILD)
        cls.cloud.__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.cloud.__exit__(None)
        cls.folder.cleanup()

    def device(self, identity, key=None, certificate=None):
        device = Device(self.cloud, self.modules, identity, key, certificate)
        self.addCleanup(device.end)
        return device

    def set_desired(self, path, desired):
        return self.cloud.must("PATCH", f"/twins/{path}", {"properties": {"desired": desired}},
                               headers={"If-Match": "*"})

    def reported(self, path, wanted):
        end = time.monotonic() + 10
        while True:
            reported = self.cloud.must("GET", f"/twins/{path}")["properties"]["reported"]
            if reported.get("seen") == wanted or time.monotonic() > end:
                return reported
            time.sleep(0.05)

    def connected(self, device):
        """Until the hub knows that it is: broker, device and hub find each other in any order."""
        end = time.monotonic() + 10
        while self.cloud.must("GET", f"/devices/{device}")["connectionState"] != "Connected":
            self.assertLess(time.monotonic(), end)
            time.sleep(0.05)

    def telemetry(self, device, count):
        end = time.monotonic() + 10
        while True:
            items = self.cloud.must("GET", f"/telemetry?deviceId={device}&limit=1000")["items"]
            if len(items) >= count or time.monotonic() > end:
                return items
            time.sleep(0.05)

    def the_main_job(self, device, identity):
        path = identity.replace("/", "/modules/")
        device.wait("open")
        twin = device.wait("twin")
        self.assertEqual((twin["desired"]["$version"], twin["reported"]["$version"]), (1, 1))
        device.wait("ready")
        version = self.set_desired(path, {"fps": 12, "nested": {"a": [1, 2]}})
        version = version["properties"]["desired"]["$version"]
        # The SDK shows what it knew when a listener is added, version 1, before the change.
        desired = device.wait("desired")
        while desired["$version"] != version:
            desired = device.wait("desired")
        self.assertEqual((desired["fps"], desired["nested"]), (12, {"a": [1, 2]}))
        while device.wait("reported") != version:
            pass
        self.assertEqual(self.reported(path, version)["seen"], version)
        device.tell("send 20")
        self.assertEqual(device.wait("sent"), 20)
        items = self.telemetry(identity.split("/")[0], 20)
        self.assertEqual(len(items), 20)
        status, _, answer = self.cloud.request("POST", f"/twins/{path}/methods", {
            "methodName": "echo", "payload": {"x": "é"}, "responseTimeoutInSeconds": 10})
        self.assertEqual((status, answer), (200, {"status": 200, "payload": {"got": {"x": "é"}}}))
        device.tell("close")
        device.wait("closed")

    def test_device_with_a_key(self):
        key = self.cloud.create_device("sas-1")
        self.the_main_job(self.device("sas-1", key), "sas-1")

    def test_device_with_a_certificate_of_the_ca(self):
        self.cloud.create_device("x509-ca", type="certificateAuthority")
        self.cloud.make_ca("device", "x509-ca")
        device = self.device("x509-ca", None, str(self.cloud.ca / "devices" / "x509-ca"))
        self.the_main_job(device, "x509-ca")

    def test_device_with_a_self_signed_certificate(self):
        thumbprint = self.cloud.make_ca("self-signed", "x509-self")
        self.cloud.create_device("x509-self", type="selfSigned", x509Thumbprint={
            "primaryThumbprint": thumbprint, "secondaryThumbprint": ""})
        device = self.device("x509-self", None, str(self.cloud.ca / "devices" / "x509-self"))
        self.the_main_job(device, "x509-self")

    def test_module_with_a_key(self):
        self.cloud.create_device("with-module")
        key = self.cloud.create_device("with-module/m1")
        self.the_main_job(self.device("with-module/m1", key), "with-module/m1")

    def test_wrong_key_is_refused(self):
        self.cloud.create_device("sas-wrong")
        device = self.device("sas-wrong", harness.make_key())
        self.assertIn("Not authorized", device.wait("failed"))

    def test_a_broker_killed_is_invisible_to_the_application(self):
        key = self.cloud.create_device("sas-2")
        device = self.device("sas-2", key)
        device.wait("ready")
        # The SDK does not wait for its SUBSCRIBE; a change that arrives shows that it is through.
        version = self.set_desired("sas-2", {"before": 1})["properties"]["desired"]["$version"]
        while device.wait("desired")["$version"] != version:
            pass
        self.cloud.kill("broker")
        device.tell("send 5")
        self.cloud.start("broker")
        self.assertEqual(device.wait("sent", 60), 5)
        self.assertEqual(len(self.telemetry("sas-2", 5)), 5)
        self.connected("sas-2")
        # The SDK does not subscribe again; the hub knows all the same.
        version = self.set_desired("sas-2", {"after": 1})["properties"]["desired"]["$version"]
        while device.wait("desired")["$version"] != version:
            pass
        self.assertEqual(self.reported("sas-2", version)["seen"], version)

    def test_a_hub_killed_is_an_error_and_no_silence(self):
        key = self.cloud.create_device("sas-3")
        device = self.device("sas-3", key)
        device.wait("ready")
        device.wait("reported")
        self.cloud.kill("hub")
        try:
            device.tell("send 5")
            self.assertEqual(device.wait("sent"), 5)
            device.tell("twin")
            self.assertIn("away", device.wait("failed"))
        finally:
            self.cloud.start("hub")
        self.assertEqual(len(self.telemetry("sas-3", 5)), 5)


if __name__ == "__main__":
    unittest.main(verbosity=2)
