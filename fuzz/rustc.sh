#!/usr/bin/env bash
# For cargo's RUSTC_WRAPPER: compiles cryptography, ours and that of the crates, as a release build
# does, without coverage counters and without debug assertions. Hardly a byte of input chooses a path
# there that a fuzzer could learn, and nearly all time of a session is spent there. The storage engine
# comes as users get it: its debug assertions refuse damaged files before the code behind them sees
# them. Everything else keeps all flags.
set -eu
dropped='-Cpasses=sancov-module|-Cllvm-args=-sanitizer-coverage-*|-Cdebug-assertions'
case ${CARGO_PKG_NAME:-} in
    aead | aes | aes-gcm | block-buffer | block-padding | bp256 | bp384 | cbc | chacha20 | cipher | \
        cmac | cmov | cpubits | cpufeatures | crypto-bigint | crypto-common | crypto-primes | ctr | \
        ctutils | dbl | des | digest | ecdsa | elliptic-curve | ff | fiat-crypto | ghash | group | \
        hmac | hsm2-crypto | hybrid-array | inout | k256 | libm | md-5 | num-traits | p192 | p224 | \
        p256 | p384 | p521 | pbkdf2 | polyval | primefield | primeorder | pulp | rand_core | rfc6979 | rsa | \
        salsa20 | scrypt | sha1 | sha2 | subtle | typenum | universal-hash | wnaf | zeroize) ;;
    redb) dropped='-Cdebug-assertions' ;;
    *) exec "$@" ;;
esac
kept=()
for argument; do
    # As patterns with alternatives.
    [[ $argument == @($dropped) ]] || kept+=("$argument")
done
exec "${kept[@]}"
