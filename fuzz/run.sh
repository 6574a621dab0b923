#!/usr/bin/env bash
# Builds every fuzz target without a sanitizer and runs each for so many seconds of wall time:
#
#     fuzz/run.sh SECONDS [TARGET...]
#
# One line for each target, as a row of the README's table: runs, seconds of processor time, what came
# out of a second of it, libFuzzer's edges and features, and the size of the corpus. What the targets
# learned stays in fuzz/corpus, and the next run begins with it.
#
# Needs no cargo-fuzz; the builds are those of `cargo fuzz build -O -a -s none`.
set -u -o pipefail
cd "$(dirname "${BASH_SOURCE[0]}")" || exit 1
seconds=${1:?how many seconds for each target}
shift
targets=("$@")
[ ${#targets[@]} -eq 0 ] && mapfile -t targets < <(basename -s .rs fuzz_targets/*.rs)

host=$(rustc -vV | sed -n 's/^host: //p')
(. ./flags.sh && cargo build --quiet --locked --release --target "$host") || exit 1
# All features of the workspace, so that what the tests were built of serves here too; they know
# nothing of a choice of OpenSSL for the targets.
(cd .. && env -u OPENSSL_NO_VENDOR cargo build --quiet --locked --workspace --all-features --bin make-seeds &&
    target/debug/make-seeds fuzz/corpus) || exit 1

TIMEFORMAT='%U %S'
failed=0
started=$(mktemp)
trap 'rm -f "$started"' EXIT
echo "| target | processor time | runs | a second | edges | features | corpus |"
echo "|---|---|---|---|---|---|---|"
for target in "${targets[@]}"; do
    mkdir -p "corpus/$target" "artifacts/$target"
    log=artifacts/$target/log
    # The time goes past the redirection of the program itself.
    used=$({ time "target/$host/release/$target" -max_total_time="$seconds" -timeout=120 \
        -rss_limit_mb=1024 -dict=card.dict -artifact_prefix="artifacts/$target/" \
        -print_final_stats=1 "corpus/$target" > "$log" 2>&1; } 2>&1)
    status=$?
    used=$(awk '{ print $1 + $2 }' <<< "$used")
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    found=$(grep -o 'cov: [0-9]* ft: [0-9]*' "$log" | tail -n 1)
    read -r _ edges _ features <<< "${found:-cov: 0 ft: 0}"
    kept=$(find "corpus/$target" -type f | wc -l)
    # The target counts commands itself, and the time that it spent on them.
    speed=$(sed -n 's/^stat::commands_each_second: *//p' "$log" | tail -n 1)
    if [ -n "$speed" ]; then
        speed="$speed commands"
    else
        speed=$(awk -v runs="${runs:-0}" -v used="$used" \
            'BEGIN { printf "%d", (used > 0 ? runs / used : 0) }')
    fi
    if [ $status -eq 0 ]; then
        echo "| \`$target\` | $used s | ${runs:-0} | $speed | $edges | $features | $kept |"
    else
        failed=1
        echo "$target: FAILED after $used s of processor time, see fuzz/$log"
        tail -n 30 "$log"
        # So that the log of a machine that is gone is enough to reproduce it.
        for found in $(find "artifacts/$target" -type f ! -name log -newer "$started" -size -8k); do
            echo "base64 of $found:"
            base64 -w 0 "$found"
            echo
        done
    fi
done
exit $failed
