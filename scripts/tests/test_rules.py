# SPDX-License-Identifier: Apache-2.0
from fake_tree import RuleTest
from lints import all_rules, banned, file_length, known_tests, licence, map, outside
from lints.cxx import code_lines

HEAD = "// SPDX-License-Identifier: Apache-2.0\n"


class Rules(RuleTest):
    def test_every_rule_says_rule_reason_and_fix(self):
        rules = all_rules()
        self.assertGreaterEqual(len(rules), 8)
        for name, rule in rules.items():
            for part in (rule.RULE, rule.REASON, rule.FIX):
                self.assertGreater(len(part), 20, name)


class Code(RuleTest):
    def test_comments_and_literals_are_blanked_and_lines_stay(self):
        text = 'int a; // throw\n/* throw\nthrow */ b("throw \\" x", \'"\', 1\'000);\nauto c = R"x(throw\n)x"; d();\n'
        lines = code_lines(text)
        self.assertEqual(len(lines), len(text.splitlines()))
        self.assertNotIn("throw", "\n".join(lines))
        self.assertIn("1'000", lines[2])
        self.assertIn("d();", lines[4])


class Banned(RuleTest):
    def broken(self, line, name="src/core/a.cc"):
        head = HEAD + ("#pragma once\n" if name.endswith(".h") else "")
        return banned.check(self.tree({name: head + line + "\n"}))

    def test_each_pattern_is_found(self):
        cases = [
            "throw std::runtime_error(x);", "std::cout << x;", 'printf("x");', "#include <iostream>", "std::exit(1);", "auto* x = new Thing;",
            "delete x;", "// TODO: later", "TEST(A, DISABLED_B) {}", "std::regex r(x);", "atoi(x);",
        ]
        for line in cases:
            with self.subTest(line):
                self.assertEqual(len(self.broken(line)), 1)

    def test_what_looks_alike_is_not_found(self):
        cases = [
            "// we throw nothing", 'fail("do not throw");', "fmt::format_to(out, x);", "snprintf(buffer, n, x);", "Thing(const Thing&) = delete;",
            "// TODO(#12): later", "std::unique_ptr<Thing>(new Thing(x));", "auto renew = news + 1;", "object.exit(1);", "on_exit(x);",
        ]
        for line in cases:
            with self.subTest(line):
                self.assertEqual(self.broken(line), [])

    def test_a_program_may_print(self):
        self.assertEqual(self.broken('printf("x");', "src/cli/main.cc"), [])

    def test_a_thing_for_ever_must_say_so(self):
        self.assertEqual(len(self.broken("static Thing* thing = new Thing;")), 1)
        self.assertEqual(self.broken("static Thing* thing = new Thing;  // never destroyed: threads outlive it"), [])

    def test_sleep_is_banned_in_tests_only(self):
        line = "std::this_thread::sleep_for(kSecond);"
        self.assertEqual(self.broken(line), [])
        self.assertEqual(len(self.broken(line, "src/core/a_test.cc")), 1)
        self.assertEqual(len(self.broken(line, "tests/support/a.h")), 1)
        self.assertEqual(self.broken("while (!ready() && now() < deadline) ::usleep(1000);", "src/core/a_test.cc"), [])

    def test_a_header_opens_no_namespace_and_comes_once(self):
        self.assertEqual(len(self.broken("using namespace std;", "src/core/a.h")), 1)
        self.assertEqual(self.broken("using namespace std;"), [])
        self.assertEqual(len(banned.check(self.tree({"src/core/a.h": HEAD}))), 1)

    def test_markup_from_text_is_found_in_the_page(self):
        self.assert_broken(banned, {"web/src/a.ts": "element.innerHTML = name;\n"}, "web/src/a.ts:1")


class FileLength(RuleTest):
    def test_limits(self):
        self.assert_clean(file_length, {"src/a.cc": "x\n" * 400, "src/a_test.cc": "x\n" * 800})
        self.assert_broken(file_length, {"src/a.cc": "x\n" * 401}, "401")
        self.assert_broken(file_length, {"src/a_test.cc": "x\n" * 801}, "801")


class Licence(RuleTest):
    def test_line_one(self):
        self.assert_clean(licence, {"src/a.cc": HEAD, "scripts/b": "#!/bin/sh\n# SPDX-License-Identifier: Apache-2.0\n", "README.md": "text\n"})
        self.assert_broken(licence, {"src/a.cc": "\n" + HEAD}, "src/a.cc:1")
        self.assert_broken(licence, {"scripts/b": "#!/bin/sh\necho\n"}, "scripts/b:1")


