# SPDX-License-Identifier: Apache-2.0
import json
import pathlib
import tempfile
import unittest

import fake_tree  # noqa: F401  puts scripts/ on the path
from measure.layers import Apart, Layers, margin
from measure.mqtt import Moru, NodeRed, Telegraf, equal, read_means
from measure.page import replace_section
from measure.peers import same_choice

TEXT = r"""graph "main" {
  opset 13
  input "in put": int8[1, 4] quant {scales = [0.5], zero_points = [0], axis = 0}
  init w = int8[4, 4] {1, 2, 3, 4, 5, 6, 7, 8,
    9, 10, 11, 12, 13, 14, 15, 16}
  "a;\"b": int8[1, 4] quant {scales = [0.5], zero_points = [0], axis = 0} = tflite::FULLY_CONNECTED("in put", w, _) {keep = 1}
  y: int8[1, 4] quant {scales = [1], zero_points = [0], axis = 0} = tflite::ADD("a;\"b", "in put") as sum
  output y
}
"""


class LayersOfAModel(unittest.TestCase):
    def test_in_the_chain_every_result_is_an_output(self):
        lines = Layers(TEXT).chain().splitlines()
        self.assertIn("    9, 10, 11, 12, 13, 14, 15, 16}", lines)
        self.assertTrue(lines[5].endswith(' = tflite::FULLY_CONNECTED("in put", w, _) {keep = 1}'), lines[5])
        self.assertTrue(lines[6].startswith("  layer_1: int8[1, 4] quant {scales = [1]"), lines[6])
        self.assertTrue(lines[6].endswith('= tflite::ADD(layer_0, "in put") as sum'), lines[6])
        self.assertEqual(lines[7:], ["  output layer_0", "  output layer_1", "}"])

    def test_in_the_cut_every_layer_is_fed_from_outside(self):
        layers = Layers(TEXT)
        lines = layers.cut().splitlines()
        self.assertEqual(layers.fed(), [0])
        self.assertIn("  input layer_0: int8[1, 4] quant {scales = [0.5], zero_points = [0], axis = 0}", lines)
        self.assertTrue(any(line.startswith("  made_1: ") and line.endswith('ADD(layer_0, "in put") as sum') for line in lines), lines)
        self.assertEqual(lines[-3:], ["  output made_0", "  output made_1", "}"])

    def test_what_it_does_not_know_is_an_error(self):
        with self.assertRaisesRegex(ValueError, "expected a layer with one result"):
            Layers('  a: int8[1], b: int8[1] = tflite::SPLIT(x)\n  output a\n')
        with self.assertRaisesRegex(ValueError, "expected the result of the last layer"):
            Layers(TEXT.replace("output y", r'output "a;\"b"'))


class Figures(unittest.TestCase):
    def test_steps_add_up(self):
        apart = Apart()
        self.assertEqual(str(apart), "0")
        apart.add(100, 1, 2, -2)
        apart.add(100, 3, 1, 3)
        self.assertEqual(str(apart), "2 %, 2, +0.005")

    def test_a_tie_on_either_side_is_no_disagreement(self):
        self.assertTrue(same_choice([1, 3, 2], [0, 9, 1]))
        self.assertTrue(same_choice([3, 3, 2], [0, 9, 1]))
        self.assertTrue(same_choice([0, 9, 1], [3, 3, 2]))
        self.assertFalse(same_choice([1, 3, 2], [4, 3, 2]))

    def test_a_margin_is_between_the_two_largest(self):
        self.assertEqual(margin([3, 250, 4, 240]), 10)
        self.assertEqual(margin([7, 7]), 0)

    def test_a_part_replaces_its_own_lines_only(self):
        text = "a\n<!-- begin: scripts/measure_models ops -->\nold\n<!-- end: scripts/measure_models ops -->\nz\n"
        with tempfile.TemporaryDirectory() as folder:
            page = pathlib.Path(folder) / "page.md"
            page.write_text(text + text.replace("ops", "peers"))
            replace_section(page, "measure_models ops", ["new"])
            new = page.read_text()
            self.assertNotIn("old", new.split("begin: scripts/measure_models peers")[0])
            self.assertIn("\nnew\n\n<!-- end: scripts/measure_models ops -->\nz\na\n<!-- begin: scripts/measure_models peers -->\nold\n", new)
            with self.assertRaises(SystemExit):
                replace_section(page, "measure_models layers", [])


class MeansOfMqtt(unittest.TestCase):
    def means(self, system, payload):
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "got"
            file.write_text(json.dumps({"seq": 1, "device": "d", "payload": json.dumps(payload)}) + "\n")
            return read_means(file, system)

    def test_all_three_name_the_same_window(self):
        own = self.means(Moru, {"window_start": 1_700_000_010 * 10**9, "mean": 20.5})
        self.assertEqual(own, {170_000_001: {"d": 20.5}})
        self.assertEqual(self.means(NodeRed, {"window": 170_000_001, "mean": 20.5}), own)
        # Telegraf's time is that at which the window was closed.
        self.assertEqual(self.means(Telegraf, {"timestamp": 1_700_000_020, "fields": {"value_mean": 20.5}}), own)

    def test_means_are_equal_when_they_differ_by_rounding_only(self):
        self.assertTrue(equal({"d": 20.0}, {"d": 20.0 * (1 + 1e-12)}))
        self.assertFalse(equal({"d": 20.0}, {"d": 20.001}))
        self.assertFalse(equal({"d": 20.0}, {}))


if __name__ == "__main__":
    unittest.main()
