#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""
Figures of the running agent, beside those it should reach: idle memory, desired -> reported,
crash -> running, boot -> modules spawned, verdict against bare decode. Needs a build without sanitizers (VD_BUILD, build/release
by default). Prints a table; asserts nothing.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True
ROOT = Path(__file__).resolve().parents[2]
os.environ.setdefault("VD_BUILD", str(ROOT / "build" / "release"))
sys.path.insert(0, str(ROOT / "tests" / "harness"))
import line as lines  # noqa: E402
from line import Line, wait_until  # noqa: E402

ROUNDS = 50


def memory(pid):
    """RSS, PSS and private dirty in MB, from smaps_rollup."""
    fields = dict(re.findall(r"^(\w+): +(\d+) kB", Path("/proc/%d/smaps_rollup" % pid).read_text(), re.M))
    return [int(fields[name]) / 1024 for name in ("Rss", "Pss", "Private_Dirty")]


def quantile(values, q):
    values = sorted(values)
    return values[min(len(values) - 1, int(q * len(values)))]


def row(name, value, reach, peer):
    print("%-52s %20s  %-20s %s" % (name, value, reach, peer), flush=True)


def both(values_ms):
    return "p50 %.2f p99 %.2f ms" % (quantile(values_ms, 0.5), quantile(values_ms, 0.99))


def wake_ups(pid):
    """Of our threads, and of the MQTT library's two: its send thread waits a second at a time, its
    receive thread polls for a second and then sleeps for 0.1 s; no option of it changes that."""
    ours = library = 0
    for task in Path("/proc/%d/task" % pid).iterdir():
        count = int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", (task / "status").read_text(), re.M).group(1))
        if (task / "comm").read_text().startswith("MQTTAsync"):
            library += count
        else:
            ours += count
    return ours, library


def measure_idle(line):
    line.agent.start()
    wait_until(lambda: line.agent.call("status")["link"]["state"] == "up", 20, line.agent.log_tail)
    time.sleep(3)
    pid = line.agent.process.pid
    row("idle, connected by TLS: RSS / PSS / private dirty", "%.1f / %.1f / %.1f MB" % tuple(memory(pid)),
        "11 / 5 / 2.5 MB", "51.6 / 14.6 / 4.3 (greengrass-lite)")
    before = wake_ups(pid)
    cpu = lambda: sum(int(x) for x in Path("/proc/%d/stat" % pid).read_text().split()[13:15])  # noqa: E731
    start = cpu()
    time.sleep(10)
    ours, library = ((after - was) / 10 for after, was in zip(wake_ups(pid), before))
    row("idle: wake-ups a second, CPU", "%.1f + paho's %.1f /s, %.2f %%" % (ours, library, (cpu() - start) / 10),
        "0.5 /s, 0.05 %", "1 s and 5 s polls")


def measure_modules(line):
    line.simulate(good=4, mixed=0)
    modules = {"cam": lines.camera(line.captures, 0.01), "station": lines.golden_station(line.captures / "part-00001.jpg"),
               "bus": lines.module("modbus", 30, {})}
    line.wait_applied(line.set_desired(lines.document(modules)))
    line.agent.wait_ready("cam", "station", "bus")
    time.sleep(2)
    pids = [line.agent.process.pid] + [m["pid"] for m in line.agent.modules().values()]
    row("agent and three idle modules, PSS", "%.1f MB" % sum(memory(pid)[1] for pid in pids), "9 MB", "26-34 RSS (thin-edge)")


class PlayedHub:
    """Answers the agent's twin requests from the hub's place at the broker, and keeps time."""

    def __init__(self, cloud, device, desired):
        self.client = cloud.hub_client().connect()
        self.client.subscribe("hub/#")
        self.device, self.desired, self.version, self.reported = device, desired, 1, {}

    def to_device(self, topic, body):
        self.client.publish_only("to/0/%s/%s" % (self.device, topic), json.dumps(body).encode(), qos=0)

    def serve(self, until, seconds=10):
        end = time.monotonic() + seconds
        while not until():
            topic, body, _ = self.client.message(max(0.01, end - time.monotonic()))
            rest = topic.partition("/iothub/")[2]
            rid = rest.partition("$rid=")[2].partition("&")[0]
            if rest.startswith("twin/GET/"):
                self.to_device("$iothub/twin/res/200/?$rid=" + rid, {
                    "desired": dict(self.desired, **{"$version": self.version}),
                    "reported": dict(self.reported, **{"$version": 1})})
            elif rest.startswith("twin/PATCH/properties/reported"):
                merge(self.reported, json.loads(body))
                self.to_device("$iothub/twin/res/204/?$rid=%s&$version=2" % rid, {})

    def patch(self, patch):
        self.version += 1
        self.to_device("$iothub/twin/PATCH/properties/desired/?$version=%d" % self.version,
                       dict(patch, **{"$version": self.version}))

    def acknowledged(self):
        return self.reported.get("desired", {}).get("version", 0) >= self.version


