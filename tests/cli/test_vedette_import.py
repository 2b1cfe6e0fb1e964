#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""vedette-import(1) as text, and what it makes of VIO's stations judged by vedette-inspect."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("VD_BUILD", ROOT / "build" / "dev"))
IMPORT = BUILD / "bin" / "vedette-import"
INSPECT = BUILD / "packages" / "inspect" / "1.0.0" / "vedette-inspect"
PART = Path("/usr/share/doc/opencv-doc/examples/data/board.jpg")

# As the generation of 2022 wrote it: a detector, and a classifier on each object that it finds.
CHAIN = {
    "cameras": {"top": {
        "type": "fake", "input_images_folder": "phones", "position": "front", "exposition": 100,
        "models_graph": {
            "plug": {"metadata": "plugged", "depends_on": ["phone"], "class_to_detect": ["in"]},
            "phone": {"metadata": "finder", "depends_on": [], "class_to_detect": ["phone"]}},
        "camera_rule": {"name": "min_nb_objects_rule",
                        "parameters": {"class_to_detect": ["in"], "min_threshold": 2}}}},
    "item_rule": {"name": "min_threshold_KO_rule", "parameters": {"threshold": 1}}}

# As that of 2026 does.
STEPS = {
    "station_name": "pens",
    "camera_configs": {
        "a": {"camera_id": "a", "camera_type": "usb", "source_directory": "/dev/video0",
              "camera_resolution": {"width": 640, "height": 480}},
        "b": {"camera_id": "b", "camera_type": "basler", "camera_serial": "0815"}},
    "pipeline_steps": {
        "ink": {"camera_id": "a", "model_forwarder_config": {
            "model_name": "pen", "model_version": "1", "model_serving_url": "http://serving:8501/"},
            "camera_rule_config": {"camera_rule_type": "expected_label_rule",
                                   "expected_class": "OK"}},
        "cap": {"camera_id": "b", "model_forwarder_config": {"model_name": "cap"},
                "camera_rule_config": {"camera_rule_type": "max_nb_objects_rule",
                                       "class_to_detect": "hole", "threshold": 2}}},
    "binary_storage_config": {"storage_type": "filesystem"},
    "metadata_storage_config": {"storage_type": "filesystem"},
    "item_rule_config": {"item_rule_type": "min_threshold_ratio_rule", "expected_decision": "OK",
                         "threshold": 0.5}}


class Import(unittest.TestCase):
    def setUp(self):
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory(prefix="vd-")))

    def write(self, name, document):
        path = self.folder / name
        path.write_text(document if isinstance(document, str) else json.dumps(document))
        return path

    def run_import(self, *arguments):
        done = subprocess.run([str(IMPORT), *map(str, arguments)], capture_output=True, text=True,
                              timeout=30, check=False)
        return done.returncode, done.stdout, done.stderr.replace(str(self.folder) + "/", "")

    def imported(self, *arguments, status=1):
        got, out, said = self.run_import("vio", *arguments)
        self.assertEqual(got, status, said)
        return json.loads(out), said

    def recipe(self, document, name):
        return document["modules"]["station"]["parameters"]["recipes"][name]


class Documents(Import):
    def test_steps_cameras_and_rules_of_2026(self):
        document, said = self.imported(self.write("pens.json", STEPS))
        recipe = self.recipe(document, "pens")
        self.assertEqual(recipe["cameras"], ["a", "b"])
        self.assertEqual(recipe["steps"]["ink"]["expected"], ["OK"])
        self.assertEqual(recipe["verdict"], {
            "cameras": {"b": {"rule": "all", "rules": [
                {"rule": "allOk"},
                {"rule": "objects", "label": "hole", "step": "cap", "max": 2}]}},
            "item": {"rule": "minOkRatio", "ratio": 0.5}})
        self.assertEqual(document["modules"]["a"]["parameters"]["width"], 640)
        self.assertEqual(document["modules"]["b"]["parameters"]["source"], "aravis:0815")
        self.assertEqual(document["routes"]["capture-a"], "FROM station/capture INTO a/trigger")
        self.assertEqual(said.splitlines(), [
            "pens.json: camera a: device numbers change with the order of plugging; here it is the "
            "only video device of the box: say which with --camera",
            "pens.json: step ink: the model pen is to be delivered as a package (its network as "
            "ONNX): say where with --model",
            "pens.json: step cap: the model cap is to be delivered as a package (its network as "
            "ONNX): say where with --model",
            "pens.json: /pipeline_steps/ink/model_forwarder_config/model_serving_url: is not "
            "needed: models run inside the inspection",
            "pens.json: /binary_storage_config: images go to the outbox: see images.keep",
            "pens.json: /metadata_storage_config: records go to the outbox"])

    def test_what_nobody_knows_is_listed_with_its_place(self):
        odd = json.loads(json.dumps(CHAIN))
        odd["cameras"]["top"]["models_graph"]["plug"]["so/me"] = {"deep": [1]}
        _, said = self.imported(self.write("odd.json", odd))
        self.assertIn("odd.json: /cameras/top/models_graph/plug/so~1me/deep/0: is not known here\n",
                      said)

    def test_two_stations_share_a_camera_and_the_first_is_active(self):
        other = dict(STEPS, station_name="more")
        document, _ = self.imported(self.write("1.json", STEPS), self.write("2.json", other))
        parameters = document["modules"]["station"]["parameters"]
        self.assertEqual((parameters["active"], sorted(parameters["recipes"])),
                         ("pens", ["more", "pens"]))
        self.assertEqual(sorted(document["modules"]), ["a", "b", "station"])

    def test_a_rule_that_passed_bad_items_is_not_carried_over(self):
        bad = json.loads(json.dumps(STEPS))
        bad["item_rule_config"].update(item_rule_type="min_threshold_rule", expected_decision="KO")
        document, said = self.imported(self.write("bad.json", bad))
        self.assertEqual(self.recipe(document, "pens")["verdict"]["item"], {"rule": "allOk"})
        self.assertIn("bad.json: /item_rule_config: made an item good for what is wrong with it",
                      said)

    def test_a_station_without_models_leaves_its_cameras(self):
        document, said = self.imported(self.write("g.json", {
            "station_name": "g", "camera_configs": STEPS["camera_configs"]}))
        self.assertEqual(sorted(document["modules"]), ["a", "b"])
        self.assertIn("has no model", said)

    def test_what_contradicts_itself_is_refused_with_the_place(self):
        def edited(path, value):
            document = json.loads(json.dumps(CHAIN))
            at = document
            for key in path[:-1]:
                at = at[key]
            at[path[-1]] = value
            return document
        rule = ["cameras", "top", "camera_rule"]
        cases = [
            ("{", "not"), ([], "is no station of VIO"), ({"cameras": {}}, "has no camera"),
            (edited(["cameras", "top", "type"], "box"), "/cameras/top/type"),
            (edited(["cameras", "top", "models_graph", "plug", "depends_on"], ["gone"]),
             "/cameras/top/models_graph/plug/depends_on/0"),
            (edited(rule + ["name"], "magic_rule"), "/cameras/top/camera_rule"),
            (edited(rule + ["parameters", "min_threshold"], 0),
             "/cameras/top/camera_rule/parameters/min_threshold"),
            (edited(["item_rule", "parameters", "threshold"], "1"), "/item_rule/parameters/threshold"),
        ]
        for document, said in cases:
            status, out, text = self.run_import("vio", self.write("x.json", document))
            self.assertEqual((status, out), (3, ""), document)
            self.assertIn(said, text)

    def test_called_wrongly(self):
        self.assertEqual(self.run_import()[0], 2)
        self.assertEqual(self.run_import("vio")[0], 2)
        self.assertEqual(self.run_import("vio", "--camera", "top", "x")[0], 2)
        self.assertEqual(self.run_import("vio", self.folder / "missing.json")[0], 3)


