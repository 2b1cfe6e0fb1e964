#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A desired change made while device, broker and hub cannot reach each other is told afterwards,
also to a device that resumes its session and asks for nothing, as Azure's SDKs do."""

import json
import os
import sys
import time
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "harness"))
from hub_case import HubCase  # noqa: E402
import mqtt  # noqa: E402

BUILD = os.environ.get("VD_BUILD") or str(Path(__file__).resolve().parents[2] / "build" / "dev")
DESIRED = "$iothub/twin/PATCH/properties/desired/"


class CatchUp(HubCase):
    def device_with_twin(self):
        """Connected, subscribed, its GET answered."""
        self.set_desired({"kept": 1, "removed": 1})
        client = self.connect(clean=True)
        client.disconnect()
        client = self.connect()
        client.subscribe("$iothub/twin/res/#", 0)
        client.subscribe(DESIRED + "#", 0)
        self.get(client)
        return client

    def get(self, client):
        self.until_known(True)
        client.publish("$iothub/twin/GET/?$rid=1", b" ", qos=0)
        topic, body, _ = client.message()
        self.assertTrue(topic.startswith("$iothub/twin/res/200/?$rid=1"), topic)
        return json.loads(body)["desired"]["$version"]

    def set_desired(self, desired):
        twin = self.cloud.must("PATCH", f"/twins/{self.id}", {"properties": {"desired": desired}},
                               headers={"If-Match": "*"})
        return twin["properties"]["desired"]["$version"]

    def until_known(self, connected):
        state, end = "Connected" if connected else "Disconnected", time.monotonic() + 10
        while self.cloud.must("GET", f"/devices/{self.id}")["connectionState"] != state:
            self.assertLess(time.monotonic(), end)
            time.sleep(0.02)

    def told(self, client, timeout=10):
        """The next notice: its version and the patch."""
        topic, body, _ = client.message(timeout)
        self.assertTrue(topic.startswith(DESIRED + "?$version="), topic)
        patch = json.loads(body)
        version = patch.pop("$version")
        self.assertEqual(topic, f"{DESIRED}?$version={version}")
        return version, patch

    def test_a_change_while_the_broker_is_away(self):
        client = self.device_with_twin()
        self.cloud.kill("broker")
        self.until_known(False)
        version = self.set_desired({"removed": None, "new": 2})
        self.cloud.start("broker")
        client = self.connect()
        self.assertEqual(self.told(client), (version, {"removed": None, "new": 2}))

    def test_a_change_while_the_device_is_away(self):
        client = self.device_with_twin()
        client.close()
        self.until_known(False)
        self.set_desired({"new": 2})
        version = self.set_desired({"removed": None})
        client = self.connect()
        self.assertEqual(self.told(client), (version, {"removed": None, "new": 2}))

    def test_a_change_before_the_restarted_hub_has_found_the_broker(self):
        client = self.device_with_twin()
        self.cloud.kill("hub")
        self.cloud.start("hub")
        version = self.set_desired({"removed": None})  # at once, the link comes later
        self.assertEqual(self.told(client), (version, {"removed": None}))

    def test_a_subscription_after_a_restart_brings_what_changed_since_the_get(self):
        client = self.connect(clean=True)
        client.subscribe("$iothub/twin/res/#", 0)
        self.get(client)
        self.cloud.kill("hub")
        self.cloud.start("hub")
        version = self.set_desired({"new": 2})
        self.until_known(True)
        client.subscribe(DESIRED + "#", 0)
        self.assertEqual(self.told(client), (version, {"new": 2}))

    def test_a_notice_that_was_under_way_when_the_connection_broke_is_told_again(self):
        client = self.device_with_twin()
        client.close()  # no DISCONNECT: what was sent last may not have arrived
        self.until_known(False)
        client = self.connect()
        self.until_known(True)
        version = self.set_desired({"new": 2})
        self.assertEqual(self.told(client), (version, {"new": 2}))
        client.close()
        self.until_known(False)
        client = self.connect()
        self.assertEqual(self.told(client), (version, {"new": 2}))

    def test_nothing_is_told_when_nothing_changed(self):
        client = self.device_with_twin()
        client.close()
        self.until_known(False)
        client = self.connect()
        self.until_known(True)
        self.cloud.kill("hub")
        self.cloud.start("hub")
        self.until_known(True)
        with self.assertRaises(TimeoutError):
            client.message(0.5)

    def test_a_device_that_never_asked_is_told_nothing_of_the_past(self):
        client = self.connect(clean=True)
        client.disconnect()
        self.set_desired({"new": 2})
        client = self.connect()
        client.subscribe(DESIRED + "#", 0)
        self.until_known(True)
        with self.assertRaises(TimeoutError):
            client.message(0.5)


if __name__ == "__main__":
    unittest.main(verbosity=2)
