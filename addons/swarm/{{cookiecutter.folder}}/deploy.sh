#!/bin/sh
# Deploy a release, which is the tag of an image that every node can pull: `sh deploy.sh 1.4.2`.
#
# A job migrates the database. Then Swarm replaces the replicas one by one: the old one serves until the new one is
# healthy, and Swarm rolls back if it does not become healthy.
set -eu
cd "$(dirname "$0")"
stack={{ cookiecutter.project_slug }}
{% raw %}
# Seconds without any update until the replicas count as unchanged.
settled=5

fail() {
    echo "The deployment failed: $1" >&2
    exit 1
}

case ${1-} in
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

# Print the error and the log of the first failed task of a service.
explain() {
    docker service ps --no-trunc --format '{{.ID}} {{.Node}}: {{.CurrentState}} {{.Error}}' "$1" |
        grep --max-count 1 -E '^[^:]*: (Failed|Rejected)' | while read -r task message; do
        echo "$message"
        docker service logs --raw --tail 20 "$task" 2>&1 || true
    done
}

# Print one line for each task of a service that has failed.
failures() {
    docker service ps --format '{{.CurrentState}}' "$1" | grep -E '^(Failed|Rejected)' || true
}

job=${stack}_migrate
docker service rm "$job" > /dev/null 2>&1 || true
deploy migrate.yml
until docker service ps --format '{{.CurrentState}}' "$job" | grep -q '^Complete'; do
    if [ -n "$(failures "$job")" ]; then
        explain "$job"
        fail "the database could not be migrated. What was serving is still serving."
    fi
    sleep 1
done

web=${stack}_web
docker service inspect "$web" > /dev/null 2>&1 && first=false || first=true
deploy stack.yml
calm=0
# `docker service update` and `docker stack deploy` exit with 0 after a rollback, too.
while [ "$calm" -lt "$settled" ]; do
    sleep 1
    state=$(docker service inspect --format '{{with .UpdateStatus}}{{.State}}{{end}}' "$web")
    case $state in
        completed) break ;;
        rollback_completed)
            explain "$web"
            fail "release $RELEASE did not become healthy, and Swarm rolled back. The old version is still serving."
            ;;
        *paused)
            explain "$web"
            fail "Swarm stopped the update ($state). See docker service ps $web"
            ;;
        "")
            # The first deployment, or one that changes no replica: Swarm reports no update.
            if [ "$first" = true ] && [ -n "$(failures "$web")" ]; then
                explain "$web"
                fail "release $RELEASE does not start. Fix it and deploy again."
            fi
            waiting=$(docker stack services --format '{{.Name}} {{.Replicas}}' "$stack" |
                awk -v job="$job" '$1 != job { split($2, tasks, "/"); if (tasks[1] != tasks[2]) print }')
            if [ -z "$waiting" ]; then calm=$((calm + 1)); else calm=0; fi
            ;;
        *) calm=0 ;;
    esac
done
echo "Release $RELEASE is serving."
{% endraw %}
