#!/bin/bash -eu
# Builds every fuzz target into $OUT with its seeds and the dictionary: what OSS-Fuzz and
# ClusterFuzzLite run in their images, and what works in a checkout too:
#
#     OUT=/tmp/out fuzz/build.sh
#
# SANITIZER is address (default), or none, which needs no compiler of their images.
cd "$(dirname "${BASH_SOURCE[0]}")"
: "${OUT:?where the targets go}" "${SANITIZER:=address}"

# The compilers of the images come with the flags of cargo-fuzz in place. A stable compiler takes
# those for sanitizers when it is told to.
export RUSTC_BOOTSTRAP=1
cargo fuzz build --release --sanitizer "$SANITIZER"

host=$(rustc -vV | sed -n 's/^host: //p')
seeds=$(mktemp -d)
trap 'rm -rf "$seeds"' EXIT
# Seeds come from a plain build: RUSTFLAGS of the images would sanitize it for nothing.
(cd .. && RUSTFLAGS='' cargo run --release --package hsm2-attack --bin make-seeds -- "$seeds")

mkdir -p "$OUT"
for target in fuzz_targets/*.rs; do
    name=$(basename "$target" .rs)
    cp "target/$host/release/$name" "$OUT/$name"
    cp card.dict "$OUT/$name.dict"
    (cd "$seeds/$name" && zip --quiet --recurse-paths "$OUT/${name}_seed_corpus.zip" .)
done
