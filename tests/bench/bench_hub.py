#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""
Figures of the hub and its broker, beside those it should reach: ten thousand devices connected by TLS,
memory of each, twin GET, telemetry single and batched (each PUBACK after fdatasync), one desired change to
all. Needs a build without sanitizers (VD_BUILD, build/release by default), with its vedette-swarm and
bench_ingest. Devices, broker, hub, front and this driver share the machine's cores.
Prints a table; asserts nothing.

    bench_hub.py [DEVICES] [FOLDER]      FOLDER on a real disk: the disk's fdatasync is in the figures
    bench_hub.py twins [TWINS] [FOLDER]  evaluation of configurations, at 100,000 twins
"""

import http.client
import json
import os
import re
import resource
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.dont_write_bytecode = True
ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "harness"))
from cloud import API_VERSION, Cloud, sas_token  # noqa: E402

BUILD = Path(os.environ.get("VD_BUILD", ROOT / "build" / "release"))
ARGUMENTS = sys.argv[1:]
IS_TWINS = ARGUMENTS[:1] == ["twins"]
if IS_TWINS:
    ARGUMENTS.pop(0)
DEVICES = int(ARGUMENTS[0]) if ARGUMENTS else 100000 if IS_TWINS else 10000
FOLDER = ARGUMENTS[1] if len(ARGUMENTS) > 1 else None
BATCH, MESSAGES, BATCHES, GETS, CALLERS = 100, 30000, 9000, 5000, 4


def row(name, value, reach, note=""):
    print(f"{name:<54} {value:>26}  {reach:<18} {note}", flush=True)


def rss_kb(pid):
    return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text()).group(1))


def cpu_s(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Caller:
    """One kept-alive connection to the front, as a service SDK holds it."""

    def __init__(self, cloud):
        context = ssl.create_default_context(cafile=cloud.ca_file)
        self.connection = http.client.HTTPSConnection("localhost", cloud.https_port, context=context,
                                                      timeout=120)
        token = sas_token(cloud.host_name, cloud.policy_key(), "iothubowner")
        self.headers = {"Host": cloud.host_name, "Authorization": token,
                        "Content-Type": "application/json"}

    def call(self, method, path, body=None):
        self.connection.request(method, f"{path}?api-version={API_VERSION}",
                                json.dumps(body) if body is not None else None, self.headers)
        answer = self.connection.getresponse()
        data = answer.read()
        if not 200 <= answer.status < 300:
            raise RuntimeError(f"{method} {path}: {answer.status} {data[:200]}")
        return json.loads(data) if data else None


def on_threads(cloud, items, work):
    def run(part):
        caller = Caller(cloud)
        for item in part:
            work(caller, item)

    threads = [threading.Thread(target=run, args=(items[i::CALLERS],)) for i in range(CALLERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


class Swarm:
    def __init__(self, cloud, identities):
        self.process = subprocess.Popen(
            [str(BUILD / "tests/bench/vedette-swarm"), cloud.address, str(cloud.mqtts_port),
             cloud.host_name, cloud.ca_file, str(identities), "4"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def start(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("the swarm ended")
        return json.loads(line)

    def do(self, command):
        self.start(command)
        return self.answer()

    def close(self):
        self.process.stdin.close()
        self.process.wait(30)


def measure_memory(cloud, swarm):
    pids = {part: cloud.children[part].pid for part in ("broker", "hub")}
    before = {part: rss_kb(pid) for part, pid in pids.items()}
    done = swarm.do("connect")
    time.sleep(3)
    each = {part: (rss_kb(pid) - before[part]) / max(1, done["count"]) for part, pid in pids.items()}
    row(f"devices connected by TLS, of {done['asked']}", f"{done['count']}", "10,000",
        f"{done['failed']} failed")
    row("connections a second, first time: SAS, 3 subscriptions",
        f"{done['count'] / done['seconds']:.0f}", "", "each subscription is synced")
    row("memory a device, broker + hub",
        f"{each['broker']:.1f} + {each['hub']:.1f} = {sum(each.values()):.1f} kB", "20 kB", "RSS difference")


def measure_get(swarm):
    done = swarm.do(f"get {GETS}")
    row(f"twin GET, all connected, p50 / p99 ({done['count']})",
        f"{done['p50'] / 1000:.2f} / {done['p99'] / 1000:.2f} ms", "p50 1 ms")


def total_rows(caller):
    classes = caller.call("GET", "/telemetry/statistics")["classes"]
    return sum(entry["total"] for entry in classes.values())


def measure_send(cloud, swarm, caller, name, reach, messages, inflight, devices, batch):
    pids = {part: cloud.children[part].pid for part in ("broker", "hub")}
    rows = messages * max(1, batch)
    before, cpu = total_rows(caller), {part: cpu_s(pid) for part, pid in pids.items()}
    swarm.start(f"send {messages} {inflight} {devices} {batch}")
    done = swarm.answer()  # made its messages first; seconds count from the first one sent
    began = time.monotonic() - done["seconds"]
    end = time.monotonic() + 120
    while total_rows(caller) - before < rows and time.monotonic() < end:
        time.sleep(0.01)
    took, arrived = time.monotonic() - began, total_rows(caller) - before
    used = ", ".join(f"{part} {(cpu_s(pid) - cpu[part]) / took:.0%}" for part, pid in pids.items())
    acknowledged = done["count"] * max(1, batch) / done["seconds"]
    row(f"{name}: acknowledged", f"{acknowledged:,.0f} rows/s", reach, f"{done['count']} messages")
    row(f"{name}: in the database", f"{arrived / took:,.0f} rows/s", reach,
        f"{arrived} of {rows}; {used} of a core")


def measure_change(cloud, swarm, names):
    swarm.do("await 120")
    value = {"properties": {"desired": {"bench": {"value": int(time.time())}}}}
    began = time.monotonic()
    on_threads(cloud, names, lambda caller, name: caller.call("PATCH", f"/twins/{name}", value))
    patched = time.monotonic() - began
    done = swarm.answer()
    row(f"desired change to all by PATCH, told ({done['count']} of {done['asked']})",
        f"p50 {done['p50'] / 1000:.2f} p99 {done['p99'] / 1000:.2f} last {done['last'] / 1000:.2f} s",
        "last 5 s", f"{len(names)} PATCHes took {patched:.2f} s, {CALLERS} callers in Python")
    row("… and each one's report answered", f"last {done['lastAnswer'] / 1000:.2f} s", "",
        f"{done['answered']} answered")


def measure_configuration(cloud, swarm, caller):
    swarm.do("await 120")
    began = time.monotonic()
    try:
        caller.call("PUT", "/configurations/bench", {
            "id": "bench", "schemaVersion": "2.0", "priority": 10, "targetCondition": "*", "labels": {},
            "content": {"deviceContent": {"properties.desired.configured": {"value": 1}}}})
    except RuntimeError as error:
        row("desired change to all by one configuration", "no", "last 5 s", str(error)[:80])
        return False
    put = time.monotonic() - began
    done = swarm.answer()
    row(f"desired change to all by one configuration ({done['count']} of {done['asked']})",
        f"p50 {done['p50'] / 1000:.2f} p99 {done['p99'] / 1000:.2f} last {done['last'] / 1000:.2f} s",
        "last 5 s", f"PUT took {put:.2f} s")
    row("… and each one's report answered", f"last {done['lastAnswer'] / 1000:.2f} s", "",
        f"{done['answered']} answered")
    return True


def measure_reconnect(cloud, identities):
    swarm = Swarm(cloud, identities)
    try:
        done = swarm.do("connect")
        row(f"connections a second, again ({done['count']} of {done['asked']})",
            f"{done['count'] / done['seconds']:.0f}", "", "full TLS handshakes; swarm on the same cores")
    finally:
        swarm.close()


def create(cloud, names, path):
    keys = {}

    def put(caller, name):
        made = caller.call("PUT", f"/devices/{name}", {
            "deviceId": name, "status": "enabled",
            "authentication": {"type": "sas", "symmetricKey": {"primaryKey": "", "secondaryKey": ""}}})
        keys[name] = made["authentication"]["symmetricKey"]["primaryKey"]

    began = time.monotonic()
    on_threads(cloud, names, put)
    took = time.monotonic() - began
    path.write_text("".join(f"{name} {keys[name]}\n" for name in names))
    row("identities made by PUT", f"{len(names) / took:,.0f} a second", "")


def run(folder):
    names = [f"d{i:05}" for i in range(DEVICES)]
    with Cloud(folder, BUILD, requests_per_second=100000) as cloud:
        identities = Path(folder) / "swarm"
        create(cloud, names, identities)
        swarm, caller = Swarm(cloud, identities), Caller(cloud)
        try:
            measure_memory(cloud, swarm)
            measure_get(swarm)
            measure_send(cloud, swarm, caller, "telemetry, single", "10,000 messages/s", MESSAGES,
                         20, 500, 0)
            measure_send(cloud, swarm, caller, f"telemetry, batches of {BATCH}", "300,000 rows/s",
                         BATCHES, 5, 100, BATCH)
            measure_change(cloud, swarm, names)
            measure_configuration(cloud, swarm, caller)
            for part in ("broker", "hub"):
                row(f"{part} at the end: RSS", f"{rss_kb(cloud.children[part].pid) / 1024:.0f} MB", "")
        finally:
            swarm.close()
        time.sleep(2)
        measure_reconnect(cloud, identities)


def measure_evaluation(caller, name, condition, expected, reach=""):
    """Until the hub's own count says so; single twin GETs beside it show what others feel."""
    gets, end = [], time.monotonic() + 300
    began = time.monotonic()
    caller.call("PUT", f"/configurations/{name}", {
        "id": name, "schemaVersion": "2.0", "priority": 1, "targetCondition": condition, "labels": {},
        "content": {"deviceContent": {f"properties.desired.{name}": {"value": 1}}}})
    applied = 0
    while applied < expected and time.monotonic() < end:
        at = time.monotonic()
        caller.call("GET", "/twins/d00000")
        gets.append((time.monotonic() - at) * 1000)
        results = caller.call("GET", f"/configurations/{name}")["systemMetrics"]["results"]
        applied = results.get("appliedCount", 0)
        time.sleep(0.02)
    took = time.monotonic() - began
    gets.sort()
    row(f"configuration \"{condition}\", applied to {applied} of {DEVICES}", f"{took:.2f} s", reach,
        f"{DEVICES / took:,.0f} twins/s; REST GET meanwhile p50 {gets[len(gets) // 2]:.1f} "
        f"max {gets[-1]:.1f} ms")


def run_twins(folder):
    names = [f"d{i:05}" for i in range(DEVICES)]
    with Cloud(folder, BUILD, requests_per_second=100000) as cloud:
        create(cloud, names, Path(folder) / "swarm")
        caller = Caller(cloud)
        on_threads(cloud, names[::100],
                   lambda each, name: each.call("PATCH", f"/twins/{name}", {"tags": {"line": "seven"}}))
        measure_evaluation(caller, "few", "tags.line='seven'", len(names[::100]))
        measure_evaluation(caller, "all", "*", DEVICES)
        row("hub: RSS", f"{rss_kb(cloud.children['hub'].pid) / 1024:.0f} MB", "")


def main():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if not IS_TWINS and hard < DEVICES + 100:
        sys.exit(f"RLIMIT_NOFILE is {hard}: too few descriptors for {DEVICES} devices")
    with tempfile.TemporaryDirectory(dir=FOLDER) as folder:
        (run_twins if IS_TWINS else run)(folder)


main()
