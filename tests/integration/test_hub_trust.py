#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Enrolment, renewal and revocation of devices, the audit log, metrics and usage, through the front
of a whole hub, with vedette-enrol(1) and vedettectl(1) as people use them."""

import json
import os
import re
import sqlite3
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "harness"))
import mqtt  # noqa: E402
from cloud import Cloud  # noqa: E402

BUILD = Path(os.environ.get("VD_BUILD", ROOT / "build" / "dev"))
ENROL = BUILD / "bin" / "vedette-enrol"
CTL = BUILD / "bin" / "vedettectl"


def run(command, **options):
    return subprocess.run([str(part) for part in command], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, check=False, timeout=60, **options)


def openssl(*arguments, text=None):
    done = run(["openssl", *arguments], input=text)
    assert done.returncode == 0, done.stderr
    return done.stdout


class Trust(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="vd-trust-")
        cls.cloud = Cloud(cls.folder.name, BUILD, metrics_from=["127.0.0.1"])
        cls.cloud.__enter__()
        cls.number = 0

    @classmethod
    def tearDownClass(cls):
        cls.cloud.__exit__(None)
        cls.folder.cleanup()

    def setUp(self):
        Trust.number += 1
        self.box = Path(self.folder.name) / f"box{Trust.number}"
        self.box.mkdir()
        self.name = f"line-{Trust.number}"

    # -- tools

    def token(self, **body):
        return self.cloud.must("POST", "/enrolments", body)["token"]

    def csr(self, name, key="key.pem", *, kind=("ec", "-pkeyopt", "ec_paramgen_curve:P-256")):
        path = self.box / key
        if not path.exists():
            openssl("genpkey", "-algorithm", *kind, "-out", path)
        return openssl("req", "-new", "-key", path, "-subj", f"/CN={name}")

    def post(self, token, csr):
        return self.cloud.request("POST", "/enrol", {"token": token, "csr": csr},
                                  token="none")

    def enrol(self, *arguments, token=None):
        host = f"{self.cloud.host_name}:{self.cloud.https_port}"
        command = [ENROL, "--hub", host, "--folder", self.box, "--connect-to",
                   f"127.0.0.1:{self.cloud.https_port}", "--mqtt-port", self.cloud.mqtts_port]
        environment = dict(os.environ)
        if token is not None:
            environment["VEDETTE_ENROL_TOKEN"] = token
            command += ["--ca", self.cloud.ca_file, "--device", self.name]
        return run([*command, *arguments], env=environment)

    def ctl(self, *arguments, code=0):
        text = self.cloud.service_connection_string()
        text = text.replace(f"HostName={self.cloud.host_name};",
                            f"HostName={self.cloud.host_name}:{self.cloud.https_port};")
        done = run([CTL, "--ca", self.cloud.ca_file, *arguments],
                   env=dict(os.environ, VEDETTE_HUB_CONNECTION=text))
        self.assertEqual(done.returncode, code, done.stderr + done.stdout)
        return done

    def connects(self, name, path):
        client = self.cloud.client(name, certificate=(str(path), str(path)))
        try:
            client.connect()
            return client
        except (mqtt.Refused, mqtt.Closed, OSError):
            client.close()
            return None

    def lets_in(self, name, path):
        client = self.connects(name, path)
        if client:
            client.close()
        return client is not None

    # -- enrolment

    def test_a_box_enrols_connects_renews_and_is_revoked(self):
        token = self.ctl("enrolment", "create", "--device", self.name, "--expires", "10m",
                         "--tags", '{"site":"lyon"}').stdout.strip()
        done = self.enrol(token=token)
        self.assertEqual(done.returncode, 0, done.stderr)
        identity = self.box / "identity.pem"
        self.assertEqual(identity.stat().st_mode & 0o777, 0o600)
        self.assertFalse((self.box / "identity.key.new").exists())
        config = json.loads((self.box / "vedetted.conf").read_text())
        self.assertEqual(config["deviceId"], self.name)
        self.assertEqual(config["hub"]["authentication"]["type"], "x509")
        self.assertTrue(self.lets_in(self.name, identity))
        twin = self.cloud.must("GET", f"/twins/{self.name}")
        self.assertEqual(twin["tags"], {"site": "lyon"})
        self.assertEqual(twin["authenticationType"], "certificateAuthority")
        self.assertNotIn("PRIVATE", (self.cloud.hub_folder / "hub.sqlite").read_bytes()
                         .decode("latin-1"))
        self.renew_and_revoke(identity)

    def renew_and_revoke(self, identity):
        first = self.box / "first.pem"
        first.write_bytes(identity.read_bytes())
        done = self.enrol("--renew")
        self.assertEqual((done.returncode, "not due" in done.stdout), (0, True), done.stderr)
        done = self.enrol("--renew", "--force")
        self.assertEqual(done.returncode, 0, done.stderr)
        second = self.box / "second.pem"
        second.write_bytes(identity.read_bytes())
        self.assertNotEqual(first.read_bytes(), second.read_bytes())
        self.assertTrue(self.lets_in(self.name, first))  # until the new one is in use everywhere
        self.assertTrue(self.lets_in(self.name, second))
        self.assertEqual(self.enrol("--renew", "--force").returncode, 0)
        self.assertFalse(self.lets_in(self.name, first))
        self.assertTrue(self.lets_in(self.name, second))
        client = self.connects(self.name, identity)
        self.ctl("certificate", "revoke", self.name, "--all", "--reason", "stolen")
        self.assertTrue(client.is_closed(10))
        client.close()
        self.assertFalse(self.lets_in(self.name, identity))
        done = self.enrol("--renew", "--force")
        self.assertEqual(done.returncode, 1)
        self.assertIn("revoked or replaced", done.stderr)
        listed = self.ctl("certificate", "list", "--device", self.name).stdout
        self.assertEqual(listed.count("revoked"), 3)
        token = self.token(deviceId=self.name)
        self.assertEqual(self.enrol("--force", token=token).returncode, 0)
        self.assertTrue(self.lets_in(self.name, identity))

    def test_one_of_two_certificates_is_revoked_by_its_serial(self):
        self.assertEqual(self.enrol(token=self.token(deviceId=self.name)).returncode, 0)
        identity, old = self.box / "identity.pem", self.box / "old.pem"
        old.write_bytes(identity.read_bytes())
        self.assertEqual(self.enrol("--renew", "--force").returncode, 0)
        serial = openssl("x509", "-in", old, "-noout", "-serial").split("=")[1].strip()
        self.ctl("certificate", "revoke", self.name, "--serial", serial)
        self.assertFalse(self.lets_in(self.name, old))
        self.assertTrue(self.lets_in(self.name, identity))
        self.ctl("certificate", "revoke", self.name, "--serial", serial, code=3)

    def test_a_token_works_once_and_for_its_own_device(self):
        bound = self.token(deviceId=self.name)
        status, _, body = self.post(bound, self.csr("somebody-else", "other.pem"))
        self.assertEqual(status, 401, body)
        self.assertIn("another device", body["Message"])
        self.assertEqual(self.post(bound, self.csr(self.name))[0], 200)
        status, _, body = self.post(bound, self.csr(self.name, "thief.pem"))
        self.assertEqual(status, 401)
        self.assertIn("used up", body["Message"])
        again = self.post(bound, self.csr(self.name))  # the answer was lost: same key, same answer
        self.assertEqual(again[0], 200)
        certificates = self.cloud.must("GET", f"/devices/{self.name}/certificates")
        self.assertEqual(len(certificates), 1)

    def test_a_token_for_any_device_makes_new_ones_only(self):
        self.cloud.create_device(self.name)
        token = self.token()
        status, _, _ = self.post(token, self.csr(self.name))
        self.assertEqual(status, 409)
        fresh = self.name + "-new"
        self.assertEqual(self.post(token, self.csr(fresh, "fresh.pem"))[0], 200)
        self.assertEqual(self.cloud.must("GET", f"/devices/{fresh}")["status"], "enabled")

    def test_what_is_no_request_is_refused_and_uses_nothing_up(self):
        token = self.token(deviceId=self.name)
        good = self.csr(self.name)
        lines = good.splitlines()
        lines[2] = ("B" if lines[2][0] == "A" else "A") + lines[2][1:]
        weak = self.csr(self.name, "weak.pem", kind=("rsa", "-pkeyopt", "rsa_keygen_bits:1024"))
        for csr in ("", "nonsense", "\n".join(lines), weak, self.csr("no+plus".replace("+", "#"), "odd.pem"),
                    "x" * 9000):
            self.assertEqual(self.post(token, csr)[0], 400, csr[:40])
        for wrong in ("", "vd1.", token[:-1], token[:-1] + ("0" if token[-1] != "0" else "1"),
                      "vd1." + "0" * 16 + "." + "0" * 64, token + "0"):
            self.assertEqual(self.post(wrong, good)[0], 401, wrong)
        self.assertEqual(self.cloud.request("POST", "/enrol", "x" * 20000, token="none")[0], 413)
        self.assertEqual(self.cloud.request("POST", "/enrol", "[]", token="none")[0], 400)
        self.assertEqual(self.cloud.request("GET", "/enrol", token="none")[0], 405)
        self.assertEqual(self.post(token, good)[0], 200)

    def test_expired_and_deleted_tokens_do_not_enrol(self):
        token = self.token(deviceId=self.name)
        database = sqlite3.connect(self.cloud.hub_folder / "hub.sqlite", timeout=10)
        with database:
            database.execute("UPDATE enrolments SET expires_ms = 1 WHERE id = ?",
                             (token.split(".")[1],))
        database.close()
        status, _, body = self.post(token, self.csr(self.name))
        self.assertEqual((status, "expired" in body["Message"]), (401, True))
        token = self.token(deviceId=self.name)
        self.ctl("enrolment", "delete", token.split(".")[1])
        self.assertEqual(self.post(token, self.csr(self.name))[0], 401)

    def test_operators_need_the_right_and_sensible_wishes(self):
        for body in ({"deviceId": "a/b"}, {"deviceId": "x" * 65}, {"expiresInS": 1},
                     {"expiresInS": "1"}, {"tags": []}):
            self.assertEqual(self.cloud.request("POST", "/enrolments", body)[0], 400, body)
        for method, path in (("POST", "/enrolments"), ("POST", "/devices/d/certificates/revoke"),
                             ("DELETE", "/enrolments/x")):
            status, _, body = self.cloud.request(method, path, {}, policy="service")
            self.assertEqual(status, 401, (path, body))
            self.assertIn("lacks the right", body["Message"])
        self.assertEqual(self.cloud.request("GET", "/audit", policy="service")[0], 401)
        self.assertEqual(self.cloud.request("GET", "/enrolments", policy="registryRead")[0], 200)

    def test_the_certificate_comes_from_tls_and_from_no_header(self):
        self.assertEqual(self.enrol(token=self.token(deviceId=self.name)).returncode, 0)
        pem = (self.box / "identity.pem").read_text().replace("\n", "%0A").replace(" ", "%20")
        status, _, _ = self.cloud.request(
            "POST", "/enrol/renew", {"csr": self.csr(self.name)}, token="none",
            headers={"X-Vedette-Client-Certificate": pem.split("-----BEGIN%20PRIVATE")[0]})
        self.assertEqual(status, 401)

    def test_a_certificate_of_a_deleted_device_does_not_open_its_namesake(self):
        self.assertEqual(self.enrol(token=self.token(deviceId=self.name)).returncode, 0)
        self.cloud.must("DELETE", f"/devices/{self.name}", headers={"If-Match": "*"})
        self.cloud.create_device(self.name, type="certificateAuthority")
        self.assertFalse(self.lets_in(self.name, self.box / "identity.pem"))

    def test_a_hub_that_dies_at_the_answer_leaves_both_or_none(self):
        """The box tries until it gets through; the hub is killed at random moments."""
        token = self.token(deviceId=self.name)
        for attempt in range(4):
            process = subprocess.Popen(
                [str(ENROL), "--hub", f"{self.cloud.host_name}:{self.cloud.https_port}", "--ca",
                 self.cloud.ca_file, "--device", self.name, "--folder", str(self.box)],
                env=dict(os.environ, VEDETTE_ENROL_TOKEN=token), stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL)
            time.sleep(0.01 + 0.02 * attempt)
            self.cloud.kill("hub")
            process.wait(60)
            self.cloud.start("hub")
            used = [e for e in self.cloud.must("GET", "/enrolments") if e["deviceId"] == self.name]
            exists = self.cloud.request("GET", f"/devices/{self.name}")[0] == 200
            self.assertEqual(used[0]["status"] == "used", exists)
        if not (self.box / "identity.pem").exists():
            self.assertEqual(self.enrol(token=token).returncode, 0)
        self.assertTrue(self.lets_in(self.name, self.box / "identity.pem"))

    def test_the_box_says_what_is_wrong_and_whether_to_come_back(self):
        self.assertEqual(run([ENROL]).returncode, 2)
        self.assertEqual(self.enrol(token="").returncode, 1)
        done = self.enrol("--hub", "localhost:1", "--connect-to", "127.0.0.1:1", token="t")
        self.assertEqual(done.returncode, 3, done.stderr)
        other = self.box / "other"
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-keyout", other, "-out", other, "-subj", "/CN=other", "-days", "1")
        done = self.enrol("--ca", other, token=self.token(deviceId=self.name))
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertFalse((self.box / "identity.pem").exists())

    # -- the audit log

    def audit(self, **filters):
        query = "&".join(f"{k}={v}" for k, v in filters.items())
        return self.cloud.must("GET", f"/audit?limit=1000&{query}")["items"]

    def test_every_change_is_in_the_log_with_its_author(self):
        self.cloud.create_device(self.name)
        self.cloud.must("PATCH", f"/twins/{self.name}",
                        {"tags": {"line": 1}, "properties": {"desired": {"a": 1}}},
                        policy="service")
        self.cloud.request("PATCH", f"/twins/{self.name}", {"properties": {"desired": []}})
        self.cloud.request("POST", f"/twins/{self.name}/methods", {"methodName": "reboot"})
        self.cloud.must("GET", f"/twins/{self.name}")
        self.cloud.request("POST", f"/devices/{self.name}/messages/deviceBound", "hello")
        self.cloud.must("DELETE", f"/devices/{self.name}", headers={"If-Match": "*"})
        entries = self.audit(target=self.name)
        self.assertEqual([(e["actor"], e["action"]) for e in entries],
                         [("policy:iothubowner", "createDeviceIdentity"),
                          ("policy:service", "updateTwin"),
                          ("policy:iothubowner", "PATCH twins"),
                          ("policy:iothubowner", "invokeMethod"),
                          ("policy:iothubowner", "POST devices"),
                          ("policy:iothubowner", "deleteDeviceIdentity")])
        self.assertEqual(entries[1]["details"],
                         {"author": "service", "desiredVersion": 2, "tags": {"line": 1}})
        self.assertEqual(entries[2]["details"]["status"], 400)
        self.assertEqual(entries[3]["details"]["methodName"], "reboot")

    def test_the_log_has_no_key_and_no_token(self):
        key = self.cloud.create_device(self.name)
        token = self.token(deviceId=self.name)
        text = json.dumps(self.audit())
        self.assertNotIn(key, text)
        self.assertNotIn(token.split(".")[2], text)

    def test_any_edit_of_the_log_is_found(self):
        for part in "abc":
            self.cloud.create_device(self.name + part)
        good = json.loads(self.ctl("audit", "verify", "-o", "json").stdout)
        anchor = f"{good['entries']}:{good['hash']}"
        self.ctl("audit", "verify", "--anchor", anchor)
        saved = Path(self.folder.name) / "saved.sqlite"
        run([BUILD / "bin" / "vedette-hub", "--config", self.cloud.hub_config, "--backup", saved])
        edits = ("UPDATE audit SET actor = 'policy:nobody' WHERE id = 2",
                 "UPDATE audit SET details = '{}' WHERE id = 1",
                 "UPDATE audit SET time_ms = time_ms + 1 WHERE id = 1",
                 "UPDATE audit SET target = 'x', hash = '0' WHERE id = 2",
                 "DELETE FROM audit WHERE id = 2",
                 "DELETE FROM audit WHERE id = 1")
        for edit in edits:
            self.edit_and_check(saved, edit, [])
        last = f"DELETE FROM audit WHERE id = {good['entries']}"
        self.edit_and_check(saved, last, ["--anchor", anchor])
        self.ctl("audit", "verify", "--anchor", anchor)

    def edit_and_check(self, saved, edit, arguments):
        """Who edits takes away the triggers first; the log is put back afterwards."""
        database = sqlite3.connect(self.cloud.hub_folder / "hub.sqlite", timeout=10)
        with self.assertRaises(sqlite3.IntegrityError):
            database.execute(edit)
        database.rollback()
        for trigger in ("audit_stays", "audit_is_final"):
            database.execute(f"DROP TRIGGER {trigger}")
        database.execute(edit)
        database.commit()
        done = self.ctl("audit", "verify", *arguments, code=1)
        self.assertIn("BROKEN", done.stderr)
        database.execute("DELETE FROM audit")
        database.execute("ATTACH ? AS saved", (str(saved),))
        database.execute("INSERT INTO audit SELECT * FROM saved.audit")
        for name, in list(database.execute(
                "SELECT sql FROM saved.sqlite_master WHERE type = 'trigger'"
                " AND name LIKE 'audit%'")):
            database.execute(name)
        database.commit()
        database.close()

    # -- metrics, statistics, usage

    def test_metrics_are_what_prometheus_reads(self):
        key = self.cloud.create_device(self.name)
        with self.cloud.client(self.name, key) as client:
            client.connect()
            client.publish(f"devices/{self.name}/messages/events/", b'{"a":1}', qos=1)
            self.wait_for(lambda: self.cloud.must("GET", f"/telemetry?deviceId={self.name}")
                          ["items"])
            text = self.metrics("?devices=1")
        families, samples = parse_exposition(text)
        self.assertEqual(families["vedette_hub_requests_total"], "counter")
        self.assertEqual(samples['vedette_hub_broker_connected'], 1)
        self.assertGreaterEqual(samples['vedette_hub_ingest_messages_total'], 1)
        self.assertGreaterEqual(samples['vedette_hub_devices_connected'], 1)
        self.assertGreater(samples['vedette_hub_database_bytes'], 4096)
        self.assertGreaterEqual(
            samples['vedette_hub_requests_total{method="PUT",route="/devices/*",code="200"}'], 1)
        self.assertEqual(samples[f'vedette_device_connected{{device="{self.name}"}}'], 1)
        for name, kind in families.items():
            self.assertEqual(kind == "counter", name.endswith("_total"), name)

    def metrics(self, query=""):
        status, headers, body = self.cloud.request("GET", "/metrics" + query, token="none")
        self.assertEqual(status, 200)
        self.assertTrue(headers["content-type"].startswith("text/plain; version=0.0.4"))
        return body.decode()

    def wait_for(self, condition, timeout=20):
        end = time.monotonic() + timeout
        while not condition():
            self.assertLess(time.monotonic(), end)
            time.sleep(0.05)

    def test_statistics_and_usage_are_told_by_the_command_line(self):
        key = self.cloud.create_device(self.name)
        with self.cloud.client(self.name, key) as client:
            client.connect()
            for i in range(3):
                client.publish(f"devices/{self.name}/messages/events/", b"12345678", qos=1)
        self.wait_for(lambda: [row for row in self.cloud.must(
            "GET", f"/usage?deviceId={self.name}") if row["messages"] == 3])
        rows = json.loads(self.ctl("usage", "--device", self.name, "-o", "json").stdout)
        self.assertEqual([(r["messages"], r["bytes"]) for r in rows], [(3, 24)])
        self.assertIn("BYTES", self.ctl("usage").stdout)
        stats = json.loads(self.ctl("stats", "-o", "json").stdout)
        self.assertGreaterEqual(stats["classes"]["message"]["total"], 3)
        self.assertGreaterEqual(stats["totalDeviceCount"], 1)
        self.assertIn("devices", self.ctl("stats").stdout)
        self.assertEqual(self.cloud.request("GET", "/usage?days=0")[0], 400)


SAMPLE = re.compile(r"^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{([a-zA-Z_][a-zA-Z0-9_]*=\"(?:[^\"\\\n]|\\.)*\""
                    r",?)*\})? (-?[0-9.e+]+|NaN|[+-]Inf)$")


def parse_exposition(text):
    """Text format 0.0.4, strictly: each family once, HELP and TYPE before its samples."""
    assert text.endswith("\n")
    families, helped, samples, current = {}, set(), {}, None
    for line in text.splitlines():
        if line.startswith("# HELP "):
            current = line.split(" ")[2]
            assert current not in helped, line
            helped.add(current)
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name == current and name not in families and kind in ("counter", "gauge"), line
            families[name] = kind
        else:
            match = SAMPLE.match(line)
            assert match and match.group(1) == current, line
            sample = match.group(1) + (match.group(2) or "")
            assert sample not in samples, line
            samples[sample] = float(match.group(4))
    return families, samples


if __name__ == "__main__":
    unittest.main()
