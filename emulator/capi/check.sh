#!/usr/bin/env bash
# Builds the C interface, links the C program with it statically and dynamically, runs both under
# AddressSanitizer, and holds the names that the shared library exports against the header.
set -eu -o pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# As the tests are built, so that nothing is built twice.
cargo build --locked --workspace --all-features --lib
built=target/debug
compile() {
    cc -std=c11 -Wall -Wextra -Werror -g -fsanitize=address,undefined -I emulator/capi/include \
        -o "$1" emulator/capi/tests/card.c "${@:2}"
}

compile target/c-interface "$built/libhsm2_card.a" -lpthread -ldl -lm
target/c-interface
compile target/c-interface-shared -L "$built" -lhsm2_card -Wl,-rpath,"$PWD/$built"
# No pipe into `grep -q`: that one closes it at the first match, and ldd fails.
[[ $(ldd target/c-interface-shared) == *libhsm2_card.so* ]]
target/c-interface-shared

exported=$(nm --dynamic --defined-only "$built/libhsm2_card.so" | sed -n 's/.* T \(hsm2_.*\)/\1/p' | sort)
declared=$(grep -o '^[a-z].*hsm2_[a-z_]*(' emulator/capi/include/hsm2_card.h |
    grep -o 'hsm2_[a-z_]*($' | tr -d '(' | sort)
if [ -z "$exported" ] || [ "$exported" != "$declared" ]; then
    echo "exported: $exported"
    echo "declared: $declared"
    exit 1
fi
