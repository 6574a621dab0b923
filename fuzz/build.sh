#!/usr/bin/env bash
# Builds every fuzz target into $OUT with its seeds and the dictionary: what OSS-Fuzz and
# ClusterFuzzLite run in their images, and what works in a checkout too:
#
#     OUT=DIR fuzz/build.sh
#
# SANITIZER is address (default), none, or coverage, which is none with LLVM's coverage counters.
# SEEDS is a folder that make-seeds has filled, when there is one.
set -eu
: "${OUT:?where the targets go}" "${SANITIZER:=address}"
mkdir -p "$OUT"
OUT=$(cd "$OUT" && pwd)
cd "$(dirname "${BASH_SOURCE[0]}")"

# Each sanitizer has its own folder, so that neither throws the other's work away; the one without
# shares that of run.sh.
built=target
[ "$SANITIZER" = none ] || built=target/$SANITIZER

sanitizer=$SANITIZER
if [ "$SANITIZER" = coverage ]; then
    sanitizer=none
    export RUSTFLAGS="${RUSTFLAGS-} -Cinstrument-coverage"
fi

# A stable compiler takes the flag for sanitizers when it is told to. Without need it is not told:
# crates that ask for it would be built again.
[ "$sanitizer" = none ] || export RUSTC_BOOTSTRAP=1
RUSTC_WRAPPER=$PWD/rustc.sh \
    cargo fuzz build --release --debug-assertions --sanitizer "$sanitizer" --target-dir "$built"

host=$(rustc -vV | sed -n 's/^host: //p')
if [ -z "${SEEDS-}" ]; then
    SEEDS=$(mktemp -d)
    trap 'rm -rf "$SEEDS"' EXIT
    # By a plain build: RUSTFLAGS of the images would sanitize it for nothing.
    (cd .. && env -u RUSTC_BOOTSTRAP RUSTFLAGS='' \
        cargo run --locked --package hsm2-attack --bin make-seeds -- "$SEEDS")
fi

for target in fuzz_targets/*.rs; do
    name=$(basename "$target" .rs)
    cp "$built/$host/release/$name" "$OUT/$name"
    cp card.dict "$OUT/$name.dict"
    rm -f "$OUT/${name}_seed_corpus.zip"
    (cd "$SEEDS/$name" && zip --quiet --recurse-paths "$OUT/${name}_seed_corpus.zip" .)
done
