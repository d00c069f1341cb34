#!/bin/sh
# Replace the running containers with the current code, without a failed request: `just deploy` or `sh deploy.sh`.
#
# The new version starts in containers of its own, web-next. Once they are healthy, the proxy switches to them, the
# containers of web are replaced, and the proxy switches back. Until the first switch the old version keeps serving,
# whatever fails.
set -eu
cd "$(dirname "$0")"

compose() {
    docker compose --profile deploy "$@"
}

# Start as many containers of the service as web has, and wait until they are healthy.
start() {
    compose up --detach --wait --wait-timeout 120 --no-deps --scale "$1=$replicas" "$@"
}

# Print what each container of the service responds to /health/ready, which must be a 200.
ready() {
    for index in $(seq "$replicas"); do
        compose exec -T --index "$index" "$1" python -c "
import http.client, os
connection = http.client.HTTPConnection('127.0.0.1:8000', timeout=20)
connection.request('GET', os.getenv('SCRIPT_NAME', '') + '/health/ready')
response = connection.getresponse()
print(response.read().decode())
raise SystemExit(response.status != 200)" || return 1
    done
}

# Send new requests to the service; the others have five seconds, and then `graceful_timeout`, to finish.
switch() {
    for proxy in $(compose ps --services | grep --line-regexp --regexp proxy --regexp https); do
        compose exec -T "$proxy" sh -c "echo $1 > /etc/caddy/next && mv /etc/caddy/next /etc/caddy/upstream" || return 1
    done
    sleep 5
}

fail() {
    echo "The deployment failed: $1" >&2
    exit 1
}

# Let web serve again, and remove web-next.
finish() {
    trap 'fail "it was interrupted, and web-next is serving. Deploy again: that finishes it first."' INT TERM
    start web "$@" && switch web || fail "web did not become healthy, and web-next is serving. Fix it and deploy again."
    compose rm --stop --force web-next
    trap - INT TERM
}

# Allow one deployment at a time, if flock is available, as on Linux. The lock ends with this process.
exec 9< deploy.sh
! command -v flock > /dev/null || flock --nonblock 9 || fail "another deployment is running. Try again after it."

replicas=$(compose ps --all --quiet web | wc -l)
[ "$replicas" -gt 0 ] || fail "nothing is running yet. Start it with: docker compose up --build --wait"
# If web-next exists, an earlier deployment was interrupted: finish it.
[ -z "$(compose ps --all --quiet web-next)" ] || finish --no-recreate

# Go back to web, remove web-next, and give the name of the image back to the old version.
abandon() {
    trap '' INT TERM
    [ -z "$(compose ps --quiet web-next)" ] || switch web
    compose logs --tail 30 web-next
    compose rm --stop --force web-next
    docker tag "$old" "$image"
    fail "$1 The old version is still serving."
}

container=$(compose ps --all --quiet web | head -n 1)
old=$(docker inspect --format '{{.Image}}' "$container")
image=$(docker inspect --format '{{.Config.Image}}' "$container")
trap 'abandon "it was interrupted."' INT TERM
compose build web || abandon "the image cannot be built."
compose run --rm migrate || abandon "the database cannot be migrated."
start web-next && ready web-next && switch web-next || abandon "the new version did not become healthy."
finish
echo "The new version is serving."
