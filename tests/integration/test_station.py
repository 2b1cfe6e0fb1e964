#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What begins an item at a station, and that each trigger it accepted has exactly one verdict."""

import json
import os
import random
import shutil
import signal
import sys
import time
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "harness"))
import line as lines  # noqa: E402
from line import Line, wait_until  # noqa: E402

ROUTES = dict(lines.ROUTES, capture="FROM station/capture INTO cam/trigger",
              alarms={"route": "FROM station/alarm INTO $upstream", "class": "alarm"})


def asked_camera(line):
    """Captures only when it is asked to."""
    return lines.module("camera", 20, {"source": "folder:%s" % line.captures, "loop": True, "trigger": "call"})


def station(line, order=10, **more):
    parameters = lines.golden_station(line.folder / "template.jpg")
    parameters["startupOrder"] = order
    parameters["parameters"].update(more)
    return parameters


def start(line, modules=None, routes=None, ready=("cam", "station"), **more):
    line.simulate(good=3, mixed=0)
    shutil.copy(line.captures / "part-00001.jpg", line.folder / "template.jpg")
    for n in (2, 3):
        shutil.copy(line.captures / "part-00001.jpg", line.captures / ("part-%05d.jpg" % n))
    line.agent.start()
    document = dict({"cam": asked_camera(line), "station": station(line, **more)}, **modules or {})
    version = line.set_desired(lines.document(document, ROUTES if routes is None else routes, reportIntervalMs=1000))
    line.wait_applied(version)
    line.agent.wait_ready(*ready)
    return version


def call(line, method, body=None, module="station"):
    """(body, None) or (None, what was said)."""
    done = line.agent.vedette("call", module, method, json.dumps(body or {}))
    if done.returncode == 0:
        return json.loads(done.stdout), None
    return None, done.stdout + done.stderr


def inspect(line, serial, module="station"):
    answer, refusal = call(line, "inspect", {"serial": serial}, module)
    assert answer, refusal
    return answer["itemId"]


def bodies(line, module="station"):
    return [v["body"] for v in line.verdicts() if v["module"] == module]


def wait_items(line, items, seconds=30, module="station"):
    """The verdicts by item, once there is one for each of items."""
    def check():
        found = {}
        for body in bodies(line, module):
            found.setdefault(body["itemId"], []).append(body)
        return found if set(items) <= set(found) else None
    return wait_until(check, seconds, lambda: "%s of %s\n%s" % (
        [(b["itemId"], b["verdict"], b["reasons"]) for b in bodies(line, module)], items, line.agent.log_tail()))


def reported(line, condition, module="station"):
    return wait_until(lambda: (lambda r: r if condition(r) else None)(
        line.reported().get("modules", {}).get(module, {}).get("report", {})), 15, lambda: json.dumps(
            line.reported(), indent=1) + line.agent.log_tail())


def kill_module(line, name="station"):
    pid = line.agent.modules()[name].get("pid")
    if pid:
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: line.agent.modules()[name].get("pid", pid) != pid, 10, line.agent.log_tail)


