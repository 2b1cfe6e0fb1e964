#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Peers that dawdle, stop in the middle or never read, hundreds of them, on both ports: everybody
else is served as before, and the hub itself never meets them."""

import os
import socket
import ssl
import sys
import tempfile
import time
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "harness"))
import cloud as harness  # noqa: E402

BUILD = os.environ.get("VD_BUILD") or str(ROOT / "build" / "dev")
STRANGER = ("127.0.0.2", 0)  # another address: limits for one address must not explain the outcome
KEEPALIVE = 32  # connections that the front keeps to the hub: nginx.conf.in
EACH = 60


class SlowPeers(unittest.TestCase):
    def setUp(self):
        folder = self.enterContext(tempfile.TemporaryDirectory(prefix="vd-"))
        self.cloud = self.enterContext(harness.Cloud(folder, BUILD))
        self.key = self.cloud.create_device("d1")
        self.context = ssl.create_default_context(cafile=self.cloud.ca_file)
        self.context.check_hostname = False

    def peers(self, port, said=b"", tls=True, count=EACH):
        """Connections that said this and now are silent."""
        peers = []
        for _ in range(count):
            peer = socket.create_connection(("127.0.0.1", port), source_address=STRANGER)
            self.addCleanup(peer.close)
            if tls:
                peer = self.context.wrap_socket(peer)
                self.addCleanup(peer.close)
            if said:
                peer.sendall(said)
            peers.append(peer)
        return peers

    def request(self, head):
        token = harness.sas_token(self.cloud.host_name, self.cloud.policy_key("iothubowner"),
                                  "iothubowner")
        return (head + f"Host: {self.cloud.host_name}\r\nAuthorization: {token}\r\n").encode()

    def connections_of_the_hub(self):
        folder = Path(f"/proc/{self.cloud.children['hub'].pid}/fd")
        return sum(os.readlink(fd).startswith("socket:") for fd in folder.iterdir())

    def serve_everybody_else(self):
        for _ in range(50):
            twin = self.cloud.must("GET", "/twins/d1", timeout=5)
            self.assertEqual(twin["deviceId"], "d1")
        with self.cloud.client("d1", self.key).connect() as device:
            device.subscribe("$iothub/twin/res/#")
            for i in range(50):
                device.publish_only(f"$iothub/twin/GET/?$rid={i}", qos=0)
                topic, *_ = device.message(5)
                self.assertEqual(topic, f"$iothub/twin/res/200/?$rid={i}")
                device.publish("devices/d1/messages/events/", b"{}")

    def test_peers_that_stop_in_the_middle_block_nobody(self):
        hello = b"\x16\x03\x01\x02\x00\x01"  # a ClientHello that ends after its first bytes
        for port in self.cloud.https_port, self.cloud.mqtts_port:
            self.peers(port, tls=False)
            self.peers(port, hello, tls=False)
            self.peers(port)
        self.peers(self.cloud.mqtts_port, b"\x10\x7f\x00\x04MQ")
        before = self.connections_of_the_hub()
        headers = self.peers(self.cloud.https_port, self.request("GET /twins/d1 HTTP/1.1\r\n"))
        self.peers(self.cloud.https_port, self.request("PATCH /twins/d1 HTTP/1.1\r\n")
                   + b"Content-Length: 60000\r\n\r\n{")
        self.serve_everybody_else()
        self.assertLessEqual(self.connections_of_the_hub(), before + KEEPALIVE)
        self.are_ended(headers)

    def test_peers_that_never_read_block_nobody(self):
        for i in range(300):
            self.cloud.create_device(f"filler-{i:03}")
        whole = self.request("GET /devices/?top=1000&api-version=2021-04-12 HTTP/1.1\r\n") + b"\r\n"
        before = self.connections_of_the_hub()
        self.peers(self.cloud.https_port, whole * 20, count=20)
        self.serve_everybody_else()
        self.assertLessEqual(self.connections_of_the_hub(), before + KEEPALIVE)

    def are_ended(self, peers):
        """The front closes them by itself; 30 s are three times its patience."""
        end = time.monotonic() + 30
        for peer in peers:
            peer.settimeout(max(0.1, end - time.monotonic()))
            try:
                while peer.recv(4096):
                    pass
            except (ConnectionError, ssl.SSLError):
                pass


if __name__ == "__main__":
    unittest.main(verbosity=2)