def merge(target, patch):
    for key, value in patch.items():
        if value is None:
            target.pop(key, None)
        elif isinstance(value, dict):
            merge(target.setdefault(key, {}), value)
        else:
            target[key] = value


def measure_desired_to_reported(line):
    """The agent's part: desired packet sent by the hub -> reported packet with its version back."""
    desired = line.agent.call("twin")["document"]
    line.cloud.stop("hub")
    hub = PlayedHub(line.cloud, line.device_id, desired)
    line.agent.stop()
    line.agent.start()
    hub.serve(lambda: hub.reported.get("modules", {}).get("cam", {}).get("state") == "ready" and hub.acknowledged())
    spans = []
    for n in range(ROUNDS * 4):
        time.sleep(0.3)  # the agent keeps 250 ms between two reports
        began = time.monotonic()
        hub.patch({"modules": {"cam": {"parameters": {"quality": 50 + n % 40}}}})
        hub.serve(hub.acknowledged)
        spans.append((time.monotonic() - began) * 1000)
    row("desired -> module applied -> durable -> reported", both(spans), "p50 3 p99 20 ms", "88 (naive paho)")
    hub.client.close()
    line.cloud.start("hub")


def measure_crash(line):
    spans = []
    for _ in range(ROUNDS):
        modules = line.agent.modules()
        pid = modules["bus"]["pid"]
        children = Path("/proc/%d/task/%d/children" % (line.agent.process.pid, line.agent.process.pid))
        known = set(children.read_text().split())
        time.sleep(0.05)
        began = time.monotonic()
        os.kill(pid, signal.SIGKILL)
        while not set(children.read_text().split()) - known:
            if time.monotonic() - began > 70:
                raise SystemExit("the module was not started again")
        spans.append((time.monotonic() - began) * 1000)
        line.agent.wait_ready("bus", seconds=70)
        line.agent.vedette("restart", "bus")  # a stop that was asked for clears the back-off
        line.agent.wait_ready("bus")
    row("crash -> running again (new process), first crash", both(spans), "p50 2 p99 20 ms", "6 ms (runsv), 1-15 s")


def measure_boot(line):
    """exec -> all three modules of the last good document spawned, hub away."""
    line.agent.stop()
    line.cloud.kill("broker")
    spans = []
    for _ in range(10):
        began = time.monotonic()
        line.agent.start(wait=False)
        pid = line.agent.process.pid
        children = Path("/proc/%d/task/%d/children" % (pid, pid))
        while len(children.read_text().split()) < 1:
            pass
        spans.append((time.monotonic() - began) * 1000)
        line.agent.wait_ready("cam", "station", "bus")
        line.agent.stop()
    row("exec -> first module of the last good set spawned, no network", both(spans), "60 ms", "1,328 ms (greengrass-lite)")
    line.cloud.start("broker")


def measure_verdict():
    """bench_inspect's lines: verdict against bare decode of the same pictures in the same run."""
    program = lines.BUILD / "modules" / "inspect" / "bench_inspect"
    if not program.exists():
        row("verdict / bare decode", "not built", "", "")
        return
    for text in subprocess.run([str(program)], capture_output=True, text=True, check=True).stdout.splitlines():
        found = re.match(r"(.+?)\s{2,}.*ratio ([0-9.]+) \(target ([0-9.]+)\)", text)
        if found:
            row("verdict / bare decode, " + found.group(1).strip(), found.group(2), found.group(3), "")


def main():
    print("%-52s %20s  %-20s %s" % ("measure", "here", "to reach", "best peer"))
    binary = lines.BUILD / "bin" / "vedetted"
    stripped = subprocess.run(["strip", "-o", "/dev/stdout", str(binary)], capture_output=True, check=False).stdout
    size = len(stripped) or binary.stat().st_size
    row("agent binary, stripped", "%d kB" % (size // 1000), "300 kB", "354 kB (RAUC)")
    with Line(logLevel="info") as line:
        measure_idle(line)
        measure_modules(line)
        measure_desired_to_reported(line)
        measure_crash(line)
        measure_boot(line)
        line.agent.start()
    measure_verdict()
    return 0


if __name__ == "__main__":
    sys.exit(main())
