#!/usr/bin/env bash
# Runs the tests: `run.sh [STAGE…]`, all stages without names. Prepares a bare machine by itself.
# A stage that fails does not stop the others; the last line is `N passed, N failed, N skipped`.
#
#   format lint unit     the code, and the exporters as processes; need nothing but cargo
#   instructions         what statsd-exporter's hot paths take, counted by Valgrind; not a matter of time
#   pages                what a person sees of an exporter, in Chromium
#   integration          exporters against real servers in containers
#   rules                configuration and rules, by promtool and amtool
#   e2e                  the platform, as a second project beside one that may run
#   versions             postgres-exporter against other versions of PostgreSQL; by name only, since on a
#                        bare machine an image of each is built
set -euo pipefail
export LAKEHOUSE_FOR=test
. "$(dirname "$0")/../deploy/lib.sh"
. "$LAKEHOUSE_ROOT/deploy/platform.sh"
. "$LAKEHOUSE_ROOT/deploy/bare/debian.sh"
cd "$LAKEHOUSE_ROOT"

passed=0 failed=0 skipped=0
failures=()
logs=$LAKEHOUSE_CACHE/log/test
mkdir -p "$logs"

main() {
  local stages=("$@") stage
  [ ${#stages[@]} -gt 0 ] || stages=(format lint unit instructions pages rules integration e2e)
  for stage in "${stages[@]}"; do
    case $stage in
      format | lint | unit | instructions | pages | rules | integration | e2e | versions) "stage_$stage" ;;
      *) die "no such stage: $stage (format lint unit instructions pages rules integration e2e versions)" ;;
    esac
  done
  for stage in "${failures[@]}"; do say "failed: $stage"; done
  printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
  [ "$failed" -eq 0 ]
}

stage_format() { one "format" cargo fmt --all --check; }
stage_lint() { one "clippy" cargo clippy --workspace --all-targets --all-features --locked -- -D warnings; }
stage_unit() { cargo_tests "unit tests" --workspace; }

stage_instructions() { one "instructions" "$deploy/bench-instructions"; }

stage_pages() {
  have chromium || install_packages chromium
  cargo_tests "pages in Chromium" --package e2e --features browser --test pages
}

stage_integration() {
  containers
  "$deploy/images/build" statsd-exporter
  cargo_tests "integration tests" --package e2e --features containers --test integration --test formats --test valkey --test valkey_keys --test alerting --test postgres_collectors --test postgres_faults --test postgres_extremes --test postgres_tls --test postgres_pgbouncer
}

stage_versions() {
  containers
  if [ -f "$(image_env test)" ]; then
    "$deploy/bare/images" --for test postgres-13 postgres-15 postgres-18
    set -a
    # shellcheck disable=SC1090
    . "$(image_env test)"
    set +a
    export POSTGRES_VERSIONS_TEST_IMAGES="$POSTGRES_13_IMAGE $POSTGRES_15_IMAGE $POSTGRES_IMAGE $POSTGRES_18_IMAGE"
  fi
  cargo_tests "versions of PostgreSQL" --package e2e --features containers --test postgres_versions
}

# The platform of the end-to-end tests is a project of its own: tests/tests/platform/stack.rs.
stage_e2e() {
  containers
  grafana_if_there
  prometheus_with_pages_if_there
  "$deploy/images/build"
  cargo_tests "end-to-end tests" --package e2e --features containers --test platform
}

# Grafana's image is used where there is one, and never built; the browser is installed where it may be.
grafana_if_there() {
  unset E2E_GRAFANA
  if [ "${GRAFANA:-1}" = 0 ] || ! can_pull "$(official_image GRAFANA_IMAGE)"; then
    say "no image of Grafana here (make up builds one): the tests that need it are skipped"
    return
  fi
  export E2E_GRAFANA=1
  have chromedriver || ! can_install || install_packages chromium chromium-driver ||
    say "no chromedriver here: the tests that need a browser are skipped"
}

