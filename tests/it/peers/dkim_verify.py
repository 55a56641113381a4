"""What dkimpy says of a message, and of the same one with another subject: dkim_verify.py MAIL DNS.txt."""
import json, re, sys
import dkim

mail = open(sys.argv[1], "rb").read()
record = open(sys.argv[2], "rb").read()
answer = lambda name, timeout=5: record
verify = lambda data: dkim.verify(data, dnsfunc=answer)
head = re.sub(rb"\r\n[ \t]+", b" ", mail.split(b"\r\n\r\n")[0])
field = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"dkim-signature:"))
signed = re.search(rb"\bh=([^;]*)", field).group(1).decode()
changed = re.sub(rb"(?m)^Subject: ", b"Subject: x", mail, count=1)
print(json.dumps({"valid": verify(mail), "changed_subject": verify(changed), "h": [h.strip().lower() for h in signed.split(":")]}))
