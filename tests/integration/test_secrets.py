#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Secrets stay where they belong: with everything running, the keys of device, policies and camera
are looked for in every document, log, command line and environment."""

import json
import sys
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "harness"))
import line as lines  # noqa: E402
from line import Line, wait_until  # noqa: E402

CAMERA_PASSWORD = "correct-horse-battery-staple"


def descendants(pid):
    found = [pid]
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            parent = int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1])
        except OSError:
            continue
        if parent == pid:
            found += descendants(int(folder.name))
    return found


class Secrets(unittest.TestCase):
    def setUp(self):
        self.line = self.enterContext(Line())
        self.line.simulate(good=4, mixed=0)
        self.line.agent.start()
        cloud = self.line.cloud
        self.secrets = {
            "key of the device": (self.line.folder / "device.key").read_text().strip(),
            "password of the camera": CAMERA_PASSWORD,
            **{f"key of {policy}": cloud.policy_key(policy) for policy in
               ("iothubowner", "service", "registryReadWrite")},
        }
        secret = self.line.agent.state_folder / "modules" / "web" / "secrets" / "camera"
        secret.parent.mkdir(parents=True, exist_ok=True)
        secret.write_text(f"inspector:{CAMERA_PASSWORD}\n")
        secret.chmod(0o600)
        version = self.line.set_desired(lines.document({
            "cam": lines.camera(self.line.captures, 10),
            "station": lines.golden_station(self.line.captures / "part-00001.jpg"),
            "web": lines.module("camera", 30, {
                "source": "https://localhost:1/shot.jpg", "fps": 1,
                "credentials": "secretref:camera"})}))
        self.line.wait_applied(version)
        self.line.agent.wait_ready("cam", "station", "web")
        wait_until(lambda: len(self.line.verdicts()) > 5, 20, self.line.agent.log_tail)

    def look(self, where, data):
        data = data if isinstance(data, bytes) else data.encode()
        for what, secret in self.secrets.items():
            self.assertNotIn(secret.encode(), data, f"the {what} stands in {where}")

    def test_no_document_says_a_secret(self):
        cloud = self.line.cloud
        self.look("the twin", json.dumps(self.line.twin()))
        self.look("telemetry", json.dumps(self.line.records()))
        self.look("the audit log", json.dumps(cloud.must("GET", "/audit?limit=1000")))
        self.look("the history", json.dumps(cloud.must("GET", "/twins/box/history")))
        for call in "status", "modules", "twin", "outbox", "logs":
            self.look("vedette " + call, self.line.agent.vedette(call).stdout)

    def test_no_log_command_line_or_environment_says_a_secret(self):
        cloud = self.line.cloud
        for log in [self.line.agent.log_path, *cloud.logs.iterdir()]:
            self.look(log.name, log.read_bytes())
        roots = [self.line.agent.process.pid, *(c.pid for c in cloud.children.values())]
        looked_at = 0
        for pid in [p for root in roots for p in descendants(root)]:
            for name in "cmdline", "environ":
                try:
                    self.look(f"{name} of a process", Path(f"/proc/{pid}/{name}").read_bytes())
                except OSError:
                    continue
                looked_at += 1
        self.assertGreaterEqual(looked_at, 2 * 7)  # agent, three modules, broker, hub, front

    def test_a_secret_in_a_desired_document_is_refused(self):
        version = self.line.set_desired({"modules": {"web": {"parameters": {
            "credentials": f"inspector:{CAMERA_PASSWORD}"}}}})
        outcome = self.line.wait_outcome(version)
        self.assertEqual((outcome["code"], outcome["pointer"]),
                         (400, "/modules/web/parameters/credentials"))
        self.assertNotIn(CAMERA_PASSWORD, json.dumps(self.line.reported()))


if __name__ == "__main__":
    unittest.main(verbosity=2)
