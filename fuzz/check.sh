#!/usr/bin/env bash
# Tests the build script as ClusterFuzzLite and OSS-Fuzz call it:
#
#     fuzz/check.sh [SANITIZER...]     none and address when none is named; coverage is the third
#
# Every target must come out with its dictionary and its seeds and take its seeds, and leave a profile
# when it was built for coverage; and `cargo fuzz run` must run a target as the README says. Puts
# cargo-fuzz below target/tools when it is missing. Quick where fuzz/target is warm; a build with
# AddressSanitizer from nothing takes minutes. Needs zip and unzip.
set -eu -o pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
cargo_fuzz=0.13.2
sanitizers=("$@")
[ ${#sanitizers[@]} -eq 0 ] && sanitizers=(none address)

export PATH=$PWD/target/tools/bin:$PATH
if ! cargo fuzz --version > /dev/null 2>&1; then
    cargo install --quiet --locked --version "$cargo_fuzz" --root target/tools \
        --target-dir target/tools/build cargo-fuzz
    rm -rf target/tools/build
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
env -u OPENSSL_NO_VENDOR cargo build --quiet --locked --workspace --all-features --bin make-seeds
target/debug/make-seeds "$work/made" > "$work/log"
export SEEDS=$work/made LLVM_PROFILE_FILE=$work/profile
mapfile -t targets < <(basename -s .rs fuzz/fuzz_targets/*.rs)
for sanitizer in "${sanitizers[@]}"; do
    # A relative path, as people type it.
    out=$(realpath --relative-to=. "$work")/$sanitizer
    OUT=$out SANITIZER=$sanitizer fuzz/build.sh
    files=$(find "$out" -type f | wc -l)
    if [ "$files" -ne $((3 * ${#targets[@]})) ]; then
        echo "$files files for ${#targets[@]} targets"
        exit 1
    fi
    for name in "${targets[@]}"; do
        mkdir "$work/seeds"
        unzip -q "$out/${name}_seed_corpus.zip" -d "$work/seeds"
        "$out/$name" -runs=0 -rss_limit_mb=2048 -dict="$out/$name.dict" "$work/seeds" \
            > "$work/log" 2>&1 || { cat "$work/log"; exit 1; }
        rm -r "$work/seeds"
        [ "$sanitizer" != coverage ] || rm "$LLVM_PROFILE_FILE"
    done
    echo "$sanitizer: ${#targets[@]} targets, each with seeds and a dictionary"
    # What is built for coverage is run by itself.
    [ "$sanitizer" != coverage ] || continue
    mkdir "$work/corpus"
    # The folder and the compiler's wrapper are those of the build above: nothing is built again.
    built=fuzz/target told=()
    [ "$sanitizer" = none ] || { built=fuzz/target/$sanitizer told=(RUSTC_BOOTSTRAP=1); }
    env RUSTC_WRAPPER="$PWD/fuzz/rustc.sh" "${told[@]}" cargo fuzz run --release \
        --debug-assertions --sanitizer "$sanitizer" --target-dir "$built" tlv "$work/corpus" -- \
        -max_total_time=2 -rss_limit_mb=1024 -dict=fuzz/card.dict > "$work/log" 2>&1 ||
        { cat "$work/log"; exit 1; }
    tail -n 1 "$work/log"
    rm -rf "$work/corpus"
done
