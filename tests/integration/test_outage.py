#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""
The broker is gone for a minute at ten verdicts a second, and the agent is killed in the middle.

What counts as accepted is what the agent's log says it answered as stored: it writes that line
before it answers.
"""

import os
import re
import sys
import time
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "harness"))
import line as lines  # noqa: E402
from line import Line, wait_until  # noqa: E402

OUTAGE_S = float(os.environ.get("VD_OUTAGE_S", "60"))
PAUSE_MS = 2000


def accepted(line):
    return [int(seq) for seq in re.findall(r"publish\.stored module=station .*seq=(\d+)",
                                           line.agent.log_path.read_text(errors="replace"))]


class OutageTest(unittest.TestCase):
    def test_every_verdict_of_an_outage_arrives_exactly_once_in_order_though_the_agent_was_killed(self):
        with Line() as line:
            line.simulate(good=30, mixed=900)
            line.agent.start()
            line.wait_applied(line.set_desired(lines.document({
                "cam": lines.camera(line.captures, 10, loop=False, resume=True),
                "station": lines.golden_station(line.captures / "part-00001.jpg")})))
            wait_until(lambda: len(line.verdicts()) > 10, 20, line.agent.log_tail)

            line.cloud.kill("broker")
            time.sleep(OUTAGE_S / 2)
            line.agent.kill()
            killed_at = len(accepted(line))
            line.agent.start()
            line.agent.wait_ready("cam", "station")
            time.sleep(OUTAGE_S / 2)
            during = len(accepted(line))
            line.cloud.start("broker")

            # Some live ones after it, then no more items, so that the books can be closed.
            wait_until(lambda: len(line.verdicts()) >= during, 60, line.agent.log_tail)
            time.sleep(2)
            line.wait_applied(line.set_desired({"modules": {"cam": {"status": "stopped"}}}))
            wait_until(lambda: line.agent.call("outbox")["store"]["classes"]["verdict"]["records"] == 0, 30,
                       line.agent.log_tail)
            stored = accepted(line)
            wait_until(lambda: len(line.verdicts()) >= len(stored), 20, line.agent.log_tail)

            verdicts = line.verdicts()
            in_hub = [v["seq"] for v in verdicts]
            print("accepted %d (before the kill %d, by the end of the outage %d), in the hub %d" % (
                len(stored), killed_at, during, len(in_hub)))
            self.assertEqual(set(stored) - set(in_hub), set(), "accepted and lost")
            self.assertEqual(len(set(in_hub)), len(in_hub), "twice")
            self.assertEqual(in_hub, sorted(in_hub), "out of order")
            serials = [v["body"]["serial"] for v in verdicts]
            self.assertEqual(len(set(serials)), len(serials), "an item with two verdicts")
            # Ten a second before, during and after: the line did not wait for anybody.
            self.assertGreater(during, OUTAGE_S * 10 * 0.8)
            boots = {}
            for v in verdicts:
                boots.setdefault(v["bootId"], []).append(v["tMono"])
            self.assertEqual(len(boots), 2)
            for times in boots.values():
                pause = max(b - a for a, b in zip(times, times[1:]))
                self.assertLess(pause, PAUSE_MS, "the inspection paused")


if __name__ == "__main__":
    unittest.main(verbosity=2)
