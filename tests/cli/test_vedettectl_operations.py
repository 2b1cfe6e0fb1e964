#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""vedettectl drift, deadletter, audit export, comments, and what grows with the fleet, as text."""

import hashlib
import json
import os
import re
import sqlite3
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "harness"))
from cloud import Cloud  # noqa: E402

BUILD = Path(os.environ.get("VD_BUILD", ROOT / "build" / "dev"))
PROGRAM = BUILD / "bin" / "vedettectl"


class OperationsTest(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="vedette-operations-")
        cls.cloud = Cloud(cls.folder.name, BUILD, host_name="hub.vedette.test")
        cls.cloud.__enter__()
        cls.connection = cls.cloud.service_connection_string()

    @classmethod
    def tearDownClass(cls):
        cls.cloud.__exit__(None, None, None)
        cls.folder.cleanup()

    def ctl(self, *arguments, status=0):
        environment = dict(os.environ, VEDETTE_HUB_CONNECTION=self.connection)
        done = subprocess.run(
            [PROGRAM, "--ca", self.cloud.ca_file, "--connect-to",
             f"127.0.0.1:{self.cloud.https_port}", *arguments],
            env=environment, capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, status, f"{arguments}\n{done.stdout}{done.stderr}")
        return done

    def wait(self, condition, what):
        end = time.monotonic() + 20
        while not condition():
            self.assertLess(time.monotonic(), end, what)
            time.sleep(0.05)

    def test_a_device_that_does_not_take_its_document_is_in_the_drift_list(self):
        self.cloud.create_device("drifter")
        self.ctl("twin", "set", "drifter", "x=1", "--comment", "for line 7")
        self.assertRegex(self.ctl("drift", "--older-than", "0").stdout,
                         r"(?m)^drifter +2 +- +- +20\d\d-")
        self.assertNotIn("drifter", self.ctl("drift").stdout)
        self.assertRegex(self.ctl("twin", "history", "drifter").stdout,
                         r"(?m)^2 .* update +for line 7$")

    def test_a_dead_letter_is_listed_shown_and_replayed(self):
        key = self.cloud.create_device("writer")
        with self.cloud.client("writer", key).connect() as client:
            client.publish("devices/writer/messages/events/vd-batch=1&class=event", b"no array")
        self.wait(lambda: "writer" in self.ctl("deadletter", "list").stdout, "no letter")
        letter, = json.loads(self.ctl("-o", "json", "deadletter", "list", "--device",
                                      "writer").stdout)
        shown = json.loads(self.ctl("-o", "json", "deadletter", "show", str(letter["id"])).stdout)
        self.assertEqual(shown["payloadBase64"], "bm8gYXJyYXk=")
        self.assertEqual(self.ctl("deadletter", "replay", str(letter["id"])).stdout,
                         "0 taken, 1 still unreadable\n")
        self.assertEqual(self.ctl("deadletter", "replay", "--all").stdout,
                         "0 taken, 1 still unreadable\n")
        self.ctl("deadletter", "show", str(letter["id"]), status=3)
        self.ctl("deadletter", "replay", status=2)

    def test_the_audit_log_is_exported_with_a_note_to_verify_against(self):
        self.cloud.create_device("audited")
        done = self.ctl("audit", "export")
        entries = [json.loads(line) for line in done.stdout.splitlines()]
        note = re.search(r"note (\d+:[0-9a-f]{64})", done.stderr).group(1)
        self.assertEqual(f"{entries[-1]['id']}:{entries[-1]['hash']}", note)
        self.assertIn("good: ", self.ctl("audit", "verify", "--anchor", note).stdout)

    def let_audit_entries_go(self, upto, is_noted):
        """As the hub does for their age; the triggers would let nobody else."""
        database = sqlite3.connect(self.cloud.hub_folder / "hub.sqlite", timeout=10)
        with self.assertRaises(sqlite3.IntegrityError):
            database.execute("DELETE FROM audit")
        anchor, = database.execute("SELECT hash FROM audit WHERE id = ?", (upto,)).fetchone()
        database.execute("INSERT OR REPLACE INTO audit_anchor VALUES (1, ?, ?)", (upto, anchor))
        database.execute("DELETE FROM audit WHERE id <= ?", (upto,))
        if is_noted:
            last, previous = database.execute(
                "SELECT id, hash FROM audit ORDER BY id DESC LIMIT 1").fetchone()
            entry = {"id": last + 1, "time": "2026-01-01T00:00:00.000Z", "actor": "hub",
                     "action": "audit.expire", "target": "audit",
                     "details": {"hash": anchor, "id": upto}}
            text = json.dumps(entry, sort_keys=True, separators=(",", ":"))
            digest = hashlib.sha256(f"{previous}\n{text}".encode()).hexdigest()
            database.execute("INSERT INTO audit VALUES (?, ?, ?, ?, ?, ?, ?)",
                             (last + 1, 1767225600000, "hub", "audit.expire", "audit",
                              json.dumps(entry["details"], separators=(",", ":")), digest))
        database.commit()
        database.close()

    def test_what_went_of_the_audit_log_is_verified_by_what_the_log_says_of_it(self):
        for i in range(6):
            self.cloud.create_device(f"gone-{i}")
        entries = json.loads(self.ctl("-o", "json", "audit", "verify").stdout)["entries"]
        self.let_audit_entries_go(3, True)
        self.assertIn(f"good: {entries - 2} entries, note {entries + 1}:",
                      self.ctl("audit", "verify").stdout)
        self.let_audit_entries_go(4, False)
        self.assertIn("no entry of the log says what went before it",
                      self.ctl("audit", "verify", status=1).stderr)
        self.let_audit_entries_go(5, True)
        self.assertIn("good: ", self.ctl("audit", "verify").stdout)

    def test_five_hundred_devices_need_no_edit_anywhere(self):
        before = self.cloud.must("GET", "/statistics/devices")["totalDeviceCount"]
        for start in range(0, 500, 100):
            self.cloud.must("POST", "/devices", [
                {"id": f"many-{i:03}", "importMode": "create", "status": "enabled",
                 "tags": {"site": "north" if i % 2 else "south"}}
                for i in range(start, start + 100)])
        seen, continuation = [], None
        while True:
            headers = {"x-ms-max-item-count": "60"}
            if continuation:
                headers["x-ms-continuation"] = continuation
            status, answer, rows = self.cloud.request(
                "POST", "/devices/query",
                {"query": "SELECT deviceId FROM devices WHERE tags.site IN ['north', 'south']"},
                headers=headers)
            self.assertEqual(status, 200, rows)
            seen += [row["deviceId"] for row in rows]
            continuation = answer.get("x-ms-continuation")
            if not continuation:
                break
        self.assertEqual(seen, [f"many-{i:03}" for i in range(500)])
        self.assertEqual(self.cloud.must("GET", "/statistics/devices")["totalDeviceCount"],
                         before + 500)
        key = self.cloud.create_device("many-500")
        with self.cloud.client("many-500", key).connect() as client:
            client.publish("devices/many-500/messages/events/", b'{"t":1}')
        self.cloud.must("PATCH", "/twins/many-500", {"tags": {"site": "west"}})

        def found():
            return len(self.cloud.must(
                "GET", "/telemetry?where=tags.site%20%3D%20'west'")["items"]) == 1
        self.wait(found, "no telemetry of the newest device")
        usage = self.ctl("usage", "--device", "many-500").stdout
        self.assertRegex(usage, r"many-500 +1 +7")


if __name__ == "__main__":
    unittest.main(verbosity=2)
