#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A PLC says by a bit that a part is there, and gets its verdict back: each part once, whatever dies."""

import os
import random
import shutil
import sys
import time
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "harness"))
sys.path.insert(0, str(Path(__file__).resolve().parent))
import line as lines  # noqa: E402
import modbus_module as field  # noqa: E402
from line import BUILD, Line, module, wait_until  # noqa: E402

field.SIMULATOR = str(BUILD / "bin" / "vedette-modbus-simulator")

PART_BIT, OVEN, SERIAL, RECIPE = 3, 5, 20, 60            # discrete input; registers
REJECT, TAKEN, CODE, SEQUENCE, WHOSE = 0, 2, 10, 11, 12  # coils; registers
ROUTES = dict(
    lines.ROUTES,
    capture="FROM station/capture INTO cam/trigger",
    part="FROM bus/event INTO station/trigger",
    recipe="FROM bus/event INTO station/select",
    oven="FROM bus/samples INTO station/values",
    back="FROM station/verdict INTO bus/write",
    told="FROM bus/status INTO $upstream",
    edges="FROM bus/event INTO $upstream")


def bus(port, order=5):
    return module("modbus", order, {
        "devices": {"press": {
            "transport": {"type": "tcp", "host": "127.0.0.1", "port": port},
            "responseTimeoutMs": 300, "backOffMs": 50, "backOffMostMs": 200,
            "tags": {"oven": {"address": OVEN, "intervalMs": 100, "scale": 0.1}},
            "events": {
                "part": {"area": "discrete", "address": PART_BIT, "periodMs": 10, "gapMs": 0, "acknowledge": "taken",
                         "serial": {"address": SERIAL, "type": "string", "length": 6}},
                "recipe": {"address": RECIPE, "on": "change", "periodMs": 50, "atStart": True}},
            "outputs": {"taken": {"address": TAKEN}, "reject": {"address": REJECT},
                        "code": {"area": "holding", "address": CODE},
                        "sequence": {"area": "holding", "address": SEQUENCE},
                        "whose": {"area": "holding", "address": WHOSE}}}},
        "verdicts": {"device": "press", "ngOutput": "reject", "codeOutput": "code", "sequenceOutput": "sequence",
                     "serialOutput": "whose"}})


def station(line):
    parameters = lines.golden_station(line.folder / "template.jpg")
    recipe = parameters["parameters"]["recipes"]["r"]
    parameters["parameters"].update(
        trigger={"message": {"when": {"pointer": "/event", "equals": "part"}}},
        select={"by": ["message"], "pointer": "/value", "when": {"pointer": "/event", "equals": "recipe"}, "values": {"1": "r", "2": "r2"}},
        values={"oven": {"from": "bus/samples", "pointer": "/samples/oven/value",
                         "when": {"pointer": "/device", "equals": "press"}}})
    parameters["parameters"]["recipes"]["r2"] = dict(recipe, rev=7)
    return parameters


class Plc:
    """The simulator, and what a PLC does with it."""

    VALUES = [{"address": OVEN, "words": [1815]}, {"address": RECIPE, "words": [1]}]

    def __init__(self):
        self.simulator = field.Simulator({"values": self.VALUES})
        self.port = self.simulator.port

    def close(self):
        self.simulator.close()

    def die_and_come_back(self, values):
        self.simulator.process.kill()
        self.simulator.close()
        self.simulator = field.Simulator({"values": self.VALUES + values}, port=self.port)

    def command(self, text, *values):
        self.simulator.command(text % values)

    def show(self, serial):
        """The part is there; from where on its writes stand."""
        for i in range(3):
            self.command("set holding %d %d", SERIAL + i, int.from_bytes(serial[2 * i:2 * i + 2].encode(), "big"))
        self.command("set discrete %d 1", PART_BIT)
        return len(self.simulator.out.lines)

    def take_away(self):
        self.command("set discrete %d 0", PART_BIT)

    def part(self, serial):
        """A part with its handshake and its result; the sequence number that came with it."""
        since = len(self.simulator.out.lines)
        self.show(serial)
        taken = self.simulator.wait_write("coil", TAKEN, 1, since)
        self.take_away()
        self.simulator.wait_write("coil", TAKEN, 0, taken)
        at = self.simulator.out.wait(lambda l: " write holding %d " % SEQUENCE in l, since)[1]
        return int(self.simulator.out.lines[at].split()[4])

    def writes(self, area, address, since=0):
        return self.simulator.writes(area, address, since)


def by_serial(line):
    found = {}
    for verdict in line.verdicts():
        found.setdefault(verdict["body"].get("serial"), []).append(verdict["body"])
    return found


def wait_verdicts(line, serials):
    def check():
        found = by_serial(line)
        return found if set(serials) <= set(found) else None
    return wait_until(check, 30, lambda: "%s of %s\n%s" % (sorted(map(str, by_serial(line))), serials,
                                                         line.agent.log_tail()))


