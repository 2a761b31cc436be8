#!/bin/sh
# Makes the private environment .venv out of the hash-locked requirements, and does nothing when they are unchanged.
#   setup.sh runtime    what `make run` needs
#   setup.sh dev        that, and what tests and linters need
# PYTHON= chooses the interpreter. Run it in the checkout's root. Every trouble is one sentence.
set -eu

kind=${1:-runtime}
python=${PYTHON:-python3}
venv=.venv

refuse() {
    printf '\nakrab: %s\n' "$1" >&2
    exit 1
}

command -v "$python" >/dev/null 2>&1 ||
    refuse "$python is not installed: install Python 3.11 or later (Debian, Ubuntu: apt-get install python3 python3-venv)."
version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) ||
    refuse "$python does not run: install Python 3.11 or later, or name one with PYTHON=."
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    refuse "$python is Python $version and Akrab needs 3.11 or later: install it, or name one with PYTHON=python3.12."

files=requirements.lock
[ "$kind" = runtime ] || files="$files requirements-dev.lock"
for file in $files; do
    [ -f "$file" ] || refuse "$file is missing: the checkout is incomplete."
done
fingerprint_of() {
    cat "$@" | "$python" -c '
import hashlib, sys
print(hashlib.sha256(sys.stdin.buffer.read() + sys.version.encode()).hexdigest())'
}
fingerprint=$(fingerprint_of $files)
stamp=$venv/installed-$kind
works() { "$venv/bin/python" -c 'import sys; sys.exit(sys.prefix == sys.base_prefix)' 2>/dev/null; }

if works && [ "$(cat "$stamp" 2>/dev/null)" = "$fingerprint" ]; then
    exit 0
fi

make_venv() {
    rm -rf "$venv"
    if "$python" -m venv "$venv" >/dev/null 2>&1; then
        return
    fi
    # Debian without python3-venv: the module is there, ensurepip is not. Another pip can fill the environment.
    rm -rf "$venv"
    if "$python" -m pip --version >/dev/null 2>&1 && "$python" -m venv --without-pip "$venv" >/dev/null 2>&1; then
        return
    fi
    rm -rf "$venv"
    refuse "Python's venv module does not work here: install it (Debian, Ubuntu: apt-get install python3-venv) and try again."
}

works || make_venv
if "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
    pip="$venv/bin/python -m pip"
else
    pip="$python -m pip --python $venv/bin/python"
fi

rm -f "$venv"/installed-*
log=$venv/install.log
# The lock of development names every package of running again.
total=$(grep -c '^[A-Za-z0-9].*==' ${files##* } || true)
# Only ready-made packages for running: compiling on a user's machine fails late and in many words.
only=
[ "$kind" = dev ] || only="--only-binary :all:"
# shellcheck disable=SC2086  (the variables hold several words on purpose)
$pip install --require-hashes $only --disable-pip-version-check --no-input --progress-bar off $(printf ' -r %s' $files) \
    >"$log" 2>&1 &
installer=$!
trap 'kill $installer 2>/dev/null; exit 130' INT TERM HUP
began=$(date +%s)
while kill -0 $installer 2>/dev/null; do
    sleep 1
    seconds=$(($(date +%s) - began))
    if [ $((seconds % 3)) -eq 2 ]; then
        if grep -q '^Installing collected' "$log"; then
            doing="all fetched, unpacking"
        else
            doing="$(grep -c '^Collecting\|^Requirement already' "$log" || true) of about $total"
        fi
        printf '  Installing packages ... %s, %s s\n' "$doing" "$seconds"
    fi
done
if wait $installer; then
    printf '%s\n' "$fingerprint" >"$stamp"
    # What tests need holds what running needs.
    [ "$kind" = runtime ] || fingerprint_of requirements.lock >"$venv/installed-runtime"
    printf '  Installing packages: done in %s s\n' "$(($(date +%s) - began))"
    exit 0
fi
reason=$(grep -i '^error' "$log" | tail -n 1 || true)
if grep -q 'No matching distribution found' "$log"; then
    missing=$(sed -n 's/.*No matching distribution found for \([^ ]*\).*/\1/p' "$log" | tail -n 1)
    refuse "There is no ready-made package of $missing for this platform ($(uname -s) $(uname -m), Python $version), or no registry could be reached: use x86-64 or arm64 Linux with glibc and Python 3.11 to 3.13, and check pip's settings (log: $log)."
fi
if grep -qi 'do not match the hashes' "$log"; then
    refuse "A downloaded package is not the one that was tested (its hash differs): nothing of it was used (log: $log)."
fi
if grep -qi 'no space left' "$log"; then
    refuse "The disk is full: free about 500 MB and try again."
fi
refuse "The packages could not be installed: ${reason:-see $log} (log: $log)."
