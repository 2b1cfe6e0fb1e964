#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Configurations and jobs through the whole hub, with devices that are told of what changes."""

import json
import os
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
PATCH = "$iothub/twin/PATCH/properties/desired/#"


class Configurations(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="vd-")
        cls.cloud = harness.Cloud(cls.folder.name, BUILD)
        cls.cloud.__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.cloud.__exit__(None)
        cls.folder.cleanup()

    def put(self, name, condition, settings, priority=1):
        self.addCleanup(self.cloud.request, "DELETE", f"/configurations/{name}")
        return self.cloud.must("PUT", f"/configurations/{name}", {
            "id": name, "targetCondition": condition, "priority": priority,
            "content": {"deviceContent": settings}})

    def tag(self, device, **tags):
        self.cloud.must("PATCH", f"/twins/{device}", {"tags": tags}, headers={"If-Match": "*"})

    def until(self, done):
        end = time.monotonic() + 15
        while not (value := done()):
            self.assertLess(time.monotonic(), end)
            time.sleep(0.05)
        return value

    def desired(self, device, key):
        return self.cloud.must("GET", f"/twins/{device}")["properties"]["desired"].get(key)

    def test_a_connected_device_is_told_when_it_comes_under_a_condition_and_when_it_leaves(self):
        key = self.cloud.create_device("told")
        with self.cloud.client("told", key).connect() as client:
            client.subscribe(PATCH)
            self.put("told-1", "tags.line = 1", {"properties.desired.fps": 5})
            self.tag("told", line=1)
            self.assertEqual(json.loads(client.message()[1]), {"fps": 5, "$version": 2})
            self.tag("told", line=2)
            self.assertEqual(json.loads(client.message()[1]), {"fps": None, "$version": 3})

    def test_what_a_device_reports_moves_it(self):
        key = self.cloud.create_device("moves")
        self.put("moves-1", "properties.reported.model = 'x2'", {"properties.desired.a": 1})
        with self.cloud.client("moves", key).connect() as client:
            client.publish("$iothub/twin/PATCH/properties/reported/?$rid=1",
                           json.dumps({"model": "x2"}))
            self.until(lambda: self.desired("moves", "a") == 1)

    def test_a_device_that_is_made_later_follows_and_its_hand_made_change_comes_back(self):
        self.put("later-1", "deviceId = 'later'", {"properties.desired.a": {"b": 1}})
        self.cloud.create_device("later")
        self.until(lambda: self.desired("later", "a") == {"b": 1})
        self.cloud.must("PATCH", "/twins/later", {"properties": {"desired": {"a": {"b": 2}}}},
                        headers={"If-Match": "*"})
        self.until(lambda: self.desired("later", "a") == {"b": 1})

    def test_a_hub_killed_at_any_moment_reaches_the_same_end(self):
        names = [f"fleet{i}" for i in range(60)]
        self.cloud.must("POST", "/devices", [{"id": name, "importMode": "create",
                                              "tags": {"fleet": True}} for name in names])
        for name, priority in ("low", 1), ("high", 2):
            self.put(name, "tags.fleet = true", {"properties.desired.level": name}, priority)
            self.cloud.kill("hub")
            self.cloud.start("hub")
        self.until(lambda: self.counts("high") == {"targetedCount": 60, "appliedCount": 60})
        self.assertEqual(self.counts("low"), {"targetedCount": 60, "appliedCount": 0})
        self.cloud.must("DELETE", "/configurations/high")
        self.cloud.kill("hub")
        self.cloud.start("hub")
        self.until(lambda: {self.desired(name, "level") for name in names} == {"low"})
        self.cloud.must("DELETE", "/configurations/low")
        self.cloud.kill("hub")
        self.cloud.start("hub")
        self.until(lambda: {self.desired(name, "level") for name in names} == {None})

    def counts(self, name):
        return self.cloud.must("GET", f"/configurations/{name}")["systemMetrics"]["results"]


if __name__ == "__main__":
    unittest.main(verbosity=2)