class TriggersTest(unittest.TestCase):
    def start(self):
        plc = Plc()
        self.addCleanup(lambda: plc.close())
        line = Line()
        line.__enter__()
        self.addCleanup(lambda: line.__exit__(None, None, None))
        line.simulate(good=3, mixed=0)
        shutil.copy(line.captures / "part-00001.jpg", line.folder / "template.jpg")
        for n in (2, 3):
            shutil.copy(line.captures / "part-00001.jpg", line.captures / ("part-%05d.jpg" % n))
        line.agent.start()
        line.wait_applied(line.set_desired(lines.document({
            "cam": module("camera", 20, {"source": "folder:%s" % line.captures, "loop": True, "trigger": "call"}),
            "station": station(line), "bus": bus(plc.port)}, ROUTES, reportIntervalMs=1000)))
        line.agent.wait_ready("cam", "station", "bus")
        self.wait_watching(line)
        return line, plc

    def wait_watching(self, line, restarts=0):
        """The bus has read its device: from here on an edge is one."""
        def polled():
            return line.agent.log_path.read_text(errors="replace").count("device=press from=") > restarts
        wait_until(polled, 15, line.agent.log_tail)

    def test_each_part_is_one_item_and_its_verdict_comes_back(self):
        line, plc = self.start()
        serials = ["%06d" % n for n in range(1, 6)]
        sequences = [plc.part(serial) for serial in serials]
        found = wait_verdicts(line, serials)
        self.assertEqual({serial: len(bodies) for serial, bodies in found.items()}, {s: 1 for s in serials})
        for serial, sequence in zip(serials, sequences):
            body = found[serial][0]
            self.assertEqual((body["verdict"], body["rev"]), ("OK", 1), body)
            self.assertEqual((body["trigger"]["from"], body["trigger"]["seq"]), ("bus/event", sequence))
            self.assertEqual(body["values"]["oven"]["value"], 181.5)
        self.assertEqual([code for code in plc.writes("holding", CODE) if code], [1] * 5)
        self.assertEqual(plc.writes("holding", WHOSE), [1, 2, 3, 4, 5])
        self.assertNotIn(1, plc.writes("coil", REJECT))
        plc.command("set holding %d %d", RECIPE, 2)
        wait_until(lambda: line.reported()["modules"]["station"].get("report", {}).get("active") == "r2", 15,
                   line.agent.log_tail)
        plc.part("P00006")
        self.assertEqual(wait_verdicts(line, ["P00006"])["P00006"][0]["rev"], 7)

    def test_a_plc_that_dies_and_comes_back_with_its_bit_on_makes_no_item_of_it(self):
        line, plc = self.start()
        plc.part("P00001")
        plc.die_and_come_back([{"area": "discrete", "address": PART_BIT, "words": [1]}])
        log = line.agent.log_path
        wait_until(lambda: log.read_text(errors="replace").count("modbus.connected") >= 2, 15, line.agent.log_tail)
        time.sleep(0.2)
        self.assertNotIn(1, plc.writes("coil", TAKEN))
        plc.take_away()
        time.sleep(0.2)  # as long as a PLC must hold a level: some periods
        plc.part("P00002")
        found = wait_verdicts(line, ["P00001", "P00002"])
        self.assertEqual({s: len(b) for s, b in found.items()}, {"P00001": 1, "P00002": 1})
        edges = wait_until(lambda: (lambda e: e if len(e) == 2 else None)(
            [r["body"] for r in line.records(module="bus") if r["output"] == "event" and r["body"]["event"] == "part"]),
            15, line.agent.log_tail)
        self.assertEqual([(e["seq"], e.get("missedUnknown")) for e in edges], [(1, True), (2, True)])
        unseen = [r["body"]["source"] for r in line.records(module="bus") if r["body"]["event"] == "edgesUnseen"]
        self.assertIn("part", unseen)

    def test_an_agent_killed_at_any_moment_never_acts_twice_for_a_part(self):
        line, plc = self.start()
        chance = random.Random(11)
        shown = ["K%05d" % n for n in range(6)]
        acted = {}
        for n, serial in enumerate(shown):
            since = plc.show(serial)
            time.sleep(chance.uniform(0, 0.08))
            line.agent.kill()
            line.agent.start()
            line.agent.wait_ready("cam", "station", "bus")
            self.wait_watching(line, n + 1)
            plc.take_away()
            plc.simulator.wait_write("coil", TAKEN, 0, since)
            time.sleep(0.5)  # what the station tells of after its restart
            acted[serial] = len(plc.writes("holding", SEQUENCE, since))
        plc.part("AFTER1")
        found = wait_verdicts(line, ["AFTER1"])
        self.assertTrue(set(found) <= set(shown) | {"AFTER1"}, sorted(found))
        self.assertEqual({s: len(b) for s, b in found.items() if len(b) != 1}, {})
        self.assertEqual({s: n for s, n in acted.items() if n > 1}, {})
        recovered = [s for s in found if found[s][0].get("recovered")]
        live = [b[0] for b in found.values() if not b[0].get("recovered")]
        self.assertLessEqual(plc.writes("coil", REJECT).count(1), sum(b["verdict"] != "OK" for b in live))
        for serial in recovered:
            self.assertEqual(found[serial][0]["verdict"], "NO_DECISION")
        def passed():
            return [r["body"]["why"] for r in line.records(module="bus") if r["body"]["event"] == "verdictPassedOver"]
        wait_until(lambda: len(passed()) >= len(recovered), 10, line.agent.log_tail)
        self.assertEqual(set(passed()) - {"recovered"}, set())
        print("parts %d, items %d, recovered and passed over %d" % (
            len(shown), len(found) - 1, len(recovered)), file=sys.stderr)


if __name__ == "__main__":
    os.dup2(os.open(os.devnull, os.O_RDWR), 3)
    unittest.main(verbosity=2)
