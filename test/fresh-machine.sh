#!/usr/bin/env bash
# Proves README's promise: a copy of what is committed, an unprivileged user with an empty home, private ports, and
# README's own commands. Prints what took how long. As an ordinary user it runs as that user.
set -euo pipefail
cd "$(dirname "$0")/.."
source_dir=$PWD
port=${COVEY_FRESH_PORT:-47600}
place=$(mktemp -d /tmp/covey-fresh.XXXXXX)
user=
supervisor=

say() { printf 'fresh machine: %s\n' "$*"; }
as_user() { if [ -n "$user" ]; then runuser -u "$user" -- "$@"; else "$@"; fi; }

cleanup() {
  status=$?
  if [ -n "$supervisor" ] && kill -0 "$supervisor" 2>/dev/null; then kill -TERM "$supervisor" 2>/dev/null || true; sleep 5; fi
  [ "$status" = 0 ] || { say 'failed; the last of its output:'; tail -n 40 "$place/start.log" 2>/dev/null || true; }
  rm -rf "$place"
  [ -z "$user" ] || userdel "$user" 2>/dev/null || true
  exit "$status"
}
trap cleanup EXIT

if [ "$(id -u)" = 0 ]; then
  user=covey-fresh
  id "$user" >/dev/null 2>&1 || useradd --no-create-home --home-dir "$place/home" --shell /bin/bash "$user"
fi
mkdir "$place/home" "$place/covey"
git archive HEAD | tar -x -C "$place/covey"
[ -z "$user" ] || chown -R "$user" "$place"

for command in 'npm ci && npm start' 'npm ci && npm test'; do
  grep -qF "$command" "$source_dir/README.md" || { say "README lacks: $command"; exit 1; }
done

run() { as_user env HOME="$place/home" COVEY_PORT="$port" COVEY_HOME="$place/covey/.covey" bash -c "cd '$place/covey' && $1"; }

started=$SECONDS
run 'npm ci --loglevel=error' >"$place/install.log" 2>&1 || { cat "$place/install.log"; exit 1; }
say "npm ci took $((SECONDS - started)) s"

# Starts the cluster as README says, waits until it says that it is ready, and leaves the supervisor's pid in $supervisor.
start() {
  : >"$place/start.log"
  started=$SECONDS
  run 'exec npm start' >"$place/start.log" 2>&1 &
  for _ in $(seq 240); do
    grep -qE 'Covey (is ready|has resumed)' "$place/start.log" && break
    sleep 0.5
  done
  grep -qE 'Covey (is ready|has resumed)' "$place/start.log" || { say 'not ready after two minutes'; exit 1; }
  supervisor=$(run "node -p 'JSON.parse(require(\"fs\").readFileSync(\".covey/run.json\", \"utf8\")).pid'")
  say "$1 start took $((SECONDS - started)) s"
}

stop() {
  kill -INT "$supervisor"
  for _ in $(seq 60); do kill -0 "$supervisor" 2>/dev/null || break; sleep 0.5; done
  if kill -0 "$supervisor" 2>/dev/null; then say 'still running 30 s after Ctrl-C'; exit 1; fi
  left=$(pgrep -f "$place" -a | grep -v fresh-machine || true)
  [ -z "$left" ] || { say "left running: $left"; exit 1; }
}

start first
key=82341f882b6eabcd2ba7f1ef90aad961cf074af15b9ef44a09f9d2a8fbfbe6a2 # an account of the sample crawl
run "npx --no covey status"
run "npx --no covey lookup $key"
run "npx --no covey plan --follows $key"
note="a note from a fresh machine $RANDOM"
run "npx --no covey publish '$note' --elsewhere --json" >"$place/published.json"
author=$(run "node -p 'JSON.parse(require(\"fs\").readFileSync(\"$place/published.json\", \"utf8\")).pubkey'")
run "npx --no covey read $author" | grep -qF "$note"
say 'a note published to the wrong member was read from the right one'
epoch=$(run "npx --no covey status --json" | run "node -p 'JSON.parse(require(\"fs\").readFileSync(0, \"utf8\")).epoch'")
stop
start second
again=$(run "npx --no covey status --json" | run "node -p 'JSON.parse(require(\"fs\").readFileSync(0, \"utf8\")).epoch'")
[ "$epoch" = "$again" ] || { say "epoch $epoch became $again over a restart"; exit 1; }
run "npx --no covey read $author" | grep -qF "$note"
stop
say 'all commands of the README work, and nothing is left running'