class Judged(Import):
    """The imported recipe in force, with models that follow a script."""

    def package(self, name, classes, output, script, expected):
        folder = self.folder / name
        folder.mkdir()
        shutil.copyfile(PART, folder / "test.jpg")
        digest = hashlib.sha256(PART.read_bytes()).hexdigest()
        (folder / "model.json").write_text(json.dumps({
            "name": name, "version": "1", "licence": "CC0-1.0", "backend": "fake",
            "input": {"width": 32, "height": 32}, "classes": classes, "output": output,
            "script": script,
            "selfTest": {"image": {"file": "test.jpg", "sha256": digest}, "expected": expected}}))
        return f"{name}={folder}"

    def finder(self, boxes):
        """Finds phones there, in shares of the picture."""
        answer = [{"name": "boxes", "sides": [1, len(boxes), 4],
                   "values": [value for box in boxes for value in box]},
                  {"name": "labels", "sides": [1, len(boxes)], "values": [0] * len(boxes)},
                  {"name": "scores", "sides": [1, len(boxes)], "values": [0.9] * len(boxes)}]
        width, height = 640, 480
        objects = [{"label": "phone", "score": 0.9, "x": x0 * width, "y": y0 * height,
                    "width": (x1 - x0) * width, "height": (y1 - y0) * height}
                   for y0, x0, y1, x1 in boxes]
        return self.package("finder", ["phone", "face"],
                            {"type": "ssd", "boxes": "boxes", "labels": "labels",
                             "scores": "scores"}, [answer], {"objects": objects})

    def plugged(self, *answers):
        script = [[{"sides": [1, 2], "values": [0.1, 0.9] if inside else [0.9, 0.1]}]
                  for inside in answers]
        return self.package("plugged", ["out", "in"],
                            {"type": "classification", "activation": "none"}, script,
                            {"label": "in" if answers[0] else "out", "score": 0.9})

    def judge(self, *models):
        document, _ = self.imported(*[a for m in models for a in ("--model", m)],
                                    self.write("phones.json", CHAIN))
        shots = self.folder / "shots"
        shots.mkdir()
        shutil.copyfile(PART, shots / "part-1.jpg")
        parameters = self.write("p.json", document["modules"]["station"]["parameters"])
        done = subprocess.run([str(INSPECT), "--replay", str(shots), "--parameters",
                               str(parameters)], capture_output=True, text=True, timeout=60,
                              check=False)
        return done.stdout + done.stderr

    BOXES = [[0.1, 0.1, 0.4, 0.4], [0.5, 0.5, 0.9, 0.9]]

    def test_a_chain_of_models_counts_what_the_last_one_says(self):
        self.assertRegex(self.judge(self.finder(self.BOXES), self.plugged(True)), r"\bOK\b")

    def test_one_object_of_another_class_is_not_enough(self):
        said = self.judge(self.finder(self.BOXES), self.plugged(True, True, False))
        self.assertNotRegex(said, r"\bOK\b")
        self.assertIn("NG", said)

    def test_a_package_that_is_not_there_is_never_ok(self):
        said = self.judge(self.finder(self.BOXES))
        self.assertNotRegex(said, r"\bOK\b")


if __name__ == "__main__":
    unittest.main(verbosity=2)
