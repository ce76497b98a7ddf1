# SPDX-License-Identifier: Apache-2.0
from fake_tree import SCRIPTS, RuleTest
from lints import layers, targets

LAYERS = "core ->\nwire -> core\nmodel/tensor -> core\nmodel/formats -> model/tensor\nedge -> wire model/formats\nfleet -> wire model/tensor\n"


class Layers(RuleTest):
    def with_source(self, name, include):
        return {"scripts/layers.txt": LAYERS, name: f'#include "{include}"\n'}

    def test_an_arrow_that_is_listed_is_fine(self):
        self.assert_clean(layers, self.with_source("src/wire/a.cc", "core/result.h"))

    def test_what_stands_behind_an_arrow_is_fine(self):
        self.assert_clean(layers, self.with_source("src/edge/agent/a.cc", "model/tensor/tensor.h"))

    def test_an_arrow_that_is_not_listed_is_found(self):
        self.assert_broken(layers, self.with_source("src/fleet/hub/a.cc", "model/formats/bundle.h"), "src/fleet/hub/a.cc:1", "fleet includes model/formats/bundle.h")

    def test_an_arrow_upwards_is_found(self):
        self.assert_broken(layers, self.with_source("src/core/a.h", "wire/http.h"), "core includes wire/http.h")

    def test_a_room_that_is_not_listed_is_found(self):
        self.assert_broken(layers, self.with_source("src/attic/a.cc", "core/result.h"), "attic")

    def test_a_test_may_use_what_it_needs(self):
        self.assert_clean(layers, self.with_source("src/core/a_test.cc", "wire/http.h"))

    def test_the_standard_library_is_no_room(self):
        self.assert_clean(layers, {"scripts/layers.txt": LAYERS, "src/core/a.cc": "#include <vector>\n#include \"generated.pb.h\"\n"})

    def test_a_cycle_is_refused(self):
        with self.assertRaisesRegex(ValueError, "cycle"):
            layers.read_layers("a -> b\nb -> a\n")

    def test_a_line_without_an_arrow_is_refused(self):
        with self.assertRaisesRegex(ValueError, "layers.txt:2"):
            layers.read_layers("a ->\nb a\n")

    def test_fleet_never_knows_runtime_forge_or_edge(self):
        rooms = layers.read_layers((SCRIPTS / "layers.txt").read_text())
        self.assertFalse({"runtime", "forge", "edge", "edge/streams"} & rooms["fleet"])
        self.assertFalse({"forge", "fleet"} & rooms["edge"])


class Targets(RuleTest):
    def files(self, library, listed="core wire"):
        return {
            "scripts/layers.txt": LAYERS,
            "src/CMakeLists.txt": f"set(rooms {listed})",
            "src/wire/CMakeLists.txt": library,
            "src/wire/http.cc": "",
        }

    def test_a_room_with_allowed_deps_is_fine(self):
        self.assert_clean(targets, self.files("moru_library(wire SOURCES http.cc DEPS core LINKS CURL::libcurl)"))

    def test_a_dependency_that_is_not_allowed_is_found(self):
        self.assert_broken(targets, self.files("moru_library(wire SOURCES http.cc DEPS core edge LINKS x)"), "wire depends on edge")

    def test_a_room_that_nobody_adds_is_found(self):
        self.assert_broken(targets, self.files("moru_library(wire SOURCES http.cc DEPS core)", listed="core"), "src/wire/CMakeLists.txt", "nobody adds it")

    def test_a_source_without_a_target_is_found(self):
        self.assert_broken(targets, {"scripts/layers.txt": LAYERS, "src/CMakeLists.txt": "", "src/edge/power/a.cc": ""}, "src/edge/power/a.cc")
