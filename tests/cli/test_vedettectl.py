#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""vedettectl(1) as text, against a whole hub: broker, vedette-hub and front."""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "harness"))
from cloud import Cloud  # noqa: E402

BUILD = Path(os.environ.get("VD_BUILD", ROOT / "build" / "dev"))
PROGRAM = BUILD / "bin" / "vedettectl"


class Device(threading.Thread):
    """A device that acknowledges every desired change, as the agent does, or refuses it."""

    def __init__(self, cloud, identity, key):
        super().__init__(daemon=True)
        self.client = cloud.client(identity, key)
        self.refuse = False
        self.silent = False
        self.in_force = 1
        self.rid = 0
        self.over = False

    def __enter__(self):
        self.client.connect()
        for topic in ("twin/res/#", "twin/PATCH/properties/desired/#", "methods/POST/#"):
            self.client.subscribe("$iothub/" + topic)
        self.start()
        return self

    def __exit__(self, *unused):
        self.over = True
        self.join(5)
        self.client.close()

    def run(self):
        while not self.over:
            try:
                topic, body, _ = self.client.message(0.2)
            except TimeoutError:
                continue
            except OSError:
                return
            if topic.startswith("$iothub/twin/PATCH/"):
                self.acknowledge(int(topic.split("$version=")[1]))
            elif topic.startswith("$iothub/methods/POST/"):
                self.answer(topic, body)

    def acknowledge(self, version):
        if self.silent:
            return
        outcome = {"version": version, "code": 200, "text": None, "pointer": None}
        if self.refuse:
            outcome.update(code=400, text="90 is above 60", pointer="/modules/cam/parameters/fps")
        else:
            self.in_force = version
        outcome["inForce"] = self.in_force
        self.rid += 1
        self.client.publish_only(f"$iothub/twin/PATCH/properties/reported/?$rid={self.rid}",
                                 json.dumps({"desired": outcome}), qos=0)

    def answer(self, topic, body):
        name, rid = topic.split("/")[3], topic.split("$rid=")[1]
        if name == "silent":
            return
        status = 404 if name == "missing" else 200
        self.client.publish_only(f"$iothub/methods/res/{status}/?$rid={rid}",
                                 json.dumps({"echo": json.loads(body)}), qos=0)


