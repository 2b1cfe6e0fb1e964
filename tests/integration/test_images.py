#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Images that records bring along go to the hub: whole, once, and whatever is cut on the way."""

import hashlib
import json
import os
import random
import socket
import subprocess
import sys
import threading
import time
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "harness"))
import line as lines  # noqa: E402
from line import Line, wait_until  # noqa: E402

MODULE = r"""#!/usr/bin/python3
import array, hashlib, json, os, random, select, socket, time

agent = socket.socket(fileno=3)


def send(fds=(), **packet):
    agent.sendmsg([json.dumps(packet).encode()],
                  [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else [])


def take(body):
    if "path" in body:
        with open(body["path"], "rb") as file:
            data = file.read()
    else:
        data = random.Random(body["seed"]).randbytes(body["bytes"])
    sha256 = hashlib.sha256(data).hexdigest()
    fd = os.memfd_create("picture")
    os.write(fd, data)
    send([fd], type="publish", id=body["seed"], output="picture",
         body=dict({"itemId": "item-%d" % body["seed"], "verdict": body.get("verdict", "NG")},
                   **body.get("record", {})),
         attachments=[{"name": body.get("name", "overlay"), "type": "image/jpeg", "bytes": len(data), "sha256": sha256}],
         **{"class": body.get("class", "verdict")})
    os.close(fd)
    return {"sha256": sha256}


send(type="hello", protocol=1, name="pictures", version="1.0.0")
beat = 0
while True:
    if time.monotonic() >= beat:
        send(type="alive", work=0, due=False)
        beat = time.monotonic() + 0.5
    if not select.select([agent], [], [], 0.2)[0]:
        continue
    data = agent.recv(65536)
    if not data:
        raise SystemExit(0)
    packet = json.loads(data)
    if packet["type"] == "call":
        send(type="answer", id=packet["id"], status=200, body=take(packet["body"]))
    elif packet["type"] in ("start", "parameters"):
        send(type="applied", version=packet["version"])
        send(type="ready")
    elif packet["type"] == "stop":
        raise SystemExit(0)
"""
MANIFEST = """{"name":"pictures","version":"1.0.0","protocol":[1,1],"entryPoint":"pictures.py","arguments":[],
"schema":"schema.json","outputs":{"picture":{"kind":"message"}},"inputs":{}}"""
MIB = 1 << 20


def install(folder):
    package = folder / "packages" / "pictures" / "1.0.0"
    package.mkdir(parents=True)
    (package / "manifest.json").write_text(MANIFEST)
    (package / "schema.json").write_text('{"type":"object","additionalProperties":false,"properties":{}}')
    (package / "pictures.py").write_text(MODULE)
    (package / "pictures.py").chmod(0o755)


def picture(seed, size):
    return random.Random(seed).randbytes(size)


class Wire:
    """Between agent and front: counts what passes upwards, and cuts a connection after so many bytes."""

    def __init__(self, target):
        self.target, self.sent, self.cuts = target, 0, []
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.server.accept()
            except OSError:
                return
            try:
                front = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                client.close()
                continue
            threading.Thread(target=self.pump, args=(client, front, True), daemon=True).start()
            threading.Thread(target=self.pump, args=(front, client, False), daemon=True).start()

    def pump(self, source, sink, is_up):
        try:
            while data := source.recv(65536):
                if is_up:
                    self.sent += len(data)
                    if self.cuts and self.sent > self.cuts[0]:
                        self.cuts.pop(0)
                        break
                sink.sendall(data)
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self):
        self.server.close()


class Announced(threading.Thread):
    """The hub's file events, as they come."""

    def __init__(self, cloud):
        super().__init__(daemon=True)
        self.cloud, self.seen, self.is_open = cloud, [], threading.Event()
        self.start()
        self.is_open.wait(10)

    def run(self):
        import http.client
        import ssl
        import cloud as clouds
        connection = http.client.HTTPSConnection(
            "localhost", self.cloud.https_port, context=ssl.create_default_context(cafile=self.cloud.ca_file))
        token = clouds.sas_token(self.cloud.host_name, self.cloud.policy_key(), "iothubowner")
        connection.request("GET", "/events?api-version=2021-04-12",
                           headers={"Host": self.cloud.host_name, "Authorization": token})
        response = connection.getresponse()
        self.is_open.set()
        event = None
        try:
            while text := response.readline():
                if text.startswith(b"event:"):
                    event = text[6:].strip()
                elif text.startswith(b"data:") and event == b"file":
                    self.seen.append(json.loads(text[5:])["body"])
        except OSError:
            pass
        finally:
            connection.close()


