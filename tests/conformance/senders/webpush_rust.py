"""webpush-rs: the crate web-push behind Python. It takes neither TTL, nor Urgency, nor Topic."""

import webpush_rs
from arguments import read

job = read()
status = webpush_rs.send_one(
    job.subscription["endpoint"],
    job.subscription["keys"]["p256dh"],
    job.subscription["keys"]["auth"],
    job.vapid_private,
    job.subject,
    job.payload,
)
print(status)
raise SystemExit(status not in (200, 201, 202))
