#!/usr/bin/env bash
# Checks everything: formatting, lints, documentation, all tests with real PC/SC clients among
# them, the C interface under AddressSanitizer, a soak, each fuzz target for some seconds, benchmarks
# (built, not run), licences and advisories of the dependencies.
#
# Needs Debian or Ubuntu with Rust. Installs the packages that are missing, asks for nothing, reads
# no standard input, writes to target/ only. The last line is the count; any failure is a non-zero
# exit code.
set -u -o pipefail
cd "$(dirname "${BASH_SOURCE[0]}")" || exit 1
exec < /dev/null
export CARGO_TERM_COLOR=never

deny_version=0.20.2
log=target/test-log
mkdir -p "$log"

passed=0 failed=0 skipped=0
failures=()
notes=()

headline() { printf '\n== %s (%d s)\n' "$1" "$SECONDS"; }
fail() { failed=$((failed + 1)); failures+=("$1"); }
skip() { skipped=$((skipped + 1)); notes+=("skipped: $1"); }

# A check that holds or does not: check NAME COMMAND...
check() {
    headline "$1"
    "${@:2}" 2>&1 || fail "$1"
}

# ---------------------------------------------------------------------------------------------
# What the tests need. A program or file, and the package it comes from.

have() {
    case $1 in
        /*) compgen -G "$1" > /dev/null ;;
        *) PATH=$PATH:/usr/sbin:/sbin command -v "$1" > /dev/null ;;
    esac
}

missing_packages() {
    local thing package
    while read -r thing package; do
        have "$thing" || echo "$package"
    done <<'LIST' | sort -u
cc gcc
pkg-config pkg-config
/usr/lib/*/libpcsclite.so libpcsclite-dev
pcscd pcscd
/usr/lib/pcsc/drivers/serial/libifdvpcd.so vsmartcard-vpcd
opensc-tool opensc
/usr/lib/*/opensc-pkcs11.so opensc-pkcs11
openssl openssl
gpg gnupg
gpgsm gpgsm
/usr/lib/gnupg*/scdaemon scdaemon
ip iproute2
unshare util-linux
chromium chromium
setpriv util-linux
script bsdutils
LIST
}

install_packages() {
    local packages as_root=()
    mapfile -t packages < <(missing_packages)
    [ ${#packages[@]} -eq 0 ] && { echo "All packages are there."; return 0; }
    if [ "$(id -u)" -ne 0 ]; then
        if ! sudo -n true 2> /dev/null; then
            echo "Please install what is missing, as root:"
            echo "    apt-get install ${packages[*]}"
            return 1
        fi
        as_root=(sudo -n)
    fi
    echo "Installing ${packages[*]}"
    local install=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive
        apt-get install --yes --quiet --no-install-recommends "${packages[@]}")
    "${install[@]}" > "$log/apt" 2>&1 && return 0
    # The package lists of a fresh machine are empty or old.
    if ! { "${as_root[@]}" apt-get update --quiet && "${install[@]}"; } > "$log/apt" 2>&1; then
        tail -n 20 "$log/apt"
        return 1
    fi
}

rust_components() {
    local component
    for component in fmt clippy; do
        cargo "$component" --version > /dev/null 2>&1 && continue
        rustup component add "${component/fmt/rustfmt}" || return 1
    done
}

if ! command -v cargo > /dev/null; then
    echo "cargo is not in PATH: install Rust first"
    exit 1
fi
check "Packages that the tests need" install_packages
check "Rust components" rust_components

# ---------------------------------------------------------------------------------------------
# Checks and tests.

# Adds up the result lines of every test binary; a run that ends badly without any failed test
# (it did not build, or it crashed) is one failure.
run_tests() {
    local file=$log/tests status counts
    headline "Tests"
    HSM2_PCSC_TESTS=required HSM2_BROWSER_TESTS=required cargo test --locked --workspace --all-features --no-fail-fast 2>&1 |
        tee "$file"
    status=${PIPESTATUS[0]}
    read -r -a counts < <(awk '/^test result: / {
        for (i = 1; i < NF; i++) {
            if ($(i + 1) == "passed;") passed += $i
            if ($(i + 1) == "failed;") failed += $i
            if ($(i + 1) == "ignored;") ignored += $i
        }
    } END { print passed + 0, failed + 0, ignored + 0 }' "$file")
    passed=$((passed + counts[0]))
    failed=$((failed + counts[1]))
    skipped=$((skipped + counts[2]))
    if [ "$status" -ne 0 ]; then
        [ "${counts[1]}" -eq 0 ] && failed=$((failed + 1))
        failures+=("Tests")
    elif [ "${counts[0]}" -eq 0 ]; then
        fail "Tests: none ran"
    fi
}

documentation() {
    RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps --all-features
}

check "Formatting" cargo fmt --all --check
check "Lints" cargo clippy --locked --workspace --all-targets --all-features -- -D warnings
check "Documentation" documentation
run_tests
# The C interface, used by a C program under AddressSanitizer.
c_interface() {
    local program=target/c-interface
    cargo build --locked --package hsm2-card || return 1
    cc -std=c11 -Wall -Wextra -Werror -g -fsanitize=address,undefined -I emulator/capi/include \
        -o "$program" emulator/capi/tests/card.c target/debug/libhsm2_card.a -lpthread -ldl -lm &&
        "$program"
}

check "C interface" c_interface
check "Rude clients, ten seconds" cargo run --locked --package hsm2-attack --bin soak -- 10
check "Fuzz targets, five seconds each" fuzz/run.sh 5
check "Benchmarks build" cargo build --locked --workspace --benches --all-features

# ---------------------------------------------------------------------------------------------
# Dependencies.

find_deny() {
    cargo deny --version 2> /dev/null && return 0
    export PATH=$PWD/target/tools/bin:$PATH
    cargo deny --version 2> /dev/null && return 0
    echo "Installing cargo-deny $deny_version below target/; two to four minutes, once."
    cargo install --quiet --locked --version "$deny_version" --root target/tools \
        --target-dir target/tools/build cargo-deny || return 1
    rm -rf target/tools/build
}

advisories() {
    headline "Advisories of the dependencies"
    if cargo deny check --hide-inclusion-graph advisories > "$log/advisories" 2>&1; then
        tail -n 1 "$log/advisories"
    elif grep -q "failed to fetch advisory database" "$log/advisories"; then
        echo "The advisory database cannot be fetched; this check did not run."
        skip "advisories of the dependencies (the database cannot be fetched)"
    else
        cat "$log/advisories"
        fail "Advisories of the dependencies"
    fi
}

headline "Licences and sources of the dependencies"
if find_deny; then
    cargo deny check --hide-inclusion-graph licenses bans sources ||
        fail "Licences and sources of the dependencies"
    advisories
else
    fail "cargo-deny cannot be installed"
fi

# ---------------------------------------------------------------------------------------------

headline "Done"
for note in "${notes[@]}"; do echo "$note"; done
for failure in "${failures[@]}"; do echo "FAILED: $failure"; done
printf '%d passed, %d failed' "$passed" "$failed"
[ "$skipped" -gt 0 ] && printf ', %d skipped' "$skipped"
printf '\n'
[ ${#failures[@]} -eq 0 ]
