#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Camera to verdict to twin: what an operator does from afar, and what the line does meanwhile."""

import json
import os
import subprocess
import sys
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "harness"))
import line as lines  # noqa: E402
from line import Line, wait_until  # noqa: E402


def vedettectl(line, *arguments, check=True):
    environment = dict(os.environ, VEDETTE_HUB_CONNECTION=line.cloud.service_connection_string())
    done = subprocess.run(
        [str(lines.BUILD / "bin" / "vedettectl"), "--ca", line.cloud.ca_file,
         "--connect-to", "127.0.0.1:%d" % line.cloud.https_port, *arguments],
        env=environment, capture_output=True, text=True, timeout=60)
    if check and done.returncode:
        raise AssertionError("vedettectl %s: %s %s" % (arguments, done.returncode, done.stderr))
    return done


def running_line(line, fps=20, **step):
    line.simulate(good=6, mixed=0)
    line.agent.start()
    version = line.set_desired(lines.document({
        "cam": lines.camera(line.captures, fps),
        "station": lines.golden_station(line.captures / "part-00001.jpg", **step)}))
    line.wait_applied(version)
    line.agent.wait_ready("cam", "station")
    return version


class LineTest(unittest.TestCase):
    def test_a_desired_change_is_applied_between_two_items_and_acknowledged_with_its_version(self):
        with Line() as line:
            first = running_line(line)
            wait_until(lambda: len(line.verdicts()) > 10, 20, line.agent.log_tail)
            done = vedettectl(line, "twin", "set", line.device_id,
                              "modules.station.parameters.recipes.r.steps.board.threshold=77",
                              "modules.station.parameters.recipes.r.rev=2", "--wait", "20")
            self.assertEqual(done.returncode, 0, done.stderr)
            reported = line.reported()
            second = reported["desired"]["version"]
            self.assertGreater(second, first)
            self.assertEqual(reported["desired"]["code"], 200)
            acknowledged = reported["modules"]["station"]["acknowledged"]
            self.assertEqual((acknowledged["version"], acknowledged["code"]), (second, 200))
            self.assertEqual(reported["modules"]["cam"]["acknowledged"]["version"], second)

            def both():
                revisions = [v["body"]["rev"] for v in line.verdicts()]
                return revisions if revisions.count(2) > 10 else None
            revisions = wait_until(both, 20, line.agent.log_tail)
            self.assertEqual(revisions, sorted(revisions), "an item was judged by the old revision later")
            modules = line.agent.modules()
            self.assertEqual(modules["station"]["restarts"], 0)
            self.assertEqual(modules["cam"]["restarts"], 0)
            for verdict in line.verdicts():
                self.assertIn(verdict["body"]["verdict"], ("OK", "WARN", "NG", "NO_DECISION"))

    def test_a_document_with_one_bad_field_is_refused_whole_and_the_line_keeps_its_parameters(self):
        with Line() as line:
            good = running_line(line)
            bad = {"modules": {
                "cam": {"parameters": {"fps": 5}},
                "station": {"parameters": {"recipes": {"r": {"steps": {"board": {"threshold": 9999}}}}}}}}
            version = line.set_desired(bad)
            outcome = line.wait_outcome(version)
            self.assertEqual(outcome["code"], 400)
            self.assertTrue(outcome["pointer"].startswith("/modules/station/parameters/recipes/r"), outcome)
            self.assertIn("255", outcome["text"])
            self.assertEqual(outcome["inForce"], good)
            in_force = line.agent.call("twin")
            self.assertEqual(in_force["version"], good)
            self.assertEqual(in_force["document"]["modules"]["cam"]["parameters"]["fps"], 20)
            before = len(line.verdicts())
            wait_until(lambda: len(line.verdicts()) > before + 20, 20, line.agent.log_tail)
            self.assertEqual({v["body"]["rev"] for v in line.verdicts()}, {1})
            # The next good document heals it.
            version = line.set_desired({"modules": {
                "station": {"parameters": {"recipes": {"r": {"steps": {"board": {"threshold": 40}}}}}}}})
            line.wait_applied(version)

    def test_what_only_the_module_can_refuse_returns_all_modules_to_their_old_parameters(self):
        with Line() as line:
            good = running_line(line)
            version = line.set_desired({"modules": {
                "cam": {"parameters": {"fps": 5}},
                "station": {"parameters": {"active": "no-such-recipe"}}}})
            outcome = line.wait_outcome(version)
            self.assertEqual(outcome["code"], 400)
            self.assertEqual(outcome["pointer"], "/modules/station/parameters/active")
            self.assertEqual(outcome["inForce"], good)
            self.assertEqual(line.agent.call("twin")["document"]["modules"]["cam"]["parameters"]["fps"], 20)
            before = len(line.verdicts())
            wait_until(lambda: len(line.verdicts()) > before + 20, 20, line.agent.log_tail)

    def test_a_module_version_that_is_not_installed_is_refused_with_the_ones_that_are(self):
        with Line() as line:
            good = running_line(line)
            version = line.set_desired({"modules": {"cam": {"version": "7.7.7"}}})
            outcome = line.wait_outcome(version)
            self.assertEqual((outcome["code"], outcome["pointer"]), (404, "/modules/cam/version"))
            self.assertIn("installed: 1.0.0", outcome["text"])
            self.assertEqual(outcome["inForce"], good)

    def test_a_module_can_be_stopped_taken_out_and_put_back(self):
        with Line() as line:
            running_line(line)
            line.wait_applied(line.set_desired({"modules": {"cam": {"status": "stopped"}}}))
            wait_until(lambda: line.agent.modules()["cam"]["state"] == "stopped", 10, line.agent.log_tail)
            line.wait_applied(line.set_desired({"modules": {"cam": None}, "routes": {"frames": None}}))
            self.assertNotIn("cam", line.agent.modules())
            wait_until(lambda: "cam" not in line.reported()["modules"], 10, "reported")
            line.wait_applied(line.set_desired({"modules": {"cam": lines.camera(line.captures, 20)},
                                                "routes": {"frames": lines.ROUTES["frames"]}}))
            before = len(line.verdicts())
            wait_until(lambda: len(line.verdicts()) > before + 5, 20, line.agent.log_tail)

    def test_direct_methods_reach_the_agent_and_its_modules(self):
        with Line() as line:
            running_line(line)
            answer = line.cloud.must("POST", "/twins/%s/methods" % line.device_id, {
                "methodName": "ping", "payload": {}, "responseTimeoutInSeconds": 10})
            self.assertEqual(answer["status"], 200)
            answer = line.cloud.must("POST", "/twins/%s/methods" % line.device_id, {
                "methodName": "logs", "payload": {"module": "nobody"}, "responseTimeoutInSeconds": 10})
            self.assertEqual(answer["status"], 404)
            answer = line.cloud.must("POST", "/twins/%s/methods" % line.device_id, {
                "methodName": "restart", "payload": {"module": "cam"}, "responseTimeoutInSeconds": 10})
            self.assertEqual(answer["status"], 200)
            wait_until(lambda: line.agent.modules()["cam"]["restarts"] == 1, 10, line.agent.log_tail)


if __name__ == "__main__":
    unittest.main(verbosity=2)
