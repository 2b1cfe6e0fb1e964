#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Reading telemetry from a whole hub while it works: long answers hold nobody up, and end when
their client goes."""

import http.client
import json
import ssl
import sys
import threading
import time
import unittest
import urllib.parse
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "harness"))
import cloud as harness  # noqa: E402
from hub_case import HubCase  # noqa: E402

BOOT = "11111111-1111-4111-8111-{:012}"
RECORDS = 1000
START = int(time.time()) - 40000


def at(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(START + seconds))


class Telemetry(HubCase):
    def send(self, client, batch, count=RECORDS):
        records = [{"deviceId": self.id, "bootId": BOOT.format(batch), "seq": i,
                    "tWall": at(batch * count + i) + ".000Z", "class": "telemetry",
                    "module": "oven", "body": {"t": batch * count + i}} for i in range(count)]
        client.publish(f"devices/{self.id}/messages/events/vd-batch=1&class=telemetry",
                       json.dumps(records).encode())

    def wait_for(self, count):
        end = time.monotonic() + 60
        while True:
            answer = self.cloud.must("GET", f"/telemetry/statistics?deviceId={self.id}")
            total = sum(c["total"] for c in answer["classes"].values())
            if total >= count:
                return
            self.assertLess(time.monotonic(), end, f"{total} of {count}")
            time.sleep(0.05)

    def get(self, resource, **arguments):
        return self.cloud.must("GET", resource + "?" + urllib.parse.urlencode(
            {"deviceId": self.id, **arguments}, quote_via=urllib.parse.quote))

    def test_a_curve_over_many_batches_is_whole(self):
        client = self.connect()
        for batch in range(10):
            self.send(client, batch)
        self.wait_for(10 * RECORDS)
        answer = self.get("/telemetry/series", path="/body/t", points=10,
                          **{"from": at(0) + "Z", "to": at(9999) + ".999Z"})
        self.assertEqual([(p["min"], p["max"], p["count"]) for p in answer["points"]],
                         [(i * 1000, i * 1000 + 999, 1000) for i in range(10)])
        page = self.get("/telemetry", limit=5, **{"from": at(3600) + "Z"})
        self.assertEqual([r["body"]["t"] for r in page["items"]], [3600, 3601, 3602, 3603, 3604])
        page = self.get("/telemetry", limit=2, order="newest", to=at(3600) + "Z")
        self.assertEqual([r["body"]["t"] for r in page["items"]], [3599, 3600])

    def test_clients_that_go_take_their_long_answers_along(self):
        client = self.connect()
        for batch in range(30):
            self.send(client, batch)
        self.wait_for(30 * RECORDS)
        arguments = urllib.parse.urlencode({
            "deviceId": self.id, "path": "/body/t", "points": 100, "api-version": "2021-04-12",
            "from": at(0) + "Z", "to": at(40000) + "Z"})
        token = harness.sas_token(self.cloud.host_name, self.cloud.policy_key(), "iothubowner")
        context = ssl.create_default_context(cafile=self.cloud.ca_file)
        for _ in range(60):
            connection = http.client.HTTPSConnection("localhost", self.cloud.https_port,
                                                     context=context, timeout=20)
            connection.request("GET", f"/telemetry/series?{arguments}",
                               headers={"Host": self.cloud.host_name, "Authorization": token})
            time.sleep(0.005)
            connection.close()
        answer = self.cloud.must("GET", f"/telemetry/series?{arguments}")
        self.assertEqual(sum(point["count"] for point in answer["points"]), 30 * RECORDS)

    def test_pages_neither_skip_nor_repeat_while_a_device_sends(self):
        client = self.connect()

        def send():
            for batch in range(20):
                self.send(client, batch, count=100)
        thread = threading.Thread(target=send)
        thread.start()
        seen, after, end = [], 0, time.monotonic() + 60
        while len(seen) < 2000:
            page = self.get("/telemetry", limit=37, after=after)
            seen += [record["body"]["t"] for record in page["items"]]
            after = page["continuation"]
            self.assertLess(time.monotonic(), end)
        thread.join()
        self.assertEqual(seen, list(range(2000)))


if __name__ == "__main__":
    unittest.main(verbosity=2)
