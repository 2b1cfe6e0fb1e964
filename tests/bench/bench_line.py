#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""
Fifty parts a second through the whole line: camera folder -> inspection -> agent -> hub. Counts the
camera's triggers and what became of each: a verdict, an explicit NO_DECISION, or nothing (lost, and
that must be 0). Prints latencies from the records. Needs a build without sanitizers (VD_BUILD).

    tests/bench/bench_line.py [seconds, default 600] [parts a second, default 50]
"""

import collections
import os
import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True
ROOT = Path(__file__).resolve().parents[2]
os.environ.setdefault("VD_BUILD", str(ROOT / "build" / "release"))
sys.path.insert(0, str(ROOT / "tests" / "harness"))
import line as lines  # noqa: E402
from line import Line, wait_until  # noqa: E402

DRAIN_S = 60


def quantile(values, q):
    values = sorted(values)
    return values[min(len(values) - 1, int(q * len(values)))] if values else float("nan")


def documents(line, fps):
    """The folder's timer does not wait for the station: a part on a belt does not either."""
    station = lines.golden_station(line.captures / "part-00001.jpg")
    return lines.document(
        {"cam": lines.camera(line.captures, fps, waitForConsumer=False, healthIntervalMs=1000), "station": station},
        routes=dict(lines.ROUTES, health="FROM cam/health INTO $upstream"))


def health(line):
    """The camera's last word about itself."""
    bodies = [r["body"] for r in line.records(**{"class": "telemetry"}) if "captures" in r.get("body", {})]
    return bodies[-1] if bodies else None


def seq_of(verdict):
    return verdict["body"]["trigger"]["seq"]


def report(verdicts, camera, seconds, fps):
    bodies = [v["body"] for v in verdicts]
    seqs = [seq_of(v) for v in verdicts]
    first, last = min(seqs), max(seqs)
    outcomes = collections.Counter(b["verdict"] for b in bodies)
    reasons = collections.Counter(r.split(":")[0] for b in bodies if b["verdict"] == "NO_DECISION" for r in b["reasons"])
    twice = len(seqs) - len(set(seqs))
    lost = last - first + 1 - len(set(seqs))
    gaps = sorted(set(range(first, last + 1)) - set(seqs))
    totals = [b["timings"]["totalMs"] for b in bodies if b.get("timings")]
    delays = [v["tMono"] - v["body"]["trigger"]["tMono"] for v in verdicts]
    print("parts a second asked %g, made %.2f, for %.0f s" % (fps, len(seqs) / seconds, seconds))
    print("triggers                      %8d   (camera: captures %d, failures %d, drops %d, missed ticks %d)" % (
        last - first + 1, camera["captures"], camera["failures"], camera["drops"], camera["missedTicks"]))
    print("verdicts                      %8d   %s" % (len(set(seqs)), dict(outcomes)))
    print("of them explicit NO_DECISION  %8d   %s" % (outcomes["NO_DECISION"], dict(reasons)))
    print("lost (target 0)               %8d   twice %d   %s" % (lost, twice, ["no. %d" % (s - first) for s in gaps[:10]]))
    print("frame in -> verdict           p50 %.2f p99 %.2f max %.2f ms" % (
        quantile(totals, 0.5), quantile(totals, 0.99), max(totals)))
    print("trigger -> record made        p50 %.1f p99 %.1f max %.1f ms" % (
        quantile(delays, 0.5), quantile(delays, 0.99), max(delays)))
    return lost + twice


def main():
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 600
    fps = float(sys.argv[2]) if len(sys.argv) > 2 else 50
    with Line("bench") as line:
        line.simulate(good=40, mixed=60)
        line.agent.start()
        line.wait_applied(line.set_desired(documents(line, fps)))
        line.agent.wait_ready("cam", "station")
        wait_until(lambda: len(line.verdicts()) > 0, 20, line.agent.log_tail)
        began = time.monotonic()
        while time.monotonic() - began < seconds:
            time.sleep(min(10, seconds))
            print("%5.0f s" % (time.monotonic() - began), file=sys.stderr, flush=True)
        camera = wait_until(lambda: health(line), 10, line.agent.log_tail)
        line.wait_applied(line.set_desired({"modules": {"cam": {"status": "stopped"}}}))
        took = time.monotonic() - began
        end, before = time.monotonic() + DRAIN_S, -1
        verdicts = line.verdicts()
        while len(verdicts) != before and time.monotonic() < end:
            before = len(verdicts)
            time.sleep(2)
            verdicts = line.verdicts()
        return 1 if report(verdicts, camera, took, fps) else 0


if __name__ == "__main__":
    sys.exit(main())
