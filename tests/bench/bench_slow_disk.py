#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""
What devices feel when the hub's disk syncs slowly (slow_sync.c, in the hub only): twin GET through
broker and hub, alone, while telemetry comes in, and while twins are changed by REST. Needs a
build without sanitizers (VD_BUILD, build/release by default), with vedette-swarm and slow_sync; the
broker's disk stays as it is, so that telemetry keeps coming. Prints a table; asserts nothing.

    bench_slow_disk.py [MILLISECONDS...]    of a sync; 0 10 30 by default
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.dont_write_bytecode = True
ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "harness"))
from cloud import Cloud  # noqa: E402

BUILD = Path(os.environ.get("VD_BUILD", ROOT / "build" / "release")).resolve()
DELAYS = [int(text) for text in sys.argv[1:]] or [0, 10, 30]
READERS, WRITERS, GETS, BATCH = 20, 20, 20000, 50


class SlowCloud(Cloud):
    """Its hub has a slow disk."""

    delay_ms = 0

    def environment(self, part):
        environment = super().environment(part)
        if part == "hub":
            environment["LD_PRELOAD"] = str(BUILD / "tests/bench/libslow_sync.so")
            environment["VD_SYNC_MS"] = str(self.delay_ms)
        return environment


class Swarm:
    def __init__(self, cloud, identities):
        self.process = subprocess.Popen(
            [str(BUILD / "tests/bench/vedette-swarm"), cloud.address, str(cloud.mqtts_port),
             cloud.host_name, cloud.ca_file, str(identities), "1"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.do("connect")

    def start(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()

    def do(self, command):
        self.start(command)
        return json.loads(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.wait(30)


def enrol(cloud, folder, prefix, count):
    path = Path(folder) / prefix
    path.write_text("".join(f"{prefix}{i} {cloud.create_device(f'{prefix}{i}')}\n"
                            for i in range(count)))
    return path


def measure_gets(swarm, delay, name):
    """One after the other: a sync holds up one of them and hides from the quantiles, not from the rate."""
    began = time.monotonic()
    done = swarm.do(f"get {GETS}")
    rate = done["count"] / (time.monotonic() - began)
    print(f"{delay:>5} ms  {name:<44} {done['p50'] / 1000:>8.2f} {done['p99'] / 1000:>8.2f}"
          f" {done['last'] / 1000:>8.1f} {rate:>9,.0f}", flush=True)


def wait_for(is_so):
    end = time.monotonic() + 60
    while not is_so() and time.monotonic() < end:
        time.sleep(0.01)


def patch_until(cloud, is_over, count):
    while not is_over.is_set():
        cloud.must("PATCH", f"/twins/w{count[0] % WRITERS}", {"tags": {"n": count[0]}},
                   headers={"If-Match": '"*"'})
        count[0] += 1


def measure(folder, delay):
    with SlowCloud(folder, BUILD, twin_requests_per_second=10**6) as cloud:
        readers = enrol(cloud, folder, "r", READERS)
        writers = enrol(cloud, folder, "w", WRITERS)
        cloud.kill("hub")
        cloud.delay_ms = delay
        cloud.start("hub")
        time.sleep(1)
        reading, writing = Swarm(cloud, readers), Swarm(cloud, writers)
        try:
            measure_gets(reading, delay, "GET alone")
            writing.start(f"send 60000 1 {WRITERS} {BATCH}")
            wait_for(lambda: cloud.must("GET", "/telemetry/statistics")["classes"])
            measure_gets(reading, delay, "GET, telemetry in batches beside it")
            sent = json.loads(writing.process.stdout.readline())
            print(f"{'':>10}{sent['count'] / sent['seconds']:.0f} messages/s acknowledged meanwhile")
            wait_for(lambda: cloud.must("GET", "/health")["spoolBacklogBytes"] == 0)
            is_over, count = threading.Event(), [0]
            thread = threading.Thread(target=patch_until, args=(cloud, is_over, count))
            thread.start()
            measure_gets(reading, delay, "GET, one caller that changes twins beside it")
            is_over.set()
            thread.join()
        finally:
            reading.close()
            writing.close()


def main():
    print(f"{'a sync':>8}  {'':<44} {'p50 ms':>8} {'p99 ms':>8} {'max ms':>8} {'GETs/s':>9}")
    for delay in DELAYS:
        with tempfile.TemporaryDirectory() as folder:
            measure(folder, delay)


main()
