#!/usr/bin/env bash
# Builds the image as deploy/images/Containerfile says and runs gateway, identity and contacts from it,
# without a container engine's daemon, against PostgreSQL and NATS from the wheels (image_check.py).
#
#   tools/image_check.sh            the whole check
#   tools/image_check.sh --build    only: the image builds and its entry point answers
#
# Needs root on Debian or Ubuntu; installs what is missing with apt-get. Containers, images and servers live in
# a folder of this run and go with it; only downloads are kept (AKRAB_CACHE, default ~/.cache/akrab).
set -euo pipefail
cd "$(dirname "$0")/.."

python=${PYTHON:-python3}
suite=${BASE_SUITE:-trixie}
cache=${AKRAB_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/akrab}
image=localhost/akrab:check

say() { printf '%s image check: %s\n' "$(date +%T)" "$*"; }

if [[ $EUID -ne 0 ]] || ! command -v apt-get >/dev/null; then
    say "skipped: needs root and apt-get"
    [[ ${CI:-} == true ]] && exit 1 || exit 0
fi

work=$(mktemp -d -t akrab-image-XXXXXX)
cleanup() {
    # Only what this run's own storage holds.
    podman rm --all --force --time 2 >/dev/null 2>&1 || true
    buildah rm --all >/dev/null 2>&1 || true
    umount "$work/storage/overlay" 2>/dev/null || true
    rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

# The machine may lack CAP_SYS_RESOURCE (no ulimits) and have hybrid cgroups (runc, cgroupfs).
cat >"$work/containers.conf" <<CONF
[containers]
default_ulimits = []
[engine]
cgroup_manager = "cgroupfs"
runtime = "runc"
events_logger = "file"
[network]
network_backend = "netavark"
CONF
cat >"$work/storage.conf" <<CONF
[storage]
driver = "overlay"
graphroot = "$work/storage"
runroot = "$work/run"
CONF
export CONTAINERS_CONF=$work/containers.conf CONTAINERS_STORAGE_CONF=$work/storage.conf

install_tools() {
    local tools=(buildah podman runc crun conmon netavark aardvark-dns catatonit iptables mmdebstrap)
    dpkg --status "${tools[@]}" >/dev/null 2>&1 && return
    say "installing ${tools[*]}"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${tools[@]}" \
        >"$work/apt.log" 2>&1 || { tail -20 "$work/apt.log"; return 1; }
}

make_base() {
    local tar=$cache/base-$suite.tar mirror
    if [[ ! -f $tar ]]; then
        # The mirror is the one this machine's apt uses, whichever that is.
        mirror=$(apt-get indextargets --format '$(REPO_URI)' \
            'Created-By: Packages' 'Origin: Debian' 'Label: Debian' | head -n 1)
        [[ -n $mirror ]] || { say "apt knows no Debian mirror; run apt-get update"; return 1; }
        say "making the base ($suite)"
        rm -rf "$tar" "$tar.new"
        mmdebstrap --quiet --format=tar --variant=minbase --include=python3,python3-venv,ca-certificates \
            --aptopt='Acquire::Check-Valid-Until "false"' "$suite" "$tar.new" "$mirror"
        mv "$tar.new" "$tar"
    fi
    podman import --quiet "$tar" localhost/base:check >/dev/null
}

fetch_wheels() {
    local version
    version=$(podman run --rm --network none localhost/base:check \
        python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    wheels=$cache/wheels-$version
    mkdir -p "$wheels"
    say "fetching wheels for Python $version"
    "$python" -m pip download -qq --require-hashes --prefer-binary --no-deps \
        --python-version "$version" --dest "$wheels" --requirement requirements.lock
    # nkeys comes as source; pip builds it in the image with this.
    "$python" -m pip download -qq --no-deps --dest "$wheels" setuptools
}

build_image() {
    say "building"
    buildah bud --quiet --isolation chroot --build-arg BASE=localhost/base:check \
        --volume "$wheels:/wheels:ro" --file deploy/images/Containerfile --tag "$image" . \
        >"$work/build.log" 2>&1 || { tail -40 "$work/build.log"; return 1; }
    podman run --rm --network none --read-only --cap-drop all "$image" --help >/dev/null
    say "built, $(podman image inspect --format '{{.Size}}' "$image" | awk '{printf "%d MB", $1/1e6}')"
}

mkdir -p "$cache"
install_tools
make_base
fetch_wheels
build_image
[[ ${1:-} == --build ]] || "$python" -m tools.image_check "$image"
say "passed"
