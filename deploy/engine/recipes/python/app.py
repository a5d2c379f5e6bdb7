"""What an app in a Python image comes to: it serves on $PORT, and keeps what is uploaded in a temporary file."""

import http.server
import os
import signal
import sys
import tempfile


class Handler(http.server.BaseHTTPRequestHandler):
    """Says who it is."""

    def do_GET(self) -> None:
        """Answer any path."""
        with tempfile.TemporaryFile() as upload:
            upload.write(b"as a framework does with uploads")
        body = f"hello from python, user {os.getuid()}, home {os.environ.get('HOME')}\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
http.server.ThreadingHTTPServer(("", int(os.environ.get("PORT", "8000"))), Handler).serve_forever()