class KnownTests(RuleTest):
    def test_a_listed_test_is_fine(self):
        self.assert_clean(known_tests, {"src/core/CMakeLists.txt": "moru_test(core SOURCES a_test.cc)", "src/core/a_test.cc": ""})

    def test_a_test_in_a_comment_is_not_listed(self):
        self.assert_broken(known_tests, {"src/core/CMakeLists.txt": "# a_test.cc", "src/core/a_test.cc": ""}, "src/core/a_test.cc")

    def test_a_name_that_ends_alike_is_not_listed(self):
        self.assert_broken(known_tests, {"src/core/CMakeLists.txt": "moru_test(core SOURCES extra_test.cc)", "src/core/a_test.cc": ""}, "a_test.cc")

    def test_a_plug_in_folder_lists_by_glob(self):
        files = {"src/cli/CMakeLists.txt": "file(GLOB nouns CONFIGURE_DEPENDS *.cc)", "src/cli/model.cc": ""}
        self.assert_clean(known_tests, files)
        self.assert_broken(known_tests, {**files, "src/cli/model_test.cc": ""}, "model_test.cc")

    def test_a_listing_from_the_folder_above_counts(self):
        self.assert_clean(known_tests, {"src/edge/CMakeLists.txt": "moru_library(edge SOURCES stages/a.cc)", "src/edge/stages/a.cc": ""})

    def test_a_glob_may_reach_into_another_folder(self):
        cmake = "file(GLOB stages CONFIGURE_DEPENDS stages/*.cc ${PROJECT_SOURCE_DIR}/solutions/*/stages/*.cc)"
        self.assert_clean(known_tests, {"src/edge/CMakeLists.txt": cmake, "solutions/line/stages/a.cc": "", "src/edge/stages/b.cc": ""})
        self.assert_broken(known_tests, {"src/edge/CMakeLists.txt": cmake, "solutions/line/a.cc": ""}, "solutions/line/a.cc")

    def test_a_fuzzer_is_known_by_its_name(self):
        self.assert_clean(known_tests, {"fuzz/CMakeLists.txt": "moru_fuzzer(onnx DEPS core)", "fuzz/fuzz_onnx.cc": ""})
        self.assert_broken(known_tests, {"fuzz/CMakeLists.txt": "moru_fuzzer(onnx DEPS core)", "fuzz/fuzz_text.cc": ""}, "fuzz_text.cc")

    def test_a_golden_that_no_runner_sees_is_found(self):
        self.assert_broken(known_tests, {"tests/golden/passes/a.test": ""}, "a.test")

    def test_page_tests_lie_where_they_are_run(self):
        self.assert_broken(known_tests, {"web/src/a_test.mjs": ""}, "web/src/a_test.mjs")


class Outside(RuleTest):
    def test_paths_of_machines_and_addresses_of_registries(self):
        for line in ['open("/home/someone/x")', "cd /work/tree", "url = https://files.pythonhosted.org/x", '"https://registry.npmjs.org/vite/-/vite.tgz"', "see ../shared/notes.md"]:
            with self.subTest(line):
                self.assert_broken(outside, {"src/a.cc": line + "\n"}, "src/a.cc:1")

    def test_ordinary_paths_are_fine(self):
        self.assert_clean(outside, {"a.md": "see /usr/share/datasets, $HOME/.moru, ${root}/tmp/x, docs/work/plan, /v1/nodes/work\n"})


class Map(RuleTest):
    PAGE = "<!-- map -->\n\n    README.md   what it is\n    src/        rooms\n{}\n<!-- end of map -->\n"

    def files(self, entry="", **more):
        return {"HACKING.md": self.PAGE.format(entry), "README.md": "", "src/CMakeLists.txt": "", "src/core/CMakeLists.txt": "", **more}

    def test_a_whole_map_is_fine(self):
        self.assert_clean(map, self.files("    src/core/   the bottom"))

    def test_a_room_that_is_missing_is_found(self):
        self.assert_broken(map, self.files(), "does not name 'src/core/'")

    def test_an_entry_that_is_not_there_is_found(self):
        self.assert_broken(map, self.files("    src/core/   the bottom\n    attic/   dust"), "names 'attic/'")

    def test_a_dead_link_is_found(self):
        files = self.files("    src/core/   the bottom")
        files["README.md"] = "[how](docs/how.md)\n"
        self.assert_broken(map, files, "README.md:1", "docs/how.md")