# An official image has them; of those from packages, the one that `make up` uses, if it was built.
prometheus_with_pages_if_there() {
  local image
  if [ -f "$(image_env test)" ]; then
    image=$(sed -n 's/^PROMETHEUS_IMAGE=//p' "$(image_env up)" 2>/dev/null || true)
    if [ -z "$image" ] || ! image_present "$image"; then
      say "no Prometheus with pages here (make up builds one): the test of its pages is skipped"
      return
    fi
  else
    image=$PROMETHEUS_IMAGE
  fi
  export PROMETHEUS_PAGES_IMAGE=$image
}

stage_rules() {
  containers
  one "promtool check config" promtool check config --lint=all --lint-fatal /etc/prometheus/prometheus.yml
  local file
  for file in rules/*.yml; do
    one "promtool check ${file##*/}" promtool check rules --lint=all --lint-fatal "/repository/$file"
    one "promtool test ${file##*/}" promtool test rules "/repository/rules/tests/${file##*/}"
  done
  one "amtool check-config" amtool check-config /repository/deploy/alertmanager/alertmanager.yml
}

# one NAME COMMAND…: a check that counts as one test.
one() {
  local name=$1 log=$logs/${1// /-}.log
  shift
  say "$name"
  if "$@" >"$log" 2>&1; then
    passed=$((passed + 1))
  else
    tail -n 60 "$log"
    failed=$((failed + 1)) failures+=("$name: $log")
  fi
}

# cargo_tests NAME CARGO-ARGUMENTS…: counts what each test binary reports of itself. One that does not
# even compile, or dies, counts as a failure.
cargo_tests() {
  local name=$1 log=$logs/${1// /-}.log status=0 ok bad ignored
  shift
  say "$name"
  cargo test --locked --no-fail-fast "$@" 2>&1 | tee "$log" || status=$?
  read -r ok bad ignored < <(awk '/^test result:/ { ok += $4; bad += $6; ignored += $8 } END { print ok + 0, bad + 0, ignored + 0 }' "$log")
  [ "$status" -eq 0 ] || [ "$bad" -gt 0 ] || bad=1
  passed=$((passed + ok)) failed=$((failed + bad)) skipped=$((skipped + ignored))
  [ "$bad" -eq 0 ] || failures+=("$name: $log")
}

# An engine and images, once. Their names go into the environment for the tests: the variables of
# compose.yaml, and *_TEST_IMAGE for the servers that integration tests start one by one.
prepared=
containers() {
  [ -z "$prepared" ] || return 0
  "$deploy/bare/engine" start
  choose_images
  local variable
  if [ -f "$(image_env test)" ]; then
    set -a
    # shellcheck disable=SC1090
    . "$(image_env test)"
    set +a
  fi
  # The last 2.x, which people still scrape with; no service of the platform runs it.
  export PROMETHEUS_2_IMAGE=${PROMETHEUS_2_IMAGE:-prom/prometheus:v2.53.5}
  export PGBOUNCER_IMAGE=${PGBOUNCER_IMAGE:-edoburu/pgbouncer:v1.24.1-p1}
  for variable in POSTGRES PGBOUNCER VALKEY SEAWEEDFS PROMETHEUS PROMETHEUS_2 ALERTMANAGER; do
    export "${variable}_IMAGE=$(official_image "${variable}_IMAGE")"
    export "${variable}_TEST_IMAGE=$(official_image "${variable}_IMAGE")"
  done
  prepared=1
}

promtool() {
  docker run --rm --entrypoint promtool \
    --volume "$LAKEHOUSE_ROOT:/repository:ro" \
    --volume "$deploy/prometheus/prometheus.yml:/etc/prometheus/prometheus.yml:ro" \
    --volume "$deploy/prometheus/profile/trino:/etc/prometheus/profile:ro" \
    --volume "$LAKEHOUSE_ROOT/rules/lakehouse.yml:/etc/prometheus/alert_rules.yml:ro" \
    --volume "$LAKEHOUSE_ROOT/rules:/etc/prometheus/rules:ro" \
    "$PROMETHEUS_IMAGE" "$@"
}

amtool() {
  docker run --rm --entrypoint amtool --volume "$LAKEHOUSE_ROOT:/repository:ro" "$ALERTMANAGER_IMAGE" "$@"
}

main "$@"
