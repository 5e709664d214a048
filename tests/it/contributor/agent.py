"""A coding agent that follows a script: it speaks the Agent Client Protocol on its standard streams, without any library.

    agent.py SCRIPT LOG

SCRIPT is JSON: a list of turns, each a list of actions. The last turn repeats. LOG gets a line of JSON for each thing the
agent learned: prompts, answers of the client, and what its own commands printed.
"""

import json
import os
import subprocess
import sys
import time

script_file, log_file = sys.argv[1:3]
next_id = 1000
servers = []


def log(kind, value):
    with open(log_file, "a") as log:
        log.write(json.dumps({"kind": kind, "value": value}) + "\n")


def send(message):
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    sys.stdout.flush()


def receive():
    line = sys.stdin.readline()
    if not line:
        sys.exit(0)
    return json.loads(line)


def ask(method, params):
    """Sends a request to the client and waits for its answer; notifications in between are dropped."""
    global next_id
    next_id += 1
    send({"id": next_id, "method": method, "params": params})
    while True:
        message = receive()
        if message.get("id") == next_id and "method" not in message:
            return message.get("result", {"error": message.get("error")})
        if message.get("method") == "session/cancel":
            log("cancelled", True)


def update(session, body):
    send({"method": "session/update", "params": {"sessionId": session, "update": body}})


def ask_pool(tool, arguments):
    """Starts the offered server of the Model Context Protocol, calls a tool, and returns the names of all tools and the result."""
    (server,) = servers
    env = {**os.environ, **{one["name"]: one["value"] for one in server["env"]}}
    command = [server["command"], *server["args"]]
    program = subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def call(message):
        program.stdin.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        program.stdin.flush()
        if "id" in message:
            answer = json.loads(program.stdout.readline())
            return answer.get("result", {"error": answer.get("error")})

    about = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "scripted", "version": "1.2.3"}}
    call({"id": 1, "method": "initialize", "params": about})
    call({"method": "notifications/initialized"})
    tools = call({"id": 2, "method": "tools/list"})["tools"]
    result = call({"id": 3, "method": "tools/call", "params": {"name": tool, "arguments": arguments}})
    program.stdin.close()
    return {"tools": [tool["name"] for tool in tools], "result": result, "code": program.wait(10)}


def act(session, folder, action):
    ((name, value),) = action.items()
    inside = lambda path: path if os.path.isabs(path) else os.path.join(folder, path)
    if name == "write":
        path, text = value
        with open(inside(path), "w") as file:
            file.write(text)
    elif name == "client_write":
        path, text = value
        log(name, ask("fs/write_text_file", {"sessionId": session, "path": inside(path), "content": text}))
    elif name == "client_read":
        log(name, ask("fs/read_text_file", {"sessionId": session, "path": inside(value)}))
    elif name == "client_run":
        made = ask("terminal/create", {"sessionId": session, "command": value})
        if "terminalId" in made:
            terminal = {"sessionId": session, "terminalId": made["terminalId"]}
            ask("terminal/wait_for_exit", terminal)
            made = ask("terminal/output", terminal)
            ask("terminal/release", terminal)
        log(name, made)
    elif name == "permission":
        options = [
            {"optionId": "no", "name": "No", "kind": "reject_once"},
            {"optionId": "yes", "name": "Yes", "kind": "allow_once"},
        ]
        call = {"toolCallId": "call-1", "title": value, "kind": "execute"}
        log(name, ask("session/request_permission", {"sessionId": session, "toolCall": call, "options": options}))
    elif name == "own_run":
        done = subprocess.run(["sh", "-c", value], cwd=folder, capture_output=True, text=True)
        log(name, {"code": done.returncode, "out": done.stdout, "err": done.stderr})
    elif name == "environment":
        log(name, sorted(os.environ))
    elif name == "tool_of_pool":
        tool, arguments = value
        log(name, ask_pool(tool, arguments))
    elif name == "plan":
        entries = [{"content": text, "priority": "medium", "status": "in_progress"} for text in value]
        update(session, {"sessionUpdate": "plan", "entries": entries})
    elif name == "tool":
        call = {"sessionUpdate": "tool_call", "toolCallId": "call-2", "title": value, "kind": "edit", "status": "completed"}
        update(session, call)
    elif name == "usage":
        cost = {"amount": 0.25, "currency": "USD"}
        update(session, {"sessionUpdate": "usage_update", "used": value, "size": 200000, "cost": cost})
    elif name == "say":
        update(session, {"sessionUpdate": "agent_message_chunk", "content": {"type": "text", "text": value}})
    elif name == "sleep":
        time.sleep(value)
    elif name == "die":
        sys.stderr.write("the agent breaks down\n")
        sys.stderr.flush()
        os._exit(value)
    elif name == "refuse":
        return "refusal"
    else:
        raise ValueError(name)


def main():
    global servers
    folder, turn = None, 0
    while True:
        message = receive()
        method, params = message.get("method"), message.get("params", {})
        if method == "initialize":
            about = {"name": "scripted", "title": "Scripted agent", "version": "1.2.3"}
            send({"id": message["id"], "result": {"protocolVersion": 1, "agentCapabilities": {}, "agentInfo": about}})
        elif method == "session/new":
            folder = params["cwd"]
            servers = params.get("mcpServers")
            log("servers", servers)
            send({"id": message["id"], "result": {"sessionId": "session-1"}})
        elif method == "session/prompt":
            text = "".join(part.get("text", "") for part in params["prompt"])
            log("prompt", text)
            with open(script_file) as script:
                turns = json.load(script)
            reason = "end_turn"
            for action in turns[min(turn, len(turns) - 1)]:
                reason = act(params["sessionId"], folder, action) or reason
            turn += 1
            send({"id": message["id"], "result": {"stopReason": reason}})
        elif "id" in message and method:
            send({"id": message["id"], "error": {"code": -32601, "message": "unknown method"}})


main()
