# SPDX-License-Identifier: Apache-2.0
"""A real vedetted in a folder of its own, and `vedette` to look at it."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path


SUPPRESSIONS = Path(__file__).resolve().parents[1] / "lsan.supp"


def wait_until(condition, seconds, what):
    """Polls condition() and returns its first true value; fails with what() or what after seconds."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError("timed out after %s s: %s" % (seconds, what() if callable(what) else what))
        time.sleep(0.02)


class Agent:
    """Config, state and log of one agent under folder. `hub` is a dict for the member "hub"."""

    def __init__(self, folder, build, device_id, hub, **settings):
        self.folder = Path(folder)
        self.build = Path(build)
        self.device_id = device_id
        self.folder.mkdir(parents=True, exist_ok=True)
        self.run_folder = self.folder / "run"
        self.state_folder = self.folder / "state"
        self.log_path = self.folder / "vedetted.log"
        self.config_path = self.folder / "vedetted.conf"
        self.process = None
        config = {
            "deviceId": device_id,
            "hub": dict({"backoffFirstMs": 100, "backoffLimitMs": 2000, "connectTimeoutS": 5}, **hub),
            "stateFolder": str(self.state_folder),
            "runFolder": str(self.run_folder),
            "packageFolders": [str(self.folder / "packages"), str(self.build / "packages")],
            "logLevel": "debug",
        }
        config.update(settings)
        self.config_path.write_text(json.dumps(config, indent=1))

    def start(self, wait=True):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [str(self.build / "bin" / "vedetted"), "--config", str(self.config_path)],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                env=dict(os.environ, LSAN_OPTIONS="suppressions=%s" % SUPPRESSIONS))
        if wait:
            wait_until(self.is_up, 10, self.log_tail)
        return self

    def kill(self):
        """kill -9; modules see the end of their descriptor 3 and go."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process = None

    def stop(self, seconds=20):
        if self.process is None:
            return None
        self.process.terminate()
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError("vedetted did not stop in %s s\n%s" % (seconds, self.log_tail()))
        self.process = None
        assert status == 0, "vedetted ended with %s\n%s" % (status, self.log_tail())
        return status

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if self.process is not None and kind is not None:
            print(self.log_tail())
        if kind is None:
            self.stop()
        elif self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        return False

    def vedette(self, *arguments, timeout=20):
        return subprocess.run(
            [str(self.build / "bin" / "vedette"), "-o", "json", "--socket", str(self.run_folder / "agent.sock"),
             *arguments], capture_output=True, text=True, timeout=timeout)

    def call(self, *arguments):
        done = self.vedette(*arguments)
        assert done.returncode == 0, "%s: %s\n%s" % (arguments, done.stderr, self.log_tail())
        return json.loads(done.stdout)

    def is_up(self):
        return self.vedette("status").returncode == 0

    def modules(self):
        return self.call("modules")["modules"]

    def wait_ready(self, *names, seconds=15):
        def check():
            modules = self.modules()
            return all(modules.get(name, {}).get("state") == "ready" for name in names) and modules
        return wait_until(check, seconds, lambda: "%s ready\n%s" % (names, self.log_tail()))

    def log_tail(self, lines=40):
        if not self.log_path.exists():
            return "(no log)"
        return "\n".join(self.log_path.read_text(errors="replace").splitlines()[-lines:])
