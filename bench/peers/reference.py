"""The reference's way of recording a turn: load the session's document, add the turn, write the document anew."""
import json
import platform
import sys
from datetime import datetime, timezone
from pathlib import Path

base = Path(sys.argv[1])


def path_of(session_id):
    return base / f"{session_id}.json"


def save(record):
    record["updated_at"] = datetime.now(timezone.utc).isoformat()
    path_of(record["session_id"]).write_text(json.dumps(record, indent=2), encoding="utf-8")


for line in sys.stdin:
    command = json.loads(line)
    answer = None
    if command["do"] == "version":
        answer = platform.python_version()
    elif command["do"] == "fill":
        save({"session_id": command["id"], "turns": command["turns"]})
    elif command["do"] == "append":
        record = json.loads(path_of(command["id"]).read_text(encoding="utf-8"))
        record["turns"].append(command["turn"])
        save(record)
    print(json.dumps(answer), flush=True)
