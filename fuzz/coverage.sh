#!/usr/bin/env bash
# Replays the corpora without a fuzzer and counts with LLVM's source-based coverage what of our code
# they reach:
#
#     fuzz/coverage.sh [TARGET...]
#
# One row for each target, of the files that it is for; and one of all targets together, of all files
# of emulator and harness that any target is for. Inlined and generic code counts once. Needs
# `rustup component add llvm-tools`. Only our own crates are compiled for it, into target/.
set -eu -o pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
targets=("$@")
[ ${#targets[@]} -eq 0 ] && mapfile -t targets < <(basename -s .rs fuzz/fuzz_targets/*.rs)

tools=$(rustc --print sysroot)/lib/rustlib/$(rustc -vV | sed -n 's/^host: //p')/bin
[ -x "$tools/llvm-cov" ] || { echo "rustup component add llvm-tools"; exit 1; }

# What each target is for, as a pattern of paths.
scope() {
    case $1 in
        apdu) echo 'emulator/src/apdu\.rs' ;;
        apdu_bytes | session) echo 'emulator/src/(command|secure_messaging|memory|trust)[/.]|emulator/crypto/src/|emulator/src/(access|blob|card|cvc|domain|file|identity|key|key_attributes|pin|pka|presentation|session|session_pin|use_key|xkek)\.rs' ;;
        blob) echo 'emulator/src/blob\.rs|harness/src/blob[/.]' ;;
        cvc) echo 'emulator/src/(cvc|trust/anchor)\.rs|harness/src/(card/cvc|verify|judge)\.rs' ;;
        device) echo 'harness/src/(attest|card|device|fleet|guard|suite/wire)[/.]' ;;
        key_file) echo 'harness/src/key[/.]' ;;
        membership) echo 'emulator/src/(xkek|pka|cvc)\.rs' ;;
        records) echo 'emulator/src/memory[/.]|emulator/src/(description|file|identity|key|pin|domain)\.rs' ;;
        report) echo 'harness/src/(report|trace)[/.]|harness/src/expect[/.]' ;;
        script) echo 'emulator/src/hostile[/.]' ;;
        share_file) echo 'harness/src/dkek/(share_file|shamir)[/.]' ;;
        store_file) echo 'emulator/src/store[/.]' ;;
        tlv) echo 'emulator/src/tlv\.rs|harness/src/der\.rs' ;;
        trace) echo 'emulator/src/trace/(blank|decode)[/.]' ;;
        vpcd) echo 'emulator/src/transport/frame\.rs' ;;
        *) echo "fuzz/coverage.sh: what is $1 for?" >&2; return 1 ;;
    esac
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Build scripts count too, and would leave their counts in the sources.
LLVM_PROFILE_FILE=$work/build-%p RUSTC_WORKSPACE_WRAPPER=$PWD/fuzz/coverage-rustc.sh \
    cargo build --quiet --locked --workspace --all-features --bin reproduce
# The next build without coverage puts its own there.
program=$work/reproduce
cp target/debug/reproduce "$program"

# row NAME PROFILE PATTERN
row() {
    "$tools/llvm-cov" export -summary-only -instr-profile="$2" "$program" > "$work/summary"
    python3 - "$1" "$3" "$work/summary" <<'PY'
import json, re, sys
name, pattern, path = sys.argv[1:]
lines, regions = [0, 0], [0, 0]
for file in json.load(open(path))["data"][0]["files"]:
    if re.search(pattern, file["filename"]):
        for total, kind in ((lines, "lines"), (regions, "regions")):
            total[0] += file["summary"][kind]["covered"]
            total[1] += file["summary"][kind]["count"]
share = lambda of: f"{of[0]} of {of[1]}, {100 * of[0] / max(of[1], 1):.0f} %"
print(f"| `{name}` | {share(lines)} | {share(regions)} |")
PY
}

echo "| target | lines | regions |"
echo "|---|---|---|"
patterns=
for target in "${targets[@]}"; do
    LLVM_PROFILE_FILE=$work/raw "$program" "$target" "fuzz/corpus/$target" > /dev/null
    "$tools/llvm-profdata" merge -sparse "$work/raw" -o "$work/$target.profdata"
    pattern=$(scope "$target")
    row "$target" "$work/$target.profdata" "$pattern"
    patterns+=${patterns:+|}$pattern
done
"$tools/llvm-profdata" merge -sparse "$work"/*.profdata -o "$work/all"
row "all together" "$work/all" "$patterns"
