#!/usr/bin/env bash
# Checks everything: formatting, lints (benchmarks among what they compile), documentation, all tests
# with real PC/SC clients among them, the C interface under AddressSanitizer, a soak, each fuzz target
# for some seconds, licences and advisories of the dependencies.
#
# Needs Debian or Ubuntu with Rust. Installs the packages that are missing, asks for nothing, reads
# no standard input, writes to target/ only. The last line is the count; any failure is a non-zero
# exit code.
set -u -o pipefail
cd "$(dirname "${BASH_SOURCE[0]}")" || exit 1
exec < /dev/null
export CARGO_TERM_COLOR=never

deny_version=0.20.2 fuzz_version=0.13.2 cbindgen_version=0.29.4
log=target/test-log
mkdir -p "$log"

passed=0 failed=0 skipped=0 checks=0
failures=()
notes=()
repeated=()

headline() { printf '\n== %s (%d s)\n' "$1" "$SECONDS"; }
fail() { failed=$((failed + 1)); failures+=("$1"); }
skip() { skipped=$((skipped + 1)); notes+=("skipped: $1"); }

# A check that holds or does not: check NAME COMMAND... What a failed one printed comes again at the
# end, where people look.
check() {
    local said=$log/said-$((++checks))
    headline "$1"
    "${@:2}" > >(tee "$said") 2>&1 && return 0
    fail "$1"
    repeated+=("$said")
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
nm binutils
c++ g++
zip zip
unzip unzip
make make
perl perl
/usr/include/stdio.h libc6-dev
/usr/include/openssl/ssl.h libssl-dev
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

# The header of the C interface is what the sources say.
header() {
    cbindgen --config emulator/capi/cbindgen.toml --output "$log/hsm2_card.h" emulator/capi/src/lib.rs &&
        diff emulator/capi/include/hsm2_card.h "$log/hsm2_card.h"
}

documentation() {
    RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps --all-features
}

cargo_test() {
    HSM2_PCSC_TESTS=required HSM2_BROWSER_TESTS=required \
        cargo test --locked --workspace --all-features --no-fail-fast "$@" 2>&1
}

# The integration tests that do not wait for PC/SC clients most of their time.
other_tests() {
    cargo metadata --locked --no-deps --format-version 1 |
        grep -o '"kind":\["test"\],"crate_types":\["bin"\],"name":"[^"]*"' |
        sed 's/.*"name":"\(.*\)"/\1/' | grep -vx pcsc
}

# Adds up the result lines of test binaries: add_up NAME STATUS LOG. A run that ends badly without any
# failed test (it did not build, or it crashed) is one failure.
add_up() {
    local counts
    read -r -a counts < <(awk '/^test result: / {
        for (i = 1; i < NF; i++) {
            if ($(i + 1) == "passed;") passed += $i
            if ($(i + 1) == "failed;") failed += $i
            if ($(i + 1) == "ignored;") ignored += $i
        }
    } END { print passed + 0, failed + 0, ignored + 0 }' "$3")
    passed=$((passed + counts[0]))
    failed=$((failed + counts[1]))
    skipped=$((skipped + counts[2]))
    if [ "$2" -ne 0 ]; then
        [ "${counts[1]}" -eq 0 ] && failed=$((failed + 1))
        failures+=("$1")
        sed -n '/^failures:/,/^test result/p' "$3" > "$3-failed"
        [ -s "$3-failed" ] || cp "$3" "$3-failed"
        repeated+=("$3-failed")
    elif [ "${counts[0]}" -eq 0 ]; then
        fail "$1: none ran"
    fi
}

# The tests with PC/SC clients go on beside the others: they mostly wait.
run_tests() {
    local pcsc status others=()
    headline "Building the tests"
    cargo_test --no-run > "$log/build" || { tail -n 60 "$log/build"; fail "Building the tests"; return; }
    mapfile -t others < <(other_tests)
    cargo_test --test pcsc > "$log/pcsc" &
    pcsc=$!

    headline "Tests"
    cargo_test --lib --bins "${others[@]/#/--test=}" | tee "$log/tests"
    add_up "Tests" "${PIPESTATUS[0]}" "$log/tests"
    headline "Examples in the documentation"
    cargo_test --doc | tee "$log/doc"
    add_up "Examples in the documentation" "${PIPESTATUS[0]}" "$log/doc"

    headline "Tests with PC/SC clients"
    wait "$pcsc"
    status=$?
    cat "$log/pcsc"
    add_up "Tests with PC/SC clients" "$status" "$log/pcsc"
}

# Tools that some machines have, and others build below target/ beside everything else. Without
# optimisation: each runs for seconds.
tools=$PWD/target/tools
install_tool() {
    local name=$1 version=$2
    [[ $name == cargo-* ]] && cargo "${name#cargo-}" --version 2> /dev/null && return 0
    [ -x "$tools/bin/$name" ] && return 0
    nice -n 19 cargo install --quiet --locked --debug --version "$version" --root "$tools" \
        --target-dir "$tools/build" "$name"
}

install_tools() {
    install_tool cargo-deny "$deny_version" && install_tool cargo-fuzz "$fuzz_version" &&
        install_tool cbindgen "$cbindgen_version" && rm -rf "$tools/build"
}

install_tools > "$log/tools" 2>&1 &
installing=$!

check "Formatting" cargo fmt --all --check
check "Lints" cargo clippy --locked --workspace --all-targets --all-features -- -D warnings
check "Documentation" documentation
run_tests
# All packages together, as the tests were built: alone, each would have its dependencies built anew.
check "Programs and libraries" cargo build --locked --workspace --all-features
check "C interface" emulator/capi/check.sh
target/debug/soak 60 > "$log/soak" 2>&1 &
soak=$!
# The targets take the machine's own OpenSSL: building another takes minutes. Programs and tests have
# it built from source, as users do.
check "Fuzz targets, five seconds each" env OPENSSL_NO_VENDOR=1 fuzz/run.sh 5
check "Rude clients, a minute" wait "$soak"
cat "$log/soak"
check "Tools" wait "$installing"
cat "$log/tools"
export PATH=$tools/bin:$PATH
check "Header of the C interface" header
check "Build script of the fuzz targets" env OPENSSL_NO_VENDOR=1 fuzz/check.sh none

# ---------------------------------------------------------------------------------------------
# Dependencies.

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
cargo deny check --hide-inclusion-graph licenses bans sources ||
    fail "Licences and sources of the dependencies"
advisories

# ---------------------------------------------------------------------------------------------

headline "Done"
for said in "${repeated[@]}"; do tail -n 60 "$said"; done
for note in "${notes[@]}"; do echo "$note"; done
for failure in "${failures[@]}"; do echo "FAILED: $failure"; done
printf '%d passed, %d failed' "$passed" "$failed"
[ "$skipped" -gt 0 ] && printf ', %d skipped' "$skipped"
printf '\n'
[ ${#failures[@]} -eq 0 ]
