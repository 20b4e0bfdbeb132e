"""What the reference does with a folder: Python's json, the keys of its records, one document per session.

    reference_store.py read BASE                  every record, as JSON
    reference_store.py append DOCUMENT TURN_ID    load, append a turn, write back what it knows
    reference_store.py create DOCUMENT            a new session, replacing whatever is there
    reference_store.py layout BASE                the folder in data/reference-layout
"""

import json
import sys
from datetime import datetime, timezone
from pathlib import Path

SESSION = {
    "session_id": None, "workspace_id": None, "created_at": "", "updated_at": "", "agent_id": None,
    "turns": [], "agent_transitions": [], "metadata": {},
}
TURN = {
    "turn_id": None, "agent_id": None, "prompt": "", "response_content": None, "tool_calls": [], "started_at": "",
    "ended_at": None, "status": "success", "error": None, "audit_event_ids": [], "metadata": {},
}
CALL = {
    "call_id": None, "tool_name": None, "arguments": {}, "result": None, "status": "success", "error": None,
    "duration_ms": None, "sandbox_context": None, "metadata": {},
}
TRANSITION = {"from_agent": None, "to_agent": None, "reason": None, "turn_id": "", "timestamp": ""}


def known(record, keys):
    """The record with the keys that the reference knows; it drops all others."""
    return {key: record.get(key, default) for key, default in keys.items()}


def load(path):
    session = known(json.loads(path.read_text(encoding="utf-8")), SESSION)
    session["turns"] = [known(turn, TURN) for turn in session["turns"]]
    for turn in session["turns"]:
        turn["tool_calls"] = [known(call, CALL) for call in turn["tool_calls"]]
    session["agent_transitions"] = [known(each, TRANSITION) for each in session["agent_transitions"]]
    return session


def save(path, session):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(session, indent=2), encoding="utf-8")


def now():
    return datetime.now(timezone.utc).isoformat()


def append(path, turn_id):
    session = load(path)
    session["turns"].append(known({"turn_id": turn_id, "prompt": "by the reference"}, TURN))
    session["updated_at"] = now()
    save(path, session)


def layout(base):
    time = "2026-01-05T08:00:00.123456+00:00"
    bare = known({"session_id": "bare", "created_at": time, "updated_at": time}, SESSION)
    save(base / "bare.json", bare)

    def session(name, workspace, **members):
        record = {**bare, "session_id": name, "workspace_id": workspace or None, **members}
        save(base / workspace / f"{name}.json", record)

    call = known({"call_id": "c1", "tool_name": "lookup", "arguments": {"id": 2**53 + 1, "ratio": 255.0},
                  "result": [1e22, 1.5e-7, -0.0, {"ok": True}], "duration_ms": 12.5, "sandbox_context": {"pid": 7}}, CALL)
    failed = known({"call_id": "c2", "tool_name": "lookup", "status": "timeout", "error": "no answer"}, CALL)
    turns = [
        known({"turn_id": "t1", "prompt": "Where is my parcel?", "tool_calls": [call, failed], "started_at": time,
               "ended_at": time, "audit_event_ids": ["e1", "e2"], "metadata": {"usage": {"tokens": 10**20}}}, TURN),
        known({"turn_id": "t2", "agent_id": "billing", "response_content": "", "status": "error", "error": "429"}, TURN),
    ]
    transition = known({"from_agent": "support", "to_agent": "billing", "turn_id": "t1", "timestamp": time}, TRANSITION)
    session("two-agents", "acme", agent_id="billing", turns=turns, agent_transitions=[transition],
            metadata={"ended": True, "account": 2**64, "share": 1.0})
    session("日本語 ✈", "büro", metadata={"text": "\u2028 \ud83d\ude80 \x7f \\ \" \n"},
            turns=[known({"turn_id": "é", "prompt": "Ünïcödé 🛫"}, TURN)])
    session("twice", "", turns=[known({"turn_id": "t", "prompt": prompt}, TURN) for prompt in ("first", "second")])


command, path, *rest = sys.argv[1], Path(sys.argv[2]), *sys.argv[3:]
if command == "read":
    print(json.dumps([load(each) for folder in [path, *sorted(filter(Path.is_dir, path.iterdir()))]
                      for each in sorted(folder.glob("*.json"))]))
elif command == "append":
    append(path, *rest)
elif command == "create":
    save(path, known({"session_id": path.stem, "created_at": now(), "updated_at": now()}, SESSION))
elif command == "layout":
    layout(path)
