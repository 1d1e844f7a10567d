# Functions that every script of deploy/ shares. Source it; it starts nothing by itself.
# shellcheck shell=bash
#
# Everything that is made once and used by every checkout stands in the cache folder:
#   bin/docker-compose            Compose, where the docker client has no `compose` of its own
#   engine/dockerd.{pid,log}      the engine that deploy/bare/engine started
#   images-{up,test}.env          the *_IMAGE variables of the images that deploy/bare/images built
#   alertmanager/PROJECT/         Alertmanager's configuration, made of the secrets that are there
#   build/NAME/, log/NAME.log     what an image is built from, and how that went
#   apt/                          package lists of other suites than the machine's own

LAKEHOUSE_CACHE=${LAKEHOUSE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/lakehouse-monitoring}
LAKEHOUSE_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export LAKEHOUSE_CACHE LAKEHOUSE_ROOT

# Seconds are counted from the first script of a run, through all those that it calls.
LAKEHOUSE_STARTED=${LAKEHOUSE_STARTED:-$(date +%s)}
export LAKEHOUSE_STARTED

# One line of progress: seconds since the start, and what happens.
say() { printf '%4ds  %s\n' "$(($(date +%s) - LAKEHOUSE_STARTED))" "$*"; }

# One clear line on stderr, and the end.
die() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

# need COMMAND WHAT-TO-INSTALL
need() { have "$1" || die "$1 is missing: install $2"; }

# Whether an engine answers. A dead socket answers at once; a remote one may hang, hence the limit.
engine_reachable() { have docker && timeout 20 docker info >/dev/null 2>&1; }

# Whether an image is here or can be had from its registry. The limit is for registries that
# neither answer nor refuse.
can_pull() {
  docker image inspect "$1" >/dev/null 2>&1 || timeout 120 docker pull --quiet "$1" >/dev/null 2>&1
}

image_present() { docker image inspect "$1" >/dev/null 2>&1; }

# docker_build ARGUMENT…: `docker build` with the builder that every engine and client has. It says
# something only if it fails.
docker_build() {
  local output
  output=$(DOCKER_BUILDKIT=0 docker build --quiet "$@" 2>&1) || die "docker build: $output"
}

# Compose v2: the client's own, else the one that deploy/bare/engine put into the cache folder.
compose() {
  if docker compose version >/dev/null 2>&1; then
    docker compose "$@"
  else
    "$LAKEHOUSE_CACHE/bin/docker-compose" "$@"
  fi
}

compose_works() {
  docker compose version >/dev/null 2>&1 || "$LAKEHOUSE_CACHE/bin/docker-compose" version >/dev/null 2>&1
}

# image_env up|test: the file of *_IMAGE variables of locally built images, which need not exist.
image_env() { printf '%s/images-%s.env\n' "$LAKEHOUSE_CACHE" "$1"; }
