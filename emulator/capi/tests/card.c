/* Uses every function of the C interface, as a fuzzer of middleware would; check.sh links it both
 * ways, builds it with AddressSanitizer and runs it. */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hsm2_card.h"

static uint8_t response[HSM2_RESPONSE_MAX];
static size_t length;

static void check(int holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "FAILED: %s\n", what);
        exit(1);
    }
}

/* Sends a command; returns the status word. */
static unsigned send_command(hsm2_card *card, const uint8_t *command, size_t command_length)
{
    length = sizeof response;
    check(hsm2_card_transmit(card, command, command_length, response, &length) == HSM2_OK,
          "a command is answered");
    check(length >= 2, "a response has a status word");
    return (unsigned)response[length - 2] << 8 | response[length - 1];
}

#define SEND(card, ...) \
    send_command(card, (const uint8_t[]){__VA_ARGS__}, sizeof (const uint8_t[]){__VA_ARGS__})

#define SELECT 0x00, 0xA4, 0x04, 0x00, 11, 0xE8, 0x2B, 6, 1, 4, 1, 0x81, 0xC3, 0x1F, 2, 1, 0
#define INITIALIZE 0x80, 0x50, 0, 0, 18, 0x81, 6, '6', '4', '8', '2', '1', '9', \
    0x82, 8, '5', '7', '6', '2', '1', '8', '8', '0'
#define VERIFY 0x00, 0x20, 0x00, 0x81, 6, '6', '4', '8', '2', '1', '9'
#define WRITE 0x00, 0xD7, 0xCA, 0x01, 7, 0x54, 2, 0, 0, 0x53, 1, 7
#define READ 0x00, 0xB1, 0xCA, 0x01, 4, 0x54, 2, 0, 0, 1
#define CERTIFICATES 0x00, 0xB1, 0x2F, 0x02, 0, 0, 4, 0x54, 2, 0, 0, 0, 0
#define CHALLENGE 0x00, 0x84, 0, 0, 8

/* The serial in the device certificate of a new card with a seed of this first byte. */
static void serial_of(uint8_t first, char serial[10])
{
    uint8_t seed[HSM2_SEED_LENGTH] = {first};
    hsm2_card *card = hsm2_card_new(seed, NULL);
    check(card != NULL, "a card is made");
    check(SEND(card, SELECT) == 0x9000, "SELECT");
    check(SEND(card, INITIALIZE) == 0x9000, "INITIALIZE DEVICE");
    check(SEND(card, CERTIFICATES) == 0x9000 || length > 200, "the certificates");
    size_t at = 0;
    while (at + 9 < length && memcmp(response + at, "VT", 2) != 0) {
        at++;
    }
    check(at + 9 < length, "the certificates name the serial");
    memcpy(serial, response + at, 9);
    serial[9] = 0;
    hsm2_card_free(card);
}

int main(void)
{
    char serial[3][10];
    serial_of(1, serial[0]);
    serial_of(2, serial[1]);
    serial_of(1, serial[2]);
    check(strcmp(serial[0], serial[1]) != 0, "other seeds are other devices");
    check(strcmp(serial[0], serial[2]) == 0, "the same seed is the same device");

    uint8_t seed[HSM2_SEED_LENGTH] = {1};
    const uint8_t *atr = NULL;
    uint8_t drawn[8];

    check(hsm2_card_new(seed, "no such profile") == NULL, "an unknown profile is refused");
    hsm2_card *card = hsm2_card_new(seed, NULL);
    check(card != NULL, "a card is made");
    check(hsm2_card_atr(card, &atr) > 10 && atr[0] == 0x3B, "it has an answer to reset");

    check(SEND(card, CHALLENGE) == 0x6D00, "no applet is selected");
    check(SEND(card, SELECT) == 0x9000, "SELECT");
    check(SEND(card, INITIALIZE) == 0x9000, "INITIALIZE DEVICE");
    check(SEND(card, VERIFY) == 0x9000, "VERIFY");

    hsm2_snapshot *logged_in = hsm2_card_snapshot(card);
    check(logged_in != NULL, "a snapshot is taken");
    check(SEND(card, WRITE) == 0x9000, "UPDATE BINARY");
    check(SEND(card, READ) == 0x9000 && response[0] == 7, "READ BINARY");

    check(hsm2_card_restore(card, logged_in) == HSM2_OK, "the snapshot is restored");
    check(SEND(card, READ) == 0x6A82, "the file is gone");
    check(SEND(card, CHALLENGE) == 0x9000, "GET CHALLENGE");
    memcpy(drawn, response, sizeof drawn);
    check(SEND(card, CHALLENGE) == 0x9000 && memcmp(drawn, response, 8) != 0,
          "another challenge is another");
    check(hsm2_card_restore(card, logged_in) == HSM2_OK, "restored again");
    check(SEND(card, CHALLENGE) == 0x9000 && memcmp(drawn, response, 8) == 0,
          "behind a restore the same bytes come");
    check(SEND(card, WRITE) == 0x9000, "the log-in came back with it");

    check(hsm2_card_reset(card) == HSM2_OK, "reset");
    check(SEND(card, WRITE) == 0x6D00, "a reset ends the session");

    /* Another card takes the snapshot over, and outlives both. */
    hsm2_card *other = hsm2_card_new(NULL, "nitrokey-hsm2");
    check(other != NULL, "another card");
    check(hsm2_card_restore(other, logged_in) == HSM2_OK, "it takes the snapshot");
    hsm2_snapshot_free(logged_in);
    hsm2_card_free(card);
    check(SEND(other, WRITE) == 0x9000, "it is logged in");

    /* Bytes of all lengths, in and out of order. */
    for (size_t size = 0; size < 2000; size++) {
        uint8_t *bytes = malloc(size ? size : 1);
        for (size_t at = 0; at < size; at++) {
            bytes[at] = (uint8_t)(at * 31 + size);
        }
        send_command(other, bytes, size);
        free(bytes);
    }

    uint8_t little[4];
    length = sizeof little;
    const uint8_t select[] = {SELECT};
    check(hsm2_card_transmit(other, select, sizeof select, little, &length) == HSM2_NO_ROOM
              && length > sizeof little, "too little room is told");
    check(hsm2_card_transmit(NULL, select, sizeof select, little, &length) == HSM2_BAD_ARGUMENT,
          "no card");
    check(hsm2_card_transmit(other, NULL, 5, little, &length) == HSM2_BAD_ARGUMENT, "no command");
    check(hsm2_card_reset(NULL) == HSM2_BAD_ARGUMENT, "reset of no card");
    check(hsm2_card_restore(other, NULL) == HSM2_BAD_ARGUMENT, "restore of nothing");
    check(hsm2_card_snapshot(NULL) == NULL, "snapshot of nothing");
    check(hsm2_card_atr(NULL, NULL) == 0, "answer to reset of nothing");
    hsm2_card_free(NULL);
    hsm2_snapshot_free(NULL);
    hsm2_card_free(other);
    puts("C interface: all checks hold");
    return 0;
}
