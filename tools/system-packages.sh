#!/bin/sh
# Installs what the harness needs from the system, and only what is missing:
# a cross compiler with newlib's headers, an emulator, a host compiler.
# "--lint" adds clang-format, and ser2net for tests with labgrid. Prints what to do where apt-get
# does not exist.
set -eu

want=""
need() { # need COMMAND PACKAGE
    command -v "$1" >/dev/null 2>&1 || want="$want $2"
}

need arm-none-eabi-gcc gcc-arm-none-eabi
need qemu-system-arm qemu-system-arm
need cc gcc
if command -v cc >/dev/null 2>&1 && ! echo '#include <stdint.h>' | cc -E - >/dev/null 2>&1; then
    want="$want libc6-dev"
fi
if ! echo '#include <stdint.h>' | arm-none-eabi-gcc -E - >/dev/null 2>&1; then
    want="$want libnewlib-arm-none-eabi"
fi
if [ "${1:-}" = "--lint" ]; then
    need clang-format clang-format
    PATH=$PATH:/usr/sbin need ser2net ser2net
fi
if ! python3 -c 'import ensurepip, venv' >/dev/null 2>&1; then
    want="$want python3-venv"
fi

[ -n "$want" ] || exit 0
echo "missing on this system:$want" >&2

if command -v apt-get >/dev/null 2>&1; then
    sudo=""
    if [ "$(id -u)" -ne 0 ]; then
        sudo="sudo"
    fi
    export DEBIAN_FRONTEND=noninteractive
    $sudo apt-get update -qq
    # shellcheck disable=SC2086 # the list is words on purpose
    $sudo apt-get install -y -qq --no-install-recommends $want >/dev/null
    exit 0
fi

echo "apt-get is not here; install by hand and try again:" >&2
if [ "$(uname -s)" = "Darwin" ]; then
    echo "  brew install --cask gcc-arm-embedded && brew install qemu clang-format python@3.12" >&2
else
    echo "  arm-none-eabi-gcc with newlib, qemu-system-arm, a C compiler, python3 with venv" >&2
fi
exit 1
