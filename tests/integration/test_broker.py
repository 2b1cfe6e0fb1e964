#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The broker alone, as vedette-broker(7) promises it; the test plays device and hub."""

import json
import os
import sys
import tempfile
import time
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "harness"))
import cloud as harness  # noqa: E402
import mqtt  # noqa: E402

BUILD = os.environ.get("VD_BUILD") or str(Path(__file__).resolve().parents[2] / "build" / "dev")


class BrokerTest(unittest.TestCase):
    """One broker for all; each test has devices of its own."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="vd-")
        cls.cloud = harness.Cloud(cls.folder.name, BUILD, with_hub=False)
        cls.cloud.__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.cloud.__exit__(None)
        cls.folder.cleanup()

    def setUp(self):
        self.id = f"dev-{self._testMethodName[:80]}"

    def device(self, **fields):
        return self.cloud.put_identity(self.id, **fields)

    def connected(self, key, **options):
        client = self.cloud.client(self.id, key, **options).connect()
        self.addCleanup(client.close)
        return client

    def hub(self):
        hub = self.cloud.hub_client().connect()
        self.addCleanup(hub.close)
        self.assertEqual(hub.subscribe("hub/#"), 1)
        while hub.message()[0] != "hub/start":
            pass
        return hub

    def from_hub(self, hub, wanted):
        """The next message on hub/X/wanted of this test's device."""
        topic = f"hub/{harness.encode_level(self.id)}/{wanted}"
        end = time.monotonic() + 10
        while time.monotonic() < end:
            got, body, _ = hub.message()
            if got == topic:
                return body
        raise AssertionError(f"no {topic}")

    def records(self, identity=None):
        return [r for r in self.cloud.read_spool() if r[0] == (identity or self.id)]

    def assert_refused(self, client):
        with self.assertRaises(mqtt.Refused) as caught:
            client.connect()
        self.assertEqual(caught.exception.code, 5)
        client.close()

    def assert_closes(self, client, topic, body=b"x", qos=1):
        try:
            client.publish_only(topic, body, qos)
        except OSError:
            return  # closed before it had taken all of a large packet
        self.assertTrue(client.is_closed(), topic)


