# How the scripts beside this file, and the tests, address the platform. Source it after lib.sh.
# shellcheck shell=bash

deploy=$LAKEHOUSE_ROOT/deploy
prefix=${LAKEHOUSE_PREFIX:-lakehouse}
# `up` or `test`: which of the images that are built from packages are meant.
purpose=${LAKEHOUSE_FOR:-up}

# Compose on the platform's file. Where images were built from packages, their names stand in a file;
# a variable of the environment still wins. LAKEHOUSE_OVERRIDE names a further Compose file.
platform() {
  local images=() override=()
  [ ! -f "$(image_env "$purpose")" ] || images=(--env-file "$(image_env "$purpose")")
  [ -z "${LAKEHOUSE_OVERRIDE:-}" ] || override=(--file "$LAKEHOUSE_OVERRIDE")
  compose --project-directory "$deploy" --file "$deploy/compose.yaml" "${override[@]}" \
    --env-file "$deploy/.env" "${images[@]}" "$@"
}

# setting NAME: its value in the environment, else in .env.
setting() {
  if [ -n "${!1+set}" ]; then printf '%s\n' "${!1}"; else sed -n "s/^$1=//p" "$deploy/.env"; fi
}

# official_image VARIABLE: its value in the environment, else the default of compose.yaml.
official_image() {
  if [ -n "${!1:-}" ]; then printf '%s\n' "${!1}"; else sed -n "s/.*\${$1:-\([^}]*\)}.*/\1/p" "$deploy/compose.yaml" | head -n 1; fi
}

# Images of registries where one can be pulled, else images from packages, which are built if they
# are not there. Where those exist, this machine was found to be without a registry before.
choose_images() {
  local choice=${LAKEHOUSE_IMAGES:-}
  if [ -z "$choice" ]; then
    if [ ! -f "$(image_env "$purpose")" ] && can_pull "$(official_image NODE_EXPORTER_IMAGE)"; then choice=official; else choice=packages; fi
  fi
  case $choice in
    official) rm -f "$(image_env "$purpose")" ;;
    packages)
      say "no image registry in reach: images come from packages"
      "$deploy/bare/images" --for "$purpose"
      ;;
    *) die "LAKEHOUSE_IMAGES takes official or packages, not $choice" ;;
  esac
}

# The containers of the platform, whatever their state: name, state with health, published ports.
platform_containers() {
  docker ps --all --filter "label=com.docker.compose.project=$prefix" --format '{{.Names}}\t{{.Status}}\t{{.Ports}}' | sort
}

# hash_of PATH…: what a container's label holds, so that Compose replaces it when its files change.
hash_of() { find "$@" -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | cut -d ' ' -f 1 | sha256sum | cut -c 1-16; }

# What the build of Grafana does, if one is at work.
grafana_step() {
  local pid
  pid=$(cat "$LAKEHOUSE_CACHE/log/add-grafana.pid" 2>/dev/null) && kill -0 "$pid" 2>/dev/null || return 1
  sed -n 's/^ *[0-9]*s  grafana: //p' "$LAKEHOUSE_CACHE/log/grafana.log" 2>/dev/null | tail -n 1 | grep . ||
    echo 'putting the image together'
}

# in_volume SERVICE FOLDER COMMAND…: runs it, as root, with the service's volume at /stored and the folder
# at /backup, in the image of PostgreSQL, which is there and has what an archive needs.
in_volume() {
  local service=$1 folder=$2
  shift 2
  docker run --rm --user 0 --network none --entrypoint '' \
    --volume "${prefix}_$service-data:/stored" --volume "$folder:/backup" \
    "$(docker inspect --format '{{.Config.Image}}' "$prefix-postgres")" "$@"
}
