#!/bin/sh
# Replace the running containers by the present code, without a failed request: `just deploy` or `sh deploy.sh`.
#
# The new version starts in containers of its own, web-next. Once they are healthy the proxy switches to them, the
# containers of web are replaced, and the proxy switches back. Until then the old version serves, whatever fails.
set -eu
cd "$(dirname "$0")"

compose() {
    docker compose --profile deploy "$@"
}

# Start as many containers of the service as web has, and wait until they are healthy.
start() {
    compose up --detach --wait --wait-timeout 120 --no-deps --scale "$1=$replicas" "$@"
}

ready() {
    for index in $(seq "$replicas"); do
        compose exec -T --index "$index" "$1" python -c \
            "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/health/ready', timeout=10)" || return 1
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
    start web "$@" && switch web || fail "web did not become healthy, web-next is serving. Fix it and deploy again."
    compose rm --stop --force web-next
}

replicas=$(compose ps --all --quiet web | wc -l)
[ "$replicas" -gt 0 ] || fail "nothing is running yet. Start it with: docker compose up --build --wait"
# An earlier deployment was interrupted.
[ -z "$(compose ps --all --quiet web-next)" ] || finish --no-recreate

# Remove web-next, and give the name of the image back to the old version.
abandon() {
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
trap - INT TERM
finish
echo "The new version is serving."
