/*
 * A virtual SmartCard-HSM in this process: bytes in, bytes out.
 *
 * For testing only. Made by cbindgen from emulator/capi/src/lib.rs; do not edit.
 */

#ifndef HSM2_CARD_H
#define HSM2_CARD_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

// Done.
#define HSM2_OK 0

// A pointer was null, or a text was not what it must be.
#define HSM2_BAD_ARGUMENT -1

// The response has no room; the length needed was written.
#define HSM2_NO_ROOM -2

// The card broke down inside. It may be freed and nothing else.
#define HSM2_BROKEN -3

// Length of a seed in bytes.
#define HSM2_SEED_LENGTH 32

// No response is longer.
#define HSM2_RESPONSE_MAX 65538

// A card. Opaque to C.
typedef struct hsm2_card hsm2_card;

// A card at one moment. Opaque to C.
typedef struct hsm2_snapshot hsm2_snapshot;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// Makes a card, as it leaves the factory; power is on and no applet is selected.
//
// seed: 32 bytes from which the serial, every key and random number is drawn, so that cards of
// different seeds are different devices; null for 32 zeros. profile: name
// of a generation of device, such as "nitrokey-hsm2"; null for the default. Null when the profile
// is not known.
//
// # Safety
//
// `seed` is null or points to 32 readable bytes; `profile` is null or a C string.
hsm2_card *hsm2_card_new(const uint8_t *seed, const char *profile);

// Sends a command APDU. `length` holds the room at `response` and then the length of the response,
// which ends with the status word. With HSM2_NO_ROOM the response is lost; HSM2_RESPONSE_MAX bytes
// always suffice.
//
// # Safety
//
// `card` is from this library and not freed; `command` points to `command_length` readable bytes
// (or that is 0), `response` to `*length` writable ones.
int hsm2_card_transmit(hsm2_card *card,
                       const uint8_t *command,
                       size_t command_length,
                       uint8_t *response,
                       size_t *length);

// The answer to reset: its length, 0 on failure; the bytes at `*atr` live as long as the program.
//
// # Safety
//
// `card` is from this library and not freed; `atr` is null or may be written.
size_t hsm2_card_atr(const hsm2_card *card, const uint8_t **atr);

// Resets the card: the session is gone, and no applet is selected.
//
// # Safety
//
// `card` is from this library and not freed.
int hsm2_card_reset(hsm2_card *card);

// The card as it is, session and all; free it with `hsm2_snapshot_free`. Null on failure.
//
// # Safety
//
// `card` is from this library and not freed.
hsm2_snapshot *hsm2_card_snapshot(const hsm2_card *card);

// Brings a card back to a snapshot, of itself or of another card. What it draws starts over as
// well: behind every restore the same commands get the same bytes.
//
// # Safety
//
// Both are from this library and not freed.
int hsm2_card_restore(hsm2_card *card, const hsm2_snapshot *snapshot);

// Frees a card; null is allowed.
//
// # Safety
//
// `card` is null or from `hsm2_card_new`, and not freed yet.
void hsm2_card_free(hsm2_card *card);

// Frees a snapshot; null is allowed.
//
// # Safety
//
// `snapshot` is null or from `hsm2_card_snapshot`, and not freed yet.
void hsm2_snapshot_free(hsm2_snapshot *snapshot);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* HSM2_CARD_H */