class Credentials(BrokerTest):
    def test_primary_and_secondary_key(self):
        primary = self.device()
        second = harness.make_key()
        self.connected(primary).disconnect()
        self.device(primaryKey=primary, secondaryKey=second)
        self.connected(second).disconnect()
        token = self.cloud.device_token(self.id, primary, encode=False)  # as the C SDK has it
        self.connected(primary, password=token).disconnect()

    def test_module_by_its_own_key(self):
        device_key = self.device()
        module = self.id + "/mod"
        key = self.cloud.put_identity(module)
        self.cloud.client(module, key).connect().disconnect()
        self.assert_refused(self.cloud.client(module, device_key))
        self.device(status="disabled")
        self.assert_refused(self.cloud.client(module, key))

    def test_policy_key(self):
        self.device()
        key = harness.make_key()
        for name, rights in ("device", ["DeviceConnect"]), ("service", ["ServiceConnect"]):
            self.cloud.put_line({"policy": name, "rights": rights, "primaryKey": key})
        for resource in self.cloud.host_name, self.cloud.device_resource(self.id):
            token = harness.sas_token(resource, key, "device")
            self.connected(None, password=token).disconnect()
        self.assert_refused(self.cloud.client(
            self.id, password=harness.sas_token(self.cloud.host_name, key, "service")))
        self.assert_refused(self.cloud.client(
            self.id, password=harness.sas_token(self.cloud.host_name, key, "nobody")))

    def test_wrong_key(self):
        self.device()
        self.assert_refused(self.cloud.client(self.id, harness.make_key()))

    def test_expired_token(self):
        key = self.device()
        token = self.cloud.device_token(self.id, key, ttl=-1)
        self.assert_refused(self.cloud.client(self.id, password=token))

    def test_token_of_another_device(self):
        key = self.device()
        for other in "other", self.id + "x", self.id[:-1]:
            token = self.cloud.device_token(other, key)
            self.assert_refused(self.cloud.client(self.id, password=token))

    def test_token_of_another_hub(self):
        key = self.device()
        token = harness.sas_token(f"hub.example/devices/{self.id}", key)
        self.assert_refused(self.cloud.client(self.id, password=token))

    def test_client_id_is_not_the_usernames(self):
        key = self.device()
        self.assert_refused(self.cloud.client(self.id, key, client_id="other"))
        self.assert_refused(self.cloud.client(self.id, key, client_id=self.id[:-1]))
        self.assert_refused(self.cloud.client(
            self.id, key, username=f"hub.example/{self.id}/?api-version=2021-04-12"))

    def test_usernames_of_all_sdks(self):
        key = self.device()
        for ending in ("", "?api-version=2018-06-30", "/api-version=2016-11-14",
                       "/?api-version=2020-09-30&DeviceClientType=x"):
            self.connected(key, username=f"localhost/{self.id}{ending}").disconnect()
        self.connected(key, username=f"localhost:8883/{self.id}/?api-version=1").disconnect()

    def test_unknown_disabled_and_no_password(self):
        self.assert_refused(self.cloud.client("nobody-knows-me", harness.make_key()))
        key = self.device()
        self.assert_refused(self.cloud.client(self.id))
        self.device(status="disabled", primaryKey=key)
        self.assert_refused(self.cloud.client(self.id, key))

    def test_mqtt_5_is_refused(self):
        key = self.device()
        client = self.cloud.client(self.id, key, level=5)
        with self.assertRaises((mqtt.Refused, mqtt.Closed)):
            client.connect()
        client.close()

    def test_certificate_of_the_ca(self):
        self.device(auth="certificateAuthority")
        self.cloud.make_ca("device", self.id)
        self.connected(None, certificate=True).disconnect()
        self.assert_refused(self.cloud.client(self.id))

    def test_certificate_with_another_common_name(self):
        self.device(auth="certificateAuthority")
        self.cloud.make_ca("device", "another")
        name = str(self.cloud.ca / "devices" / "another")
        self.assert_refused(self.cloud.client(self.id, certificate=(name + ".pem", name + ".key")))

    def test_certificate_of_another_ca(self):
        self.device(auth="certificateAuthority")
        self.cloud.make_ca("self-signed", self.id)
        self.assert_refused(self.cloud.client(self.id, certificate=True))

    def test_self_signed_certificate_by_thumbprint(self):
        thumbprint = self.cloud.make_ca("self-signed", self.id)
        self.device(auth="selfSigned", primaryThumbprint="00" * 20, secondaryThumbprint=thumbprint)
        self.connected(None, certificate=True).disconnect()
        self.cloud.make_ca("self-signed", self.id)
        self.assert_refused(self.cloud.client(self.id, certificate=True))

    def test_the_servers_certificate_is_no_devices(self):
        self.cloud.put_identity("localhost", auth="certificateAuthority")
        name = str(self.cloud.ca / "server")
        self.assert_refused(self.cloud.client("localhost", certificate=(name + ".pem",
                                                                        name + ".key")))

    def test_expiry_disconnects_a_live_client(self):
        key = self.device()
        client = self.connected(key, password=self.cloud.device_token(self.id, key, ttl=2))
        client.ping()
        begin = time.monotonic()
        self.assertTrue(client.is_closed(8))
        self.assertLess(time.monotonic() - begin, 5)

    def test_disabling_disconnects_a_live_client(self):
        key = self.device()
        client = self.connected(key)
        client.ping()
        self.device(status="disabled", primaryKey=key)
        self.assertTrue(client.is_closed())


