#!/bin/sh
# Release what an overlay describes: `sh deploy.sh overlays/example`. Set the image's tag in its kustomization.yaml first.
#
# The database is migrated once, by a Job. Its failure stops the release before any pod is replaced. If the new pods do
# not become ready, the old ones keep serving.
set -eu
cd "$(dirname "$0")"

fail() {
    echo "The release failed: $1" >&2
    exit 1
}

command -v kubectl > /dev/null || fail "kubectl is not installed."
overlay=${1:-}
[ -f "$overlay/kustomization.yaml" ] || fail "'$overlay' is not an overlay. Usage: sh deploy.sh overlays/example"
manifests=$(kubectl kustomize "$overlay") || fail "kubectl cannot render $overlay, see above."
if printf '%s\n' "$manifests" | grep -q 'example\.com'; then
    fail "$overlay still has example.com. Replace it by your registry and your domain."
fi
namespace=$(sed -n 's/^namespace: *//p' "$overlay/kustomization.yaml")
[ -n "$namespace" ] || fail "$overlay/kustomization.yaml has no namespace."

kube() {
    kubectl --namespace "$namespace" "$@"
}

apply() {
    printf '%s\n' "$manifests" | kube apply --filename - --selector "$1"
}

for secret in secrets:SECRET_KEY database-app:uri; do
    value=$(kube get secret "${secret%:*}" --ignore-not-found --output "jsonpath={.data.${secret#*:}}")
    [ -n "$value" ] || fail "the Secret ${secret%:*} with the key ${secret#*:} is missing in $namespace. README.md has its command."
done

# The Job and what it needs. A Job cannot be changed, so the last one goes first.
kube delete job migrate --ignore-not-found
apply 'app.kubernetes.io/component!=web'
# It always ends, at the latest after its `activeDeadlineSeconds`. `kubectl wait` knows one of the two ends only.
while true; do
    ended=$(kube get job migrate --output 'jsonpath={.status.conditions[?(@.status=="True")].type}')
    case " $ended " in
    *" Complete "*) break ;;
    *" Failed "*)
        kube logs job/migrate --tail 30 >&2 || true
        fail "the database was not migrated. The old version is still serving."
        ;;
    esac
    sleep 2
done

apply 'app.kubernetes.io/component=web'
kube rollout status deployment/web ||
    fail "the new pods are not ready, the old ones are serving. Undo it: kubectl --namespace $namespace rollout undo deployment/web"
echo "The new version is serving."
