# How the scripts of deploy/bare/ get Debian packages: through the machine's own apt, from the
# mirror that the machine itself is set up for. Sourced after deploy/lib.sh.
# shellcheck shell=bash

# Whether packages can be installed here at all.
can_install() { have apt-get && [ "$(id -u)" = 0 ]; }

# install_packages PACKAGE…: those that are missing. The lists are read again only when they have to be.
install_packages() {
  local missing=() name
  for name in "$@"; do
    dpkg-query -W -f '${Status}' "$name" 2>/dev/null | grep -q 'ok installed' || missing+=("$name")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  can_install || die "missing packages, and no right to install them: as root, apt-get install ${missing[*]}"
  say "apt-get install ${missing[*]}"
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# The Debian mirror of this machine's own sources (Ubuntu has none: name one in DEBIAN_MIRROR).
debian_mirror() {
  local mirror=${DEBIAN_MIRROR:-}
  [ -n "$mirror" ] || mirror=$(configured_mirror)
  # A machine whose lists were cleared knows its mirrors again after an update.
  [ -n "$mirror" ] || { apt-get update -qq && mirror=$(configured_mirror); }
  [ -n "$mirror" ] || die "no Debian mirror among this machine's apt sources: set DEBIAN_MIRROR to one"
  printf '%s\n' "${mirror%/}"
}

# shellcheck disable=SC2016 # apt fills these in
configured_mirror() {
  apt-get indextargets --format '$(ORIGIN)|$(LABEL)|$(REPO_URI)' 'Created-By: Packages' |
    sed -n 's/^Debian|Debian|//p' | sed -n 1p
}

# The machine's own settings for fetching (proxies, certificates, checks of dates), as a file.
apt_settings() {
  local file=$LAKEHOUSE_CACHE/apt/settings.conf
  mkdir -p "${file%/*}"
  apt-config dump Acquire | grep -E "^Acquire::(https?|ftp|Check-|Retries)" >"$file" || true
  printf '%s\n' "$file"
}

# fetch_packages SUITE FOLDER PACKAGE…: unpacks packages of another suite into a folder, with a
# throw-away apt of its own. The machine's sources and packages are not touched, nor looked at: what it
# has installed may be newer.
fetch_packages() {
  local suite=$1 folder=$2 state=$LAKEHOUSE_CACHE/apt/$1 deb
  shift 2
  mkdir -p "$state/lists/partial" "$state/archives/partial" "$state/debs" "$folder"
  printf 'deb [signed-by=%s] %s %s main\n' /usr/share/keyrings/debian-archive-keyring.gpg \
    "$(debian_mirror)" "$suite" >"$state/sources.list"
  local apt=(apt-get -qq -o APT::Sandbox::User=root -o "Dir::Etc::sourcelist=$state/sources.list" -o Dir::Etc::sourceparts=/dev/null
    -o "Dir::State::lists=$state/lists" -o Dir::State::status=/dev/null -o "Dir::Cache=$state" -o "Dir::Cache::archives=$state/archives")
  (
    set -e
    # Several images may want the same lists at the same time.
    exec 9>"$state/lock"
    flock 9
    [ -n "$(find "$state/lists" -name '*_Packages*' -mmin -720 | head -n 1)" ] || "${apt[@]}" update
    cd "$state/debs"
    # A suite that moves may have replaced what a list of some hours ago names.
    "${apt[@]}" download "$@" || { "${apt[@]}" update && "${apt[@]}" download "$@"; }
  )
  for name in "$@"; do
    deb=$(find "$state/debs" -name "${name}_*.deb" -printf '%T@ %p\n' | sort -n | tail -n 1)
    dpkg -x "${deb#* }" "$folder"
  done
}
