# SPDX-License-Identifier: Apache-2.0
"""A machine for the emulator: Debian's Linux with test programs and their data in memory, started from a CD, read over a serial line."""

import os
import pathlib
import re
import shutil
import subprocess
import time

# Debian 12's; unpacked, not installed.
PACKAGES = ['bochsbios', 'seabios', 'isolinux', 'syslinux-common', 'busybox-static', 'cpio', 'xorriso', 'libisoburn1', 'libburn4',
            'libisofs6', 'libjte2']
BOCHS_BIOS = 'usr/share/bochs/BIOS-bochs-latest'
# clearcpuid=580 (FSRM): Linux believes it although it has switched fast strings off. idle=poll: Bochs traps TILERELEASE, with which
# Linux 6.1 goes idle. The rest leaves out devices and what costs time.
KERNEL = ('console=ttyS0 loglevel=0 nokaslr mitigations=off pti=off audit=0 nowatchdog acpi=off noapic nolapic nohpet nosmp random.trust_cpu=on '
          'clearcpuid=580 idle=poll')
CONFIG = """config_interface: textconfig
display_library: nogui
memory: guest=2048, host=2048
romimage: file={root}/{bios}
vgaromimage: file={root}/usr/share/seabios/vgabios-stdvga.bin
cpu: model=sapphire_rapids, count=1, ips=80000000
clock: sync=none
boot: cdrom
ata0-master: type=cdrom, path={image}, status=inserted
com1: enabled=1, mode=file, dev={serial}
log: {folder}/bochs.log
panic: action=fatal
error: action=ignore
info: action=ignore
"""
INIT = r"""#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin HOME=/tmp TMPDIR=/tmp MORU_ISA=amx
[ -e /data ] && export MORU_TEST_DATA=/data
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev; mount -t tmpfs tmp /tmp
cd /tests
run() {
  "$@" > /out 2>&1
  result=$?
  grep -v -E '^\[ +(RUN|OK)' /out | grep -E 'FAILED|SKIPPED|Failure|rror' | head -40
  echo "moru-test $result $1 $(grep -c ' OK ' /out)"
}
echo moru-test start
. /run
echo moru-test end
sleep 10000
"""


def unpack(folder: pathlib.Path) -> pathlib.Path:
    root = folder / 'root'
    if (root / '.done').exists():
        return root
    packages = folder / 'packages'
    shutil.rmtree(root, ignore_errors=True)
    packages.mkdir(exist_ok=True)
    depends = subprocess.run(['apt-cache', 'depends', 'linux-image-amd64'], check=True, capture_output=True, text=True).stdout
    kernel = re.search(r'linux-image-\d\S*', depends).group()
    subprocess.run(['apt-get', '-oAPT::Sandbox::User=root', '-qq', 'download', kernel, *PACKAGES], cwd=packages, check=True)
    for package in packages.glob('*.deb'):
        subprocess.run(['dpkg', '-x', package, root], check=True)
    (root / '.done').touch()
    return root


def needed_libraries(programs: list[pathlib.Path]) -> set[str]:
    found = set()
    for program in programs:
        for line in subprocess.run(['ldd', program], check=True, capture_output=True, text=True).stdout.splitlines():
            found |= {word for word in line.split() if word.startswith('/')}
    return found


def make_image(root: pathlib.Path, work: pathlib.Path, tests: list[tuple[pathlib.Path, list[str]]], files: dict[pathlib.Path, str]):
    """`tests`: programs and their arguments; `files`: what else the machine has, and where."""
    tree = work / 'tree'
    for name in ('bin', 'dev', 'proc', 'sys', 'tmp', 'tests'):
        (tree / name).mkdir(parents=True)
    shutil.copy(root / 'bin/busybox', tree / 'bin')
    programs = sorted({program for program, _ in tests})
    for program in programs:
        subprocess.run(['strip', '-o', tree / 'tests' / program.name, program], check=True)
    for library in needed_libraries(programs):
        (tree / library[1:]).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(library, tree / library[1:])
    for source, place in files.items():
        (tree / place[1:]).parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if source.is_dir() else shutil.copy)(source, tree / place[1:])
    (tree / 'run').write_text(''.join(f"run ./{program.name} {' '.join(arguments)}\n" for program, arguments in tests))
    (tree / 'init').write_text(INIT)
    (tree / 'init').chmod(0o755)
    disc = work / 'disc'
    (disc / 'isolinux').mkdir(parents=True)
    names = '\n'.join(str(path.relative_to(tree)) for path in sorted(tree.rglob('*')))
    with open(disc / 'initrd', 'wb') as initrd:
        subprocess.run([root / 'bin/cpio', '-o', '-H', 'newc', '--quiet'], cwd=tree, input=names.encode(), stdout=initrd, check=True)
    shutil.copy(next((root / 'boot').glob('vmlinuz-*')), disc / 'vmlinuz')
    shutil.copy(root / 'usr/lib/ISOLINUX/isolinux.bin', disc / 'isolinux')
    shutil.copy(root / 'usr/lib/syslinux/modules/bios/ldlinux.c32', disc / 'isolinux')
    (disc / 'isolinux/isolinux.cfg').write_text(f'default moru\nlabel moru\n kernel /vmlinuz\n append initrd=/initrd {KERNEL}\n')
    libraries = {**os.environ, 'LD_LIBRARY_PATH': str(root / 'usr/lib/x86_64-linux-gnu')}
    subprocess.run([root / 'usr/bin/xorriso', '-as', 'mkisofs', '-quiet', '-o', work / 'boot.iso', '-b', 'isolinux/isolinux.bin', '-c',
                    'isolinux/boot.cat', '-no-emul-boot', '-boot-load-size', '4', '-boot-info-table', disc], env=libraries,
                   stderr=subprocess.DEVNULL, check=True)


def lines_of(emulator: pathlib.Path, root: pathlib.Path, work: pathlib.Path, minutes: float):
    """Runs the machine; what it says, line by line, until it says that it is done."""
    serial = work / 'serial'
    config = work / 'bochsrc'
    config.write_text(CONFIG.format(root=root, bios=BOCHS_BIOS, image=work / 'boot.iso', serial=serial, folder=work))
    end = time.monotonic() + 60 * minutes
    with open(work / 'output', 'w', encoding='utf-8') as output, \
            subprocess.Popen([emulator, '-q', '-f', config], stdin=subprocess.DEVNULL, stdout=output, stderr=output) as machine:
        try:
            read = 0
            while time.monotonic() < end and machine.poll() is None:
                time.sleep(1)
                data = serial.read_bytes()[read:] if serial.exists() else b''
                whole = data.rfind(b'\n') + 1
                read += whole
                for line in data[:whole].decode(errors='replace').splitlines():
                    yield line.strip()
                    if line.strip() == 'moru-test end' or 'end Kernel panic' in line:
                        return
            raise SystemExit(f'test_amx: the machine {"stopped" if machine.poll() is not None else f"took over {minutes} minutes"}; '
                             f'see {work}/serial and {work}/bochs.log')
        finally:
            machine.kill()
