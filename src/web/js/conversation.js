// The conversation: its messages, their views, and the one request that may run.
class Conversation {
  constructor() {
    this.list = byId("messages");
    this.follower = new Follower(byId("scroller"), byId("jump"));
    this.composer = new Composer({send: (text) => this.send(text), stop: () => this.stop()});
    this.keyForm = new KeyForm(() => this.connect());
    this.model = null;
    this.running = null;  // {abort, message, view, frame}
    this.open(newChat());
    window.addEventListener("pagehide", () => saveChat(this.chat));
  }

  // Learns the model's name; throws a ServerError.
  async connect() {
    this.model = await loadModel();
    byId("model").textContent = this.model.id;
    byId("model").title = this.model.context ? `${this.model.id}, context of ${count(this.model.context, "token")}` : this.model.id;
    byId("model").classList.remove("offline");
    document.title = `${this.model.id} · tetrad`;
  }

  open(chat) {
    this.stop();
    this.running = null;
    this.chat = chat;
    this.composer.leaveMode();
    this.list.replaceChildren();
    this.views = [];
    for (const message of chat.messages) this.addView(message);
    this.refresh();
    this.follower.toEnd();
  }

  addView(message) {
    if (message.role === "tool") return this.views.push(null);
    const view = message.role === "user" ? new UserView(message, {edit: () => this.edit()})
      : new AnswerView(message, {retry: () => this.retry(), giveResult: (call) => this.askResult(call)});
    this.views.push(view);
    this.list.append(view.node);
  }

  push(message) {
    this.chat.messages.push(message);
    this.addView(message);
  }

  truncate(length) {
    this.chat.messages.length = length;
    for (const view of this.views.splice(length)) if (view) view.node.remove();
  }

  lastIndex(role) {
    return this.chat.messages.findLastIndex((message) => message.role === role);
  }

  // The answer that ends the conversation, perhaps with results of its calls; -1 when a message still waits for one.
  lastAnswer() {
    const at = this.lastIndex("assistant");
    return at > this.lastIndex("user") ? at : -1;
  }

  results() {
    return new Map(this.chat.messages.filter((message) => message.role === "tool").map((message) => [message.id, message.content]));
  }

  refresh() {
    const own = this.lastIndex("user"), end = this.lastAnswer(), results = this.results();
    this.views.forEach((view, i) => {
      if (view instanceof UserView) view.show(!this.running && i === own);
      else if (view) view.show(this.running !== null && this.running.message === view.message, i === end && !this.running, results);
    });
    document.body.classList.toggle("empty", this.chat.messages.length === 0);
    this.composer.setRunning(this.running !== null);
  }

  send(text) {
    this.push({role: "user", content: text});
    this.generate();
  }

  retry() {
    if (this.running) return;
    this.composer.leaveMode();
    this.truncate(this.lastAnswer());
    this.generate();
  }

  edit() {
    const at = this.lastIndex("user");
    this.composer.enterMode({text: "Editing your last message", placeholder: "Write a message", submit: (text) => {
      this.truncate(at);
      this.send(text);
    }}, this.chat.messages[at].content);
  }

  // When the last call has its result the model goes on.
  askResult(call) {
    const at = this.chat.messages.findIndex((message) => message.role === "assistant" && message.calls.includes(call));
    this.composer.enterMode({text: `Result of ${call.name}`, placeholder: "What the tool returns", allowEmpty: true, submit: (text) => {
      this.push({role: "tool", id: call.id, content: text});
      const results = this.results();
      if (this.chat.messages[at].calls.every((other) => results.has(other.id))) this.generate();
      else this.refresh();
    }}, "");
  }

  stop() {
    if (!this.running) return;
    this.running.message.stopped = true;
    this.running.abort.abort();
  }

  async generate() {
    const message = {role: "assistant", content: "", reasoning: "", calls: [], timing: {start: performance.now(), first: 0, last: 0, thought: 0}};
    const sent = this.chat.messages.slice(), chat = this.chat;
    const running = {abort: new AbortController(), message, frame: 0};
    this.push(message);
    running.view = this.views[this.views.length - 1];
    this.running = running;
    saveChat({...chat, messages: sent});
    this.refresh();
    this.follower.toEnd();
    announce("Waiting for the answer");
    let wantsKey = null;
    const clock = setInterval(() => this.schedule(running), 1000);  // the seconds go on when the server pauses
    try {
      if (!this.model) await this.connect();
      await streamAnswer(requestBody(this.model.id, sent), running.abort.signal, answerSink(message, () => this.schedule(running)));
    } catch (error) {
      if (error.status === 401) wantsKey = error.message;
      else if (!message.stopped) message.error = error instanceof ServerError ? error.message : `The page failed: ${error.message}`;
    }
    clearInterval(clock);
    this.finish(running, chat, wantsKey);
  }

