#!/usr/bin/env bash
# Builds every fuzz target without a sanitizer and runs each for so many seconds of wall time:
#
#     fuzz/run.sh SECONDS [TARGET...]
#
# One line for each target says what came of it, and how many seconds of processor time it took.
# What the targets learned stays in fuzz/corpus, and the next run begins with it.
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

TIMEFORMAT=%U
failed=0
for target in "${targets[@]}"; do
    mkdir -p "corpus/$target" "artifacts/$target"
    log=artifacts/$target/log
    # The time goes past the redirection of the program itself.
    used=$({ time "target/$host/release/$target" -max_total_time="$seconds" -timeout=120 \
        -rss_limit_mb=1024 -dict=card.dict -artifact_prefix="artifacts/$target/" \
        -print_final_stats=1 "corpus/$target" > "$log" 2>&1; } 2>&1)
    status=$?
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    found=$(grep -o 'cov: [0-9]* ft: [0-9]*' "$log" | tail -n 1)
    kept=$(find "corpus/$target" -type f | wc -l)
    if [ $status -eq 0 ]; then
        echo "$target: ${runs:-0} runs in $used s of processor time, $found, corpus $kept"
    else
        failed=1
        echo "$target: FAILED after $used s of processor time, see fuzz/$log"
        tail -n 30 "$log"
    fi
done
exit $failed
