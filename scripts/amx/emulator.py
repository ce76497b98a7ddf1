# SPDX-License-Identifier: Apache-2.0
"""Bochs 3.0, from Debian 13's source, with what it lacks for AMX under Linux added and what it has wrong mended.

Each edit says what the processor does, from Intel's Software Developer's Manual, volume 1, chapter 13, and volume 2 under the instructions.
"""

import hashlib
import os
import pathlib
import re
import subprocess

SOURCE = 'bochs_3.0+dfsg.orig.tar.xz'
SHA256 = '78f6c73d4a6472d5130a87ab9dc306d02c7c71ed8e25b3a8ef642e2a7acd282b'
KEYS = '/usr/share/keyrings/debian-archive-keyring.gpg'
OPTIONS = ['--enable-cpu-level=6', '--enable-x86-64', '--enable-avx', '--enable-evex', '--enable-amx', '--enable-all-optimizations',
           '--enable-pci', '--disable-plugins', '--disable-docbook', '--disable-idle-hack', '--with-nogui']

# File, what is found there, what stands there afterwards.
EDITS = [
    # Extended feature disable (13.14): Linux allows a program tiles only where their first use can be trapped.
    ('cpu/cpu.h', '  Bit64u ia32_xss;', '  Bit64u ia32_xss;\n  Bit64u xfd;\n  Bit64u xfd_err;'),
    ('cpu/msr.cc', '  msr_desc[BX_MSR_XSS] = new',
     '  msr_desc[BX_MSR_IA32_XFD] = new MSR_Descriptor("XFD", BX_ISA_AMX);\n'
     '  msr_desc[BX_MSR_IA32_XFD_ERROR] = new MSR_Descriptor("XFD_ERR", BX_ISA_AMX);\n  msr_desc[BX_MSR_XSS] = new'),
    ('cpu/msr.cc', '    case BX_MSR_XSS:\n      if',
     '    case BX_MSR_IA32_XFD: val64 = BX_CPU_THIS_PTR msr.xfd; break;\n'
     '    case BX_MSR_IA32_XFD_ERROR: val64 = BX_CPU_THIS_PTR msr.xfd_err; break;\n    case BX_MSR_XSS:\n      if'),
    ('cpu/msr.cc', '    case BX_MSR_XSS:\n      {',
     '    case BX_MSR_IA32_XFD: BX_CPU_THIS_PTR msr.xfd = val_64; handleAvxModeChange(); break;\n'
     '    case BX_MSR_IA32_XFD_ERROR: BX_CPU_THIS_PTR msr.xfd_err = val_64; break;\n    case BX_MSR_XSS:\n      {'),
    ('cpu/proc_ctrl.cc', 'BX_XCR0_XTILEDATA_MASK)) != 0)\n    clear_amx_ok',
     'BX_XCR0_XTILEDATA_MASK)) != 0 || BX_CPU_THIS_PTR msr.xfd != 0)\n    clear_amx_ok'),
    ('cpu/proc_ctrl.cc', '(BX_XCR0_XTILECFG_MASK | BX_XCR0_XTILEDATA_MASK))\n    exception(BX_UD_EXCEPTION, 0);\n',
     '(BX_XCR0_XTILECFG_MASK | BX_XCR0_XTILEDATA_MASK))\n    exception(BX_UD_EXCEPTION, 0);\n'
     '  if (BX_CPU_THIS_PTR msr.xfd != 0) {\n    BX_CPU_THIS_PTR msr.xfd_err = BX_CPU_THIS_PTR msr.xfd;\n'
     '    exception(BX_NM_EXCEPTION, 0);\n  }\n'),
    ('cpu/cpuid.cc', '      leaf->eax |= (1<<3);\n',
     '      leaf->eax |= (1<<3);\n    if (is_cpu_extension_supported(BX_ISA_AMX)) leaf->eax |= (1<<4);\n'),
    ('cpu/cpuid.cc', '(cpu->ia32_xss_suppmask & (1 << subfunction)) != 0;',
     '((cpu->ia32_xss_suppmask & (1 << subfunction)) != 0) | (subfunction == xcr0_t::BX_XCR0_XTILEDATA_BIT ? 6 : 0);'),
    # The configuration in memory (LDTILECFG): bytes a row from byte 16 on, rows from byte 48 on.
    ('cpu/xsave.cc', 'vmm16u(8+n)    = BX_CPU_THIS_PTR amx->tilecfg[n].rows', 'vmm16u(8+n)    = BX_CPU_THIS_PTR amx->tilecfg[n].bytes_per_row'),
    ('cpu/xsave.cc', 'vmmubyte(48+n) = BX_CPU_THIS_PTR amx->tilecfg[n].bytes_per_row', 'vmmubyte(48+n) = BX_CPU_THIS_PTR amx->tilecfg[n].rows'),
    # A tile has 16 rows, and all are saved and restored (13.5).
    ('cpu/xsave.cc', 'row < BX_TILE_REGISTERS', 'row < BX_TILE_MAX_ROWS'),
    # Tiles are in use when one may hold something else than zeros (13.6).
    ('cpu/xsave.cc', 'amx->tile_use_tracker == 0', 'amx->tile_use_tracker != 0'),
    ('cpu/avx/amx.h', 'start_row(0) {}', 'start_row(0), tile_use_tracker(0) {}'),
]
# TDPBSSD and the like: which of the two operands' bytes have a sign.
SIGNED = {'DPBDSS': 'xy', 'DPBDSU': 'x', 'DPBDUS': 'y', 'DPBDUU': ''}


