"""smtplib loops, one connection per process: smtp_loop.py ADDRESS PROCESSES COUNT LIST|BYTES. Prints the seconds that it took.

With the number of BYTES the mail is ready beforehand. With a LIST (CSV: email, name, company, n, amount, signup_date) it is the
script that people write: a row, a template, an EmailMessage, send_message.
"""

import csv
import itertools
import multiprocessing
import smtplib
import string
import sys
import time
from email.message import EmailMessage

LINE = "A line of a letter that is as long as lines of letters usually are.\n"
LETTER = string.Template(
    "Dear $name,\n\nyour order $n of $signup_date left our house for $company. The amount is $amount.\n\n" + LINE * 20
)


def connect(address):
    host, port = address.rsplit(":", 1)
    return smtplib.SMTP(host, int(port), local_hostname="localhost", timeout=60)


def ready(address, numbers, size):
    mail = b"From: no-reply@corp.example\r\nTo: user@example.com\r\nSubject: Hello\r\n\r\n"
    while len(mail) < size:
        mail += LINE.encode()
    with connect(address) as server:
        for number in numbers:
            server.sendmail("no-reply@corp.example", [f"user{number}@example.com"], mail)


def whole(address, numbers, path):
    with connect(address) as server, open(path, newline="", encoding="utf-8") as rows:
        for row in itertools.islice(csv.DictReader(rows), numbers.start, numbers.stop, numbers.step):
            mail = EmailMessage()
            mail["From"] = "Corp <no-reply@corp.example>"
            mail["To"] = row["email"]
            mail["Subject"] = f"{row['name']}, your order {row['n']} is on its way"
            mail.set_content(LETTER.substitute(row))
            server.send_message(mail)


def main():
    address, processes, count, what = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    work, what = (ready, int(what)) if what.isdigit() else (whole, what)
    started = time.perf_counter()
    if processes == 1:
        work(address, range(count), what)
    else:
        shares = [range(n, count, processes) for n in range(processes)]
        workers = [multiprocessing.Process(target=work, args=(address, share, what)) for share in shares]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        if any(worker.exitcode for worker in workers):
            sys.exit("a worker failed")
    print(time.perf_counter() - started)


if __name__ == "__main__":
    main()
