#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""vedette-hub --backup while it works, and the way back after a disaster, as vedette-hub(8) has it."""

import os
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "harness"))
from cloud import Cloud  # noqa: E402

BUILD = Path(os.environ.get("VD_BUILD", ROOT / "build" / "dev"))
DEVICE = "line-1"


class Backup(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="vd-backup-")
        self.cloud = Cloud(self.folder.name, BUILD)
        self.cloud.__enter__()
        self.copy = Path(self.folder.name) / "copy.sqlite"
        self.database = self.cloud.hub_folder / "hub.sqlite"
        self.sent = 0

    def tearDown(self):
        self.cloud.__exit__(None)
        self.folder.cleanup()

    def hub(self, *arguments):
        return subprocess.run([str(BUILD / "bin" / "vedette-hub"), "--config",
                               str(self.cloud.hub_config), *map(str, arguments)],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              check=False, timeout=60)

    def send(self, client, count):
        for _ in range(count):
            self.sent += 1
            client.publish(f"devices/{DEVICE}/messages/events/%24.mid=m{self.sent}",
                           b'{"n":%d}' % self.sent)

    def received(self):
        items = self.cloud.must("GET", f"/telemetry?deviceId={DEVICE}&limit=1000")["items"]
        return sorted(item["body"]["n"] for item in items)

    def wait_for(self, wanted, timeout=20):
        end = time.monotonic() + timeout
        while self.received() != wanted:
            self.assertLess(time.monotonic(), end, self.received())
            time.sleep(0.05)

    def test_a_restored_hub_has_devices_twins_and_every_record_once(self):
        key = self.cloud.create_device(DEVICE)
        self.cloud.must("PATCH", f"/twins/{DEVICE}", {"properties": {"desired": {"fps": 5}}})
        token = self.cloud.must("POST", "/enrolments", {})["token"]
        with self.cloud.client(DEVICE, key) as client:
            client.connect()
            self.send(client, 20)
            self.wait_for(list(range(1, 21)))
            done = self.hub("--backup", self.copy)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.send(client, 20)  # after the backup: these are in the spool only
            self.wait_for(list(range(1, 41)))
        self.cloud.create_device("made-later")
        self.cloud.kill("hub")
        for path in self.cloud.hub_folder.glob("hub.sqlite*"):
            path.write_bytes(b"\0" * 100)  # the disaster
        done = self.hub("--restore", self.copy)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.cloud.start("hub")
        self.wait_for(list(range(1, 41)))
        statistics = self.cloud.must("GET", "/telemetry/statistics")
        self.assertEqual(statistics["classes"]["message"]["total"], 40)
        twin = self.cloud.must("GET", f"/twins/{DEVICE}")
        self.assertEqual(twin["properties"]["desired"]["fps"], 5)
        self.assertEqual(self.cloud.request("GET", "/devices/made-later")[0], 404)
        with self.cloud.client(DEVICE, key) as client:
            client.connect()
            self.send(client, 5)
        self.wait_for(list(range(1, 46)))
        status, _, _ = self.cloud.request("POST", "/enrol", {"token": token, "csr": ""},
                                          token="none")
        self.assertEqual(status, 401)  # cancelled: it may have been used since
        last = self.cloud.must("GET", "/audit?action=hub.restore")["items"]
        self.assertEqual([entry["details"] for entry in last], [{"tokensCancelled": 1}])

    def test_a_copy_made_under_load_is_whole(self):
        over = threading.Event()
        key = self.cloud.create_device(DEVICE)

        def load():
            with self.cloud.client(DEVICE, key) as client:
                client.connect()
                while not over.is_set():
                    self.send(client, 5)

        sender = threading.Thread(target=load)
        sender.start()
        try:
            for _ in range(5):
                self.assertEqual(self.hub("--backup", self.copy).returncode, 0)
                self.assertEqual(self.copy.stat().st_mode & 0o777, 0o600)
                database = sqlite3.connect(self.copy)
                self.assertEqual(database.execute("PRAGMA integrity_check").fetchall(),
                                 [("ok",)])
                database.close()
        finally:
            over.set()
            sender.join()
        self.assertEqual(sorted(p.name for p in Path(self.folder.name).glob("copy*")),
                         ["copy.sqlite"])

    def test_what_cannot_be_restored_leaves_the_database_alone(self):
        self.cloud.create_device(DEVICE)
        self.assertEqual(self.hub("--backup", self.copy).returncode, 0)
        done = self.hub("--restore", self.copy)
        self.assertEqual(done.returncode, 1)
        self.assertIn("the hub is running; stop it first", done.stderr)
        self.cloud.stop("hub")
        before = self.database.read_bytes()
        broken = Path(self.folder.name) / "broken.sqlite"
        broken.write_bytes(self.copy.read_bytes()[:9000])
        for bad in (broken, Path(self.folder.name) / "absent", self.cloud.hub_config):
            done = self.hub("--restore", bad)
            self.assertEqual(done.returncode, 1, bad)
            self.assertTrue(done.stderr.startswith("vedette-hub: "), done.stderr)
            self.assertEqual(self.database.read_bytes(), before)
        self.assertEqual(self.hub("--backup", "/nonexistent/copy").returncode, 1)
        self.cloud.start("hub")
        self.assertEqual(self.cloud.request("GET", f"/devices/{DEVICE}")[0], 200)


if __name__ == "__main__":
    unittest.main()
