#!/bin/sh
# Checks protos/ with buf: `buf.sh lint`, `buf.sh breaking`, or both without an argument.
#
# buf comes from npm, exactly the version of package-lock.json, into a folder outside the repository; nothing is installed
# globally. `breaking` compares with the last commit of main that changed protos/ (CONTRACTS_AGAINST names another ref); if
# that is what lies here, with the one before it. A break on purpose, while nobody depends on it yet, is said in the commit
# message with a line `Contract-break: <why>`; it is not checked again.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)

install_buf() {
    command -v npm >/dev/null || { echo "contracts: npm is missing; install Node.js 18 or newer" >&2; exit 2; }
    version=$(cksum < "$here/package-lock.json" | cut -d ' ' -f 1)
    cache=${XDG_CACHE_HOME:-$HOME/.cache}/akrab/contracts-$version
    buf=$cache/node_modules/.bin/buf
    [ -e "$cache/complete" ] && return
    echo "contracts: installing buf (once)" >&2
    mkdir -p "$cache"
    cp "$here/package.json" "$here/package-lock.json" "$cache/"
    # Not `npm ci`: it demands lock entries of buf's binaries for every platform, and not every registry carries them all.
    # `install` keeps to the versions and hashes that the lock has, too.
    (cd "$cache" && npm install --no-save --no-audit --no-fund --omit-lockfile-registry-resolved --loglevel=error >&2)
    touch "$cache/complete"
}

lint() {
    "$buf" lint "$root/protos"
    echo "contracts: buf lint found nothing"
}

# The commit to compare with, or nothing.
base_commit() {
    for ref in ${CONTRACTS_AGAINST:-main origin/main}; do
        base=$(git -C "$root" rev-list -1 "$ref" -- protos 2>/dev/null) || continue
        [ -n "$base" ] || continue
        if git -C "$root" diff --quiet "$base" -- protos; then
            older=$(git -C "$root" rev-list -1 --skip=1 "$ref" -- protos)
            # Without an older one, or where that one is not a tree of contracts, the newest is compared with itself.
            [ -z "$older" ] || ! git -C "$root" cat-file -e "$older:protos" 2>/dev/null || base=$older
        fi
        echo "$base"
        return
    done
}

breaking() {
    base=$(base_commit)
    if [ -z "$base" ]; then
        echo "contracts: no commit of main has protos/ yet, so nothing can be broken: skipped"
        return
    fi
    if [ -n "$(git -C "$root" log -1 --format=%h --grep='^Contract-break: ' "$base..HEAD" -- protos)" ]; then
        echo "contracts: a commit since $(git -C "$root" rev-parse --short "$base") breaks on purpose (Contract-break): skipped"
        return
    fi
    before=$(mktemp -d)
    trap 'rm -rf "$before"' EXIT
    git -C "$root" archive "$base" protos | tar -x -C "$before"
    "$buf" breaking "$root/protos" --against "$before/protos" --against-config "$root/protos/buf.yaml"
    echo "contracts: nothing breaks against $(git -C "$root" rev-parse --short "$base")"
}

install_buf
case ${1:-all} in
    lint) lint ;;
    breaking) breaking ;;
    all) lint; breaking ;;
    *) echo "usage: buf.sh [lint|breaking]" >&2; exit 2 ;;
esac