class StationTest(unittest.TestCase):
    def assert_ok(self, body, source, serial):
        self.assertEqual(body["verdict"], "OK", body)
        self.assertEqual(body["trigger"]["source"], source)
        self.assertEqual(body["serial"], serial)

    def test_a_call_on_the_box_is_answered_with_the_item_and_has_its_verdict(self):
        with Line() as line:
            version = start(line)
            items = [inspect(line, "A-%d" % n) for n in range(4)]
            found = wait_items(line, items)
            for n, item in enumerate(items):
                self.assertEqual(len(found[item]), 1)
                self.assert_ok(found[item][0], "call", "A-%d" % n)
                self.assertEqual(found[item][0]["parametersVersion"], version)
            self.assertEqual(len(found), len(items), "a frame nobody asked for made an item")

    def test_a_message_from_another_module_triggers_and_brings_the_serial(self):
        with Line() as line:
            second = station(line, order=11, trigger={"message": {"when": {"pointer": "/verdict", "equals": "OK"}}},
                             values={"ms": {"from": "station/verdict", "pointer": "/timings/totalMs"},
                                     "other": {"from": "station/alarm", "pointer": "/x"}})
            start(line, modules={"second": second, "cam-2": asked_camera(line)}, routes=dict(
                ROUTES, next="FROM station/verdict INTO second/trigger", ask="FROM second/capture INTO cam-2/trigger",
                more="FROM cam-2/frame INTO second/frame", values="FROM station/verdict INTO second/values",
                out="FROM second/verdict INTO $upstream"),
                ready=("cam", "station", "second", "cam-2"))
            # One recipe serves both: its camera has another name here.
            second["parameters"]["recipes"]["r"].update(cameras=["cam-2"])
            second["parameters"]["recipes"]["r"]["steps"]["board"]["camera"] = "cam-2"
            line.wait_applied(line.set_desired({"modules": {"second": second}}))
            inspect(line, "M-7")
            body = wait_until(lambda: bodies(line, "second"), 20, line.agent.log_tail)[0]
            self.assert_ok(body, "message", "M-7")
            self.assertEqual(body["trigger"]["from"], "station/verdict")
            self.assertEqual(body["values"]["ms"]["value"], bodies(line)[0]["timings"]["totalMs"])
            self.assertLessEqual(abs(body["values"]["ms"]["offsetMs"]), 1000)
            self.assertIsNone(body["values"]["other"])

    def test_a_dropped_file_is_inspected_under_its_name_and_consumed(self):
        with Line() as line:
            drop = line.folder / "drop"
            drop.mkdir()
            start(line, trigger={"file": {"folder": str(drop)}})
            shutil.copy(line.folder / "template.jpg", drop / "next.tmp")
            (drop / "next.tmp").rename(drop / "F-1.jpg")
            (drop / "F-2.jpg").write_bytes((line.folder / "template.jpg").read_bytes()[:5000])
            by_serial = wait_until(lambda: (lambda f: f if len(f) == 2 else None)(
                {b["serial"]: b for b in bodies(line)}), 20, line.agent.log_tail)
            self.assert_ok(by_serial["F-1"], "file", "F-1")
            self.assertEqual(by_serial["F-2"]["verdict"], "NO_DECISION")
            wait_until(lambda: not list(drop.iterdir()), 5, lambda: str(list(drop.iterdir())))

    def test_a_camera_that_does_not_answer_leaves_its_capture_missing(self):
        with Line() as line:
            start(line, routes={k: r for k, r in ROUTES.items() if k != "capture"}, deadlineMs=200)
            item = inspect(line, "A-1")
            body = wait_items(line, [item])[item][0]
            self.assertEqual(body["verdict"], "NO_DECISION")
            self.assertIn("missing", body["reasons"][0])

    def test_five_queued_triggers_keep_the_parameters_they_came_under(self):
        with Line() as line:
            routes = {k: r for k, r in ROUTES.items() if k != "capture"}
            version = start(line, routes=routes, deadlineMs=4000)
            items = [inspect(line, "A-%d" % n) for n in range(5)]
            changed = line.set_desired({"modules": {"station": {"parameters": {
                "deadlineMs": 100, "recipes": {"r": {"rev": 2}}}}}})
            line.wait_applied(changed)
            late = inspect(line, "B")
            found = wait_items(line, items + [late])
            for item in items:
                self.assertEqual((found[item][0]["rev"], found[item][0]["parametersVersion"]), (1, version))
            self.assertEqual((found[late][0]["rev"], found[late][0]["parametersVersion"]), (2, changed))
            self.assertEqual([len(found[item]) for item in items], [1] * 5)

    def test_a_full_queue_refuses_with_a_reason_counts_and_does_not_grow(self):
        with Line() as line:
            routes = {k: r for k, r in ROUTES.items() if k != "capture"}
            start(line, routes=routes, deadlineMs=60000, queueMax=2)
            items = [inspect(line, "A-%d" % n) for n in range(2)]
            pid = line.agent.modules()["station"]["pid"]

            def resident():
                return int(Path("/proc/%d/statm" % pid).read_text().split()[1])
            _, refusal = call(line, "inspect", {"serial": "B"})
            self.assertIn("queueFull", refusal)
            before = resident()
            for n in range(100):
                self.assertIsNone(call(line, "inspect", {"serial": "B-%d" % n})[0])
            self.assertLess(resident() - before, 500, "pages")
            reported(line, lambda r: r.get("counters", {}).get("refusedTriggers") == 101)
            # They are told of, whatever becomes of the station.
            kill_module(line)
            found = wait_items(line, items)
            self.assertEqual({len(found[item]) for item in items}, {1})
            self.assertTrue(all("interrupted" in found[item][0]["reasons"][0] for item in items))

    def test_a_timer_that_overruns_the_queue_says_so_for_each_part(self):
        with Line() as line:
            routes = {k: r for k, r in ROUTES.items() if k != "capture"}
            start(line, routes=routes, deadlineMs=60000, queueMax=1, trigger={"timer": {"intervalMs": 50}})
            found = wait_until(lambda: (lambda f: f if len(f) >= 5 else None)(bodies(line)), 20, line.agent.log_tail)
            for body in found:
                self.assertEqual(body["verdict"], "NO_DECISION")
                self.assertTrue(body["reasons"][0].startswith("overrun"), body["reasons"])
            seqs = [body["trigger"]["seq"] for body in found]
            self.assertEqual(seqs, list(range(2, 2 + len(seqs))), "the first one holds the only place")
            wait_until(lambda: [r for r in line.records(**{"class": "alarm"}) if r["body"]["alarm"] == "lineSpeed"],
                       15, line.agent.log_tail)

    def test_a_held_line_takes_no_triggers_until_it_is_released_also_after_a_crash(self):
        with Line() as line:
            start(line)
            self.assertIn("by", call(line, "hold", {"reason": "no name"})[1])
            call(line, "hold", {"by": "shift 2", "reason": "lamp"})
            self.assertIn("lamp", call(line, "inspect", {"serial": "A"})[1])
            reported(line, lambda r: (r.get("held") or {}).get("by") == "shift 2")
            kill_module(line)
            line.agent.wait_ready("station")
            self.assertIn("held", call(line, "inspect", {"serial": "A"})[1])
            call(line, "release", {"by": "shift 2"})
            wait_items(line, [inspect(line, "B")])
            reported(line, lambda r: r.get("held") is None and r["counters"]["held"] == 1)
            self.assertEqual([b["serial"] for b in bodies(line)], ["B"])

    def test_the_line_selects_its_recipe_where_the_document_lets_it(self):
        with Line() as line:
            start(line)
            self.assertIn("document", call(line, "select", {"recipe": "r2", "by": "me"})[1])
            recipe = station(line)["parameters"]["recipes"]["r"]
            parameters = {"select": {"by": ["call"]}, "recipes": {"r2": dict(recipe, rev=7)}}
            line.wait_applied(line.set_desired({"modules": {"station": {"parameters": parameters}}}))
            self.assertIn("no recipe", call(line, "select", {"recipe": "r3", "by": "me"})[1])
            self.assertEqual(call(line, "select", {"recipe": "r2", "by": "me"})[0], {"recipe": "r2"})
            kill_module(line)
            line.agent.wait_ready("station")
            item = inspect(line, "A")
            self.assertEqual(wait_items(line, [item])[item][0]["rev"], 7)
            reported(line, lambda r: r.get("active") == "r2" and (r.get("selected") or {}).get("by") == "me")
            # The document's next word counts again.
            again = {"active": "r3", "recipes": {"r3": dict(recipe, rev=8)}}
            line.wait_applied(line.set_desired({"modules": {"station": {"parameters": again}}}))
            item = inspect(line, "B")
            self.assertEqual(wait_items(line, [item])[item][0]["rev"], 8)
            reported(line, lambda r: r.get("active") == "r3" and r.get("selected") is None)

    def test_an_item_is_inspected_once_more_from_its_frames_or_from_new_ones(self):
        with Line() as line:
            start(line, keepItems=2, routes=dict(ROUTES, overrides="FROM station/override INTO $upstream"))
            old = [inspect(line, "A-%d" % n) for n in range(3)]
            wait_items(line, old)
            who = {"by": "shift 2", "reason": "glare"}
            self.assertIn("by", call(line, "reinspect", {"itemId": old[2]})[1])
            self.assertIn("kept", call(line, "reinspect", dict(who, itemId=old[0]))[1])
            again = call(line, "reinspect", dict(who, itemId=old[2]))[0]["itemId"]
            anew = call(line, "reinspect", dict(who, itemId=old[0], capture=True))[0]["itemId"]
            found = {item: verdicts[0] for item, verdicts in wait_items(line, old + [again, anew]).items()}
            self.assertEqual((found[again]["supersedes"], found[anew]["supersedes"]), (old[2], old[0]))
            self.assert_ok(found[again], "reinspect", "A-2")
            self.assertEqual(found[again]["trigger"]["by"], "shift 2")
            self.assertEqual(found[again]["cameras"]["cam"]["sha256"], found[old[2]]["cameras"]["cam"]["sha256"])
            self.assertEqual(found[anew]["verdict"], "OK")
            outputs = {v["body"]["itemId"]: v["output"] for v in line.verdicts()}
            self.assertEqual((outputs[old[2]], outputs[again]), ("verdict", "override"))

    def test_a_test_part_is_no_part_and_raises_an_alarm_when_its_verdict_changes(self):
        with Line() as line:
            test = line.folder / "test.jpg"
            routes = dict(ROUTES, tests="FROM station/selfTest INTO $upstream")
            start(line, routes=routes, selfTest={"everyS": 1, "frames": {"cam": str(test)}, "expect": "OK"})
            self.check_test_part(line, test)

    def check_test_part(self, line, test):
        def alarms(state):
            return [r for r in line.records(**{"class": "alarm"})
                    if (r["body"]["alarm"], r["body"]["state"]) == ("selfTest", state)]
        wait_until(lambda: alarms("raised"), 15, line.agent.log_tail)  # the picture is not there
        shutil.copy(line.folder / "template.jpg", test.with_suffix(".new"))
        test.with_suffix(".new").rename(test)
        wait_until(lambda: alarms("cleared"), 15, line.agent.log_tail)
        report = reported(line, lambda r: (r.get("selfTest") or {}).get("last") == "OK")
        self.assertEqual(sum(report["counters"][v] for v in ("OK", "WARN", "NG", "NO_DECISION")), 0)
        item = inspect(line, "A")
        wait_items(line, [item])
        self.assertEqual([b["itemId"] for b in bodies(line)], [item])
        tests = [r for r in line.records() if r["output"] == "selfTest"]
        self.assertTrue(tests[0]["body"]["passed"] is False and tests[-1]["body"]["passed"] is True)

    def check_killed(self, line, kill, rounds, seed):
        """Triggers, a kill at some moment among them, and so on; each accepted one has one verdict."""
        chance = random.Random(seed)
        accepted = []
        for n in range(rounds):
            for i in range(3):
                answer, _ = call(line, "inspect", {"serial": "K-%d-%d" % (n, i)})
                if answer:
                    accepted.append(answer["itemId"])
            time.sleep(chance.uniform(0, 0.05))
            kill()
            wait_until(lambda: call(line, "inspect", {"serial": "again"})[0], 30, line.agent.log_tail)
        found = wait_items(line, accepted, 40)
        time.sleep(1)
        found = wait_items(line, accepted)
        self.assertEqual({item: len(found[item]) for item in accepted if len(found[item]) != 1}, {})
        self.assertEqual([item for item, verdicts in found.items() if len(verdicts) != 1], [])
        for verdicts in found.values():
            body = verdicts[0]
            self.assertTrue(body["verdict"] == "OK" or (
                body["verdict"] == "NO_DECISION" and ("interrupted" in body["reasons"][0] or
                                                      "missing" in body["reasons"][0] or
                                                      "could not be asked" in body["reasons"][0])), body)
        self.assertGreater(len(accepted), rounds)

    def test_a_station_killed_at_any_moment_tells_of_each_accepted_trigger_once(self):
        with Line() as line:
            start(line)
            self.check_killed(line, lambda: kill_module(line), rounds=8, seed=1)

    def test_an_agent_killed_at_any_moment_tells_of_each_accepted_trigger_once(self):
        def kill():
            line.agent.kill()
            line.agent.start()
            line.agent.wait_ready("cam", "station")
        with Line() as line:
            start(line)
            self.check_killed(line, kill, rounds=4, seed=2)

    def test_a_dropped_file_survives_a_crash_and_is_inspected_once(self):
        with Line() as line:
            drop = line.folder / "drop"
            drop.mkdir()
            start(line, queueMax=2, trigger={"file": {"folder": str(drop)}})
            chance = random.Random(3)
            for n in range(12):
                shutil.copy(line.folder / "template.jpg", drop / "next.tmp")
                (drop / "next.tmp").rename(drop / ("F-%02d.jpg" % n))
                if n % 3 == 2:
                    time.sleep(chance.uniform(0, 0.05))
                    kill_module(line)
            wait_until(lambda: not list(drop.iterdir()), 30, lambda: str(list(drop.iterdir())) + line.agent.log_tail())
            found = wait_until(lambda: (lambda f: f if len({b["serial"] for b in f}) == 12 else None)(bodies(line)),
                               20, line.agent.log_tail)
            self.assertEqual(sorted(b["serial"] for b in found), ["F-%02d" % n for n in range(12)])
            self.assertEqual({b["verdict"] for b in found}, {"OK"}, "a frame that was there was not looked at")


if __name__ == "__main__":
    unittest.main(verbosity=2)
