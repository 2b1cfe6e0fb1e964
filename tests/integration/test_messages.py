#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Cloud-to-device messages over the whole hub: queue, limits, refusals, and no loss when broker or
hub are killed."""

import base64
import json
import sys
import time
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "harness"))
from hub_case import HubCase  # noqa: E402


class Messages(HubCase):
    def subscriber(self):
        client = self.connect(clean=True)
        client.disconnect()
        client = self.connect()
        self.assertEqual(client.subscribe(f"devices/{self.id}/messages/devicebound/#"), 1)
        return client

    def post(self, message, **options):
        return self.cloud.request("POST", f"/devices/{self.id}/messages/deviceBound", message,
                                  **options)

    def send(self, **message):
        status, _, answer = self.post(message)
        self.assertEqual(status, 200, answer)
        return answer

    def count(self):
        counts = {self.cloud.must("GET", f"/{kind}/{self.id}")["cloudToDeviceMessageCount"]
                  for kind in ("devices", "twins")}
        self.assertEqual(len(counts), 1)
        return counts.pop()

    def until(self, count):
        end = time.monotonic() + 10
        while self.count() != count:
            self.assertLess(time.monotonic(), end, self.count())
            time.sleep(0.02)

    def test_topic_and_properties_as_azure_has_them(self):
        client = self.subscriber()
        self.send(body={"a": 1}, messageId="m 1", properties={"k": "v/+#"}, ack="full")
        topic, body, flags = client.message()
        self.assertEqual(topic, f"devices/{self.id}/messages/devicebound/%24.mid=m%201"
                         "&%24.ct=application%2Fjson&%24.ce=utf-8"
                         f"&%24.to=%2Fdevices%2F{self.id}%2Fmessages%2FdeviceBound"
                         "&iothub-ack=full&k=v%2F%2B%23")
        self.assertEqual((json.loads(body), flags >> 1 & 3), ({"a": 1}, 1))
        self.until(0)
        self.send(bodyBase64=base64.b64encode(bytes(range(256))).decode())
        self.assertEqual(client.message()[1], bytes(range(256)))

    def test_the_offline_find_theirs_in_order_after_kills_of_hub_and_broker(self):
        self.subscriber().disconnect()
        for i in range(20):
            self.send(body=str(i))
            if i == 10:
                self.cloud.kill("hub")
                self.cloud.kill("broker")
                self.cloud.start("broker")
                self.cloud.start("hub")
        self.assertEqual(self.count(), 20)
        client = self.connect()  # subscribes to nothing: its session goes on
        self.assertEqual([client.message()[1] for _ in range(20)],
                         [str(i).encode() for i in range(20)])
        self.until(0)

    def test_a_connected_device_without_the_subscription_is_given_nothing(self):
        client = self.connect(clean=True)
        self.send(body="x")
        with self.assertRaises(TimeoutError):
            client.message(0.5)
        self.assertEqual(self.count(), 1)
        client.subscribe(f"devices/{self.id}/messages/devicebound/#")
        self.assertEqual(client.message()[1], b"x")

    def test_the_broker_killed_while_handing_out_loses_nothing(self):
        client = self.subscriber()
        got = set()
        for i in range(30):
            self.send(body=str(i))
            if i % 10 == 5:
                self.cloud.kill("broker")
                self.cloud.start("broker")
                client = self.connect()
            end = time.monotonic() + 0.05
            while time.monotonic() < end:
                try:
                    got.add(int(client.message(0.02)[1]))
                except TimeoutError:
                    pass
                except Exception:
                    break
        end = time.monotonic() + 10
        while self.count() and time.monotonic() < end:
            try:
                got.add(int(client.message(0.2)[1]))
            except TimeoutError:
                pass
        try:
            while True:
                got.add(int(client.message(0.5)[1]))
        except TimeoutError:
            pass
        # What the broker had for the device and not yet sent goes with it: at most one a kill.
        self.assertGreaterEqual(len(got), 30 - 3)
        self.assertEqual(self.count(), 0)

    def test_fifty_wait_and_the_next_is_refused(self):
        for _ in range(50):
            self.send(body="x")
        status, headers, answer = self.post({"body": "x"})
        self.assertEqual((status, headers["iothub-errorcode"]),
                         (403, "DeviceMaximumQueueDepthExceeded"), answer)
        purged = self.cloud.must("DELETE", f"/devices/{self.id}/commands")
        self.assertEqual(purged["totalMessagesPurged"], 50)
        self.assertEqual(self.count(), 0)
        self.send(body="x")

    def test_the_expired_are_not_delivered(self):
        self.subscriber().disconnect()
        soon = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 2))
        self.send(body="late", expiryTimeUtc=soon)
        self.send(body="good")
        time.sleep(2.2)
        client = self.connect()
        self.assertEqual(client.message()[1], b"good")
        self.until(0)

    def test_refusals(self):
        for message, status in (({"body": "x" * 65536}, 413), ({"body": 1, "bdy": 2}, 400),
                                ({"expiryTimeUtc": "2000-01-01T00:00:00Z"}, 400),
                                ({"ack": "perhaps"}, 400), ([], 400)):
            self.assertEqual(self.post(message)[0], status, str(message)[:60])
        self.assertEqual(self.post({}, policy="registryRead")[0], 401)
        self.assertEqual(self.cloud.request("POST", "/devices/nobody/messages/deviceBound",
                                            {})[0], 404)
        self.assertEqual(self.cloud.request("DELETE", "/devices/nobody/commands")[0], 404)
        self.assertEqual(self.count(), 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
