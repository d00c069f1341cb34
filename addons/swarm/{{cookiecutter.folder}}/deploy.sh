#!/bin/sh
# Deploy a release, which is the tag of an image that every node can pull: `sh deploy.sh 1.4.2`.
#
# A job migrates the database. Then Swarm replaces the replicas one by one: the old one serves until the new one is
# healthy, and Swarm rolls back if it does not become healthy.
set -eu
cd "$(dirname "$0")"
stack={{ cookiecutter.project_slug }}
{% raw %}
fail() {
    echo "The deployment failed: $1" >&2
    exit 1
}

[ $# -eq 1 ] || set -- ""
case $1 in
    "" | [!A-Za-z0-9_]* | *[!A-Za-z0-9_.-]*) fail "it needs the tag of an image: sh deploy.sh RELEASE" ;;
esac
export RELEASE="$1"
CADDYFILE=$(cksum < Caddyfile | cut -d " " -f 1)
export CADDYFILE

[ "$(docker info --format '{{.Swarm.ControlAvailable}}')" = true ] ||
    fail "the Docker engine is not a manager of a swarm. README.md, \"Create the swarm\", has the commands."
for secret in "${stack}_secret_key" "${stack}_database_url"; do
    docker secret inspect "$secret" > /dev/null 2>&1 ||
        fail "the secret $secret is missing. README.md, \"Create the secrets\", has the command."
done

# A config is a lock for the whole swarm: only one can be created under a name.
lock=${stack}_deployment
error=$(echo "$RELEASE" | docker config create "$lock" - 2>&1 > /dev/null) || {
    docker config inspect "$lock" > /dev/null 2>&1 || fail "$error"
    fail "another one is running. If it was killed, remove its lock: docker config rm $lock"
}
trap 'docker config rm "$lock" > /dev/null' EXIT
trap 'fail "it was interrupted. Swarm completes an update that has begun: docker service ps ${stack}_web"' INT TERM

deploy() {
    docker stack deploy --detach --with-registry-auth --resolve-image changed --compose-file "$1" "$stack" ||
        fail "Docker did not accept $1."
}

# Print the tasks of the services that have ended and are not among `known`: their ids, nodes, states and errors.
ended() {
    docker service ps --no-trunc --format '{{.ID}} {{.Node}} {{.CurrentState}} {{.Error}}' "$@" |
        grep -E '^[^ ]+ [^ ]* (Failed|Rejected|Complete)' | grep -v -F "${known:-no task}" || true
}

# Print the log and the state of the first of these tasks.
explain() {
    ended "$@" | head -n 1 | while read -r task message; do
        docker service logs --raw --tail 20 "$task" 2>&1 || true
        echo "$message"
    done
}

# Not kept when it has ended: Swarm would run it again after the loss of the node that it ran on.
job=${stack}_migrate
trap 'docker service rm "$job" > /dev/null 2>&1 || true; docker config rm "$lock" > /dev/null' EXIT
known=
docker service rm "$job" > /dev/null 2>&1 || true
deploy migrate.yml
echo "Migrating the database. The progress of the job: docker service ps $job"
while :; do
    case $(ended "$job") in
        *" Complete "*) break ;;
        ?*)
            explain "$job"
            fail "the database could not be migrated. What was serving is still serving."
            ;;
    esac
    sleep 1
done
docker service logs --raw --tail 20 "$job" || true
docker service rm "$job" > /dev/null

web=${stack}_web
proxy=${stack}_proxy
# How many seconds without an update show that Swarm has none to make: the first deployment is none.
if docker service inspect "$web" > /dev/null 2>&1; then settled=5; else settled=1; fi
known=$(docker service ps --quiet --no-trunc "$web" "$proxy" 2> /dev/null || true)
deploy stack.yml
echo "Waiting for Swarm. Its progress: docker service ps $web"
calm=0
# `docker service update` and `docker stack deploy` exit with 0 after a rollback, too.
while [ "$calm" -lt "$settled" ]; do
    sleep 1
    # Without a leader the managers refuse, for seconds.
    states=$(docker service inspect --format '{{.Spec.Name}}:{{with .UpdateStatus}}{{.State}}{{end}}' "$web" "$proxy") ||
        continue
    case $states in
        *:rollback_completed*)
            failed=$(echo "$states" | sed -n 's/:rollback_completed//p' | head -n 1)
            explain "$failed"
            fail "$failed did not become healthy, and Swarm rolled it back. Its old version is still serving."
            ;;
        *paused*)
            explain "$web" "$proxy"
            fail "Swarm stopped the update. The commands of README.md, \"Roll back\", start the old version."
            ;;
        *:updating* | *:rollback_started*) calm=0 ;;
        *:completed*) break ;;
        *)
            # Swarm starts a replica again, and rolls nothing back. A few may fail while the new network spreads.
            if [ "$settled" = 1 ] && [ "$(ended "$web" "$proxy" | wc -l)" -gt 3 ]; then
                explain "$web" "$proxy"
                fail "release $RELEASE does not start. Fix it and deploy again."
            fi
            waiting=$(docker stack services --format '{{.Replicas}}' "$stack" | awk -F '[/ ]' '$1 != $2')
            if [ -z "$waiting" ]; then calm=$((calm + 1)); else calm=0; fi
            ;;
    esac
done
echo "Release $RELEASE is serving."
{%- endraw %}
