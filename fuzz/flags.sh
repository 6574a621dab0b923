# Sourced by run.sh: how cargo-fuzz 0.13 calls the compiler for `-s none`, so that its builds and
# those of run.sh are the same files.
#
# One codegen unit: the coverage pass keeps functions from being inlined across units.
RUSTFLAGS="-Cpasses=sancov-module"
RUSTFLAGS+=" -Cllvm-args=-sanitizer-coverage-level=4"
RUSTFLAGS+=" -Cllvm-args=-sanitizer-coverage-inline-8bit-counters"
RUSTFLAGS+=" -Cllvm-args=-sanitizer-coverage-pc-table"
RUSTFLAGS+=" -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing"
RUSTFLAGS+=" -Cllvm-args=-simplifycfg-branch-fold-threshold=0"
RUSTFLAGS+=" -Cllvm-args=-sanitizer-coverage-stack-depth -Cdebug-assertions -Ccodegen-units=1"
RUSTC_WRAPPER=$PWD/rustc.sh
export RUSTFLAGS RUSTC_WRAPPER
