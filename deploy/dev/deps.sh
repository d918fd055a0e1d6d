#!/usr/bin/env bash
# Installs what building (and, with "test", testing, with "accuracy" or "bench" measuring) Headroom needs on Debian and Ubuntu.
# On any other system it names what to install and stops. Asks the package manager only
# for what is missing, so that a second run needs no network and no rights.
set -euo pipefail

purpose=${1:-}

# program or pkg-config module -> Debian package
missing=()
need_program() { command -v "$1" >/dev/null 2>&1 || missing+=("$2"); }
need_library() { pkg-config --exists "$1" 2>/dev/null || missing+=("$2"); }
need_package() { dpkg-query -W -f='${Status}' "$1" 2>/dev/null | grep -q 'ok installed' || missing+=("$1"); }

need_program gcc gcc
[ -e /usr/include/stdlib.h ] || missing+=(libc6-dev)
need_program pkg-config pkg-config
need_library opus libopus-dev
need_library opusfile libopusfile-dev
need_library portaudio-2.0 portaudio19-dev
need_program node nodejs
need_program npm npm

if [ "$purpose" = test ] || [ "$purpose" = interop ]; then
  need_program sipp sip-tester
  need_program baresip baresip
  need_library spandsp libspandsp-dev
  need_program pulseaudio pulseaudio
  need_program pactl pulseaudio-utils
  need_program chromium chromium
  if command -v dpkg-query >/dev/null 2>&1; then
    need_package libasound2-plugins
    need_package asterisk-core-sounds-en-wav
    need_package pocketsphinx-testdata
  fi
  ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || missing+=(postgresql)
fi
if [ "$purpose" = interop ]; then
  need_program linphonec linphone-cli
fi

if [ "$purpose" = bench ]; then
  need_program rtpengine rtpengine-daemon
fi

if [ "$purpose" = accuracy ]; then
  need_program ffmpeg ffmpeg
  need_program espeak-ng espeak-ng
  need_program sox sox
  if command -v dpkg-query >/dev/null 2>&1; then
    for language in en es fr it ru; do need_package "asterisk-core-sounds-$language-g722"; done
    need_package asterisk-core-sounds-en-wav
    need_package asterisk-moh-opsound-wav
    need_package pocketsphinx-testdata
    need_package codec2-examples
  fi
fi

if ! command -v go >/dev/null 2>&1; then
  echo "deps: Go is not installed; Headroom needs Go 1.26 or newer (https://go.dev/dl/)" >&2
  exit 1
fi
[ ${#missing[@]} -eq 0 ] && exit 0

if ! command -v apt-get >/dev/null 2>&1; then
  cat >&2 <<'TEXT'
deps: this is not Debian or Ubuntu, so nothing was installed. Install these by hand, then run make again:
  a C compiler, pkg-config, the Opus, Opusfile and PortAudio headers, Node.js 18 or newer with npm
  for the tests also: sipp, baresip, the spandsp headers, PulseAudio with the ALSA plug-ins, PostgreSQL, Chromium
  for make interop also: linphone-cli
  for make bench-media also: rtpengine (without it, its rows are left out)
  for the fault bench also: ffmpeg, espeak-ng
TEXT
  printf 'deps: missing here, by their Debian names: %s\n' "${missing[*]}" >&2
  exit 1
fi

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  if ! command -v sudo >/dev/null 2>&1; then
    printf 'deps: run this as root: apt-get install %s\n' "${missing[*]}" >&2
    exit 1
  fi
  as_root=(sudo)
fi

echo "deps: installing ${missing[*]}"
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
