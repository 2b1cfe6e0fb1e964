# SPDX-License-Identifier: Apache-2.0
"""The demonstration: a hub, a box with a camera, an inspection and a Modbus device, and a day in
its life in a minute. Everything is a real process of this build, on loopback; only the captures
and the Modbus device are simulated."""

import argparse
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "hub"))
import hubstack  # noqa: E402

PHOTOGRAPH = "/usr/share/doc/opencv-doc/examples/data/board.jpg"
DEVICE = "demo-box"
TAUGHT = 30
PER_SECOND = 5
LEAST_SECONDS = 45


class Stopped(Exception):
    """TERM, INT, or the time is over."""


def say(text):
    print(text, flush=True)


def read_waiting(stream):
    """What a child has written by now, without waiting for more."""
    text = b""
    while select.select([stream], [], [], 0)[0]:
        block = os.read(stream.fileno(), 65536)
        if not block:
            break
        text += block
    return text


class Demo:
    def __init__(self, build, folder, seconds):
        self.build = Path(build).resolve()
        self.folder = folder
        self.seconds = seconds
        self.hub = hubstack.HubStack(folder / "hub", build)
        self.children = []
        self.began = time.monotonic()
        self.truth = {}
        self.failures = []
        self.seen = {}
        self.duplicates = 0
        self.partial_line = b""
        self.written = b""

    # -- processes

    def program(self, name):
        return str(self.build / "bin" / name)

    def spawn(self, name, *arguments, **options):
        log = open(self.folder / (name + ".log"), "ab")
        options.setdefault("stdout", log)
        child = subprocess.Popen([self.program(name), *arguments], stdin=subprocess.DEVNULL, stderr=log,
                                 start_new_session=True, **options)
        log.close()
        self.children.append(child)
        return child

    def access(self):
        return ["--ca", str(self.hub.ca / "ca.pem"), "--connect-to", "127.0.0.1:%d" % self.hub.https_port]

    def environment(self):
        return dict(os.environ, VEDETTE_HUB_CONNECTION=self.connection)

    def vedettectl(self, *arguments):
        return subprocess.run([self.program("vedettectl"), *self.access(), *arguments], env=self.environment(),
                              capture_output=True, text=True, timeout=60)

    def vedette(self, *arguments):
        done = subprocess.run([self.program("vedette"), "-o", "json", "--socket",
                               str(self.folder / "run" / "agent.sock"), *arguments],
                              capture_output=True, text=True, timeout=30)
        return json.loads(done.stdout) if done.returncode == 0 and done.stdout else None

    # -- setting the stage

    def prepare(self):
        say("simulating captures of the part (photograph: Debian's opencv-doc, board.jpg)")
        count = min(int((self.seconds + 60) * PER_SECOND), 600)
        subprocess.run([self.program("vedette-simulate-captures"), "--part", PHOTOGRAPH, "--folder",
                        str(self.folder / "captures"), "--good", str(TAUGHT), "--mixed", str(count)], check=True)
        for row in (self.folder / "captures" / "truth.csv").read_text().splitlines()[1:]:
            serial, truth = row.split(",")[:2]
            self.truth[serial] = truth
        say("starting broker, hub and front")
        self.hub.prepare()
        self.hub.start_all()
        self.connection = subprocess.run(
            [self.program("vedette-hub"), "--config", str(self.hub.hub_config), "--show-policy", "iothubowner"],
            capture_output=True, text=True, check=True).stdout.strip()
        say("registering %s, starting the Modbus simulator and the agent" % DEVICE)
        created = self.vedettectl("-o", "json", "device", "create", DEVICE)
        if created.returncode:
            raise hubstack.Failed(created.stderr.strip())
        device = json.loads(created.stdout)
        key = self.folder / "device.key"
        key.write_text(device["authentication"]["symmetricKey"]["primaryKey"])
        key.chmod(0o600)
        self.start_simulator()
        self.start_agent(key)
        self.follow_verdicts()

    def start_simulator(self):
        config = self.folder / "simulator.json"
        config.write_text((HERE / "simulator.json").read_text())
        self.simulator = self.spawn("vedette-modbus-simulator", "--port", "0", "--config", str(config),
                                    stdout=subprocess.PIPE, bufsize=0)
        self.modbus_port = int(self.simulator.stdout.readline().split()[-1])

    def start_agent(self, key):
        config = self.folder / "vedetted.conf"
        config.write_text(json.dumps({
            "deviceId": DEVICE,
            "hub": {"host": "localhost", "port": self.hub.mqtts_port, "httpsPort": self.hub.https_port,
                    "trustedCaFile": str(self.hub.ca / "ca.pem"),
                    "backoffFirstMs": 200, "backoffLimitMs": 2000,
                    "authentication": {"type": "sas", "keyFile": str(key)}},
            "stateFolder": str(self.folder / "state"), "runFolder": str(self.folder / "run"),
            "packageFolders": [str(self.build / "packages")]}, indent=1))
        self.agent = self.spawn("vedetted", "--config", str(config))

    def desired(self):
        text = (HERE / "desired.json").read_text()
        return json.loads(text.replace("@CAPTURES@", str(self.folder / "captures"))
                          .replace('"@MODBUS_PORT@"', str(self.modbus_port)))

    # -- what is shown

    def follow_verdicts(self):
        """What an operator would type; one JSON record a line, as the hub stores them."""
        self.follower = self.spawn(
            "vedettectl", "-o", "json", *self.access(), "verdicts", "--device", DEVICE, "--follow",
            stdout=subprocess.PIPE, bufsize=0, env=self.environment())

    def collect(self):
        lines = (self.partial_line + read_waiting(self.follower.stdout)).split(b"\n")
        self.partial_line = lines.pop()
        for record in map(json.loads, filter(None, lines)):
            key = (record["bootId"], record["seq"])
            self.duplicates += key in self.seen
            self.seen[key] = record["body"]

    def row(self):
        status = self.vedette("status") or {}
        self.collect()
        verdicts = [body["verdict"] for body in self.seen.values()]
        waiting = sum(c["records"] for c in status.get("store", {}).get("classes", {}).values())
        modules = status.get("modules", {})
        last = list(self.seen.values())[-1] if self.seen else {}
        say("%5.0fs  %-10s %-14s %5d %5d %5d %7d  %s" % (
            time.monotonic() - self.began, status.get("link", {}).get("state", "no agent"),
            " ".join("%s%s" % (name[0], {"ready": "+"}.get(m["state"], "-")) for name, m in sorted(modules.items())),
            verdicts.count("OK"), verdicts.count("NG"), verdicts.count("NO_DECISION") + verdicts.count("WARN"),
            waiting, "%s %s %s" % (last.get("serial", ""), last.get("verdict", ""),
                                   "; ".join(last.get("reasons", []))[:40])))

    def watch(self, seconds, until=None):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.agent.poll() is not None:
                raise hubstack.Failed("vedetted ended with %s, see %s" % (self.agent.returncode, self.folder))
            self.row()
            if until and until():
                return True
            if time.monotonic() - self.began > self.seconds and until is None:
                raise Stopped
            time.sleep(1)
        return until is None

    def step(self, title):
        say("\n-- %s" % title)

    def check(self, ok, text):
        say("   %s %s" % ("ok:" if ok else "FAILED:", text))
        if not ok:
            self.failures.append(text)

    def set_twin(self, *assignments):
        done = self.vedettectl("twin", "set", DEVICE, *assignments, "--wait", "20")
        for text in (done.stdout + done.stderr).strip().splitlines():
            say("   vedettectl: " + text)
        return done.returncode == 0

    # -- the day

    def run(self):
        self.prepare()
        self.step("the desired document goes into the twin; the box teaches itself the part from %d good ones" % TAUGHT)
        (self.folder / "desired.json").write_text(json.dumps(self.desired(), indent=1))
        self.check(self.set_twin("--file", str(self.folder / "desired.json")), "document applied and acknowledged")
        say("\n%6s  %-10s %-14s %5s %5s %5s %7s  %s" % (
            "time", "link", "modules", "OK", "NG", "other", "outbox", "last verdict in the hub"))
        self.check(self.watch(60, lambda: any(b["verdict"] == "OK" for b in self.seen.values())), "part taught")
        self.step("parts with known defects pass")
        self.watch(5)
        self.step("a parameter changes through the twin while the line runs")
        self.check(self.set_twin("modules.station.parameters.recipes.board.steps.print.minAreaPx=12",
                                 "modules.station.parameters.recipes.board.rev=2"), "applied between two items")
        self.watch(3)
        self.step("a bad value is refused whole, with the place and the reason")
        self.check(not self.set_twin("modules.station.parameters.recipes.board.steps.print.minAreaPx=-3"), "refused")
        self.watch(2)
        self.check(self.set_twin("modules.station.parameters.recipes.board.steps.print.minAreaPx=12"), "taken back")
        self.step("kill -9 of the inspection")
        pid = self.vedette("modules")["modules"]["station"]["pid"]
        os.kill(pid, signal.SIGKILL)
        self.watch(4)
        modules = self.vedette("modules")["modules"]
        self.check(modules["station"]["state"] == "ready" and modules["station"]["pid"] != pid, "it runs again")
        self.step("the broker is cut off")
        self.hub.kill("broker")
        self.watch(8)
        held = self.vedette("outbox")["store"]["classes"]["verdict"]["records"]
        self.check(held > 0, "the line went on, %d verdicts wait in the outbox" % held)
        self.step("the broker is back")
        self.hub.start("broker")
        self.check(self.watch(30, self.is_drained), "the backlog is delivered")
        self.step("the line goes on" + ("" if self.seconds < 1e8 else "; end with Ctrl-C"))
        self.watch(max(self.seconds, 1))

    def is_drained(self):
        outbox = self.vedette("outbox")
        return outbox and outbox["link"]["state"] == "up" and outbox["store"]["classes"]["verdict"]["records"] < 5

    # -- the end

    def summary(self):
        self.set_twin("modules.cam.status=stopped")
        end = time.monotonic() + 20
        while time.monotonic() < end and self.vedette("outbox")["store"]["classes"]["verdict"]["records"]:
            time.sleep(0.2)
        time.sleep(0.5)
        self.collect()
        accepted = self.vedette("outbox")["store"]["classes"]["verdict"]["accepted"]
        judged = [(self.truth[b["serial"]], b["verdict"]) for b in self.seen.values() if b.get("serial") in self.truth]
        count = lambda t, v: sum(1 for pair in judged if pair == (t, v))  # noqa: E731
        say("\n-- summary")
        say("   verdicts accepted by the box %d, in the hub's database %d, twice %d" % (
            accepted, len(self.seen), self.duplicates))
        say("   defective parts: %d NG, %d passed as OK" % (count("defect", "NG"), count("defect", "OK")))
        say("   good parts:      %d OK, %d NG" % (count("good", "OK"), count("good", "NG")))
        say("   not judged (teaching, restart): %d NO_DECISION" % sum(1 for _, v in judged if v == "NO_DECISION"))
        self.check(accepted == len(self.seen) and not self.duplicates, "every verdict exactly once")
        self.check(count("defect", "OK") == 0, "no defective part passed")
        self.check(count("defect", "NG") > 0 and count("good", "OK") > 0, "parts were judged both ways")
        gate = self.gate_writes()
        self.check(gate > 0, "the reject gate was switched on %d times over Modbus" % gate)

    def gate_writes(self):
        self.written += read_waiting(self.simulator.stdout)
        return sum(1 for line in self.written.decode().splitlines() if line.endswith(" write coil 0 1"))

    def close(self):
        for child in reversed(self.children):
            if child.poll() is None:
                child.terminate()
        for child in self.children:
            try:
                child.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()
        self.hub.stop_all()


