#!/usr/bin/env python3
"""The official anthropic client, unchanged: messages with thinking and tools, plain and streaming, counting, errors."""
import anthropic

from _shared import COMMAND, LIGHT, QUESTION, Server, check

server = Server("--served-model-name", "tiny", "--api-key", "secret")
client = anthropic.Anthropic(base_url=f"http://127.0.0.1:{server.port}", api_key="secret", max_retries=0)
TOOLS = [{"name": "set_light", "description": "Turn a light on or off.", "input_schema": LIGHT}]
GREEDY = {"model": "tiny", "max_tokens": 300, "extra_body": {"temperature": 0}}


def text_of(message):
    return "".join(block.text for block in message.content if block.type == "text")


message = client.messages.create(messages=QUESTION, **GREEDY)
check("Oslo" in text_of(message) and message.content[0].type == "thinking" and message.stop_reason == "end_turn" and message.usage.output_tokens > 0, f"an answer: {message}")
with client.messages.stream(messages=QUESTION, **GREEDY) as stream:
    text = "".join(stream.text_stream)
    final = stream.get_final_message()
check(text == text_of(message) and final.stop_reason == "end_turn" and final.content[0].thinking == message.content[0].thinking, "streamed as whole")

call = client.messages.create(messages=COMMAND, tools=TOOLS, **GREEDY)
check(call.stop_reason == "tool_use" and call.content[-1].input == {"room": "kitchen", "on": True}, f"a call: {call}")
with client.messages.stream(messages=COMMAND, tools=TOOLS, **GREEDY) as stream:
    final = stream.get_final_message()
check(final.content[-1].input == call.content[-1].input and final.stop_reason == "tool_use", "a call, streamed")
history = COMMAND + [{"role": "assistant", "content": [b.model_dump(exclude_none=True) for b in call.content]},
                     {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call.content[-1].id, "content": "ok"}]}]
check(text_of(client.messages.create(messages=history, tools=TOOLS, system="Be brief.", **GREEDY)), "the result goes back")
forced = client.messages.create(messages=QUESTION, tools=TOOLS, tool_choice={"type": "tool", "name": "set_light"}, **GREEDY)
check(set(forced.content[-1].input) == {"room", "on"}, "tool_choice")
stopped = client.messages.create(messages=QUESTION, stop_sequences=["Oslo"], **GREEDY)
check(stopped.stop_reason == "stop_sequence" and stopped.stop_sequence == "Oslo", "stop_sequences")
count = client.messages.count_tokens(model="tiny", messages=QUESTION).input_tokens
check(count == message.usage.input_tokens + (message.usage.cache_read_input_tokens or 0), "count_tokens counts what the prompt had")

for wrong, kind in (({"model": "other"}, anthropic.NotFoundError), ({"max_tokens": -1}, anthropic.BadRequestError)):
    try:
        client.messages.create(**{"model": "tiny", "max_tokens": 5, "messages": QUESTION, **wrong})
    except kind as error:
        check(error.body["type"] == "error" and error.body["error"]["message"], f"{wrong}: {error}")
    else:
        check(False, f"{wrong} is accepted")
try:
    anthropic.Anthropic(base_url=f"http://127.0.0.1:{server.port}", api_key="wrong", max_retries=0).messages.count_tokens(model="tiny", messages=QUESTION)
    check(False, "a wrong key is accepted")
except anthropic.AuthenticationError:
    pass
check(server.stop() == 0, "stops")
print(f"anthropic {anthropic.__version__}: ok")
