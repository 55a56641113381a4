"""A smtplib loop, one connection per process: smtp_loop.py ADDRESS PROCESSES COUNT BYTES. Prints the seconds that it took."""

import multiprocessing
import smtplib
import sys
import time


def send(host, port, mail, numbers):
    with smtplib.SMTP(host, port, local_hostname="localhost", timeout=60) as server:
        for number in numbers:
            server.sendmail("no-reply@corp.example", [f"user{number}@example.com"], mail)


def main():
    address, processes, count, size = sys.argv[1], *map(int, sys.argv[2:5])
    host, port = address.rsplit(":", 1)
    mail = b"From: no-reply@corp.example\r\nTo: user@example.com\r\nSubject: Hello\r\n\r\n"
    while len(mail) < size:
        mail += b"A line of a letter that is as long as lines of letters usually are.\r\n"
    started = time.perf_counter()
    if processes == 1:
        send(host, int(port), mail, range(count))
    else:
        shares = [range(n, count, processes) for n in range(processes)]
        workers = [multiprocessing.Process(target=send, args=(host, int(port), mail, share)) for share in shares]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        if any(worker.exitcode for worker in workers):
            sys.exit("a worker failed")
    print(time.perf_counter() - started)


if __name__ == "__main__":
    main()
