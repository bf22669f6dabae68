// The server's side: the models and a streamed answer. Whatever goes wrong is thrown as a ServerError with words for the reader.
class ServerError extends Error {
  constructor(message, status = 0) {
    super(message);
    this.status = status;
  }
}

async function request(path, options = {}) {
  const key = readKey();
  const headers = {...options.headers};
  if (key) headers.Authorization = "Bearer " + key;
  let response;
  try {
    response = await fetch(path, {cache: "no-store", credentials: "same-origin", ...options, headers});
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ServerError("The server can't be reached. Is it still running?");
  }
  if (response.ok) return response;
  throw new ServerError(await messageOf(response), response.status);
}

async function messageOf(response) {
  const fallback = `The server answered ${response.status}${response.statusText ? " " + response.statusText : ""}.`;
  try {
    return errorText(JSON.parse(await response.text())) || fallback;
  } catch {
    return fallback;
  }
}

function errorText(body) {
  const error = body && body.error;
  const text = typeof error === "string" ? error : (error && error.message) || (body && body.message);
  return typeof text === "string" ? text.slice(0, 2000) : "";
}

// {id, context} of the server's main model
async function loadModel() {
  const response = await request("/v1/models");
  let list;
  try {
    list = (await response.json()).data;
  } catch {
    throw new ServerError("The list of models isn't JSON.");
  }
  const first = Array.isArray(list) ? list[0] : null;
  if (!first || typeof first.id !== "string") throw new ServerError("The server has no model.");
  return {id: first.id, context: Number(first.max_model_len) || 0};
}

// Calls sink.delta(delta), sink.usage(usage) and sink.finish(reason) as they come; returns when the answer is complete.
async function streamAnswer(body, signal, sink) {
  const response = await request("/v1/chat/completions", {
    method: "POST",
    headers: {"Content-Type": "application/json", Accept: "text/event-stream"},
    body: JSON.stringify(body),
    signal,
  });
  let finished = false;
  try {
    for await (const data of readEvents(response)) {
      if (data === "[DONE]") return;
      finished = passOn(data, sink) || finished;
    }
  } catch (error) {
    if (error.name === "AbortError" || error instanceof ServerError) throw error;
    throw new ServerError("The connection broke before the answer was complete.");
  }
  if (!finished) throw new ServerError("The connection ended before the answer was complete.");
}

function passOn(data, sink) {
  let event;
  try {
    event = JSON.parse(data);
  } catch {
    throw new ServerError("The server sent something that isn't JSON.");
  }
  if (event && event.error) throw new ServerError(errorText(event) || "The server reported an error.");
  if (event && event.usage) sink.usage(event.usage);
  const choice = event && Array.isArray(event.choices) ? event.choices[0] : null;
  if (!choice) return false;
  if (choice.delta) sink.delta(choice.delta);
  if (choice.finish_reason) sink.finish(choice.finish_reason);
  return Boolean(choice.finish_reason);
}
