#!/usr/bin/env bash
# Builds every fuzz target without a sanitizer and runs each for so many seconds:
#
#     fuzz/run.sh SECONDS [TARGET...]
#
# Needs no cargo-fuzz: the flags are those that it gives to the compiler for `-s none`.
set -u -o pipefail
cd "$(dirname "${BASH_SOURCE[0]}")" || exit 1
seconds=${1:?how many seconds for each target}
shift
targets=("$@")
[ ${#targets[@]} -eq 0 ] && mapfile -t targets < <(basename -s .rs fuzz_targets/*.rs)

host=$(rustc -vV | sed -n 's/^host: //p')
flags="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4"
flags+=" -Cllvm-args=-sanitizer-coverage-inline-8bit-counters"
flags+=" -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares"
flags+=" --cfg fuzzing -Cdebug-assertions"
RUSTFLAGS=$flags cargo build --quiet --release --target "$host" || exit 1
(cd .. && cargo run --quiet --locked --package hsm2-attack --bin make-seeds -- fuzz/corpus) || exit 1

failed=0
for target in "${targets[@]}"; do
    mkdir -p "corpus/$target" "artifacts/$target"
    "target/$host/release/$target" -max_total_time="$seconds" -rss_limit_mb=1024 -dict=card.dict \
        -artifact_prefix="artifacts/$target/" -print_final_stats=1 "corpus/$target" \
        > "artifacts/$target/log" 2>&1
    status=$?
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "artifacts/$target/log")
    found=$(grep -o 'cov: [0-9]* ft: [0-9]*' "artifacts/$target/log" | tail -n 1)
    if [ $status -eq 0 ]; then
        echo "$target: $runs runs in $seconds s, $found"
    else
        failed=1
        echo "$target: FAILED, see fuzz/artifacts/$target/log"
        tail -n 30 "artifacts/$target/log"
    fi
done
exit $failed
