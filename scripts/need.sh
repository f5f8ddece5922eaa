#!/bin/sh
# usage: need.sh (mosquitto | cc | sshd | swig | sound | clips | guest | image | image-check | emulator | (venv | headers) PYTHON)...
# Looks for what is needed of the system and installs it where that is allowed without asking: by apt-get, as root or
# with a password-less sudo. Else says in one line what to install, and exits 1.
set -eu
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

programs() {
    for program in "$@"; do
        command -v "$program" >/dev/null || return 1
    done
}

keyring() {
    [ -e /usr/share/keyrings/debian-archive-keyring.gpg ]
}

have() {
    case $1 in
    mosquitto) command -v mosquitto >/dev/null ;;
    cc) echo '#include <stdio.h>' | cc -x c -fsyntax-only - 2>/dev/null ;;
    sshd) programs sshd ssh-keygen ;;
    swig) programs swig ;;
    sound) programs aplay ;;
    clips) programs espeak-ng ;;
    guest) programs qemu-system-x86_64 busybox depmod && ! ldd "$(command -v busybox)" >/dev/null 2>&1 && keyring ;;
    headers) "$2" -c 'import pathlib, sys, sysconfig as c; sys.exit(not pathlib.Path(c.get_path("include"), "Python.h").exists())' ;;
    image) programs mmdebstrap qemu-aarch64-static depmod xz && keyring ;;
    image-check) programs mdir fsck.vfat e2fsck unsquashfs systemd-analyze sfdisk cpio ;;
    emulator) programs qemu-system-aarch64 fdtput mcopy sfdisk ;;
    venv) "$2" -c 'import ensurepip, venv' 2>/dev/null ;;
    *) echo "need.sh: unknown: $1" >&2 && exit 2 ;;
    esac
}

packages_of() {
    case $1 in
    mosquitto) echo mosquitto ;;
    cc) echo gcc libc6-dev ;;
    sshd) echo openssh-server openssh-client ;;
    swig) echo swig ;;
    sound) echo alsa-utils ;;
    clips) echo espeak-ng ;;
    guest) echo qemu-system-x86 busybox-static kmod debian-archive-keyring ;;
    headers) "$2" -c 'import sys; print("libpython%d.%d-dev" % sys.version_info[:2])' ;;
    image) echo mmdebstrap qemu-user-static debian-archive-keyring kmod xz-utils ;;
    emulator) echo qemu-system-arm device-tree-compiler mtools fdisk ;;
    image-check) echo mtools dosfstools e2fsprogs squashfs-tools systemd fdisk cpio ;;
    venv) "$2" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])' ;;
    esac
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        env DEBIAN_FRONTEND=noninteractive "$@"
    else
        sudo -n env DEBIAN_FRONTEND=noninteractive "$@"
    fi
}

apt() {
    as_root apt-get -qq -o DPkg::Lock::Timeout=120 -o Acquire::Retries=1 -o Acquire::http::Timeout=20 "$@" >/dev/null 2>&1
}

install() {
    command -v apt-get >/dev/null && as_root true 2>/dev/null || return 1
    echo "need: installing $*"
    apt install -y --no-install-recommends "$@" || { apt update && apt install -y --no-install-recommends "$@"; }
}

missing() {
    echo "need: $1 is missing: install $2 (Debian, Ubuntu: apt-get install $2)" >&2
    exit 1
}

while [ $# -gt 0 ]; do
    what=$1
    shift
    python=
    case $what in venv | headers)
        python=$1
        shift
        ;;
    esac
    have "$what" "$python" && continue
    packages=$(packages_of "$what" "$python")
    # shellcheck disable=SC2086
    install $packages && have "$what" "$python" || missing "$what" "$packages"
    # The distribution starts what it installs: a broker is started by each run on a port of its own, and a shell by nobody.
    if [ -d /run/systemd/system ]; then
        case $what in
        mosquitto) as_root systemctl --quiet disable --now mosquitto 2>/dev/null || true ;;
        sshd) as_root systemctl --quiet disable --now ssh.service ssh.socket 2>/dev/null || true ;;
        esac
    fi
done
