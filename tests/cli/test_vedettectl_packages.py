#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""vedettectl package …, from the key to the device that fetches: against a whole hub."""

import base64
import hashlib
import http.client
import json
import os
import ssl
import subprocess
import sys
import tarfile
import tempfile
import unittest
import urllib.parse
from pathlib import Path

sys.dont_write_bytecode = True
ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "harness"))
from cloud import Cloud  # noqa: E402

BUILD = Path(os.environ.get("VD_BUILD", ROOT / "build" / "dev"))
PROGRAM = BUILD / "bin" / "vedettectl"
PASSPHRASE = {"VEDETTE_KEY_PASSPHRASE": "offen"}


def run(*arguments, environment=None):
    return subprocess.run([PROGRAM, *arguments], env={**os.environ, **(environment or {})},
                          capture_output=True, text=True, timeout=120, check=False)


class PackagesTest(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory(prefix="vedette-packages-")
        cls.folder = Path(cls.temporary.name)
        cls.trusted = run("package", "keygen", str(cls.folder / "good"),
                          environment=PASSPHRASE).stdout.strip()
        run("package", "keygen", str(cls.folder / "other"))
        cls.cloud = Cloud(cls.folder, BUILD, host_name="hub.vedette.test",
                          package_keys=[cls.trusted])
        cls.cloud.__enter__()
        cls.connection = cls.cloud.service_connection_string()

    @classmethod
    def tearDownClass(cls):
        cls.cloud.__exit__(None, None, None)
        cls.temporary.cleanup()

    def ctl(self, *arguments, status=0, environment=None):
        done = run("--ca", self.cloud.ca_file, "--connect-to",
                   f"127.0.0.1:{self.cloud.https_port}", *arguments,
                   environment={"VEDETTE_HUB_CONNECTION": self.connection, **PASSPHRASE,
                                **(environment or {})})
        self.assertEqual(done.returncode, status, f"{arguments}\n{done.stdout}{done.stderr}")
        return done

    def build(self, version, name=None, content=b"\x7fELF"):
        """A module's folder, built; its manifest's path."""
        name = name or self.id().rsplit(".", 1)[1][5:25].strip("_").replace("_", "-")
        folder = self.folder / f"{name}-{version}-{hashlib.md5(content).hexdigest()[:4]}"
        (folder / "lib").mkdir(parents=True)
        (folder / "run").write_bytes(content)
        (folder / "lib" / "data").write_text(version)
        (folder / "schema.json").write_text("{}")
        (folder / "manifest.json").write_text(json.dumps({
            "name": name, "version": version, "protocol": [1, 1], "entryPoint": "run",
            "schema": "schema.json"}))
        out = Path(f"{folder}.out")
        out.mkdir()
        return Path(self.ctl("package", "build", str(folder), "--arch", "x86_64", "--out",
                             str(out)).stdout.strip())

    def sign(self, manifest, key="good"):
        self.ctl("package", "sign", str(manifest), "--key", str(self.folder / f"{key}.key"))

    def deliver(self, version, **options):
        manifest = self.build(version, **options)
        self.sign(manifest)
        self.ctl("package", "upload", str(manifest))
        return json.loads(manifest.read_text())

    # --- keys and files

    def test_a_key_is_for_its_owner_alone_and_not_overwritten(self):
        path = self.folder / "good.key"
        self.assertEqual(path.stat().st_mode & 0o777, 0o600)
        self.assertIn("ENCRYPTED", path.read_text())
        self.assertNotIn("ENCRYPTED", (self.folder / "other.key").read_text())
        self.assertEqual((self.folder / "good.pub").read_text().splitlines()[1], self.trusted)
        self.assertIn("File exists", self.ctl("package", "keygen", str(self.folder / "good"),
                                              status=7).stderr)

    def test_a_key_that_others_may_read_or_without_its_passphrase_signs_nothing(self):
        manifest = self.build("1.0.0")
        key = self.folder / "open.key"
        key.write_text((self.folder / "other.key").read_text())
        key.chmod(0o644)
        sign = ("package", "sign", str(manifest), "--key")
        self.assertIn("others may read this key", self.ctl(*sign, str(key), status=1).stderr)
        done = self.ctl(*sign, str(self.folder / "good.key"), status=1,
                        environment={"VEDETTE_KEY_PASSPHRASE": "falsch"})
        self.assertIn("the passphrase is wrong", done.stderr)

    def test_the_same_folder_gives_the_same_bytes(self):
        first = self.build("1.0.0")
        folder = Path(str(first.parent)[:-len(".out")])
        again = Path(f"{folder}.again")
        again.mkdir()
        os.utime(folder / "run", (1, 1))
        second = Path(self.ctl("package", "build", str(folder), "--arch", "x86_64", "--out",
                               str(again)).stdout.strip())
        self.assertEqual(first.read_bytes(), second.read_bytes())
        archive = Path(str(first)[:-5] + ".tar.zst")
        manifest = json.loads(first.read_text())
        self.assertEqual(hashlib.sha256(archive.read_bytes()).hexdigest(),
                         manifest["archive"]["sha256"])
        self.assertEqual([f["path"] for f in manifest["files"]],
                         ["lib/data", "manifest.json", "run", "schema.json"])
        self.assertTrue(manifest["files"][2]["executable"])
        plain = subprocess.run(["zstd", "-dc", str(archive)], stdout=subprocess.PIPE, check=True)
        with open(self.folder / "plain.tar", "wb") as out:
            out.write(plain.stdout)
        with tarfile.open(self.folder / "plain.tar") as tar:
            self.assertEqual([(m.name, m.mode, m.mtime, m.uid) for m in tar.getmembers()],
                             [("lib/data", 0o644, 0, 0), ("manifest.json", 0o644, 0, 0),
                              ("run", 0o755, 0, 0), ("schema.json", 0o644, 0, 0)])

    def test_openssl_finds_the_signature_good(self):
        manifest = self.build("1.0.0")
        self.sign(manifest, "other")
        signature = Path(f"{manifest}.sig").read_text().splitlines()[1]
        raw = self.folder / "raw.sig"
        raw.write_bytes(base64.b64decode(signature)[10:])
        done = subprocess.run(["openssl", "pkeyutl", "-verify", "-inkey",
                               self.folder / "other.key", "-rawin", "-in", manifest, "-sigfile",
                               raw], capture_output=True, text=True, timeout=30, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_a_folder_with_a_link_is_no_package(self):
        manifest = self.build("1.0.0")
        folder = Path(str(manifest.parent)[:-len(".out")])
        (folder / "link").symlink_to("/etc/passwd")
        self.assertIn("link: is neither a file nor a folder",
                      self.ctl("package", "build", str(folder), status=1).stderr)

    # --- the registry

    def test_a_package_is_delivered_listed_and_fetched_by_a_device(self):
        manifest = self.deliver("1.2.0", name="camera")
        listed = json.loads(self.ctl("-o", "json", "package", "list", "camera").stdout)
        self.assertEqual([(p["version"], p["arch"], p["state"]) for p in listed],
                         [("1.2.0", "x86_64", "stored")])
        key = self.cloud.create_device("fetcher")
        token = self.cloud.device_token("fetcher", key)
        status, _, whole = self.cloud.request(
            "GET", "/devices/fetcher/packages/camera/1.2.0/x86_64", token=token)
        self.assertEqual(status, 200, whole)
        self.assertEqual(json.loads(whole["manifest"]), manifest)
        path = f"/devices/fetcher/package-files/{manifest['archive']['sha256']}"
        status, _, data = self.cloud.request("GET", path, token=token)
        self.assertEqual(status, 200)
        self.assertEqual(hashlib.sha256(data).hexdigest(), manifest["archive"]["sha256"])
        status, headers, part = self.cloud.request("GET", path, token=token,
                                                   headers={"Range": "bytes=10-19"})
        self.assertEqual((status, part), (206, data[10:20]))
        other = self.cloud.device_token("nobody", key)
        self.assertEqual(self.cloud.request("GET", path, token=other)[0], 401)
        self.assertEqual(self.cloud.request("GET", "/.packages/x", token=token)[0], 404)

    def fetch(self, path, certificate=None, headers=None):
        context = ssl.create_default_context(cafile=self.cloud.ca_file)
        if certificate:
            context.load_cert_chain(*certificate)
        connection = http.client.HTTPSConnection("localhost", self.cloud.https_port,
                                                 context=context, timeout=30)
        try:
            connection.request("GET", path, headers={"Host": self.cloud.host_name,
                                                     **(headers or {})})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def test_a_device_with_a_certificate_fetches_for_itself_alone(self):
        manifest = self.deliver("1.0.0")
        for name in ("certified", "neighbour"):
            self.cloud.create_device(name, type="certificateAuthority")
        self.cloud.make_ca("device", "certified")
        stem = self.cloud.ca / "devices" / "certified"
        certificate = (f"{stem}.pem", f"{stem}.key")
        path = f"/devices/certified/package-files/{manifest['archive']['sha256']}"
        status, data = self.fetch(path, certificate)
        self.assertEqual((status, hashlib.sha256(data).hexdigest()),
                         (200, manifest["archive"]["sha256"]))
        self.assertEqual(self.fetch(path.replace("certified", "neighbour"), certificate)[0], 401)
        self.assertEqual(self.fetch(path)[0], 401)
        pem = urllib.parse.quote(Path(certificate[0]).read_text(), safe="")
        self.assertEqual(self.fetch(path, headers={"X-Vedette-Client-Certificate": pem})[0], 401)
        self.cloud.must("PUT", "/devices/certified", {
            "deviceId": "certified", "status": "disabled",
            "authentication": {"type": "certificateAuthority"}}, headers={"If-Match": "*"})
        self.assertEqual(self.fetch(path, certificate)[0], 401)

    def test_an_unsigned_an_altered_and_a_foreign_package_are_refused_with_the_reason(self):
        manifest = self.build("1.0.0")
        self.assertIn(".sig: No such file",
                      self.ctl("package", "upload", str(manifest), status=1).stderr)
        self.sign(manifest, "other")
        self.assertIn("it is signed with none of the trusted keys",
                      self.ctl("package", "upload", str(manifest), status=1).stderr)
        self.sign(manifest)
        manifest.write_text(manifest.read_text().replace("lib/data", "lib/date"))
        self.assertIn("the signature does not fit",
                      self.ctl("package", "upload", str(manifest), status=1).stderr)

    def test_a_version_never_changes_and_other_bytes_are_not_taken(self):
        self.deliver("1.0.0")
        manifest = self.build("1.0.0", content=b"other")
        self.sign(manifest)
        done = self.ctl("package", "upload", str(manifest), status=7)
        self.assertIn("this version exists with another manifest", done.stderr)
        manifest = self.build("1.0.1", content=b"third")
        self.sign(manifest)
        archive = Path(str(manifest)[:-5] + ".tar.zst")
        good = archive.read_bytes()
        archive.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
        self.assertIn("another SHA-256",
                      self.ctl("package", "upload", str(manifest), status=1).stderr)
        archive.write_bytes(good + b"x")
        self.assertIn("bytes instead of",
                      self.ctl("package", "upload", str(manifest), status=1).stderr)
        archive.write_bytes(good)
        self.ctl("package", "upload", str(manifest))
        self.assertEqual([p.name for p in (self.cloud.package_folder / "staging").iterdir()], [])

    def test_a_channel_moves_with_author_and_comment_and_holds_what_it_names(self):
        name = self.deliver("1.0.0", name="moved")["name"]
        self.deliver("1.1.0", name=name)
        self.deliver("1.2.0", name=name)
        move = ("package", "channel", name, "stable")
        self.ctl(*move, "9.9", status=3)
        self.ctl(*move, "1.0.0")
        self.assertEqual(self.ctl(*move, "1.1.0", "--comment", "field test passed").stdout,
                         f"{name} stable -> 1.1.0\n")
        history = json.loads(self.ctl("-o", "json", "package", "history", name, "stable").stdout)
        self.assertEqual([(m["before"], m["version"], m["author"], m["comment"])
                          for m in history],
                         [("1.0.0", "1.1.0", "iothubowner", "field test passed"),
                          (None, "1.0.0", "iothubowner", "")])
        audit = json.loads(self.ctl("-o", "json", "audit", "list", "--action",
                                    "channel.move").stdout.splitlines()[-1])
        self.assertEqual((audit["target"], audit["actor"], audit["details"]["to"]),
                         (name, "policy:iothubowner", "1.1.0"))
        self.cloud.create_device("namer")
        self.cloud.must("PATCH", "/twins/namer", {"properties": {"desired": {"modules": {
            "top": {"package": name, "version": "1.2.0"}}}}})
        done = self.ctl("package", "gc", "--dry-run", "--days", "0").stdout
        self.assertRegex(done, r"(?m)^moved +1\.0\.0 ")
        self.assertNotRegex(done, r"(?m)^moved +1\.[12]\.0 ")
        self.assertIn("would be deleted", done)
        self.assertEqual(self.ctl("package", "gc").stdout.splitlines()[-1],
                         "0 packages, 0 bytes deleted")
        self.ctl("package", "gc", "--days", "0")
        listed = json.loads(self.ctl("-o", "json", "package", "list", name).stdout)
        self.assertEqual([p["version"] for p in listed], ["1.1.0", "1.2.0"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
