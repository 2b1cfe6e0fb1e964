#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Files from devices, as Azure's file upload: over plain HTTP requests, with all refusals."""

import base64
import hashlib
import json
import os
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "harness"))
import cloud as harness  # noqa: E402

BUILD = os.environ.get("VD_BUILD") or str(Path(__file__).resolve().parents[2] / "build" / "dev")
JPEG = b"\xff\xd8\xff" + b"frame" * 1000


class Uploads(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="vd-")
        cls.cloud = harness.Cloud(cls.folder.name, BUILD)
        cls.configure(cls.cloud)
        cls.cloud.__enter__()

    @staticmethod
    def configure(cloud, **settings):
        """More settings of the hub, for its configuration file as prepare() writes it."""
        prepare = cloud.prepare

        def prepare_more():
            prepare()
            config = json.loads(cloud.hub_config.read_text())
            cloud.hub_config.write_text(json.dumps({**config, **settings}))
        cloud.prepare = prepare_more

    @classmethod
    def tearDownClass(cls):
        cls.cloud.__exit__(None)
        cls.folder.cleanup()

    def setUp(self):
        self.id = self._testMethodName
        self.key = self.cloud.create_device(self.id)

    def ask(self, method, path, body=None, **options):
        options.setdefault("token", self.cloud.device_token(self.id, self.key))
        return self.cloud.request(method, path, body, **options)

    def offer(self, name="a.jpg"):
        status, _, offer = self.ask("POST", f"/devices/{self.id}/files", {"blobName": name})
        self.assertEqual(status, 200, offer)
        return offer

    @staticmethod
    def address(offer, arguments=""):
        return f"/{offer['containerName']}/{offer['blobName']}{offer['sasToken']}{arguments}"

    def put(self, offer, data, arguments="", headers=None, address=None):
        status, _, body = self.cloud.request(
            "PUT", address or self.address(offer, arguments), data, token="none",
            headers={"x-ms-blob-type": "BlockBlob", **(headers or {})})
        return status, body

    def notify(self, offer, success=True, **options):
        return self.ask("POST", f"/devices/{self.id}/files/notifications", {
            "correlationId": offer["correlationId"], "isSuccess": success, "statusCode": 200,
            "statusDescription": "x"}, **options)[0]

    def images(self):
        return self.cloud.must("GET", f"/images?deviceId={self.id}")

    def files(self, part=""):
        return sorted(p.name for p in (self.cloud.image_folder / part).rglob("*") if p.is_file())

    def error(self, answer):
        return answer["Message"].split(";")[0].split(":")[1]

    # -- what is meant to work

    def test_a_blob_is_stored_by_digest_and_read_back(self):
        offer = self.offer("shots/1.jpg")
        self.assertEqual(offer["blobName"], f"{self.id}/shots/1.jpg")
        self.assertEqual(offer["hostName"], self.cloud.host_name)
        status, _ = self.put(offer, JPEG, headers={"Content-Type": "image/jpeg"})
        self.assertEqual(status, 201)
        self.assertEqual(self.notify(offer), 204)
        digest = hashlib.sha256(JPEG).hexdigest()
        image, = self.images()
        self.assertEqual((image["sha256"], image["bytes"], image["contentType"]),
                         (digest, len(JPEG), "image/jpeg"))
        self.assertTrue((self.cloud.image_folder / digest[:2] / digest).exists())
        status, headers, data = self.cloud.request("GET", f"/images/{digest}")
        self.assertEqual((status, data, headers["content-type"]), (200, JPEG, "image/jpeg"))
        self.assertEqual(headers["x-content-type-options"], "nosniff")
        status, _, data = self.cloud.request("GET", f"/images/{digest}",
                                             headers={"Range": "bytes=0-2"})
        self.assertEqual((status, data), (206, JPEG[:3]))

    def test_blocks_are_joined_in_the_order_of_the_list(self):
        offer = self.offer()
        blocks = [os.urandom(1 << 20) for _ in range(3)]
        ids = [base64.b64encode(f"block {i}/+".encode()).decode() for i in range(3)]
        threads = [threading.Thread(target=self.put, args=(
            offer, block, "&comp=block&blockid=" + name.replace("+", "%2B").replace("=", "%3D")
            .replace("/", "%2F"))) for block, name in zip(blocks, ids)]
        for thread in reversed(threads):
            thread.start()
        for thread in threads:
            thread.join()
        names = "".join(f"<Latest>{name}</Latest>" for name in ids)
        xml = f'<?xml version="1.0" encoding="utf-8"?><BlockList>{names}</BlockList>'
        status, body = self.put(offer, xml.encode(), "&comp=blocklist")
        self.assertEqual(status, 201, body)
        self.assertEqual(self.images()[0]["sha256"],
                         hashlib.sha256(b"".join(blocks)).hexdigest())
        missing = xml.replace(ids[1], "bm8=").encode()
        self.assertEqual(self.put(offer, missing, "&comp=blocklist")[0], 400)
        self.assertEqual(self.put(offer, b"<BlockList/>", "&comp=blocklist")[0], 400)

    def test_the_same_image_of_two_names_is_kept_once(self):
        data = os.urandom(1000)
        for name in "a", "b":
            self.assertEqual(self.put(self.offer(name), data)[0], 201)
        digest = hashlib.sha256(data).hexdigest()
        self.assertEqual([i["sha256"] for i in self.images()], [digest, digest])
        self.assertEqual(self.files(digest[:2]).count(digest), 1)

    def test_a_link_reads_one_image_until_it_expires(self):
        self.assertEqual(self.put(self.offer(), JPEG)[0], 201)
        digest = hashlib.sha256(JPEG).hexdigest()
        link = self.cloud.must("POST", f"/images/{digest}/link?seconds=2")["url"]

        def read(path):
            return self.cloud.request("GET", path, headers={"Authorization": ""})[0]
        self.assertEqual(read(link), 200)
        for wrong in (link.replace(digest, "0" * 64), link[:-1], link.replace("se=", "se=9"),
                      link.split("?")[0]):
            self.assertEqual(read(wrong), 401, wrong)
        time.sleep(2.1)
        self.assertEqual(read(link), 401)
        self.assertEqual(self.cloud.request("POST", f"/images/{'0' * 64}/link")[0], 404)
        for seconds in 0, 86401:
            self.assertEqual(self.cloud.request(
                "POST", f"/images/{digest}/link?seconds={seconds}")[0], 400)

    # -- refusals

    def test_only_the_device_itself_is_offered_an_address(self):
        other = self.cloud.create_device(self.id + "-other")
        path, body = f"/devices/{self.id}/files", {"blobName": "x"}
        for token in (self.cloud.device_token(self.id + "-other", other), "nonsense",
                      self.cloud.device_token(self.id, harness.make_key()),
                      self.cloud.device_token(self.id, self.key, ttl=-1)):
            self.assertEqual(self.ask("POST", path, body, token=token)[0], 401)
        self.assertEqual(self.ask("POST", "/devices/nobody/files", body)[0], 401)
        service = harness.sas_token(self.cloud.host_name, self.cloud.policy_key("service"),
                                    "service")
        self.assertEqual(self.ask("POST", path, body, token=service)[0], 401)
        policy = harness.sas_token(self.cloud.host_name, self.cloud.policy_key("device"), "device")
        self.assertEqual(self.ask("POST", path, body, token=policy)[0], 200)
        device = self.cloud.must("GET", f"/devices/{self.id}")
        device["status"] = "disabled"
        self.cloud.must("PUT", f"/devices/{self.id}", device, headers={"If-Match": "*"})
        self.assertEqual(self.ask("POST", path, body)[0], 401)

    def test_names_that_lead_elsewhere_are_refused(self):
        for name in ("", "/a", "a/", "a//b", "../a", "a/../b", "a/..", ".", "a?b", "a#b", "a%2e",
                     "a\\b", "a\nb", "x" * 513, "a/b/c/d/e/f/g"):
            status, _, answer = self.ask("POST", f"/devices/{self.id}/files", {"blobName": name})
            self.assertEqual((status, self.error(answer)), (400, "ArgumentInvalid"), name)

    def test_an_address_is_for_its_own_file_and_time(self):
        offer, other = self.offer("mine"), self.offer("other")
        good = self.address(offer)
        for wrong in (good.replace("/mine?", "/yours?"), good.replace("se=", "se=9"),
                      good[:-1], good.split("?")[0], good.replace(self.id, "else"),
                      good.replace(offer["correlationId"], other["correlationId"])):
            self.assertEqual(self.put(offer, b"x", address=wrong)[0], 401, wrong)
        self.assertEqual(self.files("staging"), [])
        self.assertEqual(self.notify(offer, False), 204)
        self.assertEqual(self.put(offer, b"x")[0], 401)

    def test_an_empty_body_and_a_strange_comp_are_refused(self):
        offer = self.offer()
        self.assertEqual(self.put(offer, b"")[0], 400)
        self.assertEqual(self.put(offer, b"x", "&comp=page")[0], 400)
        self.assertEqual(self.put(offer, b"x", "&comp=block")[0], 400)
        self.assertEqual(self.put(offer, b"x", "&comp=block&blockid=" + "A" * 100)[0], 400)

    def test_a_body_that_the_front_did_not_take_is_refused(self):
        offer = self.offer()
        self.assertEqual(self.put(offer, b"", headers={"X-Vedette-Body": "/etc/passwd"})[0], 400)
        self.assertEqual(self.put(offer, JPEG, headers={"X-Vedette-Body": "/etc/passwd"})[0], 201)
        self.assertEqual(self.images()[0]["sha256"], hashlib.sha256(JPEG).hexdigest())

    def test_ten_uploads_are_open_at_a_time(self):
        offers = [self.offer(str(i)) for i in range(10)]
        status, _, answer = self.ask("POST", f"/devices/{self.id}/files", {"blobName": "x"})
        self.assertEqual((status, self.error(answer)), (429, "ThrottlingException"))
        self.assertEqual(self.notify(offers[0], False), 204)
        self.offer("x")
        self.offer("5")  # begun anew: the one before makes room
        self.assertEqual(self.put(offers[5], JPEG)[0], 401)

    def test_a_file_that_is_not_what_it_was_to_be_is_not_kept(self):
        offer = self.offer()
        wrong, right = hashlib.sha256(b"other").hexdigest(), hashlib.sha256(JPEG).hexdigest()
        status, answer = self.put(offer, JPEG, headers={"x-ms-meta-sha256": wrong})
        self.assertEqual((status, self.error(answer)), (400, "ArgumentInvalid"))
        self.assertEqual(self.images(), [])
        self.assertNotIn(right + ".ready", self.files("staging"))
        self.assertEqual(self.put(offer, JPEG, headers={"x-ms-meta-sha256": right})[0], 201)
        self.assertEqual([i["sha256"] for i in self.images()], [right])

    def test_notifications_are_the_devices_own(self):
        offer = self.offer()
        other = self.id + "-other"
        key = self.cloud.create_device(other)
        token = self.cloud.device_token(other, key)
        self.assertEqual(self.notify(offer, token=token), 401)
        self.assertEqual(self.ask("POST", f"/devices/{other}/files/notifications/"
                                  + offer["correlationId"], {"isSuccess": True}, token=token)[0],
                         404)
        path = f"/devices/{self.id}/files/notifications/{offer['correlationId']}"
        self.assertEqual(self.ask("POST", path, {"isSuccess": "yes"})[0], 400)
        self.assertEqual(self.ask("POST", path, {"isSuccess": True})[0], 204)
        self.assertEqual(self.ask("POST", path, {"isSuccess": True})[0], 404)

    def test_a_page_is_never_served_as_one(self):
        for kind in "text/html", "image/svg+xml", "image/", "IMAGE/../x":
            data = os.urandom(20)
            self.assertEqual(self.put(self.offer(), data, headers={
                "x-ms-blob-content-type": kind})[0], 201)
            _, headers, _ = self.cloud.request("GET",
                                               f"/images/{hashlib.sha256(data).hexdigest()}")
            self.assertEqual(headers["content-type"], "application/octet-stream")

    def test_images_are_for_the_service_alone(self):
        self.assertEqual(self.put(self.offer(), JPEG)[0], 201)
        digest = hashlib.sha256(JPEG).hexdigest()
        for path in f"/images/{digest}", "/images":
            self.assertEqual(self.ask("GET", path)[0], 401)
            self.assertEqual(self.cloud.request("GET", path, policy="registryRead")[0], 401)
        self.assertEqual(self.cloud.request("GET", f"/.images/{digest[:2]}/{digest}")[0], 404)
        self.assertEqual(self.cloud.request("GET", "/.upload-check")[0], 404)

    # -- restarts

    def test_what_was_answered_outlives_a_kill_and_the_rest_is_cleared_away(self):
        data, offer = os.urandom(5000), self.offer("kept")
        self.assertEqual(self.put(offer, data)[0], 201)
        half = self.offer("half")
        self.assertEqual(self.put(half, b"1", "&comp=block&blockid=MQ%3D%3D")[0], 201)
        self.cloud.kill("hub")
        digest = hashlib.sha256(b"x").hexdigest()
        (self.cloud.image_folder / "staging" / f"{digest}.ready").write_bytes(b"x")
        (self.cloud.image_folder / "staging" / "left.joined").write_bytes(b"x")
        self.cloud.start("hub")
        self.assertEqual(self.cloud.must("GET", f"/images/{hashlib.sha256(data).hexdigest()}"),
                         data)
        self.assertFalse((self.cloud.image_folder / "staging" / f"{digest}.ready").exists())
        self.assertFalse((self.cloud.image_folder / "staging" / "left.joined").exists())
        self.assertEqual(self.put(half, b"<BlockList><Latest>MQ==</Latest></BlockList>",
                                  "&comp=blocklist")[0], 201)


class SmallStore(Uploads):
    @staticmethod
    def configure(cloud):
        Uploads.configure(cloud, imageMaxBytes=1000, imageStoreBytes=1500)

    def test_limits_of_one_file_and_of_all(self):
        offer = self.offer()
        self.assertEqual(self.put(offer, b"x" * 1001)[0], 413)
        for block in "MQ%3D%3D", "Mg%3D%3D":
            status = self.put(offer, b"x" * 600, f"&comp=block&blockid={block}")[0]
        self.assertEqual(status, 413)
        self.assertEqual(self.put(offer, b"1" * 1000)[0], 201)
        self.assertEqual(self.put(offer, b"2" * 1000)[0], 201)
        self.assertEqual(self.put(offer, b"3" * 1000)[0], 403)
        status, _, answer = self.ask("POST", f"/devices/{self.id}/files", {"blobName": "x"})
        self.assertEqual((status, self.error(answer)), (403, "IotHubQuotaExceeded"))


for _name in [n for n in dir(Uploads) if n.startswith("test_")]:
    setattr(SmallStore, _name, None)


if __name__ == "__main__":
    unittest.main(verbosity=2)