class VedettectlTest(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="vedette-ctl-")
        cls.cloud = Cloud(cls.folder.name, BUILD, host_name="hub.vedette.test")
        cls.cloud.__enter__()
        cls.connection = cls.cloud.service_connection_string()

    @classmethod
    def tearDownClass(cls):
        cls.cloud.__exit__(None, None, None)
        cls.folder.cleanup()

    def setUp(self):
        self.id = "t" + self.id().rsplit(".", 1)[1][5:45].replace("_", "-")

    def ctl(self, *arguments, status=0, connection=None, stdin=None, to=None):
        environment = dict(os.environ, VEDETTE_HUB_CONNECTION=connection or self.connection)
        done = subprocess.run(
            [PROGRAM, "--ca", self.cloud.ca_file, "--connect-to",
             to or f"127.0.0.1:{self.cloud.https_port}", *arguments],
            env=environment, input=stdin, capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, status, f"{arguments}\n{done.stdout}{done.stderr}")
        return done

    def json(self, *arguments, **options):
        return json.loads(self.ctl("-o", "json", *arguments, **options).stdout)

    def create(self, identity=None):
        made = self.json("device", "create", identity or self.id)
        return made["authentication"]["symmetricKey"]["primaryKey"]

    # -- usage

    def test_without_a_command_the_usage_is_shown_and_the_status_is_2(self):
        done = self.ctl(status=2)
        self.assertIn("usage: vedettectl [options] command\n  device list", done.stderr)
        self.assertEqual(done.stdout, "")
        self.assertIn("twin set DEVICE PATH=VALUE", self.ctl("--help").stdout)

    def test_wrong_usage_names_what_is_wrong(self):
        cases = [
            (("device", "show"), "vedettectl: usage: vedettectl device show DEVICE[/MODULE]"),
            (("device", "show", "a", "b"), "vedettectl: usage: vedettectl device show"),
            (("-o", "yaml", "device", "list"), 'vedettectl: -o: "yaml" is neither json nor table'),
            (("--limit", "x", "verdicts"), 'vedettectl: --limit: "x" is not a number'),
            (("twin", "set", "d"), "vedettectl: twin set wants either PATH=VALUE or --file"),
            (("twin", "set", "d", "a"), 'vedettectl: "a" is not PATH=VALUE'),
            (("twin", "set", "d", "a=1", "a.b=2"), 'vedettectl: "a.b=2" contradicts another'),
            (("device", "show", "d/"), 'vedettectl: "d/" is neither DEVICE nor DEVICE/MODULE'),
            (("method", "invoke", "d", "m", "--payload", "{"), "vedettectl: --payload: "),
        ]
        for arguments, message in cases:
            self.assertIn(message, self.ctl(*arguments, status=2).stderr)

    def test_a_bad_connection_string_is_named_without_its_key(self):
        done = self.ctl("device", "list", connection="HostName=h;SharedAccesKey=geheim", status=2)
        self.assertEqual(done.stderr, "vedettectl: the connection string has an unknown field "
                                      "SharedAccesKey\n")

    # -- failures

    def test_an_unknown_device_is_status_3(self):
        for arguments in (("device", "show", "nobody"), ("twin", "get", "nobody"),
                          ("device", "delete", "nobody"), ("twin", "set", "nobody", "a=1"),
                          ("method", "invoke", "nobody", "m"), ("twin", "diff", "nobody")):
            done = self.ctl(*arguments, status=3)
            self.assertIn("there is no device nobody (404 DeviceNotFound)", done.stderr)

    def test_a_wrong_key_is_status_4_and_so_is_a_policy_without_the_right(self):
        wrong = self.connection.rsplit("SharedAccessKey=", 1)[0] + "SharedAccessKey=" + "A" * 43 + "="
        self.assertIn("401 IotHubUnauthorizedAccess",
                      self.ctl("device", "list", connection=wrong, status=4).stderr)
        service = self.cloud.service_connection_string("service")
        done = self.ctl("device", "list", connection=service, status=4)
        self.assertIn("policy service lacks the right", done.stderr)

    def test_a_hub_that_is_not_there_is_status_5(self):
        done = self.ctl("device", "list", to="127.0.0.1:1", status=5)
        self.assertIn("vedettectl: the hub hub.vedette.test cannot be reached: ", done.stderr)

    def test_a_certificate_for_another_name_is_not_trusted(self):
        other = self.connection.replace("hub.vedette.test", "other.vedette.test")
        done = self.ctl("device", "list", connection=other, status=5)
        self.assertIn("other.vedette.test", done.stderr)

    def test_a_device_that_exists_is_status_7(self):
        self.create()
        done = self.ctl("device", "create", self.id, status=7)
        self.assertIn("409 DeviceAlreadyExists", done.stderr)

    # -- devices

    def test_a_device_is_created_shown_disabled_and_deleted(self):
        text = self.ctl("device", "create", self.id).stdout
        self.assertRegex(text, rf"^HostName=hub\.vedette\.test;DeviceId={self.id};"
                               r"SharedAccessKey=[A-Za-z0-9+/]{43}=\n$")
        self.assertEqual(self.ctl("device", "show", self.id, "--credentials").stdout, text)
        self.assertIn("connection       Disconnected\n", self.ctl("device", "show", self.id).stdout)
        self.ctl("device", "create", self.id + "/cam")
        self.assertIn("identity of      cam (Disconnected)\n",
                      self.ctl("device", "show", self.id).stdout)
        self.assertEqual(self.ctl("device", "disable", self.id).stdout, f"{self.id} disabled\n")
        self.assertEqual(self.json("device", "show", self.id)["status"], "disabled")
        self.assertEqual(self.ctl("device", "enable", self.id).stdout, f"{self.id} enabled\n")
        self.assertEqual(self.ctl("device", "show", self.id, "--credentials").stdout, text)
        self.assertEqual(self.ctl("device", "delete", self.id).stdout, f"{self.id} deleted\n")
        self.ctl("device", "show", self.id, status=3)

    def test_a_device_with_a_certificate_has_no_key(self):
        print_ = "0123456789abcdef0123456789abcdef01234567"
        self.assertEqual(self.ctl("device", "create", self.id, "--thumbprint", print_).stdout,
                         f"HostName=hub.vedette.test;DeviceId={self.id};x509=true\n")
        self.assertEqual(self.json("device", "show", self.id)["authentication"]["type"],
                         "selfSigned")
        done = self.ctl("device", "create", self.id + "2", "--thumbprint", "zz", status=1)
        self.assertIn("/authentication/x509Thumbprint/primaryThumbprint: is not 40 or 64", done.stderr)

    def test_the_list_fits_80_columns(self):
        self.create()
        self.create("x" * 128)
        lines = self.ctl("device", "list").stdout.splitlines()
        self.assertRegex(lines[0], r"^DEVICE +STATUS +CONNECTION +AUTHENTICATION +LAST ACTIVITY$")
        self.assertLessEqual(max(map(len, lines)), 80)
        self.assertIn(self.id, {d["deviceId"] for d in self.json("device", "list")})

    # -- twins

    def test_a_change_is_sent_and_merged(self):
        self.create()
        done = self.ctl("twin", "set", self.id, "modules.cam.parameters.fps=30", "name=line seven")
        self.assertEqual(done.stdout, f"{self.id}: version 2 sent\n")
        self.ctl("twin", "set", self.id, "/modules/cam/parameters/gain=1.5", "name=null")
        desired = self.json("twin", "get", self.id, "--section", "desired")
        self.assertEqual(desired["modules"], {"cam": {"parameters": {"fps": 30, "gain": 1.5}}})
        self.assertNotIn("name", desired)
        self.assertEqual(desired["$version"], 3)

    def test_a_file_replaces_the_document_and_standard_input_is_a_file(self):
        self.create()
        self.ctl("twin", "set", self.id, "a=1")
        self.ctl("twin", "set", self.id, "--file", "-", "--replace", stdin='{"b":{"c":[1,2]}}')
        desired = self.json("twin", "get", self.id, "--section", "desired")
        self.assertEqual({k: v for k, v in desired.items() if k[0] != "$"}, {"b": {"c": [1, 2]}})
        done = self.ctl("twin", "set", self.id, "--file", "-", stdin="{", status=1)
        self.assertTrue(done.stderr.startswith("vedettectl: -: "), done.stderr)
        done = self.ctl("twin", "set", self.id, "--file", "/nonexistent", status=1)
        self.assertIn("/nonexistent: No such file or directory", done.stderr)

    def test_the_hub_names_the_place_of_a_bad_change(self):
        self.create()
        done = self.ctl("twin", "set", self.id, "/a/b.c=1", status=1)
        self.assertIn("/properties/desired/a", done.stderr)
        self.assertIn("400 ArgumentInvalid", done.stderr)

    def test_tags_are_set_apart(self):
        self.create()
        self.ctl("twin", "set", self.id, "site=north", "--section", "tags")
        self.assertEqual(self.json("twin", "get", self.id, "--section", "tags"), {"site": "north"})

    def test_waiting_says_applied_refused_or_times_out(self):
        with Device(self.cloud, self.id, self.create()) as device:
            done = self.ctl("twin", "set", self.id, "modules.cam.parameters.fps=30", "--wait", "10")
            self.assertEqual(done.stdout, f"{self.id}: version 2 applied\n")
            device.refuse = True
            done = self.ctl("twin", "set", self.id, "modules.cam.parameters.fps=90", "--wait", "10",
                            status=1)
            self.assertEqual(done.stdout, f"{self.id}: version 3 refused (400): "
                                          "/modules/cam/parameters/fps: 90 is above 60\n")
            diff = self.ctl("twin", "diff", self.id).stdout
            self.assertEqual(diff, f"{self.id}: desired version 3 refused, version 2 in force\n"
                                   "  /modules/cam/parameters/fps: 90 is above 60 (400)\n"
                                   "MODULE  MEMBER  DESIRED  IN FORCE  STATE\n"
                                   "cam     fps     90       30        refused\n")
            device.silent = True
            done = self.ctl("twin", "set", self.id, "x=1", "--wait", "1", status=6)
            self.assertEqual(done.stderr,
                             f"vedettectl: {self.id}: no acknowledgement within 1 s\n")
            answer = self.json("twin", "diff", self.id)
            self.assertEqual((answer["state"], answer["version"], answer["inForce"]),
                             ("pending", 4, 2))
            self.assertIn({"pointer": "/x", "desired": 1, "state": "pending"},
                          answer["differences"])

    def test_the_history_tells_who_and_gives_old_documents(self):
        self.create()
        self.ctl("twin", "set", self.id, "a=1")
        self.ctl("twin", "set", self.id, "a=2")
        history = self.json("twin", "history", self.id)
        self.assertEqual([(h["version"], h["author"]) for h in history],
                         [(3, "iothubowner"), (2, "iothubowner"), (1, "")])
        self.assertEqual(self.json("twin", "history", self.id, "2"), {"a": 1})
        self.ctl("twin", "history", self.id, "9", status=3)

    # -- methods

    def test_a_method_is_answered_refused_or_times_out(self):
        with Device(self.cloud, self.id, self.create()):
            done = self.ctl("method", "invoke", self.id, "ping", "--payload", '{"a":[1]}')
            self.assertEqual(done.stdout,
                             'status 200\n{\n  "echo": {\n    "a": [\n      1\n    ]\n  }\n}\n')
            self.assertEqual(self.json("method", "invoke", self.id, "missing", status=1),
                             {"status": 404, "payload": {"echo": None}})
            done = self.ctl("method", "invoke", self.id, "silent", "--timeout", "1", status=6)
            self.assertIn("504 GatewayTimeout", done.stderr)
        time.sleep(0.5)
        done = self.ctl("method", "invoke", self.id, "ping", status=1)
        self.assertIn("404 DeviceNotOnline", done.stderr)

    def test_a_method_waits_for_its_device_to_connect(self):
        key = self.create()
        answers = []
        caller = threading.Thread(target=lambda: answers.append(
            self.json("method", "invoke", self.id, "ping", "--connect-timeout", "20")))
        caller.start()
        time.sleep(0.5)
        with Device(self.cloud, self.id, key):
            caller.join(30)
        self.assertEqual(answers, [{"status": 200, "payload": {"echo": None}}])

    # -- telemetry

    def send_verdicts(self, client, seqs):
        batch = [{"deviceId": self.id, "bootId": "b-1", "seq": s, "class": "verdict",
                  "tWall": f"2026-11-21T23:49:{s:02}.123Z", "module": "station-3",
                  "body": {"itemId": f"item-{s}", "verdict": "NG" if s % 2 else "OK",
                           "reasons": ["print: 'too' \"dark\""] if s % 2 else []}} for s in seqs]
        client.publish(f"devices/{self.id}/messages/events/vd-batch=1&class=verdict",
                       json.dumps(batch))

    def test_verdicts_are_listed_and_followed_across_a_restart_of_the_hub(self):
        client = self.cloud.client(self.id, self.create()).connect()
        self.send_verdicts(client, range(3))
        deadline = time.monotonic() + 20
        while len(self.ctl("-o", "json", "verdicts", "--device", self.id).stdout.splitlines()) < 3:
            self.assertLess(time.monotonic(), deadline)
        text = self.ctl("verdicts", "--device", self.id, "--verdict", "NG").stdout.splitlines()
        self.assertRegex(text[0], r"^TIME +DEVICE +STATION +ITEM +VERDICT +REASONS$")
        self.assertRegex(text[1], r"^23:49:01\.123 .* NG +print: 'too' \"dark\"$|^23:49:01.*…$")
        self.assertEqual(len(text), 2)
        self.ctl("twin", "set", self.id, "site=x", "--section", "tags")
        late = ("-o", "json", "verdicts", "--from", "2026-11-21T23:49:02Z", "--where")
        for site, seqs in ("x", [2]), ("y", []):
            found = self.ctl(*late, f"tags.site = '{site}' AND deviceId = '{self.id}'").stdout
            self.assertEqual([json.loads(line)["seq"] for line in found.splitlines()], seqs)
        self.assertIn("--follow goes without", self.ctl(*late, "x", "--follow", status=2).stderr)
        environment = dict(os.environ, VEDETTE_HUB_CONNECTION=self.connection)
        follow = subprocess.Popen(
            [PROGRAM, "--ca", self.cloud.ca_file, "--connect-to",
             f"127.0.0.1:{self.cloud.https_port}", "-o", "json", "verdicts", "--device", self.id,
             "--follow"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            text=True)
        try:
            seqs = [json.loads(follow.stdout.readline())["seq"] for _ in range(3)]
            self.send_verdicts(client, range(3, 5))
            seqs += [json.loads(follow.stdout.readline())["seq"] for _ in range(2)]
            self.cloud.kill("hub")
            self.send_verdicts(client, range(5, 8))
            self.cloud.start("hub")
            seqs += [json.loads(follow.stdout.readline())["seq"] for _ in range(3)]
            self.assertEqual(seqs, list(range(8)))
        finally:
            follow.terminate()
            follow.wait(10)
            follow.stdout.close()
            client.close()

    def test_events_tell_of_twins_and_connections(self):
        key = self.create()
        environment = dict(os.environ, VEDETTE_HUB_CONNECTION=self.connection)
        events = subprocess.Popen(
            [PROGRAM, "--ca", self.cloud.ca_file, "--connect-to",
             f"127.0.0.1:{self.cloud.https_port}", "-o", "json", "events", "--device", self.id],
            env=environment, stdout=subprocess.PIPE, text=True)
        try:
            time.sleep(1)
            client = self.cloud.client(self.id, key).connect()
            first = json.loads(events.stdout.readline())
            self.assertEqual(first["event"], "connection")
            self.assertEqual(first["data"]["operation"], "deviceConnected")
            self.ctl("twin", "set", self.id, "a=1")
            second = json.loads(events.stdout.readline())
            self.assertEqual(second["data"]["body"]["properties"]["desired"],
                             {"a": 1, "$version": 2})
            client.close()
            third = json.loads(events.stdout.readline())
            self.assertEqual(third["data"]["operation"], "deviceDisconnected")
        finally:
            events.terminate()
            events.wait(10)
            events.stdout.close()



class Message(VedettectlTest):
    def test_send_waits_for_the_device_and_purge_throws_away(self):
        self.ctl("device", "create", self.id)
        done = self.ctl("message", "send", self.id, "kind=reload", "--payload", "é",
                        "--timeout", "100")
        self.assertRegex(done.stdout, "^[0-9a-f-]{36} until 20")
        self.ctl("message", "send", self.id, "--file", __file__)
        shown = self.json("device", "show", self.id)
        self.assertEqual(shown["cloudToDeviceMessageCount"], 2)
        self.assertEqual(self.ctl("message", "purge", self.id).stdout, "2 thrown away\n")
        self.assertEqual(self.json("message", "purge", self.id)["totalMessagesPurged"], 0)

    def test_what_is_no_message_is_a_usage_error(self):
        for arguments, text in (((self.id, "nonsense"), '"nonsense" is not KEY=VALUE'),
                                ((self.id, "--file", "/nonexistent"), "--file: "),
                                ((self.id, "--file", "x", "--payload", "y"), "exclude each other")):
            self.assertIn(text, self.ctl("message", "send", *arguments, status=2).stderr)
        self.ctl("message", "send", "nobody", status=3)
        self.ctl("message", "purge", "nobody", status=3)

if __name__ == "__main__":
    unittest.main()