def mend(source: pathlib.Path):
    for name, before, after in EDITS:
        file = source / name
        text = file.read_text()
        if before not in text:
            raise SystemExit(f'test_amx: {name}: found nothing like {before!r}, expected Bochs 3.0')
        file.write_text(text.replace(before, after))
    file = source / 'cpu/avx/amx.cc'
    text = file.read_text()
    for name, signed in SIGNED.items():
        start = text.index(f'Bit32u {name}(')
        end = text.index('\n}\n', start)
        body = text[start:end]
        for operand in 'xy':
            body = re.sub(rf'Bit32[su]\({operand}byte\[(\d)\]\)', rf'Bit32s({"Bit8s" if operand in signed else "Bit8u"}({operand}byte[\1]))', body)
        text = text[:start] + body + text[end:]
    file.write_text(text)


def debian_13(folder: pathlib.Path) -> list[str]:
    """Options with which apt knows Debian 13's sources, where this machine gets Debian 12 from."""
    etc = pathlib.Path('/etc/apt')
    found = []
    for file in [etc / 'sources.list', *sorted((etc / 'sources.list.d').glob('*'))]:
        text = re.sub(r'^#.*\n', '', file.read_text(), flags=re.M) if file.is_file() else ''
        found += re.findall(r'^deb (?:\[.*\] *)?(\S+) +bookworm ', text, re.M)
        for part in re.split(r'\n\s*\n', text):
            if re.search(r'^Suites:.*\bbookworm\b(?!-)', part, re.M):
                found += re.findall(r'^URIs: *(\S+)', part, re.M)
    if not found:
        raise SystemExit('test_amx: found no Debian 12 (bookworm) in /etc/apt, expected one to get Bochs from the same place')
    for name in ('lists/partial', 'archives/partial'):
        (folder / name).mkdir(parents=True, exist_ok=True)
    sources = folder / 'debian13.list'
    sources.write_text(f'deb-src [signed-by={KEYS}] {found[0]} trixie main\n')
    return [f'-oDir::Etc::sourcelist={sources}', '-oDir::Etc::sourceparts=-', f'-oDir::State::Lists={folder}/lists',
            f'-oDir::Cache={folder}', '-oAPT::Sandbox::User=root']


def is_built(folder: pathlib.Path) -> bool:
    return (folder / 'build/bochs').exists()


def build(folder: pathlib.Path) -> pathlib.Path:
    """The emulator; made once."""
    if is_built(folder):
        return folder / 'build/bochs'
    if not (folder / SOURCE).exists():
        options = debian_13(folder / 'apt')
        subprocess.run(['apt-get', *options, '-qq', 'update'], check=True)
        subprocess.run(['apt-get', *options, '-qq', 'source', '--download-only', '--tar-only', 'bochs=3.0+dfsg-1'], cwd=folder, check=True)
    found = hashlib.sha256((folder / SOURCE).read_bytes()).hexdigest()
    if found != SHA256:
        raise SystemExit(f'test_amx: {SOURCE}: found SHA-256 {found}, expected {SHA256}')
    source = folder / 'source'
    subprocess.run(['rm', '-rf', source, folder / 'build'], check=True)
    source.mkdir()
    (folder / 'build').mkdir()
    subprocess.run(['tar', '-C', source, '--strip-components=1', '-xf', folder / SOURCE], check=True)
    mend(source)
    with open(folder / 'build.log', 'w', encoding='utf-8') as log:
        for command in (['../source/configure', *OPTIONS, 'CXXFLAGS=-O3 -DNDEBUG', 'CFLAGS=-O2'], ['make', f'-j{os.cpu_count()}']):
            if subprocess.run(command, cwd=folder / 'build', stdout=log, stderr=log, check=False).returncode != 0:
                raise SystemExit(f'test_amx: Bochs does not build, see {folder}/build.log')
    return folder / 'build/bochs'
