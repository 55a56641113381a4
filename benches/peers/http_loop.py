"""A requests loop, each thread with a session: http_loop.py URL THREADS COUNT BYTES. Prints the seconds that it took."""

import sys
import threading
import time

import requests


def main():
    url, threads, count, size = sys.argv[1], *map(int, sys.argv[2:5])
    body = b'{"text":"' + b"x" * max(0, size - 11) + b'"}'
    wrong = []

    def post(numbers):
        with requests.Session() as session:
            session.trust_env = False
            for _ in numbers:
                answer = session.post(url, data=body, headers={"Content-Type": "application/json"}, timeout=60)
                if answer.status_code != 200:
                    wrong.append(answer.status_code)

    started = time.perf_counter()
    workers = [threading.Thread(target=post, args=(range(n, count, threads),)) for n in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if wrong:
        sys.exit("an answer was not 200")
    print(time.perf_counter() - started)


if __name__ == "__main__":
    main()
