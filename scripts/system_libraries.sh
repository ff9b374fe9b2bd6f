#!/bin/sh
# MediaPipe and OpenCV need OpenGL's dispatch libraries and GLib even without a screen. On a bare Debian or
# Ubuntu machine, as root, install those that are missing; elsewhere say what to install.
set -eu

[ "$(uname -s)" = Linux ] || exit 0

found() {
    for folder in /lib /usr/lib /lib64 /usr/lib64 /usr/local/lib; do
        [ -z "$(find "$folder/" -maxdepth 2 -name "$1" -print -quit 2>/dev/null)" ] || return 0
    done
    return 1
}

packages=""
found libGL.so.1 || packages="$packages libgl1"
found libEGL.so.1 || packages="$packages libegl1"
found libGLESv2.so.2 || packages="$packages libgles2"
found 'libglib-2.0.so.0' || packages="$packages libglib2.0-0"
python3 -c 'import ensurepip, venv' 2>/dev/null || packages="$packages python3-venv"
[ -n "$packages" ] || exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update -qq
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages
else
    echo "mien: missing system libraries; please install (Debian names):$packages" >&2
    exit 1
fi