class ImagesTest(unittest.TestCase):
    def begin(self, line, through_wire=False, **images):
        install(line.agent.folder)
        if through_wire:
            self.wire = Wire(line.cloud.https_port)
            self.addCleanup(self.wire.close)
            config = json.loads(line.agent.config_path.read_text())
            config["hub"]["httpsPort"] = self.wire.port
            line.agent.config_path.write_text(json.dumps(config))
        line.agent.start()
        line.wait_applied(line.set_desired(lines.document(
            {"m": lines.module("pictures", 10, {})}, {"up": "FROM m/picture INTO $upstream"},
            images=images, reportIntervalMs=1000)))
        line.agent.wait_ready("m")

    def take(self, line, seed, size=5000, **more):
        body = dict({"seed": seed, "bytes": size}, **more)
        return line.agent.call("call", "m", "take", json.dumps(body))

    def counts(self, line):
        images = line.agent.call("outbox")["store"]["imagesOf"]
        return {state: images[state]["count"] for state in ("waiting", "uploaded", "refused", "evicted")}

    def wait_counts(self, line, seconds=30, **wanted):
        wait_until(lambda: {k: self.counts(line)[k] for k in wanted} == wanted, seconds,
                   lambda: f"{wanted}, {self.counts(line)}\n{line.agent.log_tail()}")

    def images(self, line):
        return line.cloud.must("GET", "/images?deviceId=%s&limit=1000" % line.device_id)

    def check_stored(self, line, seed, size=5000):
        data = picture(seed, size)
        status, headers, got = line.cloud.request("GET", "/images/" + hashlib.sha256(data).hexdigest())
        self.assertEqual((status, got), (200, data))
        self.assertEqual(headers["content-type"], "image/jpeg")

    def test_an_image_arrives_bit_for_bit_and_its_record_leads_to_it(self):
        with Line() as line:
            announced = Announced(line.cloud)
            self.begin(line)
            self.take(line, 1)
            self.take(line, 2, 2 * MIB + 17)
            self.wait_counts(line, waiting=0, uploaded=2, refused=0)
            self.check_stored(line, 1)
            self.check_stored(line, 2, 2 * MIB + 17)
            wait_until(lambda: len(line.verdicts()) == 2, 10, "records")
            by_digest = {i["sha256"]: i for i in self.images(line)}
            for record in line.verdicts():
                attachment, = record["attachments"]
                image = by_digest[attachment["sha256"]]
                self.assertEqual((attachment["name"], attachment["type"], attachment["bytes"]),
                                 ("overlay", "image/jpeg", image["bytes"]))
                self.assertEqual(image["blobName"], "%s/%s-%d-overlay-%s.jpg" % (
                    record["tWall"][:10], record["bootId"], record["seq"], image["sha256"][:8]))
            self.take(line, 1)  # the same again
            wait_until(lambda: len(line.verdicts()) == 3, 10, "records")
            self.assertEqual(len(self.images(line)), 2)
            wait_until(lambda: line.reported()["agent"]["images"]["uploaded"]["count"] == 2, 10, line.reported)
            self.assertEqual(sorted(e["blobName"] for e in announced.seen),
                             sorted(i["blobName"] for i in by_digest.values()))
            before = self.wake_ups(line)
            time.sleep(1.5)
            self.assertEqual(self.wake_ups(line), before)

    @staticmethod
    def wake_ups(line):
        """How often the uploader's thread went to sleep."""
        for task in Path("/proc/%d/task" % line.agent.process.pid).iterdir():
            if (task / "comm").read_text().strip() == "vd-upload":
                status = (task / "status").read_text()
                return int(status.split("\nvoluntary_ctxt_switches:")[1].split()[0])
        raise AssertionError("no thread vd-upload")

    def test_what_the_camera_saw_of_a_rejected_item_is_in_the_hub(self):
        with Line() as line:
            line.simulate(good=2, mixed=6)
            station = lines.golden_station(line.captures / "part-00001.jpg")
            station["parameters"]["recipes"]["r"]["images"] = {
                "keep": {"OK": "none", "NG": "all", "NO_DECISION": "none", "WARN": "none"}, "overlay": True}
            line.agent.start()
            line.wait_applied(line.set_desired(lines.document(
                {"cam": lines.camera(line.captures, 20, loop=False), "station": station})))
            wait_until(lambda: len(line.verdicts()) >= 8, 30, line.agent.log_tail)
            rejected = [v for v in line.verdicts() if v["body"]["verdict"] == "NG"]
            self.assertTrue(rejected)
            self.wait_counts(line, waiting=0, refused=0)
            for record in rejected:
                kept = {a["name"]: a["sha256"] for a in record["attachments"]}
                self.assertEqual(sorted(kept), ["original.jpg", "overlay.jpg"])
                status, _, data = line.cloud.request("GET", "/images/" + kept["original.jpg"])
                self.assertEqual(status, 200)
                captured = line.captures / ("part-%s.jpg" % record["body"]["serial"])
                self.assertEqual(data, captured.read_bytes())
                self.assertEqual(line.cloud.request("GET", "/images/" + kept["overlay.jpg"])[0], 200)
            self.assertEqual([v for v in line.verdicts() if v["body"]["verdict"] == "OK" and "attachments" in v], [])

    def test_alarms_and_bad_parts_go_first_and_nothing_goes_while_it_is_off(self):
        with Line() as line:
            announced = Announced(line.cloud)
            self.begin(line, upload=False)
            for seed, more in enumerate([{"verdict": "OK"}, {}, {"verdict": "OK"}, {"verdict": "WARN"},
                                         {"class": "alarm"}]):
                self.take(line, seed, **more)
            self.wait_counts(line, waiting=5, uploaded=0)
            line.wait_applied(line.set_desired({"agent": {"images": {"upload": True}}}))
            self.wait_counts(line, waiting=0, uploaded=5)
            wait_until(lambda: len(announced.seen) == 5, 10, lambda: announced.seen)
            self.assertEqual([e["sha256"] for e in announced.seen],
                             [hashlib.sha256(picture(n, 5000)).hexdigest() for n in (4, 1, 3, 0, 2)])

    def test_a_cut_line_costs_the_block_that_was_on_it(self):
        size = 8 * MIB
        with Line() as line:
            self.begin(line, through_wire=True)
            # The second cut is on the new connection, so that it is no matter of the HTTP library alone.
            self.wire.cuts = [5 * MIB + MIB // 2, 6 * MIB]
            self.take(line, 1, size)
            self.wait_counts(line, waiting=0, uploaded=1)
            self.check_stored(line, 1, size)
            self.assertEqual(self.wire.cuts, [])
            self.assertIn("upload.failed", line.agent.log_path.read_text(errors="replace"))
            self.assertLess(self.wire.sent, size + 3 * MIB)

    def test_an_agent_killed_at_any_moment_uploads_once_and_is_announced_once(self):
        seed = int(os.environ.get("VD_SEED") or time.time())
        print("VD_SEED=%d" % seed)
        chance = random.Random(seed)
        with Line() as line:
            announced = Announced(line.cloud)
            self.begin(line, bytesPerSecond=4 * MIB)
            for n in range(6):
                self.take(line, n, 3 * MIB)
            for _ in range(5):
                time.sleep(chance.uniform(0.1, 1.2))
                line.agent.kill()
                line.agent.start()
            self.wait_counts(line, waiting=0, uploaded=6)
            for n in range(6):
                self.check_stored(line, n, 3 * MIB)
            self.assertEqual(len(self.images(line)), 6)
            time.sleep(0.3)
            names = [e["blobName"] for e in announced.seen]
            self.assertEqual(sorted(names), sorted(set(names)))
            self.assertEqual(len(names), 6)

    def test_a_hub_that_is_away_gets_them_when_it_is_back(self):
        with Line() as line:
            self.begin(line)
            line.cloud.kill("front")
            for n in range(3):
                self.take(line, n)
            wait_until(lambda: "upload.failed" in line.agent.log_path.read_text(errors="replace"), 10,
                       line.agent.log_tail)
            line.cloud.kill("hub")
            self.assertEqual(self.counts(line)["uploaded"], 0)
            line.cloud.start("hub")
            line.cloud.start("front")
            self.wait_counts(line, waiting=0, uploaded=3)
            for n in range(3):
                self.check_stored(line, n)

    def test_what_is_refused_for_good_is_counted_and_told_and_holds_nobody_up(self):
        with Line() as line:
            prepare = line.cloud.prepare

            def prepare_small():
                prepare()
                config = json.loads(line.cloud.hub_config.read_text())
                line.cloud.hub_config.write_text(json.dumps({**config, "imageMaxBytes": 100000}))
            line.cloud.prepare = prepare_small
            line.cloud.kill("hub")
            prepare_small()
            line.cloud.start("hub")
            self.begin(line)
            self.take(line, 1, 200000)
            self.take(line, 2, 5000)
            self.wait_counts(line, waiting=0, uploaded=1, refused=1)
            self.check_stored(line, 2)
            wait_until(lambda: line.reported()["agent"]["images"]["refused"] == {"count": 1, "bytes": 200000}, 10,
                       line.reported)
            self.assertIn("413", line.reported()["agent"]["images"]["lastRefusal"])

    def test_a_file_that_rotted_on_the_disk_is_not_sent(self):
        with Line() as line:
            self.begin(line, upload=False)
            sha256 = self.take(line, 1)["sha256"]
            self.wait_counts(line, waiting=1)
            path = line.agent.state_folder / "images" / (sha256 + ".jpg")
            with open(path, "r+b") as file:
                file.write(b"rot")
            line.wait_applied(line.set_desired({"agent": {"images": {"upload": True}}}))
            self.wait_counts(line, waiting=0, refused=1)
            self.assertEqual(self.images(line), [])
            wait_until(lambda: "digest" in line.reported()["agent"]["images"].get("lastRefusal", ""), 10,
                       line.reported)

    def test_a_device_with_a_certificate_uploads_without_a_token(self):
        with Line() as line:
            self.use_certificate(line)
            self.begin(line)
            self.take(line, 1)
            self.wait_counts(line, waiting=0, uploaded=1)
            self.check_stored(line, 1)

    def ctl(self, line, *arguments, code=0):
        text = line.cloud.service_connection_string().replace(
            f"HostName={line.cloud.host_name};", f"HostName={line.cloud.host_name}:{line.cloud.https_port};")
        done = subprocess.run(
            [str(lines.BUILD / "bin" / "vedettectl"), "--ca", line.cloud.ca_file, *arguments],
            env=dict(os.environ, VEDETTE_HUB_CONNECTION=text), capture_output=True, text=True, check=False,
            timeout=60)
        self.assertEqual(done.returncode, code, done.stderr)
        return done.stdout if code == 0 else done.stderr

    def jpegs(self, line, count):
        """Pictures of the part, all different: with a comment of their own behind the first marker."""
        part = lines.PART.read_bytes()
        paths = []
        for n in range(count):
            paths.append(line.folder / ("%d.jpg" % n))
            text = b"picture %d" % n
            paths[-1].write_bytes(part[:2] + b"\xff\xfe" + (len(text) + 2).to_bytes(2, "big") + text + part[2:])
        return paths

    def test_images_and_labels_are_exported_as_coco(self):
        with Line() as line:
            self.begin(line)
            first, second, third = self.jpegs(line, 3)
            steps = {"print": {"verdict": "NG", "defects": [{"x": 10, "y": 20, "width": 30, "height": 40},
                                                            {"x": 100000, "y": 0, "width": 5, "height": 5}]},
                     "find": {"verdict": "OK", "objects": [{"label": "screw", "x": 5, "y": 5, "width": 9,
                                                            "height": 9}]}}
            record = {"cameras": {"cam": {"state": "ok"}}, "steps": steps}
            digests = [self.take(line, n, path=str(path), name=name, record=record)["sha256"] for n, path, name in (
                (1, first, "original.jpg"), (2, second, "original.jpg"), (3, third, "overlay.jpg"))]
            self.wait_counts(line, waiting=0, uploaded=3)
            wait_until(lambda: len(line.verdicts()) == 3, 10, "records")
            self.check_thumbnails(line, digests[0])
            self.check_labels(line, digests)
            folder = line.folder / "set"
            told = self.ctl(line, "images", "export", "--device", line.device_id, "--coco", str(folder))
            self.assertIn("2 fetched, 0 there already", told)
            self.check_export(folder, digests)
            (folder / "images" / (digests[0] + ".jpg")).write_bytes(b"half")
            told = self.ctl(line, "images", "export", "--device", line.device_id, "--coco", str(folder))
            self.assertIn("1 fetched, 1 there already", told)
            self.check_export(folder, digests)
            self.ctl(line, "images", "export", "--device", line.device_id, "--coco", str(line.folder / "none"),
                     "--since", "2100-01-01T00:00:00Z")
            self.ctl(line, "images", "export", "--device", line.device_id, code=2)

    def check_labels(self, line, digests):
        post = line.cloud.request
        for body, status in (({"deviceId": line.device_id, "itemId": "item-2", "label": "NG"}, 201),
                             ({"deviceId": line.device_id, "label": "NG"}, 400),
                             ({"deviceId": line.device_id, "itemId": "item-2", "label": "NG", "x": 1}, 400),
                             ({"deviceId": line.device_id, "sha256": "0" * 64, "label": "NG"}, 404)):
            self.assertEqual(post("POST", "/labels", body)[0], status, body)
        self.ctl(line, "label", "add", "dent", "--device", line.device_id, "--sha256", digests[1], "--boxes",
                 '[{"x":1,"y":2,"width":100000,"height":4},{"x":1,"y":2,"width":3,"height":4,"label":"hole"}]',
                 "--comment", "seen by eye")
        listed = line.cloud.must("GET", "/labels?deviceId=%s&limit=1" % line.device_id)
        self.assertEqual([item["label"] for item in listed["items"]], ["NG"])
        listed = line.cloud.must("GET", "/labels?after=%d" % listed["continuation"])
        self.assertEqual([(item["label"], item["note"], item["author"]) for item in listed["items"]],
                         [("dent", "seen by eye", "iothubowner")])
        self.assertIn("dent", self.ctl(line, "label", "list", "--device", line.device_id))
        audited = line.cloud.must("GET", "/audit?limit=1000")["items"]
        self.assertEqual(sum("labels" in json.dumps(entry) for entry in audited), 5, audited)

    def check_export(self, folder, digests):
        coco = json.loads((folder / "annotations.json").read_text())
        images = {image["id"]: image for image in coco["images"]}
        names = {category["id"]: category["name"] for category in coco["categories"]}
        self.assertEqual(sorted(image["sha256"] for image in images.values()), sorted(digests[:2]))
        for image in images.values():
            data = (folder / image["file_name"]).read_bytes()
            self.assertEqual(hashlib.sha256(data).hexdigest(), image["sha256"])
        found = set()
        for box in coco["annotations"]:
            image = images[box["image_id"]]
            x, y, width, height = box["bbox"]
            self.assertTrue(x >= 0 and y >= 0 and width > 0 and height > 0)
            self.assertTrue(x + width <= image["width"] and y + height <= image["height"])
            found.add((digests.index(image["sha256"]), names[box["category_id"]], box["source"]))
        self.assertEqual(found, {(0, "print", "verdict"), (0, "screw", "verdict"), (1, "dent", "label"),
                                 (1, "hole", "label")})

    def check_thumbnails(self, line, digest):
        for wanted, width in ((100, 160), (320, 320), (500, 640), (500, 640)):
            status, headers, data = line.cloud.request("GET", "/images/%s?width=%d" % (digest, wanted))
            self.assertEqual((status, headers["content-type"]), (200, "image/jpeg"))
            self.assertLessEqual(self.width_of(data), width)
            self.assertGreater(self.width_of(data), width // 3)
        self.assertEqual(line.cloud.request("GET", "/images/%s?width=9999" % digest)[0], 400)
        self.assertEqual(line.cloud.request("GET", "/images/%s?width=100" % ("0" * 64))[0], 404)
        image, = line.cloud.must("GET", "/images?sha256=" + digest)
        self.assertEqual((image["sha256"], image["deviceId"]), (digest, line.device_id))

    @staticmethod
    def width_of(data):
        at = 2
        while data[at + 1] not in (0xc0, 0xc2):
            at += 2 + int.from_bytes(data[at + 2:at + 4], "big")
        return int.from_bytes(data[at + 7:at + 9], "big")

    def use_certificate(self, line):
        """The device is another one, with a key that never left its folder."""
        folder = line.folder / "identity"
        token = line.cloud.must("POST", "/enrolments", {"deviceId": "boxed"})["token"]
        done = subprocess.run(
            [str(lines.BUILD / "bin" / "vedette-enrol"), "--hub",
             "%s:%d" % (line.cloud.host_name, line.cloud.https_port), "--ca", line.cloud.ca_file, "--device",
             "boxed", "--folder", str(folder)], env=dict(os.environ, VEDETTE_ENROL_TOKEN=token),
            capture_output=True, text=True, check=False, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        config = json.loads(line.agent.config_path.read_text())
        config["deviceId"] = line.device_id = "boxed"
        enrolled = json.loads(next(folder.rglob("*.conf")).read_text())
        self.assertEqual(enrolled["hub"]["httpsPort"], line.cloud.https_port)
        config["hub"]["authentication"] = enrolled["hub"]["authentication"]
        line.agent.config_path.write_text(json.dumps(config))


if __name__ == "__main__":
    unittest.main(verbosity=2)
