# SPDX-License-Identifier: Apache-2.0
"""A whole line on loopback: hub, agent, camera folder, inspection; documents for its twin."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))
import agent as agents  # noqa: E402
import cloud as clouds  # noqa: E402
from agent import wait_until  # noqa: E402,F401

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("VD_BUILD") or ROOT / "build" / "dev")
PART = Path("/usr/share/doc/opencv-doc/examples/data/board.jpg")
VERSION = "1.0.0"


def module(package, order, parameters, version=VERSION, **more):
    return dict({"type": "process", "package": package, "version": version, "status": "running",
                 "restartPolicy": "always", "startupOrder": order, "parameters": parameters}, **more)


def camera(folder, fps, **parameters):
    return module("camera", 20, dict({"source": "folder:%s" % folder, "fps": fps, "loop": True,
                                      "serialPattern": "part-([0-9]+)"}, **parameters))


def golden_station(template, **step):
    """One golden template step over the whole frame."""
    return module("inspect", 10, {
        "station": "st", "active": "r",
        "recipes": {"r": {"rev": 1, "cameras": ["cam"],
                          "images": {"keep": {"OK": "none", "NG": "none", "NO_DECISION": "none", "WARN": "none"},
                                     "overlay": False},
                          "steps": {"board": dict({"camera": "cam", "tool": "golden",
                                                   "golden": {"file": str(template)}}, **step)}}}})


ROUTES = {
    "frames": "FROM cam/frame INTO station/frame",
    "verdicts": {"route": "FROM station/verdict INTO $upstream", "class": "verdict"},
}


def document(modules, routes=None, **agent_settings):
    desired = {"schemaVersion": "1.0", "modules": modules, "routes": ROUTES if routes is None else routes}
    if agent_settings:
        desired["agent"] = agent_settings
    return desired


class Line:
    """
    with Line("d1") as line:
        line.simulate(good=5, mixed=0)
        line.set_desired(document({...}))
        line.agent.start(); line.agent.wait_ready("cam", "station")
    """

    def __init__(self, device_id="box", host_name="localhost", ports=None, **settings):
        self.folder = Path(tempfile.mkdtemp(prefix="vd-"))
        self.device_id = device_id
        self.settings = settings
        self.captures = self.folder / "captures"
        self.cloud = clouds.Cloud(self.folder, BUILD, host_name=host_name, **(ports or {}))
        self.agent = None

    def __enter__(self):
        self.cloud.__enter__()
        key_file = self.folder / "device.key"
        key_file.write_text(self.cloud.create_device(self.device_id))
        key_file.chmod(0o600)
        self.agent = agents.Agent(self.folder / "a", BUILD, self.device_id, {
            "host": self.cloud.host_name, "port": self.cloud.mqtts_port,
            "httpsPort": self.cloud.https_port, "trustedCaFile": self.cloud.ca_file,
            "authentication": {"type": "sas", "keyFile": str(key_file)}}, **self.settings)
        return self

    def __exit__(self, kind, value, trace):
        try:
            self.agent.__exit__(kind, value, trace)
        finally:
            self.cloud.__exit__(kind)
            shutil.rmtree(self.folder, ignore_errors=True)
        return False

    def simulate(self, good, mixed, **more):
        """Simulated captures of the part; {serial: "good" | "defect"}."""
        arguments = ["--part", str(PART), "--folder", str(self.captures), "--good", str(good),
                     "--mixed", str(mixed)]
        for name, value in more.items():
            arguments += ["--" + name.replace("_", "-"), str(value)]
        subprocess.run([str(BUILD / "bin" / "vedette-simulate-captures"), *arguments], check=True)
        lines = (self.captures / "truth.csv").read_text().splitlines()[1:]
        return {line.split(",")[0]: line.split(",")[1] for line in lines}

    # -- the twin, from the cloud's side

    def twin(self):
        return self.cloud.must("GET", "/twins/" + self.device_id)

    def reported(self):
        return self.twin()["properties"]["reported"]

    def set_desired(self, desired):
        """Merges desired into the twin; its new $version."""
        twin = self.cloud.must("PATCH", "/twins/" + self.device_id, {"properties": {"desired": desired}},
                               headers={"If-Match": "*"})
        return twin["properties"]["desired"]["$version"]

    def wait_outcome(self, version, seconds=20):
        """What the agent answered to this version of the whole document."""
        def outcome():
            desired = self.reported().get("desired", {})
            return desired if desired.get("version", -1) >= version else None
        return wait_until(outcome, seconds, lambda: "outcome of version %s\n%s\n%s" % (
            version, json.dumps(self.reported(), indent=1), self.agent.log_tail()))

    def wait_applied(self, version, seconds=20):
        outcome = self.wait_outcome(version, seconds)
        assert outcome["code"] == 200, "%s\n%s" % (outcome, self.agent.log_tail())
        return outcome

    # -- what the hub has of the device

    def records(self, **filters):
        """All records of the device in the hub's database, in the order they came in."""
        query = "".join("&%s=%s" % item for item in filters.items())
        after, records = 0, []
        while True:
            page = self.cloud.must("GET", "/telemetry?deviceId=%s&after=%s&limit=1000%s" % (
                self.device_id, after, query))
            records += page["items"]
            if not page["items"] or not page.get("continuation"):
                return records
            after = page["continuation"]

    def verdicts(self):
        return self.records(**{"class": "verdict"})
