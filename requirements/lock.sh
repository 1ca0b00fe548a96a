#!/usr/bin/env bash
# Renew the two locks from pyproject.toml: requirements/all.txt (users) and requirements/dev.txt (everybody here).
#
#   make lock            newest versions that pyproject.toml allows
#
# The locks hold names, versions and hashes, never an address: pip takes the packages from wherever it is configured to.
# They are made on the oldest Python that is supported, 3.11.
set -euo pipefail
cd "$(dirname "$0")/.."

compile() {
    local lock=$1
    shift
    pip-compile --quiet --upgrade --generate-hashes --strip-extras --no-header --no-annotate --allow-unsafe \
        --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --no-emit-options \
        --unsafe-package aftertrace --output-file "$lock.new" "$@"
    # The project itself is installed from the working tree.
    sed -e '/^# WARNING/d' -e '/^# Consider/d' -e '/^aftertrace @/d' -e '/^# The following packages/d' -e '/^# aftertrace/d' \
        "$lock.new" >"$lock"
    rm "$lock.new"
}

compile requirements/all.txt --extra all pyproject.toml requirements/build.in
compile requirements/dev.txt --extra all pyproject.toml requirements/build.in requirements/dev.in \
    --constraint requirements/all.txt
