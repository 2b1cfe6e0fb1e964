#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Reading changes nothing: every GET of the hub's own table of routes, answered or refused, leaves
the database as it is, sends no device anything and is no event."""

import hashlib
import os
import re
import subprocess
import sys
import tempfile
import threading
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "harness"))
import cloud as harness  # noqa: E402

BUILD = os.environ.get("VD_BUILD") or str(ROOT / "build" / "dev")
ROUTE = re.compile(r'\{ VD_VERB_GET, "([^"]+)"')
ENDLESS = "events"


def routes():
    """Paths of all GETs, with names that exist where there are some."""
    for pattern in ROUTE.findall((ROOT / "twin" / "hub" / "api" / "api.c").read_text()):
        path = "/" + pattern
        path = path.replace("/modules/*", "/modules/m1").replace("history/*", "history/1")
        path = re.sub(r"/(devices|twins)/\*", r"/\1/d1", path)
        path = path.replace("configurations/*", "configurations/c1").replace("jobs/v2/*", "jobs/v2/j1")
        yield pattern, path.replace("**", "d1/x.jpg").replace("*", "none")


class Reading(unittest.TestCase):
    def setUp(self):
        folder = self.enterContext(tempfile.TemporaryDirectory(prefix="vd-"))
        self.cloud = self.enterContext(harness.Cloud(folder, BUILD))
        self.key = self.cloud.create_device("d1")
        self.cloud.create_device("d1/m1")
        self.cloud.must("PUT", "/configurations/c1", {
            "id": "c1", "content": {"deviceContent": {"properties.desired.a": 1}},
            "targetCondition": "deviceId = 'd1'"})
        self.cloud.must("PUT", "/jobs/v2/j1", {
            "jobId": "j1", "type": "scheduleUpdateTwin", "updateTwin": {"tags": {"a": 1}},
            "queryCondition": "*", "startTime": "2020-01-01T00:00:00Z",
            "maxExecutionTimeInSeconds": 60})

    def content(self):
        """A digest of all rows of the database, whatever the write-ahead log holds of them."""
        database = self.cloud.hub_folder / "hub.sqlite"
        dump = subprocess.run(["sqlite3", f"file:{database}?mode=ro", ".dump"], check=True,
                              stdout=subprocess.PIPE)
        return hashlib.sha256(dump.stdout).hexdigest()

    def settled(self):
        """Configuration and job have done what they do; twice the same is at rest."""
        before = None
        for _ in range(100):
            now = self.content()
            if now == before and self.cloud.must("GET", "/jobs/v2/j1")["status"] == "completed":
                return now
            before = now
            threading.Event().wait(0.3)
        raise AssertionError("the hub does not come to rest")

    def test_no_get_changes_anything(self):
        with self.cloud.client("d1", self.key).connect() as device:
            for topic in "twin/PATCH/properties/desired/#", "methods/POST/#":
                device.subscribe("$iothub/" + topic)
            before, asked = self.settled(), 0
            for pattern, path in routes():
                if pattern == ENDLESS:
                    continue
                for policy in "iothubowner", "device":
                    status = self.cloud.request("GET", path, policy=policy)[0]
                    self.assertIn(status, (200, 206, 304, 400, 401, 403, 404, 405, 501), path)
                asked += 1
            self.assertGreater(asked, 25)
            self.assertEqual(self.content(), before)
            with self.assertRaises(TimeoutError):
                device.message(0.3)

    def test_a_query_and_a_test_of_conditions_change_nothing_though_they_are_posts(self):
        before = self.settled()
        self.cloud.must("POST", "/devices/query", {"query": "SELECT * FROM devices"})
        self.cloud.must("POST", "/configurations/testQueries",
                        {"targetCondition": "*", "customMetricQueries": {}})
        self.assertEqual(self.content(), before)


if __name__ == "__main__":
    unittest.main(verbosity=2)