def on_signal(number, frame):
    raise Stopped


def main():
    p = argparse.ArgumentParser(prog="deploy/demo/run", description="A whole line on this machine, on loopback.")
    p.add_argument("--for", dest="seconds", type=float, default=1e9, metavar="SECONDS",
                   help="end by itself after about so long, %d at least" % LEAST_SECONDS)
    p.add_argument("--state", type=Path, help="keep logs and databases in this folder")
    p.add_argument("--build", required=True, help=argparse.SUPPRESS)
    a = p.parse_args()
    signal.signal(signal.SIGINT, on_signal)
    signal.signal(signal.SIGTERM, on_signal)
    folder = a.state or Path(tempfile.mkdtemp(prefix="vedette-demo-"))
    folder.mkdir(parents=True, exist_ok=True)
    demo = Demo(a.build, folder.resolve(), a.seconds)
    try:
        try:
            demo.run()
        except Stopped:
            pass
        demo.summary()
    except Stopped:
        demo.failures.append("interrupted")
    except (hubstack.Failed, subprocess.SubprocessError, OSError) as e:
        demo.failures.append(str(e))
        say("demo: %s" % e)
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        demo.close()
    if demo.failures:
        say("\nfailed: %s\nlogs are in %s" % ("; ".join(demo.failures), folder))
        return 1
    if not a.state:
        shutil.rmtree(folder)
    say("\nall shown")
    return 0


if __name__ == "__main__":
    sys.exit(main())