  finish(running, chat, wantsKey) {
    if (this.running === running) this.running = null;
    const message = running.message, shown = this.chat === chat;
    if (wantsKey !== null && shown) this.truncate(this.chat.messages.indexOf(message));
    saveChat(chat);
    if (shown) {
      this.refresh();
      this.follower.follow();
      announce(message.error || wantsKey !== null ? "" : message.stopped ? "Stopped" : "The answer is complete");
    }
    if (wantsKey !== null) this.keyForm.ask(wantsKey, shown ? () => this.chat === chat && !this.running && this.generate() : null);
  }

  // At most one change of the page a frame. A hidden page has no frames: a timer takes their place.
  schedule(running) {
    if (running.frame || this.running !== running) return;
    const show = () => {
      running.frame = 0;
      if (this.running !== running || !running.view.node.isConnected) return;
      running.view.show(true, false, new Map());
      this.follower.follow();
    };
    running.frame = document.hidden ? setTimeout(show, 250) : requestAnimationFrame(show);
  }

  // The chat was deleted from the browser: what still runs must not bring it back.
  removed(id) {
    if (id !== this.chat.id) return;
    this.chat.removed = true;
    this.startNew();
  }

  startNew() {
    this.open(newChat());
    this.composer.setText("");
    this.composer.focus();
  }
}

function requestBody(model, messages) {
  const {sampling, system, tools} = chosenSettings();
  const list = messages.map(apiMessage).filter((message) => message !== null);
  if (system) list.unshift({role: "system", content: system});
  const body = {model, messages: list, stream: true, stream_options: {include_usage: true, continuous_usage_stats: true}, ...sampling};
  if (tools) body.tools = tools;
  return body;
}

// Answers that failed before they began are not part of what was said, nor are calls that were cut off.
function apiMessage(message) {
  if (message.role === "user") return {role: "user", content: message.content};
  if (message.role === "tool") return {role: "tool", tool_call_id: message.id, content: message.content};
  const calls = message.calls.filter((call) => isJson(call.arguments)).map(({id, name, arguments: text}) => ({id, type: "function", function: {name, arguments: text}}));
  if (!message.content && !message.reasoning && calls.length === 0) return null;
  const result = {role: "assistant", content: message.content};
  if (message.reasoning) result.reasoning_content = message.reasoning;
  if (calls.length > 0) result.tool_calls = calls;
  return result;
}

// Takes the stream's parts into the message.
function answerSink(message, changed) {
  const timing = message.timing;
  const delta = (part) => {
    const now = performance.now();
    const thought = typeof part.reasoning_content === "string" ? part.reasoning_content : "";
    const text = typeof part.content === "string" ? part.content : "";
    const calls = Array.isArray(part.tool_calls) ? part.tool_calls : [];
    if (!thought && !text && calls.length === 0) return;
    if (!timing.first) timing.first = now;
    timing.last = now;
    message.reasoning += thought;
    message.content += text;
    for (const call of calls) addCall(message.calls, call);
    if (message.reasoning && !message.content.trim() && message.calls.length === 0) timing.thought = now - timing.start;
    changed();
  };
  const usage = (given) => {
    const number = (value) => (Number.isFinite(value) ? value : 0);
    const details = given.prompt_tokens_details || {};
    message.usage = {prompt: number(given.prompt_tokens), completion: number(given.completion_tokens), cached: number(details.cached_tokens)};
    changed();
  };
  const finish = (reason) => {
    message.finish = String(reason);
  };
  return {delta, usage, finish};
}

function addCall(calls, part) {
  const index = Number.isInteger(part.index) ? part.index : calls.length;
  if (index < 0 || index > 1000) return;
  while (calls.length <= index) calls.push({id: `call_${calls.length}`, name: "", arguments: ""});
  const call = calls[index], given = part.function || {};
  if (typeof part.id === "string") call.id = part.id;
  if (typeof given.name === "string") call.name += given.name;
  if (typeof given.arguments === "string") call.arguments += given.arguments;
}
