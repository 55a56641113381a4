"""What Python's email package reads in a message, as JSON: mime.py MAIL."""
import email, email.policy, hashlib, json, sys

message = email.message_from_binary_file(open(sys.argv[1], "rb"), policy=email.policy.default)
defects, parts = [str(d) for d in message.defects], []
for name in message.keys():
    defects += [f"{name}: {d}" for d in message[name].defects]
for part in message.walk():
    defects += [str(d) for d in part.defects]
    if part.is_multipart():
        parts.append({"type": part.get_content_type(), "name": None, "sha256": None})
        continue
    content = part.get_payload(decode=True).replace(b"\r\n", b"\n") if part.get_content_maintype() == "text" else part.get_payload(decode=True)
    parts.append({"type": part.get_content_type(), "name": part.get_filename(), "sha256": hashlib.sha256(content).hexdigest()})
print(json.dumps({"subject": str(message["subject"]), "parts": parts, "defects": defects}))
