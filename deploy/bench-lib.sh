# What the benchmarks of deploy/ share: sourced after lib.sh and platform.sh, not run.
#
# An exporter under measurement is the one process of `pids`, and listens on `port 2` of loopback.
# shellcheck shell=bash disable=SC2034

peers=$LAKEHOUSE_CACHE/peers
pids=()

# test_image VARIABLE: the image of compose.yaml, or the one that was built from packages.
test_image() {
  local file
  file=$(image_env test)
  if [ -f "$file" ] && grep -q "^$1=" "$file"; then sed -n "s/^$1=//p" "$file"; else official_image "$1"; fi
}

# debian_peer PACKAGE: prints where the program of a Debian package of that name is.
debian_peer() {
  mkdir -p "$peers"
  [ -x "$peers/root/usr/bin/$1" ] || fetch_packages sid "$peers/root" "$1" >&2 || return 1
  printf '%s\n' "$peers/root/usr/bin/$1"
}

# shipped PACKAGE: makes its image, and prints where the binary is that stands in it.
shipped() {
  "$deploy/images/build" "$1" >&2
  printf '%s\n' "${CARGO_TARGET_DIR:-$LAKEHOUSE_ROOT/target}/images/$1/root/$1"
}

port() { echo $((${BENCH_PORT:-17700} + $1)); }

# machine VERB: where and when the figures were taken.
machine() {
  printf 'Printed by `%s` on %s: %s cores of %s, load %s before it began.' "$1" "$(date -u +%Y-%m-%d)" "$(nproc)" \
    "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)" "$(cut -d ' ' -f 1 /proc/loadavg)"
}

# start BINARY FLAG…: starts an exporter, and waits until it serves.
start() {
  local binary=$1
  shift
  "$binary" --web.listen-address="127.0.0.1:$(port 2)" "$@" >>"$work/log" 2>&1 &
  pids=($!)
  until curl --silent --output /dev/null "http://127.0.0.1:$(port 2)/"; do sleep 0.1; done
}

stop() {
  kill "${pids[@]}"
  wait "${pids[@]}" 2>/dev/null || true
  pids=()
}

# Ticks of processor time that the exporter has used.
ticks() { awk '{ sub(/.*\) /, ""); print $12 + $13 }' "/proc/${pids[0]}/stat"; }

# MiB of memory that the exporter holds.
resident() { awk '/^VmRSS:/ { printf "%.1f", $2 / 1024 }' "/proc/${pids[0]}/status"; }

# The most that it held at any time.
resident_at_most() { awk '/^VmHWM:/ { printf "%.1f", $2 / 1024 }' "/proc/${pids[0]}/status"; }

# keep TITLE FILE: the section in docs/benchmarks.md, in place of an older one or at the end.
keep() {
  local page=$LAKEHOUSE_ROOT/docs/benchmarks.md
  awk -v title="$1" -v section="$2" '
    function insert(   line) { while ((getline line < section) > 0) print line; done = 1 }
    $0 == title { insert(); skipping = 1; next }
    /^## / { skipping = 0 }
    !skipping { print; blank = ($0 == "") }
    END { if (!done) { if (!blank) print ""; insert() } }' "$page" >"$work/page.md"
  awk 'NF { for (; blanks > 0; blanks--) print ""; print; next } { blanks++ }' "$work/page.md" >"$page"
  cat "$2"
}

clean() {
  docker rm --force --volumes "$container" >/dev/null 2>&1 || true
  [ ${#pids[@]} = 0 ] || kill "${pids[@]}" 2>/dev/null || true
  rm -rf "$work"
}
