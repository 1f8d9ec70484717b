"""A client of NATS that can publish and ask: HOST USER PASSWORD, then lines of `SUBJECT BODY` on the standard input; prints what came back, a line each.
`-` in front of the subject: nothing is expected back but a refusal, if there is one."""

import json, os, socket, ssl, sys

host, user, password = sys.argv[1:4]
tls = "/srv/isonet/nats/tls/"
plain = socket.create_connection((host, 4222), 10)
while plain.recv(1) != b"\n":
    pass
context = ssl.create_default_context(cafile=tls + "ca.pem")
context.load_cert_chain(tls + "P1.pem", tls + "P1.key")
stream = context.wrap_socket(plain, server_hostname=host).makefile("rwb")


def say(text):
    stream.write(text.encode())
    stream.flush()


def answer():
    while True:
        line = stream.readline().decode()
        word = line.split(" ")[0].strip()
        if word == "PING":
            say("PONG\r\n")
        elif word in ("PONG", "", "-ERR"):
            return line.strip()
        elif word in ("MSG", "HMSG"):
            sizes = line.split()
            payload = stream.read(int(sizes[-1]) + 2)[:-2]
            return payload[int(sizes[-2]) if word == "HMSG" else 0 :].decode() or "headers: " + payload.decode().replace("\r\n", " ").strip()


inbox = "_INBOX.P1" if user == "P1" else "_INBOX.x"
say("CONNECT " + json.dumps({"verbose": False, "user": user, "pass": password, "headers": True, "no_responders": True}) + f"\r\nSUB {inbox}.* 1\r\nPING\r\n")
print(answer(), flush=True)
for n, line in enumerate(sys.stdin):
    subject, _, body = line.rstrip("\n").partition(" ")
    quiet = subject.startswith("-")
    reply = "" if quiet else f" {inbox}.{n}"
    say(f"PUB {subject.lstrip('-')}{reply} {len(body.encode())}\r\n{body}\r\n" + ("PING\r\n" if quiet else ""))
    told = answer()
    if quiet and told != "PONG":
        answer()
    print(told, flush=True)
