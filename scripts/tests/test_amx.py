# SPDX-License-Identifier: Apache-2.0
import pathlib
import tempfile
import unittest

import fake_tree  # noqa: F401  puts scripts/ on the path
from amx import emulator

PRODUCT = """BX_CPP_INLINE Bit32u {name}(Bit32u x, Bit32u y)
{{
  Bit32s p0dword = Bit32u(xbyte[0]) * Bit32s(ybyte[0]);
  return p0dword;
}}
"""


class Emulator(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.source = pathlib.Path(self.folder.name)
        for name, before, _ in emulator.EDITS:
            (self.source / name).parent.mkdir(parents=True, exist_ok=True)
            with open(self.source / name, 'a', encoding='utf-8') as file:
                file.write(before + '\n')
        (self.source / 'cpu/avx/amx.cc').write_text(''.join(PRODUCT.format(name=name) for name in emulator.SIGNED))

    def tearDown(self):
        self.folder.cleanup()

    def test_bytes_have_signs_as_the_instruction_says(self):
        emulator.mend(self.source)
        text = (self.source / 'cpu/avx/amx.cc').read_text()
        products = [line.split(' = ')[1] for line in text.splitlines() if 'p0dword =' in line]
        self.assertEqual(products, [
            'Bit32s(Bit8s(xbyte[0])) * Bit32s(Bit8s(ybyte[0]));', 'Bit32s(Bit8s(xbyte[0])) * Bit32s(Bit8u(ybyte[0]));',
            'Bit32s(Bit8u(xbyte[0])) * Bit32s(Bit8s(ybyte[0]));', 'Bit32s(Bit8u(xbyte[0])) * Bit32s(Bit8u(ybyte[0]));'])

    def test_every_edit_is_made(self):
        emulator.mend(self.source)
        for name, before, after in emulator.EDITS:
            text = (self.source / name).read_text()
            self.assertIn(after.splitlines()[0], text)
            if before not in after:
                self.assertNotIn(before, text)

    def test_another_source_is_refused(self):
        (self.source / 'cpu/cpu.h').write_text('int other;\n')
        with self.assertRaisesRegex(SystemExit, 'cpu/cpu.h: found nothing like .*expected Bochs 3.0'):
            emulator.mend(self.source)


if __name__ == '__main__':
    unittest.main()