class Topics(BrokerTest):
    def test_own_subscriptions_only(self):
        key = self.device()
        client = self.connected(key)
        for filter_, qos in ((f"devices/{self.id}/messages/devicebound/#", 1),
                             ("$iothub/twin/res/#", 0), ("$iothub/methods/POST/#", 0),
                             ("$iothub/twin/PATCH/properties/desired/#", 0)):
            self.assertEqual(client.subscribe(filter_, qos), qos, filter_)
        self.assertEqual(client.subscribe("$iothub/twin/res/#", 2), 1)
        for filter_ in ("#", "+", "$SYS/#", "hub/#", "to/#", "kick/#", "$iothub/#", "$share/g/#",
                        "devices/other/messages/devicebound/#", "devices/+/messages/devicebound/#",
                        f"devices/{self.id}/messages/events/#", f"devices/{self.id}/inputs/#",
                        f"devices/{self.id}x/messages/devicebound/#"):
            self.assertEqual(client.subscribe(filter_), 0x80, filter_)

    def test_foreign_publishes_close(self):
        key = self.device()
        for topic in ("devices/other/messages/events/", "hub/x/connected", "to/1/other/x",
                      "kick/other", "$iothub/twin/res/200/?$rid=1", "anything",
                      "$iothub/twin/GET/", f"devices/{self.id}/messages/eventsx",
                      f"devices/{self.id}/messages/events/a/b", "$SYS/broker/x/y/z",
                      f"devices/{self.id}/messages/devicebound/"):
            client = self.connected(key)
            if topic.startswith("$SYS"):
                client.publish(topic, b"x")  # mosquitto itself acknowledges and drops these
                continue
            self.assert_closes(client, topic)
        self.assertEqual(self.records(), [])
        self.assertEqual(self.records("other"), [])

    def test_qos_2_closes(self):
        self.assert_closes(self.connected(self.device()), f"devices/{self.id}/messages/events/",
                           qos=2)

    def test_size_limit_counts_the_bag(self):
        key = self.device()
        topic = f"devices/{self.id}/messages/events/"
        self.connected(key).publish(topic, b"x" * (256 * 1024))
        self.connected(key).publish(topic + "a=b", b"y" * (256 * 1024 - 3))
        self.assert_closes(self.connected(key), topic + "a=b", b"z" * (256 * 1024 - 2))
        self.assert_closes(self.connected(key), topic, b"z" * (256 * 1024 + 1))
        self.assert_closes(self.connected(key), topic, b"z" * 500000)
        self.assertEqual([r[2][:1] for r in self.records()], [b"x", b"y"])

    def test_bags_come_through_in_every_form(self):
        client = self.connected(self.device())
        base = f"devices/{self.id}/messages/events"
        for ending in "", "/", "/a=b", "/?a=b", "/a=b/", "/%24.mid=m%2F1&k%201=v":
            client.publish(base + ending, b"1")
        self.assertEqual([r[1] for r in self.records()],
                         ["", "", "a=b", "a=b", "a=b", "%24.mid=m%2F1&k%201=v"])

    def test_retain_is_stripped_and_remembered(self):
        client = self.connected(self.device())
        client.publish(f"devices/{self.id}/messages/events/", b"1", retain=True)
        self.assertEqual([r[3] for r in self.records()], [1])

    def test_module_stays_within_its_own_topics(self):
        self.device()
        module = self.id + "/mod"
        client = self.cloud.client(module, self.cloud.put_identity(module)).connect()
        self.addCleanup(client.close)
        own = f"devices/{self.id}/modules/mod"
        client.publish(own + "/messages/events/%24.on=out1/", b"1")
        self.assertEqual(self.records(module), [(module, "%24.on=out1", b"1", 0)])
        self.assertEqual(client.subscribe(own + "/inputs/#"), 1)
        self.assertEqual(client.subscribe(own + "/#"), 1)
        self.assertEqual(client.subscribe(f"devices/{self.id}/messages/devicebound/#"), 0x80)
        self.assert_closes(client, f"devices/{self.id}/messages/events/")


