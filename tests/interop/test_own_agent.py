#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Our own agent, with camera and inspection, steered by Azure's service SDK, unmodified: who writes
for Azure IoT finds in a Vedette box the device that he knows. In a network of its own."""

import sys
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "harness")]
import line as lines  # noqa: E402
import private_net  # noqa: E402
from line import wait_until  # noqa: E402
from test_azure_device_sdk import install  # noqa: E402
from test_azure_service_sdk import SdkError, Service  # noqa: E402


class OwnAgent(unittest.TestCase):
    def setUp(self):
        self.line = self.enterContext(
            lines.Line(host_name=private_net.HOST_NAME, ports=private_net.PORTS))
        self.id = self.line.device_id
        self.sdk = Service(self.line.cloud, install())
        self.addCleanup(self.sdk.end)
        self.line.simulate(good=4, mixed=0)

    def reported(self):
        return self.sdk.call("registry", "getTwin", self.id)["properties"]["reported"]

    def invoke(self, method, payload=None, **more):
        return self.sdk.call("client", "invokeDeviceMethod", self.id,
                             dict({"methodName": method, "payload": payload}, **more))

    def waiting(self):
        """Verdicts that the hub does not have yet."""
        return self.line.agent.call("outbox")["store"]["classes"]["verdict"]["records"]

    def steer(self, desired):
        """Desired properties by the SDK; the version that they become."""
        twin = self.sdk.call("own", "updateTwin", self.id, {"properties": {"desired": desired}})
        return twin["properties"]["desired"]["$version"]

    def outcome(self, version):
        def answered():
            desired = self.reported().get("desired", {})
            return desired if desired.get("version", -1) >= version else None
        return wait_until(answered, 20, self.line.agent.log_tail)

    def running(self):
        self.line.agent.start()
        version = self.steer(lines.document({
            "cam": lines.camera(self.line.captures, 10),
            "station": lines.golden_station(self.line.captures / "part-00001.jpg")}))
        self.assertEqual(self.outcome(version)["code"], 200)
        self.line.agent.wait_ready("cam", "station")

    def test_a_twin_written_by_the_sdk_is_applied_or_refused_with_the_place(self):
        self.running()
        place = {"modules": {"station": {"parameters": {"recipes": {"r": {"rev": 2}}}}}}
        version = self.steer(place)
        self.assertEqual(self.outcome(version)["code"], 200)
        wait_until(lambda: 2 in [v["body"]["rev"] for v in self.line.verdicts()], 20,
                   self.line.agent.log_tail)
        refused = self.outcome(self.steer({"modules": {"cam": {"parameters": {"fps": -1}}}}))
        self.assertEqual((refused["code"], refused["pointer"], refused["inForce"]),
                         (400, "/modules/cam/parameters/fps", version))

    def test_direct_methods_of_the_sdk_reach_agent_and_module(self):
        self.running()
        self.assertEqual(self.invoke("ping")["status"], 200)
        status = self.invoke("modules")
        self.assertEqual(status["payload"]["modules"]["station"]["state"], "ready")
        self.assertEqual(self.invoke("restart", {"module": "cam"})["status"], 200)
        self.assertNotEqual(self.invoke("nothingOfThatName")["status"], 200)

    def test_queries_and_configurations_of_the_sdk_find_and_steer_the_box(self):
        self.running()
        self.sdk.call("registry", "updateTwin", self.id, {"tags": {"hall": 3}}, "*")
        self.sdk.call("registry", "addConfiguration", {
            "id": "faster", "priority": 10, "targetCondition": "tags.hall = 3",
            "content": {"deviceContent": {
                "properties.desired.modules.cam.parameters.fps": 12}}})
        wait_until(lambda: self.line.agent.call("twin")["document"]["modules"]["cam"]["parameters"]
                   ["fps"] == 12, 20, self.line.agent.log_tail)
        rows = self.sdk.call("own", "query", "SELECT deviceId FROM devices WHERE "
                             "properties.reported.desired.code = 200 AND tags.hall = 3", 10,
                             False)["rows"]
        self.assertEqual([row["deviceId"] for row in rows], [self.id])

    def test_a_box_that_the_sdk_disables_is_cut_off_and_goes_on_inspecting(self):
        self.running()
        device = self.sdk.call("registry", "get", self.id)
        device["status"] = "disabled"
        self.sdk.call("registry", "update", device)
        wait_until(lambda: self.sdk.call("registry", "get", self.id)["connectionState"]
                   == "Disconnected", 20, self.line.agent.log_tail)
        with self.assertRaises(SdkError):
            self.invoke("ping", responseTimeoutInSeconds=2)
        wait_until(lambda: self.waiting() > 10, 20, self.line.agent.log_tail)
        device["status"] = "enabled"
        self.sdk.call("registry", "update", device)
        wait_until(lambda: self.waiting() < 5, 30, self.line.agent.log_tail)
        numbers = [v["seq"] for v in self.line.verdicts()]
        self.assertEqual(len(numbers), len(set(numbers)))


if __name__ == "__main__":
    private_net.enter()
    unittest.main(verbosity=2)
