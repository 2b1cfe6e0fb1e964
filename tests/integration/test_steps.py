#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A recipe whose steps are a graph, from the desired document to the verdict in the hub."""

import copy
import json
import shutil
import sys
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "harness"))
import line as lines  # noqa: E402
from line import Line, wait_until  # noqa: E402

ROUTES = dict(lines.ROUTES, capture="FROM station/capture INTO cam/trigger")

EACH = {"camera": "cam", "tool": "presence", "limits": {"mean": {"min": 1}},
        "foreach": {"step": "board.find", "whenEmpty": "ok"}}
LIT = {"camera": "cam", "tool": "focus", "limits": {"mean": {"min": 1}}, "needs": ["board.find"],
       "condition": "item.serial matches 'A*' and item.source == 'call' and steps.'board.find'.defects == 0",
       "whenSkipped": "ok"}


def parameters(line):
    station = lines.golden_station(line.folder / "template.jpg")
    inside = station["parameters"]
    recipe = inside["recipes"]["r"]
    find = recipe["steps"].pop("board")
    inside.update(workers=2, fragments={"golden": {"rev": 4, "steps": {"find": find}}})
    recipe.update(include=[{"fragment": "golden", "rev": 4, "prefix": "board."}], maxMs=20000,
                  steps={"each": EACH, "lit": LIT})
    return station


def start(line):
    line.simulate(good=3, mixed=0)
    shutil.copy(line.captures / "part-00001.jpg", line.folder / "template.jpg")
    for n in (2, 3):
        shutil.copy(line.captures / "part-00001.jpg", line.captures / ("part-%05d.jpg" % n))
    line.agent.start()
    camera = lines.module("camera", 20, {"source": "folder:%s" % line.captures, "loop": True, "trigger": "call"})
    version = line.set_desired(lines.document({"cam": camera, "station": parameters(line)}, ROUTES,
                                              reportIntervalMs=1000))
    line.wait_applied(version)
    line.agent.wait_ready("cam", "station")
    return version


def inspect(line, serial):
    done = line.agent.vedette("call", "station", "inspect", json.dumps({"serial": serial}))
    assert done.returncode == 0, done.stdout + done.stderr
    return wait_until(lambda: [v["body"] for v in line.verdicts() if v["body"].get("serial") == serial], 20,
                      line.agent.log_tail)[0]


def report(line):
    return line.reported().get("modules", {}).get("station", {}).get("report", {})


class StepsTest(unittest.TestCase):
    def test_steps_run_in_their_turn_and_say_why_they_did_not(self):
        with Line() as line:
            start(line)
            wanted, other = inspect(line, "A-1"), inspect(line, "B-1")
            self.assertEqual((wanted["verdict"], other["verdict"]), ("OK", "OK"), (wanted, other))
            self.assertEqual(sorted(wanted["steps"]), ["board.find", "each", "lit"])
            self.assertNotIn("state", wanted["steps"]["lit"])
            self.assertEqual(wanted["steps"]["each"]["state"], "skipped")
            self.assertIn("found no object", wanted["steps"]["each"]["skipReason"])
            self.assertIn("condition is false", other["steps"]["lit"]["skipReason"])
            told = wait_until(lambda: (lambda r: r if r.get("cameras") and r.get("inventory") else None)(
                report(line)), 15, line.agent.log_tail)
            self.assertEqual(told["cameras"], {"cam": "connected"})
            self.assertIn("order", told["inventory"]["cameraRules"])

    def test_a_recipe_that_names_what_is_not_there_is_refused_and_the_old_one_goes_on(self):
        with Line() as line:
            version = start(line)
            self.assertEqual(inspect(line, "A-1")["parametersVersion"], version)
            bad = copy.deepcopy(parameters(line))
            bad["parameters"]["recipes"]["r"]["steps"]["lit"]["condition"] = "steps.nix.count > 1"
            outcome = line.wait_outcome(line.set_desired({"modules": {"station": bad}}))
            self.assertEqual(outcome["code"], 400, outcome)
            text = json.dumps(outcome)
            self.assertIn("/recipes/r/steps/lit/condition", text)
            self.assertIn("the recipe has no step", text)
            again = inspect(line, "A-2")
            self.assertEqual((again["verdict"], again["parametersVersion"]), ("OK", version))


if __name__ == "__main__":
    unittest.main(verbosity=2)