class HubSide(BrokerTest):
    def test_presence_follows_the_present_connection(self):
        key = self.device()
        hub = self.hub()
        first = self.connected(key, clean=False)
        self.from_hub(hub, "connected")
        self.from_hub(hub, "subscriptions")
        second = self.connected(key, clean=False)
        self.assertTrue(first.is_closed())
        self.from_hub(hub, "connected")
        second.ping()
        time.sleep(0.3)
        hub.ping()
        self.assertNotIn(f"hub/{self.id}/disconnected", [m[0] for m in hub.messages])
        second.disconnect()
        self.from_hub(hub, "disconnected")
        # Resumed after a pause: the old session's end must not count for the new one.
        third = self.connected(key, clean=False)
        self.from_hub(hub, "connected")
        third.ping()
        time.sleep(0.3)
        hub.ping()
        self.assertNotIn(f"hub/{self.id}/disconnected", [m[0] for m in hub.messages])

    def test_subscriptions_outlive_a_broker_killed(self):
        key = self.device()
        hub = self.hub()
        client = self.connected(key, clean=False)
        client.subscribe("$iothub/twin/PATCH/properties/desired/#", 0)
        client.subscribe("$iothub/methods/POST/#", 0)
        client.subscribe("$iothub/twin/res/#", 0)
        client.unsubscribe("$iothub/methods/POST/#")
        flags = [json.loads(self.from_hub(hub, "subscriptions")) for _ in range(5)]
        self.assertEqual(flags[-1], ["twinres", "desired"])
        self.cloud.kill("broker")
        self.cloud.start("broker")
        hub = self.hub()
        client = self.connected(key, clean=False)
        self.assertEqual(json.loads(self.from_hub(hub, "subscriptions")), ["twinres", "desired"])
        hub.publish(f"to/0/{self.id}/$iothub/twin/PATCH/properties/desired/?$version=2", b"{}")
        self.assertEqual(client.message()[:2],
                         ("$iothub/twin/PATCH/properties/desired/?$version=2", b"{}"))
        client.close()
        self.connected(key, clean=True)
        self.from_hub(hub, "connected")
        end = time.monotonic() + 5
        while json.loads(self.from_hub(hub, "subscriptions")) and time.monotonic() < end:
            pass

    def test_requests_and_answers_pass(self):
        key = self.device()
        hub = self.hub()
        client = self.connected(key)
        client.subscribe("$iothub/twin/res/#", 0)
        client.publish("$iothub/twin/GET/?$rid=a-1", b" ", qos=0)
        self.assertEqual(self.from_hub(hub, "iothub/twin/GET/?$rid=a-1"), b" ")
        hub.publish(f"to/0/{self.id}/$iothub/twin/res/200/?$rid=a-1", b'{"x":1}')
        self.assertEqual(client.message(), ("$iothub/twin/res/200/?$rid=a-1", b'{"x":1}', 0))
        client.publish("$iothub/methods/res/-5/?$rid=f", b"", qos=0)
        self.assertEqual(self.from_hub(hub, "iothub/methods/res/-5/?$rid=f"), b"")

    def test_hub_may_deliver_only_what_devices_expect(self):
        key = self.device()
        hub = self.hub()
        client = self.connected(key)
        for topic in ("devices/other/messages/devicebound/", "hub/x", "$iothub/twin/GET/?$rid=1"):
            hub.publish(f"to/1/{self.id}/{topic}", b"no")
        hub.publish(f"to/1/{self.id}/devices/{self.id}/messages/devicebound/%24.mid=1", b"yes")
        self.assertEqual(client.message()[1], b"yes")

    def test_no_hub_means_503_at_once(self):
        key = self.device()
        client = self.connected(key)
        client.subscribe("$iothub/twin/res/#", 0)
        client.publish("$iothub/twin/GET/?$rid=7", b"", qos=0)
        topic, body, _ = client.message()
        self.assertEqual(topic, "$iothub/twin/res/503/?$rid=7")
        self.assertIn("errorCode", json.loads(body))
        client.publish("$iothub/twin/PATCH/properties/reported/?$rid=8&$version=1", b"{}", qos=0)
        self.assertEqual(client.message()[0], "$iothub/twin/res/503/?$rid=8")

    def test_requests_that_a_dying_hub_took_are_answered(self):
        key = self.device()
        hub = self.hub()
        client = self.connected(key)
        for rid in "one", "two":
            client.publish(f"$iothub/twin/GET/?$rid={rid}", b"", qos=0)
            self.from_hub(hub, f"iothub/twin/GET/?$rid={rid}")
        hub.publish(f"to/0/{self.id}/$iothub/twin/res/200/?$rid=one", b"{}")
        self.assertEqual(client.message()[0], "$iothub/twin/res/200/?$rid=one")
        hub.close()
        self.assertEqual(client.message()[0], "$iothub/twin/res/503/?$rid=two")

    def test_too_many_requests_are_429(self):
        key = self.device()
        hub = self.hub()
        client = self.connected(key)
        client.subscribe("$iothub/twin/res/#", 0)
        for i in range(3000):
            client.publish(f"$iothub/twin/GET/?$rid={i}", b"", qos=0)
        topic, body, _ = client.message()
        self.assertTrue(topic.startswith("$iothub/twin/res/429/?$rid="), topic)
        self.assertEqual(json.loads(body)["errorCode"], 429001)
        hub.publish(f"to/0/{self.id}/$iothub/twin/res/200/?$rid=0", b"{}")
        client.ping()

    def test_a_new_hub_learns_who_is_connected(self):
        key = self.device()
        client = self.connected(key)
        client.subscribe("$iothub/twin/res/#", 0)
        hub = self.hub()
        self.from_hub(hub, "connected")
        self.assertEqual(json.loads(self.from_hub(hub, "subscriptions")), ["twinres"])

    def test_a_message_is_handed_to_a_connection_that_takes_it_and_to_no_other(self):
        key = self.device()
        hub = self.hub()
        topic = f"devices/{self.id}/messages/devicebound/%24.mid=1"
        hand = f"hand/17/{self.id}/{topic}"

        def receipt():
            hub.publish(hand, b"x")
            return self.from_hub(hub, "handed")
        self.assertEqual(receipt(), b"17 no")  # not there
        client = self.connected(key, clean=False)
        self.assertEqual(receipt(), b"17 no")  # not subscribed
        client.subscribe(f"devices/{self.id}/messages/devicebound/#")
        self.assertEqual(receipt(), b"17 yes")
        self.assertEqual(client.message(), (topic, b"x", 2))
        client.close()
        self.from_hub(hub, "disconnected")
        self.assertEqual(receipt(), b"17 no")  # its session alone is not enough

    def test_hub_kicks(self):
        key = self.device()
        hub = self.hub()
        client = self.connected(key)
        client.ping()
        hub.publish(f"kick/{self.id}", b"")
        self.assertTrue(client.is_closed())

    def test_telemetry_wakes_the_hub(self):
        client = self.connected(self.device())
        hub = self.hub()
        client.publish(f"devices/{self.id}/messages/events/", b"1")
        end = time.monotonic() + 10
        while hub.message()[0] != "hub/spool":
            self.assertLess(time.monotonic(), end)

    def test_telemetry_itself_is_no_message_to_the_hub(self):
        """Else each one costs an acknowledgement, and answers to twins wait behind them."""
        hub, client = self.hub(), self.connected(self.device())
        for i in range(50):
            client.publish(f"devices/{self.id}/messages/events/", str(i))
        client.publish("$iothub/twin/GET/?$rid=1", qos=0)
        topics = []
        while not topics or not topics[-1].endswith("twin/GET/?$rid=1"):
            topics.append(hub.message()[0])
        self.assertEqual({t for t in topics if t != "hub/spool"
                          and not t.startswith(f"hub/{self.id}/")}, set())

    def test_hub_and_device_never_share_a_client_id(self):
        key = self.device()
        client = self.connected(key)
        self.assert_refused(mqtt.Client(str(self.cloud.broker_socket), self.id))
        client.ping()
        name = self.id + "-2"
        hub = mqtt.Client(str(self.cloud.broker_socket), name).connect()
        self.addCleanup(hub.close)
        self.assert_refused(self.cloud.client(name, self.cloud.put_identity(name)))
        hub.ping()

    def test_wills(self):
        key = self.device()
        own = f"devices/{self.id}/messages/events/a=b"
        for topic in own, "devices/other/messages/events/":
            client = self.connected(key, will=(topic, b"bye", 1))
            client.ping()
            client.close()
        self.connected(key, will=(own, b"not this", 1)).disconnect()
        end = time.monotonic() + 5
        while not self.records() and time.monotonic() < end:
            time.sleep(0.05)
        time.sleep(0.3)
        self.assertEqual(self.records(), [(self.id, "a=b", b"bye", 2)])
        self.assertEqual(self.records("other"), [])

    def test_takeover_by_a_clean_session_sends_the_will(self):
        key = self.device()
        own = f"devices/{self.id}/messages/events/"
        first = self.connected(key, will=(own, b"bye", 1))
        self.connected(key).ping()
        self.assertTrue(first.is_closed())
        self.assertEqual([r[2] for r in self.records()], [b"bye"])


