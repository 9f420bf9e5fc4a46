#!/bin/sh
# Installs orchestrate for this user, without root: fetches the archive for this system, compares its SHA-256 with the one
# that was published, and puts the program into ~/.local/bin.
#
#     curl -fsSL https://github.com/fpierfed/orchestrate/releases/latest/download/install.sh | sh
#
# Variables:
#   ORCHESTRATE_BASE_URL   where the archives and SHA256SUMS are, if not at the release on GitHub: https://… or file://…
#   ORCHESTRATE_BIN        where the program goes
#   ORCHESTRATE_TARGET     which build, such as x86_64-unknown-linux-musl; the one for this system if unset
set -eu

version=@VERSION@
base=${ORCHESTRATE_BASE_URL:-https://github.com/fpierfed/orchestrate/releases/download/v$version}
bin=${ORCHESTRATE_BIN:-${HOME:?}/.local/bin}

say() {
    printf 'orchestrate: %s\n' "$*"
}

fail() {
    printf 'orchestrate: error: %s\n' "$*" >&2
    exit 1
}

have() {
    command -v "$1" >/dev/null 2>&1
}

# The build for this system. On Linux the one for glibc, if there is one of 2.17 or later: its allocator is the one that
# most programs have, and musl's makes the built-in clients slower.
target() {
    machine=$(uname -m)
    case $machine in
    x86_64 | amd64) arch=x86_64 ;;
    aarch64 | arm64) arch=aarch64 ;;
    *) fail "there is no build for $machine: install it from source with \`cargo install redis-orchestrate\`" ;;
    esac
    case $(uname -s) in
    Linux)
        glibc=$(getconf GNU_LIBC_VERSION 2>/dev/null | sed -n 's/^glibc 2\.\([0-9]*\).*/\1/p')
        if [ "${glibc:-0}" -ge 17 ]; then echo "$arch-unknown-linux-gnu"; else echo "$arch-unknown-linux-musl"; fi
        ;;
    Darwin) echo "$arch-apple-darwin" ;;
    FreeBSD) echo "$arch-unknown-freebsd" ;;
    *) fail "there is no build for $(uname -s): install it from source with \`cargo install redis-orchestrate\`" ;;
    esac
}

# fetch NAME: a file from where the archives are, into the current directory.
fetch() {
    if have curl; then
        curl --fail --silent --show-error --location --output "$1" "$base/$1"
    elif have wget; then
        wget --quiet --output-document "$1" "$base/$1"
    else
        fail "neither curl nor wget is installed"
    fi || fail "failed to fetch $base/$1"
}

# sum FILE: its SHA-256.
sum() {
    if have sha256sum; then
        sha256sum "$1"
    elif have shasum; then
        shasum -a 256 "$1"
    elif have sha256; then
        sha256 -q "$1"
    else
        fail "there is no program that computes a SHA-256: none of sha256sum, shasum and sha256 is installed"
    fi | cut -d ' ' -f 1
}

# In a function, so that nothing is run if only a part of this script arrives.
main() {
    target=${ORCHESTRATE_TARGET:-$(target)}
    name=orchestrate-$version-$target
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    cd "$work"
    fetch SHA256SUMS
    expected=$(sed -n "s/^\([0-9a-f]\{64\}\)  $name\.tar\.gz\$/\1/p" SHA256SUMS)
    [ -n "$expected" ] || fail "there is no build for $target at $base"
    fetch "$name.tar.gz"
    found=$(sum "$name.tar.gz")
    [ "$found" = "$expected" ] || fail "$name.tar.gz is damaged: its SHA-256 is $found and should be $expected"
    tar -xzf "$name.tar.gz"
    mkdir -p "$bin"
    # Renamed, not written over: a program that runs may not be changed.
    cp "$name/orchestrate" "$bin/.orchestrate.new"
    chmod 755 "$bin/.orchestrate.new"
    mv -f "$bin/.orchestrate.new" "$bin/orchestrate"
    say "installed $("$bin/orchestrate" --version) as $bin/orchestrate"
    case ":$PATH:" in
    *":$bin:"*) ;;
    *) say "$bin is not on PATH; add it, or start the program by its full path" ;;
    esac
    have redis-server || have valkey-server ||
        say "there is no redis-server on PATH, which experiments start: \`orchestrate doctor\` says how to install it"
}

main
