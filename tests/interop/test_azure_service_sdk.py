#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Azure's service SDK for Node.js, unmodified, against the whole hub: every call of its Registry,
Client and JobClient that goes over REST. The SDK knows port 443 only: in a network of its own."""

import json
import os
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "harness")]
import cloud as harness  # noqa: E402
import private_net  # noqa: E402
from test_azure_device_sdk import BUILD, Device, install  # noqa: E402


class SdkError(Exception):
    """An error of the SDK; its first argument is the name of its class."""


class Service:
    """service.js in a process of its own."""

    def __init__(self, cloud, modules, policy="iothubowner"):
        environment = dict(os.environ, NODE_PATH=str(modules), NODE_EXTRA_CA_CERTS=cloud.ca_file,
                           CONNECTION_STRING=cloud.service_connection_string(policy))
        environment.pop("LD_PRELOAD", None)
        self.process = subprocess.Popen(["node", str(HERE / "service.js")], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        env=environment)

    def call(self, on, call, *values):
        line = json.dumps({"on": on, "call": call, "with": values})
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        if "error" in answer:
            raise SdkError(answer["error"], answer["message"])
        return answer["result"]

    def end(self):
        self.process.stdin.close()
        self.process.wait(30)
        self.process.stdout.close()


class ServiceTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.modules = install()
        cls.folder = tempfile.TemporaryDirectory(prefix="vd-")
        cls.cloud = harness.Cloud(cls.folder.name, BUILD, host_name=private_net.HOST_NAME,
                                  **private_net.PORTS)
        cls.cloud.__enter__()
        cls.service = Service(cls.cloud, cls.modules)

    @classmethod
    def tearDownClass(cls):
        cls.service.end()
        cls.cloud.__exit__(None)
        cls.folder.cleanup()

    def registry(self, call, *values):
        return self.service.call("registry", call, *values)

    def jobs(self, call, *values):
        return self.service.call("jobs", call, *values)

    def refused(self, name, call, *values):
        """The message of the error that the call has to raise."""
        with self.assertRaises(SdkError) as caught:
            call(*values)
        self.assertEqual(caught.exception.args[0], name, caught.exception.args)
        return caught.exception.args[1]

    def until(self, done):
        end = time.monotonic() + 15
        while not (value := done()):
            self.assertLess(time.monotonic(), end)
            time.sleep(0.05)
        return value

    def device(self, identity):
        device = Device(self.cloud, self.modules, identity, self.cloud.create_device(identity))
        self.addCleanup(device.end)
        device.wait("ready")
        self.until(lambda: self.registry("get", identity)["connectionState"] == "Connected")
        return device

    def tagged(self, prefix, count, **tags):
        for i in range(count):
            self.cloud.create_device(f"{prefix}{i}")
            self.registry("updateTwin", f"{prefix}{i}", {"tags": tags}, "*")


class Devices(ServiceTest):
    def test_create_get_update_delete(self):
        made = self.registry("create", {"deviceId": "one"})
        self.assertEqual(len(made["authentication"]["symmetricKey"]["primaryKey"]), 44)
        message = self.refused("DeviceAlreadyExistsError", self.registry, "create",
                               {"deviceId": "one"})
        self.assertIn("exists", message)
        got = self.registry("get", "one")
        self.assertEqual(got["generationId"], made["generationId"])
        made["status"], made["statusReason"] = "disabled", "for the test"
        updated = self.registry("update", made)
        self.assertEqual((updated["status"], updated["statusReason"]), ("disabled", "for the test"))
        self.assertIn("one", [device["deviceId"] for device in self.registry("list")])
        self.registry("delete", "one")
        self.refused("DeviceNotFoundError", self.registry, "get", "one")
        self.refused("DeviceNotFoundError", self.registry, "delete", "one")

    def test_an_edge_device_has_its_system_modules(self):
        made = self.registry("create", {"deviceId": "edge", "capabilities": {"iotEdge": True}})
        self.assertEqual(made["capabilities"], {"iotEdge": True})
        self.assertEqual(sorted(m["moduleId"] for m in
                                self.registry("getModulesOnDevice", "edge")),
                         ["$edgeAgent", "$edgeHub"])
        rows = self.service.call("own", "query", "SELECT deviceId FROM devices WHERE "
                                 "devices.capabilities.iotEdge = true", None, False)["rows"]
        self.assertEqual(rows, [{"deviceId": "edge"}])

    def test_many_at_once(self):
        names = [f"bulk{i}" for i in range(20)]
        result = self.registry("addDevices", [{"deviceId": name} for name in names])
        self.assertEqual((result["isSuccessful"], result["errors"]), (True, []))
        result = self.registry("updateDevices",
                               [{"deviceId": name, "status": "disabled"} for name in names], True)
        self.assertTrue(result["isSuccessful"])
        self.assertEqual(self.registry("get", "bulk7")["status"], "disabled")
        self.refused("ArgumentError", self.registry, "addDevices",
                     [{"deviceId": "bulk0"}, {"deviceId": "bulk-new"}])
        self.registry("get", "bulk-new")
        result = self.registry("removeDevices", [{"deviceId": name} for name in names], True)
        self.assertTrue(result["isSuccessful"])
        self.refused("DeviceNotFoundError", self.registry, "get", "bulk7")

    def test_what_failed_in_bulk_is_named(self):
        status, _, body = self.cloud.request("POST", "/devices", [
            {"id": "part-1", "importMode": "Create", "tags": {"a": 1},
             "properties": {"desired": {"b": 2}}},
            {"id": "part-2", "importMode": "DELETE"},
            {"id": "part-1", "importMode": "updateTwinIfMatchETag", "twinETag": "AAAA",
             "tags": {"a": 3}},
            {"id": "part-1", "importMode": "updateTwin", "tags": {"a": 4}},
            {"id": "part-1", "importMode": "explode"}])
        self.assertEqual((status, body["isSuccessful"]), (400, False))
        self.assertEqual([(e["deviceId"], e["errorCode"]) for e in body["errors"]],
                         [("part-2", "DeviceNotFound"), ("part-1", "PreconditionFailed"),
                          ("part-1", "ArgumentInvalid")])
        twin = self.registry("getTwin", "part-1")
        self.assertEqual((twin["tags"], twin["properties"]["desired"]["b"]), ({"a": 4}, 2))
        for body in [], [{"id": "x"}] * 101, {}:
            self.assertEqual(self.cloud.request("POST", "/devices", body)[0], 400)

    def test_modules(self):
        self.registry("create", {"deviceId": "with-modules"})
        self.registry("addModule", {"deviceId": "with-modules", "moduleId": "m1"})
        module = self.registry("getModule", "with-modules", "m1")
        self.assertEqual(module["moduleId"], "m1")
        module["managedBy"] = "me"
        self.assertEqual(self.registry("updateModule", module, True)["managedBy"], "me")
        self.assertEqual(len(self.registry("getModulesOnDevice", "with-modules")), 1)
        twin = self.registry("updateModuleTwin", "with-modules", "m1", {"tags": {"a": 1}}, "*")
        self.assertEqual(twin["tags"], {"a": 1})
        self.assertEqual(self.registry("getModuleTwin", "with-modules", "m1")["tags"], {"a": 1})
        self.registry("removeModule", "with-modules", "m1")
        self.refused("Error", self.registry, "getModule", "with-modules", "m1")

    def test_twins(self):
        self.registry("create", {"deviceId": "twin"})
        twin = self.registry("getTwin", "twin")
        patch = {"tags": {"line": 3}, "properties": {"desired": {"fps": 5}}}
        updated = self.registry("updateTwin", "twin", patch, twin["etag"])
        self.assertEqual((updated["tags"], updated["properties"]["desired"]["fps"]),
                         ({"line": 3}, 5))
        self.refused("InvalidEtagError", self.registry, "updateTwin", "twin", patch, twin["etag"])
        again = self.service.call("own", "updateTwin", "twin", {"tags": {"line": 4}})
        self.assertEqual(again["tags"], {"line": 4})
        self.refused("ArgumentError", self.registry, "updateTwin", "twin", {"tags": {"a b": 1}},
                     "*")
        self.refused("DeviceNotFoundError", self.registry, "getTwin", "nobody")

    def test_statistics(self):
        before = self.registry("getRegistryStatistics")
        self.registry("create", {"deviceId": "counted", "status": "disabled"})
        after = self.registry("getRegistryStatistics")
        self.assertEqual(after["totalDeviceCount"], before["totalDeviceCount"] + 1)
        self.assertEqual(after["disabledDeviceCount"], before["disabledDeviceCount"] + 1)
        self.assertIn("connectedDeviceCount", self.cloud.must("GET", "/statistics/service"))


class Queries(ServiceTest):
    def query(self, text, size=None, as_twins=False):
        return self.service.call("own", "query", text, size, as_twins)

    def test_pages_and_projections(self):
        self.tagged("q", 6, site="a")
        found = self.query("SELECT * FROM devices WHERE tags.site = 'a'", 2, True)
        self.assertEqual(found["pages"], [2, 2, 2])
        self.assertEqual([row["deviceId"] for row in found["rows"]], [f"q{i}" for i in range(6)])
        found = self.query("SELECT deviceId, tags.site AS s FROM devices WHERE tags.site = 'a'", 4)
        self.assertEqual(found["pages"], [4, 2])
        self.assertEqual(found["rows"][0], {"deviceId": "q0", "s": "a"})
        found = self.query("SELECT TOP 3 deviceId FROM devices WHERE tags.site = 'a'", 2)
        self.assertEqual(found["pages"], [2, 1])
        found = self.query("SELECT deviceId FROM devices WHERE connectionState = 'Disconnected' "
                           "AND tags.site = 'a'")
        self.assertEqual(found["pages"], [6])
        self.registry("updateTwin", "q5", {"tags": {"site": "b"}}, "*")
        found = self.query("SELECT tags.site AS site, COUNT() AS n FROM devices GROUP BY tags.site")
        self.assertIn({"site": "a", "n": 5}, found["rows"])
        self.assertIn({"site": "b", "n": 1}, found["rows"])

    def test_modules(self):
        self.cloud.create_device("qm")
        self.cloud.create_device("qm/m1")
        self.cloud.create_device("qm/m2")
        found = self.query("SELECT moduleId FROM devices.modules WHERE deviceId = 'qm'")
        self.assertEqual(found["rows"], [{"moduleId": "m1"}, {"moduleId": "m2"}])

    def test_errors_have_a_place(self):
        message = self.refused("ArgumentError", self.query, "SELECT * FROM nowhere")
        self.assertIn("position", message)
        self.refused("ArgumentError", self.query, "SELECT * FROM devices WHERE tags.a =")


def configuration(name, condition, priority=1, **more):
    return {"id": name, "schemaVersion": "1.0", "targetCondition": condition, "labels": {"k": "v"},
            "content": {"deviceContent": {"properties.desired.camera.fps": priority * 10}},
            "priority": priority, **more}


class Configurations(ServiceTest):
    def fps(self, device):
        return self.registry("getTwin", device)["properties"]["desired"].get("camera", {}).get(
            "fps")

    def test_the_life_of_a_configuration(self):
        self.tagged("cam", 2, area="north")
        metrics = {"queries": {"set": "SELECT deviceId FROM devices WHERE "
                                      "properties.desired.camera.fps = 10"}}
        made = self.registry("addConfiguration",
                             configuration("cfg1", "tags.area = 'north'", metrics=metrics))
        self.assertEqual((made["id"], made["priority"]), ("cfg1", 1))
        self.until(lambda: self.fps("cam0") == 10 and self.fps("cam1") == 10)
        twin = self.cloud.must("GET", "/twins/cam0")
        self.assertEqual(twin["configurations"], {"cfg1": {"status": "Applied"}})
        got = self.until(lambda: (c := self.registry("getConfiguration", "cfg1"))
                         ["metrics"]["results"].get("set") == 2 and c)
        self.assertEqual(got["systemMetrics"]["results"],
                         {"targetedCount": 2, "appliedCount": 2})
        self.assertEqual([c["id"] for c in self.registry("getConfigurations")], ["cfg1"])
        got["targetCondition"] = "tags.area = 'south'"
        updated = self.registry("updateConfiguration", got)
        self.until(lambda: self.fps("cam0") is None)
        self.refused("InvalidEtagError", self.registry, "updateConfiguration", got)
        updated["content"]["deviceContent"]["properties.desired.x"] = 1
        self.assertIn("cannot be changed", self.refused(
            "ArgumentError", self.registry, "updateConfiguration", updated, True))
        self.refused("DeviceAlreadyExistsError", self.registry, "addConfiguration",
                     configuration("cfg1", "*"))
        self.registry("removeConfiguration", "cfg1")
        self.refused("Error", self.registry, "getConfiguration", "cfg1")

    def test_content_for_one_device(self):
        self.cloud.create_device("edge")
        content = {"modulesContent": {"$edgeAgent": {"properties.desired": {"modules": {"a": 1}}}}}
        self.registry("applyConfigurationContentOnDevice", "edge", content)
        twin = self.registry("getModuleTwin", "edge", "$edgeAgent")
        self.assertEqual(twin["properties"]["desired"]["modules"], {"a": 1})
        self.refused("DeviceNotFoundError", self.registry, "applyConfigurationContentOnDevice",
                     "nobody", content)

    def test_queries_are_tested_without_harm(self):
        answer = self.cloud.must("POST", "/configurations/testQueries", {
            "targetCondition": "tags.a = ", "customMetricQueries": {
                "good": "SELECT * FROM devices", "bad": "SELECT FROM"}})
        self.assertIn("position", answer["targetConditionError"])
        self.assertEqual(list(answer["customMetricQueryErrors"]), ["bad"])


class Methods(ServiceTest):
    def invoke(self, device, name, **more):
        return self.service.call("client", "invokeDeviceMethod", device,
                                 {"methodName": name, "payload": {"x": 1}, **more})

    def test_answered_offline_and_silent(self):
        self.device("online")
        self.assertEqual(self.invoke("online", "echo"),
                         {"status": 200, "payload": {"got": {"x": 1}}})
        self.refused("GatewayTimeoutError", lambda: self.invoke(
            "online", "unknown", responseTimeoutInSeconds=1))
        self.cloud.create_device("offline")
        message = self.refused("Error", self.invoke, "offline", "echo")
        self.assertIn("Not found", message)
        self.refused("DeviceNotFoundError", self.invoke, "nobody", "echo")
        self.refused("ArgumentError", self.invoke, "online", "a/b")


class Jobs(ServiceTest):
    def ended(self, job):
        return self.until(lambda: (j := self.jobs("getJob", job))["status"] in
                          ("completed", "failed", "cancelled") and j)

    def test_twins_are_updated_by_a_job(self):
        self.tagged("t", 5, job=1)
        made = self.jobs("scheduleTwinUpdate", "job-1", "tags.job = 1",
                         {"etag": "*", "properties": {"desired": {"night": True}}})
        self.assertEqual((made["jobId"], made["type"]), ("job-1", "scheduleUpdateTwin"))
        job = self.ended("job-1")
        self.assertEqual((job["status"], job["deviceJobStatistics"]["succeededCount"]),
                         ("completed", 5))
        self.assertIs(self.registry("getTwin", "t3")["properties"]["desired"]["night"], True)
        self.refused("DeviceAlreadyExistsError", self.jobs, "scheduleTwinUpdate", "job-1", "*", {})
        rows = self.service.call("own", "query", "SELECT * FROM devices.jobs WHERE "
                                 "devices.jobs.jobId = 'job-1'", 2, False)
        self.assertEqual((rows["pages"], rows["rows"][0]["status"]), ([2, 2, 1], "completed"))

    def test_methods_are_called_by_a_job(self):
        self.device("m-online")
        self.cloud.create_device("m-offline")
        self.jobs("scheduleDeviceMethod", "job-2", "deviceId IN ['m-online', 'm-offline']",
                  {"methodName": "echo", "payload": 7, "responseTimeoutInSeconds": 10})
        statistics = self.ended("job-2")["deviceJobStatistics"]
        self.assertEqual((statistics["deviceCount"], statistics["succeededCount"],
                          statistics["failedCount"]), (2, 1, 1))
        rows = self.service.call("own", "query", "SELECT * FROM devices.jobs WHERE "
                                 "devices.jobs.jobId = 'job-2'", None, False)["rows"]
        self.assertEqual(rows[0]["error"]["code"], "DeviceNotOnline")
        self.assertEqual(rows[1]["outcome"]["deviceMethodResponse"],
                         {"status": 200, "payload": {"got": 7}})

    def test_a_job_waits_for_its_time_and_can_be_cancelled(self):
        later = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))
        made = self.cloud.must("PUT", "/jobs/v2/job-3", {
            "jobId": "job-3", "type": "scheduleUpdateTwin", "updateTwin": {"tags": {"a": 1}},
            "queryCondition": "*", "startTime": later, "maxExecutionTimeInSeconds": 60})
        self.assertEqual(made["status"], "scheduled")
        listed = self.service.call("own", "jobQuery", "scheduleUpdateTwin", "scheduled", 10)
        self.assertEqual([job["jobId"] for job in listed["rows"]], ["job-3"])
        self.assertEqual(self.jobs("cancelJob", "job-3")["status"], "cancelled")
        self.refused("ArgumentError", self.jobs, "cancelJob", "job-3")
        self.refused("Error", self.jobs, "getJob", "job-99")

    def test_a_hub_that_is_killed_goes_on_where_it_was(self):
        self.tagged("k", 3, kill=1)
        soon = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3))
        self.cloud.must("PUT", "/jobs/v2/job-4", {
            "jobId": "job-4", "type": "scheduleUpdateTwin", "queryCondition": "tags.kill = 1",
            "updateTwin": {"properties": {"desired": {"a": 1}}}, "startTime": soon})
        self.cloud.kill("hub")
        self.cloud.start("hub")
        self.assertEqual(self.ended("job-4")["deviceJobStatistics"]["succeededCount"], 3)
        self.assertEqual(self.registry("getTwin", "k2")["properties"]["desired"]["$version"], 2)


class Rights(ServiceTest):
    def test_each_policy_does_what_its_rights_allow_and_nothing_else(self):
        self.cloud.create_device("right")
        calls = {
            "read": lambda s: s.call("registry", "get", "right"),
            "query": lambda s: s.call("own", "query", "SELECT * FROM devices", None, False),
            "configurations": lambda s: s.call("registry", "getConfigurations"),
            "write": lambda s: s.call("registry", "update", {"deviceId": "right"}),
            "job": lambda s: s.call("jobs", "cancelJob", "none"),
            "twin": lambda s: s.call("registry", "getTwin", "right"),
            "method": lambda s: s.call("client", "invokeDeviceMethod", "right",
                                       {"methodName": "x"}),
        }
        reads, writes = {"read", "query", "configurations"}, {"write", "job"}
        allowed = {"service": {"twin", "method"}, "registryRead": reads,
                   "registryReadWrite": reads | writes, "device": set(),
                   "iothubowner": set(calls)}
        for policy, can in allowed.items():
            service = Service(self.cloud, self.modules, policy)
            self.addCleanup(service.end)
            for name, call in calls.items():
                with self.subTest(policy=policy, call=name):
                    try:
                        call(service)
                        error = None
                    except SdkError as caught:
                        error = caught.args[0]
                    self.assertEqual(error == "UnauthorizedError", name not in can, error)

    def test_what_azure_has_and_we_have_not_says_so(self):
        status, _, body = self.cloud.request("POST", "/jobs/create", {})
        self.assertEqual((status, body["Message"].split(";")[0]),
                         (501, "ErrorCode:GenericNotImplemented"))


if __name__ == "__main__":
    install()  # while there is a network
    private_net.enter()
    del ServiceTest
    unittest.main(verbosity=2)