class Durability(BrokerTest):
    def test_every_acknowledged_message_outlives_kill_9(self):
        key = self.device()
        client = self.connected(key)
        for i in range(500):
            client.publish(f"devices/{self.id}/messages/events/%24.mid={i}", str(i))
        self.cloud.kill("broker")
        self.assertEqual([r[2] for r in self.records()], [str(i).encode() for i in range(500)])
        self.cloud.start("broker")
        self.connected(key).publish(f"devices/{self.id}/messages/events/", b"500")
        self.assertEqual(len(self.records()), 501)

    def test_a_spool_that_fails_is_no_puback(self):
        key = self.device()
        client = self.connected(key)
        client.publish(f"devices/{self.id}/messages/events/", b"1")
        for segment in self.cloud.spool.glob("*.spool"):
            segment.unlink()
        self.cloud.stop("broker")
        self.assertEqual(self.records(), [])
        config = self.cloud.broker_folder / "mosquitto.conf"
        good = config.read_text()
        config.write_text(good.replace("plugin_opt_spool ",
                                       "plugin_opt_spool_total_bytes 65536\nplugin_opt_spool ", 1))
        try:
            self.cloud.start("broker")
            client = self.connected(key)
            sent = 0
            with self.assertRaises((mqtt.Closed, ConnectionError)):
                while sent < 100:
                    client.publish(f"devices/{self.id}/messages/events/", b"x" * 1000)
                    sent += 1
            self.assertTrue(50 < sent < 70, sent)
            self.assertEqual(len(self.records()), sent)
        finally:
            self.cloud.stop("broker")
            config.write_text(good)
            self.cloud.start("broker")


if __name__ == "__main__":
    unittest.main(verbosity=2)
