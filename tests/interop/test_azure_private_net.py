#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What Azure's device SDK does on port 443 only: MQTT over WebSocket and file upload; and
cloud-to-device messages on both transports. In a network of its own."""

import hashlib
import os
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "harness")]
import cloud as harness  # noqa: E402
import private_net  # noqa: E402
from test_azure_device_sdk import BUILD, Device, install  # noqa: E402


class Private(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.modules = install()
        cls.folder = tempfile.TemporaryDirectory(prefix="vd-")
        cls.cloud = harness.Cloud(cls.folder.name, BUILD, host_name=private_net.HOST_NAME,
                                  **private_net.PORTS)
        cls.cloud.__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.cloud.__exit__(None)
        cls.folder.cleanup()

    def setUp(self):
        self.id = self._testMethodName
        self.key = self.cloud.create_device(self.id)

    def device(self, **environment):
        text = f"HostName={private_net.HOST_NAME};DeviceId={self.id};SharedAccessKey={self.key}"
        device = Device(self.cloud, self.modules, self.id, self.key, more={
            "CONNECTION_STRING": text, "NODE_EXTRA_CA_CERTS": self.cloud.ca_file, **environment})
        self.addCleanup(device.end)
        return device

    def send(self, **message):
        return self.cloud.must("POST", f"/devices/{self.id}/messages/deviceBound", message)

    def waiting(self, count):
        end = time.monotonic() + 10
        while self.count() != count:
            self.assertLess(time.monotonic(), end, self.count())
            time.sleep(0.02)

    def count(self):
        return self.cloud.must("GET", f"/devices/{self.id}")["cloudToDeviceMessageCount"]


class WebSocket(Private):
    def test_the_sdk_works_over_websocket_as_over_mqtt(self):
        device = self.device(TRANSPORT="ws")
        device.wait("ready")
        twin = self.cloud.must("PATCH", f"/twins/{self.id}", {
            "properties": {"desired": {"fps": 12}}}, headers={"If-Match": "*"})
        version = twin["properties"]["desired"]["$version"]
        while device.wait("desired")["$version"] != version:
            pass
        while device.wait("reported") != version:
            pass
        device.tell("send 20")
        self.assertEqual(device.wait("sent"), 20)
        status, _, answer = self.cloud.request("POST", f"/twins/{self.id}/methods", {
            "methodName": "echo", "payload": {"x": 1}, "responseTimeoutInSeconds": 10})
        self.assertEqual((status, answer["payload"]), (200, {"got": {"x": 1}}))
        device.tell("close")
        device.wait("closed")
        self.until_gone()

    def until_gone(self):
        end = time.monotonic() + 10
        while self.cloud.must("GET", f"/devices/{self.id}")["connectionState"] == "Connected":
            self.assertLess(time.monotonic(), end)
            time.sleep(0.05)

    def test_a_wrong_key_is_refused(self):
        self.key = harness.make_key()
        self.assertIn("Not authorized", self.device(TRANSPORT="ws").wait("failed"))

    def test_a_disabled_device_loses_its_connection(self):
        device = self.device(TRANSPORT="ws")
        device.wait("ready")
        body = self.cloud.must("GET", f"/devices/{self.id}")
        body["status"] = "disabled"
        self.cloud.must("PUT", f"/devices/{self.id}", body, headers={"If-Match": "*"})
        self.until_gone()

    def test_nothing_is_open_beyond_loopback(self):
        lines = subprocess.run(["ss", "-Hltn"], stdout=subprocess.PIPE, text=True,
                               check=True).stdout.splitlines()
        open_ports = {line.split()[3] for line in lines}
        self.assertEqual(open_ports, {"127.0.0.1:443", "127.0.0.1:8883",
                                      f"127.0.0.1:{self.cloud.websocket_port}"})
        udp = subprocess.run(["ss", "-Hlun"], stdout=subprocess.PIPE, text=True, check=True)
        self.assertEqual(udp.stdout, "")


class Messages(Private):
    def test_online_with_properties(self):
        for transport in "mqtt", "ws":
            device = self.device(LISTEN="1", TRANSPORT=transport)
            device.wait("ready")
            self.send(body={"a": "é"}, messageId="m 1", correlationId="c/1",
                      properties={"a b": "x/y&z=+#é", "empty": ""})
            got = device.wait("message")
            self.assertEqual(got, {
                "id": "m 1", "text": '{"a":"é"}', "contentType": "application/json",
                "correlationId": "c/1",
                "properties": [{"key": "a b", "value": "x/y&z=+#é"},
                               {"key": "empty", "value": ""}]})
            self.waiting(0)
            device.tell("close")
            device.wait("closed")

    def test_queued_for_the_offline_in_order_through_restarts_of_all(self):
        device = self.device(LISTEN="1")
        device.wait("ready")
        device.tell("close")
        device.wait("closed")
        for i in range(5):
            self.send(body=f"m{i}")
        self.waiting(5)
        for part in "broker", "hub":
            self.cloud.kill(part)
            self.cloud.start(part)
        device = self.device(LISTEN="1")
        self.assertEqual([device.wait("message")["text"] for _ in range(5)],
                         [f"m{i}" for i in range(5)])
        self.waiting(0)


class FileUpload(Private):
    def test_the_sdks_upload_in_blocks_is_stored_by_digest(self):
        device = self.device()
        device.wait("ready")
        size = 9 * 1024 * 1024 + 7
        device.tell(f"upload shots/cam-1.jpg {size}")
        self.assertEqual(device.wait("uploaded"), "shots/cam-1.jpg")
        wanted = (b"vedette" * (size // 7 + 1))[:size]
        image, = self.cloud.must("GET", f"/images?deviceId={self.id}")
        self.assertEqual((image["sha256"], image["bytes"], image["blobName"]),
                         (hashlib.sha256(wanted).hexdigest(), size, "shots/cam-1.jpg"))
        self.assertEqual(self.cloud.must("GET", f"/images/{image['sha256']}"), wanted)


if __name__ == "__main__":
    private_net.enter()
    unittest.main(verbosity=2)
