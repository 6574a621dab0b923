#!/usr/bin/env python3
"""Records the sessions of this folder again, with OpenSC's tools, pcscd and vpcd:

    cargo build && unshare --net --mount harness/data/opensc/record.py [SESSION...]

Everything the cards draw comes from SEED, so that the harness' tests can ask for every response
again. The network and the mounts are private, as vpcd opens its ports on every interface.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
EMULATOR = HERE.parents[2] / "target/debug/hsm2-emulator"
SEED = "0B5C"
SO_PIN, PIN = "3537363231383830", "648219"
DRIVER = "/usr/lib/pcsc/drivers/serial/libifdvpcd.so"


def prepare():
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run"], check=True)
    os.mkdir("/run/pcscd")


class Session:
    """Two new cards in two readers, and what the first of them was asked."""

    def __init__(self, name):
        self.name = name
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.trace = self.folder / "trace"
        conf = self.folder / "conf"
        conf.mkdir()
        (conf / "vpcd").write_text(
            'FRIENDLYNAME "Virtual PCD"\nDEVICENAME /dev/null:0x8C7B\n'
            f"LIBPATH {DRIVER}\nCHANNELID 0x8C7B\n"
        )
        log = open(self.folder / "log", "w")
        self.pcscd = subprocess.Popen(
            ["pcscd", "--foreground", "--config", conf], stdout=log, stderr=log
        )
        self.await_readers(0)
        self.cards = subprocess.Popen(
            [EMULATOR, "serve", "--ephemeral", "--seed", SEED, "--trace", self.trace,
             "--trace-secrets", "--vpcd", "127.0.0.1:35963", "--vpcd", "127.0.0.1:35964"],
            stdout=log, stderr=log,
        )
        self.await_readers(2)
        lines = (self.folder / "log").read_text().splitlines()
        self.serial = next(l.split()[2].rstrip(",") for l in lines if l.startswith("card 1: "))

    def await_readers(self, cards):
        for _ in range(400):
            listing = subprocess.run(["opensc-tool", "-l"], capture_output=True, text=True).stdout
            lines = [line for line in listing.splitlines() if "Virtual PCD" in line]
            if len(lines) == 2 and sum(" Yes " in line for line in lines) == cards:
                return
            time.sleep(0.02)
        sys.exit("no readers: " + (self.folder / "log").read_text())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in (self.cards, self.pcscd):
            process.terminate()
            process.wait()

    def run(self, *words, may_fail=False):
        done = subprocess.run(words, cwd=self.folder, capture_output=True, text=True,
                              stdin=subprocess.DEVNULL)
        if done.returncode != 0 and not may_fail:
            sys.exit(f"{words}: {done.stdout}{done.stderr}")
        return done.stdout

    def tool(self, words, card=0, **how):
        return self.run("sc-hsm-tool", "--reader", str(card), *words.split(), **how)

    def initialise(self, more="", card=0):
        self.tool(f"--initialize --so-pin {SO_PIN} --pin {PIN} {more}", card)

    def pkcs11(self, words, card=0):
        self.run("pkcs11-tool", "--slot-index", str(card), "--login", "--pin", PIN, *words.split())

    def apdus(self, *commands):
        words = [word for command in commands for word in ("--send-apdu", command)]
        self.run("opensc-tool", "--reader", "0", *words)

    def exchanges(self):
        """Lines of the trace that are about the first card."""
        lines = [json.loads(line) for line in self.trace.read_text().splitlines()]
        return [line for line in lines if line["card"] == self.serial]

    def last(self, start):
        """The data of the last response to a command that begins so."""
        found = [l for l in self.exchanges() if l.get("command", "").startswith(start)]
        return found[-1]["response"][:-4]

    def write(self):
        version = self.run("opensc-tool", "--info").split()[1]
        text = (f"# OpenSC {version} with a card of the profile nitrokey-hsm2, in memory and with "
                f"the seed {SEED}: > command, < response.\n")
        for line in self.exchanges():
            if "event" in line:
                text += f"= {line['event']}\n"
            else:
                text += f"> {line['command']}\n< {line['response']}\n"
        (HERE / f"{self.name}.txt").write_text(text)
        print(self.name, text.count("\n"), "lines")


APPLET = "00A404000BE82B0601040181C31F0201"
LOG_IN = "0020008106363438323139"


def initialise():
    with Session("initialise") as session:
        session.tool("", may_fail=True)
        session.initialise()
        session.tool("")
        session.tool(f"--initialize --so-pin 3030303030303030 --pin {PIN}", may_fail=True)
        session.initialise("--dkek-shares 2 --pin-retry 2 --label recorded")
        session.tool("")
        session.run("pkcs15-tool", "--reader", "0", "--dump")
        session.write()


def keys():
    with Session("keys") as session:
        session.initialise()
        for number, kind in enumerate(["EC:prime256v1", "EC:brainpoolP384r1", "rsa:1024"], 1):
            session.pkcs11(f"--keypairgen --key-type {kind} --id {number:02} --label key{number}")
        session.pkcs11("--list-objects")
        session.pkcs11("--delete-object --type privkey --id 02")
        session.run("pkcs15-tool", "--reader", "0", "--read-public-key", "01")
        session.write()


def sign():
    with Session("sign") as session:
        session.initialise()
        session.pkcs11("--keypairgen --key-type EC:prime256v1 --id 01")
        session.pkcs11("--keypairgen --key-type rsa:1024 --id 02")
        (session.folder / "hash").write_bytes(bytes(range(32)))
        for number, mechanism in [(1, "ECDSA"), (1, "ECDSA-SHA1"), (2, "RSA-PKCS"),
                                  (2, "SHA256-RSA-PKCS"), (2, "SHA256-RSA-PKCS-PSS")]:
            session.pkcs11(f"--sign --mechanism {mechanism} --id {number:02} "
                           "--input-file hash --output-file signature")
        session.write()


def wrap():
    with Session("wrap") as session:
        session.initialise("--dkek-shares 1")
        session.tool("--create-dkek-share share --password password")
        session.tool("--import-dkek-share share --password password")
        session.pkcs11("--keypairgen --key-type EC:prime256v1 --id 01 --label wrapped")
        session.tool(f"--wrap-key wrapped --key-reference 1 --pin {PIN}")
        session.pkcs11("--delete-object --type privkey --id 01")
        session.tool(f"--unwrap-key wrapped --key-reference 2 --pin {PIN}")
        session.pkcs11("--list-objects")
        session.write()


def pka(signature="00" * 64):
    """The signature is over what the first run draws; the second run draws it again."""
    with Session("pka") as session:
        session.tool("--public-key-auth-status", may_fail=True)
        session.initialise(card=1)
        session.pkcs11("--keypairgen --key-type EC:brainpoolP256r1 --id 01 --label custodian",
                       card=1)
        session.tool("--export-for-pub-key-auth key.pka --key-reference 1", card=1)
        session.run("sc-hsm-tool", "--reader", "0", "--initialize", "--so-pin", SO_PIN,
                    "--pin", PIN, "--public-key-auth", "1", "--required-pub-keys", "1")
        session.tool("--register-public-key key.pka")
        session.tool("--public-key-auth-status")
        session.apdus(APPLET, "8054020000")
        name = session.last("80540200")
        select = f"002281A4{len(name) // 2 + 2:02X}83{len(name) // 2:02X}{name}"
        session.apdus(APPLET, select, "0084000008", f"0082000040{signature}", "8054000000",
                      "8054020000")
        if signature != "00" * 64:
            session.tool("--public-key-auth-status")
            session.write()
            status = [l["status"] for l in session.exchanges()
                      if l.get("command", "").startswith("0082")]
            assert status[0].startswith("9000"), status
            return None
        challenge = session.last("0084000008")
        signed = (session.serial + "00000").encode() + bytes.fromhex(challenge)
        (session.folder / "message").write_bytes(signed)
        session.pkcs11("--sign --mechanism ECDSA-SHA256 --signature-format openssl --id 01 "
                       "--input-file message --output-file signature", card=1)
        der = (session.folder / "signature").read_bytes()
        r_end = 4 + der[3]
        numbers = [der[4:r_end], der[r_end + 2:]]
        return "".join(number.lstrip(b"\0").rjust(32, b"\0").hex().upper() for number in numbers)


def domains():
    with Session("domains") as session:
        template = "80020001810636343832313982083537363231383830910103970102"
        initialise = f"80500000{len(template) // 2:02X}{template}"
        session.apdus(APPLET, initialise)
        share = "".join(f"{(7 * index + 1) % 256:02X}" for index in range(32))
        other = "".join(f"{(11 * index + 5) % 256:02X}" for index in range(32))
        session.apdus(APPLET, LOG_IN, "8052000000", "8052000100", "80520101010200",
                      "8052000100", f"8052000120{share}00", f"8052000120{other}00")
        session.apdus(APPLET, LOG_IN, "80520100010100", f"8052000020{share}00")
        session.tool("")
        session.pkcs11("--keypairgen --key-type EC:prime256v1 --id 01 --label one")
        session.tool(f"--wrap-key wrapped --key-reference 1 --pin {PIN}", may_fail=True)
        session.apdus(APPLET, LOG_IN, "8052040100", "8052000100", "8052030100", "8052000100",
                      "8052030000")
        session.tool("")
        session.write()


if __name__ == "__main__":
    prepare()
    chosen = sys.argv[1:] or ["initialise", "keys", "sign", "wrap", "pka", "domains"]
    for name in chosen:
        pka(pka()) if name == "pka" else globals()[name]()
