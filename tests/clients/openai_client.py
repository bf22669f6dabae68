#!/usr/bin/env python3
"""The official openai client, unchanged: chat, tools, reasoning, log-probabilities, JSON schema, n, stop, completions, responses; plain and streaming."""
import json

import openai
from openai.types.responses import ResponseStreamEvent
from pydantic import BaseModel, TypeAdapter

from _shared import COMMAND, LIGHT, QUESTION, Server, check

server = Server("--served-model-name", "tiny", "--api-key", "secret", "--speculative-algorithm", "NGRAM")
base = f"http://127.0.0.1:{server.port}/v1"
client = openai.OpenAI(base_url=base, api_key="secret", max_retries=0)
chat, completions, responses = client.chat.completions, client.completions, client.responses
FUNCTION = {"name": "set_light", "description": "Turn a light on or off.", "parameters": LIGHT}
TOOLS = [{"type": "function", "function": FUNCTION}]


class City(BaseModel):
    city: str
    people: int


def plain():
    answer = chat.create(model="tiny", messages=QUESTION, temperature=0)
    message = answer.choices[0].message
    check("Oslo" in message.content and message.reasoning_content and answer.choices[0].finish_reason == "stop", f"an answer with its thought: {answer}")
    check(answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens and answer.usage.prompt_tokens_details is not None, "usage")
    again = chat.create(model="tiny", messages=QUESTION, temperature=0)
    check(again.choices[0].message.content == message.content and again.usage.prompt_tokens_details.cached_tokens > 0, "the same again, from the cache")
    chunks = list(chat.create(model="tiny", messages=QUESTION, temperature=0, stream=True, stream_options={"include_usage": True}))
    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    thought = "".join(getattr(c.choices[0].delta, "reasoning_content", None) or "" for c in chunks if c.choices)
    check((text, thought) == (message.content, message.reasoning_content) and chunks[-1].usage.total_tokens == answer.usage.total_tokens, "streamed as whole")
    several = chat.create(model="tiny", messages=QUESTION, n=3, temperature=1, seed=5)
    check([c.index for c in several.choices] == [0, 1, 2], "n")
    stopped = chat.create(model="tiny", messages=QUESTION, temperature=0, stop=["Oslo"])
    check("Oslo" not in (stopped.choices[0].message.content or "") and stopped.choices[0].finish_reason == "stop", "stop")
    short = chat.create(model="tiny", messages=QUESTION, temperature=0, max_completion_tokens=3)
    check(short.choices[0].finish_reason == "length" and short.usage.completion_tokens == 3, "max_completion_tokens")
    detailed = chat.create(model="tiny", messages=QUESTION, temperature=0, logprobs=True, top_logprobs=3).choices[0].logprobs.content
    check(all(len(t.top_logprobs) == 3 and t.logprob == max(x.logprob for x in t.top_logprobs) for t in detailed), "logprobs of greedy tokens are the largest")


def tools():
    answer = chat.create(model="tiny", messages=COMMAND, tools=TOOLS, temperature=0)
    call = answer.choices[0].message.tool_calls[0]
    check(call.function.name == "set_light" and json.loads(call.function.arguments) == {"room": "kitchen", "on": True}, f"a call: {answer}")
    check(answer.choices[0].finish_reason == "tool_calls", "finish_reason")
    with chat.stream(model="tiny", messages=COMMAND, tools=[{"type": "function", "function": {**FUNCTION, "strict": True}}], temperature=0) as stream:
        for _ in stream:
            pass
        final = stream.get_final_completion().choices[0].message.tool_calls[0]
    check(json.loads(final.function.arguments) == {"room": "kitchen", "on": True}, "a strict call, streamed")
    history = COMMAND + [answer.choices[0].message.model_dump(exclude_none=True), {"role": "tool", "tool_call_id": call.id, "content": "ok"}]
    check(chat.create(model="tiny", messages=history, tools=TOOLS, temperature=0).choices[0].message.content, "the result goes back")
    for choice in ("required", {"type": "function", "function": {"name": "set_light"}}):
        forced = chat.create(model="tiny", messages=QUESTION, tools=TOOLS, tool_choice=choice, temperature=0).choices[0].message
        check(set(json.loads(forced.tool_calls[0].function.arguments)) == {"room", "on"}, f"tool_choice {choice}")
    check(not chat.create(model="tiny", messages=COMMAND, tools=TOOLS, tool_choice="none", temperature=0).choices[0].message.tool_calls, "tool_choice none")


def structured():
    check(isinstance(chat.parse(model="tiny", messages=QUESTION, response_format=City, temperature=0).choices[0].message.parsed, City), "chat.parse")
    check(isinstance(responses.parse(model="tiny", input="Hi", text_format=City, temperature=0).output_parsed, City), "responses.parse")
    check(isinstance(json.loads(chat.create(model="tiny", messages=QUESTION, response_format={"type": "json_object"}, temperature=0, max_tokens=900).choices[0].message.content), dict), "json_object")


def others():
    answer = completions.create(model="tiny", prompt=["The capital of", "7 + 5"], max_tokens=4, temperature=0, echo=True, logprobs=2)
    check(len(answer.choices) == 2 and answer.choices[0].text.startswith("The capital of") and answer.choices[0].logprobs.token_logprobs[0] is None, "completions with echo")
    text = "".join(c.choices[0].text for c in completions.create(model="tiny", prompt="The capital of", max_tokens=4, temperature=0, echo=True, stream=True) if c.choices)
    check(text == answer.choices[0].text, "completions, streamed")
    check([m.id for m in client.models.list()] == ["tiny"], "models")
    reply = responses.create(model="tiny", input="What is the capital of Norway?", temperature=0)
    check("Oslo" in reply.output_text and {o.type for o in reply.output} == {"reasoning", "message"}, "responses")
    adapter, tool = TypeAdapter(ResponseStreamEvent), {"type": "function", "strict": True, **FUNCTION}
    events = [adapter.validate_python(e.model_dump()) for e in responses.create(model="tiny", input=COMMAND, tools=[tool], temperature=0, stream=True)]
    check(events[-1].type == "response.completed" and events[-1].response.output[-1].type == "function_call", "responses, streamed, every event of its type")


def errors():
    for wrong, kind in (({"model": "other"}, openai.NotFoundError), ({"temperature": -1}, openai.BadRequestError), ({"messages": []}, openai.BadRequestError)):
        try:
            chat.create(**{"model": "tiny", "messages": QUESTION, **wrong})
        except kind as error:
            check(error.message and error.body, f"{wrong}: {error}")
        else:
            check(False, f"{wrong} is accepted")
    try:
        openai.OpenAI(base_url=base, api_key="wrong", max_retries=0).models.list()
    except openai.AuthenticationError:
        return
    check(False, "a wrong key is accepted")


for part in (plain, tools, structured, others, errors):
    part()
check(server.stop() == 0, "stops")
print(f"openai {openai.__version__}: ok")
